"""What the periods still owe beyond the standing line, from the seat record: the one-off lines.

For every period: its seats by the day on which they first existed, less what the period has been charged. A plan that
is applied late finds the same still owed, and one that was applied finds nothing, so missed nights, approval and
crashes charge nothing twice. One thing does depend on it: a seat that comes while a period ahead is invoiced already is
charged for that period when the plan is applied, even if it goes away before the period begins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from shared.billing.agreements import Addition
from shared.billing.calendar import BillingCalendar, Period
from shared.billing.profiles import FirstSync, Proration, ProrationRule
from shared.billing.proration import Share, share_of
from shared.billing.seats import SeatRecord, Settled

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Owed:
    """Seats that `period` owes since `day`, at a share of its price, to be billed in the period `billed_in`.

    A quantity below 0 is credited: seats that went on that day.
    """

    period: Period
    day: date
    quantity: Decimal
    share: Share
    billed_in: Period


def still_owed(
    record: SeatRecord,
    calendar: BillingCalendar,
    proration: Proration,
    planned: Mapping[date, Decimal],
    one_off: Mapping[date, Decimal],
    as_of: date,
) -> list[Owed]:
    """What is neither charged nor waived yet, oldest period first; with `none` at a share of nothing.

    `planned` is the standing quantity of periods not yet invoiced, `one_off` the seats that one-off lines already
    charge; both by the first day of the period they are for. Periods whose seats are credited are left out.
    """
    owed: list[Owed] = []
    for settled in record.periods:
        if credits_in(settled, proration):
            continue
        period = Period(settled.start, settled.end)
        charged = _standing(settled, planned) + settled.waived + one_off.get(period.start, _ZERO)
        for slot in record.slots(period):
            quantity = slot.upto - max(slot.below, charged)
            if quantity > 0:
                share, target = _share(proration, period, slot.day), billed_in(calendar, period, as_of)
                owed.append(Owed(period, slot.day, quantity, share, target))
    return owed


def still_owed_or_credited(
    record: SeatRecord,
    calendar: BillingCalendar,
    proration: Proration,
    planned: Mapping[date, Decimal],
    net: Mapping[date, Decimal],
    as_of: date,
) -> list[Owed]:
    """The same of periods whose rest is credited for seats that go: a credit frees the seat to be charged anew.

    Every day on which the quantity changed owes or is owed the difference, less what one-off lines of that day say
    (`net`, seats by day, credited ones below 0). A credit never comes before the seat was charged: seats that were
    waived go first and come back first.
    """
    owed: list[Owed] = []
    for settled in record.periods:
        if not credits_in(settled, proration):
            continue
        period = Period(settled.start, settled.end)
        target = billed_in(calendar, period, as_of)
        before, waived = _standing(settled, planned), _ZERO
        for day, quantity in record.levels(period):
            difference = quantity - before - net.get(day, _ZERO)
            more = min(max(difference, -waived), settled.waived - waived)
            waived += more
            difference -= more
            if difference:
                owed.append(Owed(period, day, difference, _share(proration, period, day), target))
            before = quantity
    return owed


def credits_in(settled: Settled, proration: Proration) -> bool:
    """Whether seats that go within a period are credited: by the rule it began with, while that is computed."""
    return settled.credits and proration.rule is ProrationRule.COMPUTED


def _standing(settled: Settled, planned: Mapping[date, Decimal]) -> Decimal:
    return settled.standing if settled.standing is not None else planned.get(settled.start, _ZERO)


def _share(proration: Proration, period: Period, day: date) -> Share:
    return Share(0, period.days) if proration.rule is ProrationRule.NONE else share_of(proration, period, day)


#: What a line billed in a period before the item was synced, by first and last day.
Billed = Callable[[Period], Decimal]


def settled_at_first_sync(
    calendar: BillingCalendar,
    first_sync: FirstSync,
    billed: Billed,
    quantity: Decimal,
    since: date,
    as_of: date,
    *,
    credits: bool = False,
) -> list[Settled]:
    """How the periods from that of `since` to today's and up to the first uninvoiced one begin, at a first sync.

    `billed` tells what lines of the product have billed there, whoever kept them. What they did not bill is waived
    with `next-period`. `credits`: seats that go are credited in periods where lines bill no more than `quantity`.
    """
    first = calendar.first_uninvoiced
    end = max(first, calendar.after(calendar.period_of(as_of)))
    settled: list[Settled] = []
    for period in calendar.from_until(calendar.period_of(since), end):
        standing = billed(period)
        gives_back = credits and standing <= quantity
        if period >= first:
            settled.append(Settled(period.start, period.end, None, credits=gives_back))
            continue
        waived = max(quantity - standing, _ZERO) if first_sync is FirstSync.NEXT_PERIOD else _ZERO
        settled.append(Settled(period.start, period.end, standing, waived, gives_back))
    return settled


def settled_since(
    record: SeatRecord, calendar: BillingCalendar, billed: Billed, as_of: date, *, credits: bool = False
) -> list[Settled]:
    """What has changed since the last reading: periods that were invoiced, and today's, if it is new.

    What our standing lines say now, before anything is written tonight, is what the invoice took from them. `credits`
    is what the rule says tonight; it holds for periods that are new.
    """
    first = calendar.first_uninvoiced
    current = calendar.period_of(as_of)
    oldest = calendar.period_of(record.periods[0].start)
    changed: list[Settled] = []
    for period in calendar.from_until(oldest, max(first, calendar.after(current))):
        known, invoiced = record.settled(period), period < first
        if known is None or (known.standing is None) is invoiced:
            begun = known or Settled(period.start, period.end, None, credits=credits)
            changed.append(replace(begun, standing=billed(period) if invoiced else None))
    return changed


def lines_billed(lines: Iterable[Addition]) -> Billed:
    """What these lines say of a period, all together."""
    standing = list(lines)

    def billed(period: Period) -> Decimal:
        return sum((line.quantity for line in standing if _overlaps(line, period)), _ZERO)

    return billed


def _overlaps(line: Addition, period: Period) -> bool:
    begins = line.effective_date is None or line.effective_date <= period.end
    return begins and line.is_open(period.start)


def billed_in(calendar: BillingCalendar, period: Period, as_of: date) -> Period:
    """The later of the period and the first uninvoiced one, but none that is over."""
    return max(period, calendar.first_uninvoiced, calendar.period_of(as_of))
