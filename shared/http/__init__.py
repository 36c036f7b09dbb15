"""HTTP as every adapter speaks it: one request, one answer, and how long to wait before the next."""
