"""What the planner makes of counts, and what it says beside the plan."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from shared.billing.planning.planner import plan_company, with_everything_read
from shared.billing.profiles import Basis, QuantityRule
from shared.billing.rules import LicenceLink, SkuPolicy
from tests import builders as b
from tests.unit.billing.plans import kinds, only_change

D = Decimal


# ---- findings


def test_a_sku_without_a_rule_is_unmapped_unless_it_is_free_or_a_trial():
    trial = b.count(5, sku="trial", subscriptions=[b.subscription(5, trial=True)])
    plan = plan_company(b.facts(b.reading(b.count(5, sku="other"), b.count(10000, sku="free", free=True), trial)))

    assert [finding.key for finding in plan.findings] == [f"{b.SOURCE}/{b.TENANT}/other"]


def test_licences_assigned_to_nobody_are_told():
    line = b.our_addition(9, 12)
    plan = plan_company(b.facts(b.reading(b.count(12, assigned=9)), additions=[line], ledger=[b.recorded(line)]))

    assert kinds(plan) == ["unassigned"]
    assert "3 of 12" in plan.findings[0].text


def test_a_line_whose_policy_is_gone_is_left_alone_and_told():
    line = b.our_addition(9, 12)
    plan = plan_company(b.facts(b.reading(), additions=[line], ledger=[b.recorded(line)], rules=b.rules(policies=[])))

    assert plan.groups == ()
    assert kinds(plan) == ["unmapped"]


# ---- quantity


@pytest.mark.parametrize(
    ("rule", "counted", "quantity"),
    [
        (QuantityRule(), b.count(12, assigned=9), 12),
        (QuantityRule(basis=Basis.ASSIGNED), b.count(12, assigned=9), 9),
        (QuantityRule(basis=Basis.GREATER), b.count(12, assigned=14), 14),
        (QuantityRule(basis=Basis.GREATER), b.count(12, assigned=9), 12),
        (QuantityRule(included=D(5)), b.count(12), 7),
        (QuantityRule(included=D(11), minimum=D(3)), b.count(12), 3),
        (QuantityRule(), b.count(10, subscriptions=[b.subscription(10), b.subscription(2, "warning")]), 12),
        (
            QuantityRule(include_grace=False),
            b.count(10, subscriptions=[b.subscription(10), b.subscription(2, "warning")]),
            10,
        ),
        (QuantityRule(), b.count(12, subscriptions=[b.subscription(10), b.subscription(2, trial=True)]), 10),
        (QuantityRule(), b.count(12, subscriptions=[b.subscription(10), b.subscription(2, owned=False)]), 10),
        (
            QuantityRule(include_foreign=True),
            b.count(12, subscriptions=[b.subscription(10), b.subscription(2, owned=False)]),
            12,
        ),
        (
            QuantityRule(include_trials=True),
            b.count(12, subscriptions=[b.subscription(10), b.subscription(2, trial=True)]),
            12,
        ),
        (QuantityRule(), b.count(10, subscriptions=[b.subscription(10), b.subscription(4, "suspended")]), 10),
    ],
)
def test_the_quantity_rule_decides_what_is_billed(rule, counted, quantity):
    plan = plan_company(b.facts(b.reading(counted), rules=b.rules(b.profile(quantity=rule))))

    assert only_change(plan).after.quantity == quantity


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        (QuantityRule(), ["Business Premium: 2 of the licences bought are another partner's; not billed."]),
        (QuantityRule(include_foreign=True), []),
        (QuantityRule(without_subscriptions=("sub-2-enabled",)), []),
        (QuantityRule(basis=Basis.ASSIGNED), []),
    ],
)
def test_what_another_partner_sold_is_told_unless_a_rule_deals_with_it(rule, told):
    counted = b.count(12, subscriptions=[b.subscription(10), b.subscription(2, owned=False)])
    plan = plan_company(b.facts(b.reading(counted), rules=b.rules(b.profile(quantity=rule))))

    assert [finding.text for finding in plan.findings if finding.kind.value == "foreign"] == told


@pytest.mark.parametrize(("always", "quantity"), [(False, None), (True, D(4))])
def test_the_minimum_holds_at_zero_only_when_it_is_said_to_hold_always(always, quantity):
    rule = QuantityRule(minimum=D(4), minimum_always=always)
    plan = plan_company(b.facts(b.reading(b.count(0)), rules=b.rules(b.profile(quantity=rule))))

    assert [change.after.quantity for change in plan.changes] == ([] if quantity is None else [quantity])


def test_a_licence_link_can_fix_the_quantity():
    licence = LicenceLink(b.SOURCE, b.PREMIUM, quantity=D(7))
    plan = plan_company(b.facts(b.reading(b.count(12)), company=b.company(licences=(licence,))))

    assert only_change(plan).after.quantity == 7


def test_a_count_that_the_vendor_cannot_tell_is_no_zero():
    unknown = replace(b.count(12), assigned=None)
    rule = QuantityRule(basis=Basis.ASSIGNED)
    plan = plan_company(b.facts(b.reading(unknown), rules=b.rules(b.profile(quantity=rule))))

    assert plan.groups == ()
    assert kinds(plan) == ["read-failed"]


# ---- corners


def test_a_source_without_subscriptions_is_taken_by_its_own_totals():
    plain = replace(b.count(5), subscriptions=None, grace=D(2))
    plan = plan_company(b.facts(b.reading(plain)))
    strict = b.rules(b.profile(quantity=QuantityRule(include_grace=False)))

    assert only_change(plan).after.quantity == 7
    assert only_change(plan_company(b.facts(b.reading(plain), rules=strict))).after.quantity == 5


def test_more_of_the_same_facts_can_be_added_when_a_plan_asks_for_them():
    asked = replace(b.facts(b.reading(b.count(12))), additions={})
    plan = plan_company(with_everything_read(asked, {b.AGREEMENT: (b.addition(9, 10),)}))

    assert only_change(plan).addition == 9


def test_a_line_for_nothing_is_not_told_where_another_sku_feeds_the_product():
    policies = [SkuPolicy(b.SOURCE, b.PREMIUM, "premium"), SkuPolicy(b.SOURCE, b.STANDARD, "premium")]
    plan = plan_company(b.facts(b.reading(b.count(3)), additions=[b.addition(9, 3)], rules=b.rules(policies=policies)))

    assert only_change(plan).addition == 9
    assert plan.findings == ()


def test_a_delete_binds_every_field_it_takes_away():
    kept = b.our_addition(9, 10, effective_date=b.NEXT_PERIOD)
    copy = b.our_addition(20, 10, effective_date=b.NEXT_PERIOD)
    plan = plan_company(b.facts(b.reading(b.count(10)), additions=[copy, kept], ledger=[b.recorded(kept)]))
    other = plan_company(
        b.facts(
            b.reading(b.count(10)),
            additions=[replace(copy, quantity=D(4)), kept],
            ledger=[b.recorded(kept)],
        )
    )

    assert plan.groups[0].hash != other.groups[0].hash


def test_the_hash_changes_with_what_is_written_and_with_nothing_else():
    line = b.our_addition(9, 10)
    book = [b.recorded(line)]
    twelve = plan_company(b.facts(b.reading(b.count(12)), additions=[line], ledger=book)).groups[0]
    unassigned = plan_company(b.facts(b.reading(b.count(12, assigned=1)), additions=[line], ledger=book)).groups[0]
    thirteen = plan_company(b.facts(b.reading(b.count(13)), additions=[line], ledger=book)).groups[0]

    assert twelve.hash == unassigned.hash
    assert twelve.hash != thirteen.hash


def test_skus_are_the_same_whatever_their_case():
    licence = LicenceLink(b.SOURCE, b.PREMIUM.upper(), price=D("9.00"))
    plan = plan_company(b.facts(b.reading(b.count(12)), company=b.company(licences=(licence,))))

    assert only_change(plan).after.unit_price == D("9.00")


def test_two_skus_that_will_both_want_a_line_contest_even_if_one_has_only_seats_in_grace():
    grace = b.count(0, sku=b.STANDARD, subscriptions=[b.subscription(10, "warning")], assigned=0)
    policies = [SkuPolicy(b.SOURCE, b.PREMIUM, "premium"), SkuPolicy(b.SOURCE, b.STANDARD, "premium")]
    plan = plan_company(
        b.facts(b.reading(b.count(5), grace), additions=[b.addition(7, 4)], rules=b.rules(policies=policies))
    )

    assert plan.groups == ()
    assert kinds(plan).count("candidates") == 2


def test_an_orphans_finding_closes_with_its_line():
    ended = b.our_addition(9, 12, cancelled_date=date(2026, 10, 31))
    plan = plan_company(
        b.facts(b.reading(), additions=[ended], ledger=[b.recorded(b.our_addition(9, 12))], rules=b.rules(policies=[]))
    )

    assert plan.findings == ()
