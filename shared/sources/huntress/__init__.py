"""Huntress, read through its API v1: endpoints, identities, learners and log sources of every organization."""

from shared.sources.huntress.settings import HuntressSettings
from shared.sources.huntress.source import HuntressSource

__all__ = ["HuntressSettings", "HuntressSource"]
