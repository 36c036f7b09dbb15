"""A run's rows are its work list: pending, claimed by one message, done. Every move is one transaction."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from shared.billing.planning.plan import Group
from shared.billing.rules import EVERYTHING, Remit
from shared.state import tallies
from shared.state.documents import SEPARATOR, escape
from shared.state.records import CompanyReport
from shared.state.rows import AlreadyThere, Changed, DeleteRow, InsertRow, Operation, Row, in_transactions
from shared.state.run_headers import TABLE, RunHeader, RunHeaders
from shared.state.run_rows import (
    COUNTED,
    RunRow,
    Stage,
    as_read,
    calls_in,
    claimed_row,
    done_row,
    encoded,
    inserted,
    moved,
    read_row,
    row_key,
    stage_range,
    written_in,
)
from shared.state.tables import TableAccess
from shared.state.tallies import Tally
from shared.state.work_lists import WorkList, WorkLists

__all__ = ["RunHeader", "RunRow", "RunStore", "Stage"]

#: So many pending rows are looked at together: those ahead of a lane, or any, of which one is picked at random.
_WINDOW = 17
#: Of so many lanes a process remembers what it saw ahead of them.
_REMEMBERED = 64
#: How often a worker looks at the pending rows again after it lost every one it wanted.
_ROUNDS = 20
#: With the marker of its batch, one transaction.
_BATCH = 99
_FILLED = "filled"


class RunStore:
    """Makes runs, hands out their rows exactly once, and closes them."""

    def __init__(self, tables: TableAccess, remit: Remit = EVERYTHING) -> None:
        self._tables = tables
        self._headers = RunHeaders(tables)
        self._lists = WorkLists(tables)
        self._remit = remit
        #: Pending rows by lane, as seen; somebody may have claimed them since, which the claim finds out.
        self._ahead: dict[str, list[RunRow]] = {}

    def narrowed(self, remit: Remit) -> RunStore:
        """The same runs for somebody who sees only the companies of a remit: `rows` leaves the others out."""
        return RunStore(self._tables, remit)

    @property
    def sees_all(self) -> bool:
        """Whether the rows of a run are all of them, and its totals therefore anybody's to see."""
        return not self._remit.is_limited

    def create(
        self, header: RunHeader, companies: Sequence[int], approved: Mapping[int, tuple[str, ...]] | None = None
    ) -> bool:
        """Makes a run with one pending row per company; False, and nothing done, when a run has that id.

        The work list comes first, so that a run is never open without one: where a crash left it without a header, its
        companies are the next creation's too. A header that stays without `filled` belongs to a crash after it: `fill`
        repairs it.
        """
        work = self._lists.make(header.id, companies, approved or {})
        new = replace(header, companies=len(work.companies), filled=False, ended=None, outcomes={})
        if not self._headers.insert(new):
            return False
        self._fill(header.id, work)
        return True

    def note_approved(self, run: str, groups: Mapping[int, Sequence[Group]]) -> None:
        """Remembers by company what somebody saw and approved for a run, which is not made yet."""
        self._lists.note_approved(run, groups)

    def approved(self, run: str, company: int) -> tuple[Group, ...]:
        """What somebody saw and approved of a company for a run to write; nothing in other runs."""
        return self._lists.approved(run, company)

    def fill(self, run: str) -> None:
        """Writes the rows of the work list that are still missing and marks the header as filled.

        Safe to repeat, also while another filling or the work itself is under way: each batch of rows carries a marker
        that can be written once, so a row that has moved on does not come back. Raises `Gone` for an unknown run.
        """
        self._fill(run, self._lists.get(run))

    def _fill(self, run: str, work: WorkList) -> None:
        for number, start in enumerate(range(0, len(work.companies), _BATCH)):
            batch = work.companies[start : start + _BATCH]
            rows = [RunRow(run, company, approved=work.approved.get(company, ())) for company in batch]
            marker = InsertRow(f"{_FILLED}{SEPARATOR}{number:06d}", {"rows": len(rows)})
            try:
                self._transact(run, [marker, *(inserted(row) for row in rows)])
            except AlreadyThere:
                continue
        self._headers.update(run, lambda header: replace(header, filled=True, companies=len(work.companies)))

    def header(self, run: str) -> RunHeader | None:
        return self._headers.get(run)

    def headers(self, limit: int) -> list[RunHeader]:
        """The newest runs first."""
        return self._headers.newest(limit)

    def open_headers(self) -> list[RunHeader]:
        """The runs that have not ended, by id."""
        return self._headers.open()

    def rows(self, run: str) -> list[RunRow]:
        """Every row of a run, by company."""
        rows = [row for stage in Stage for row in self._under(run, stage)]
        seen = {row.company: row for row in rows if self._remit.covers(row.company)}
        return sorted(seen.values(), key=lambda row: row.company)

    def row(self, run: str, company: int) -> RunRow | None:
        # A worker asks for the row it has claimed. If it is elsewhere: in the direction in which rows move, so that one
        # that moves while we look is not missed.
        for stage in (Stage.CLAIMED, *Stage):
            found = self._tables.get(TABLE, escape(run), row_key(stage, company))
            if found is not None:
                return read_row(found)
        return None

    def claim_next(self, run: str, now: datetime, new_claim: Callable[[], str], want: int) -> list[RunRow]:
        """Claims up to `want` pending rows for the caller, each under a claim of its own: the first of a lane each.

        They lie far apart: lanes go on in the order of the rows, and then seldom want the same one.
        """
        taken: list[RunRow] = []
        for pending in _far_apart(list(self._under(run, Stage.PENDING)), want) if want > 0 else ():
            claim = new_claim()
            claimed = claimed_row(pending, now, claim, lane=claim, counted={})
            try:
                self._transact(run, moved(pending, claimed))
            except (AlreadyThere, Changed):
                continue
            taken.append(claimed)
            if len(taken) == want:
                break
        return taken

    def keep_claim(self, row: RunRow, now: datetime) -> bool:
        """Notes that a claimed row only waits; False, and nothing done, when it changed since it was read."""
        try:
            self._tables.replace(TABLE, as_read(row), encoded(replace(row, claimed_at=now)))
        except Changed:
            return False
        return True

    def finish_and_claim(
        self, row: RunRow, report: CompanyReport, now: datetime, new_claim: Callable[[], str]
    ) -> RunRow | None:
        """Records how the company ended and claims the next pending one, in one transaction; None when none is pending.

        Raises `Changed` unless `row.claim` holds the row. Repeated after it took effect, it gives the row that it
        claimed then, as long as that is still under that claim.
        """
        standing = row if row.etag else self._look(row)
        for pending in itertools.chain(self._candidates(standing), [None]):
            if standing.stage is Stage.DONE:
                return self._handed_on(standing)
            counted = tallies.with_company(standing.counted, report)
            following = None
            if pending is not None:
                following = claimed_row(pending, now, new_claim(), lane=standing.lane, counted=counted)
            claim = [] if pending is None or following is None else moved(pending, following)
            try:
                done = done_row(standing, report, following)
                self._transact(
                    row.run,
                    [*moved(standing, done), *tallies.written_count(standing.lane, standing.counted, counted), *claim],
                )
            except (AlreadyThere, Changed):
                standing = self._look(row)
                continue
            return following
        return self._handed_on(standing)

    def reclaim_stale(
        self, run: str, older_than: datetime, new_claim: Callable[[], str], now: datetime
    ) -> list[RunRow]:
        """Takes rows away from claims of which nothing was heard since `older_than`; one more attempt each."""
        taken = []
        for row in self._under(run, Stage.CLAIMED):
            if row.claimed_at is None or row.claimed_at >= older_than:
                continue
            claimed = replace(row, claim=new_claim(), claimed_at=now, attempts=row.attempts + 1)
            try:
                etag = self._tables.replace(TABLE, as_read(row), encoded(claimed))
            except Changed:
                continue
            taken.append(replace(claimed, etag=etag))
        return taken

    def counts(self, run: str) -> dict[Stage, int]:
        """How many companies are in each stage."""
        rows = self._tables.query(TABLE, escape(run), select=[])
        stages = Counter(row.row.partition(SEPARATOR)[0] for row in rows)
        return {stage: stages[stage] for stage in Stage}

    def tally(self, run: str) -> dict[str, Tally]:
        """What has been counted of the companies that are done, by source."""
        first, before = tallies.KEYS
        return tallies.sum_of(self._tables.query(TABLE, escape(run), first=first, before=before))

    def stop(self, run: str, source: str) -> bool:
        """From now on the run only plans for a source; False when it did so already."""

        def stopped(header: RunHeader) -> RunHeader | None:
            if source in header.stopped:
                return None
            note = "; ".join(filter(None, (header.note, f"only planned for {source} from then on")))
            return replace(header, stopped=(*header.stopped, source), note=note)

        return self._headers.update(run, stopped)

    def close(self, run: str, now: datetime) -> bool:
        """Ends a filled run whose every row is done, once: True for the one caller that did."""
        header = self.header(run)
        if header is None or not header.filled or header.ended is not None:
            return False
        # Pending first: a row that moves meanwhile is then found claimed. Nothing moves the other way.
        if any(list(self._under(run, stage, limit=1)) for stage in (Stage.PENDING, Stage.CLAIMED)):
            return False
        first, before = stage_range(Stage.DONE)
        done = list(self._tables.query(TABLE, escape(run), first=first, before=before, select=COUNTED))
        outcomes = dict(Counter(str(row.values["outcome"]) for row in done))
        written, calls = written_in(row.values for row in done), calls_in(row.values for row in done)

        def ended(header: RunHeader) -> RunHeader | None:
            if header.ended is not None:
                return None
            return replace(header, ended=now, outcomes=outcomes, written=written, calls=calls)

        return self._headers.update(run, ended)

    def prune(self, before: datetime, most: int) -> int:
        """Removes ended runs that began before that time, each with all its rows; gives how many runs.

        Stops once `most` rows are gone, so that one call stays short; repeat it until no run is removed.
        """
        runs = rows = 0
        for header in self._headers.started_before(before):
            if rows >= most:
                break
            if header.ended is not None:
                rows += self._remove_rows(header.id)
                self._headers.remove(header)
                runs += 1
        return runs

    def _remove_rows(self, run: str) -> int:
        keys = [row.row for row in self._tables.query(TABLE, escape(run), select=[])]
        for batch in in_transactions([DeleteRow(key) for key in keys]):
            self._transact(run, batch)
        return len(keys)

    def _candidates(self, row: RunRow) -> Iterator[RunRow]:
        """Pending rows for the lane of a row that is done, looked at again while some are left.

        The lane goes on in the order of the rows, with the next one that it saw ahead of itself; where another lane is
        there already it goes around it, and where nothing is ahead it takes any.
        """
        yield from [each for each in self._ahead.get(row.lane, []) if each.company > row.company][:1]
        for _ in range(_ROUNDS):
            ahead = list(self._pending(row.run, after=row.company))
            self._remember(row.lane, ahead)
            yield from ahead[:1]
            elsewhere = ahead[1:] or list(self._pending(row.run))
            if not elsewhere:
                return
            yield from random.sample(elsewhere, len(elsewhere))

    def _remember(self, lane: str, ahead: list[RunRow]) -> None:
        self._ahead.pop(lane, None)
        if len(self._ahead) >= _REMEMBERED:
            self._ahead.clear()
        if ahead:
            self._ahead[lane] = ahead

    def _pending(self, run: str, after: int = -1) -> Iterator[RunRow]:
        _, before = stage_range(Stage.PENDING)
        rows = self._tables.query(
            TABLE, escape(run), first=row_key(Stage.PENDING, after + 1), before=before, limit=_WINDOW
        )
        return map(read_row, rows)

    def _look(self, row: RunRow) -> RunRow:
        """The row as it stands, claimed or done by its claim. Raises `Changed` when another claim has it."""
        for stage in (Stage.CLAIMED, Stage.DONE):
            found = self._tables.get(TABLE, escape(row.run), row_key(stage, row.company))
            if found is not None and read_row(found).claim == row.claim:
                return read_row(found)
        raise Changed(f"company {row.company} of run {row.run} is no longer under this claim", system="state")

    def _handed_on(self, done: RunRow) -> RunRow | None:
        """The row that was claimed when this one was finished, if nobody took it since."""
        if done.stage is not Stage.DONE:
            raise Changed(f"company {done.company} of run {done.run} could not be marked as done", system="state")
        if done.next_company is None:
            return None
        found = self._tables.get(TABLE, escape(done.run), row_key(Stage.CLAIMED, done.next_company))
        return read_row(found) if found is not None and read_row(found).claim == done.next_claim else None

    def _under(self, run: str, stage: Stage, limit: int | None = None) -> Iterator[RunRow]:
        return map(read_row, self._stored(run, stage, limit))

    def _stored(self, run: str, stage: Stage, limit: int | None = None) -> Iterator[Row]:
        first, before = stage_range(stage)
        return self._tables.query(TABLE, escape(run), first=first, before=before, limit=limit)

    def _transact(self, run: str, operations: Sequence[Operation]) -> None:
        self._tables.transact(TABLE, escape(run), operations)


def _far_apart(rows: Sequence[RunRow], want: int) -> list[RunRow]:
    """The rows, first so many that lie far apart."""
    many = min(want, len(rows))
    first = [number * len(rows) // many for number in range(many)]
    chosen = set(first)
    return [*(rows[place] for place in first), *(row for place, row in enumerate(rows) if place not in chosen)]
