"""When each scheduled job was last started, how it ended, and when it is due next."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime

from shared.errors import Gone
from shared.state.documents import Document, row_key
from shared.state.rows import AlreadyThere, Changed, Row
from shared.state.tables import TableAccess

TABLE = "Schedules"
_PARTITION = "schedule"
_TRIES = 10


@dataclass(frozen=True, slots=True)
class ScheduleState:
    """One schedule. Times are UTC. `running_since` is set from the start of the job to its end.

    `cron` are the times that `next_due` was worked out from.
    `etag` says which state of the row was read.
    """

    id: str
    cron: str = ""
    next_due: datetime | None = None
    last_started: datetime | None = None
    last_ended: datetime | None = None
    last_outcome: str | None = None
    running_since: datetime | None = None
    etag: str = field(default="", compare=False, repr=False)


_DOCUMENT = Document("schedule", ScheduleState, leave_out=frozenset({"etag"}))


class ScheduleStore:
    """One row per schedule."""

    def __init__(self, tables: TableAccess) -> None:
        self._tables = tables

    def get(self, schedule: str) -> ScheduleState | None:
        row = self._tables.get(TABLE, _PARTITION, row_key(schedule))
        return None if row is None else _read(row)

    def arrange(self, schedule: str, cron: str, next_due: datetime) -> None:
        """Says when a schedule is due that is new or has new times; one that was arranged with these keeps its own."""
        standing = self.get(schedule)
        if standing is None:
            state = ScheduleState(schedule, cron, next_due)
            with suppress(AlreadyThere):
                self._tables.insert(TABLE, _PARTITION, row_key(schedule), _DOCUMENT.encode(state))
        elif standing.cron != cron:
            row = Row(_PARTITION, row_key(schedule), {}, standing.etag)
            with suppress(Changed):
                self._tables.replace(TABLE, row, _DOCUMENT.encode(replace(standing, cron=cron, next_due=next_due)))

    def take(self, state: ScheduleState, now: datetime, next_due: datetime) -> bool:
        """Marks the job as started by the caller; False when somebody else changed the schedule since `state` was read.

        Whether a job that is still running may be started again is the caller's to decide from `running_since`.
        """
        started = replace(state, next_due=next_due, last_started=now, running_since=now)
        row = Row(_PARTITION, row_key(state.id), {}, state.etag)
        try:
            self._tables.replace(TABLE, row, _DOCUMENT.encode(started))
        except Changed:
            return False
        return True

    def goes_on(self, schedule: str, begun: datetime, now: datetime) -> bool:
        """Says that the job which was started at `begun` is alive; False when it has ended or was started anew."""

        def alive(state: ScheduleState) -> ScheduleState | None:
            runs = state.running_since is not None and state.last_started == begun
            return replace(state, running_since=now) if runs else None

        return self._change(schedule, alive)

    def finish(self, schedule: str, outcome: str, now: datetime, *, again: datetime | None = None) -> None:
        """Records how the job ended, and that it is due `again` before its next time, if it is.

        Raises `Gone` for a schedule that was never arranged.
        """

        def ended(state: ScheduleState) -> ScheduleState:
            return replace(
                state, last_ended=now, last_outcome=outcome, running_since=None, next_due=again or state.next_due
            )

        self._change(schedule, ended)

    def _change(self, schedule: str, change: Callable[[ScheduleState], ScheduleState | None]) -> bool:
        """Writes what `change` makes of a schedule, over whatever comes between; False where it makes nothing of it."""
        for _ in range(_TRIES):
            row = self._tables.get(TABLE, _PARTITION, row_key(schedule))
            if row is None:
                raise Gone(f"schedule {schedule} is not arranged", system="state")
            wanted = change(_read(row))
            if wanted is None:
                return False
            try:
                self._tables.replace(TABLE, row, _DOCUMENT.encode(wanted))
            except Changed:
                continue
            return True
        raise Changed(f"schedule {schedule} changes faster than it can be written", system="state")


def _read(row: Row) -> ScheduleState:
    return replace(_DOCUMENT.decode(row.values), etag=row.etag)
