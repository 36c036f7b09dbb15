"""TrueUp's own package: everything that is not a trigger. See `CONTRIBUTING.md` for the plan of the rooms."""
