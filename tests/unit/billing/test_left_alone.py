"""What is in doubt is left alone: readings, agreements, products, rules."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from shared.billing.counts import Scope
from shared.billing.planning.plan import ChangeKind
from shared.billing.planning.planner import plan_company
from shared.billing.rules import CompanyLink, LicenceLink, SkuPolicy
from tests import builders as b
from tests.unit.billing.plans import kinds, only_change

D = Decimal


def test_a_failed_reading_changes_nothing():
    line = b.our_addition(9, 2)
    plan = plan_company(b.facts(b.failure(), additions=[line], ledger=[b.recorded(line)]))

    assert plan.groups == ()
    assert plan.seats == ()
    assert kinds(plan) == ["read-failed"]
    assert "req-1" in plan.findings[0].text


def test_one_unknown_input_makes_a_merged_line_unknown():
    line = b.our_addition(9, 2)
    two = b.company(links=(CompanyLink(b.SOURCE, b.TENANT), CompanyLink(b.SOURCE, "other")))
    plan = plan_company(
        b.facts(b.reading(b.count(5)), b.failure("other"), additions=[line], ledger=[b.recorded(line)], company=two)
    )

    assert plan.groups == ()


def test_several_customers_of_a_company_add_up_to_one_line():
    two = b.company(links=(CompanyLink(b.SOURCE, b.TENANT), CompanyLink(b.SOURCE, "other")))
    plan = plan_company(
        b.facts(b.reading(b.count(5)), b.reading(b.count(7, customer="other"), customer="other"), company=two)
    )

    assert only_change(plan).after.quantity == 12


def test_a_customer_with_a_licence_link_of_its_own_is_billed_apart():
    two = b.company(
        links=(CompanyLink(b.SOURCE, b.TENANT), CompanyLink(b.SOURCE, "other")),
        licences=(LicenceLink(b.SOURCE, b.PREMIUM, customer="other", price=D("9.00")),),
    )
    plan = plan_company(
        b.facts(b.reading(b.count(5)), b.reading(b.count(7, customer="other"), customer="other"), company=two)
    )

    assert sorted((change.after.quantity, change.after.unit_price) for change in plan.changes) == [
        (D(5), D("25.00")),
        (D(7), D("9.00")),
    ]


def test_a_control_total_that_does_not_agree_freezes_the_item():
    line = b.our_addition(9, 2)
    counted = b.count(5, subscriptions=[b.subscription(4)])
    plan = plan_company(b.facts(b.reading(counted), additions=[line], ledger=[b.recorded(line)]))

    assert plan.groups == ()
    assert "control-total" in kinds(plan)


@pytest.mark.parametrize(
    ("agreements", "kind"),
    [
        ([], "ambiguous-agreement"),
        ([b.agreement(501), b.agreement(502)], "ambiguous-agreement"),
        ([b.agreement(type="Block Hours")], "ambiguous-agreement"),
        ([b.agreement(billing_cycle="NotRecurring")], "ambiguous-agreement"),
        ([b.agreement(billing_cycle="Weekly")], "calendar-unsupported"),
        ([b.agreement(billing_cycle=None)], "calendar-unsupported"),
        ([b.agreement(invoicing_cycle="ContractYear", bill_start_date=None)], "calendar-unsupported"),
        ([b.agreement(period_type="Both")], "calendar-unsupported"),
        ([b.agreement(period_type=None)], "calendar-unsupported"),
        ([b.agreement(parent_agreement_id=7)], "calendar-unsupported"),
        ([b.agreement(next_invoice_date=None)], "calendar-unsupported"),
        ([b.agreement(next_invoice_date=date(2036, 5, 1))], "calendar-unsupported"),
        ([b.agreement(bill_start_date=date(2026, 12, 1))], "calendar-unsupported"),
        ([b.agreement(end_date=date(2026, 11, 30))], "calendar-unsupported"),
    ],
)
def test_an_agreement_that_cannot_be_relied_on_is_a_finding_and_never_a_write(agreements, kind):
    plan = plan_company(b.facts(b.reading(b.count(12)), agreements=agreements))

    assert plan.groups == ()
    assert kinds(plan) == [kind]


def test_an_agreement_that_ends_within_the_next_period_is_still_written():
    plan = plan_company(b.facts(b.reading(b.count(12)), agreements=[b.agreement(end_date=date(2026, 12, 15))]))

    assert only_change(plan).kind is ChangeKind.CREATE


def test_the_licence_link_names_one_of_two_agreements():
    licence = LicenceLink(b.SOURCE, b.PREMIUM, agreement=502)
    plan = plan_company(
        b.facts(
            b.reading(b.count(12)),
            agreements=[b.agreement(501), b.agreement(502)],
            company=b.company(licences=(licence,)),
        )
    )

    assert only_change(plan).key.agreement == 502


def test_a_line_that_stands_keeps_its_agreement_when_a_second_one_appears():
    line = b.our_addition(9, 2)
    plan = plan_company(
        b.facts(
            b.reading(b.count(3)),
            additions=[line],
            ledger=[b.recorded(line)],
            agreements=[b.agreement(501), b.agreement(502)],
        )
    )

    assert only_change(plan).addition == 9


@pytest.mark.parametrize(
    ("licence", "kind"),
    [
        (LicenceLink(b.SOURCE, b.PREMIUM, agreement=999), "agreement-not-active"),
        (LicenceLink(b.SOURCE, b.PREMIUM, agreement=502), "agreement-not-active"),
    ],
)
def test_a_named_agreement_must_be_an_active_one_of_the_company(licence, kind):
    gone = b.agreement(502, agreement_status="Expired")
    plan = plan_company(
        b.facts(b.reading(b.count(12)), agreements=[b.agreement(), gone], company=b.company(licences=(licence,)))
    )

    assert plan.groups == ()
    assert kinds(plan) == [kind]


@pytest.mark.parametrize(
    ("products", "kind"),
    [
        ([], "product-missing"),
        ([b.product(inactive_flag=True)], "product-inactive"),
        ([b.product(serialized_flag=True)], "product-inactive"),
    ],
)
def test_a_product_that_cannot_be_used_is_a_finding(products, kind):
    plan = plan_company(b.facts(b.reading(b.count(12)), products=products))

    assert plan.groups == ()
    assert kinds(plan) == [kind]


def test_a_removed_company_link_freezes_the_lines_and_says_so():
    line = b.our_addition(9, 10)
    unlinked = b.company(links=(CompanyLink("pax8", "x"),), licences=(LicenceLink(b.SOURCE, b.PREMIUM),))
    plan = plan_company(b.facts(additions=[line], ledger=[b.recorded(line)], company=unlinked))

    assert plan.groups == ()
    assert kinds(plan) == ["unmapped"]


def test_a_bill_item_in_doubt_is_left_alone():
    plan = plan_company(b.facts(b.reading(b.count(12)), in_doubt=frozenset({f"{b.SOURCE}/{b.PREMIUM}"})))

    assert plan.groups == ()
    assert plan.frozen == {f"{b.SOURCE}/{b.PREMIUM}"}


def test_a_source_that_tells_only_of_some_skus_freezes_the_lines_of_the_others_and_it_is_said():
    line = b.our_addition(9, 10)
    narrow = replace(b.reading(), scope=Scope(frozenset({b.STANDARD})))
    plan = plan_company(b.facts(narrow, additions=[line], ledger=[b.recorded(line)]))

    assert plan.groups == ()
    [finding] = plan.findings
    assert finding.kind.value == "unmapped"
    assert "our line stands, but microsoft365 did not tell how many there are" in finding.text
    assert "Look at the vendor" in finding.remedy
    assert plan_company(b.facts(narrow)).findings == ()


def test_a_profile_that_the_rules_do_not_hold_freezes_and_says_so():
    line = b.our_addition(9, 10)
    for licence in (LicenceLink(b.SOURCE, b.PREMIUM, profile="gone"), LicenceLink(b.SOURCE, b.PREMIUM)):
        plan = plan_company(
            b.facts(
                b.reading(b.count(12)),
                additions=[line],
                ledger=[b.recorded(line)],
                rules=b.rules(policies=[]),
                company=b.company(licences=(licence,)),
            )
        )
        assert plan.groups == ()
        assert kinds(plan) == ["settings"]


def test_a_company_without_any_agreement_is_one_finding():
    policies = [SkuPolicy(b.SOURCE, b.PREMIUM, "premium"), SkuPolicy(b.SOURCE, b.STANDARD, "premium")]
    plan = plan_company(
        b.facts(b.reading(b.count(5), b.count(2, sku=b.STANDARD)), agreements=[], rules=b.rules(policies=policies))
    )

    assert [finding.key for finding in plan.findings] == ["company"]


def test_a_named_agreement_counts_once_the_old_line_has_ended():
    line = b.our_addition(9, 2, on=501, cancelled_date=date(2026, 10, 31))
    licence = LicenceLink(b.SOURCE, b.PREMIUM, agreement=502)
    plan = plan_company(
        b.facts(
            b.reading(b.count(3)),
            additions=[line],
            ledger=[b.recorded(line)],
            agreements=[b.agreement(501), b.agreement(502)],
            company=b.company(licences=(licence,)),
        )
    )

    assert only_change(plan).key.agreement == 502
