"""Notices: written before they are sent, so that none is lost, and remembered, so that none is told twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from shared.state.documents import AFTER_SEPARATOR, SEPARATOR, Document, row_key
from shared.state.rows import AlreadyThere, Changed, DeleteRow, InsertRow, Operation, PutRow, Row
from shared.state.tables import TableAccess

TABLE = "Notices"
_PARTITION = "notices"
_PENDING, _SENT, _TOLD = "pending", "sent", "told"


@dataclass(frozen=True, slots=True)
class Notice:
    """One message to one address of a subscriber, as it is sent. Times are UTC.

    `tries` counts how often it did not go out; `try_at` is when it is due (again). `trying_since` is set from the
    beginning of an attempt to its end: where it stays, the process died and may have sent it. `failure` says why the
    last attempt did not succeed.
    """

    id: str
    subscriber: str
    channel: str
    to: str
    subject: str
    text: str
    html: str
    made: datetime
    try_at: datetime
    tries: int = 0
    trying_since: datetime | None = None
    failure: str = ""
    sent: datetime | None = None
    etag: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Told:
    """What a subscriber was told: everything up to `until` (UTC), and at once the `findings` that are still open.

    `findings` has a short digest of each finding, by company (empty: the MSP itself).
    """

    until: datetime
    findings: dict[str, tuple[str, ...]] = field(default_factory=dict)


_NOTICE = Document("notice", Notice, leave_out=frozenset({"etag"}))
_TOLD_DOCUMENT = Document("mark of what was told", Told)


class NoticeStore:
    """One row per notice, and per subscriber what it was told. Every step is one transaction."""

    def __init__(self, tables: TableAccess) -> None:
        self._tables = tables

    def told(self, subscriber: str) -> Told | None:
        """What a subscriber was told; None for a new one."""
        row = self._tables.get(TABLE, _PARTITION, row_key(_TOLD, subscriber))
        return None if row is None else _TOLD_DOCUMENT.decode(row.values)

    def add(self, subscriber: str, told: Told, notices: Sequence[Notice]) -> bool:
        """Remembers what is told and the notices that tell it; False, and nothing done, where these were made before.

        One transaction: what is remembered as told has its notices, and the other way round.
        """
        operations: list[Operation] = [PutRow(row_key(_TOLD, subscriber), _TOLD_DOCUMENT.encode(told))]
        for notice in notices:
            if self._tables.get(TABLE, _PARTITION, _key(_SENT, notice)) is not None:
                return False
            operations.append(InsertRow(_key(_PENDING, notice), _NOTICE.encode(notice)))
        try:
            self._tables.transact(TABLE, _PARTITION, operations)
        except AlreadyThere:
            return False
        return True

    def pending(self) -> list[Notice]:
        """What has not been sent yet, the oldest first."""
        return sorted(self._under(_PENDING), key=lambda notice: (notice.made, notice.id))

    def sent(self, subscriber: str) -> list[Notice]:
        """What a subscriber was sent, or what was given up, the oldest first."""
        return sorted(self._under(_SENT, subscriber), key=lambda notice: (notice.made, notice.id))

    def take(self, notice: Notice, now: datetime) -> Notice | None:
        """Marks an attempt as begun; None when somebody else has it."""
        taken = replace(notice, trying_since=now)
        try:
            etag = self._tables.replace(TABLE, _row(notice), _NOTICE.encode(taken))
        except Changed:
            return None
        return replace(taken, etag=etag)

    def put_back(self, notice: Notice, failure: str, try_at: datetime) -> None:
        """An attempt did not succeed: the notice is due again later."""
        waits = replace(notice, tries=notice.tries + 1, trying_since=None, failure=failure, try_at=try_at)
        self._tables.replace(TABLE, _row(notice), _NOTICE.encode(waits))

    def done(self, notice: Notice, now: datetime | None, failure: str = "") -> None:
        """It was sent, or is given up (`now` None)."""
        ended = replace(notice, sent=now, trying_since=None, failure=failure)
        operations: list[Operation] = [
            DeleteRow(_key(_PENDING, notice), notice.etag),
            PutRow(_key(_SENT, notice), _NOTICE.encode(ended)),
        ]
        self._tables.transact(TABLE, _PARTITION, operations)

    def forget(self, before: datetime) -> int:
        """Removes what was made before then and sent or given up, whoever is told today, and says how many."""
        old = [_key(_SENT, notice) for notice in self._under(_SENT) if notice.made < before]
        for key in old:
            self._tables.delete(TABLE, _PARTITION, key)
        return len(old)

    def _under(self, *parts: str) -> Iterator[Notice]:
        prefix = row_key(*parts)
        rows = self._tables.query(TABLE, _PARTITION, first=prefix + SEPARATOR, before=prefix + AFTER_SEPARATOR)
        return (replace(_NOTICE.decode(row.values), etag=row.etag) for row in rows)


def _key(stage: str, notice: Notice) -> str:
    return row_key(stage, notice.subscriber, notice.id)


def _row(notice: Notice) -> Row:
    values: dict[str, Any] = {}
    return Row(_PARTITION, _key(_PENDING, notice), values, notice.etag)
