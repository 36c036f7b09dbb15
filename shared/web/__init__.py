"""What people use: one ASGI app below /console, pages and JSON. It decides nothing; nobody unknown sees anything."""
