"""What is counted of a company beside what its agreements bill: by the trade's examples."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

from shared.billing.balance import Balance, remembering, settled
from shared.billing.planning.plan import Plan
from shared.billing.planning.planner import plan_company
from shared.billing.profiles import (
    Band,
    FirstSync,
    PriceKind,
    PricePeriod,
    PriceRule,
    Proration,
    ProrationRule,
    QuantityRule,
    StartDay,
)
from shared.billing.rules import LicenceLink, SkuPolicy
from tests import builders as b


def told(plan: Plan) -> list[tuple[str, Decimal | None, Decimal, Decimal | None, Decimal]]:
    """Item, due, billed, amount due, amount billed."""
    return [
        (each.bill_item.split("/")[-1][:8], each.due, each.billed, each.amount_due, each.amount_billed)
        for each in plan.balances
    ]


def one(plan: Plan) -> Balance:
    (balance,) = plan.balances
    return balance


def test_a_line_of_somebody_else_is_compared_with_the_count_that_its_product_bills():
    plan = plan_company(b.facts(b.reading(b.count(8)), additions=[b.addition(11, 5)]))
    balance = one(plan)
    assert (balance.counted, balance.due, balance.billed) == (8, 8, 5)
    assert (balance.amount_due, balance.amount_billed, balance.amount) == (200, 125, 75)
    assert (balance.units, balance.estimated, balance.months) == (3, False, 1)
    assert (balance.agreement, balance.uninvoiced_from) == (b.AGREEMENT, b.NEXT_PERIOD)


def test_our_own_line_that_is_right_leaves_no_difference():
    line = b.our_addition(11, 8)
    plan = plan_company(b.facts(b.reading(b.count(8)), additions=[line], ledger=[b.recorded(line)]))
    assert (one(plan).units, one(plan).amount) == (0, 0)


def test_a_line_that_ends_with_the_period_does_not_bill_the_next_one():
    ended = b.addition(11, 8, cancelled_date=date(2026, 11, 30))
    later = b.addition(12, 8, effective_date=date(2027, 3, 1))
    assert one(plan_company(b.facts(b.reading(b.count(8)), additions=[ended, later]))).billed == 0


def test_what_is_included_or_not_billed_in_a_line_counts_as_what_it_is():
    free = b.addition(11, 8, bill_customer="NoCharge")
    assert one(plan_company(b.facts(b.reading(b.count(8)), additions=[free]))).amount_billed == 0
    included = b.addition(11, 8, less_included=Decimal(3))
    assert one(plan_company(b.facts(b.reading(b.count(8)), additions=[included]))).billed == 5


def test_where_nothing_can_be_written_the_difference_is_estimated_by_what_stands():
    second = b.addition(12, 1, unit_price=Decimal("27.00"))
    plan = plan_company(b.facts(b.reading(b.count(8)), additions=[b.addition(11, 5), second]))
    assert plan.groups == ()
    balance = one(plan)
    assert (balance.due, balance.billed, balance.estimated) == (8, 6, True)
    assert balance.amount_due == balance.amount_billed + 2 * (balance.amount_billed / 6)


def test_an_estimate_without_a_line_is_by_the_catalog_or_the_profile_and_none_where_neither_says():
    nowhere = [b.agreement(), b.agreement(502)]
    facts = b.facts(b.reading(b.count(8)), agreements=nowhere)
    assert one(plan_company(facts)).amount_due == 200
    assert one(plan_company(facts)).agreement is None
    custom = b.profile(price=PriceRule(PriceKind.CUSTOM, Decimal(30), per=PricePeriod.MONTH))
    assert one(plan_company(replace(facts, rules=b.rules(custom)))).amount_due == 240
    volume = b.profile(price=PriceRule(PriceKind.VOLUME, bands=(Band(None, Decimal(20)),)))
    assert one(plan_company(replace(facts, rules=b.rules(volume)))).amount_due is None
    free = b.product(price="0.00")
    assert one(plan_company(replace(facts, products={free.identifier: free}))).amount is None


def test_of_a_failed_reading_nothing_is_due_and_nothing_is_nothing():
    line = b.our_addition(11, 8)
    plan = plan_company(b.facts(b.failure(), additions=[line], ledger=[b.recorded(line)]))
    assert told(plan) == [("cbdc14ab", None, 8, None, 200)]
    assert one(plan).units is None


def test_what_the_vendor_contradicts_itself_about_is_not_known():
    wrong = replace(b.count(8), purchased=Decimal(9))
    plan = plan_company(b.facts(b.reading(wrong), additions=[b.addition(11, 5)]))
    assert (one(plan).counted, one(plan).due) == (9, None)


def test_what_is_not_to_be_billed_is_due_nothing_although_a_line_bills_it():
    line = b.our_addition(11, 8)
    licence = LicenceLink(b.SOURCE, b.PREMIUM, do_not_bill=True)
    company = b.company(licences=(licence,))
    plan = plan_company(b.facts(b.reading(b.count(8)), additions=[line], ledger=[b.recorded(line)], company=company))
    assert told(plan) == [("cbdc14ab", 0, 8, 0, 200)]
    begins = b.company(licences=(replace(licence, do_not_bill=False, start=date(2027, 1, 1)),))
    assert one(plan_company(b.facts(b.reading(b.count(8)), company=begins))).due == 0


def test_what_nobody_has_mapped_is_told_without_a_price():
    plan = plan_company(b.facts(b.reading(b.count(8, sku=b.STANDARD))))
    balance = one(plan)
    assert (balance.product, balance.due, balance.billed, balance.amount) == ("", 8, 0, None)


def test_two_items_of_one_product_are_told_as_one_while_their_lines_cannot_be_told_apart():
    policies = [SkuPolicy(b.SOURCE, sku, "premium") for sku in (b.PREMIUM, b.STANDARD)]
    both = b.reading(b.count(8), b.count(2, sku=b.STANDARD, name="Standard"))
    facts = b.facts(both, additions=[b.addition(11, 7)], rules=b.rules(policies=policies))
    balance = one(plan_company(facts))
    assert (balance.name, balance.due, balance.billed) == ("Business Premium + Standard", 10, 7)


def test_a_line_goes_to_the_item_that_is_counted_not_to_one_that_only_could_be():
    policies = [SkuPolicy(b.SOURCE, sku, "premium") for sku in ("00000000", b.PREMIUM)]
    facts = b.facts(b.reading(b.count(8)), additions=[b.addition(11, 8)], rules=b.rules(policies=policies))
    assert told(plan_company(facts)) == [("cbdc14ab", 8, 8, 200, 200)]


def test_a_line_that_nothing_is_counted_for_is_billed_for_nothing():
    assert told(plan_company(b.facts(b.reading(), additions=[b.addition(11, 5)]))) == [("cbdc14ab", 0, 5, 0, 125)]


def test_an_agreement_whose_calendar_cannot_be_read_still_bills_what_stands_today():
    weekly = b.agreement(billing_cycle="Weekly")
    balance = one(plan_company(b.facts(b.reading(b.count(8)), agreements=[weekly], additions=[b.addition(11, 5)])))
    assert (balance.billed, balance.months, balance.uninvoiced_from) == (5, None, None)


def test_the_day_on_which_manage_itself_begins_to_prorate_is_told():
    proration = Proration(ProrationRule.MANAGE, first_sync=FirstSync.NEXT_PERIOD)
    profile = b.profile(proration=proration, quantity=QuantityRule())
    balance = one(plan_company(b.facts(b.reading(b.count(8)), rules=b.rules(profile))))
    assert (balance.proration, balance.start_day) == (ProrationRule.MANAGE, StartDay.INCLUDED)


# ---- from night to night


def balance(item: str, due: int | None, billed: int, agreement: int = b.AGREEMENT) -> Balance:
    units = None if due is None else Decimal(due)
    amount = None if due is None else Decimal(due * 25)
    return Balance(
        item,
        item,
        "M365-BP",
        Decimal(due or 0),
        units,
        Decimal(billed),
        amount,
        Decimal(billed * 25),
        agreement=agreement,
    )


def test_writing_what_is_planned_settles_it_as_far_as_it_is_known():
    assert (settled(balance("a", 8, 5)).units, settled(balance("a", 8, 5)).amount) == (0, 0)
    assert settled(balance("a", None, 5)) == balance("a", None, 5)


def test_what_is_not_known_tonight_stays_as_it_was():
    before = [balance("a", 8, 5), balance("b", 3, 3)]
    assert remembering([balance("a", None, 5)], before, frozenset()) == (before[0],)
    assert remembering([balance("c", None, 5)], before, frozenset()) == (balance("c", None, 5),)


def test_that_a_customer_is_gone_is_known_tonight_whatever_is_remembered():
    before = [balance("a", 8, 8)]
    assert remembering([replace(balance("a", None, 8), gone=True)], before, frozenset()) == (
        replace(before[0], gone=True),
    )


def test_what_is_billed_for_nothing_is_remembered_while_its_agreement_is_not_read():
    before = [balance("a", 0, 5), balance("b", 3, 3)]
    assert remembering([], before, frozenset({b.AGREEMENT})) == (before[0],)
    assert remembering([], before, frozenset()) == ()
