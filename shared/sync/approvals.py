"""Decisions by people: approve groups that wait, or reject them.

A decision is stored before anything is written because of it; the same sync as every night's then carries it out, from
fresh reads. Whatever dies in between, the next sync finds the decision and writes what it still fits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import uuid4

from shared.billing.planning.plan import Group, GroupKind, Guard
from shared.billing.rules import EVERYTHING, Mode, Remit
from shared.clock import business_date
from shared.errors import Gone, Refused
from shared.state.companies import CompanyRow
from shared.state.company_state import CompanyState
from shared.state.records import Signature, Verdict
from shared.sync.company import Order, Synced, sync_company
from shared.sync.decisions import groups_shown
from shared.sync.due import looked_at_after_a_death
from shared.sync.lanes import start_run
from shared.sync.ports import Ports
from shared.sync.readable import readable_states
from shared.sync.verdicts import record_verdicts


@dataclass(frozen=True, slots=True)
class Person:
    """Who decides, and the address from which; `remit` are the companies of which this person is told."""

    name: str
    origin: str = ""
    remit: Remit = EVERYTHING


@dataclass(frozen=True, slots=True)
class Rejected:
    """The hashes that stay out from now on, and those of which nothing waits."""

    rejected: tuple[str, ...]
    unknown: tuple[str, ...]


def approve(ports: Ports, company: int, hashes: Collection[str], person: Person) -> Synced:
    """Approves groups of one company and writes those whose fresh plan is the one approved; the others are stale.

    Raises `Busy` while another worker holds the company, `Gone` when it is not known, and `Refused` when it is only
    observed.
    """
    known_and_not_observed(ports, company)
    run = new_run(ports, "approval")
    order = Order(
        company,
        run,
        run,
        actor=person.name,
        approved=tuple(sorted(set(hashes))),
        signed=sign(ports, person),
        live=True,
    )
    with looked_at_after_a_death(ports, company):
        return sync_company(ports, order)


def reject(ports: Ports, company: int, hashes: Collection[str], person: Person, why: str = "") -> Rejected:
    """Keeps groups of one company out until what they would write changes. Raises as `approve` does."""
    known_and_not_observed(ports, company)
    run = new_run(ports, "rejection")
    lease = ports.companies.take_lease(company, run, ports.limits.lease, ports.clock.now())
    counts = None
    try:
        state = ports.company_state.load(company)
        signed = sign(ports, person)
        state, unknown = record_verdicts(ports, company, state, hashes, Verdict.REJECTED, signed, run, why)
        counts = state.to_decide
    finally:
        ports.companies.release(lease, outcome=None, run=run, now=ports.clock.now(), groups=counts)
    return Rejected(tuple(sorted(set(hashes) - set(unknown))), unknown)


def approve_all(
    ports: Ports,
    person: Person,
    *,
    companies: Collection[int] | None = None,
    kind: GroupKind | None,
    held: bool | None,
    guard: Guard | None = None,
    seen: str | None = None,
) -> str | None:
    """Approves all waiting groups of one kind (None: of every kind) across companies, in a run; answers its id.

    `held` True: only those that a guard holds, False: only others; `guard`: only those that this one holds. Which
    groups these are is fixed now, and the run's rows carry it. None when nothing waits.

    Raises `Refused` when they are not those that were `seen` (see `seen_as`); then nothing is approved.
    """
    rows = [row for row in rows_to_decide(ports) if companies is None or row.id in companies]
    wanted: dict[int, list[Group]] = {}
    for row, state in readable_states(ports, rows)[0]:
        groups = [group for group in waiting_groups(state) if _is_wanted(group, kind, held, guard)]
        wanted.update({row.id: groups} if groups else {})
    hashes = {company: [group.hash for group in groups] for company, groups in wanted.items()}
    if seen is not None and seen != seen_as((company, hash_) for company in hashes for hash_ in hashes[company]):
        raise Refused("what waits is not what was shown any more", remedy="Look at what waits now, and decide anew.")
    return _start(ports, hashes, wanted, person) if wanted else None


def seen_as(groups: Iterable[tuple[int, str]]) -> str:
    """What binds a decision about many groups, each by its company and hash, to those that were shown."""
    text = " ".join(f"{company}:{hash_}" for company, hash_ in sorted(groups))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def approve_several(ports: Ports, wanted: Mapping[int, Collection[str]], person: Person) -> str:
    """Approves these groups, by company, in a run; answers its id. What is not planned any more is stale there.

    Raises `Gone` for a company that is not known, and `Refused` where one is only observed; then nothing is approved.
    """
    for company in wanted:
        known_and_not_observed(ports, company)
    states = {company: ports.company_state.load(company) for company in wanted}
    shown = {
        company: [group for group in groups_shown(states[company]) if group.hash in hashes]
        for company, hashes in wanted.items()
    }
    return _start(ports, wanted, shown, person)


def _start(
    ports: Ports, wanted: Mapping[int, Collection[str]], shown: Mapping[int, Sequence[Group]], person: Person
) -> str:
    """The run that writes what was approved; what was `shown` is kept, to tell the difference from what is planned."""
    run = new_run(ports, "approval")
    ports.runs.note_approved(run, shown)
    approved = {company: tuple(sorted(set(hashes))) for company, hashes in wanted.items()}
    start_run(ports, run, "approval", sorted(wanted), approved=approved, signed=sign(ports, person))
    return run


def rows_to_decide(ports: Ports) -> list[CompanyRow]:
    """The companies of which something may wait or was decided about.

    Also those that somebody works on, or died of: what waits of them is counted only when they are given back.
    """
    return [row for row in ports.companies.all() if row.mode is not Mode.OBSERVE and _may_wait(row)]


def _may_wait(row: CompanyRow) -> bool:
    return bool(row.waiting or row.decided or row.lease_owner)


def waiting_groups(state: CompanyState) -> Sequence[Group]:
    """The groups that wait for a person, in the plan's order."""
    return [group for group in (state.plan.groups if state.plan is not None else ()) if group.hash in state.waiting]


def _is_wanted(group: Group, kind: GroupKind | None, held: bool | None, guard: Guard | None) -> bool:
    return (
        (kind is None or group.kind is kind)
        and (held is None or (group.held is not None) is held)
        and (guard is None or group.guard is guard)
    )


def known_and_not_observed(ports: Ports, company: int) -> CompanyRow:
    """The company. Raises `Gone` when it is not known, `Refused` when it is only observed."""
    row = ports.companies.get(company)
    if row is None:
        raise Gone(f"company {company} is not known", remedy="Add the company to the rules and import them.")
    not_observed(row)
    return row


def not_observed(row: CompanyRow) -> None:
    """Raises `Refused` when the company is only observed."""
    if row.mode is Mode.OBSERVE:
        raise Refused(
            f"company {row.id} is only observed: nothing of it is written or waits for a person",
            remedy="Put the company into mode approve or auto first.",
        )


def sign(ports: Ports, person: Person) -> Signature:
    """The person's decision, made now."""
    return Signature(person.name, ports.clock.now(), person.origin)


def new_run(ports: Ports, kind: str) -> str:
    """A run id of its own for what a person does."""
    return f"{business_date(ports.clock).isoformat()}-{kind}-{uuid4().hex[:8]}"
