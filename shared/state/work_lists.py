"""What a run is to look at: its companies, and what somebody approved for it to write there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from shared.billing.planning.plan import Group
from shared.errors import Gone
from shared.state.documents import SEPARATOR, Document, escape
from shared.state.rows import AlreadyThere, PutRow, in_transactions
from shared.state.run_headers import TABLE
from shared.state.tables import TableAccess

_WORK_LIST = "list"
_APPROVED = "approved"


@dataclass(frozen=True, slots=True)
class WorkList:
    """The companies of a run, written once and before the run itself: every filling writes the same rows.

    `approved` are the hashes of approved groups by company.
    """

    companies: tuple[int, ...]
    approved: dict[int, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Approved:
    """The approved groups of one company as they were shown."""

    groups: tuple[Group, ...]


_LIST_DOCUMENT = Document("work list", WorkList)
_APPROVED_DOCUMENT = Document("approval of many groups", Approved)


class WorkLists:
    """One list per run, and beside it a row for each company of which something was approved."""

    def __init__(self, tables: TableAccess) -> None:
        self._tables = tables

    def make(self, run: str, companies: Sequence[int], approved: Mapping[int, tuple[str, ...]]) -> WorkList:
        """Writes the work list; the one that stands, when there is one."""
        work = WorkList(tuple(sorted(set(companies))), dict(approved))
        try:
            self._tables.insert(TABLE, escape(run), _WORK_LIST, _LIST_DOCUMENT.encode(work))
        except AlreadyThere:
            return self.get(run)
        return work

    def get(self, run: str) -> WorkList:
        """Raises `Gone` for a run that has none."""
        row = self._tables.get(TABLE, escape(run), _WORK_LIST)
        if row is None:
            raise Gone(f"run {run} has no work list", system="state", remedy="Start the run again.")
        return _LIST_DOCUMENT.decode(row.values)

    def note_approved(self, run: str, groups: Mapping[int, Sequence[Group]]) -> None:
        rows = [
            PutRow(_approved_key(company), _APPROVED_DOCUMENT.encode(Approved(tuple(found))))
            for company, found in groups.items()
        ]
        for batch in in_transactions(rows):
            self._tables.transact(TABLE, escape(run), batch)

    def approved(self, run: str, company: int) -> tuple[Group, ...]:
        row = self._tables.get(TABLE, escape(run), _approved_key(company))
        return () if row is None else _APPROVED_DOCUMENT.decode(row.values).groups


def _approved_key(company: int) -> str:
    return f"{_APPROVED}{SEPARATOR}{company:010d}"
