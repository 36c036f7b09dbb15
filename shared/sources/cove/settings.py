"""What the Cove source needs to know."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class CoveSettings:
    """One API user. `partner` is our own customer name exactly as the console shows it; `token` was shown once."""

    partner: str
    username: str
    token: str = field(repr=False)
    url: str = "https://api.backup.management/jsonapi"
