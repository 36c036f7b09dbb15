"""Seats that go are given back, where the rules say so: each day of each seat is paid once."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from shared.billing.profiles import Decrease, PriceKind, Proration, ProrationRule
from shared.billing.rules import LicenceLink
from tests import builders as b
from tests.examples import examples
from tests.unit.billing.test_invoices import (
    COMPUTED,
    CREDITED,
    Agreement,
    amount,
    monthly,
    once,
    play,
    scenarios,
    share,
)

D = Decimal


def owed_with_credits(agreement: Agreement, history: list[tuple[date, int]], invoiced_on: dict[date, date]) -> Decimal:
    """Every period is charged what existed on its first day, and each change within it the share that is left then."""
    total = D(0)
    for first, last in agreement.periods[: agreement.invoiced]:
        before = next((count for day, count in reversed(history) if day <= first), 0)
        total += before * agreement.price
        for day, count in history:
            if first < day <= last:
                left = amount(agreement.price, share(agreement.proration, (first, last), day))
                total += (count - before) * left
                before = count
    return total


@given(scenarios(), st.lists(st.booleans(), min_size=25, max_size=25))
@examples(250)
def test_with_credits_every_day_of_every_seat_is_paid_once_whenever_plans_and_invoices_were_run(scenario, chances):
    agreement, nights, delays = scenario
    agreement.kind = PriceKind.CUSTOM
    start_day = agreement.proration.start_day
    split = agreement.proration.always_split
    agreement.proration = Proration(ProrationRule.COMPUTED, start_day, always_split=split, decrease=Decrease.CREDIT)
    # An item that was never billed and is gone again has left nothing to credit.
    nights = [(day, max(count, 1)) for day, count in nights]
    waited = {day for (day, _), chance in zip(nights, chances, strict=False) if not chance}
    applied = {day for day, _ in nights} - waited | {nights[0][0], nights[-1][0]}
    invoiced_on: dict[date, date] = {}
    billed, _ = play(agreement, nights, delays, applies=applied, invoiced_on=invoiced_on)

    assert billed == owed_with_credits(agreement, nights, invoiced_on)


def test_a_credit_reads_as_one_sentence_and_is_a_line_with_a_negative_price():
    proration = Proration(ProrationRule.COMPUTED, decrease=Decrease.CREDIT)
    agreement = Agreement("Monthly", "CalendarYear", "Current", date(2020, 1, 1), proration, D("25.00"))
    while agreement.next_invoice <= date(2021, 2, 17):
        agreement.invoice()
    agreement.night(date(2021, 2, 1), 10)
    plan = agreement.night(date(2021, 2, 17), 8)

    credit, standing = plan.changes
    assert credit.sentence == (
        "Business Premium: 2 fewer since 17 Feb 2021: 11 of 28 days × 25.00 = 9.82 each, 19.64 credited in all, "
        "billed with the period from 1 Mar 2021."
    )
    assert (credit.after.quantity, credit.after.unit_price, credit.one_off) == (D(2), D("-9.82"), D("-19.64"))
    assert credit.after.invoice_description == "M365-BP licence - Credit: Prorated for 02/17/2021-02/28/2021"
    assert (standing.after.quantity, standing.monthly) == (D(8), D(-50))


def test_what_was_waived_is_neither_charged_nor_given_back():
    proration = Proration(ProrationRule.COMPUTED, decrease=Decrease.CREDIT)
    agreement = Agreement("Monthly", "CalendarYear", "Current", date(2026, 1, 1), proration, D("25.00"))
    agreement.licences = (LicenceLink(b.SOURCE, b.PREMIUM, waive_until=date(2026, 1, 12)),)
    agreement.night(date(2026, 1, 1), 10)
    agreement.invoice()
    agreement.night(date(2026, 1, 10), 12)
    agreement.night(date(2026, 1, 20), 10)

    assert [line.quantity for line in agreement.lines] == [D(10)]


def test_seats_that_were_not_to_be_billed_for_some_days_of_a_paid_period_are_not_charged_for_it_again():
    agreement = monthly()
    agreement.proration = CREDITED
    agreement.night(date(2026, 1, 1), 10)
    agreement.invoice()
    agreement.licences = (LicenceLink(b.SOURCE, b.PREMIUM, start=date(2026, 1, 15)),)
    for day in (10, 15, 16):
        assert once(agreement.night(date(2026, 1, day), 10)) == []

    assert once(agreement.night(date(2026, 1, 17), 12)) == [(D(2), amount(D("25.00"), (14, 31)))]
    assert once(agreement.night(date(2026, 1, 20), 11)) == [(D(1), -amount(D("25.00"), (11, 31)))]


def test_a_seat_that_was_waived_went_and_comes_back_later_is_charged_from_then_on():
    agreement = monthly()
    agreement.proration = CREDITED
    agreement.licences = (LicenceLink(b.SOURCE, b.PREMIUM, waive_until=date(2026, 1, 12)),)
    agreement.night(date(2026, 1, 1), 10)
    agreement.invoice()
    for day, counted in ((10, 12), (20, 10)):
        assert once(agreement.night(date(2026, 1, day), counted)) == []

    assert once(agreement.night(date(2026, 1, 25), 12)) == [(D(2), amount(D("25.00"), (6, 31)))]


def test_a_rule_that_turns_to_credits_gives_nothing_back_of_what_went_before():
    agreement = monthly()
    for month in range(1, 7):
        agreement.night(date(2026, month, 1), 100)
        agreement.invoice()
        agreement.night(date(2026, month, 10), 20)
    agreement.proration = CREDITED
    assert once(agreement.night(date(2026, 6, 15), 20)) == []
    assert once(agreement.night(date(2026, 6, 20), 19)) == []
    agreement.night(date(2026, 7, 1), 19)
    agreement.invoice()
    (credit,) = once(agreement.night(date(2026, 7, 11), 18))
    assert credit == (D(1), -amount(D("25.00"), (20, 31)))


def test_a_rule_that_turns_from_credits_charges_a_seat_anew_that_it_has_given_back_in_that_period():
    agreement = monthly()
    agreement.proration = CREDITED
    agreement.night(date(2026, 1, 1), 10)
    agreement.invoice()
    assert once(agreement.night(date(2026, 1, 10), 8)) == [(D(2), -amount(D("25.00"), (21, 31)))]
    agreement.proration = COMPUTED
    assert once(agreement.night(date(2026, 1, 16), 10)) == [(D(2), amount(D("25.00"), (15, 31)))]


def test_seats_that_stood_before_the_first_sync_are_not_given_back_when_they_go():
    agreement = monthly()
    agreement.proration = CREDITED
    agreement.invoice()
    agreement.counted = frozenset({b.PREMIUM})
    assert once(agreement.night(date(2026, 1, 10), 10)) == []
    assert once(agreement.night(date(2026, 1, 15), 8)) == []
    assert once(agreement.night(date(2026, 1, 16), 10)) == []
    assert once(agreement.night(date(2026, 1, 17), 11)) == [(D(1), amount(D("25.00"), (14, 31)))]


def test_seats_that_came_while_they_were_waived_are_charged_from_the_next_period_on():
    agreement = monthly()
    agreement.licences = (LicenceLink(b.SOURCE, b.PREMIUM, waive_until=date(2026, 1, 12)),)
    agreement.night(date(2026, 1, 1), 10)
    agreement.invoice()
    assert once(agreement.night(date(2026, 1, 12), 12)) == []
    assert once(agreement.night(date(2026, 1, 13), 13)) == [(D(1), amount(D("25.00"), (18, 31)))]
    assert [line.quantity for line in agreement.lines if line.cancelled_date is None] == [D(13)]
