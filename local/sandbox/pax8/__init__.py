"""Pax8's partner API v1, as far as a billing program reads it."""

from local.sandbox.pax8.api import Pax8
from local.sandbox.pax8.books import invoice_row, make_invoice
from local.sandbox.pax8.control import Pax8Change, change
from local.sandbox.pax8.routes import pax8_routes
from local.sandbox.pax8.world import Pax8World

__all__ = ["Pax8", "Pax8Change", "Pax8World", "change", "invoice_row", "make_invoice", "pax8_routes"]
