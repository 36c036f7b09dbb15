"""What a sync writes down, and in which transactions."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import date, datetime

from shared.billing.agreements import Addition
from shared.billing.counts import ReadFailure, Reading
from shared.billing.findings import Finding, FindingKind
from shared.billing.plan import Group, Plan
from shared.clock import business_date
from shared.state.company_state import AddHistory, CompanyState, Drop, Put, ReadingNote, StateChange, StateKind
from shared.state.records import HistoryEntry, Intent, OpenFinding
from shared.sync.intents import Resolution, written_row
from shared.sync.observe import Observation
from shared.sync.ports import Ports

#: Findings that only a look at every active agreement can heal.
_SEEN_ON_AGREEMENTS = {FindingKind.STRAY, FindingKind.CANDIDATES, FindingKind.BLOCKED_CREATE}


def record_plan(
    ports: Ports, company: int, state: CompanyState, observation: Observation, resolution: Resolution, plan: Plan
) -> None:
    """One transaction, before the first write: readings, seat records, resolved intents, findings and the plan."""
    changes: list[StateChange] = [Drop(StateKind.INTENT, intent) for intent in resolution.closed]
    changes += [AddHistory(entry) for entry in resolution.done]
    changes += [Drop(StateKind.LEDGER, stamp) for stamp in plan.forgotten]
    ledger = {row.stamp: row for row in (*resolution.new_rows, *plan.ledger)}
    changes += [Put(StateKind.LEDGER, stamp, row) for stamp, row in ledger.items()]
    changes += [
        Put(StateKind.READING, (note.source, note.customer), note)
        for note in (_note(reading, state) for reading in observation.facts.readings)
        if state.readings.get((note.source, note.customer)) != note
    ]
    changes += [
        Put(StateKind.SEATS, record.line, record) for record in plan.seats if state.seats.get(record.line) != record
    ]
    changes += _finding_changes(state, plan, ports.clock.now())
    kept = _kept(plan, plan.groups)
    if (state.plan or _kept(plan, ())) != kept:
        changes.append(Put(StateKind.PLAN, "", kept))
    if changes:
        ports.company_state.commit(company, changes)


def record_failure(ports: Ports, company: int, state: CompanyState, finding: Finding) -> None:
    """A sync that learned nothing: the finding opens, everything else stays as it is."""
    if (finding.kind.value, finding.key) not in state.findings:
        opened = OpenFinding(finding, ports.clock.now())
        ports.company_state.commit(company, [Put(StateKind.FINDING, (finding.kind.value, finding.key), opened)])


def record_applied(
    ports: Ports, state: CompanyState, plan: Plan, failed: Sequence[Finding], done: Collection[str]
) -> None:
    """After the last write: what is left of the plan, and which writes failed. `done` are bill items written whole."""
    now = ports.clock.now()
    left = tuple(group for group in plan.groups if group.bill_item not in done)
    written = {(FindingKind.WRITE_FAILED.value, bill_item) for bill_item in done}
    healed = [Drop(StateKind.FINDING, key) for key in sorted(written & state.findings.keys())]
    opened = [Put(StateKind.FINDING, (item.kind.value, item.key), OpenFinding(item, now)) for item in failed]
    ports.company_state.commit(plan.company, [Put(StateKind.PLAN, "", _kept(plan, left)), *healed, *opened])


def open_intent(ports: Ports, company: int, intent: Intent) -> None:
    ports.company_state.commit(company, [Put(StateKind.INTENT, intent.id, intent)])


def close_intent(ports: Ports, company: int, intent: Intent) -> None:
    """For a write that is known not to have happened."""
    ports.company_state.commit(company, [Drop(StateKind.INTENT, intent.id)])


def record_write(ports: Ports, company: int, intent: Intent, entry: HistoryEntry, addition: Addition | None) -> None:
    """One transaction: the write is in the ledger and the history, and its intent is gone."""
    changes: list[StateChange] = [AddHistory(entry), Drop(StateKind.INTENT, intent.id)]
    if addition is not None and not intent.change.is_of_copy:
        row = written_row(intent.change, addition, business_date(ports.clock))
        changes.append(Put(StateKind.LEDGER, row.stamp, row))
    ports.company_state.commit(company, changes)


def _kept(plan: Plan, groups: tuple[Group, ...]) -> Plan:
    """What a person is shown of a plan; findings, seat records and ledger have rows of their own."""
    return Plan(plan.company, groups)


def _note(reading: Reading | ReadFailure, state: CompanyState) -> ReadingNote:
    """What to remember of a reading; a failed one leaves the last counts and says that they are old."""
    if isinstance(reading, Reading):
        skus = {count.sku: (count.purchased, count.assigned) for count in reading.counts}
        return ReadingNote(reading.source, reading.customer, reading.day, skus)
    last = state.readings.get((reading.source, reading.customer))
    if last is None:
        return ReadingNote(reading.source, reading.customer, date.min, failure=reading.reason)
    return replace(last, failure=reading.reason)


def _finding_changes(state: CompanyState, plan: Plan, now: datetime) -> list[StateChange]:
    """Opens what is new, renews what reads differently, closes what has healed."""
    current = {(finding.kind.value, finding.key): finding for finding in plan.findings}
    planned = {group.bill_item for group in plan.groups}
    changes: list[StateChange] = []
    for key, finding in current.items():
        standing = state.findings.get(key)
        if standing is None or standing.finding != finding:
            opened = standing.opened if standing is not None else now
            changes.append(Put(StateKind.FINDING, key, OpenFinding(finding, opened)))
    for key, standing in state.findings.items():
        unseen = bool(plan.unread) and standing.finding.kind in _SEEN_ON_AGREEMENTS
        tried_again = standing.finding.kind is FindingKind.WRITE_FAILED and standing.finding.key in planned
        if key not in current and not unseen and not tried_again:
            changes.append(Drop(StateKind.FINDING, key))
    return changes
