"""What TrueUp remembers: Table Storage, one module per kind of record."""
