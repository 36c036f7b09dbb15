"""Companies that are to be looked at soon, because something changed in Manage; and whether a call to do so is out."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime

from shared.state.documents import Document
from shared.state.rows import TRANSACTION_ROWS, AlreadyThere, Changed, DeleteRow, Operation
from shared.state.tables import TableAccess

TABLE = "Due"
_PARTITION = "due"
#: Sorts after every company's row.
_CALL = "~call"
_TRIES = 10


@dataclass(frozen=True, slots=True)
class DueCompany:
    """A company to be looked at, not before `at` (UTC). `times` counts what made it due since it was looked at.

    `etag` says which state of the row was read.
    """

    company: int
    at: datetime
    times: int = 1
    etag: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Call:
    """A message that has the due companies looked at is on its way, to arrive at `at` (UTC)."""

    at: datetime


_DOCUMENT = Document("due company", DueCompany, leave_out=frozenset({"etag"}))
_CALL_DOCUMENT = Document("call", Call)


class DueStore:
    """One row per company that is due, however often it became so."""

    def __init__(self, tables: TableAccess) -> None:
        self._tables = tables

    def add(self, company: int, at: datetime) -> DueCompany | None:
        """Makes a company due and answers its row; one that is due already stays so at its time (None).

        The row changes each time: who took it up before finds that it must stay.
        """
        key = _row_key(company)
        for _ in range(_TRIES):
            row = self._tables.get(TABLE, _PARTITION, key)
            try:
                if row is None:
                    new = DueCompany(company, at)
                    return replace(new, etag=self._tables.insert(TABLE, _PARTITION, key, _DOCUMENT.encode(new)))
                known = _DOCUMENT.decode(row.values)
                self._tables.replace(TABLE, row, _DOCUMENT.encode(replace(known, times=known.times + 1)))
            except (AlreadyThere, Changed):
                continue
            return None
        raise Changed(f"due company {company} changes faster than it can be written", system="state")

    def all(self) -> list[DueCompany]:
        """Every due company, by id."""
        rows = self._tables.query(TABLE, _PARTITION, before=_CALL)
        return [replace(_DOCUMENT.decode(row.values), etag=row.etag) for row in rows]

    def done(self, companies: Sequence[DueCompany]) -> None:
        """Removes what was taken up; a company that became due again since it was read stays."""
        for start in range(0, len(companies), TRANSACTION_ROWS):
            batch: list[Operation] = [
                DeleteRow(_row_key(due.company), due.etag) for due in companies[start : start + TRANSACTION_ROWS]
            ]
            try:
                self._tables.transact(TABLE, _PARTITION, batch)
            except Changed:
                for operation in batch:
                    with suppress(Changed):
                        self._tables.transact(TABLE, _PARTITION, [operation])

    def forget(self, company: int) -> None:
        """The company is not looked at for what it was due for."""
        self._tables.delete(TABLE, _PARTITION, _row_key(company))

    def announce(self, at: datetime, lost_before: datetime) -> bool:
        """Whether the caller is the one to send the message that arrives at `at`: nobody else's is on its way.

        One that should have arrived before `lost_before` counts as lost.
        """
        values = _CALL_DOCUMENT.encode(Call(at))
        standing = self._tables.get(TABLE, _PARTITION, _CALL)
        try:
            if standing is None:
                self._tables.insert(TABLE, _PARTITION, _CALL, values)
            elif _CALL_DOCUMENT.decode(standing.values).at < lost_before:
                self._tables.replace(TABLE, standing, values)
            else:
                return False
        except (AlreadyThere, Changed):
            return False
        return True

    def arrived(self) -> None:
        """The message has arrived: the next one may be sent."""
        self._tables.delete(TABLE, _PARTITION, _CALL)


def _row_key(company: int) -> str:
    return f"{company:010d}"
