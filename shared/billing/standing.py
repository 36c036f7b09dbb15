"""One bill item tonight: find its lines, say what they should be from when on, and what periods still owe.

Every doubt freezes: the lines stay as they are and a finding says why.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from shared.billing.agreements import Addition
from shared.billing.calendar import Period, Unsupported, calendar_of
from shared.billing.changes import adoption, creation, ending, one_off, removal
from shared.billing.doubts import agreement_for, calendar_for, is_paused, product_for, refuse_paused
from shared.billing.findings import Finding, FindingKind
from shared.billing.history import kept, not_billed, of_first_sync, of_standing_lines, with_tonight
from shared.billing.items import BillItem
from shared.billing.lines import LedgerRow, LineKey, LineValues, is_adopted, stamped_date
from shared.billing.matching import OwnLine, why_not_adoptable
from shared.billing.observations import billed_for_nothing, measured, unassigned, unknown
from shared.billing.owed import Owed, still_owed
from shared.billing.plan import Change, Group
from shared.billing.rules import FirstSync, Proration
from shared.billing.schedule import planned_quantities, refuse_rivals, standing_from, takes_effect, without_copies
from shared.billing.seats import SeatRecord
from shared.billing.situation import Doubt, ItemPlan, Situation, Target
from shared.billing.wording import number, spoken


def plan_item(item: BillItem, situation: Situation) -> ItemPlan:
    """What to write for one bill item, or why it is left alone."""
    if item.unknown is not None:
        return ItemPlan(findings=unknown(item, situation), frozen=True)
    if item.id in situation.in_doubt:
        return ItemPlan(frozen=True)
    observed = unassigned(item)
    seats = None
    try:
        if item.profile is None:
            dealt_with = tuple(row.stamp for row in situation.standing_rows(item) if is_paused(row, situation))
            ended = _planned(item, _endings(item, situation), observed)
            return replace(ended, forgotten=dealt_with, seats=not_billed(item, situation))
        quantity = measured(item, item.profile)
        if quantity == 0 and not situation.owned[item.id]:
            findings = (*observed, *billed_for_nothing(item, item.profile, situation))
            return ItemPlan(findings=findings, seats=not_billed(item, situation))
        agreement = agreement_for(item, item.profile, situation)
        key = LineKey(situation.company.company, agreement.id, item.id)
        read = calendar_of(agreement, situation.as_of, situation.company.billed_through.get(agreement.id))
        existing = quantity if _has_begun(item, situation.as_of) else Decimal(0)
        seats = with_tonight(key, None if isinstance(read, Unsupported) else read, existing, situation)
        calendar = calendar_for(item, agreement, situation)
        target = Target(
            item, item.profile, agreement, calendar, product_for(item.profile, situation), key, situation.as_of
        )
        lines = [line for line in situation.standing_lines(item) if line.key == key]
        if lines:
            seats = of_standing_lines(seats, target, lines, situation)
        if quantity > 0:
            refuse_paused(item, situation)
        if lines:
            return _plan_lines(target, lines, quantity, situation, observed, seats)
        if quantity == 0:
            return ItemPlan(findings=observed, seats=kept(seats, situation.company.mode))
        return _plan_first(target, quantity, situation, observed, seats)
    except Doubt as doubt:
        remembered = kept(seats, situation.company.mode)
        return ItemPlan(findings=(*observed, doubt.finding), seats=remembered, frozen=True)


def _plan_lines(
    target: Target,
    lines: list[OwnLine],
    quantity: Decimal,
    situation: Situation,
    observed: tuple[Finding, ...],
    seats: SeatRecord,
) -> ItemPlan:
    """An item with lines of ours: they are brought up to date, and what periods owe beyond them is added."""
    item = target.item
    reason = "nothing is counted any more"
    if _waits(target):
        quantity, reason = Decimal(0), f"billing starts on {spoken(item.not_before or target.as_of)}"
    stands, copies = without_copies(lines)
    refuse_rivals(item, stands)
    if quantity > 0 and stands[-1].addition.cancelled_date is not None:
        if situation.additions.unread:
            return ItemPlan(findings=observed, seats=kept(seats, situation.company.mode), frozen=True, needs_all=True)
        _refuse_beside_others(target, situation)
    one_offs = [line for line in situation.owned[item.id] if line.key == target.key.for_one_off()]
    copies += without_copies(one_offs)[1]
    standing = standing_from(target, stands, quantity, reason, charged_once=_charged_once(target, situation)[1])
    owed = _one_offs(target, seats, standing.planned, standing.prices, situation)
    removals = [change for copy in copies for change in removal(target, copy)]
    changes = [*owed.changes, *removals, *standing.changes]
    remembered = kept(owed.seats, situation.company.mode)
    return _planned(item, changes, (*observed, *owed.untimely), remembered, _remembered(stands, situation))


def _plan_first(
    target: Target, quantity: Decimal, situation: Situation, observed: tuple[Finding, ...], seats: SeatRecord
) -> ItemPlan:
    """A new line, or the adoption of the one that people kept so far."""
    item, profile = target.item, target.profile
    if situation.additions.unread:
        return ItemPlan(findings=observed, seats=kept(seats, situation.company.mode), frozen=True, needs_all=True)
    if _waits(target):
        return ItemPlan(findings=observed, seats=kept(seats, situation.company.mode))
    _refuse_strays(target, situation)
    candidates = situation.open_lines((profile.product, *profile.replaces), target.first_uninvoiced.start)
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
        start = max(target.first_uninvoiced, target.current).start
        confirmed = situation.company.adopt_marked
        obstacle = why_not_adoptable(
            found, target.key, target.product.id, start, situation.marks, marks_confirmed=confirmed
        )
        if obstacle is not None:
            raise Doubt(
                FindingKind.BLOCKED_CREATE,
                item.id,
                f"{item.name}: addition {found.id} ({number(found.quantity)} × {found.product}) already bills this; "
                f"it is not adopted, because {obstacle}.",
                "Adopt it, end it at a period's end, or create a line beside it.",
            )
        return _adopt(target, found, quantity, situation, observed, seats)
    if profile.update_only:
        raise Doubt(
            FindingKind.BLOCKED_CREATE,
            item.id,
            f"{item.name}: there is no line to update, and the profile {profile.id} never creates one.",
            f"Add a line of {profile.product} in Manage, or let the profile create lines.",
        )
    seats, first_sync = of_first_sync(seats, target, None, situation)
    prorated = first_sync is FirstSync.PRORATE
    first = (
        takes_effect(target.calendar, profile.proration, target.as_of, rises=True)
        if prorated
        else max(target.first_uninvoiced, target.current)
    )
    new = creation(target, quantity, _after_lines_elsewhere(target, first, situation))
    assert new.after is not None
    planned = planned_quantities(target, [], quantity, first)
    owed = _one_offs(target, seats, planned, (new.after.unit_price, new.after.unit_price), situation)
    remembered = kept(owed.seats, situation.company.mode)
    return _planned(item, [*owed.changes, new], (*observed, *owed.untimely), remembered)


def _adopt(
    target: Target,
    found: Addition,
    quantity: Decimal,
    situation: Situation,
    observed: tuple[Finding, ...],
    seats: SeatRecord,
) -> ItemPlan:
    """The line that people kept becomes ours and says what is counted, from the first uninvoiced period on."""
    if target.first_uninvoiced < target.current and quantity != found.quantity:
        raise Doubt(
            FindingKind.CALENDAR_UNSUPPORTED,
            target.item.id,
            f"{target.item.name}: addition {found.id} says {number(found.quantity)} instead of {number(quantity)}, but "
            f"a period that is over is not invoiced yet; taking the line over now would change it.",
            f"Invoice agreement {target.agreement.id} up to today's period first.",
        )
    begun, _ = of_first_sync(seats, target, found, situation)
    first = max(target.first_uninvoiced, target.current)
    planned = planned_quantities(target, [], quantity, first)
    owed = _one_offs(target, begun, planned, (found.unit_price, found.unit_price), situation)
    remembered = kept(owed.seats, situation.company.mode)
    changes = [*owed.changes, adoption(target, found, quantity, first)]
    return _planned(target.item, changes, (*observed, *owed.untimely), remembered)


def _after_lines_elsewhere(target: Target, start: Period, situation: Situation) -> Period:
    """A line that moves to another agreement goes on after the last day that the item was billed on the old one."""
    last_days = [
        line.addition.cancelled_date
        for line in situation.standing_lines(target.item)
        if line.key != target.key and line.addition.cancelled_date is not None and line.addition.quantity > 0
    ]
    while last_days and start.start <= max(last_days):
        start = target.calendar.after(start)
    return start


def _has_begun(item: BillItem, day: date) -> bool:
    """Nothing is owed before the company's own start, or while it is not to be billed: then it rises from 0."""
    return item.not_before is None or item.not_before <= day


def _waits(target: Target) -> bool:
    """Whether the first uninvoiced period begins before the company's own start."""
    return not _has_begun(target.item, max(target.first_uninvoiced.start, target.as_of))


@dataclass(frozen=True, slots=True)
class _Owed:
    """One-off lines, what is owed but cannot be billed inside the agreement, and the record with what is waived."""

    changes: list[Change]
    untimely: list[Finding]
    seats: SeatRecord


def _one_offs(
    target: Target,
    seats: SeatRecord,
    planned: Mapping[date, Decimal],
    prices: tuple[Decimal, Decimal],
    situation: Situation,
) -> _Owed:
    """What periods owe beyond the standing line. `prices` are those of invoiced periods and of the others.

    What comes to nothing, is not charged at all or is left to a person counts as charged: it never comes up again.
    """
    numbers, charged = _charged_once(target, situation)
    changes: list[Change] = []
    untimely: list[Finding] = []
    waived: dict[date, Decimal] = {}
    pending: set[date] = set()
    for owed in still_owed(seats, target.calendar, target.profile.proration, planned, charged, target.as_of):
        price = prices[0] if owed.period < target.first_uninvoiced else prices[1]
        change = one_off(target, owed, price, numbers[owed.day] + 1)
        timely = target.calendar.is_whole_inside(owed.billed_in)
        if change is not None and timely and _has_begun(target.item, owed.day):
            numbers[owed.day] += 1
            changes.append(change)
            pending.add(owed.period.start)
            continue
        waived[owed.period.start] = waived.get(owed.period.start, Decimal(0)) + owed.quantity
        if change is not None and not timely:
            untimely.append(_untimely(target, owed, change))
    # Seats are counted from the first one up: none may pass for charged while one before it is only planned.
    settled = {start: quantity for start, quantity in waived.items() if start not in pending}
    return _Owed(changes, untimely, seats.waiving(settled))


def _charged_once(target: Target, situation: Situation) -> tuple[Counter[date], dict[date, Decimal]]:
    """How many one-off lines there are by the day since which they charge, and the seats they charge by period.

    A one-off line that a person changed or deleted has been dealt with: what we wrote counts.
    """
    key = target.key.for_one_off()
    rows = {row.stamp: row.values.quantity for row in situation.ledger if row.key == key}
    for line in situation.owned[target.item.id]:
        if line.key == key:
            rows.setdefault(line.addition.serial_number.strip(), line.addition.quantity)
    numbers: Counter[date] = Counter()
    charged: dict[date, Decimal] = {}
    for stamp, quantity in rows.items():
        day = stamped_date(stamp)
        if day is not None:
            numbers[day] += 1
            start = target.calendar.period_of(day).start
            charged[start] = charged.get(start, Decimal(0)) + quantity
    return numbers, charged


def _untimely(target: Target, owed: Owed, change: Change) -> Finding:
    return Finding(
        FindingKind.CALENDAR_UNSUPPORTED,
        f"{target.item.id}/{owed.day.isoformat()}",
        f"{change.sentence} It is not written: that period does not lie wholly inside agreement {target.agreement.id}.",
        "Bill the amount by hand.",
    )


def _endings(item: BillItem, situation: Situation) -> list[Change]:
    """Our lines of an item that is not to be billed, each ended on its own agreement."""
    changes: list[Change] = []
    for line in situation.standing_lines(item):
        agreement = situation.agreements.get(line.key.agreement)
        over = line.addition.cancelled_date is not None and line.addition.cancelled_date < situation.as_of
        if agreement is None or agreement.agreement_status != "Active" or over:
            continue
        calendar = calendar_for(item, agreement, situation)
        start = takes_effect(calendar, Proration(), situation.as_of, rises=False)
        changes += ending(item, line, start, "it is not to be billed")
    return changes


def _refuse_beside_others(target: Target, situation: Situation) -> None:
    """After a line of ours has ended somebody may have begun one by hand: nothing is created beside it."""
    _refuse_strays(target, situation)
    products = (target.profile.product, *target.profile.replaces)
    for line in situation.open_lines(products, target.first_uninvoiced.start):
        raise Doubt(
            FindingKind.BLOCKED_CREATE,
            target.item.id,
            f"{target.item.name}: addition {line.id} ({number(line.quantity)} × {line.product}) bills this since our "
            "line ended; no line is created beside it.",
            "End that line at a period's end, or go on billing this item by hand and say that it is not billed.",
        )


def _refuse_strays(target: Target, situation: Situation) -> None:
    for stray in situation.strays:
        if stray.product.casefold() == target.profile.product.casefold():
            raise Doubt(
                FindingKind.BLOCKED_CREATE,
                target.item.id,
                f"{target.item.name}: addition {stray.id} carries a TrueUp stamp that was not written for it; no line "
                f"of {target.profile.product} is created beside it.",
                "Clear its serial number to let TrueUp adopt it, or end it.",
            )


def _remembered(lines: list[OwnLine], situation: Situation) -> tuple[LedgerRow, ...]:
    """Ledger rows of lines as they stand, where the store had lost them or a person corrected them as we would have.

    That a person ended a line, or took its end back, is not made ours.
    """
    rows: list[LedgerRow] = []
    for line in lines:
        values = LineValues.of(line.addition)
        if line.recorded is not None and line.recorded.values == values:
            continue
        if line.recorded is not None and line.recorded.values.cancelled_date != values.cancelled_date:
            continue
        keeps = line.recorded.keeps_price if line.recorded is not None else is_adopted(line.addition)
        written = line.recorded.text_written if line.recorded is not None else situation.as_of
        stamp = line.addition.serial_number.strip() or (line.recorded.stamp if line.recorded is not None else "")
        rows.append(LedgerRow(stamp, line.key, line.addition.id, line.addition.product, values, keeps, written))
    return tuple(rows)


def _planned(
    item: BillItem,
    changes: list[Change],
    findings: tuple[Finding, ...],
    seats: tuple[SeatRecord, ...] = (),
    ledger: tuple[LedgerRow, ...] = (),
) -> ItemPlan:
    group = Group(item.id, tuple(changes)) if changes else None
    return ItemPlan(group, findings, seats, ledger)
