"""Commands of dev.py that are too short for a package of their own."""
