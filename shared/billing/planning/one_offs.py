"""One-off lines: what periods owe beyond the standing line, less what such lines charge already."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from shared.billing.calendar import Period, period_on
from shared.billing.findings import Finding, FindingKind
from shared.billing.lines import LineKey, LineValues, stamped_date
from shared.billing.planning.changes import one_off
from shared.billing.planning.matching import Owned
from shared.billing.planning.owed import Owed, still_owed, still_owed_or_credited
from shared.billing.planning.plan import Change
from shared.billing.planning.pricing import unit_price
from shared.billing.planning.schedule import without_copies
from shared.billing.planning.situation import Doubt, Situation, Target
from shared.billing.profiles import PriceKind, ProrationRule
from shared.billing.seats import SeatRecord, Unbilled

_ZERO = Decimal(0)
#: How many one-off lines there are by band and day since which they charge.
Numbers = defaultdict[tuple[str, date], int]


@dataclass(frozen=True, slots=True)
class Once:
    """What one one-off line charges: its band and product, the day since which and the period it is for, by its first
    day.

    A credited quantity is below 0; `unit_price` and `unit_cost` are the amounts without their sign, the cost None where
    the line tells none.
    """

    band: str
    product: str
    day: date
    start: date
    quantity: Decimal
    unit_price: Decimal
    unit_cost: Decimal | None


@dataclass(frozen=True, slots=True)
class ChargedOnce:
    """What one-off lines charge already: how many there are by band and day since which they charge, and their seats.

    `seats` are charged seats by the first day of their period, `net` those less what was credited, by day.
    `elsewhere` is the last day that is charged on agreements whose periods begin on other days; what is charged there
    belongs to no period here, and is not among `lines`.
    """

    numbers: Numbers
    seats: Mapping[date, Decimal]
    net: Mapping[date, Decimal]
    elsewhere: date | None = None
    lines: tuple[Once, ...] = ()


@dataclass(frozen=True, slots=True)
class OneOffs:
    """One-off lines, what cannot be billed inside the agreement tonight, and the record with what is waived or left to
    a person.
    """

    changes: tuple[Change, ...]
    untimely: tuple[Finding, ...]
    record: SeatRecord


def charged_once(target: Target, situation: Situation) -> ChargedOnce:
    """What our one-off lines charge. One that a person changed or deleted has been dealt with: what we wrote counts.

    What was used is charged once, also where the item is billed on another agreement since, or by other bands.
    """
    ours = situation.owned[target.item.id]
    numbers: Numbers = defaultdict(int)
    if not (ours.one_off_lines or ours.one_off_rows):
        return ChargedOnce(numbers, {}, {})
    seats: defaultdict[date, Decimal] = defaultdict(Decimal)
    net: defaultdict[date, Decimal] = defaultdict(Decimal)
    elsewhere: list[date] = []
    lines: list[Once] = []
    for stamp, (key, product, values) in _one_off_lines(target, ours).items():
        day = stamped_date(stamp)
        if day is None:
            continue
        numbers[key.band, day] += 1
        there = _period_there(target, key.agreement, day, situation)
        if there is not None:
            elsewhere.append(there.end)
            continue
        start, credited = target.calendar.period_of(day).start, values.unit_price < 0
        quantity = -values.quantity if credited else values.quantity
        cost = abs(values.unit_cost) if values.unit_cost is not None else None
        lines.append(Once(key.band, product, day, start, quantity, abs(values.unit_price), cost))
        net[day] += quantity
        if not credited:
            seats[start] += quantity
    return ChargedOnce(numbers, seats, net, max(elsewhere, default=None), tuple(lines))


def _one_off_lines(target: Target, ours: Owned) -> dict[str, tuple[LineKey, str, LineValues]]:
    """By stamp, key, product and values: what was written before what stands there."""
    whole, key = target.bills_usage, target.key.for_one_off()
    found = {row.stamp: (row.key, row.product, row.values) for row in ours.one_off_rows if whole or row.key == key}
    for line in without_copies([line for line in ours.one_off_lines if whole or line.key == key])[0]:
        stamp, values = line.addition.serial_number.strip(), LineValues.of(line.addition)
        found.setdefault(stamp, (line.key, line.addition.product, values))
    return found


def _period_there(target: Target, agreement: int, day: date, situation: Situation) -> Period | None:
    """The period of another agreement that holds a day, where it is none of the target's; None where it is one.

    That agreement may have ended: what was charged there stays charged.
    """
    there = situation.agreements.get(agreement)
    if agreement == target.agreement.id or there is None:
        return None
    period = period_on(there, day)
    return period if period != target.calendar.period_of(day) else None


def one_offs(
    target: Target,
    record: SeatRecord,
    planned: Mapping[date, Decimal],
    prices: tuple[Decimal, Decimal],
    charged: ChargedOnce,
) -> OneOffs:
    """What periods owe beyond the standing line. `prices` are those of invoiced periods and of the others."""
    proration = target.profile.proration
    credited = still_owed_or_credited(record, target.calendar, proration, planned, charged.net, target.as_of)
    owed = still_owed(record, target.calendar, proration, planned, charged.seats, target.as_of)
    if not (credited or owed):
        return OneOffs((), (), record)
    inside = _written(target, record, _charged_anew(target, credited), prices, charged.numbers, waives=False)
    rest = _written(target, record, owed, prices, charged.numbers, waives=True)
    return OneOffs((*inside.changes, *rest.changes), (*inside.untimely, *rest.untimely), rest.record)


def _charged_anew(target: Target, owing: Iterable[Owed]) -> Iterator[Owed]:
    """What is owed or credited without seats that come back in a period in which they went and were not credited."""
    kept: defaultdict[date, Decimal] = defaultdict(Decimal)
    for owed in owing:
        start = owed.period.start
        if not is_charged(target, owed):
            kept[start] -= owed.quantity
            continue
        back = max(min(owed.quantity, kept[start]), _ZERO)
        kept[start] -= back
        if owed.quantity != back:
            yield replace(owed, quantity=owed.quantity - back)


def written_once(target: Target, record: SeatRecord, owed: Owed, back: Once | None, numbers: Numbers) -> OneOffs:
    """The one-off line for what was used, at the price of tonight; nothing of it counts as charged without a line.

    `back` is the line that is given back, at the price and cost that it has.
    """
    price = unit_price(target, None, keeps=False) if back is None else back.unit_price
    written = _written(target, record, [owed], (price, price), numbers, waives=False)
    if back is None:
        return written
    return replace(written, changes=tuple(_at_cost_of(back, change) for change in written.changes))


def _at_cost_of(back: Once, change: Change) -> Change:
    cost = -back.unit_cost if back.unit_cost is not None else None
    after = change.after.changed(unit_cost=cost) if change.after is not None else None
    return replace(change, after=after, unit_cost=back.unit_cost)


def _written(
    target: Target,
    record: SeatRecord,
    owing: Iterable[Owed],
    prices: tuple[Decimal, Decimal],
    numbers: Numbers,
    *,
    waives: bool,
) -> OneOffs:
    """`waives`: what comes to nothing, is not charged at all or is left to a person counts as charged from then on.

    Where seats that go are credited, each day stands for itself and is looked at again.
    """
    changes: list[Change] = []
    untimely: list[tuple[Owed, Change]] = []
    waived: defaultdict[date, Decimal] = defaultdict(Decimal)
    pending: set[date] = set()
    for owed in owing:
        price = _price(target, record, owed.period, prices)
        _refuse_where_manage_does_not_prorate(target, owed)
        change = one_off(target, owed, price, numbers[target.key.band, owed.day] + 1)
        timely = target.calendar.is_whole_inside(owed.billed_in)
        if change is not None and timely and is_charged(target, owed):
            numbers[target.key.band, owed.day] += 1
            changes.append(change)
            pending.add(owed.period.start)
            continue
        waived[owed.period.start] += owed.quantity
        if change is not None and not timely and is_charged(target, owed):
            untimely.append((owed, change))
    # Seats are counted from the first one up: none may pass for charged while one before it is only planned.
    settled = {start: quantity for start, quantity in waived.items() if start not in pending}
    if not waives:
        return OneOffs(tuple(changes), tuple(_untimely(target, *each) for each in untimely), record)
    unbilled = (Unbilled(owed.day, owed.period.end, owed.quantity, change.one_off) for owed, change in untimely)
    return OneOffs(tuple(changes), (), replace(record.waiving(settled), unbilled=(*record.unbilled, *unbilled)))


def _price(target: Target, record: SeatRecord, period: Period, prices: tuple[Decimal, Decimal]) -> Decimal:
    """A period that is invoiced keeps its price, but for volume prices: there the band reached says it."""
    if period >= target.first_uninvoiced:
        return prices[1]
    settled = record.settled(period)
    by_volume = target.item.price_rule.kind is PriceKind.VOLUME
    return prices[0] if by_volume or settled is None or settled.price is None else settled.price


def is_charged(target: Target, owed: Owed) -> bool:
    """Whether the company's own choice lets it be charged, or credited: what was waived is never given back.

    Usage is measured from the company's own start on, so that its period may begin before.
    """
    if target.bills_usage:
        return True
    licence, not_before = target.item.licence, target.item.not_before
    if licence is not None and licence.waive_until is not None:
        waived_from = owed.day if owed.quantity > 0 else owed.period.start
        if waived_from <= licence.waive_until:
            return False
    return not_before is None or not_before <= owed.day


def _refuse_where_manage_does_not_prorate(target: Target, owed: Owed) -> None:
    if (
        target.profile.proration.rule is not ProrationRule.MANAGE
        or owed.share.is_whole
        or target.agreement.prorate_flag
    ):
        return
    raise Doubt(
        FindingKind.PRORATE_UNAVAILABLE,
        target.item.id,
        f"{target.item.name}: Manage is to prorate it, but agreement {target.agreement.id} does not prorate.",
        "Turn on Prorate Agreement in Manage, or let the profile compute the proration itself (rule: computed).",
    )


def _untimely(target: Target, owed: Owed, change: Change) -> Finding:
    return Finding(
        FindingKind.CALENDAR_UNSUPPORTED,
        f"{target.item.id}/{owed.day.isoformat()}",
        f"{change.sentence} It is not written: that period does not lie wholly inside agreement {target.agreement.id}.",
        "Bill the amount by hand.",
    )
