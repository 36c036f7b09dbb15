"""The newest reading of each customer at the sources that are read for all customers at once, with its time.

Beside it all that was read of a customer between its syncs, moment by moment: billing in arrears counts that too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from shared.billing.counts import Reading
from shared.billing.lines import canonical
from shared.state.documents import AFTER_SEPARATOR, SEPARATOR, Document, escape, row_key
from shared.state.rows import DeleteRow, PutRow, in_transactions
from shared.state.tables import TableAccess

TABLE = "Readings"


@dataclass(frozen=True, slots=True)
class StoredReading:
    """A reading and when it was taken (UTC, by the business clock)."""

    reading: Reading
    at: datetime


_DOCUMENT = Document("stored reading", StoredReading)


class ReadingStore:
    """One row per customer in one partition per source, and one per customer and moment in another."""

    def __init__(self, tables: TableAccess) -> None:
        self._tables = tables

    def get(self, source: str, customer: str) -> StoredReading | None:
        row = self._tables.get(TABLE, escape(source), _key(customer))
        return None if row is None else _DOCUMENT.decode(row.values)

    def of(self, source: str) -> dict[str, Reading]:
        """Every stored reading of a source, by customer."""
        stored = (_DOCUMENT.decode(row.values) for row in self._tables.query(TABLE, escape(source)))
        return {each.reading.customer: each.reading for each in stored}

    def put(self, source: str, readings: Iterable[Reading], at: datetime) -> None:
        """Stores readings of one source, each in the place of the one before."""
        rows = [PutRow(_key(each.customer), _DOCUMENT.encode(StoredReading(each, at))) for each in readings]
        for batch in in_transactions(rows):
            self._tables.transact(TABLE, escape(source), batch)

    def add(self, source: str, readings: Iterable[Reading], at: datetime) -> None:
        """Stores readings of one source that were made together at a moment; the same moment again changes nothing."""
        rows = [PutRow(_moment(each.customer, at), _DOCUMENT.encode(StoredReading(each, at))) for each in readings]
        for batch in in_transactions(rows):
            self._tables.transact(TABLE, _moments(source), batch)

    def since(self, source: str, customer: str, at: datetime) -> list[StoredReading]:
        """What was added for one customer from a moment on, oldest first."""
        first, before = _moment(customer, at), f"{_key(customer)}{AFTER_SEPARATOR}"
        rows = self._tables.query(TABLE, _moments(source), first=first, before=before)
        return [_DOCUMENT.decode(row.values) for row in rows]

    def forget(self, source: str, customer: str, before: datetime) -> None:
        """Removes what was added for one customer before a moment."""
        first, last = f"{_key(customer)}{SEPARATOR}", _moment(customer, before)
        rows = self._tables.query(TABLE, _moments(source), first=first, before=last, select=[])
        for batch in in_transactions([DeleteRow(row.row) for row in rows]):
            self._tables.transact(TABLE, _moments(source), batch)

    def forget_customer(self, source: str, customer: str) -> None:
        """Removes all that was read of one customer."""
        self._tables.delete(TABLE, escape(source), _key(customer))
        first, before = f"{_key(customer)}{SEPARATOR}", f"{_key(customer)}{AFTER_SEPARATOR}"
        rows = self._tables.query(TABLE, _moments(source), first=first, before=before, select=[])
        for batch in in_transactions([DeleteRow(row.row) for row in rows]):
            self._tables.transact(TABLE, _moments(source), batch)


def _moments(source: str) -> str:
    return row_key(source, "moments")


def _moment(customer: str, at: datetime) -> str:
    return row_key(canonical(customer), at.astimezone(UTC).isoformat(timespec="seconds"))


def _key(customer: str) -> str:
    return row_key(canonical(customer))
