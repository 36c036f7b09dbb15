"""What the Huntress source needs to know."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class HuntressSettings:
    """The key pair of one Huntress account. `url` reaches into one account of a reseller, where keys are theirs."""

    public_key: str
    private_key: str = field(repr=False)
    url: str = "https://api.huntress.io/v1"
