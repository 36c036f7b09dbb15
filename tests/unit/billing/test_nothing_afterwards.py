"""What was not billed in its time for a reason is never billed afterwards."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from shared.billing.planning.planner import plan_company
from shared.billing.profiles import BillOption, ProrationRule
from shared.billing.rules import LicenceLink
from tests import builders as b
from tests.unit.billing.test_invoices import COMPUTED, CREDITED, amount, monthly, once

D = Decimal


def test_months_in_which_an_item_was_not_to_be_billed_are_not_billed_afterwards():
    agreement = monthly()
    agreement.night(date(2026, 1, 1), 10)
    agreement.invoice()
    agreement.licences = (LicenceLink(b.SOURCE, b.PREMIUM, do_not_bill=True),)
    agreement.night(date(2026, 1, 20), 10)
    for _ in range(2):
        agreement.invoice()
    agreement.licences = ()

    assert once(agreement.night(date(2026, 3, 20), 10)) == []


def test_a_rise_that_was_only_looked_at_and_went_away_is_not_billed_when_it_comes_back():
    agreement = monthly()
    agreement.invoice()
    agreement.night(date(2026, 1, 22), 5, applies=False)
    for day in (23, 24):
        agreement.night(date(2026, 1, day), 0)
    for _ in range(3):
        agreement.invoice()
    back = agreement.night(date(2026, 3, 20), 5)

    assert once(back) == [(D(5), amount(D("25.00"), (11, 31))), (D(5), D("25.00"))], "since March: April is invoiced"


def test_nothing_is_owed_for_days_without_any_reading_for_a_long_time():
    agreement = monthly()
    agreement.night(date(2026, 1, 1), 10)
    for _ in range(6):
        agreement.invoice()

    assert once(agreement.night(date(2026, 6, 20), 12)) == []


def test_a_change_of_the_rule_bills_nothing_of_the_past():
    agreement = monthly(ProrationRule.NONE)
    agreement.night(date(2026, 1, 1), 5)
    agreement.invoice()
    agreement.night(date(2026, 1, 10), 7)
    agreement.invoice()
    agreement.night(date(2026, 2, 10), 9)
    agreement.proration = COMPUTED

    assert once(agreement.night(date(2026, 2, 12), 9)) == []
    assert once(agreement.night(date(2026, 2, 18), 10)) == [(D(1), amount(D("25.00"), (10, 28)))]


def test_a_change_of_the_billing_cycle_bills_nothing_twice():
    agreement = monthly()
    agreement.night(date(2026, 1, 1), 5)
    agreement.invoice()
    agreement.night(date(2026, 1, 10), 7)
    facts = agreement.facts(date(2026, 1, 12), 7)
    quarterly = replace(facts.agreements[0], billing_cycle="Quarterly", next_invoice_date=date(2026, 4, 1))

    assert once(plan_company(replace(facts, agreements=(quarterly,)))) == []


def test_what_was_left_to_a_person_is_not_written_later():
    agreement = monthly()
    agreement.night(date(2026, 1, 1), 5)
    agreement.invoice()
    facts = agreement.facts(date(2026, 1, 20), 6)
    ends = replace(facts, agreements=(replace(facts.agreements[0], end_date=date(2026, 2, 10)),))
    agreement.seats |= {record.line: record for record in plan_company(ends).seats}

    assert once(agreement.plan(date(2026, 1, 21), 6)) == []


def test_nothing_is_created_or_adopted_for_a_count_of_zero_beside_a_line_that_has_ended_elsewhere():
    ended = b.our_addition(9, 2, on=501, cancelled_date=date(2026, 10, 31))
    theirs = b.addition(12, 3, on=502)
    licence = LicenceLink(b.SOURCE, b.PREMIUM, agreement=502)
    plan = plan_company(
        b.facts(
            b.reading(b.count(0), b.count(1, sku="other", free=True)),
            additions=[ended, theirs],
            ledger=[b.recorded(ended)],
            agreements=[b.agreement(501), b.agreement(502)],
            company=b.company(licences=(licence,)),
        )
    )

    assert plan.groups == ()


def test_a_line_that_moves_goes_on_after_the_last_day_that_it_was_billed():
    ended = b.our_addition(9, 2, on=501, cancelled_date=date(2026, 12, 31))
    licence = LicenceLink(b.SOURCE, b.PREMIUM, agreement=502)
    plan = plan_company(
        b.facts(
            b.reading(b.count(3)),
            additions=[ended],
            ledger=[b.recorded(ended)],
            agreements=[b.agreement(501, agreement_status="Cancelled"), b.agreement(502)],
            company=b.company(licences=(licence,)),
        )
    )

    assert [change.after.effective_date for change in plan.changes] == [date(2027, 1, 1)]


def test_the_invoiced_part_of_a_rise_keeps_the_price_that_it_was_invoiced_at():
    agreement = monthly()
    agreement.night(date(2026, 1, 1), 5)
    agreement.invoice()
    agreement.price = D("50.00")

    assert once(agreement.night(date(2026, 1, 10), 7)) == [(D(2), amount(D("25.00"), (21, 31)))]


@pytest.mark.parametrize("first_night", [1, 5])
def test_what_comes_after_a_new_price_was_written_is_charged_for_the_invoiced_period_at_its_old_one(first_night):
    agreement = monthly()
    agreement.night(date(2026, 1, 1), 10 if first_night == 1 else 0)
    agreement.invoice()
    agreement.night(date(2026, 1, 5), 10)
    agreement.night(date(2026, 1, 6), 10)
    agreement.price = D("100.00")
    agreement.night(date(2026, 1, 10), 10)
    assert once(agreement.night(date(2026, 1, 12), 11)) == [(D(1), amount(D("25.00"), (19, 31)))]
    agreement.invoice()
    assert once(agreement.night(date(2026, 2, 10), 12)) == [(D(1), amount(D("100.00"), (18, 28)))]


def test_what_goes_after_a_new_price_was_written_is_given_back_at_the_price_that_was_charged():
    agreement = monthly()
    agreement.proration = CREDITED
    agreement.night(date(2026, 1, 1), 10)
    agreement.invoice()
    agreement.price = D("100.00")
    agreement.night(date(2026, 1, 10), 10)
    assert once(agreement.night(date(2026, 1, 14), 9)) == [(D(1), -amount(D("25.00"), (17, 31)))]


def test_a_line_is_not_taken_over_while_a_period_that_is_over_is_not_invoiced():
    facts = b.facts(
        b.reading(b.count(12)),
        additions=[b.addition(9, 10)],
        agreements=[b.agreement(next_invoice_date=date(2026, 10, 1))],
    )

    plan = plan_company(facts)
    assert plan.groups == ()
    assert [finding.kind.value for finding in plan.findings] == ["calendar-unsupported"]


def test_undone_invoices_hold_the_item_until_they_are_run_again():
    agreement = monthly()
    agreement.night(date(2026, 1, 1), 10)
    agreement.invoice()
    agreement.night(date(2026, 1, 5), 12)
    agreement.invoiced -= 1
    plan = agreement.plan(date(2026, 1, 6), 13)

    assert plan.groups == ()
    assert [finding.kind.value for finding in plan.findings] == ["period-moved"]


def test_lines_that_are_not_charged_owe_nothing_and_do_not_owe_it_later():
    agreement = monthly()
    agreement.night(date(2026, 1, 1), 5)
    agreement.invoice()
    facts = agreement.facts(date(2026, 1, 10), 7)
    free = replace(facts.rules.profiles["premium"], bill_option=BillOption.NO_CHARGE)
    unpaid = plan_company(replace(facts, rules=replace(facts.rules, profiles={"premium": free})))
    agreement.seats |= {record.line: record for record in unpaid.seats}

    assert once(unpaid) == []
    assert once(agreement.plan(date(2026, 1, 11), 7)) == []


def test_a_copied_one_off_that_has_ended_blocks_nothing():
    copied = b.addition(9, 1, serial_number="TU1-O-250101-aaaaaaaaaaaaaaaaaaaaaaaaaa", cancelled_date=date(2025, 1, 31))
    plan = plan_company(b.facts(b.reading(b.count(3)), additions=[copied]))

    assert len(plan.changes) == 1
    assert plan.findings == ()
