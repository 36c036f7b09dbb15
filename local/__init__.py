"""What makes TrueUp run on one machine. Never deployed."""
