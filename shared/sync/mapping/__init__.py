"""Mapping at scale: which company a customer is, which profile bills a SKU, and both as tables for a spreadsheet."""
