"""Stamps, seat records, texts and words."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.billing.calendar import month_of
from shared.billing.lines import LineKey, LineKind, canonical, stamp_of, stamped_date
from shared.billing.planning.sentences import LONGEST_TEXT, invoice_text
from shared.billing.rules import Mode
from shared.billing.seats import KEPT_DAYS, SeatRecord
from shared.billing.wording import money, number, signed, spoken
from tests import builders as b

D = Decimal


def test_a_stamp_is_schema_and_never_changes():
    key = LineKey(250, 501, "microsoft365/cbdc14ab-d96c-4c30-b9f4-6ada7cdc1d46")

    assert stamp_of(key, 88, date(2026, 12, 1)) == "TU1-S-261201-b7trbybrvnbtpa5n53tsor3tsp"


@given(
    st.integers(1, 10**6), st.integers(1, 10**6), st.text(max_size=80), st.dates(date(2000, 1, 1), date(2099, 12, 31))
)
def test_every_stamp_fits_into_manage_and_tells_its_date(company, agreement, item, day):
    stamp = stamp_of(LineKey(company, agreement, item), 7, day, LineKind.ADOPTED)

    assert len(stamp) == 39
    assert stamped_date(stamp) == day


def test_bill_item_ids_are_compared_trimmed_and_case_folded():
    assert stamp_of(LineKey(1, 2, " Microsoft365/ABC "), 3, b.TODAY) == stamp_of(
        LineKey(1, 2, "microsoft365/abc"), 3, b.TODAY
    )
    assert canonical(" ABC ") == "abc"


@pytest.mark.parametrize("serial", ["", "TU1-S-269901-aaaaaaaaaaaaaaaaaaaaaaaaaa", "TU1-S-261201-short", "Unite-1"])
def test_what_is_no_stamp_has_no_date(serial):
    assert stamped_date(serial) is None


def test_the_seat_record_keeps_a_day_only_where_something_changed():
    record = SeatRecord("line")
    for day, quantity in [(1, 10), (2, 10), (3, 12), (4, 10), (5, 10)]:
        record = record.with_reading(date(2026, 11, day), D(quantity), b.NEXT_PERIOD)

    assert [(entry.day.day, entry.quantity) for entry in record.days] == [(1, D(10)), (3, D(12)), (4, D(10))]
    assert record.seen == date(2026, 11, 5)


def test_of_one_days_readings_the_last_counts_and_those_that_were_higher_and_an_older_one_changes_nothing():
    record = SeatRecord("line").with_reading(b.TODAY, D(10), b.NEXT_PERIOD)

    assert [entry.quantity for entry in record.with_reading(b.TODAY, D(11), b.NEXT_PERIOD).days] == [D(11)]
    assert [entry.quantity for entry in record.with_reading(b.TODAY, D(9), b.NEXT_PERIOD).days] == [D(10), D(9)]
    assert record.with_reading(b.TODAY - timedelta(days=1), D(5), b.NEXT_PERIOD) == record


def test_a_period_that_was_invoiced_between_two_readings_is_a_day_of_its_own():
    record = SeatRecord("line").with_reading(b.TODAY, D(10), b.NEXT_PERIOD)
    record = record.with_reading(b.TODAY + timedelta(days=1), D(10), date(2027, 1, 1))

    assert [entry.first_uninvoiced for entry in record.days] == [b.NEXT_PERIOD, date(2027, 1, 1)]


def test_the_highest_quantity_counts_what_was_still_in_force_on_the_first_day():
    record = SeatRecord("line").with_reading(date(2026, 1, 1), D(50), None).with_reading(b.TODAY, D(10), None)

    assert record.highest_since(date(2026, 11, 1)) == 50
    assert record.highest_since(b.TODAY) == 10
    assert SeatRecord("line").highest_since(b.TODAY) == 0


def test_old_days_are_forgotten_but_what_still_held_then_is_not():
    record = SeatRecord("line")
    for back in (KEPT_DAYS + 90, KEPT_DAYS + 60, 30):
        record = record.with_reading(b.TODAY - timedelta(days=back), D(back), None)
    record = record.with_reading(b.TODAY, D(1), None)

    assert [entry.quantity for entry in record.days] == [D(KEPT_DAYS + 60), D(30), D(1)]


def test_the_invoice_text_lists_users_and_says_how_many_it_left_out():
    users = [f"user{number:05d}@example.org" for number in range(1000)]
    text = invoice_text("{product}: {quantity}\n{users}", "Premium", D(1000), users)

    assert len(text) <= LONGEST_TEXT
    shown = text.count("@")
    assert text.endswith(f"… and {1000 - shown} more")
    assert shown > 200


@given(st.lists(st.text(min_size=1, max_size=60), max_size=300))
def test_the_invoice_text_never_grows_longer_than_manage_takes(users):
    text = invoice_text("{product}\n{users}", "Premium", D(3), users)

    assert len(text) <= LONGEST_TEXT


def test_a_template_alone_that_is_too_long_is_cut():
    assert len(invoice_text("x" * 7000, "Premium", D(1), [])) == LONGEST_TEXT
    assert invoice_text("", "Premium", D(1), ["ada"]) == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [(D("25"), "25.00"), (D("0.00125"), "0.00125"), (D("25.000"), "25.00"), (D("2.50"), "2.50"), (D("-3.1"), "-3.10")],
)
def test_money_has_two_decimals_or_as_many_as_a_price_needs(value, text):
    assert money(value) == text


def test_words():
    assert spoken(date(2026, 12, 1)) == "1 Dec 2026"
    assert [number(D(value)) for value in ("12", "12.0", "2.50", "0", "-0", "100")] == [
        "12",
        "12",
        "2.5",
        "0",
        "0",
        "100",
    ]
    assert signed(D(5)) == "+5.00"
    assert month_of(date(2024, 2, 11)).end == date(2024, 2, 29)


def test_a_mode_can_only_become_more_careful():
    assert Mode.AUTO.at_most(Mode.OBSERVE) is Mode.OBSERVE
    assert Mode.OBSERVE.at_most(Mode.AUTO) is Mode.OBSERVE
    assert Mode.AUTO.at_most(None) is Mode.AUTO
