"""Sync one company: lease, read every source, read Manage, plan, apply what may be applied, record, release."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from shared.billing.choices import resumed
from shared.billing.findings import Finding, FindingKind
from shared.billing.guards import within_a_day
from shared.billing.plan import Change, ChangeKind, Plan
from shared.billing.planner import Facts, plan_company, with_everything_read
from shared.billing.rules import CompanyRules, Mode
from shared.calls import counting
from shared.clock import business_date
from shared.errors import Busy, Retryable, TrueUpError
from shared.state.companies import Lease
from shared.state.company_state import CompanyState
from shared.state.records import CompanyReport, HistoryEntry, Outcome, Signature, Verdict
from shared.sync.apply import Applied, Errand, apply_plan
from shared.sync.decisions import Judged, judge
from shared.sync.fleet import counted_for_fleet, goes_on, only_planned, stopped_sources
from shared.sync.intents import Resolution, resolve_intents
from shared.sync.invoicing import Watch
from shared.sync.observe import Observation, company_rules, night_of, observe, unread_active
from shared.sync.ports import Ports
from shared.sync.record import record_failure, record_plan, record_verdicts

log = logging.getLogger(__name__)


#: A company whose worker died so often in one run is recorded as failed, and the run goes on.
MOST_DEATHS = 3
#: The system named in errors of the store.
_STORE = ("storage", "state")
#: Of so many writes to one company a run still reports all.
_MOST_WRITES = 1000


@dataclass(frozen=True, slots=True)
class Order:
    """Look at this company, in this run, on behalf of `actor`.

    `mode` can only make it more careful. `rules` is the version that the run pinned, None the one in force. `again`
    says that the run has looked at the company before: what it wrote then is part of the report. `approved` are hashes
    of groups that somebody has just approved, `signed` who: then nothing but what is approved is written. `live` asks
    every source now, also where the night has stored what it read.
    """

    company: int
    run: str
    owner: str
    mode: Mode | None = None
    rules: int | None = None
    actor: str = "night"
    again: bool = False
    approved: tuple[str, ...] = ()
    signed: Signature | None = None
    live: bool = False


@dataclass(frozen=True, slots=True)
class Synced:
    """What came of it. `again_in`: seconds after which the company must be looked at again, None if it is done.

    `unknown` are hashes just approved of which no group waits.
    """

    report: CompanyReport
    judged: Judged | None = None
    again_in: int | None = None
    unknown: tuple[str, ...] = ()

    @property
    def plan(self) -> Plan | None:
        return self.judged.plan if self.judged is not None else None


def sync_company(ports: Ports, order: Order) -> Synced:
    """One company under its lease; what goes wrong with it is its outcome.

    Raises `Busy` when another worker holds the company, also when it took it after this one's lease had run out, `Gone`
    when it is not known, and what the store raises when it answers neither with the lease nor with the state.
    """
    started = time.monotonic()
    lease = ports.companies.take_lease(order.company, order.owner, ports.limits.lease, ports.clock.now(), run=order.run)
    synced = Synced(CompanyReport(order.company, Outcome.FAILED, "the worker stopped before the company was done"))
    try:
        if lease.company.deaths >= MOST_DEATHS:
            synced = Synced(worker_died(order.company))
        else:
            with ports.manage.deadline(ports.limits.company_deadline), counting() as calls:
                synced = _under_lease(ports, order, lease)
            synced = replace(synced, report=replace(synced.report, calls=dict(calls)))
    finally:
        report = replace(synced.report, seconds=round(time.monotonic() - started, 3))
        judged = synced.judged
        counts = (len(judged.waiting), len(judged.decisions)) if judged is not None else None
        ports.companies.release(
            lease, outcome=report.outcome.value, run=order.run, now=ports.clock.now(), groups=counts
        )
    log.info("company %s in run %s: %s in %.1f s", order.company, order.run, report.outcome.value, report.seconds)
    return replace(synced, report=report)


def worker_died(company: int) -> CompanyReport:
    """What is recorded of a company that killed its workers."""
    return CompanyReport(company, Outcome.FAILED, f"its worker died {MOST_DEATHS} times; the other companies went on")


def _under_lease(ports: Ports, order: Order, lease: Lease) -> Synced:
    state = ports.company_state.load(order.company)
    company = company_rules(lease.company, state)
    if not company.links and _is_forgotten(state):
        return Synced(CompanyReport(order.company, Outcome.SKIPPED, "no customer of any source is linked"))
    before = _written_before(ports, order, lease)
    try:
        state, unknown = _approved(ports, order, state)
        synced = _sync(ports, order, lease, company, state, before)
        # A worker that died may have written it already: then the group does not wait any more.
        return synced if order.again else _with_unknown(synced, unknown)
    except Busy:
        raise
    except TrueUpError as error:
        log.warning("company %s in run %s: %s", order.company, order.run, error)
        return _failed(ports, order, lease, state, before, error)


def _approved(ports: Ports, order: Order, state: CompanyState) -> tuple[CompanyState, tuple[str, ...]]:
    """Stored before anything is looked at: an approval outlives the worker that was to carry it out."""
    if order.signed is None:
        return state, ()
    return record_verdicts(ports, order.company, state, order.approved, Verdict.APPROVED, order.signed, order.run)


def _with_unknown(synced: Synced, unknown: tuple[str, ...]) -> Synced:
    """What was approved without a group that waits for it is stale before anybody has looked."""
    if not unknown:
        return synced
    told = f"no group waits any more for {len(unknown)} approval(s): {', '.join(unknown)}"
    note = "; ".join(part for part in (synced.report.note, told) if part)
    report = replace(synced.report, note=note, stale=synced.report.stale + len(unknown))
    return replace(synced, report=report, unknown=unknown)


def _is_forgotten(state: CompanyState) -> bool:
    """Whether nothing stands, waits or is open of what TrueUp once did for a company."""
    waiting = state.plan is not None and bool(state.plan.groups)
    return not (state.ledger or state.intents or state.findings or waiting)


def _failed(
    ports: Ports, order: Order, lease: Lease, state: CompanyState, before: list[Change], error: TrueUpError
) -> Synced:
    """A sync that learned nothing.

    Without the lease not even that is recorded: another worker may be at it by now. Nor while the store does not
    answer, which may have taken half of what was to be recorded: then the company is looked at again.
    """
    report = CompanyReport(order.company, Outcome.FAILED, str(error), written=_counted(_kinds(before)))
    if _ran_out(ports, lease) or (isinstance(error, Retryable) and error.system in _STORE):
        return Synced(report, again_in=ports.limits.busy_delay)
    finding = Finding(FindingKind.READ_FAILED, error.system or "trueup", f"{error}.", error.remedy or "Try again.")
    record_failure(ports, order.company, state, finding)
    return Synced(replace(report, findings={finding.kind.value: 1}))


def _ran_out(ports: Ports, lease: Lease) -> bool:
    return ports.clock.now() >= lease.until


def _sync(
    ports: Ports,
    order: Order,
    lease: Lease,
    company: CompanyRules,
    state: CompanyState,
    before: list[Change],
) -> Synced:
    """`before` are the run's writes of earlier looks."""
    as_of = business_date(ports.clock)
    night = order.run if order.run == night_of(as_of) and not (order.again or before or state.intents) else None
    rules = ports.rules.load(order.rules)
    observation = observe(ports, company, state, rules, as_of, live=order.live, night=night)
    resolution = resolve_intents(state, observation.facts.additions, ports.clock.now(), ports.limits.settling, as_of)
    seen = observation.facts
    ledger, seats = resumed(resolution.ledger, seen.seats, seen.additions, seen.choices, as_of)
    resolution = replace(resolution, ledger=ledger)
    facts = replace(seen, ledger=ledger, seats=seats, in_doubt=resolution.in_doubt)
    plan = plan_company(facts)
    if plan.needs_all:
        plan = plan_company(with_everything_read(facts, unread_active(ports, facts)))
    plan = _within_a_day(ports, facts, plan)
    if _ran_out(ports, lease):
        raise Retryable("the time for this company ran out before its plan was recorded", system="trueup")
    expire_days = observation.facts.rules.approvals.expire_days
    judged = judge(plan, state, resolution.decisions, company.mode, ports.clock.now(), expire_days)
    mode = company.mode.at_most(order.mode)
    groups = judged.applicable(mode, approved_only=order.signed is not None)
    stopped = stopped_sources(ports, order.run, facts, groups)
    watch = Watch(ports, facts, plan, tuple(group for group in groups if goes_on(judged, group, stopped)))
    moved = watch.moved()
    writing = watch.notes(writing=True) if not moved else []
    state = record_plan(ports, order.company, state, observation, resolution, judged.telling(moved), writing)
    applied = Applied(failures=[finding.text for finding in moved], again_in=ports.limits.busy_delay if moved else None)
    if watch.groups and not moved:
        applied = apply_plan(ports, Errand(order.run, order.actor), lease, state, judged, watch)
    earlier = [*before, *_changes(resolution.done)]
    synced = _synced(order, observation, resolution, judged, applied, [*_kinds(earlier), *applied.written])
    report = replace(synced.report, fleet=counted_for_fleet(facts, judged, earlier, mode))
    if len(watch.groups) < len(groups):
        report = replace(report, note="; ".join(filter(None, (report.note, only_planned(stopped)))))
    return replace(synced, report=report)


def _changes(entries: Iterable[HistoryEntry]) -> list[Change]:
    """What was done to additions; what only a person decided is no write."""
    return [entry.change for entry in entries if entry.change is not None]


def _kinds(changes: Iterable[Change]) -> list[ChangeKind]:
    return [change.kind for change in changes]


def _within_a_day(ports: Ports, facts: Facts, plan: Plan) -> Plan:
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


def _written_before(ports: Ports, order: Order, lease: Lease) -> list[Change]:
    """What earlier looks of the same run wrote: those that put the company back, and those whose worker died."""
    if not order.again and lease.company.deaths == 0:
        return []
    newest = ports.company_state.history(order.company, _MOST_WRITES)
    return _changes(entry for entry in newest if entry.run == order.run)


def _synced(
    order: Order,
    observation: Observation,
    resolution: Resolution,
    judged: Judged,
    applied: Applied,
    reached: list[ChangeKind],
) -> Synced:
    """`reached` are the run's writes that reached Manage, also those that only a later look found done."""
    plan = judged.plan
    failures = [*observation.failures, *_doubts(resolution), *applied.failures]
    findings = [*plan.findings, *applied.findings]
    report = CompanyReport(
        company=order.company,
        outcome=_outcome(failures, judged, reached),
        note="; ".join(failures),
        planned=_counted(change.kind for change in plan.changes),
        written=_counted(reached),
        findings=dict(Counter(finding.kind.value for finding in findings)),
        monthly_delta=str(sum((group.monthly for group in plan.groups), Decimal(0))),
        waiting=len(judged.waiting),
        stale=len(judged.stale),
    )
    waits = [seconds for seconds in (resolution.again_in, applied.again_in) if seconds is not None]
    return Synced(report, judged, max(waits, default=None))


def _doubts(resolution: Resolution) -> list[str]:
    """Bill items that were left alone because nobody knows yet what an earlier write did."""
    if not resolution.in_doubt:
        return []
    items = ", ".join(sorted(resolution.in_doubt))
    return [f"what an earlier write did is not known yet: {items}; it is looked for in {resolution.again_in} s"]


def _outcome(failures: list[str], judged: Judged, reached: list[ChangeKind]) -> Outcome:
    if failures:
        return Outcome.FAILED
    if judged.held:
        return Outcome.HELD
    if reached:
        return Outcome.APPLIED
    return Outcome.PLANNED if judged.is_open else Outcome.UNCHANGED


def _counted(kinds: Iterable[ChangeKind]) -> dict[str, int]:
    """Changes by what they do to an addition; a removed copy ends."""
    names = {
        ChangeKind.CREATE: "created",
        ChangeKind.UPDATE: "updated",
        ChangeKind.END: "ended",
        ChangeKind.DELETE: "ended",
    }
    return dict(Counter(names[kind] for kind in kinds))
