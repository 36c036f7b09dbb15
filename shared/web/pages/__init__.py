"""The pages, one module for each group of them. A page asks a flow and shows what it answers; it decides nothing."""
