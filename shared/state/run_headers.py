"""The runs themselves, without their rows: found by id, newest first, or while they are open."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from shared.state.documents import AFTER_SEPARATOR, SEPARATOR, Document, row_key
from shared.state.records import Signature
from shared.state.rows import AlreadyThere, Changed, DeleteRow, InsertRow, Operation, PutRow, ReplaceRow
from shared.state.tables import TableAccess

TABLE = "Runs"
#: No run id escapes to a partition that begins with this character.
_PARTITION = "~headers"
_BY_ID, _OPEN, _RECENT = "id", "open", "recent"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FAR_FUTURE = 10**17
_TICK = timedelta(microseconds=1)
_TRIES = 10


@dataclass(frozen=True, slots=True)
class RunHeader:
    """One run. Times are UTC.

    `mode` is the most that the run may do, None when every company's own mode counts. `filled` says that every company
    has its row, `companies` how many there are. Once the run has ended, `outcomes` counts companies by outcome,
    `written` the changes that reached Manage by kind (a quiet night leaves none), and `calls` the requests that looking
    at its companies took. `signed` is who approved what the rows of an approval's run carry. For the sources in
    `stopped` the run only plans from then on; for those in `released` it goes on whatever is counted.
    """

    id: str
    kind: str
    mode: str | None
    rules_version: int
    started: datetime
    ended: datetime | None = None
    filled: bool = False
    companies: int = 0
    note: str = ""
    outcomes: dict[str, int] = field(default_factory=dict)
    signed: Signature | None = None
    stopped: tuple[str, ...] = ()
    released: tuple[str, ...] = ()
    written: dict[str, int] = field(default_factory=dict)
    calls: int = 0


_DOCUMENT = Document("run", RunHeader)


class RunHeaders:
    """Every header stands by id, by start and, until it ends, among the open ones: always changed together."""

    def __init__(self, tables: TableAccess) -> None:
        self._tables = tables

    def insert(self, header: RunHeader) -> bool:
        """Writes a new header; False, and nothing written, when there is one with that id."""
        values = _DOCUMENT.encode(header)
        keys = [row_key(_BY_ID, header.id), row_key(_OPEN, header.id), _recent_key(header)]
        try:
            self._tables.transact(TABLE, _PARTITION, [InsertRow(key, values) for key in keys])
        except AlreadyThere:
            return False
        return True

    def get(self, run: str) -> RunHeader | None:
        row = self._tables.get(TABLE, _PARTITION, row_key(_BY_ID, run))
        return None if row is None else _DOCUMENT.decode(row.values)

    def newest(self, limit: int) -> list[RunHeader]:
        return self._under(_RECENT, limit)

    def open(self) -> list[RunHeader]:
        """The runs that have not ended, by id."""
        return self._under(_OPEN, None)

    def started_before(self, moment: datetime) -> Iterator[RunHeader]:
        """The runs that began earlier, the newest of them first."""
        first = row_key(_RECENT, _to_go(moment - _TICK))
        rows = self._tables.query(TABLE, _PARTITION, first=first, before=_RECENT + AFTER_SEPARATOR)
        return (_DOCUMENT.decode(row.values) for row in rows)

    def remove(self, header: RunHeader) -> None:
        """Forgets a run. Its rows must be gone already: nothing would find them any more."""
        keys = [row_key(_BY_ID, header.id), row_key(_OPEN, header.id), _recent_key(header)]
        self._tables.transact(TABLE, _PARTITION, [DeleteRow(key) for key in keys])

    def update(self, run: str, change: Callable[[RunHeader], RunHeader | None]) -> bool:
        """Writes what `change` makes of the header; False when it says None or there is no such run.

        `change` is asked again when somebody else wrote the header meanwhile.
        """
        for _ in range(_TRIES):
            row = self._tables.get(TABLE, _PARTITION, row_key(_BY_ID, run))
            new = None if row is None else change(_DOCUMENT.decode(row.values))
            if row is None or new is None:
                return False
            values = _DOCUMENT.encode(new)
            among_open: Operation = PutRow(row_key(_OPEN, run), values)
            if new.ended is not None:
                among_open = DeleteRow(row_key(_OPEN, run))
            try:
                self._tables.transact(
                    TABLE,
                    _PARTITION,
                    [ReplaceRow(row.row, row.etag, values), PutRow(_recent_key(new), values), among_open],
                )
            except Changed:
                continue
            return True
        raise Changed(f"run {run} changes faster than it can be written", system="state")

    def _under(self, prefix: str, limit: int | None) -> list[RunHeader]:
        rows = self._tables.query(
            TABLE, _PARTITION, first=prefix + SEPARATOR, before=prefix + AFTER_SEPARATOR, limit=limit
        )
        return [_DOCUMENT.decode(row.values) for row in rows]


def _recent_key(header: RunHeader) -> str:
    """Sorts the newest run first: microseconds still to go to a far future, then the id."""
    return row_key(_RECENT, _to_go(header.started), header.id)


def _to_go(moment: datetime) -> str:
    return f"{_FAR_FUTURE - (moment - _EPOCH) // _TICK:018d}"
