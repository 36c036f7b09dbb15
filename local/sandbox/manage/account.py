"""The API member of the made-up MSP: what a program must present to be let in."""

from __future__ import annotations

import base64
from dataclasses import dataclass


@dataclass(frozen=True)
class Account:
    """An API member's keys and role. `may_delete_additions` False is a role without Finance > Agreements > Delete."""

    company: str
    public_key: str
    private_key: str
    client_id: str
    may_delete_additions: bool = True

    @property
    def authorization(self) -> str:
        """The value of the Authorization header."""
        user = f"{self.company}+{self.public_key}:{self.private_key}"
        return "Basic " + base64.b64encode(user.encode()).decode()
