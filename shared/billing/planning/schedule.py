"""The standing lines of one bill item: which quantity they say in which period, and what to write for that.

The quantity of a period is what existed on its first day, so a change takes effect with the first period that bills it
in full, or with the first one that is not invoiced yet, whichever is later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import pairwise

from shared.billing.calendar import BillingCalendar, Period
from shared.billing.counting.items import BillItem
from shared.billing.findings import FindingKind
from shared.billing.planning.changes import bills_otherwise, creation, ending, replacement, split, update
from shared.billing.planning.matching import OwnLine
from shared.billing.planning.plan import TAKEN_OVER_ALREADY, Change
from shared.billing.planning.situation import Doubt, Target
from shared.billing.profiles import PriceKind, Proration, ProrationRule

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Standing:
    """What is written to the standing lines, in order, and what they will then say.

    `planned` is the quantity by the first day of each period that is not invoiced yet, up to today's; `prices` are the
    prices per period of what is invoiced and of what is not.
    """

    changes: tuple[Change, ...]
    planned: dict[date, Decimal]
    prices: tuple[Decimal, Decimal]


def takes_effect(calendar: BillingCalendar, proration: Proration, as_of: date, *, rises: bool) -> Period:
    """The first period from which on the standing line says what is counted today.

    A seat that goes stays until its period ends, one that comes is part of it from the first day, or with `full`.
    """
    current = calendar.period_of(as_of)
    at_once = as_of == current.start or (rises and proration.rule is ProrationRule.FULL)
    return max(calendar.first_uninvoiced, current if at_once else calendar.after(current))


def standing_from(
    target: Target,
    lines: list[OwnLine],
    quantity: Decimal,
    reason: str,
    charged_once: Mapping[date, Decimal],
    billed_until: date | None = None,
    unused: Iterable[OwnLine] = (),
) -> Standing:
    """Brings our lines (oldest first, at least one) to say `quantity` from when on it takes effect.

    `unused` are lines of ours that others took the place of: they end, but for one of the product billed again.
    `charged_once` are seats that one-off lines charge, by the first day of the period: the standing line of such a
    period is not raised over them. `billed_until` is the last day that a line which the item leaves bills: none that
    has ended here goes on before.
    """
    last = lines[-1]
    overlapping = _overlaps_ended(target.item, lines)
    ended = last.addition.cancelled_date
    stands = last.addition.quantity if ended is None else _ZERO
    start = takes_effect(target.calendar, target.profile.proration, target.as_of, rises=quantity > stands)
    if charged_once.get(start.start):
        start = max(start, target.calendar.after(target.current))
    if ended is not None:
        start = max(start, target.calendar.after(target.calendar.period_of(ended)))
        while billed_until is not None and start.start <= billed_until:
            start = target.calendar.after(start)
    elif last.addition.effective_date is not None:
        start = max(start, target.calendar.period_of(last.addition.effective_date))
    changes = _last_line(target, last, quantity, start, reason, unused)
    after = next((change.after.unit_price for change in changes if change.after is not None), last.addition.unit_price)
    # With volume prices what is prorated has the price of the band reached, also for a period invoiced already.
    by_volume = target.item.price_rule.kind is PriceKind.VOLUME
    before = after if by_volume else last.addition.unit_price
    planned = planned_quantities(target, lines, quantity, start)
    used = {change.addition for change in changes}
    ends = [
        end
        for line in unused
        if line.addition.id not in used
        for end in ending(target.item, line, target.first_uninvoiced, TAKEN_OVER_ALREADY)
    ]
    return Standing((*changes, *overlapping, *ends), planned, (before, after))


def planned_quantities(
    target: Target, lines: Iterable[OwnLine], quantity: Decimal, start: Period
) -> dict[date, Decimal]:
    """What the standing lines will say in each period that is not invoiced yet, up to today's."""
    end = target.calendar.after(max(target.current, target.first_uninvoiced))
    standing = list(lines)
    return {
        period.start: quantity if period >= start else _in_force(standing, period)
        for period in target.calendar.from_until(target.first_uninvoiced, end)
    }


def without_copies(lines: list[OwnLine]) -> tuple[list[OwnLine], list[OwnLine]]:
    """The lines to keep, oldest first, and our own copies: of two with one identity the unrecorded one goes.

    Where neither is recorded that goes which was set to nothing before.
    """
    if len(lines) < 2:
        return lines, []
    kept: dict[str, OwnLine] = {}
    copies: list[OwnLine] = []
    for line in sorted(lines, key=lambda line: (line.recorded is None, line.addition.quantity == 0, line.addition.id)):
        stamp = line.addition.serial_number.strip() or str(line.addition.id)
        if stamp in kept:
            copies.append(line)
        else:
            kept[stamp] = line
    oldest_first = sorted(kept.values(), key=lambda line: (line.addition.effective_date or date.min, line.addition.id))
    return oldest_first, copies


def without_unused(target: Target, lines: list[OwnLine]) -> tuple[list[OwnLine], list[OwnLine]]:
    """The lines to go by, and those of which another that begins on the same day took the place before they began.

    They are of another product than the profile names now, and set to 0, unless a worker died before it did that.
    """
    if len(lines) < 2:
        return lines, []
    same_day: dict[date | None, list[OwnLine]] = {}
    for line in lines:
        same_day.setdefault(line.addition.effective_date, []).append(line)
    unused: list[OwnLine] = []
    for same in same_day.values():
        stays = max(
            same, key=lambda line: (line.addition.quantity != 0, _is_of_product(target, line), line.addition.id)
        )
        others = [line for line in same if line is not stays]
        goes_on = _is_of_product(target, stays)
        unused += [
            line for line in others if line.addition.quantity == 0 or (goes_on and not _is_of_product(target, line))
        ]
    return [line for line in lines if line not in unused], unused


def _is_of_product(target: Target, line: OwnLine) -> bool:
    return line.addition.product_id == target.product.id


def refuse_rivals(item: BillItem, lines: list[OwnLine]) -> None:
    """Two standing lines of ours that begin on the same day bill twice. Raises `Doubt`."""
    for older, newer in pairwise(lines):
        if older.addition.effective_date == newer.addition.effective_date:
            raise Doubt(
                FindingKind.CANDIDATES,
                f"{item.id}/same-day",
                f"{item.name}: lines of ours begin on the same day (additions {older.addition.id} and "
                f"{newer.addition.id}).",
                "End the one that should not stay.",
            )


def _last_line(
    target: Target, last: OwnLine, quantity: Decimal, start: Period, reason: str, unused: Iterable[OwnLine]
) -> list[Change]:
    addition = last.addition
    same_product = _is_of_product(target, last)
    if addition.cancelled_date is not None:
        return [creation(target, quantity, start, ended=last if same_product else None)] if quantity > 0 else []
    if quantity == 0:
        return ending(target.item, last, start, reason)
    if not same_product:
        again = [
            line for line in unused if _is_of_product(target, line) and line.addition.effective_date == start.start
        ]
        return replacement(target, last, quantity, start, again[0] if again else None)
    if addition.quantity == quantity:
        return _as_many(target, last, quantity, start)
    begins_there = (addition.effective_date or date.min) >= start.start
    if begins_there or (start == target.first_uninvoiced and not target.splits):
        return update(target, last, quantity, start)
    return split(target, last, quantity, start)


def _as_many(target: Target, last: OwnLine, quantity: Decimal, start: Period) -> list[Change]:
    """The quantity stays; what else has changed holds from the first uninvoiced period on."""
    if target.retroactive and target.was_invoiced(last.addition) and bills_otherwise(target, last, quantity):
        return split(target, last, quantity, target.first_uninvoiced)
    return update(target, last, quantity, start)


def _overlaps_ended(item: BillItem, lines: list[OwnLine]) -> list[Change]:
    """A line that a newer one of ours has taken over from ends the day before: a worker may have died in between."""
    changes: list[Change] = []
    for older, newer in pairwise(lines):
        begins = newer.addition.effective_date or date.min
        if older.addition.cancelled_date is None and begins > (older.addition.effective_date or date.min):
            changes += ending(item, older, Period(begins, begins), TAKEN_OVER_ALREADY)
    return changes


def _in_force(lines: list[OwnLine], period: Period) -> Decimal:
    """What lines of ours bill in a period; of two that overlap the newer one, as the older is about to end."""
    found = _ZERO
    for line in lines:
        addition = line.addition
        begins_by_then = addition.effective_date is None or addition.effective_date <= period.end
        if begins_by_then and (addition.cancelled_date is None or addition.cancelled_date >= period.start):
            found = addition.quantity
    return found
