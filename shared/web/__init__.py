"""What people use: one ASGI app below /console, pages and JSON. It decides nothing; who is not signed in sees nothing."""
