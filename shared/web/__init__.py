"""What people use: one ASGI app below /console. It decides nothing; who is not signed in sees nothing."""
