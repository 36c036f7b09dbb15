"""One line of a bill item tonight: brought up to date, created or adopted, and what periods still owe beyond it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from shared.billing.agreements import Addition
from shared.billing.calendar import Period
from shared.billing.changes import adoption, creation, removal
from shared.billing.findings import Finding, FindingKind
from shared.billing.history import goes_on_from, of_first_sync
from shared.billing.items import BillItem
from shared.billing.leaving import Leaving
from shared.billing.lines import LedgerRow, LineValues, is_adopted
from shared.billing.matching import OwnLine, why_not_adoptable
from shared.billing.one_offs import charged_once, one_offs
from shared.billing.plan import Change
from shared.billing.rules import FirstSync
from shared.billing.schedule import planned_quantities, refuse_rivals, standing_from, takes_effect, without_copies
from shared.billing.seats import SeatRecord
from shared.billing.situation import Doubt, Situation, Target
from shared.billing.tiers import part_of
from shared.billing.wording import number, spoken

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class LinePlan:
    """What is planned for one line; the fields mean what they mean in `ItemPlan`."""

    record: SeatRecord
    changes: tuple[Change, ...] = ()
    findings: tuple[Finding, ...] = ()
    ledger: tuple[LedgerRow, ...] = ()
    needs_all: bool = False


def plan_line(
    target: Target, quantity: Decimal, record: SeatRecord, leaving: Leaving, situation: Situation
) -> LinePlan:
    """What to write so that the line says `quantity`, and what periods owe beyond it. Raises `Doubt`."""
    lines = [line for line in situation.standing_lines(target.item) if line.key == target.key]
    if lines:
        return _up_to_date(target, lines, quantity, record, situation)
    if quantity == 0:
        return LinePlan(record)
    if situation.additions.unread:
        return LinePlan(record, needs_all=True)
    if _waits(target):
        return LinePlan(record)
    _refuse_strays(target, situation)
    found = _candidate(target, situation)
    if found is not None:
        return _adopted(target, found, quantity, record, situation)
    return _first(target, quantity, record, leaving, situation)


def has_begun(item: BillItem, day: date) -> bool:
    """Nothing is owed before the company's own start, or while it is not to be billed: then it rises from 0."""
    return item.not_before is None or item.not_before <= day


def _waits(target: Target) -> bool:
    """Whether the first uninvoiced period begins before the company's own start."""
    return not has_begun(target.item, max(target.first_uninvoiced.start, target.as_of))


def _up_to_date(
    target: Target, lines: list[OwnLine], quantity: Decimal, record: SeatRecord, situation: Situation
) -> LinePlan:
    """A line of ours stands, or stood: it is brought up to date, and what periods owe beyond it is added."""
    item = target.item
    reason = "nothing is counted any more"
    if _waits(target):
        quantity, reason = _ZERO, f"billing starts on {spoken(item.not_before or target.as_of)}"
    stands, copies = without_copies(lines)
    refuse_rivals(item, stands)
    if quantity > 0 and stands[-1].addition.cancelled_date is not None:
        if situation.additions.unread:
            return LinePlan(record, needs_all=True)
        _refuse_beside_others(target, situation)
    once = [line for line in situation.owned[item.id] if line.key == target.key.for_one_off()]
    copies += without_copies(once)[1]
    charged = charged_once(target, situation).seats
    standing = standing_from(target, stands, quantity, reason, charged_once=charged)
    owed = one_offs(target, record, standing.planned, standing.prices, situation)
    removals = [change for copy in copies for change in removal(target, copy)]
    changes = (*owed.changes, *removals, *standing.changes)
    return LinePlan(owed.record, changes, owed.untimely, _remembered(stands, situation))


def _candidate(target: Target, situation: Situation) -> Addition | None:
    """The line that people kept so far, to be adopted. Raises `Doubt` where a person has to decide."""
    item, product = target.item, target.product.identifier
    candidates = situation.open_lines((product, *target.profile.replaces), target.first_uninvoiced.start)
    if len(candidates) > 1 or (candidates and product.casefold() in situation.contested):
        raise Doubt(
            FindingKind.CANDIDATES,
            item.id,
            f"{item.name}: {len(candidates)} open line(s) of {product} could be meant "
            f"(additions {', '.join(str(line.id) for line in candidates)}), or several items share one.",
            "Leave one line per item: end the others in Manage, or give the items products of their own.",
        )
    if not candidates:
        return None
    found = candidates[0]
    start = max(target.first_uninvoiced, target.current).start
    confirmed = situation.company.adopt_marked
    obstacle = why_not_adoptable(
        found, target.key, target.product.id, start, situation.marks, marks_confirmed=confirmed
    )
    if target.tier is not None:
        obstacle = "a tiered price needs a line of its own for each tier"
    if obstacle is not None:
        raise Doubt(
            FindingKind.BLOCKED_CREATE,
            item.id,
            f"{item.name}: addition {found.id} ({number(found.quantity)} × {found.product}) already bills this; "
            f"it is not adopted, because {obstacle}.",
            "Adopt it, end it at a period's end, or create a line beside it.",
        )
    return found


def _first(target: Target, quantity: Decimal, record: SeatRecord, leaving: Leaving, situation: Situation) -> LinePlan:
    """A new line: from the first uninvoiced period on, or where the line that the item leaves has ended."""
    item, profile, calendar = target.item, target.profile, target.calendar
    if profile.update_only:
        raise Doubt(
            FindingKind.BLOCKED_CREATE,
            item.id,
            f"{item.name}: there is no line to update, and the profile {profile.id} never creates one.",
            f"Add a line of {profile.product} in Manage, or let the profile create lines.",
        )
    continues = goes_on_from(target, leaving.continues_on, situation)
    before = part_of(target.tier, leaving.quantity)
    begun, first_sync = of_first_sync(record, target, None, situation, continues, before)
    first = max(target.first_uninvoiced, target.current)
    if continues is not None:
        there = calendar.period_of(continues)
        seamless = there.start == continues and there >= target.first_uninvoiced
        if continues > target.as_of and not seamless:
            return LinePlan(record)
        first = max(first, there if there.start == continues else calendar.after(there))
    elif first_sync is FirstSync.PRORATE:
        first = takes_effect(calendar, profile.proration, target.as_of, rises=True)
    while leaving.last_day is not None and first.start <= leaving.last_day:
        first = calendar.after(first)
    new = creation(target, quantity, first)
    assert new.after is not None
    return _beginning(target, begun, quantity, first, new.after.unit_price, new, situation)


def _adopted(target: Target, found: Addition, quantity: Decimal, record: SeatRecord, situation: Situation) -> LinePlan:
    """The line that people kept becomes ours and says what is counted, from the first uninvoiced period on."""
    if target.first_uninvoiced < target.current and quantity != found.quantity:
        raise Doubt(
            FindingKind.CALENDAR_UNSUPPORTED,
            target.item.id,
            f"{target.item.name}: addition {found.id} says {number(found.quantity)} instead of {number(quantity)}, but "
            f"a period that is over is not invoiced yet; taking the line over now would change it.",
            f"Invoice agreement {target.agreement.id} up to today's period first.",
        )
    begun, _ = of_first_sync(record, target, found, situation)
    first = max(target.first_uninvoiced, target.current)
    change = adoption(target, found, quantity, first)
    return _beginning(target, begun, quantity, first, found.unit_price, change, situation)


def _beginning(
    target: Target,
    begun: SeatRecord,
    quantity: Decimal,
    first: Period,
    price: Decimal,
    change: Change,
    situation: Situation,
) -> LinePlan:
    planned = planned_quantities(target, [], quantity, first)
    owed = one_offs(target, begun, planned, (price, price), situation)
    return LinePlan(owed.record, (*owed.changes, change), owed.untimely)


def _refuse_beside_others(target: Target, situation: Situation) -> None:
    """After a line of ours has ended somebody may have begun one by hand: nothing is created beside it."""
    _refuse_strays(target, situation)
    products = (target.product.identifier, *target.profile.replaces)
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
        if stray.product.casefold() == target.product.identifier.casefold():
            raise Doubt(
                FindingKind.BLOCKED_CREATE,
                target.item.id,
                f"{target.item.name}: addition {stray.id} carries a TrueUp stamp that was not written for it; no line "
                f"of {target.product.identifier} is created beside it.",
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
