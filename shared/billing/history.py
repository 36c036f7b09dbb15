"""The seat record of one bill item tonight: goes on where it was, or begins anew with a first sync."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

from shared.billing.calendar import BillingCalendar
from shared.billing.lines import LineKey
from shared.billing.matching import OwnLine
from shared.billing.owed import settled_at_first_sync, settled_since
from shared.billing.rules import FirstSync, Mode
from shared.billing.seats import SeatDay, SeatRecord
from shared.billing.situation import Situation, Target

_ZERO = Decimal(0)


def with_tonight(key: LineKey, calendar: BillingCalendar | None, quantity: Decimal, situation: Situation) -> SeatRecord:
    """The record with tonight's reading, written whatever is planned. No calendar: it could not be read."""
    first = calendar.first_uninvoiced.start if calendar is not None else None
    record = situation.seats.get(str(key), SeatRecord(str(key)))
    return record.with_reading(situation.as_of, quantity, first)


def of_standing_lines(record: SeatRecord, target: Target, lines: list[OwnLine], situation: Situation) -> SeatRecord:
    """The record of an item with lines of ours. Without one, the lines are the baseline and nothing is owed before."""
    calendar, as_of = target.calendar, target.as_of
    billed = [(line.addition.effective_date, line.addition.cancelled_date, line.addition.quantity) for line in lines]
    if _goes_on(record, calendar, situation):
        return record.with_periods(settled_since(record, calendar, billed, as_of))
    current = calendar.period_of(as_of)
    in_force = [quantity for start, end, quantity in billed if _overlaps(start, end, current.start, current.end)]
    return _begun(record, target, FirstSync.NEXT_PERIOD, sum(in_force, _ZERO))


def of_first_sync(
    record: SeatRecord, target: Target, standing: Decimal, situation: Situation
) -> tuple[SeatRecord, FirstSync]:
    """The record of an item that gets its first line; `standing` is what a line of people has billed so far.

    An item whose count is known to have been 0 before is prorated since the day on which it rose; every other begins
    as the profile says. Until its first line is written it begins anew each night, unless it rose from 0.
    """
    if standing == 0 and record.from_zero and _goes_on(record, target.calendar, situation):
        return record.with_periods(settled_since(record, target.calendar, [], target.as_of)), FirstSync.PRORATE
    if standing == 0 and (situation.was_zero(target.item) or _has_just_begun(target)):
        return replace(_begun(record, target, FirstSync.PRORATE, standing), from_zero=True), FirstSync.PRORATE
    first_sync = target.profile.proration.first_sync
    return _begun(record, target, first_sync, standing), first_sync


def _has_just_begun(target: Target) -> bool:
    """Whether the company's own start lies in today's period: before it there was nothing to bill."""
    start = target.item.not_before
    return start is not None and target.current.start < start <= target.as_of


def _goes_on(record: SeatRecord, calendar: BillingCalendar, situation: Situation) -> bool:
    """A record goes on while it is billed by, and as long as the agreement's periods stay the same."""
    if not record.periods or situation.company.mode is Mode.OBSERVE:
        return False
    newest = record.periods[-1].start
    return calendar.period_of(newest).start == newest


def _begun(record: SeatRecord, target: Target, first_sync: FirstSync, standing: Decimal) -> SeatRecord:
    quantity, as_of = record.days[-1].quantity, target.as_of
    day = target.current.start if first_sync is FirstSync.FULL_PERIOD else as_of
    begun = SeatDay(day, quantity, target.first_uninvoiced.start)
    periods = settled_at_first_sync(target.calendar, first_sync, standing, quantity, as_of)
    return SeatRecord(record.line, (begun,), as_of, tuple(periods))


def _overlaps(start: date | None, end: date | None, first: date, last: date) -> bool:
    return (start is None or start <= last) and (end is None or end >= first)
