"""The ConnectWise Manage client."""
