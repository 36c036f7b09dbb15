"""A line of ours that a person has edited: restored, accepted for the time being, or left to a person's choice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal

from shared.billing.agreements import FieldValue
from shared.billing.counting.items import BillItem
from shared.billing.findings import Finding
from shared.billing.lines import LedgerRow, LineValues
from shared.billing.planning.choices import Choice, ChoiceKind
from shared.billing.planning.doubts import Edited, edits_of
from shared.billing.planning.matching import Owned, OwnLine
from shared.billing.planning.one_offs import charged_once
from shared.billing.planning.owed import still_owed
from shared.billing.planning.plan import Change, ChangeKind, Group
from shared.billing.planning.schedule import planned_quantities, without_copies, without_unused
from shared.billing.planning.sentences import monthly_effect
from shared.billing.planning.situation import ItemPlan, Situation, Target
from shared.billing.profiles import Decrease, DriftRule
from shared.billing.seats import SeatRecord
from shared.billing.wording import number, signed, spoken

_DEFAULTS = {DriftRule.RESTORE: ChoiceKind.RESTORE, DriftRule.ACCEPT: ChoiceKind.ACCEPT}


def plan_of_edited(
    item: BillItem,
    edited: Edited,
    quantity: Decimal,
    situation: Situation,
    observed: tuple[Finding, ...],
    seats: tuple[SeatRecord, ...],
    accepted_seats: Callable[[], tuple[SeatRecord, ...]],
    again: Callable[[Situation], ItemPlan],
) -> ItemPlan:
    """What becomes of an item of which a line was edited. `quantity` is what is counted; `again` plans the item anew.

    Accepted, the person's value stays until TrueUp would write something else than it would have when it was accepted;
    from then on it is what stands.
    """
    chosen = _chosen(item, edited.line, situation)
    if chosen is not None and chosen.kind is ChoiceKind.RESTORE:
        group = restored_by_choice(item, situation)
        if group is not None:
            return ItemPlan(group, observed, seats)
    if chosen is not None and chosen.kind is ChoiceKind.ACCEPT and _can_stay(item):
        wanted = _wanted(edited.wanted, quantity)
        if chosen.wanted in ("", wanted):
            keeps = replace(chosen, seen=_seen(edited.line, chosen), wanted=wanted)
            return ItemPlan(findings=observed, seats=accepted_seats(), choices=(keeps,))
        row = _accepted(edited.line)
        planned = again(_with_row(item, row, situation))
        known = {each.addition_id for each in planned.ledger}
        ledger = planned.ledger if row.addition_id in known else (*planned.ledger, row)
        return replace(planned, ledger=ledger, spent=(*planned.spent, chosen.subject))
    return ItemPlan(findings=(*observed, edited.finding), seats=seats, frozen=True)


def restored_by_choice(item: BillItem, situation: Situation) -> Group | None:
    """What brings the item's edited lines back to what TrueUp wrote, as far as that was chosen; None for nothing."""
    changes = [change for line in situation.owned[item.id].lines for change in _restored(item, line, situation)]
    return Group(item.id, tuple(changes)) if changes else None


def settled_as_it_stands(target: Target, record: SeatRecord, situation: Situation) -> SeatRecord:
    """The record when the line stays as a person made it: what periods would owe beyond it is not owed."""
    lines = [line for line in situation.owned[target.item.id].standing_lines if line.key == target.key]
    if not lines:
        return record
    stands, _ = without_unused(target, without_copies(lines)[0])
    last = stands[-1].addition
    quantity = last.quantity if last.cancelled_date is None else Decimal(0)
    planned = planned_quantities(target, stands, quantity, target.first_uninvoiced)
    charged = charged_once(target, situation).seats
    waived: defaultdict[date, Decimal] = defaultdict(Decimal)
    for owed in still_owed(record, target.calendar, target.profile.proration, planned, charged, target.as_of):
        waived[owed.period.start] += owed.quantity
    return record.waiving(waived)


def _chosen(item: BillItem, line: OwnLine, situation: Situation) -> Choice | None:
    """The person's choice for exactly this edit, else what the profile says of every edit."""
    chosen = situation.choices.get(item.id)
    if chosen is not None and chosen.seen.get(line.addition.id) == LineValues.of(line.addition):
        return chosen
    default = _DEFAULTS.get(item.profile.drift) if item.profile is not None else None
    return Choice(default, item.id) if default is not None else None


def _can_stay(item: BillItem) -> bool:
    """Where seats that go are credited, each day stands for itself: nothing can be settled by a person's value."""
    return item.profile is None or item.profile.proration.decrease is not Decrease.CREDIT


def _restored(item: BillItem, line: OwnLine, situation: Situation) -> list[Change]:
    """What brings an edited line back to what TrueUp wrote; nothing for one not edited, or of another product now."""
    row = line.recorded
    chosen = _chosen(item, line, situation)
    if row is None or chosen is None or chosen.kind is not ChoiceKind.RESTORE:
        return []
    before = LineValues.of(line.addition)
    names = edits_of(item, row, before)
    if not names or "product_id" in names:
        return []
    values: dict[str, FieldValue] = {name: getattr(row.values, name) for name in names}
    after = before.changed(**values)
    ends = before.cancelled_date is None and after.cancelled_date is not None
    effect = monthly_effect(before, None if ends else after)
    told = "; ".join(f"{name} {_said(after, name)} instead of {_said(before, name)}" for name in names)
    often = "an invoice" if line.key.is_standing else "once"
    return [
        Change(
            ChangeKind.END if ends else ChangeKind.UPDATE,
            line.key,
            line.addition.id,
            line.addition.product,
            before,
            after,
            "restored",
            f"{item.name}: our line {line.addition.id} says again what TrueUp wrote: {told}: {signed(effect)} {often}.",
            effect if line.key.is_standing else Decimal(0),
            Decimal(0) if line.key.is_standing else effect,
            keeps_price=row.keeps_price,
        )
    ]


def _seen(line: OwnLine, chosen: Choice) -> dict[int, LineValues]:
    return {**chosen.seen, line.addition.id: LineValues.of(line.addition)}


def _wanted(wanted: LineValues, quantity: Decimal) -> str:
    """What would be written, as text: the same text means that neither count nor rule has changed."""
    parts = (quantity, wanted.quantity, wanted.unit_price)
    rest = (wanted.cancelled_date, wanted.bill_customer, wanted.taxable_flag)
    return "/".join([*(number(part) for part in parts), *map(str, rest)])


def _accepted(line: OwnLine) -> LedgerRow:
    assert line.recorded is not None
    return replace(line.recorded, values=LineValues.of(line.addition))


def _with_row(item: BillItem, row: LedgerRow, situation: Situation) -> Situation:
    """The situation in which the ledger says of one line what the person made of it."""
    before = situation.owned[item.id]
    lines = [replace(line, recorded=row) if _is_of(row, line) else line for line in before.lines]
    rows = [row if _same(row, each) else each for each in before.rows]
    return replace(situation, owned={**situation.owned, item.id: Owned.of(lines, rows)}, choices={})


def _is_of(row: LedgerRow, line: OwnLine) -> bool:
    return (line.key.agreement, line.addition.id) == (row.key.agreement, row.addition_id)


def _same(row: LedgerRow, other: LedgerRow) -> bool:
    return (row.key.agreement, row.addition_id) == (other.key.agreement, other.addition_id)


def _said(values: LineValues, name: str) -> str:
    value = getattr(values, name)
    if isinstance(value, Decimal):
        return number(value)
    return spoken(value) if isinstance(value, date) else str(value)
