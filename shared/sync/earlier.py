"""What the history says was written to a company before: by the same run, on the same day, and by a run to undo."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from shared.billing.lines import canonical
from shared.billing.planning.guards import within_a_day
from shared.billing.planning.plan import Change, Plan
from shared.billing.planning.planner import Facts
from shared.billing.planning.undo import Done
from shared.errors import Gone, Refused
from shared.state.records import HistoryEntry
from shared.sync.ports import Ports
from shared.sync.retention import history_kept_since

#: Of so many writes to one company a run still reports all.
_MOST_WRITES = 1000
#: So many entries are read at once where a whole run is looked for.
_PAGE = 1000


def changes_of(entries: Iterable[HistoryEntry]) -> list[Change]:
    """What was done to additions; what only a person decided is no write."""
    return [entry.change for entry in entries if entry.change is not None]


def written_by(ports: Ports, company: int, run: str) -> list[Change]:
    """What a run wrote to a company."""
    newest = ports.company_state.history(company, _MOST_WRITES)
    return changes_of(entry for entry in newest if entry.run == run)


def plan_within_a_day(ports: Ports, facts: Facts, plan: Plan) -> Plan:
    """The plan under the guard that counts what was written today; asked only where something is to be written."""
    if not plan.applicable:
        return plan
    limit = facts.guards.changes_per_day
    return within_a_day(plan, limit, _written_on(ports, plan.company, facts.as_of, limit))


def _written_on(ports: Ports, company: int, day: date, enough: int) -> int:
    """Writes of a business day that guards count, until `enough` are found: decisions and texts stand between them."""
    written, before = 0, None
    while written < enough:
        page = ports.company_state.history(company, enough, before)
        written += sum(entry.day == day and entry.change is not None and entry.change.is_guarded for entry in page)
        if len(page) < enough or page[-1].day != day:
            break
        before = page[-1].at, page[-1].id
    return written


@dataclass(frozen=True, slots=True)
class _Write:
    """What an undo must know of any write: a long history is looked through for it."""

    id: str
    run: str
    target: tuple[int, int]
    undoes: tuple[str, ...]


def writes_to_undo(ports: Ports, company: int, run: str, bill_item: str | None) -> list[Done]:
    """A run's writes (to one bill item) that are not undone yet, oldest first, each with the run that came after it.

    Raises `Gone` where the run did nothing to the company, `Refused` when the history may have holes by then.
    """
    writes: list[_Write] = []  # newest first
    ours: dict[str, HistoryEntry] = {}
    for entry in _back_to(ports, company, run):
        if entry.change is None or entry.addition is None:
            continue
        writes.append(_Write(entry.id, entry.run, (entry.change.key.agreement, entry.addition), entry.undoes))
        ours.update({entry.id: entry} if entry.run == run else {})
    undone = _undone(writes)
    later: dict[tuple[int, int], str] = {}
    found: list[Done] = []
    for write in writes:
        if write.id in undone:
            continue
        if write.run != run:
            if not write.undoes:
                later.setdefault(write.target, write.run)
        elif (done := _done(ours[write.id], later.get(write.target), bill_item)) is not None:
            found.append(done)
    return found[::-1]


def _done(entry: HistoryEntry, later: str | None, bill_item: str | None) -> Done | None:
    """None where it is not of the bill item that is asked for."""
    change = entry.change
    assert change is not None
    if bill_item is not None and canonical(change.key.bill_item) != canonical(bill_item):
        return None
    return Done(entry.id, change, entry.addition, entry.uninvoiced_from, later)


def _undone(writes: Iterable[_Write]) -> set[str]:
    """The ids of writes that are undone; an undo that was undone itself takes nothing back."""
    undone_by: dict[str, list[str]] = {}
    for write in writes:
        for each in write.undoes:
            undone_by.setdefault(each, []).append(write.id)

    def is_undone(write: str) -> bool:
        return any(not is_undone(by) for by in undone_by.get(write, ()))

    return {write for write in undone_by if is_undone(write)}


def _back_to(ports: Ports, company: int, run: str) -> Iterator[HistoryEntry]:
    """The company's history from the newest entry back beyond the oldest one of a run, however long it is."""
    kept_since, seen = history_kept_since(ports), False
    before = None
    while page := ports.company_state.history(company, _PAGE, before):
        yield from page
        before = page[-1].at, page[-1].id
        ours = [entry for entry in page if entry.run == run]
        if any(entry.at < kept_since for entry in ours):
            raise Refused(
                f"run {run} is so old that not all that came after it may be remembered",
                remedy="Correct the lines in Manage; what the company is billed for is counted anew every night.",
            )
        if seen and not ours:
            return
        seen = seen or bool(ours)
        if len(page) < _PAGE:
            break
    if not seen:
        raise Gone(f"run {run} wrote nothing to company {company}", remedy="The company's history names its runs.")
