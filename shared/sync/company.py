"""Sync one company: lease, read every source, read Manage, plan, apply what may be applied, record, release."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from shared.billing.findings import Finding, FindingKind
from shared.billing.lines import is_usage
from shared.billing.planning.choices import resumed
from shared.billing.planning.elsewhere import still_ours
from shared.billing.planning.plan import Change, Plan
from shared.billing.planning.planner import Facts, plan_company, with_everything_read
from shared.billing.rules import CompanyRules, Mode, Rules
from shared.calls import counting
from shared.clock import business_date
from shared.errors import Busy, Gone, Retryable, TrueUpError
from shared.state.companies import Lease, just_changed
from shared.state.company_state import CompanyState
from shared.state.overview import Summary
from shared.state.records import CompanyReport, Decision, Outcome, Signature, Verdict
from shared.sync.apply import Applied, Errand, apply_plan
from shared.sync.balances import record_balance
from shared.sync.decisions import Judged, judge
from shared.sync.earlier import changes_of, plan_within_a_day, written_by
from shared.sync.fleet import counted_for_fleet, goes_on, only_planned, stopped_sources
from shared.sync.ignored import without_ignored
from shared.sync.intents import resolve_intents
from shared.sync.invoicing import Watch
from shared.sync.measures import measure_company, measure_write
from shared.sync.observe import company_rules, everywhere, night_of, observe, unread_active, warn_of_unread
from shared.sync.outcomes import MOST_DEATHS, counted, kinds_of, never_ended, report_of
from shared.sync.overview import by_kind, summary_of, with_effects
from shared.sync.ports import Ports
from shared.sync.record import record_failure, record_plan
from shared.sync.undoing import Undone, go_on
from shared.sync.unfinished import ONLY_PLANNED, InForce, finish_edit
from shared.sync.verdicts import record_verdicts

log = logging.getLogger(__name__)

#: The system named in errors of the store.
_STORE = ("storage", "state")


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

    `unknown` are hashes just approved of which no group waits. `summary` is what lists show, None where it stays.
    """

    report: CompanyReport
    judged: Judged | None = None
    again_in: int | None = None
    unknown: tuple[str, ...] = ()
    summary: Summary | None = None

    @property
    def plan(self) -> Plan | None:
        return self.judged.plan if self.judged is not None else None


def sync_company(ports: Ports, order: Order) -> Synced:
    """One company under its lease; what goes wrong with it is its outcome.

    While an edit of the rules is in force for part of the companies only, it is only planned.

    Raises `Busy` when another worker holds the company, also when it took it after this one's lease had run out, `Gone`
    when it is not known, `OtherManage` when the store belongs to another Manage, and what the store raises when it
    answers neither with the lease nor with the state.
    """
    started = time.monotonic()
    ports.own_manage.hold()
    in_force = finish_edit(ports)
    lease = ports.companies.take_lease(order.company, order.owner, ports.limits.lease, ports.clock.now(), run=order.run)
    synced = Synced(CompanyReport(order.company, Outcome.FAILED, "the worker stopped before the company was done"))
    try:
        synced = attempted(ports, lease, lambda: _under_lease(ports, order, lease, in_force))
    finally:
        report = replace(synced.report, seconds=round(time.monotonic() - started, 3))
        ports.companies.release(
            lease,
            outcome=_recorded(report, lease),
            run=order.run,
            now=ports.clock.now(),
            groups=_to_decide(ports, order.company, synced.judged),
            summary=synced.summary,
        )
    measure_company(order.run, report)
    return replace(synced, report=report)


def _recorded(report: CompanyReport, lease: Lease) -> str | None:
    """The outcome, but for a company without links that is as if nobody had ever looked, as after its erasure: a night
    looks again at every company that was ever looked at.
    """
    is_new = report.outcome is Outcome.SKIPPED and lease.company.last_run is None
    return None if is_new else report.outcome.value


def attempted(ports: Ports, lease: Lease, work: Callable[[], Synced]) -> Synced:
    """What the work came to, with its calls, within the company's deadline; not begun where too many workers died."""
    if lease.company.deaths >= MOST_DEATHS:
        return Synced(never_ended(lease.company.id))
    with ports.manage.deadline(ports.limits.company_deadline), counting() as calls:
        synced = work()
    return replace(synced, report=replace(synced.report, calls=dict(calls)))


def _to_decide(ports: Ports, company: int, judged: Judged | None) -> tuple[int, int] | None:
    """How many groups wait and how many were decided about: as the store says where the sync did not get that far."""
    if judged is not None:
        return len(judged.waiting), len(judged.decisions)
    try:
        return ports.company_state.load(company).to_decide
    except TrueUpError as error:
        log.warning("company %s: not known what waits for a person: %s", company, error)
        return None


def _under_lease(ports: Ports, order: Order, lease: Lease, in_force: InForce) -> Synced:
    state = ports.company_state.load(order.company)
    company = company_rules(lease.company, state)
    if not company.links and _is_forgotten(state):
        return Synced(CompanyReport(order.company, Outcome.SKIPPED, "no customer of any source is linked"))
    # By looks that put the company back, and by those whose worker died.
    before = written_by(ports, order.company, order.run) if order.again or lease.company.deaths else []
    try:
        if lease.company.rules_edition != state.rules_edition:
            raise just_changed(order.company)
        state, unknown = _approved(ports, order, state)
        if state.undoes and company.mode.at_most(order.mode) is not Mode.OBSERVE:
            unfinished = go_on(ports, lease, state)
            if unfinished is not None:
                return _not_undone_yet(order, unfinished)
            state = ports.company_state.load(order.company)
            company = replace(company, mode=company.mode.at_most(Mode.APPROVE))
        too_late = _too_late(ports, order, unknown, before)
        synced = _sync(ports, order, lease, company, state, before, too_late, in_force)
        # A worker that died may have written it already: then the group does not wait any more.
        return synced if order.again else _with_unknown(synced, {*unknown} - {each.group.hash for each in too_late})
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


def _too_late(ports: Ports, order: Order, unknown: Collection[str], before: Collection[Change]) -> tuple[Decision, ...]:
    """What was approved for a run as it was shown then, where nothing waits any more and the run has not written it."""
    if not unknown or order.signed is None:
        return ()
    written = {change.fingerprint for change in before}
    shown = [group for group in ports.runs.approved(order.run, order.company) if group.hash in unknown]
    return tuple(
        Decision(Verdict.APPROVED, group, order.signed, order.run)
        for group in shown
        if not all(change.fingerprint in written for change in group.changes)
    )


def _with_unknown(synced: Synced, unknown: Collection[str]) -> Synced:
    """What was approved without a group that waits for it is stale before anybody has looked."""
    if not unknown:
        return synced
    told = f"no group waits any more for {len(unknown)} approval(s): {', '.join(sorted(unknown))}"
    report = replace(_noting(synced.report, told), stale=synced.report.stale + len(unknown))
    return replace(synced, report=report, unknown=tuple(sorted(unknown)))


def _not_undone_yet(order: Order, undone: Undone) -> Synced:
    """Nothing is planned on top of an undo that has not ended."""
    why = "; ".join([*undone.failures, *(f"{item}: {reason}" for item, reason in sorted(undone.refused.items()))])
    report = CompanyReport(order.company, Outcome.FAILED, f"run {undone.run} has not ended yet, which undoes: {why}")
    return Synced(report, again_in=undone.again_in)


def _is_forgotten(state: CompanyState) -> bool:
    """Whether nothing stands, waits or is open of what TrueUp once did for a company, or read of what it used."""
    waiting = state.plan is not None and bool(state.plan.groups)
    used = any(
        is_usage(line) and bool(record.came_to or any(each.quantity for each in record.days))
        for line, record in state.seats.items()
    )
    return not (state.ledger or state.intents or state.findings or state.undoes or waiting or used)


def _failed(
    ports: Ports, order: Order, lease: Lease, state: CompanyState, before: list[Change], error: TrueUpError
) -> Synced:
    """A sync that learned nothing.

    Without the lease not even that is recorded: another worker may be at it by now. Nor while the store does not
    answer, which may have taken half of what was to be recorded: then the company is looked at again.
    """
    report = CompanyReport(order.company, Outcome.FAILED, str(error), written=counted(kinds_of(before)))
    if _ran_out(ports, lease) or (isinstance(error, Retryable) and error.system in _STORE):
        return Synced(report, again_in=ports.limits.busy_delay)
    finding = Finding(FindingKind.READ_FAILED, error.system or "trueup", f"{error}.", error.remedy or "Try again.")
    record_failure(ports, order.company, state, finding)
    findings = {*state.findings, (finding.kind.value, finding.key)}
    summary = replace(lease.company.summary, findings=by_kind(findings))
    return Synced(replace(report, findings={finding.kind.value: 1}), summary=summary)


def _ran_out(ports: Ports, lease: Lease) -> bool:
    return ports.clock.now() >= lease.until


def _sync(
    ports: Ports,
    order: Order,
    lease: Lease,
    company: CompanyRules,
    state: CompanyState,
    before: list[Change],
    too_late: Collection[Decision],
    in_force: InForce,
) -> Synced:
    """`before` are the run's writes of earlier looks, `too_late` approvals of what does not wait any more."""
    as_of = business_date(ports.clock)
    night = order.run if order.run == night_of(as_of) and not (order.again or before or state.intents) else None
    rules = _rules(ports, order, state, in_force)
    observation = observe(ports, company, state, rules, as_of, live=order.live, night=night)
    warn_of_unread(order.run, order.company, observation.facts.readings)
    seen = observation.facts
    additions = everywhere(ports, state, seen.agreements, seen.additions, as_of)
    resolution = resolve_intents(state, additions, ports.clock.now(), ports.limits.settling, as_of)
    ledger = still_ours(resolution.ledger, additions, [agreement.id for agreement in seen.agreements], as_of)
    ledger, seats = resumed(ledger, seen.seats, seen.additions, seen.choices, as_of)
    resolution = replace(resolution, ledger=ledger)
    facts = replace(seen, ledger=ledger, seats=seats, in_doubt=resolution.in_doubt)
    plan = plan_company(facts)
    if plan.needs_all:
        plan = plan_company(with_everything_read(facts, unread_active(ports, facts)))
    plan = without_ignored(plan_within_a_day(ports, facts, plan), lease.company.ignored)
    expire_days = observation.facts.rules.approvals.expire_days
    judged = judge(plan, state, resolution.decisions, company.mode, ports.clock.now(), expire_days, too_late)
    mode = Mode.OBSERVE if in_force.left else company.mode.at_most(order.mode)
    groups = judged.applicable(mode, approved_only=order.signed is not None)
    stopped = stopped_sources(ports, order.run, facts, groups)
    watch = Watch(ports, facts, plan, tuple(group for group in groups if goes_on(judged, group, stopped)))
    moved = watch.moved()
    writing = watch.notes(writing=True) if not moved else []
    if _ran_out(ports, lease):  # the last thing to be asked: another worker may have written by now
        raise Retryable("the time for this company ran out before its plan was recorded", system="trueup")
    state = record_plan(ports, order.company, order.run, state, observation, resolution, judged.telling(moved), writing)
    for entry in resolution.done:
        measure_write(order.company, entry)
    applied = Applied(failures=[finding.text for finding in moved], again_in=ports.limits.busy_delay if moved else None)
    if watch.groups and not moved:
        applied = apply_plan(ports, Errand(order.run, order.actor), lease, state, judged, watch)
    record_balance(ports, state, judged.plan, company.mode, applied.done)
    earlier = [*before, *changes_of(resolution.done)]
    reached = [*kinds_of(earlier), *applied.written]
    report = report_of(order.company, observation, resolution, judged, applied, reached)
    report = replace(report, fleet=counted_for_fleet(facts, judged, earlier, mode))
    if len(watch.groups) < len(groups):
        report = _noting(report, only_planned(stopped))
    if in_force.left:
        report = _noting(report, ONLY_PLANNED)
    waits = [seconds for seconds in (resolution.again_in, applied.again_in) if seconds is not None]
    return Synced(report, judged, max(waits, default=None), summary=_summary(state, facts, judged, applied))


def _rules(ports: Ports, order: Order, state: CompanyState, in_force: InForce) -> Rules:
    """The rules that the run pinned, or newer ones beside which the company's own were changed since: part of what was
    changed together would bill what neither of them bills. Those in force, where so many edits came that the pinned
    ones are not kept any more.
    """
    pinned = in_force.head.version if order.rules is None else order.rules
    try:
        return ports.rules.load(max(pinned, state.rules_version))
    except Gone as error:
        log.info("company %s in run %s: %s", order.company, order.run, error)
        return ports.rules.load(in_force.head.version)


def _noting(report: CompanyReport, note: str) -> CompanyReport:
    return replace(report, note="; ".join(filter(None, (report.note, note))))


def _summary(state: CompanyState, facts: Facts, judged: Judged, applied: Applied) -> Summary:
    """What lists show of the company after this look and its writes."""
    left = [group for group in judged.plan.groups if group.bill_item not in applied.done]
    healed = {(FindingKind.WRITE_FAILED.value, item) for item in applied.done}
    opened = {(finding.kind.value, finding.key) for finding in applied.findings}
    findings = (state.findings.keys() - healed) | opened
    return summary_of(with_effects(state.overview, applied.effects), left, findings, facts)
