"""Tables as people edit them in a spreadsheet: CSV and XLSX, out and in, with nothing in them that a program runs."""
