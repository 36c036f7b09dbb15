"""Subscriptions bought through Pax8, read through its partner API v1."""

from shared.sources.pax8.settings import Pax8Settings
from shared.sources.pax8.source import Pax8Source

__all__ = ["Pax8Settings", "Pax8Source"]
