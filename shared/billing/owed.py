"""What the periods still owe beyond the standing line, from the seat record: the one-off lines.

For every period: its seats by the day on which they first existed, less what the period has been charged. Nothing
depends on how often or how late a plan was applied, so missed nights, approval and crashes lose nothing and charge
nothing twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from shared.billing.calendar import BillingCalendar, Period
from shared.billing.proration import Share, share_of
from shared.billing.rules import FirstSync, Proration, ProrationRule
from shared.billing.seats import SeatRecord, Settled

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Owed:
    """Seats that `period` owes since `day`, at a share of its price, to be billed in the period `billed_in`."""

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
    """What is owed and not yet on a line, oldest period first.

    `planned` is the standing quantity of periods not yet invoiced, `one_off` the seats that one-off lines already
    charge; both by the first day of the period they are for. With `none` nothing is ever owed beyond the standing line.
    """
    if proration.rule is ProrationRule.NONE:
        return []
    owed: list[Owed] = []
    for settled in record.periods:
        period = calendar.period_of(settled.start)
        if period.start != settled.start:
            continue
        standing = settled.standing if settled.standing is not None else planned.get(period.start, _ZERO)
        charged = standing + settled.waived + one_off.get(period.start, _ZERO)
        target = _billed_in(calendar, period, as_of)
        for slot in record.slots(period):
            quantity = slot.upto - max(slot.below, charged)
            if quantity > 0:
                share = share_of(proration, period, slot.day)
                owed.append(Owed(period, slot.day, quantity, share, target))
    return owed


def settled_at_first_sync(
    calendar: BillingCalendar, first_sync: FirstSync, standing: Decimal, quantity: Decimal, as_of: date
) -> list[Settled]:
    """How the periods from today's up to the first uninvoiced one begin, for an item that is synced for the first time.

    `standing` is what a line that stood before has billed for them. What it did not bill is waived with `next-period`.
    """
    current = calendar.period_of(as_of)
    unbilled = max(quantity - standing, _ZERO) if first_sync is FirstSync.NEXT_PERIOD else _ZERO
    first = calendar.first_uninvoiced
    return [
        Settled(period.start, standing, unbilled) if period < first else Settled(period.start, None)
        for period in calendar.from_until(current, max(first, calendar.after(current)))
    ]


def settled_since(
    record: SeatRecord,
    calendar: BillingCalendar,
    billed: Iterable[tuple[date | None, date | None, Decimal]],
    as_of: date,
) -> list[Settled]:
    """What has changed since the last reading: periods that were invoiced, and today's, if it is new.

    `billed` are our standing lines as (effective date, cancelled date, quantity): what they say now, before anything is
    written tonight, is what the invoice took from them.
    """
    lines = list(billed)
    first = calendar.first_uninvoiced
    current = calendar.period_of(as_of)
    oldest = calendar.period_of(record.periods[0].start)
    changed: list[Settled] = []
    for period in calendar.from_until(oldest, max(first, calendar.after(current))):
        known = record.settled(period)
        invoiced = period < first
        if known is None:
            changed.append(Settled(period.start, _standing_in(period, lines) if invoiced else None))
        elif invoiced and known.standing is None:
            changed.append(Settled(period.start, _standing_in(period, lines), known.waived))
        elif not invoiced and known.standing is not None:
            changed.append(Settled(period.start, None, known.waived))
    return changed


def _standing_in(period: Period, lines: list[tuple[date | None, date | None, Decimal]]) -> Decimal:
    return sum(
        (
            quantity
            for effective, cancelled, quantity in lines
            if (effective is None or effective <= period.end) and (cancelled is None or cancelled >= period.start)
        ),
        _ZERO,
    )


def _billed_in(calendar: BillingCalendar, period: Period, as_of: date) -> Period:
    """The later of the period and the first uninvoiced one, but none that is over."""
    return max(period, calendar.first_uninvoiced, calendar.period_of(as_of))
