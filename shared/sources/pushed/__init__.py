"""Counts that anything else pushes to us, by script or by file."""

from shared.sources.pushed.settings import PushedSettings
from shared.sources.pushed.source import PushedSource

__all__ = ["PushedSettings", "PushedSource"]
