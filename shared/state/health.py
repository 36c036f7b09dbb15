"""What each customer's vendor last told of the health of its services."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.state.documents import AFTER_SEPARATOR, SEPARATOR, Document, row_key
from shared.state.notices import TABLE
from shared.state.rows import DeleteRow, Operation, PutRow, in_transactions
from shared.state.tables import TableAccess

_PARTITION = "health"
_PREFIX = "customer"


@dataclass(frozen=True, slots=True)
class KnownHealth:
    """The ids of the issues that were open at a customer when it was last `read`. Times are UTC.

    `asked` is when that was last tried, `failing_since` since when it has not worked, `refused` whether we are not let
    in.
    """

    source: str
    customer: str
    asked: datetime
    read: datetime | None = None
    issues: tuple[str, ...] = ()
    failing_since: datetime | None = None
    refused: bool = False


_DOCUMENT = Document("known service health", KnownHealth)


class HealthStore:
    """One row per customer; only the timer of the service health writes them."""

    def __init__(self, tables: TableAccess) -> None:
        self._tables = tables

    def all(self) -> dict[tuple[str, str], KnownHealth]:
        """By source and customer."""
        rows = self._tables.query(TABLE, _PARTITION, first=_PREFIX + SEPARATOR, before=_PREFIX + AFTER_SEPARATOR)
        found = [_DOCUMENT.decode(row.values) for row in rows]
        return {(known.source, known.customer): known for known in found}

    def keep(self, known: Sequence[KnownHealth], gone: Sequence[KnownHealth]) -> None:
        """Writes what is known now and lets go of customers that nobody asks about any more."""
        operations: list[Operation] = [PutRow(_key(each), _DOCUMENT.encode(each)) for each in known]
        operations += [DeleteRow(_key(each)) for each in gone]
        for batch in in_transactions(operations):
            self._tables.transact(TABLE, _PARTITION, batch)

    def forget(self, source: str, customer: str) -> None:
        """Nothing is known of a customer any more."""
        self._tables.delete(TABLE, _PARTITION, row_key(_PREFIX, source, customer))


def _key(known: KnownHealth) -> str:
    return row_key(_PREFIX, known.source, known.customer)
