"""What people decided about the groups of a plan, and what may become of each group because of it.

A decision binds one hash. What was approved is written only while the fresh plan still says the same; else it is stale,
and the difference is told.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from shared.billing.findings import Finding, FindingKind
from shared.billing.planning.plan import Group, Plan
from shared.billing.rules import Mode
from shared.state.company_state import CompanyState
from shared.state.records import Decision, Verdict, Waiting


@dataclass(frozen=True, slots=True)
class Stale:
    """An approval that was not carried out: what was approved, what is planned now (None: nothing), and why."""

    decision: Decision
    now: Group | None
    reason: str

    @property
    def text(self) -> str:
        item = self.decision.group.bill_item
        return f"{item}: {self.reason}. Approved was: {_told(self.decision.group)} Planned now: {_told(self.now)}"

    def finding(self) -> Finding:
        return Finding(
            FindingKind.STALE,
            self.decision.group.bill_item,
            self.text,
            "Look at what is planned now, and approve or reject that.",
        )


@dataclass(frozen=True, slots=True)
class Judged:
    """A plan with what people decided about its groups.

    `approved` and `rejected` are the decisions by bill item whose group is planned as it was decided about, `waiting`
    the groups that wait for a person by hash. `decisions` are those that still hold, by the hash of their group.
    """

    plan: Plan
    approved: Mapping[str, Decision] = field(default_factory=dict)
    rejected: Mapping[str, Decision] = field(default_factory=dict)
    waiting: Mapping[str, Waiting] = field(default_factory=dict)
    decisions: Mapping[str, Decision] = field(default_factory=dict)
    stale: tuple[Stale, ...] = ()

    def telling(self, findings: Iterable[Finding]) -> Judged:
        """The same with more findings."""
        return replace(self, plan=replace(self.plan, findings=tuple(sorted({*self.plan.findings, *findings}))))

    def applicable(self, mode: Mode, *, approved_only: bool = False) -> tuple[Group, ...]:
        """The groups to write now, in the plan's order."""
        if mode is Mode.OBSERVE:
            return ()
        freely = mode is Mode.AUTO and not approved_only
        return tuple(
            group
            for group in self.plan.groups
            if group.bill_item in self.approved
            or (freely and group.held is None and group.bill_item not in self.rejected)
        )

    @property
    def held(self) -> bool:
        """Whether a guard holds a group that nobody decided about."""
        return any(self.is_undecided(group) for group in self.plan.held)

    @property
    def is_open(self) -> bool:
        """Whether there is a group that is not rejected."""
        return any(group.bill_item not in self.rejected for group in self.plan.groups)

    def is_undecided(self, group: Group) -> bool:
        """Whether nobody has approved or rejected a group."""
        return group.bill_item not in self.approved and group.bill_item not in self.rejected


def decision_about(decisions: Mapping[str, Decision], group: Group) -> Decision | None:
    """What a person decided about a group as it is shown: whole, or what is left of it after a worker died."""
    whole = decisions.get(group.hash)
    return whole or next((decision for decision in decisions.values() if decision.is_about(group)), None)


def groups_shown(state: CompanyState) -> list[Group]:
    """What is planned, and what was decided about without being planned now: nothing is known of its item tonight."""
    planned = list(state.plan.groups) if state.plan is not None else []
    about = [decision_about(state.decisions, group) for group in planned]
    return [*planned, *(decision.group for decision in state.decisions.values() if decision not in about)]


def judge(
    plan: Plan,
    state: CompanyState,
    decisions: Mapping[str, Decision],
    mode: Mode,
    now: datetime,
    expire_days: int,
    too_late: Iterable[Decision] = (),
) -> Judged:
    """Sorts out a fresh plan. `decisions` are those stored, with what was written of them; `now` is UTC.

    Of a bill item that is frozen nothing is known tonight: its decisions stand as they are. Approvals that came
    `too_late` to be stored are stale.
    """
    age = timedelta(days=expire_days)
    groups = {group.bill_item: group for group in plan.groups}
    approved: dict[str, Decision] = {}
    rejected: dict[str, Decision] = {}
    kept: dict[str, Decision] = {}
    stale: list[Stale] = []
    for hash_, decision in sorted(decisions.items()):
        item = decision.group.bill_item
        group = groups.get(item)
        if item in plan.frozen:
            kept[hash_] = decision
        elif decision.verdict is Verdict.REJECTED:
            if group is not None and decision.is_about(group):
                kept[hash_] = rejected[item] = decision
        elif (reason := _why_stale(decision, group, now, age)) is not None:
            stale.append(Stale(decision, group, reason))
        elif decision.left:
            kept[hash_] = approved[item] = decision
    for decision in too_late:
        item = decision.group.bill_item
        stale.append(Stale(decision, groups.get(item), _why_too_late(decision, groups.get(item), rejected.get(item))))
    undecided = [group for group in plan.groups if group.bill_item not in {*approved, *rejected}]
    waiting = {group.hash: _waiting(group, state, now, age) for group in undecided if _waits(group, mode)}
    told = _findings(plan, state, stale, waiting.values(), decided={*approved, *rejected})
    return Judged(replace(plan, findings=told), approved, rejected, waiting, kept, tuple(stale))


def is_expired(waiting: Waiting, now: datetime, expire_days: int) -> bool:
    return now - waiting.since >= timedelta(days=expire_days)


def _why_stale(decision: Decision, group: Group | None, now: datetime, age: timedelta) -> str | None:
    """None for what is still planned, or already written whole."""
    left = decision.left
    if not left:
        return None
    if group is not None and group.unsound:
        return f"what is planned is not sound: {group.held}"
    if group is None or not decision.is_about(group):
        return "what was approved is not what is planned any more"
    if now - decision.signed.at >= age:
        return f"it was approved more than {age.days} days ago and could not be written since"
    return None


def _why_too_late(decision: Decision, group: Group | None, rejected: Decision | None) -> str:
    if rejected is not None:
        return f"{rejected.signed.by} rejected it after it had been approved"
    if group is not None and group.hash == decision.group.hash:
        return "it was planned anew after it had been approved, and waits again"
    return "what was approved is not what is planned any more"


def _waits(group: Group, mode: Mode) -> bool:
    return mode is Mode.APPROVE or (mode is Mode.AUTO and group.held is not None)


def _waiting(group: Group, state: CompanyState, now: datetime, age: timedelta) -> Waiting:
    """As it was, unless that was too long ago: then it is planned anew and waits from now on."""
    before = state.waiting.get(group.hash)
    if before is None:
        return Waiting(group.bill_item, now)
    return replace(before, since=now, expired=now) if now - before.since >= age else before


def _findings(
    plan: Plan, state: CompanyState, stale: Iterable[Stale], waiting: Iterable[Waiting], decided: Collection[str]
) -> tuple[Finding, ...]:
    """The plan's findings with what is stale, which stays until somebody decides anew; decided groups wait no more."""
    waits = {each.bill_item for each in waiting}
    told = {finding for finding in plan.findings if finding.kind is not FindingKind.HELD or finding.key not in decided}
    now_stale = {each.decision.group.bill_item: each.finding() for each in stale}
    still_stale = {
        open_.finding.key: open_.finding
        for open_ in state.findings.values()
        if open_.finding.kind is FindingKind.STALE and open_.finding.key not in now_stale
    }
    told |= {finding for item, finding in {**still_stale, **now_stale}.items() if item in waits}
    return tuple(sorted(told))


def _told(group: Group | None) -> str:
    return " ".join(change.sentence for change in group.changes) if group is not None else "nothing."
