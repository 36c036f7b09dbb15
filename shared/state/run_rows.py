"""The rows of a run, and how each of them is written: a row moves from stage to stage, each move one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from shared.state.documents import AFTER_SEPARATOR, SEPARATOR, Document, escape
from shared.state.records import CompanyReport
from shared.state.rows import DeleteRow, InsertRow, Operation, Row, Value, Values
from shared.state.tallies import Tally

#: What a report counts as written.
_WRITTEN = ("created", "updated", "ended")
#: The properties in which a done row repeats what its report counts, so that the whole run is added up cheaply.
COUNTED = ("outcome", "calls", *_WRITTEN)


class Stage(StrEnum):
    """How far a company of a run is. A row only moves down this list."""

    PENDING = "pending"
    CLAIMED = "claimed"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class RunRow:
    """One company of one run. Times are UTC.

    Only the message that holds `claim` works on a claimed row; `claimed_at` is when it was last heard of. `attempts`
    counts the claims before it that ended without a word. `approved` are hashes of the company's groups that a person
    approved for this run to write. A done row has its `report`, and names the row that was claimed in the same step.
    `lane` names the chain of rows that were claimed one after the other, `counted` is what it had counted by source
    before this row. `etag` says which state of the row was read; empty when it was not read but written.
    """

    run: str
    company: int
    stage: Stage = Stage.PENDING
    claim: str | None = None
    claimed_at: datetime | None = None
    attempts: int = 0
    report: CompanyReport | None = None
    next_company: int | None = None
    next_claim: str | None = None
    approved: tuple[str, ...] = ()
    lane: str = ""
    counted: dict[str, Tally] = field(default_factory=dict)
    etag: str = field(default="", compare=False, repr=False)


_DOCUMENT = Document("row of a run", RunRow, leave_out=frozenset({"etag"}))


def encoded(row: RunRow) -> dict[str, Value]:
    return _DOCUMENT.encode(row)


def claimed_row(pending: RunRow, now: datetime, claim: str, lane: str, counted: dict[str, Tally]) -> RunRow:
    return replace(pending, stage=Stage.CLAIMED, claim=claim, claimed_at=now, lane=lane, counted=counted, etag="")


def done_row(claimed: RunRow, report: CompanyReport, following: RunRow | None) -> RunRow:
    done = replace(claimed, stage=Stage.DONE, report=report, etag="")
    if following is None:
        return done
    return replace(done, next_company=following.company, next_claim=following.claim)


def moved(from_: RunRow, to: RunRow) -> list[Operation]:
    """The row leaves one stage, if it is still as it was read, and stands in another."""
    return [DeleteRow(row_key(from_.stage, from_.company), from_.etag), inserted(to)]


def inserted(row: RunRow) -> InsertRow:
    return InsertRow(row_key(row.stage, row.company), {**_DOCUMENT.encode(row), **_counted(row.report)})


def _counted(report: CompanyReport | None) -> dict[str, Value]:
    if report is None:
        return {}
    written = {kind: report.written.get(kind, 0) for kind in _WRITTEN}
    return {"outcome": report.outcome.value, "calls": sum(report.calls.values()), **written}


def written_in(rows: Iterable[Values]) -> dict[str, int]:
    """Changes that reached Manage, by kind."""
    total: Counter[str] = Counter()
    for values in rows:
        total.update({kind: count for kind in _WRITTEN if isinstance(count := values.get(kind), int) and count})
    return dict(total)


def calls_in(rows: Iterable[Values]) -> int:
    """Requests that were sent to other systems; rows of before they were counted have none."""
    return sum(count for values in rows if isinstance(count := values.get("calls"), int))


def read_row(row: Row) -> RunRow:
    return replace(_DOCUMENT.decode(row.values), etag=row.etag)


def as_read(row: RunRow) -> Row:
    """The row with the etag that says which state of it was read."""
    return Row(escape(row.run), row_key(row.stage, row.company), {}, row.etag)


def row_key(stage: Stage, company: int) -> str:
    return f"{stage}{SEPARATOR}{company:010d}"


def stage_range(stage: Stage) -> tuple[str, str]:
    """The first key of a stage, and the first one after it."""
    return stage + SEPARATOR, stage + AFTER_SEPARATOR
