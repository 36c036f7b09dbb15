"""From bill items to the plan: what every line should say, what that changes, and every reason not to touch it."""
