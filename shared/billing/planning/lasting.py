"""Lines of ours whose end a person moved later or took away, so that they bill beside others, or more than once."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from shared.billing.calendar import BillingCalendar
from shared.billing.counting.items import BillItem
from shared.billing.findings import Finding, FindingKind
from shared.billing.lines import LedgerRow, LineValues
from shared.billing.planning.edits import restored_by_choice
from shared.billing.planning.matching import OwnLine
from shared.billing.planning.situation import ItemPlan, Situation
from shared.billing.wording import money, spoken


def unless_one_lasts(item: BillItem, plan: ItemPlan, situation: Situation) -> ItemPlan:
    """The plan of an item, or where one of its lines bills longer than TrueUp left it, why nothing is written.

    The edit can be restored. It is not accepted, neither by a profile nor by a choice: that would bill twice.
    """
    edits = (_edited(item, line, situation) for line in situation.owned[item.id].lines)
    edited = next((edit for edit in edits if edit is not None), None)
    if edited is None:
        return plan
    others = tuple(each for each in plan.findings if (each.kind, each.key) != (FindingKind.DRIFT, item.id))
    restored = restored_by_choice(item, situation)
    if restored is not None:
        return replace(plan, group=restored, findings=others)
    return replace(plan, group=None, findings=(*others, edited), frozen=True)


def _edited(item: BillItem, line: OwnLine, situation: Situation) -> Finding | None:
    row, addition = line.recorded, line.addition
    agreement = situation.agreements.get(line.key.agreement)
    if row is None or agreement is None or agreement.agreement_status != "Active":
        return None
    amount = LineValues.of(addition).monthly()
    if not row.is_outlasted_by(addition) or amount == 0 or not _still_bills(line, situation):
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
