"""Guards: what holds a plan for a person, looked at before the first write.

A failed reading is guarded by its type: its bill items are unknown and frozen, so nothing of them is planned at all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

from shared.billing.counts import ReadFailure, Reading
from shared.billing.findings import Finding, FindingKind
from shared.billing.limits import Guards, IncreaseLimit, ReductionLimit
from shared.billing.lines import stamped_date
from shared.billing.planning.plan import Change, ChangeKind, Group, Guard, Plan
from shared.billing.seats import SeatRecord
from shared.billing.wording import money, number

#: A reduction is measured against the highest quantity of so many days, so that it cannot creep.
REMEMBERED_DAYS = 30
_LOOK = "Look at the customer. If the count is right, approve the group or raise the guard; else reject it."
_UNSOUND = (
    "This is a fault of TrueUp, and nobody can approve it: report it. Until then delete in Manage the line that it "
    "names, if that bills nothing, or end the one that bills too much before the other begins; then resume the billing "
    "of this item if it is told as paused."
)


class _Held(NamedTuple):
    """Which guard holds a group, and why in a sentence."""

    guard: Guard
    why: str


def guarded(
    plan: Plan,
    guards: Guards,
    readings: Iterable[Reading | ReadFailure],
    seats: Mapping[str, SeatRecord],
    as_of: date,
    at_invoices: Iterable[Reading] = (),
    all_zero: Collection[str] = (),
) -> Plan:
    """The plan with every group that a guard holds marked, and a finding for each.

    `at_invoices` are readings of an earlier day by which some of it is billed, `all_zero` bill items that are billed by
    an earlier day on which everything was zero; one of nothing stays odd every night.
    """
    if not plan.groups:
        return plan
    emptied = emptied_sources(readings) | emptied_sources(at_invoices)

    def odd(group: Group) -> list[str]:
        sources = plan.sources[group.bill_item] if guards.all_to_zero else ()
        return sorted(source for source in sources if source in emptied or group.bill_item in all_zero)

    groups = tuple(_held(group, guards, odd(group), seats, as_of) for group in plan.groups)
    records = {record.line: record for record in plan.seats}
    groups = tuple(
        group if group.held else _held_by(group, _too_much_used(group, guards.increase, records)) for group in groups
    )
    held = [
        Finding(
            FindingKind.HELD,
            group.bill_item,
            f"{group.changes[0].product} ({group.bill_item}): {group.held}.",
            _UNSOUND if group.unsound else _LOOK,
        )
        for group in groups
        if group.held is not None
    ]
    return replace(plan, groups=groups, findings=tuple(sorted({*plan.findings, *held})))


def within_a_day(plan: Plan, limit: int, written: int) -> Plan:
    """The plan with everything held when the company would have more changes today than `limit`.

    `written` are those that were written already.
    """
    planned = sum(change.is_guarded for group in plan.applicable for change in group.changes)
    if planned == 0 or written + planned <= limit:
        return plan
    already = f" after {written} that were written today" if written else ""
    held = f"{planned} changes of one company{already} are more than {limit} in a day"
    finding = Finding(
        FindingKind.HELD,
        "changes-per-day",
        f"Nothing more is written: {held}.",
        "Look at the plan. If it is right, raise changes_per_day in the company's guards; if not, correct the rules.",
    )
    hold = _Held(Guard.CHANGES_PER_DAY, held)
    groups = tuple(_held_unless_repair(group, hold) for group in plan.groups)
    return replace(plan, groups=groups, findings=tuple(sorted({*plan.findings, finding})))


def _held_unless_repair(group: Group, held: _Held) -> Group:
    return group if group.held or all(change.is_repair for change in group.changes) else _held_by(group, held)


def _held_by(group: Group, held: _Held | None) -> Group:
    return group if held is None else replace(group, held=held.why, guard=held.guard)


def emptied_sources(readings: Iterable[Reading | ReadFailure]) -> set[str]:
    """Sources at which everything that was read of this company is zero."""
    totals: dict[str, Decimal] = {}
    for reading in readings:
        if isinstance(reading, Reading):
            total = sum((count.purchased + count.grace + (count.assigned or 0) for count in reading.counts), Decimal(0))
            totals[reading.source] = totals.get(reading.source, Decimal(0)) + total
    return {source for source, total in totals.items() if total == 0}


def _held(group: Group, guards: Guards, emptied: Sequence[str], seats: Mapping[str, SeatRecord], as_of: date) -> Group:
    if group.unsound:
        return group
    changes = [change for change in group.changes if change.key.is_standing and not change.is_repair]
    moved = _movement(changes, seats, as_of)
    if moved.after < moved.before and emptied:
        return _held_by(group, _Held(Guard.ALL_ZERO, f"every count of {' and of '.join(emptied)} is zero tonight"))
    held = _too_few(moved, guards.reduction) or _too_many(moved, guards.increase)
    return _held_by(group, held or _too_much_money(changes, guards.reduction) or _too_much_credit(group, guards))


@dataclass(frozen=True, slots=True)
class _Movement:
    """What the standing lines of a group say before and after, and the highest of the last days."""

    before: Decimal
    after: Decimal
    highest: Decimal


def _movement(changes: list[Change], seats: Mapping[str, SeatRecord], as_of: date) -> _Movement:
    before = sum((change.before.quantity for change in changes if change.before is not None), Decimal(0))
    after = sum((change.after.quantity for change in changes if not _ends(change) and change.after), Decimal(0))
    since = as_of - timedelta(days=REMEMBERED_DAYS)
    records = [seats[line] for line in {str(change.key) for change in changes} if line in seats]
    return _Movement(before, after, max([before, *(record.highest_since(since) for record in records)]))


def _ends(change: Change) -> bool:
    return change.after is None or change.after.cancelled_date is not None


def _too_few(moved: _Movement, limit: ReductionLimit) -> _Held | None:
    if moved.after >= moved.before:
        return None
    units = moved.highest - moved.after
    told = f"a reduction by {number(units)} from {number(moved.highest)}, the highest of {REMEMBERED_DAYS} days,"
    if units > limit.units:
        return _Held(Guard.UNITS, f"{told} is more than {number(limit.units)} units")
    if units > limit.small and units * 100 / moved.highest > limit.percent:
        return _Held(Guard.PERCENT, f"{told} is more than {number(limit.percent)} %")
    return None


def _too_many(moved: _Movement, limit: IncreaseLimit) -> _Held | None:
    """Only where something stood: a first line has nothing to be measured against."""
    if moved.highest == 0 or moved.after - moved.highest <= limit.small:
        return None
    if moved.after > moved.highest * limit.factor:
        highest = f"{number(moved.highest)}, the highest of {REMEMBERED_DAYS} days"
        why = f"an increase to {number(moved.after)} is more than {number(limit.factor)} times {highest}"
        return _Held(Guard.INCREASE, why)
    return None


def _too_much_used(group: Group, limit: IncreaseLimit, records: Mapping[str, SeatRecord]) -> _Held | None:
    """Of a level one odd reading is enough to be the most of a period: measured against the month before it.

    What the vendor dates is measured against the period before. Either is measured as a whole, also where only a band
    or the rest of it is charged.
    """
    for change in group.changes:
        record, used = records.get(str(change.key.for_usage())), change.used
        start = stamped_date(change.after.serial_number) if change.after is not None else None
        if used is None or record is None or start is None:
            continue
        before, what = record.most_before(start), "the most of the month before"
        if record.used:
            used, before, what = dict(record.used).get(start, used), record.used_before(start), "the period before"
        if before > 0 and used - before > limit.small and used > before * limit.factor:
            why = f"{number(used)} used are more than {number(limit.factor)} times {number(before)}, {what}"
            return _Held(Guard.USAGE, why)
    return None


def _too_much_money(changes: list[Change], limit: ReductionLimit) -> _Held | None:
    """Also where only the price or the bill option changes."""
    lost = -sum((change.monthly for change in changes), Decimal(0))
    if lost > limit.money:
        why = f"it takes {money(lost)} from each invoice, more than {money(limit.money)}"
        return _Held(Guard.MONEY, why)
    return None


def _too_much_credit(group: Group, guards: Guards) -> _Held | None:
    """What is given back once is measured like what is taken from each invoice."""
    credits = -sum(
        (change.one_off for change in group.changes if change.kind is ChangeKind.CREATE and change.one_off < 0),
        Decimal(0),
    )
    limit = guards.reduction.money
    if credits > limit:
        return _Held(Guard.CREDIT, f"it credits {money(credits)}, more than {money(limit)}")
    return None
