"""Messages of the queue that nobody could work on, until a person has them tried again or dismisses them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from shared.state.documents import Document, row_key
from shared.state.tables import TableAccess

TABLE = "Poison"
_PARTITION = "poison"


@dataclass(frozen=True, slots=True)
class PoisonMessage:
    """One message. `since` (UTC) is when it was first parked, `times` how often it was.

    `text` is the message as it stood, or the beginning of one that is too long to be ours.
    """

    id: str
    text: str
    since: datetime
    times: int = 1


_DOCUMENT = Document("poison message", PoisonMessage)


class PoisonStore:
    """One row per message."""

    def __init__(self, tables: TableAccess) -> None:
        self._tables = tables

    def all(self) -> list[PoisonMessage]:
        """Every message, the oldest first."""
        found = [_DOCUMENT.decode(row.values) for row in self._tables.query(TABLE, _PARTITION)]
        return sorted(found, key=lambda message: (message.since, message.id))

    def get(self, message: str) -> PoisonMessage | None:
        row = self._tables.get(TABLE, _PARTITION, row_key(message))
        return None if row is None else _DOCUMENT.decode(row.values)

    def put(self, message: PoisonMessage) -> None:
        self._tables.put(TABLE, _PARTITION, row_key(message.id), _DOCUMENT.encode(message))

    def remove(self, message: str) -> None:
        """Removes a message; it may be gone already."""
        self._tables.delete(TABLE, _PARTITION, row_key(message))
