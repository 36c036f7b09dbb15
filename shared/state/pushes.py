"""What was pushed for each customer and still stands: one row per customer, one partition per source."""

from __future__ import annotations

from collections.abc import Callable

from shared.billing.counting.pushes import Pushed
from shared.billing.lines import canonical
from shared.state.documents import Document, escape, row_key
from shared.state.rows import AlreadyThere, Changed
from shared.state.tables import TableAccess

TABLE = "Pushed"
#: How often a write is tried again after somebody else came between. More than that is not chance.
_TRIES = 10

_DOCUMENT = Document("pushed counts", Pushed)


class PushStore:
    """Sources are named as in rules; customers are the same whatever their case."""

    def __init__(self, tables: TableAccess) -> None:
        self._tables = tables

    def get(self, source: str, customer: str) -> Pushed | None:
        row = self._tables.get(TABLE, escape(source), row_key(canonical(customer)))
        return None if row is None else _DOCUMENT.decode(row.values)

    def all(self, source: str) -> list[Pushed]:
        return [_DOCUMENT.decode(row.values) for row in self._tables.query(TABLE, escape(source))]

    def update(self, source: str, customer: str, change: Callable[[Pushed], Pushed]) -> Pushed:
        """Reads what stands (nothing for a new customer), changes it, writes it unless somebody else did, else again.

        A change that gives back what it was given writes nothing. Raises `Changed` when others never stop.
        """
        partition, key = escape(source), row_key(canonical(customer))
        for _ in range(_TRIES):
            row = self._tables.get(TABLE, partition, key)
            standing = Pushed(customer) if row is None else _DOCUMENT.decode(row.values)
            new = change(standing)
            if new == standing:
                return new
            try:
                if row is None:
                    self._tables.insert(TABLE, partition, key, _DOCUMENT.encode(new))
                else:
                    self._tables.replace(TABLE, row, _DOCUMENT.encode(new))
            except (AlreadyThere, Changed):
                continue
            return new
        raise Changed(
            f"what is pushed to {source} for {customer!r} changes faster than it can be written",
            system="state",
            remedy="Push again, one push at a time.",
        )

    def forget(self, source: str, customer: str) -> None:
        """Removes what was pushed for one customer."""
        self._tables.delete(TABLE, escape(source), row_key(canonical(customer)))
