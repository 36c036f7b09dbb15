"""Triggers only: parse, call one flow, translate errors. No rule lives here."""
