"""Microsoft 365 seats, read through Microsoft Graph. Importing this package loads no vendor library."""

from shared.sources.microsoft365.settings import MicrosoftSettings
from shared.sources.microsoft365.source import Microsoft365Source

__all__ = ["Microsoft365Source", "MicrosoftSettings"]
