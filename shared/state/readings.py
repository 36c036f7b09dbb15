"""The newest reading of each customer at the sources that are read for all customers at once, with its time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from shared.billing.counts import Reading
from shared.billing.lines import canonical
from shared.state.documents import Document, escape, row_key
from shared.state.rows import PutRow, in_transactions
from shared.state.tables import TableAccess

TABLE = "Readings"


@dataclass(frozen=True, slots=True)
class StoredReading:
    """A reading and when it was taken (UTC, by the business clock)."""

    reading: Reading
    at: datetime


_DOCUMENT = Document("stored reading", StoredReading)


class ReadingStore:
    """One row per customer, in one partition per source."""

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


def _key(customer: str) -> str:
    return row_key(canonical(customer))
