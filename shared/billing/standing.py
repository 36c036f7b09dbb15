"""The standing line of one bill item: find it, say what it should be, and what to write for that.

Every doubt freezes: the line stays as it is and a finding says why.
"""

from __future__ import annotations

from decimal import Decimal

from shared.billing.agreements import Agreement
from shared.billing.calendar import Period, Unsupported, calendar_of
from shared.billing.changes import adoption, creation, ending, removal, update
from shared.billing.doubts import agreement_for, next_period, product_for, refuse_paused
from shared.billing.findings import Finding, FindingKind
from shared.billing.items import BillItem
from shared.billing.lines import LedgerRow, LineKey, LineValues, is_adopted
from shared.billing.matching import OwnLine, open_lines, why_not_adoptable
from shared.billing.plan import Change, Group
from shared.billing.quantities import control_difference, purchased, quantity_of
from shared.billing.rules import Basis, BillingProfile
from shared.billing.seats import SeatRecord
from shared.billing.situation import Doubt, ItemPlan, Situation, Target
from shared.billing.wording import number, spoken


def plan_item(item: BillItem, situation: Situation) -> ItemPlan:
    """What to write for one bill item, or why it is left alone."""
    if item.unknown is not None:
        return ItemPlan(findings=_unlinked(item, situation), frozen=True)
    if item.id in situation.in_doubt:
        return ItemPlan(frozen=True)
    observed = _observations(item)
    seats = None
    try:
        if item.profile is None:
            return _planned(item, _endings(item, situation), observed)
        quantity = _quantity(item, item.profile)
        if quantity == 0 and not situation.owned[item.id]:
            return ItemPlan(findings=(*observed, *_billed_for_nothing(item, item.profile, situation)))
        agreement = agreement_for(item, item.profile, situation)
        key = LineKey(situation.company.company, agreement.id, item.id)
        seats = _seats(key, agreement, quantity, situation)
        if quantity > 0:
            refuse_paused(item, situation)
        period = next_period(item, agreement, situation.as_of)
        product = product_for(item.profile, situation)
        target = Target(item, item.profile, agreement, period, product, key)
        return _plan_line(target, quantity, situation, observed, seats)
    except Doubt as doubt:
        return ItemPlan(findings=(*observed, doubt.finding), seats=seats, frozen=True)


def _plan_line(
    target: Target, quantity: Decimal, situation: Situation, observed: tuple[Finding, ...], seats: SeatRecord
) -> ItemPlan:
    item, period = target.item, target.period
    reason = "nothing is counted any more"
    if item.not_before is not None and item.not_before > period.start:
        quantity, reason = Decimal(0), f"billing starts on {spoken(item.not_before)}"
    lines = [line for line in situation.owned[item.id] if line.key == target.key and _bills_from(line, period)]
    line, copies = _one_line(item, lines)
    removals = [removal(item, copy, period) for copy in copies]
    if line is None:
        if quantity == 0:
            return _planned(item, removals, observed, seats)
        return _plan_first(target, quantity, situation, observed, seats)
    if quantity == 0:
        changes = [*removals, *ending(item, line, period, reason)]
    else:
        changes = [*removals, *update(target, line, quantity, situation.as_of)]
    return _planned(item, changes, observed, seats, _remembered(line, situation))


def _plan_first(
    target: Target, quantity: Decimal, situation: Situation, observed: tuple[Finding, ...], seats: SeatRecord
) -> ItemPlan:
    """A new line, or the adoption of the one that people kept so far."""
    item, profile, product = target.item, target.profile, target.product
    new = creation(target, quantity)
    if situation.owned[item.id]:
        return _planned(item, [new], observed, seats)
    if situation.additions.unread:
        return ItemPlan(findings=observed, seats=seats, frozen=True, needs_all=True)
    _refuse_strays(item, profile, situation)
    candidates = open_lines(
        (profile.product, *profile.replaces),
        situation.agreements.values(),
        situation.additions,
        target.period.start,
        situation.known_additions(),
    )
    if len(candidates) > 1 or (candidates and profile.product.casefold() in situation.contested):
        raise Doubt(
            FindingKind.CANDIDATES,
            item.id,
            f"{item.name}: {len(candidates)} open line(s) of {profile.product} could be meant "
            f"(additions {', '.join(str(line.id) for line in candidates)}), or several items share one.",
            "Leave one line per item: end the others in Manage, or give the items products of their own.",
        )
    if candidates:
        found = candidates[0]
        obstacle = why_not_adoptable(
            found, target.agreement.id, product.id, situation.marks, marks_confirmed=situation.company.adopt_marked
        )
        if obstacle is None:
            return _planned(item, [adoption(target, found, quantity)], observed, seats)
        raise Doubt(
            FindingKind.BLOCKED_CREATE,
            item.id,
            f"{item.name}: addition {found.id} ({number(found.quantity)} × {found.product}) already bills this; it is "
            f"not adopted, because {obstacle}.",
            "Adopt it, end it at a period's end, or create a line beside it.",
        )
    if profile.update_only:
        raise Doubt(
            FindingKind.BLOCKED_CREATE,
            item.id,
            f"{item.name}: there is no line to update, and the profile {profile.id} never creates one.",
            f"Add a line of {profile.product} in Manage, or let the profile create lines.",
        )
    return _planned(item, [new], observed, seats)


def _endings(item: BillItem, situation: Situation) -> list[Change]:
    """Our lines of an item that is not to be billed, each ended on its own agreement."""
    changes: list[Change] = []
    for line in situation.owned[item.id]:
        agreement = situation.agreements.get(line.key.agreement)
        over = line.addition.cancelled_date is not None and line.addition.cancelled_date < situation.as_of
        if agreement is None or agreement.agreement_status != "Active" or over:
            continue
        period = next_period(item, agreement, situation.as_of)
        if _bills_from(line, period):
            changes += ending(item, line, period, "it is not to be billed")
    return changes


def _quantity(item: BillItem, profile: BillingProfile) -> Decimal:
    if item.licence is not None and item.licence.quantity is not None:
        return item.licence.quantity
    if profile.quantity.basis is not Basis.ASSIGNED:
        for count in item.counts:
            difference = control_difference(count)
            if difference is not None:
                raise Doubt(
                    FindingKind.CONTROL_TOTAL,
                    f"{item.id}/{count.customer}",
                    f"{item.name}: {difference}; nothing is changed.",
                    "Wait a night; if it stays, compare the subscriptions in the vendor's portal.",
                )
    quantity = quantity_of(item.counts, profile.quantity)
    if quantity is None:
        raise Doubt(
            FindingKind.READ_FAILED,
            item.id,
            f"{item.name}: the vendor does not tell how many are assigned.",
            "Bill this item by what is purchased.",
        )
    return quantity


def _observations(item: BillItem) -> tuple[Finding, ...]:
    """What a clerk wants to know of an item, whatever is planned for it."""
    if item.profile is None or item.profile.quantity.basis is not Basis.PURCHASED:
        return ()
    return tuple(
        Finding(
            FindingKind.UNASSIGNED,
            f"{item.id}/{count.customer}",
            f"{item.name}: {number(bought - count.assigned)} of {number(bought)} licences are assigned to nobody.",
            "Tell the customer, or reduce the subscription at its next renewal.",
        )
        for count in item.counts
        if count.assigned is not None and (bought := purchased(count, item.profile.quantity)) > count.assigned
    )


def _unlinked(item: BillItem, situation: Situation) -> tuple[Finding, ...]:
    """Lines of ours whose company link is gone; a failed reading has a finding of its own."""
    linked = any(link.source == item.source for link in situation.company.links)
    if linked or not situation.owned[item.id]:
        return ()
    return (
        Finding(
            FindingKind.UNMAPPED,
            f"link/{item.id}",
            f"{item.name}: our line stands, but {item.unknown}; it is left alone.",
            "Link the company to its customer again, say that the item is not billed, or end the line by hand.",
        ),
    )


def _billed_for_nothing(item: BillItem, profile: BillingProfile, situation: Situation) -> tuple[Finding, ...]:
    """A line that is not ours and bills a product of which nothing is counted: a person must look."""
    if profile.product.casefold() in situation.contested or profile.product.casefold() in situation.counted:
        return ()
    lines = open_lines(
        [profile.product],
        situation.agreements.values(),
        situation.additions,
        situation.as_of,
        situation.known_additions(),
    )
    return tuple(
        Finding(
            FindingKind.CANDIDATES,
            f"{item.id}/{line.id}",
            f"{item.name}: addition {line.id} bills {number(line.quantity)} × {line.product}, but nothing is counted.",
            "End the line in Manage if the customer does not have it any more.",
        )
        for line in lines
        if line.quantity > 0
    )


def _refuse_strays(item: BillItem, profile: BillingProfile, situation: Situation) -> None:
    for stray in situation.strays:
        if stray.product.casefold() == profile.product.casefold():
            raise Doubt(
                FindingKind.BLOCKED_CREATE,
                item.id,
                f"{item.name}: addition {stray.id} carries a TrueUp stamp that was not written for it; no line of "
                f"{profile.product} is created beside it.",
                "Clear its serial number to let TrueUp adopt it, or end it.",
            )


def _one_line(item: BillItem, lines: list[OwnLine]) -> tuple[OwnLine | None, list[OwnLine]]:
    """The line to keep, and our own copies of it: two additions with one identity, the unrecorded one goes first."""
    if not lines:
        return None, []
    if len({line.addition.serial_number for line in lines}) > 1:
        raise Doubt(
            FindingKind.CANDIDATES,
            item.id,
            f"{item.name}: lines of ours overlap (additions {', '.join(str(line.addition.id) for line in lines)}).",
            "End the one that should not stay.",
        )
    kept = min(lines, key=lambda line: (line.recorded is None, line.addition.id))
    return kept, [line for line in lines if line is not kept]


def _bills_from(line: OwnLine, period: Period) -> bool:
    return line.addition.cancelled_date is None or line.addition.cancelled_date >= period.start


def _seats(key: LineKey, agreement: Agreement, quantity: Decimal, situation: Situation) -> SeatRecord:
    """The seat record with tonight's reading, written whatever is planned."""
    calendar = calendar_of(agreement, situation.as_of)
    first = None if isinstance(calendar, Unsupported) else calendar.first_uninvoiced.start
    record = situation.seats.get(str(key), SeatRecord(str(key)))
    return record.with_reading(situation.as_of, quantity, first)


def _remembered(line: OwnLine, situation: Situation) -> tuple[LedgerRow, ...]:
    """The ledger row of a line as it stands, where the store had lost it or a person corrected it as we would have."""
    values = LineValues.of(line.addition)
    if line.recorded is not None and line.recorded.values == values:
        return ()
    keeps = line.recorded.keeps_price if line.recorded is not None else is_adopted(line.addition)
    written = line.recorded.text_written if line.recorded is not None else situation.as_of
    stamp = line.addition.serial_number
    return (LedgerRow(stamp, line.key, line.addition.id, line.addition.product, values, keeps, written),)


def _planned(
    item: BillItem,
    changes: list[Change],
    findings: tuple[Finding, ...],
    seats: SeatRecord | None = None,
    ledger: tuple[LedgerRow, ...] = (),
) -> ItemPlan:
    group = Group(item.id, tuple(changes)) if changes else None
    return ItemPlan(group, findings, seats, ledger)
