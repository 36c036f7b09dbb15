"""Tickets that findings and issues have become: what each tells, and how far writing it has come."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from shared.state.documents import AFTER_SEPARATOR, SEPARATOR, Document, row_key
from shared.state.notices import TABLE
from shared.state.rows import Row
from shared.state.tables import TableAccess

_PARTITION = "tickets"


@dataclass(frozen=True, slots=True)
class TicketRow:
    """One finding of one subscriber and its ticket. Times are UTC.

    `stamp` stands in the ticket. `summary` and `text` are what it should tell now, `open` whether the finding is open;
    `ending` is what it tells once it is not open any more.
    `told` is a digest of what it tells, "healed" once it says that the finding healed. `ticket` is None until one is
    known: `begun` then says when opening it was last begun. `turn` counts how often the finding came back. `looked` is
    when the ticket was last looked at, `left_alone` since when a person has it closed. `wait_until` is set after a
    failure.
    """

    subscriber: str
    stamp: str
    company: int | None
    summary: str
    text: str
    open: bool = True
    told: str = ""
    ticket: int | None = None
    begun: datetime | None = None
    turn: int = 0
    looked: datetime | None = None
    left_alone: datetime | None = None
    wait_until: datetime | None = None
    ending: str = "This has healed."
    etag: str = field(default="", compare=False, repr=False)


_DOCUMENT = Document("ticket of a finding", TicketRow, leave_out=frozenset({"etag"}))


class TicketStore:
    """One row per finding and subscriber; each is only changed as it was read."""

    def __init__(self, tables: TableAccess) -> None:
        self._tables = tables

    def of(self, subscriber: str) -> dict[str, TicketRow]:
        """Every row of a subscriber, by stamp."""
        prefix = row_key(subscriber)
        rows = self._tables.query(TABLE, _PARTITION, first=prefix + SEPARATOR, before=prefix + AFTER_SEPARATOR)
        found = [replace(_DOCUMENT.decode(row.values), etag=row.etag) for row in rows]
        return {row.stamp: row for row in found}

    def save(self, row: TicketRow) -> TicketRow:
        """Writes a new row, or one as it was read. Raises `AlreadyThere` or `Changed` when somebody else wrote it."""
        key, values = row_key(row.subscriber, row.stamp), _DOCUMENT.encode(row)
        if row.etag:
            return replace(row, etag=self._tables.replace(TABLE, Row(_PARTITION, key, {}, row.etag), values))
        return replace(row, etag=self._tables.insert(TABLE, _PARTITION, key, values))

    def remove(self, row: TicketRow) -> None:
        self._tables.delete(TABLE, _PARTITION, row_key(row.subscriber, row.stamp), row.etag)

    def forget(self, company: int) -> None:
        """Removes the rows of one company; its tickets stay as they are."""
        for row in self._tables.query(TABLE, _PARTITION):
            if _DOCUMENT.decode(row.values).company == company:
                self._tables.delete(TABLE, _PARTITION, row.row)
