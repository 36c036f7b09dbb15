"""ConnectWise Manage's callbacks as values: what one tells, and the entries that make Manage send them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Callback:
    """Somebody added, updated or deleted a record; who it is genuine from was checked before it became this.

    `message` names the message: one that is sent again has the same. `type` (lower case) and `id` name the record.
    `company` is the company that the record is of, None where the message does not say. `member` is the login of who
    did it, empty where it is not told.
    """

    message: str
    type: str
    id: int
    company: int | None
    member: str


@dataclass(frozen=True, slots=True)
class CallbackEntry:
    """One registration in Manage: which changes are told to which address.

    `member` is the login of the API member who made it, empty where Manage does not say.
    """

    id: int
    url: str
    type: str
    level: str
    active: bool
    member: str
