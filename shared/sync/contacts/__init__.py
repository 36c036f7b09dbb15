"""Users of customers become contacts in Manage, and stay so."""
