"""What the Azure source needs to know beside the app registration, which is that of Microsoft 365."""

from __future__ import annotations

from dataclasses import dataclass

from shared.sources.microsoft365.settings import MicrosoftSettings


@dataclass(frozen=True)
class AzureSettings:
    """`currency` is the one in which Microsoft bills us (ISO 4217); the first partner tenant is asked.

    Usage is taken for complete `settled_days` after its day: Microsoft names no day on which it is.
    """

    microsoft: MicrosoftSettings
    currency: str
    settled_days: int = 3
