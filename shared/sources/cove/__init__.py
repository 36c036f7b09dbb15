"""N-able Cove Data Protection, read through its JSON-RPC: devices, protected users and storage of every customer."""

from shared.sources.cove.settings import CoveSettings
from shared.sources.cove.source import CoveSource

__all__ = ["CoveSettings", "CoveSource"]
