"""Manage's forecast of the next invoice beside what the additions come to: told, never held for."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from shared.billing.agreements import Recap
from shared.billing.limits import CompareForecast, Guards
from shared.billing.planning.plan import Plan
from shared.billing.planning.planner import plan_company
from tests import builders as b

D = Decimal
ALL = Guards(compare_forecast=CompareForecast.ALL)
NONE = Guards(compare_forecast=CompareForecast.NONE)


def recap(amount: str | None, **values: object) -> Recap:
    known = {"name": f"Managed Services {b.AGREEMENT}", "next_invoice_date": b.NEXT_PERIOD}
    return Recap(id=b.AGREEMENT, next_invoice_amount=None if amount is None else D(amount), **{**known, **values})


def plan(theirs: Recap | None, *lines, agreement: dict | None = None, more=(), **values) -> Plan:
    """A company whose additions are ten of ours at 25.00 unless named, and Manage's forecast for its agreement."""
    standing = lines or (b.our_addition(9, 10),)
    ledger = [b.recorded(line) for line in standing if line.serial_number]
    return plan_company(
        b.facts(
            b.reading(b.count(10)),
            additions=standing,
            ledger=ledger,
            agreements=[b.agreement(**(agreement or {})), *more],
            recaps={} if theirs is None else {b.AGREEMENT: theirs},
            **values,
        )
    )


def told(plan: Plan) -> list[str]:
    assert plan.not_compared == frozenset()
    return [finding.text for finding in plan.findings if finding.kind.value == "forecast-mismatch"]


def test_a_forecast_that_agrees_to_the_cent_says_nothing():
    for amount in ("250.00", "250.01", "249.99"):
        assert told(plan(recap(amount))) == []


def test_a_mismatch_is_told_with_both_amounts_and_holds_nothing():
    raised = plan(recap("275.00"), b.our_addition(9, 8))

    assert told(raised) == [
        "Agreement 501 (Managed Services 501): Manage forecasts 275.00 for its next invoice, but its additions for "
        "1 Dec 2026 to 31 Dec 2026 come to 200.00. Nothing is held for it."
    ]
    assert [finding.key for finding in raised.findings] == ["forecast/501"]
    assert (len(raised.applicable), raised.frozen) == (1, frozenset())


def test_the_additions_count_as_they_stand_before_tonights_writes_ours_and_peoples():
    additions = [
        b.our_addition(9, 8),
        b.addition(10, 3, product="OTHER", product_id=77, unit_price=D("10.00")),
        b.addition(11, 5, product="OTHER", product_id=77, less_included=D(2), unit_price=D("1.00")),
        b.addition(12, 1, product="OTHER", product_id=77, less_included=D(2)),
        b.addition(13, 9, product="OTHER", product_id=77, bill_customer="NoCharge"),
        b.addition(14, 9, product="OTHER", product_id=77, cancelled_date=date(2026, 11, 30)),
        b.addition(15, 9, product="OTHER", product_id=77, effective_date=date(2027, 1, 1)),
        b.addition(16, 1, product="OTHER", product_id=77, effective_date=None, unit_price=D("-7.50")),
    ]
    assert told(plan(recap("225.50"), *additions)) == []
    assert len(told(plan(recap("225.55"), *additions))) == 1


def test_what_rounding_each_line_may_change_is_no_mismatch():
    storage = b.addition(10, 1001, product="GB", product_id=77, unit_price=D("0.035"))
    assert told(plan(recap("285.03"), b.our_addition(9, 10), storage)) == []
    assert told(plan(recap("285.05"), b.our_addition(9, 10), storage)) == []
    assert len(told(plan(recap("285.07"), b.our_addition(9, 10), storage))) == 1


@pytest.mark.parametrize(
    "agreement",
    [
        {"bill_amount": D("100.00")},
        {"invoices_work": True},
        {"taxable": True},
        {"billing_cycle": "Weekly"},
        {"end_date": date(2026, 12, 15)},
        {"agreement_status": "Cancelled"},
    ],
)
def test_an_agreement_that_is_invoiced_for_more_than_additions_is_not_compared(agreement):
    assert told(plan(recap("999.00"), agreement=agreement)) == []


def test_nor_is_one_with_children_an_override_or_lines_billed_afterwards():
    child = b.agreement(502, parent_agreement_id=b.AGREEMENT)
    assert told(plan(recap("999.00"), more=[child])) == []
    billed_through = {b.AGREEMENT: date(2026, 11, 30)}
    assert told(plan(recap("999.00"), company=b.company(billed_through=billed_through))) == []
    assert told(plan(recap("999.00"), retroactive=True)) == []
    assert len(told(plan(recap("999.00")))) == 1


def test_taxed_lines_are_compared_only_where_the_guards_say_that_the_forecast_is_without_taxes():
    taxed = b.our_addition(9, 10, taxable_flag=True)
    assert told(plan(recap("275.00"), taxed)) == []
    assert len(told(plan(recap("275.00"), taxed, company=b.company(guards=ALL)))) == 1
    assert told(plan(recap("275.00"), company=b.company(guards=NONE))) == []


@pytest.mark.parametrize(
    ("dates", "whole"),
    [
        ({"effective_date": date(2026, 9, 30)}, True),
        ({"effective_date": date(2026, 12, 1)}, True),
        ({"effective_date": date(2027, 1, 1)}, True),
        ({"effective_date": date(2026, 12, 1), "cancelled_date": date(2026, 12, 31)}, True),
        ({"effective_date": date(2026, 12, 2)}, False),
        ({"effective_date": date(2026, 11, 1)}, False),
        ({"effective_date": date(2026, 11, 12)}, False),
        ({"effective_date": date(2026, 1, 1), "cancelled_date": date(2026, 12, 20)}, False),
    ],
)
def test_what_manage_may_prorate_is_never_worked_out_to_compare(dates, whole):
    lines = [b.our_addition(9, 10), b.addition(10, 4, product="OTHER", product_id=77, **dates)]
    assert len(told(plan(recap("999.00"), *lines, agreement={"prorate_flag": True}))) == whole
    assert len(told(plan(recap("999.00"), *lines))) == 1


@pytest.mark.parametrize(
    "theirs",
    [
        None,
        recap(None),
        recap("999.00", next_invoice_date=date(2027, 1, 1)),
        recap("999.00", next_invoice_date=None),
        recap("999.00", unbilled_periods=2),
        recap("999.00", name="Another agreement"),
    ],
)
def test_a_forecast_that_is_not_there_or_not_for_that_invoice_says_nothing_either_way(theirs):
    silent = plan(theirs)
    assert (silent.findings, silent.not_compared) == ((), {b.AGREEMENT})


def test_an_agreement_whose_additions_were_not_read_is_not_compared():
    facts = b.facts(b.reading(b.count(0)), agreements=[b.agreement(), b.agreement(502)])
    silent = plan_company(replace(facts, additions={502: ()}))
    assert silent.not_compared == {501, 502}
    assert [finding.kind.value for finding in silent.findings] == []
