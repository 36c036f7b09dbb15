"""What a sync writes down, and in which transactions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from shared.billing.agreements import Addition
from shared.billing.counts import FailureKind, ReadFailure, Reading
from shared.billing.findings import Finding, FindingKind
from shared.billing.lines import LedgerRow, canonical
from shared.billing.planning.forecast import subject_of_forecast
from shared.billing.planning.invoiced import Invoiced
from shared.billing.planning.plan import Group, Plan
from shared.clock import business_date
from shared.state.company_state import (
    AddHistory,
    CompanyState,
    Drop,
    LastCounts,
    Put,
    ReadingNote,
    StateChange,
    StateKind,
    StateValue,
)
from shared.state.overview import Overview
from shared.state.records import ChoiceMade, Decision, HistoryEntry, Intent, OpenFinding, Signature
from shared.sync.decisions import Judged, Stale
from shared.sync.intents import Resolution, after_write, one_row_each
from shared.sync.observe import Observation
from shared.sync.overview import Effect, seen, with_effects
from shared.sync.ports import Ports
from shared.sync.retention import is_outlived, outlived_one_offs

#: Findings that only a look at every active agreement can heal.
_SEEN_ON_AGREEMENTS = {FindingKind.STRAY, FindingKind.CANDIDATES, FindingKind.BLOCKED_CREATE}
#: What a failed reading is told as: one of these per customer, which the next reading renews or closes.
_FAILURES = {FindingKind(kind.value) for kind in FailureKind}


def record_plan(
    ports: Ports,
    company: int,
    run: str,
    state: CompanyState,
    observation: Observation,
    resolution: Resolution,
    judged: Judged,
    writing: Iterable[Invoiced] = (),
) -> CompanyState:
    """Before the first write: readings, seat records, resolved intents, findings, the plan and what waits of it.

    One transaction where the service takes it as one. Where it does not, an intent goes only after what it did stands
    in the ledger and the history, and a line is in the ledger only after the history tells of it; the rest is worked
    out again by the next look. Gives the state as it now is: ledger, what waits and was decided, findings and overview.
    `writing` are the agreements on which lines are about to be written.
    """
    plan, now, as_of = judged.plan, ports.clock.now(), observation.facts.as_of
    seats = {**state.seats, **{record.line: record for record in plan.seats}}
    forgotten = {*plan.forgotten, *outlived_one_offs(resolution.ledger, seats.values(), as_of)}
    standing = [row for row in resolution.ledger if row.stamp not in forgotten]
    ledger = one_row_each(standing, plan.ledger)
    findings = _finding_changes(ports, state, plan, _not_looked_at(observation, plan))
    overview = seen(observation.facts, plan, state.overview)
    taken_up = _taken_up(ledger.values(), [*state.ledger.values(), *resolution.ledger])
    changes: list[StateChange] = [
        *(AddHistory(_taken_up_entry(row, run, now, as_of)) for row in taken_up),
        *_row_changes(StateKind.LEDGER, state.ledger, ledger),
        *_resolved(resolution),
        *_learned(state, observation, plan, writing),
        *(Drop(StateKind.SEATS, line) for line, record in seats.items() if is_outlived(record, as_of)),
        *findings,
        *_shown(state, plan, overview),
        *_row_changes(StateKind.WAITING, state.waiting, judged.waiting),
        *_row_changes(StateKind.DECISION, state.decisions, judged.decisions),
        *(AddHistory(_stale_entry(stale, now, as_of)) for stale in judged.stale),
        *_row_changes(StateKind.CHOICE, state.choices, _choices(ports, state, plan)),
    ]
    rest = ports.company_state.commit(company, changes, state.rest) if changes else state.rest
    return replace(
        state,
        rest=rest,
        ledger=ledger,
        waiting=dict(judged.waiting),
        decisions=dict(judged.decisions),
        findings=_findings_after(state, findings),
        overview=overview,
    )


def _learned(
    state: CompanyState, observation: Observation, plan: Plan, writing: Iterable[Invoiced]
) -> Iterator[StateChange]:
    """What tonight told that was not known: readings, seats, how far agreements are invoiced, counts of count days."""
    for note in (_note(reading, state) for reading in observation.facts.readings):
        if state.readings.get((note.source, note.customer)) != note:
            yield Put(StateKind.READING, (note.source, note.customer), note)
    for record in plan.seats:
        if state.seats.get(record.line) != record:
            yield Put(StateKind.SEATS, record.line, record)
    invoiced = {each.agreement: each for each in (*plan.invoiced, *writing)}
    yield from (note_of(each) for each in invoiced.values() if state.invoiced.get(each.agreement) != each)
    if state.counted.items != plan.counted:
        yield Put(StateKind.COUNTED, "", LastCounts(dict(plan.counted)))


def _shown(state: CompanyState, plan: Plan, overview: Overview) -> Iterator[StateChange]:
    """What a person is shown, where it is another than before."""
    if overview != state.overview:
        yield Put(StateKind.OVERVIEW, "", overview)
    kept = _kept(plan, plan.groups)
    if (state.plan or _kept(plan, ())) != kept:
        yield Put(StateKind.PLAN, "", kept)


def _taken_up(rows: Iterable[LedgerRow], known: Iterable[LedgerRow]) -> list[LedgerRow]:
    """Lines that come into the ledger although no write of ours is recorded: found by their stamp in a rebuilt store,
    or where a write arrived after it had been taken for never having happened.
    """
    additions = {(row.key.agreement, row.addition_id) for row in known}
    return [row for row in rows if (row.key.agreement, row.addition_id) not in additions]


def _choices(ports: Ports, state: CompanyState, plan: Plan) -> dict[str, ChoiceMade]:
    """The choices that still hold, as they now are; one that a profile makes is the rules' own."""
    left = {subject: made for subject, made in state.choices.items() if subject not in plan.spent}
    for choice in plan.choices:
        made = left.get(choice.subject)
        signed = made.signed if made is not None else Signature("rules", ports.clock.now())
        left[choice.subject] = ChoiceMade(choice, signed)
    return left


def _resolved(resolution: Resolution) -> list[StateChange]:
    return [
        *(AddHistory(entry) for entry in resolution.done),
        *(Drop(StateKind.INTENT, intent) for intent in resolution.closed),
    ]


def record_resolution(ports: Ports, company: int, state: CompanyState, resolution: Resolution) -> CompanyState:
    """What became of the intents, and nothing else; gives the state with the ledger and decisions as they now are."""
    ledger = {row.stamp: row for row in resolution.ledger}
    changes = _row_changes(StateKind.LEDGER, state.ledger, ledger) + _resolved(resolution)
    changes += _row_changes(StateKind.DECISION, state.decisions, resolution.decisions)
    if changes:
        ports.company_state.commit(company, changes)
    return replace(state, ledger=ledger, decisions=dict(resolution.decisions))


def record_failure(ports: Ports, company: int, state: CompanyState, finding: Finding) -> None:
    """A sync that learned nothing: the finding opens, everything else stays as it is."""
    if (finding.kind.value, finding.key) not in state.findings:
        ports.company_state.commit(company, [_opened(ports, state, finding)])


def record_applied(
    ports: Ports,
    state: CompanyState,
    plan: Plan,
    failed: Sequence[Finding],
    done: Collection[str],
    effects: Iterable[Effect],
    unmoved: Iterable[Invoiced] = (),
) -> None:
    """After the last write: what is left of the plan, and which writes failed. `done` are bill items written whole,
    `effects` what was written, `unmoved` agreements that were not invoiced meanwhile.
    """
    left = tuple(group for group in plan.groups if group.bill_item not in done)
    written = {(FindingKind.WRITE_FAILED.value, bill_item) for bill_item in done}
    healed = [Drop(StateKind.FINDING, key) for key in sorted(written & state.findings.keys())]
    opened = [_opened(ports, state, finding) for finding in failed]
    notes = [note_of(note) for note in unmoved]
    shown = [
        Put(StateKind.PLAN, "", _kept(plan, left)),
        Put(StateKind.OVERVIEW, "", with_effects(state.overview, effects)),
    ]
    ports.company_state.commit(plan.company, [*shown, *notes, *healed, *opened], state.rest)


def open_intent(ports: Ports, company: int, intent: Intent) -> None:
    ports.company_state.commit(company, [Put(StateKind.INTENT, intent.id, intent)])


def close_intent(ports: Ports, company: int, intent: Intent) -> None:
    """For a write that is known not to have happened."""
    ports.company_state.commit(company, [Drop(StateKind.INTENT, intent.id)])


def record_write(
    ports: Ports,
    state: CompanyState,
    intent: Intent,
    entry: HistoryEntry,
    addition: Addition | None,
    decision: Decision | None,
) -> None:
    """One transaction: the write is in the ledger and the history, and its intent is gone.

    `decision` is the approval that it belongs to, with this write; one that is written whole is done with.
    """
    changes: list[StateChange] = [AddHistory(entry), Drop(StateKind.INTENT, intent.id)]
    if decision is not None:
        key = decision.group.hash
        changes.append(Put(StateKind.DECISION, key, decision) if decision.left else Drop(StateKind.DECISION, key))
    ledger = after_write(state.ledger, intent.change, addition, business_date(ports.clock))
    changes += _row_changes(StateKind.LEDGER, state.ledger, ledger)
    ports.company_state.commit(intent.change.key.company, changes)


def _row_changes(
    kind: StateKind, standing: Mapping[str, StateValue], wanted: Mapping[str, StateValue]
) -> list[StateChange]:
    """Rows of one kind as they should be: those that are gone, and those that differ."""
    gone = sorted(standing.keys() - wanted.keys())
    new = [(key, value) for key, value in wanted.items() if standing.get(key) != value]
    return [*(Drop(kind, key) for key in gone), *(Put(kind, key, value) for key, value in new)]


def _stale_entry(stale: Stale, at: datetime, day: date) -> HistoryEntry:
    """That an approval was not carried out, and why."""
    decision = stale.decision
    id_, note = f"{decision.run}/stale/{decision.group.hash}", f"stale, not written: {stale.text}"
    return HistoryEntry(id_, at, decision.run, "trueup", None, None, note=note, day=day, signed=decision.signed)


def _taken_up_entry(row: LedgerRow, run: str, at: datetime, day: date) -> HistoryEntry:
    """That a line was found to be ours. What it says is told, as nothing else tells how it came about."""
    values = row.values
    note = (
        f"{row.product} on agreement {row.key.agreement}: found by its stamp {row.stamp} and taken up as it stands "
        f"({values.quantity:f} × {values.unit_price:f}); no write of it is recorded"
    )
    return HistoryEntry(
        f"{run}/taken-up/{row.addition_id}", at, run, "trueup", row.addition_id, None, note=note, day=day
    )


def note_of(note: Invoiced) -> Put:
    return Put(StateKind.INVOICED, str(note.agreement), note)


def _kept(plan: Plan, groups: tuple[Group, ...]) -> Plan:
    """What a person is shown of a plan; findings, seat records and ledger have rows of their own."""
    return Plan(plan.company, groups)


def _note(reading: Reading | ReadFailure, state: CompanyState) -> ReadingNote:
    """What to remember of a reading; a failed one leaves the last counts and says that they are old."""
    last = state.readings.get((reading.source, reading.customer))
    if isinstance(reading, Reading):
        # Of what was not told this time it is not known that there is none.
        untold = {sku: (Decimal(0), None) for sku in reading.scope.without} | (last.skus if last is not None else {})
        skus = {sku: units for sku, units in untold.items() if not reading.scope.covers(sku)}
        skus |= {count.sku: (count.purchased, count.assigned) for count in reading.counts}
        bought = {canonical(item.id) for count in reading.counts for item in count.subscriptions or ()}
        return ReadingNote(reading.source, reading.customer, reading.day, skus, subscriptions=tuple(sorted(bought)))
    if last is None:
        return ReadingNote(reading.source, reading.customer, date.min, failure=reading.reason)
    return replace(last, failure=reading.reason)


def _finding_changes(
    ports: Ports, state: CompanyState, plan: Plan, not_looked_at: Collection[str]
) -> list[StateChange]:
    """Opens what is new, renews what reads differently, closes what has healed; the rest was not looked at."""
    current = {(finding.kind.value, finding.key): finding for finding in plan.findings}
    planned = {group.bill_item for group in plan.groups}
    changes: list[StateChange] = [
        _opened(ports, state, finding)
        for key, finding in current.items()
        if key not in state.findings or state.findings[key].finding != finding
    ]
    for key, standing in state.findings.items():
        finding = standing.finding
        unseen = bool(plan.unread) and finding.kind in _SEEN_ON_AGREEMENTS
        unseen = unseen or (finding.kind not in _FAILURES and _is_about(finding, not_looked_at))
        tried_again = finding.kind is FindingKind.WRITE_FAILED and finding.key in planned
        if key not in current and not unseen and not tried_again:
            changes.append(Drop(StateKind.FINDING, key))
    return changes


def _findings_after(state: CompanyState, changes: Iterable[StateChange]) -> dict[tuple[str, str], OpenFinding]:
    findings: dict[Any, Any] = dict(state.findings)
    for change in changes:
        match change:
            case Put(_, key, value):
                findings[key] = value
            case Drop(_, key):
                findings.pop(key, None)
    return findings


def _opened(ports: Ports, state: CompanyState, finding: Finding) -> Put:
    """The finding as it now reads, with the time at which it opened."""
    key = (finding.kind.value, finding.key)
    standing = state.findings.get(key)
    opened = standing.opened if standing is not None else ports.clock.now()
    return Put(StateKind.FINDING, key, OpenFinding(finding, opened))


def _not_looked_at(observation: Observation, plan: Plan) -> list[str]:
    """Customers that could not be read, bill items that were left alone without a word about why, and forecasts."""
    failed = [reading for reading in observation.facts.readings if isinstance(reading, ReadFailure)]
    silent = [item for item in plan.frozen if not any(_is_about(finding, [item]) for finding in plan.findings)]
    forecasts = [subject_of_forecast(agreement) for agreement in plan.not_compared]
    return [*(f"{reading.source}/{canonical(reading.customer)}" for reading in failed), *silent, *forecasts]


def _is_about(finding: Finding, subjects: Iterable[str]) -> bool:
    """Whether its key names one of these bill items or customers, or something of theirs."""
    return any(finding.key == subject or finding.key.startswith(f"{subject}/") for subject in subjects)
