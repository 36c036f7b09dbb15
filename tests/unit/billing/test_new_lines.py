"""When a line is created, and which line of somebody else is taken over instead."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from shared.billing.lines import LineKind, stamp_of
from shared.billing.planning.plan import ChangeKind
from shared.billing.planning.planner import plan_company
from shared.billing.profiles import BillOption, PriceKind, PriceRule
from shared.billing.rules import LicenceLink, SkuPolicy
from tests import builders as b
from tests.unit.billing.plans import kinds, only_change

D = Decimal


def test_a_counted_sku_without_a_line_gets_one_from_the_first_uninvoiced_period_on():
    change = only_change(plan_company(b.facts(b.reading(b.count(12)))))

    assert change.kind is ChangeKind.CREATE
    assert change.fields() == {
        "product_id": 88,
        "quantity": D(12),
        "unit_price": D("25.00"),
        "effective_date": b.NEXT_PERIOD,
        "serial_number": stamp_of(b.key(), 88, b.NEXT_PERIOD),
        "bill_customer": "Billable",
    }
    assert change.monthly == D("300.00")
    assert change.sentence == ("Business Premium: a new line of 12 from 1 Dec 2026: 12 × 25.00 = 300.00 an invoice.")


def test_the_profile_says_price_bill_option_and_taxable_of_a_new_line():
    own = b.profile(price=PriceRule(PriceKind.CUSTOM, D("22.50")), bill_option=BillOption.NO_CHARGE, taxable=True)
    change = only_change(plan_company(b.facts(b.reading(b.count(2)), rules=b.rules(own))))

    assert change.after.unit_price == D("22.50")
    assert change.after.bill_customer == "NoCharge"
    assert change.after.taxable_flag is True
    assert change.monthly == 0


def test_update_only_profiles_never_create():
    plan = plan_company(b.facts(b.reading(b.count(2)), rules=b.rules(b.profile(update_only=True))))

    assert plan.groups == ()
    assert kinds(plan) == ["blocked-create"]


def test_update_only_profiles_create_no_line_after_ours_has_ended_either_but_adopt_what_a_person_adds():
    ours = b.our_addition(9, 5, cancelled_date=date(2026, 10, 31))
    rules = b.rules(b.profile(update_only=True))
    facts = b.facts(b.reading(b.count(4)), additions=[ours], ledger=[b.recorded(ours)], rules=rules)

    assert plan_company(facts).groups == ()
    assert kinds(plan_company(facts)) == ["blocked-create"]

    added = b.addition(10, 1, effective_date=b.NEXT_PERIOD)
    change = only_change(plan_company(replace(facts, additions={501: (ours, added)})))
    assert (change.addition, change.reason, change.after.quantity) == (10, "adopted", D(4))


def test_nothing_is_created_before_the_licence_links_start():
    licence = LicenceLink(b.SOURCE, b.PREMIUM, start=date(2026, 12, 2))

    assert plan_company(b.facts(b.reading(b.count(2)), company=b.company(licences=(licence,)))).groups == ()


def test_a_start_on_the_first_day_of_the_period_lets_the_line_begin_there():
    licence = LicenceLink(b.SOURCE, b.PREMIUM, start=b.NEXT_PERIOD)

    change = only_change(plan_company(b.facts(b.reading(b.count(2)), company=b.company(licences=(licence,)))))
    assert change.after.effective_date == b.NEXT_PERIOD


@pytest.mark.parametrize("price", ["0", "0.00"])
def test_a_price_of_nothing_is_a_finding_and_writes_nothing(price):
    plan = plan_company(b.facts(b.reading(b.count(2)), products=[b.product(price=price)]))

    assert plan.groups == ()
    assert kinds(plan) == ["price"]


def test_the_one_open_line_of_the_product_is_adopted_with_quantity_and_stamp_and_nothing_else():
    own = b.profile(price=PriceRule(PriceKind.CUSTOM, D("30.00")), taxable=True, invoice_text="{product}")
    plan = plan_company(b.facts(b.reading(b.count(12)), additions=[b.addition(9, 10)], rules=b.rules(own)))

    change = only_change(plan)
    stamp = stamp_of(b.key(), 88, date(2025, 1, 1), LineKind.ADOPTED)
    assert change.kind is ChangeKind.UPDATE
    assert change.addition == 9
    assert change.fields() == {"quantity": D(12), "serial_number": stamp}
    assert change.keeps_price


def test_a_right_line_is_adopted_by_its_stamp_alone():
    change = only_change(plan_company(b.facts(b.reading(b.count(10)), additions=[b.addition(9, 10)])))

    assert list(change.fields()) == ["serial_number"]
    assert change.monthly == 0


@pytest.mark.parametrize(
    "line",
    [
        b.addition(9, 10, serial_number="SN-7781"),
        b.addition(9, 10, serial_number="Unite-55"),
        b.addition(9, 10, less_included=D(2)),
        b.addition(9, 10, cancelled_date=date(2027, 3, 31)),
        b.addition(9, 10, bill_customer="NoCharge"),
        b.addition(9, 10, unit_price=D("-25.00")),
        b.addition(9, 10, unit_price=D(0)),
        b.addition(9, -5),
        b.addition(9, 10, effective_date=date(2027, 3, 1)),
        b.addition(9, 10, effective_date=date(1999, 5, 1)),
    ],
    ids=[
        "a serial number",
        "another tool's mark, not confirmed",
        "less included",
        "an end",
        "no charge",
        "a credit",
        "no price",
        "less than nothing",
        "a later beginning",
        "another century",
    ],
)
def test_a_line_that_may_not_be_adopted_blocks_the_create(line):
    plan = plan_company(b.facts(b.reading(b.count(12)), additions=[line]))

    assert plan.groups == ()
    assert kinds(plan) == ["blocked-create"]


def test_another_tools_line_is_adopted_once_that_is_confirmed_for_the_company():
    line = b.addition(9, 10, serial_number="unite-55")
    plan = plan_company(b.facts(b.reading(b.count(12)), additions=[line], company=b.company(adopt_marked=True)))

    assert only_change(plan).addition == 9


def test_several_open_lines_of_the_product_are_left_to_a_person():
    plan = plan_company(b.facts(b.reading(b.count(12)), additions=[b.addition(9, 10), b.addition(10, 2)]))

    assert plan.groups == ()
    assert kinds(plan) == ["candidates"]


def test_a_line_on_another_active_agreement_blocks_the_create():
    other = b.agreement(502, type="Cloud Subscriptions")
    plan = plan_company(
        b.facts(b.reading(b.count(12)), additions=[b.addition(9, 10, on=502)], agreements=[b.agreement(), other])
    )

    assert plan.groups == ()
    assert kinds(plan) == ["blocked-create"]


def test_a_line_of_a_product_that_the_profile_replaces_blocks_the_create():
    own = b.profile(replaces=("OLD-BP",))
    line = b.addition(9, 10, product="OLD-BP", product_id=70)
    plan = plan_company(b.facts(b.reading(b.count(12)), additions=[line], rules=b.rules(own)))

    assert plan.groups == ()
    assert kinds(plan) == ["blocked-create"]


def test_an_ended_line_of_the_product_blocks_nothing():
    line = b.addition(9, 10, cancelled_date=date(2026, 11, 30))

    assert only_change(plan_company(b.facts(b.reading(b.count(12)), additions=[line]))).kind is ChangeKind.CREATE


def test_two_skus_of_one_product_do_not_fight_for_one_line():
    policies = [SkuPolicy(b.SOURCE, b.PREMIUM, "premium"), SkuPolicy(b.SOURCE, b.STANDARD, "premium")]
    plan = plan_company(
        b.facts(
            b.reading(b.count(3), b.count(4, sku=b.STANDARD)),
            additions=[b.addition(9, 10)],
            rules=b.rules(policies=policies),
        )
    )

    assert plan.groups == ()
    assert kinds(plan) == ["candidates", "candidates"]


def test_a_line_for_something_that_is_not_counted_is_a_finding_and_is_not_touched():
    plan = plan_company(b.facts(b.reading(), additions=[b.addition(9, 10)]))

    assert plan.groups == ()
    assert kinds(plan) == ["candidates"]


def test_nothing_is_created_beside_a_line_that_somebody_began_after_ours_had_ended():
    ended = b.our_addition(9, 2, cancelled_date=date(2026, 10, 31))
    plan = plan_company(
        b.facts(b.reading(b.count(3)), additions=[ended, b.addition(12, 3)], ledger=[b.recorded(ended)])
    )

    assert plan.groups == ()
    assert kinds(plan) == ["blocked-create"]
