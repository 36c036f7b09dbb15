"""The trade's figures: what a change on a day costs, and how it reads."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from shared.billing.planning.plan import ChangeKind
from shared.billing.planning.planner import plan_company
from shared.billing.profiles import FirstSync, Proration, ProrationRule, StartDay
from shared.billing.rules import LicenceLink, Mode
from tests import builders as b
from tests.unit.billing.test_invoices import COMPUTED, Agreement, amount

D = Decimal


def one_off(
    count: int, price: str, day: date, *, bought: int = 5, **proration: object
) -> list[tuple[Decimal, Decimal]]:
    """What an increase by `count` on a day of an invoiced month adds as one-off lines: quantity and amount each."""
    values = {"rule": ProrationRule.COMPUTED, **proration}
    agreement = Agreement("Monthly", "CalendarYear", "Current", date(day.year - 1, 1, 1), Proration(**values), D(price))
    while agreement.next_invoice <= day:
        agreement.invoice()
    agreement.night(day.replace(day=1), bought)
    plan = agreement.night(day, bought + count)
    return [(change.after.quantity, change.after.unit_price) for change in plan.changes if not change.key.is_standing]


@pytest.mark.parametrize(
    ("count", "price", "day", "amount"),
    [
        (1, "25.00", date(2020, 9, 9), "17.50"),
        (1, "20.00", date(2020, 9, 9), "14.00"),
        (12, "6.00", date(2020, 8, 5), "5.03"),
        (2, "25.00", date(2021, 2, 4), "21.43"),
        (1, "25.00", date(2021, 2, 17), "9.82"),
        (1, "25.00", date(2024, 2, 4), "21.55"),
        (1, "2.05", date(2020, 9, 15), "1.03"),
    ],
)
def test_the_distributors_figures(count, price, day, amount):
    assert one_off(count, price, day) == [(D(count), D(amount))]


def test_nothing_is_left_on_the_last_day_of_a_month():
    assert one_off(3, "25.00", date(2020, 8, 31)) == []


def test_with_the_start_day_included_as_manage_and_microsoft_count():
    assert one_off(1, "22.00", date(2019, 3, 15), start_day=StartDay.INCLUDED) == [(D(1), D("12.06"))]


@pytest.mark.parametrize(("day", "amount"), [(date(2026, 2, 20), "19.64"), (date(2026, 3, 10), "3.57")])
def test_a_contract_period_from_the_15th_to_the_14th(day, amount):
    agreement = Agreement("Monthly", "ContractYear", "Current", date(2025, 2, 15), COMPUTED, D("25.00"))
    while agreement.next_invoice <= day:
        agreement.invoice()
    agreement.night(date(2026, 2, 15), 5)
    plan = agreement.night(day, 6)

    assert [change.after.unit_price for change in plan.changes if not change.key.is_standing] == [D(amount)]


def test_ten_to_eight_and_back_to_ten_inside_a_paid_period_owes_nothing():
    agreement = Agreement("Monthly", "CalendarYear", "Current", date(2026, 1, 1), COMPUTED, D("25.00"))
    agreement.night(date(2026, 1, 1), 10)
    agreement.invoice()
    agreement.night(date(2026, 1, 10), 8)
    back = agreement.night(date(2026, 1, 20), 10)

    assert [change for change in back.changes if not change.key.is_standing] == []
    assert [line.quantity for line in agreement.lines] == [D(10)]


def test_one_more_in_an_invoiced_month_reads_as_one_sentence_with_its_arithmetic():
    agreement = Agreement("Monthly", "CalendarYear", "Current", date(2020, 1, 1), COMPUTED, D("25.00"))
    while agreement.next_invoice <= date(2021, 2, 17):
        agreement.invoice()
    agreement.night(date(2021, 2, 1), 10)
    plan = agreement.night(date(2021, 2, 17), 12)

    assert [change.sentence for change in plan.changes] == [
        "Business Premium: 2 more since 17 Feb 2021: 11 of 28 days × 25.00 = 9.82 each, 19.64 in all, "
        "billed with the period from 1 Mar 2021.",
        "Business Premium: from 1 Mar 2021 12 instead of 10, 2 more: +50.00 an invoice.",
    ]
    one, _ = plan.changes
    assert (one.one_off, one.monthly) == (D("19.64"), D(0))
    assert one.after.effective_date == date(2021, 3, 1)
    assert one.after.cancelled_date == date(2021, 3, 31)
    assert one.after.invoice_description == "M365-BP licence - Prorated for 02/17/2021-02/28/2021"


@pytest.mark.parametrize(
    ("first_sync", "amounts"),
    [
        (FirstSync.NEXT_PERIOD, []),
        (FirstSync.PRORATE, [(D(4), D("8.33"))]),
        (FirstSync.FULL_PERIOD, [(D(4), D("25.00"))]),
    ],
)
def test_a_first_sync_in_an_invoiced_month(first_sync, amounts):
    agreement = Agreement(
        "Monthly",
        "CalendarYear",
        "Current",
        date(2026, 9, 1),
        Proration(ProrationRule.COMPUTED, first_sync=first_sync),
        D("25.00"),
    )
    agreement.invoice()
    agreement.counted = frozenset({b.PREMIUM})
    plan = agreement.night(date(2026, 9, 20), 4)

    assert [
        (change.after.quantity, change.after.unit_price) for change in plan.changes if not change.key.is_standing
    ] == amounts
    assert [line.effective_date for line in agreement.lines if line.cancelled_date is None] == [date(2026, 10, 1)]


def test_an_agreement_that_ends_before_the_one_off_could_be_billed_tells_the_amount():
    agreement = Agreement("Monthly", "CalendarYear", "Current", date(2026, 1, 1), COMPUTED, D("25.00"))
    agreement.night(date(2026, 1, 1), 5)
    agreement.invoice()
    facts = agreement.facts(date(2026, 1, 20), 6)
    ends = replace(facts, agreements=(replace(facts.agreements[0], end_date=date(2026, 2, 10)),))
    plan = plan_company(ends)

    assert [change.key.is_standing for change in plan.changes] == [True]
    (finding,) = [finding for finding in plan.findings if finding.kind.value == "unbilled"]
    assert "8.87" in finding.text


def test_a_company_in_observe_begins_anew_each_night():
    agreement = Agreement("Monthly", "CalendarYear", "Current", date(2026, 1, 1), COMPUTED, D("25.00"))
    agreement.night(date(2026, 1, 1), 5)
    agreement.invoice()
    watching = replace(agreement.facts(date(2026, 1, 20), 9), company=b.company(mode=Mode.OBSERVE))
    plan = plan_company(watching)

    assert [change.key.is_standing for change in plan.changes] == [True]


def test_billed_through_overrides_what_the_next_invoice_date_says():
    facts = b.facts(b.reading(b.count(5)), company=b.company(billed_through={b.AGREEMENT: date(2026, 12, 31)}))

    assert [change.after.effective_date for change in plan_company(facts).changes] == [date(2027, 1, 1)]


def test_our_second_copy_of_a_one_off_line_goes():
    agreement = Agreement("Monthly", "CalendarYear", "Current", date(2026, 1, 1), COMPUTED, D("25.00"))
    agreement.night(date(2026, 1, 1), 5)
    agreement.invoice()
    agreement.night(date(2026, 1, 20), 6)
    (single,) = [line for line in agreement.lines if line.serial_number.startswith("TU1-O-")]
    agreement.lines.append(replace(single, id=1))
    plan = agreement.plan(date(2026, 1, 21), 6)

    assert [(change.kind, change.addition) for change in plan.changes] == [(ChangeKind.DELETE, 1)]


def test_do_not_bill_until_a_day_begins_on_it_as_an_increase_from_nothing():
    agreement = Agreement("Monthly", "CalendarYear", "Current", date(2026, 1, 1), COMPUTED, D("25.00"))
    agreement.night(date(2026, 1, 1), 5)
    agreement.invoice()
    until = LicenceLink(b.SOURCE, b.PREMIUM, do_not_bill_until=date(2026, 3, 11))
    agreement.licences = (until,)
    for day, quantity in [(5, 5), (20, 9)]:
        agreement.night(date(2026, 1, day), quantity)
    agreement.invoice()
    agreement.night(date(2026, 2, 2), 9)
    agreement.invoice()
    agreement.night(date(2026, 3, 10), 9)
    assert agreement.total() == 5 * D("25.00"), "January was billed; February and the days until 11 March are not"

    agreement.night(date(2026, 3, 11), 9)
    agreement.invoice()
    share = amount(D("25.00"), (20, 31))
    assert agreement.billed[date(2026, 4, 1)] == 9 * share + 9 * D("25.00")


def test_a_link_that_starts_in_an_invoiced_month_owes_from_its_start():
    agreement = Agreement("Monthly", "CalendarYear", "Current", date(2026, 1, 1), COMPUTED, D("25.00"))
    agreement.licences = (LicenceLink(b.SOURCE, b.PREMIUM, start=date(2026, 1, 15)),)
    agreement.counted = frozenset({b.PREMIUM})
    agreement.invoice()
    agreement.night(date(2026, 1, 10), 4)
    agreement.night(date(2026, 1, 15), 4)
    agreement.invoice()

    assert agreement.total() == 4 * amount(D("25.00"), (16, 31)) + 4 * D("25.00")


def test_a_line_that_comes_back_before_it_has_ended_keeps_its_price():
    agreement = Agreement("Monthly", "CalendarYear", "Current", date(2026, 1, 1), COMPUTED, D("25.00"))
    agreement.lines = [b.addition(1, 10, unit_price=D("22.05"), effective_date=date(2026, 1, 1))]
    agreement.night(date(2026, 1, 1), 10)
    agreement.invoice()
    agreement.night(date(2026, 1, 10), 0)
    plan = agreement.night(date(2026, 1, 12), 10)

    assert [change.after.unit_price for change in plan.changes] == [D("22.05")]
