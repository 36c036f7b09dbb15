"""What a person reads over all companies: runs, what is counted beside what is billed, and the months since."""
