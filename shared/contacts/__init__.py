"""People at the customers: their accounts as a directory has them. Pure: standard library only, no I/O, no clock."""
