"""Guards: what holds a plan for a person, looked at before the first write.

A failed reading is guarded by its type: its bill items are unknown and frozen, so nothing of them is planned at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

from shared.billing.counts import ReadFailure, Reading
from shared.billing.findings import Finding, FindingKind
from shared.billing.plan import Change, Group, Plan
from shared.billing.rules import Guards, ReductionLimit
from shared.billing.seats import SeatRecord
from shared.billing.wording import money, number

#: A reduction is measured against the highest quantity of so many days, so that it cannot creep.
REMEMBERED_DAYS = 30


def guarded(
    plan: Plan,
    guards: Guards,
    readings: Iterable[Reading | ReadFailure],
    seats: Mapping[str, SeatRecord],
    as_of: date,
) -> Plan:
    """The plan with every group that a guard holds marked, and a finding for each."""
    emptied = _emptied_sources(readings) if guards.all_to_zero else set()
    groups = tuple(_held(group, guards.reduction, emptied, seats, as_of) for group in plan.groups)
    held = [
        Finding(
            FindingKind.HELD,
            group.bill_item,
            f"{group.bill_item}: {group.held}",
            "Look at the customer. If the count is right, correct the line in Manage or raise the company's guard.",
        )
        for group in groups
        if group.held is not None
    ]
    return replace(plan, groups=groups, findings=tuple(sorted({*plan.findings, *held})))


def _emptied_sources(readings: Iterable[Reading | ReadFailure]) -> set[str]:
    """Sources at which everything that was read of this company is zero."""
    totals: dict[str, Decimal] = {}
    for reading in readings:
        if isinstance(reading, Reading):
            total = sum((count.purchased + count.grace + (count.assigned or 0) for count in reading.counts), Decimal(0))
            totals[reading.source] = totals.get(reading.source, Decimal(0)) + total
    return {source for source, total in totals.items() if total == 0}


def _held(
    group: Group, limit: ReductionLimit, emptied: set[str], seats: Mapping[str, SeatRecord], as_of: date
) -> Group:
    reductions = [change for change in group.changes if _reduction(change, seats, as_of) > 0]
    if not reductions or all(change.is_of_copy for change in reductions):
        return group
    source = group.bill_item.split("/", 1)[0]
    if source in emptied:
        return replace(group, held=f"every count of {source} is zero tonight")
    for change in reductions:
        reason = _beyond(change, limit, seats, as_of)
        if reason is not None:
            return replace(group, held=reason)
    return group


def _beyond(change: Change, limit: ReductionLimit, seats: Mapping[str, SeatRecord], as_of: date) -> str | None:
    units = _reduction(change, seats, as_of)
    highest = _highest(change, seats, as_of)
    percent = units * 100 / highest
    told = f"a reduction by {number(units)} from {number(highest)}, the highest of the last {REMEMBERED_DAYS} days,"
    if units > limit.units:
        return f"{told} is more than {number(limit.units)} units"
    if units > limit.small and percent > limit.percent:
        return f"{told} is more than {number(limit.percent)} %"
    if -change.monthly > limit.money:
        return f"{told} takes {money(-change.monthly)} from each invoice, more than {money(limit.money)}"
    return None


def _highest(change: Change, seats: Mapping[str, SeatRecord], as_of: date) -> Decimal:
    record = seats.get(str(change.key))
    remembered = record.highest_since(as_of - timedelta(days=REMEMBERED_DAYS)) if record is not None else Decimal(0)
    standing = change.before.quantity if change.before is not None else Decimal(0)
    return max(remembered, standing)


def _reduction(change: Change, seats: Mapping[str, SeatRecord], as_of: date) -> Decimal:
    """How many units less than the highest of the last days the line will bill; 0 unless it goes down now."""
    before = change.before.quantity if change.before is not None else Decimal(0)
    ends = change.after is None or change.after.cancelled_date is not None
    after = Decimal(0) if ends or change.after is None else change.after.quantity
    return _highest(change, seats, as_of) - after if after < before else Decimal(0)
