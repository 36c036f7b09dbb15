"""The seat record, the share of a period and what periods still owe, each alone."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest

from shared.billing.calendar import BillingCalendar, Period
from shared.billing.planning.owed import (
    lines_billed,
    settled_at_first_sync,
    settled_since,
    still_owed,
    still_owed_or_credited,
)
from shared.billing.profiles import FirstSync, Proration, ProrationRule, StartDay
from shared.billing.proration import Share, share_of
from shared.billing.seats import KEPT_DAYS, SeatDay, SeatRecord, Settled
from tests import builders as b

D = Decimal
JANUARY = Period(date(2026, 1, 1), date(2026, 1, 31))
FEBRUARY = Period(date(2026, 2, 1), date(2026, 2, 28))
MARCH = Period(date(2026, 3, 1), date(2026, 3, 31))
COMPUTED = Proration(ProrationRule.COMPUTED)


def january(day: int) -> date:
    return date(2026, 1, day)


def record(*days: tuple[int, int]) -> SeatRecord:
    """Counts by day of January, with January not invoiced."""
    found = SeatRecord("line")
    for day, quantity in days:
        found = found.with_reading(january(day), D(quantity), JANUARY.start)
    return found


def slots(found: SeatRecord, period: Period = JANUARY) -> list[tuple[date, int, int]]:
    return [(slot.day, int(slot.below), int(slot.upto)) for slot in found.slots(period)]


def uninvoiced_from(period: Period) -> BillingCalendar:
    return BillingCalendar(date(2000, 1, 1), 1, period)


# ---- the record


def test_a_day_is_kept_only_where_something_changed():
    same = record((1, 5), (2, 5))
    assert same.days == (SeatDay(january(1), D(5), JANUARY.start),)
    assert same.seen == january(2)
    assert [entry.day.day for entry in record((1, 5), (2, 5), (3, 6)).days] == [1, 3]


def test_that_a_period_was_invoiced_is_a_change_of_its_own():
    invoiced = record((1, 5)).with_reading(january(2), D(5), FEBRUARY.start)
    assert [entry.first_uninvoiced for entry in invoiced.days] == [JANUARY.start, FEBRUARY.start]


def test_of_one_days_readings_of_one_count_the_last_tells_what_was_invoiced():
    invoiced = record((1, 5)).with_reading(january(1), D(5), FEBRUARY.start)
    assert invoiced.days == (SeatDay(january(1), D(5), FEBRUARY.start),)


def test_an_older_reading_changes_nothing():
    found = record((1, 5), (9, 6))
    assert found.with_reading(january(8), D(50), JANUARY.start) is found


def test_of_one_day_the_last_reading_counts_and_those_that_were_higher():
    assert [int(entry.quantity) for entry in record((1, 5), (2, 9), (2, 7)).days] == [5, 9, 7]
    assert [int(entry.quantity) for entry in record((1, 5), (2, 7), (2, 9)).days] == [5, 9]
    again = record((1, 5), (2, 7), (2, 7))
    assert [(entry.day.day, int(entry.quantity)) for entry in again.days] == [(1, 5), (2, 7)]
    back = record((1, 5), (2, 3), (2, 5))
    assert [(entry.day.day, int(entry.quantity)) for entry in back.days] == [(1, 5)]


def test_what_is_older_than_the_longest_period_is_forgotten_but_for_what_still_holds():
    old, newer = january(1), january(2)
    settled = [Settled(day, day + timedelta(days=30), D(1)) for day in (old, newer)]
    found = record((1, 5), (2, 6)).with_periods(settled)
    later = found.with_reading(newer + timedelta(days=KEPT_DAYS), D(7), None)
    assert [int(entry.quantity) for entry in later.days] == [6, 7]
    assert [period.start for period in later.periods] == [newer]
    day_after = found.with_reading(newer + timedelta(days=KEPT_DAYS + 1), D(7), None)
    assert [int(entry.quantity) for entry in day_after.days] == [6, 7]
    assert day_after.periods == ()


def test_seats_are_counted_from_the_first_one_up_by_the_day_on_which_they_came():
    assert slots(record((1, 10), (10, 8), (20, 12))) == [(january(1), 0, 10), (january(20), 10, 12)]
    assert slots(record((1, 10), (10, 8), (20, 10))) == [(january(1), 0, 10)]
    assert slots(record((5, 3), (31, 4))) == [(january(5), 0, 3), (january(31), 3, 4)]
    assert slots(record((5, 0), (6, 1))) == [(january(6), 0, 1)]


def test_a_period_begins_with_the_count_that_still_held_on_its_first_day():
    found = record((1, 10), (20, 12)).with_reading(FEBRUARY.start, D(11), JANUARY.start)
    assert slots(record((1, 10), (20, 12)), FEBRUARY) == [(FEBRUARY.start, 0, 12)]
    assert slots(found, FEBRUARY) == [(FEBRUARY.start, 0, 11)]
    assert slots(found, JANUARY) == [(january(1), 0, 10), (january(20), 10, 12)]


def test_the_highest_since_a_day_is_what_was_in_force_then_or_came_later():
    found = record((1, 10), (10, 4), (20, 6))
    assert [found.highest_since(january(day)) for day in (1, 9, 10, 11, 20, 25)] == [10, 10, 6, 6, 6, 6]
    assert SeatRecord("line").highest_since(january(1)) == 0


def test_seats_are_waived_in_the_periods_that_are_known():
    found = record((1, 5)).with_periods([Settled(JANUARY.start, JANUARY.end, None, D(1))])
    assert found.waiving({JANUARY.start: D(2), FEBRUARY.start: D(9)}).periods == (
        Settled(JANUARY.start, JANUARY.end, None, D(3)),
    )
    assert found.settled(JANUARY) == Settled(JANUARY.start, JANUARY.end, None, D(1))
    assert found.settled(FEBRUARY) is None


# ---- the share


@pytest.mark.parametrize(
    ("proration", "day", "share"),
    [
        (COMPUTED, 1, Share(31, 31)),
        (COMPUTED, 2, Share(29, 31)),
        (COMPUTED, 31, Share(0, 31)),
        (Proration(ProrationRule.COMPUTED, StartDay.INCLUDED), 2, Share(30, 31)),
        (Proration(ProrationRule.COMPUTED, StartDay.INCLUDED), 31, Share(1, 31)),
        (Proration(ProrationRule.FULL), 31, Share(31, 31)),
        (Proration(ProrationRule.NONE), 1, Share(31, 31)),
        (Proration(ProrationRule.NONE), 2, Share(0, 31)),
    ],
)
def test_the_share_of_a_period(proration, day, share):
    assert share_of(proration, JANUARY, january(day)) == share
    assert share.is_whole is (share.days == 31)


def test_half_a_cent_is_rounded_up_before_it_is_multiplied():
    assert Share(1, 2).of_price(D("2.05")) == D("1.03")
    assert Share(1, 2).of_price(D("-2.05")) == D("-1.03")


# ---- what is owed


def owed(found: SeatRecord, proration: Proration = COMPUTED, first: Period = JANUARY, **values: object) -> list[tuple]:
    arguments = {"planned": {}, "one_off": {}, "as_of": january(31), **values}
    return [
        (item.period, item.day.day, int(item.quantity), item.share, item.billed_in)
        for item in still_owed(found, uninvoiced_from(first), proration, **arguments)
    ]


def test_a_period_owes_its_seats_less_what_stands_is_waived_or_was_charged_once():
    found = record((1, 2), (10, 7)).with_periods([Settled(JANUARY.start, JANUARY.end, None, D(1))])
    share = Share(21, 31)
    assert owed(found) == [(JANUARY, 1, 1, Share(31, 31), JANUARY), (JANUARY, 10, 5, share, JANUARY)]
    assert owed(found, planned={JANUARY.start: D(2)}) == [(JANUARY, 10, 4, share, JANUARY)]
    charged = {"planned": {JANUARY.start: D(2)}, "one_off": {JANUARY.start: D(3)}}
    assert owed(found, **charged) == [(JANUARY, 10, 1, share, JANUARY)]
    assert owed(found, planned={JANUARY.start: D(6)}) == []


def test_an_invoiced_period_owes_beyond_what_its_invoice_took_in_the_first_uninvoiced_one():
    found = record((1, 2), (10, 7)).with_periods([Settled(JANUARY.start, JANUARY.end, D(2))])
    assert owed(found, first=FEBRUARY, planned={JANUARY.start: D(7)}) == [(JANUARY, 10, 5, Share(21, 31), FEBRUARY)]


def test_what_is_owed_is_never_billed_in_a_period_that_is_over_nor_before_its_own():
    found = record((1, 2), (10, 7)).with_periods([Settled(JANUARY.start, JANUARY.end, D(2))])
    (item,) = owed(found, first=JANUARY, as_of=date(2026, 3, 5))
    assert item[-1] == MARCH
    ahead = record((1, 3)).with_periods([Settled(FEBRUARY.start, FEBRUARY.end, None)])
    (item,) = owed(ahead, first=JANUARY, as_of=january(5))
    assert item[0] == item[-1] == FEBRUARY


def test_with_no_proration_what_comes_later_is_owed_at_a_share_of_nothing_the_first_day_too():
    found = record((1, 2), (10, 7)).with_periods([Settled(JANUARY.start, JANUARY.end, None)])
    shares = [item[3] for item in owed(found, Proration(ProrationRule.NONE))]
    assert shares == [Share(0, 31), Share(0, 31)]


@pytest.mark.parametrize(
    ("first_sync", "waived"), [(FirstSync.NEXT_PERIOD, 3), (FirstSync.PRORATE, 0), (FirstSync.FULL_PERIOD, 0)]
)
def test_at_a_first_sync_what_was_invoiced_is_what_lines_billed(first_sync, waived):
    line = b.addition(9, 4, effective_date=january(31), cancelled_date=FEBRUARY.start)
    billed = lines_billed([line])
    settled = settled_at_first_sync(uninvoiced_from(MARCH), first_sync, billed, D(7), january(5), january(5))
    assert settled == [
        Settled(JANUARY.start, JANUARY.end, D(4), D(waived)),
        Settled(FEBRUARY.start, FEBRUARY.end, D(4), D(waived)),
    ]
    late = settled_at_first_sync(uninvoiced_from(JANUARY), first_sync, billed, D(7), january(5), FEBRUARY.start)
    assert late == [Settled(JANUARY.start, JANUARY.end, None), Settled(FEBRUARY.start, FEBRUARY.end, None)]


def test_more_lines_than_seats_waive_nothing():
    billed = lines_billed([b.addition(9, 4), b.addition(10, 5)])
    (settled,) = settled_at_first_sync(
        uninvoiced_from(FEBRUARY), FirstSync.NEXT_PERIOD, billed, D(7), january(5), january(5)
    )
    assert (settled.standing, settled.waived) == (9, 0)


def test_a_line_bills_in_the_periods_that_it_touches():
    line = b.addition(9, 4, effective_date=january(31), cancelled_date=FEBRUARY.start)
    assert [lines_billed([line])(period) for period in (JANUARY, FEBRUARY, MARCH)] == [4, 4, 0]
    assert lines_billed([b.addition(9, 4, effective_date=None)])(JANUARY) == 4
    assert lines_billed([b.addition(9, 4, effective_date=FEBRUARY.start)])(JANUARY) == 0
    assert isinstance(lines_billed([])(JANUARY), Decimal)


def test_a_period_that_was_invoiced_since_takes_what_the_lines_say_and_keeps_what_was_waived():
    found = record((1, 5)).with_periods([Settled(JANUARY.start, JANUARY.end, None, D(2))])
    billed = lines_billed([b.addition(9, 4)])
    assert settled_since(found, uninvoiced_from(FEBRUARY), billed, january(20)) == [
        Settled(JANUARY.start, JANUARY.end, D(4), D(2))
    ]
    assert settled_since(found, uninvoiced_from(JANUARY), billed, january(20)) == []
    assert settled_since(found, uninvoiced_from(JANUARY), billed, FEBRUARY.start) == [
        Settled(FEBRUARY.start, FEBRUARY.end, None)
    ]
    assert settled_since(found, uninvoiced_from(MARCH), billed, january(20)) == [
        Settled(JANUARY.start, JANUARY.end, D(4), D(2)),
        Settled(FEBRUARY.start, FEBRUARY.end, D(4)),
    ]


def test_a_period_whose_invoice_was_undone_is_open_again():
    found = record((1, 5)).with_periods([Settled(JANUARY.start, JANUARY.end, D(4), D(2))])
    billed = lines_billed([b.addition(9, 4)])
    assert settled_since(found, uninvoiced_from(JANUARY), billed, january(20)) == [
        Settled(JANUARY.start, JANUARY.end, None, D(2))
    ]


def credited(found: SeatRecord, **values: object) -> list[tuple]:
    arguments = {"planned": {}, "net": {}, "as_of": january(31), **values}
    return [
        (item.day.day, int(item.quantity), item.share.days, item.billed_in)
        for item in still_owed_or_credited(found, uninvoiced_from(FEBRUARY), COMPUTED, **arguments)
    ]


def test_where_seats_that_go_are_credited_each_day_owes_or_is_owed_the_difference():
    found = record((1, 5), (10, 3), (20, 4)).with_periods([Settled(JANUARY.start, JANUARY.end, D(5), credits=True)])
    assert credited(found) == [(10, -2, 21, FEBRUARY), (20, 1, 11, FEBRUARY)]
    assert credited(found, planned={JANUARY.start: D(9)}) == [(10, -2, 21, FEBRUARY), (20, 1, 11, FEBRUARY)]
    assert credited(found, net={january(10): D(-2)}) == [(20, 1, 11, FEBRUARY)]
    assert credited(found, net={january(10): D(-2), january(20): D(1)}) == []


def test_what_is_planned_stands_for_a_period_that_is_not_invoiced_and_what_was_waived_counts_as_charged():
    open_again = record((1, 5)).with_periods([Settled(JANUARY.start, JANUARY.end, None, credits=True)])
    assert credited(open_again, planned={JANUARY.start: D(4)}) == [(1, 1, 31, FEBRUARY)]
    assert credited(open_again) == [(1, 5, 31, FEBRUARY)]
    waived = record((1, 5)).with_periods([Settled(JANUARY.start, JANUARY.end, D(3), D(2), credits=True)])
    assert credited(waived) == []


def test_waived_seats_go_first_without_a_credit_and_come_back_first_without_a_charge():
    settled = Settled(JANUARY.start, JANUARY.end, D(3), D(2), credits=True)
    found = record((1, 5), (5, 4), (10, 2), (20, 6)).with_periods([settled])
    assert credited(found) == [(10, -1, 21, FEBRUARY), (20, 2, 11, FEBRUARY)]
    assert credited(found, net={january(10): D(-1), january(20): D(2)}) == []


@pytest.mark.parametrize(("billed", "credits"), [(5, True), (6, False)])
def test_a_first_sync_gives_nothing_back_of_a_period_in_which_lines_billed_more_than_is_counted(billed, credits):
    arguments = (FirstSync.NEXT_PERIOD, lambda _: D(billed), D(5), january(10), january(10))
    for first in (JANUARY, FEBRUARY):
        (settled,) = settled_at_first_sync(uninvoiced_from(first), *arguments, credits=True)
        assert settled.credits is credits


def test_a_period_gives_back_what_goes_in_it_by_the_rule_that_it_began_with():
    found = record((1, 5), (10, 3)).with_periods([Settled(JANUARY.start, JANUARY.end, D(5))])
    assert credited(found) == []
    credits = found.with_periods([Settled(JANUARY.start, JANUARY.end, D(5), credits=True)])
    later = settled_since(credits, uninvoiced_from(MARCH), lambda _: D(5), FEBRUARY.start)
    assert [(settled.start, settled.credits) for settled in later] == [(FEBRUARY.start, False)]
