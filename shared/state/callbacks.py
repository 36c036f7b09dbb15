"""What was heard from Manage by callback, for a few days, and what of ours is registered there."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from shared.state.documents import Document, row_key
from shared.state.rows import TRANSACTION_ROWS, AlreadyThere, DeleteRow, Operation
from shared.state.tables import TableAccess

TABLE = "Callbacks"
_HEARD, _REGISTRATION = "heard", "registration"


class Heard(StrEnum):
    """What became of a callback."""

    DUE = "due"
    ECHO = "echo"
    IGNORED = "ignored"
    REPEATED = "repeated"


@dataclass(frozen=True, slots=True)
class Registration:
    """Our entries in Manage by id with the address of each, and the login of the API member who made them."""

    entries: dict[int, str]
    member: str = ""


_DOCUMENT = Document("registration", Registration)


class CallbackStore:
    """Remembers messages by their ids, so that one that is sent again has no second effect."""

    def __init__(self, tables: TableAccess) -> None:
        self._tables = tables

    def is_known(self, message: str) -> bool:
        return self._tables.get(TABLE, _HEARD, row_key(message)) is not None

    def remember(self, message: str, heard: Heard, now: datetime) -> None:
        """Notes a message after it took its effect."""
        values = {"at": now.isoformat(), "heard": heard.value}
        with suppress(AlreadyThere):
            self._tables.insert(TABLE, _HEARD, row_key(message), values)

    def counts(self) -> dict[Heard, int]:
        """What became of the messages that are remembered."""
        rows = self._tables.query(TABLE, _HEARD, select=["heard"])
        found = Counter(str(row.values["heard"]) for row in rows)
        return {heard: found[heard] for heard in Heard if found[heard]}

    def forget(self, before: datetime) -> None:
        """Removes the messages of an earlier time."""
        rows = self._tables.query(TABLE, _HEARD, select=["at"])
        old: list[Operation] = [
            DeleteRow(row.row) for row in rows if datetime.fromisoformat(str(row.values["at"])) < before
        ]
        for start in range(0, len(old), TRANSACTION_ROWS):
            self._tables.transact(TABLE, _HEARD, old[start : start + TRANSACTION_ROWS])

    def registration(self) -> Registration:
        """What was registered last; nothing when nothing was."""
        row = self._tables.get(TABLE, _REGISTRATION, _REGISTRATION)
        return Registration({}) if row is None else _DOCUMENT.decode(row.values)

    def keep_registration(self, registration: Registration) -> None:
        self._tables.put(TABLE, _REGISTRATION, _REGISTRATION, _DOCUMENT.encode(registration))
