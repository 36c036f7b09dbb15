"""Carrying out an undo under the company's lease, begun by a person now, or before by a worker that died.

What was asked is stored before the first write and removed after the last one. The writes go through intents, history
and ledger like every other. The company is put into `approve` first, so that no night does again what a person has just
taken back before somebody approves it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import timedelta

from shared.billing.planning.guards import guarded
from shared.billing.planning.invoiced import Invoiced
from shared.billing.planning.plan import Group, Plan
from shared.billing.planning.planner import Facts
from shared.billing.planning.undo import UndoPlan, plan_undo
from shared.billing.rules import CompanyRules, Mode
from shared.clock import business_date
from shared.state.companies import Lease
from shared.state.company_state import AddHistory, CompanyState, Drop, Put, StateChange, StateKind
from shared.state.records import HistoryEntry, UndoAsked
from shared.sync.apply import Errand, apply_plan
from shared.sync.decisions import Judged
from shared.sync.earlier import writes_to_undo
from shared.sync.intents import Resolution, resolve_intents
from shared.sync.invoicing import Watch
from shared.sync.measures import measure_write
from shared.sync.observe import company_rules, everywhere
from shared.sync.ports import Ports
from shared.sync.record import note_of, record_resolution


@dataclass(frozen=True, slots=True)
class Undone:
    """What came of it: groups undone, bill items refused with the reason, and groups that a guard holds.

    `nothing`: the run's writes are undone already, or it wrote nothing of what was named. `failures` say what went
    wrong on the way; with `again_in` (seconds) it has not ended, and the next look at the company goes on with it.
    """

    run: str
    groups: tuple[Group, ...] = ()
    refused: dict[str, str] = field(default_factory=dict)
    held: tuple[Group, ...] = ()
    failures: tuple[str, ...] = ()
    nothing: bool = False
    again_in: int | None = None


def carry_out(ports: Ports, lease: Lease, state: CompanyState, asked: UndoAsked) -> Undone:
    """Undoes what was asked as far as nothing has come on top of it; what a guard holds only where it is confirmed.

    Raises `Gone` where the run wrote nothing to the company, `Refused` when it is too old, and what Manage's client
    raises.
    """
    company = lease.company.id
    facts, resolution = _looked_at(ports, lease, state)
    state = record_resolution(ports, company, state, resolution)
    for entry in resolution.done:
        measure_write(company, entry)
    plan = plan_undo(asked.run, writes_to_undo(ports, company, asked.run, asked.bill_item), facts)
    guarded_plan = _guarded(plan, facts)
    groups = tuple(group for group in guarded_plan.groups if group.held is None or group.hash in asked.confirmed)
    held = tuple(group for group in guarded_plan.groups if group not in groups)
    unsure = resolution.again_in if facts.in_doubt & plan.refused.keys() else None
    found = Undone(asked.own_run, (), dict(plan.refused), held, again_in=unsure)
    if not groups:
        return _ended(ports, company, state, asked, replace(found, nothing=not (plan.refused or held)))
    watch = Watch(ports, facts, guarded_plan, groups)
    moved = watch.moved()
    if moved:
        return replace(found, failures=tuple(finding.text for finding in moved), again_in=ports.limits.busy_delay)
    state = _begun(ports, company, state, asked, watch.notes(writing=True))
    ports.companies.at_most(company, Mode.APPROVE)
    errand = Errand(asked.own_run, asked.signed.by, _note(asked), asked.signed, plan.undoes)
    shown = Judged(Plan(company, state.plan.groups if state.plan is not None else ()))
    applied = apply_plan(ports, errand, lease, state, shown, watch)
    done = tuple(group for group in groups if group.bill_item in applied.done)
    again_in = applied.again_in or unsure
    return _ended(
        ports,
        company,
        state,
        asked,
        replace(found, groups=done, failures=tuple(applied.failures), again_in=again_in),
    )


def go_on(ports: Ports, lease: Lease, state: CompanyState) -> Undone | None:
    """Carries out every undo that was begun and has not ended; answers the first that still has not, None if all have.

    One begun as long ago as approvals last is not carried out any more. Raises as `carry_out` does.
    """
    age = timedelta(days=ports.rules.load().approvals.expire_days)
    for asked in sorted(state.undoes.values(), key=lambda asked: (asked.signed.at, asked.key)):
        if ports.clock.now() - asked.signed.at >= age:
            why = (f"it was asked for more than {age.days} days ago and could not be ended since",)
            _ended(ports, lease.company.id, state, asked, Undone(asked.own_run, failures=why))
            continue
        undone = carry_out(ports, lease, ports.company_state.load(lease.company.id), asked)
        if undone.again_in is not None:
            return undone
    return None


def _looked_at(ports: Ports, lease: Lease, state: CompanyState) -> tuple[Facts, Resolution]:
    """The company's agreements and lines, read now, and what became of the intents of dead workers."""
    as_of = business_date(ports.clock)
    company: CompanyRules = company_rules(lease.company, state)
    agreements = tuple(ports.manage.agreements(company.company))
    wanted = {agreement.id for agreement in agreements if agreement.agreement_status == "Active"}
    wanted |= {row.key.agreement for row in state.ledger.values()}
    wanted |= {intent.change.key.agreement for intent in state.intents.values()}
    known = {agreement.id for agreement in agreements}
    additions = {number: tuple(ports.manage.additions(number)) for number in sorted(wanted & known)}
    told = everywhere(ports, state, agreements, additions, as_of)
    resolution = resolve_intents(state, told, ports.clock.now(), ports.limits.settling, as_of)
    facts = Facts(
        as_of=as_of,
        rules=ports.rules.load(),
        company=company,
        readings=(),
        agreements=agreements,
        additions=additions,
        products={},
        ledger=resolution.ledger,
        seats=state.seats,
        in_doubt=resolution.in_doubt,
        invoiced=state.invoiced,
    )
    return facts, resolution


def _guarded(plan: UndoPlan, facts: Facts) -> Plan:
    """Under the guards on quantities and money; no source was read, so that none can be empty."""
    sources: dict[str, tuple[str, ...]] = {group.bill_item: () for group in plan.groups}
    unguarded = Plan(facts.company.company, plan.groups, sources=sources)
    return guarded(unguarded, facts.guards, (), facts.seats, facts.as_of)


def _begun(
    ports: Ports, company: int, state: CompanyState, asked: UndoAsked, writing: Iterable[Invoiced]
) -> CompanyState:
    """Stored, and told in the history. `writing` are agreements on which lines are about to be written."""
    entry = _entry(ports, asked, "note", _note(asked))
    ports.company_state.commit(
        company, [Put(StateKind.UNDO, asked.key, asked), AddHistory(entry), *(note_of(note) for note in writing)]
    )
    return replace(state, undoes={**state.undoes, asked.key: asked})


def _ended(ports: Ports, company: int, state: CompanyState, asked: UndoAsked, undone: Undone) -> Undone:
    """What was asked is done with, unless it is to be looked at again; what is not undone is told in the history."""
    if undone.again_in is not None or asked.key not in state.undoes:
        return undone
    left = [f"{item}: {reason}" for item, reason in sorted(undone.refused.items())]
    left += [f"{group.bill_item}: {group.held}" for group in undone.held]
    left += undone.failures
    changes: list[StateChange] = [Drop(StateKind.UNDO, asked.key)]
    if left:
        changes.append(AddHistory(_entry(ports, asked, "end", f"{_note(asked)}, not undone: {'; '.join(left)}")))
    ports.company_state.commit(company, changes)
    return undone


def _note(asked: UndoAsked) -> str:
    return f"undo of run {asked.run}"


def _entry(ports: Ports, asked: UndoAsked, name: str, note: str) -> HistoryEntry:
    signed = asked.signed
    day, id_ = business_date(ports.clock), f"{asked.own_run}/{name}"
    return HistoryEntry(id_, signed.at, asked.own_run, signed.by, None, None, note=note, day=day, signed=signed)
