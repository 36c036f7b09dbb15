"""Azure usage, read through the partner billing export of Microsoft Graph. Importing it loads no vendor library."""

from shared.sources.azure.settings import AzureSettings
from shared.sources.azure.source import AzureSource

__all__ = ["AzureSettings", "AzureSource"]
