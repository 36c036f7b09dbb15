"""Lines of ours that bill beside others or more than once, as a person moved an end later, took it away or chose it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from itertools import combinations

from shared.billing.calendar import BillingCalendar
from shared.billing.counting.items import BillItem
from shared.billing.findings import Finding, FindingKind
from shared.billing.lines import LedgerRow, LineValues
from shared.billing.planning.edits import restored_by_choice
from shared.billing.planning.matching import OwnLine
from shared.billing.planning.plan import Group
from shared.billing.planning.situation import ItemPlan, Situation
from shared.billing.wording import money, spoken


def unless_one_lasts(item: BillItem, plan: ItemPlan, situation: Situation) -> ItemPlan:
    """The plan of an item, or where one of its lines bills longer than TrueUp left it, why nothing is written.

    The edit can be restored. It is not accepted, neither by a profile nor by a choice: that would bill twice.
    """
    edits = (_edited(item, line, situation) for line in situation.owned[item.id].lines)
    edited = next((edit for edit in edits if edit is not None), None)
    if edited is None:
        return _unless_two_bill(item, plan, situation)
    others = tuple(each for each in plan.findings if (each.kind, each.key) != (FindingKind.DRIFT, item.id))
    restored = restored_by_choice(item, situation)
    if restored is not None:
        return replace(plan, group=restored, findings=others)
    return replace(plan, group=None, findings=(*others, edited), frozen=True)


def _unless_two_bill(item: BillItem, plan: ItemPlan, situation: Situation) -> ItemPlan:
    """The plan of an item, or where it leaves two of its lines to bill the same days, why nothing is written.

    An overlap that tonight's plan ends is a handover that was cut short. One that the plan would make is a fault of the
    program, and is held as such. While the outcome of a write is not known, it may be a handover that goes on.
    """
    lines = situation.owned[item.id].standing_lines
    if len(lines) < 2 or item.id in situation.in_doubt:
        return plan
    written = _written(plan.group)
    told = [
        _of_two(one, other)
        for one, other in combinations([line for line in lines if _bills(line, situation)], 2)
        if one.key.band == other.key.band
        and _overlap(LineValues.of(one.addition), LineValues.of(other.addition))
        and _overlap(_afterwards(one, written), _afterwards(other, written))
    ]
    if not told:
        return plan
    finding = Finding(
        FindingKind.DRIFT,
        item.id,
        f"{item.name}: {'; '.join(told)}. Nothing of this item is written.",
        "End one of the two in Manage so that no day is billed by both, then resume the item's billing. Correct by "
        "hand what was invoiced twice.",
    )
    edits = [each for each in plan.findings if (each.kind, each.key) == (FindingKind.DRIFT, item.id)]
    others = tuple(each for each in plan.findings if each not in edits)
    for edit in edits:
        finding = replace(finding, text=f"{finding.text} {edit.text}", remedy=f"{finding.remedy} {edit.remedy}")
    return replace(plan, group=None, findings=(*others, finding), frozen=True)


#: What a plan makes of lines, by agreement and addition; None for one that it takes away.
_Written = Mapping[tuple[int, int | None], LineValues | None]


def _written(group: Group | None) -> _Written:
    changes = group.changes if group is not None else ()
    return {(change.key.agreement, change.addition): change.after for change in changes}


def _afterwards(line: OwnLine, written: _Written) -> LineValues | None:
    return written.get((line.key.agreement, line.addition.id), LineValues.of(line.addition))


def _overlap(one: LineValues | None, other: LineValues | None) -> bool:
    """Whether both bill something on one and the same day."""
    if one is None or other is None or one.monthly() == 0 or other.monthly() == 0:
        return False
    first, last = _shared_days(one, other)
    return first <= last


def _shared_days(one: LineValues, other: LineValues) -> tuple[date, date]:
    first = max(one.effective_date or date.min, other.effective_date or date.min)
    return first, min(one.cancelled_date or date.max, other.cancelled_date or date.max)


def _bills(line: OwnLine, situation: Situation) -> bool:
    agreement = situation.agreements.get(line.key.agreement)
    return agreement is not None and agreement.agreement_status == "Active" and _still_bills(line, situation)


def _of_two(one: OwnLine, other: OwnLine) -> str:
    first, last = _shared_days(LineValues.of(one.addition), LineValues.of(other.addition))
    since = f" from {spoken(first)}" if first > date.min else ""
    until = f" until {spoken(last)}" if last < date.max else ", without an end"
    return f"our lines {_with_amount(one)} and {_with_amount(other)} bill the same days{since}{until}"


def _with_amount(line: OwnLine) -> str:
    amount = money(LineValues.of(line.addition).monthly())
    return f"{line.addition.id} on agreement {line.key.agreement} ({amount} an invoice)"


def _edited(item: BillItem, line: OwnLine, situation: Situation) -> Finding | None:
    row, addition = line.recorded, line.addition
    if row is None or not row.is_outlasted_by(addition) or not _bills(line, situation):
        return None
    amount = LineValues.of(addition).monthly()
    if amount == 0:
        return None
    if not _bills_too_much(item, line, row, situation):
        return None
    ends = f"on {spoken(addition.cancelled_date)}" if addition.cancelled_date is not None else "never"
    assert row.values.cancelled_date is not None
    return Finding(
        FindingKind.DRIFT,
        item.id,
        f"{item.name}: somebody changed when our line {addition.id} ends: {ends}, TrueUp wrote "
        f"{spoken(row.values.cancelled_date)}. It bills {money(amount)} an invoice that nothing is counted for, and "
        "nothing of this item is written.",
        "Restore what TrueUp wrote, or correct the line's end in Manage; an edit that bills twice cannot be accepted.",
    )


def _still_bills(line: OwnLine, situation: Situation) -> bool:
    """Whether it bills a period that is not invoiced yet, or a day that is still to come."""
    calendar = situation.calendars[line.key.agreement]
    first = calendar.first_uninvoiced.start if isinstance(calendar, BillingCalendar) else situation.as_of
    return line.addition.is_open(min(first, situation.as_of))


def _bills_too_much(item: BillItem, line: OwnLine, row: LedgerRow, situation: Situation) -> bool:
    """Whether what it bills beyond its end is billed by another line of ours, or is not to be billed at all.

    A one-off line that was moved as a whole bills once all the same.
    """
    ended = row.values.cancelled_date or date.max
    if not line.key.is_standing:
        return line.addition.effective_date is None or line.addition.effective_date <= ended
    if item.profile is None or situation.measures.get(item.id) == 0:
        return True
    others = [
        other.addition
        for other in situation.owned[item.id].standing_lines
        if other is not line and other.key.band == line.key.band and other.addition.quantity != 0
    ]
    last = line.addition.cancelled_date or date.max
    return any(
        other.is_open(ended + timedelta(days=1)) and (other.effective_date or date.min) <= last for other in others
    )
