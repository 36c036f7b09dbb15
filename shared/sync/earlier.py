"""What the history says was written to a company before: by the same run, and on the same day."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from shared.billing.guards import within_a_day
from shared.billing.plan import Change, Plan
from shared.billing.planner import Facts
from shared.state.records import HistoryEntry
from shared.sync.ports import Ports

#: Of so many writes to one company a run still reports all.
_MOST_WRITES = 1000


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
