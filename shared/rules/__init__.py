"""Rules as one commented YAML document: reading with errors that name line and field, and writing."""
