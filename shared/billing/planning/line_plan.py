"""One line of a bill item tonight: brought up to date, created or adopted, and what periods still owe beyond it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from shared.billing.agreements import Addition
from shared.billing.calendar import Period
from shared.billing.counting.items import BillItem
from shared.billing.findings import Finding, FindingKind
from shared.billing.lines import LedgerRow, LineValues
from shared.billing.planning.changes import adoption, creation, ending_of_another, removal
from shared.billing.planning.choices import ABOUT_OTHERS, ChoiceKind, chosen_about_others
from shared.billing.planning.doubts import calendar_for
from shared.billing.planning.history import at_price, of_first_sync
from shared.billing.planning.leaving import Leaving
from shared.billing.planning.matching import OwnLine, why_not_adoptable, why_not_even_chosen
from shared.billing.planning.moves import goes_on_from
from shared.billing.planning.one_offs import charged_once, one_offs
from shared.billing.planning.plan import Change, ChangeKind
from shared.billing.planning.pricing import refuse_below_cost
from shared.billing.planning.schedule import (
    planned_quantities,
    refuse_rivals,
    standing_from,
    takes_effect,
    without_copies,
    without_unused,
)
from shared.billing.planning.situation import Doubt, Situation, Target
from shared.billing.planning.tiers import part_of
from shared.billing.profiles import BillOption, FirstSync
from shared.billing.seats import SeatRecord
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
    lines = [line for line in situation.owned[target.item.id].standing_lines if line.key == target.key]
    if lines and not (quantity > 0 and _is_never_followed(target, lines)):
        return _up_to_date(target, lines, quantity, record, leaving, situation)
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


def _is_never_followed(target: Target, lines: Iterable[OwnLine]) -> bool:
    """Whether lines of ours have ended that a profile which only updates leaves to a person to follow."""
    return target.profile.update_only and all(line.addition.cancelled_date is not None for line in lines)


def has_begun(item: BillItem, day: date) -> bool:
    """Nothing is owed before the company's own start, or while it is not to be billed: then it rises from 0."""
    return item.not_before is None or item.not_before <= day


def _waits(target: Target) -> bool:
    """Whether the first uninvoiced period begins before the company's own start."""
    return not has_begun(target.item, max(target.first_uninvoiced.start, target.as_of))


def _up_to_date(
    target: Target, lines: list[OwnLine], quantity: Decimal, record: SeatRecord, leaving: Leaving, situation: Situation
) -> LinePlan:
    """A line of ours stands, or stood: it is brought up to date, and what periods owe beyond it is added."""
    item = target.item
    reason = "nothing is counted any more"
    if _waits(target):
        quantity, reason = _ZERO, f"billing starts on {spoken(item.not_before or target.as_of)}"
    stands, copies = without_copies(lines)
    stands, unused = without_unused(target, stands)
    refuse_rivals(item, stands)
    if quantity > 0 and stands[-1].addition.cancelled_date is not None:
        if situation.additions.unread:
            return LinePlan(record, needs_all=True)
        refuse_beside_others(target, situation)
    once = situation.owned[item.id].one_off_lines
    copies += without_copies([line for line in once if line.key == target.key.for_one_off()])[1]
    charged = charged_once(target, situation)
    standing = standing_from(target, stands, quantity, reason, charged.seats, leaving.last_day, unused)
    owed = one_offs(_as_billed(target, stands[-1]), record, standing.planned, standing.prices, charged)
    removals = [change for copy in copies for change in removal(target, copy)]
    ends = [end for start in _created(standing.changes, target) for end in ends_others(target, start, situation)]
    changes = (*owed.changes, *removals, *ends, *standing.changes)
    return LinePlan(owed.record, changes, owed.untimely, _remembered([*stands, *unused], situation))


def _as_billed(target: Target, line: OwnLine) -> Target:
    """Beside an adopted line that is not billed, as a person wants it, nothing is charged either."""
    if not line.is_as_adopted or line.addition.bill_customer == BillOption.BILLABLE:
        return target
    return replace(target, profile=replace(target.profile, bill_option=BillOption.DO_NOT_BILL))


def _created(changes: Iterable[Change], target: Target) -> list[Period]:
    """From which period on new lines of ours bill."""
    made = [change.after for change in changes if change.kind is ChangeKind.CREATE and change.after is not None]
    return [target.calendar.period_of(after.effective_date) for after in made if after.effective_date is not None]


def _candidate(target: Target, situation: Situation) -> Addition | None:
    """The line that people kept so far, to be adopted. Raises `Doubt` where a person has to decide."""
    item, product = target.item, target.product.identifier
    beside = chosen_about_others(situation.choices, item.id, ChoiceKind.END_OTHER, ChoiceKind.CREATE_ANYWAY)
    candidates = [line for line in _open_others(target, situation) if line.id not in beside]
    chosen = chosen_about_others(situation.choices, item.id, ChoiceKind.ADOPT)
    to_adopt = [line for line in candidates if line.id in chosen]
    if len(to_adopt) == 1:
        return _chosen_candidate(target, to_adopt[0])
    if len(candidates) > 1 or (candidates and product.casefold() in situation.contested):
        raise Doubt(
            FindingKind.CANDIDATES,
            item.id,
            f"{item.name}: {len(candidates)} open line(s) of {product} could be meant "
            f"(additions {', '.join(str(line.id) for line in candidates)}), or several items share one.",
            "Adopt one of them, end the other, or create a line beside them; or give the items products of their own.",
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


def _chosen_candidate(target: Target, found: Addition) -> Addition:
    """The line that a person chose to adopt. Raises `Doubt` where it cannot be the line of this item."""
    start = max(target.first_uninvoiced, target.current).start
    obstacle = why_not_even_chosen(found, target.key, target.product.id, start)
    if target.tier is not None:
        obstacle = "a tiered price needs a line of its own for each tier"
    if obstacle is not None:
        raise Doubt(
            FindingKind.BLOCKED_CREATE,
            target.item.id,
            f"{target.item.name}: addition {found.id} was to be adopted, but that cannot be, because {obstacle}.",
            "End that line where ours begins, or create a line beside it.",
        )
    return found


def _open_others(target: Target, situation: Situation) -> list[Addition]:
    """Lines that are not ours and bill the same from the first uninvoiced period on."""
    products = (*target.products, *target.profile.replaces)
    return situation.open_lines(products, target.first_uninvoiced.start)


def ends_others(target: Target, start: Period, situation: Situation) -> tuple[Change, ...]:
    """The ends of those lines that a person wants to end where ours begins. Raises `Doubt` where they cannot."""
    chosen = chosen_about_others(situation.choices, target.item.id, ChoiceKind.END_OTHER)
    return tuple(
        _end_of_another(target, line, start, situation) for line in _open_others(target, situation) if line.id in chosen
    )


def _end_of_another(target: Target, line: Addition, start: Period, situation: Situation) -> Change:
    calendar = calendar_for(target.item, situation.agreements[line.agreement_id], situation)
    if calendar.period_of(start.start).start != start.start or calendar.first_uninvoiced.start > start.start:
        raise Doubt(
            FindingKind.BLOCKED_CREATE,
            target.item.id,
            f"{target.item.name}: addition {line.id} stands on agreement {line.agreement_id}, which does not begin a "
            f"period that is not invoiced on {spoken(start.start)}; it is not ended there.",
            "End that line by hand at the end of one of its periods.",
        )
    return ending_of_another(target, line, start)


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
    ends = ends_others(target, first, situation)
    plan = _beginning(target, begun, quantity, first, new.after.unit_price, new, situation)
    return replace(plan, changes=(*ends, *plan.changes))


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
    if target.retroactive and target.was_invoiced(found) and quantity != found.quantity:
        raise Doubt(
            FindingKind.BLOCKED_CREATE,
            target.item.id,
            f"{target.item.name}: addition {found.id} says {number(found.quantity)} instead of {number(quantity)} and "
            "was invoiced already; taken over, it would be billed the difference for its last invoiced period as well.",
            "Correct its quantity by hand, or end it at a period's end: a line of ours then goes on.",
        )
    refuse_below_cost(target, found.unit_price)
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
    owed = one_offs(target, at_price(begun, price), planned, (price, price), charged_once(target, situation))
    return LinePlan(owed.record, (*owed.changes, change), owed.untimely)


def refuse_beside_others(target: Target, situation: Situation) -> None:
    """Nothing is created beside a line that somebody keeps by hand, also where one of ours stood before."""
    _refuse_strays(target, situation)
    beside = chosen_about_others(situation.choices, target.item.id, ChoiceKind.END_OTHER, ChoiceKind.CREATE_ANYWAY)
    for line in _open_others(target, situation):
        if line.id in beside:
            continue
        raise Doubt(
            FindingKind.BLOCKED_CREATE,
            target.item.id,
            f"{target.item.name}: addition {line.id} ({number(line.quantity)} × {line.product}) bills this and is "
            "not ours; no line is created beside it.",
            "End that line where ours begins, create ours beside it, or say that this item is not billed.",
        )


def _refuse_strays(target: Target, situation: Situation) -> None:
    chosen = chosen_about_others(situation.choices, target.item.id, *ABOUT_OTHERS)
    products = {product.casefold() for product in target.products}
    for stray in situation.strays:
        if stray.product.casefold() in products and stray.id not in chosen:
            raise Doubt(
                FindingKind.BLOCKED_CREATE,
                target.item.id,
                f"{target.item.name}: addition {stray.id} carries a TrueUp stamp that was not written for it; no line "
                f"of {stray.product} is created beside it.",
                "Adopt it, or ignore it; or end it where ours begins.",
            )


def _remembered(lines: list[OwnLine], situation: Situation) -> tuple[LedgerRow, ...]:
    """Ledger rows of lines as they stand, where the store had lost them or a person corrected them as we would have.

    That a person ended a line, or took its end back, is not made ours.
    """
    rows: list[LedgerRow] = []
    for line in lines:
        if line.recorded is not None and line.recorded.values.are_of(line.addition):
            continue
        values = LineValues.of(line.addition)
        if line.recorded is not None and line.recorded.values.cancelled_date != values.cancelled_date:
            continue
        keeps = line.is_as_adopted
        written = line.recorded.text_written if line.recorded is not None else situation.as_of
        stamp = line.addition.serial_number.strip() or (line.recorded.stamp if line.recorded is not None else "")
        rows.append(LedgerRow(stamp, line.key, line.addition.id, line.addition.product, values, keeps, written))
    return tuple(rows)
