"""Undo what a run wrote to one company, or to one of its bill items.

The writes go through intents, history and ledger like every other. The company is put into `approve` first, so that no
night does again what a person has just taken back before somebody approves it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from shared.billing.guards import guarded
from shared.billing.lines import canonical
from shared.billing.plan import Group, Plan
from shared.billing.planner import Facts
from shared.billing.rules import CompanyRules, Mode
from shared.billing.undo import Done, UndoPlan, plan_undo
from shared.clock import business_date
from shared.errors import Gone, Refused
from shared.state.companies import Lease
from shared.state.company_state import CompanyState
from shared.state.records import HistoryEntry
from shared.sync.apply import Applied, Errand, apply_plan
from shared.sync.approvals import Person, known_and_not_observed, new_run, not_observed, sign
from shared.sync.decisions import Judged
from shared.sync.intents import resolve_intents
from shared.sync.invoicing import Watch
from shared.sync.observe import company_rules
from shared.sync.ports import Ports
from shared.sync.record import record_note, record_resolution
from shared.sync.retention import history_kept_since

#: So many history entries are read at once, and so many at most to find a run.
_PAGE, _MOST = 500, 20_000


@dataclass(frozen=True, slots=True)
class Undone:
    """What came of it: groups undone, bill items refused with the reason, and groups that a guard holds.

    `nothing`: the run's writes are undone already, or it wrote nothing of what was named. `failures` say what went
    wrong on the way; what is left is undone by asking again.
    """

    run: str
    groups: tuple[Group, ...] = ()
    refused: dict[str, str] = field(default_factory=dict)
    held: tuple[Group, ...] = ()
    failures: tuple[str, ...] = ()
    nothing: bool = False


def undo(
    ports: Ports,
    company: int,
    run: str,
    person: Person,
    *,
    bill_item: str | None = None,
    confirmed: Collection[str] = (),
) -> Undone:
    """Undoes a run's writes to a company (or one bill item of it), as far as nothing has come on top of them.

    What a guard holds is undone only when its hash is among `confirmed`. Raises `Busy`, `Gone` for a company or a run
    that is not known there, `Refused` when the company is only observed or the run too old, and what Manage's client
    raises.
    """
    known_and_not_observed(ports, company)
    own_run = new_run(ports, "undo")
    lease = ports.companies.take_lease(company, own_run, ports.limits.lease, ports.clock.now(), run=own_run)
    try:
        not_observed(lease.company)
        with ports.manage.deadline(ports.limits.company_deadline):
            return _under_lease(ports, lease, run, own_run, person, bill_item, confirmed)
    finally:
        ports.companies.release(lease, outcome=None, run=own_run, now=ports.clock.now())


def _under_lease(
    ports: Ports,
    lease: Lease,
    run: str,
    own_run: str,
    person: Person,
    bill_item: str | None,
    confirmed: Collection[str],
) -> Undone:
    state = ports.company_state.load(lease.company.id)
    facts, state = _facts(ports, lease, state)
    plan = plan_undo(run, _writes_of(ports, lease.company.id, run, bill_item), facts)
    guarded_plan = _guarded(plan, facts)
    groups = tuple(group for group in guarded_plan.groups if group.held is None or group.hash in confirmed)
    held = tuple(group for group in guarded_plan.groups if group not in groups)
    if not groups:
        return Undone(own_run, (), dict(plan.refused), held, nothing=not (plan.refused or held))
    watch = Watch(ports, facts, guarded_plan, groups)
    moved = watch.moved()
    if moved:
        return Undone(own_run, (), dict(plan.refused), held, tuple(finding.text for finding in moved))
    ports.companies.at_most(lease.company.id, Mode.APPROVE)
    note, signed = f"undo of run {run}", sign(ports, person)
    record_note(ports, lease.company.id, own_run, signed, note, watch.notes(writing=True))
    errand = Errand(own_run, person.name, note, signed, plan.undoes)
    shown = Judged(Plan(lease.company.id, state.plan.groups if state.plan is not None else ()))
    applied: Applied = apply_plan(ports, errand, lease, state, shown, watch)
    done = tuple(group for group in groups if group.bill_item in applied.done)
    return Undone(own_run, done, dict(plan.refused), held, tuple(applied.failures))


def _facts(ports: Ports, lease: Lease, state: CompanyState) -> tuple[Facts, CompanyState]:
    """The company's agreements and lines, read now, with the intents of dead workers resolved."""
    as_of = business_date(ports.clock)
    company: CompanyRules = company_rules(lease.company, state)
    agreements = tuple(ports.manage.agreements(company.company))
    wanted = {agreement.id for agreement in agreements if agreement.agreement_status == "Active"}
    wanted |= {row.key.agreement for row in state.ledger.values()}
    wanted |= {intent.change.key.agreement for intent in state.intents.values()}
    known = {agreement.id for agreement in agreements}
    additions = {number: tuple(ports.manage.additions(number)) for number in sorted(wanted & known)}
    resolution = resolve_intents(state, additions, ports.clock.now(), ports.limits.settling, as_of)
    state = record_resolution(ports, company.company, state, resolution)
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
    return facts, state


def _guarded(plan: UndoPlan, facts: Facts) -> Plan:
    """Under the guards on quantities and money; no source was read, so that none can be empty."""
    sources: dict[str, tuple[str, ...]] = {group.bill_item: () for group in plan.groups}
    unguarded = Plan(facts.company.company, plan.groups, sources=sources)
    return guarded(unguarded, facts.guards, (), facts.seats, facts.as_of)


def _writes_of(ports: Ports, company: int, run: str, bill_item: str | None) -> list[Done]:
    """The run's writes that are not undone yet, oldest first, each with the run that came after it, if any."""
    entries = _history_back_to(ports, company, run)
    undone = _undone(entries)
    later: dict[tuple[int, int], str] = {}
    found: list[Done] = []
    for entry in entries:  # newest first
        change = entry.change
        if change is None or entry.id in undone or entry.addition is None:
            continue
        target = change.key.agreement, entry.addition
        if entry.run != run:
            if not entry.undoes:
                later.setdefault(target, entry.run)
        elif bill_item is None or canonical(change.key.bill_item) == canonical(bill_item):
            found.append(Done(entry.id, change, entry.addition, entry.uninvoiced_from, later.get(target)))
    return found[::-1]


def _undone(entries: Iterable[HistoryEntry]) -> set[str]:
    """The ids of entries that are undone; an undo that was undone itself takes nothing back."""
    undone_by: dict[str, list[str]] = {}
    for entry in entries:
        for each in entry.undoes:
            undone_by.setdefault(each, []).append(entry.id)

    def is_undone(entry: str) -> bool:
        return any(not is_undone(by) for by in undone_by.get(entry, ()))

    return {entry for entry in undone_by if is_undone(entry)}


def _history_back_to(ports: Ports, company: int, run: str) -> list[HistoryEntry]:
    """The company's history from the newest entry back to the oldest one of a run.

    Raises `Gone` where none is, `Refused` when the history may have holes by then.
    """
    entries: list[HistoryEntry] = []
    seen = False
    while len(entries) < _MOST:
        before = (entries[-1].at, entries[-1].id) if entries else None
        page = ports.company_state.history(company, _PAGE, before)
        entries += page
        ours = any(entry.run == run for entry in page)
        seen = seen or ours
        if len(page) < _PAGE or (seen and not ours):
            break
    if not seen:
        raise Gone(f"run {run} wrote nothing to company {company}", remedy="The company's history names its runs.")
    kept_since = history_kept_since(ports)
    if any(entry.run == run and entry.at < kept_since for entry in entries):
        raise Refused(
            f"run {run} is so old that not all that came after it may be remembered",
            remedy="Correct the lines in Manage; what the company is billed for is counted anew every night.",
        )
    return entries
