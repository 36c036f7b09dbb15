"""Usage and levels: billed once for every period that is over."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.billing.planning.plan import ChangeKind, Plan
from shared.billing.planning.planner import plan_company
from shared.billing.profiles import Arrears, PriceKind, Proration, ProrationRule, QuantityRule
from shared.billing.rules import LicenceLink, Mode
from tests import builders as b
from tests.examples import examples
from tests.unit.billing.test_invoices import (
    COMPUTED,
    UNGUARDED,
    Agreement,
    monthly,
    once,
    play,
    scenarios,
    volume_price,
)

D = Decimal


def price_of(agreement: Agreement, units: int) -> Decimal:
    """What so many units of one period cost in all."""
    reached = volume_price(agreement, units)
    match agreement.kind:
        case PriceKind.CUSTOM:
            return units * agreement.price
        case PriceKind.VOLUME:
            return units * reached
        case PriceKind.PACKAGE:
            return reached if units else D(0)
    return sum((volume_price(agreement, unit) for unit in range(1, units + 1)), D(0))


@given(
    scenarios(),
    st.sampled_from(list(Arrears)),
    st.sampled_from([PriceKind.CUSTOM, PriceKind.TIERED, PriceKind.VOLUME, PriceKind.PACKAGE]),
)
@examples(250)
def test_usage_is_billed_once_for_every_period_that_is_over_whenever_invoices_were_run(scenario, arrears, kind):
    agreement, nights, delays = scenario
    agreement.kind, agreement.arrears = kind, arrears
    billed, _ = play(agreement, nights, delays)

    last_night, wanted = nights[-1][0], D(0)
    for first, last in agreement.periods:
        was_read = any(first <= day <= last for day, _ in nights)
        if was_read and last < last_night:
            carried = [count for day, count in nights if day < first][-1:]
            begins = [count for day, count in nights if day == first]
            told = (begins or carried) + [count for day, count in nights if first < day <= last]
            wanted += price_of(agreement, max(told) if arrears is Arrears.HIGHEST else told[-1])
    assert billed == wanted


def used(arrears: Arrears) -> Agreement:
    agreement = Agreement("Monthly", "CalendarYear", "Current", date(2026, 1, 1), COMPUTED, D("0.50"), arrears=arrears)
    agreement.night(date(2026, 1, 5), 100)
    agreement.night(date(2026, 1, 20), 180)
    agreement.night(date(2026, 1, 31), 120)
    return agreement


@pytest.mark.parametrize(("arrears", "quantity"), [(Arrears.LAST, 120), (Arrears.HIGHEST, 180)])
def test_usage_is_billed_when_its_period_is_over_by_its_last_value_or_its_highest(arrears, quantity):
    agreement = used(arrears)
    assert agreement.lines == []
    agreement.invoice()
    plan = agreement.night(date(2026, 2, 1), 130)

    (change,) = plan.changes
    assert change.sentence == (
        f"Business Premium: {quantity} used for 1 Jan 2026 to 31 Jan 2026: {quantity} × 0.50 = {quantity / 2:.2f} "
        "in all, billed with the period from 1 Feb 2026."
    )
    assert (change.after.effective_date, change.after.cancelled_date) == (date(2026, 2, 1), date(2026, 2, 28))
    assert change.after.invoice_description == "M365-BP licence - 01/01/2026-01/31/2026"
    assert agreement.plan(date(2026, 2, 1), 130).groups == ()


def test_usage_is_not_billed_beside_a_line_that_a_person_keeps_nor_for_what_that_line_has_billed():
    agreement = Agreement(
        "Monthly", "CalendarYear", "Current", date(2026, 1, 1), COMPUTED, D("25.00"), arrears=Arrears.LAST
    )
    by_hand = b.addition(77, 5, effective_date=date(2025, 1, 1))
    agreement.lines = [by_hand]
    agreement.night(date(2026, 1, 5), 8)
    agreement.invoice()
    blocked = agreement.night(date(2026, 2, 2), 8)
    assert blocked.groups == ()
    assert [finding.kind.value for finding in blocked.findings] == ["blocked-create"]

    agreement.lines = [replace(by_hand, cancelled_date=date(2026, 1, 31))]
    plan = agreement.night(date(2026, 2, 3), 8)
    assert [(change.after.quantity, change.after.unit_price) for change in plan.changes] == [(D(3), D("25.00"))]


def test_usage_is_billed_only_after_every_agreement_was_looked_at():
    agreement = used(Arrears.LAST)
    facts = agreement.facts(date(2026, 2, 1), 130)
    unread = replace(facts, agreements=(*facts.agreements, b.agreement(502, type="Other")))
    assert plan_company(unread).needs_all


def test_a_month_in_which_no_usage_was_read_is_not_billed_but_told_and_the_month_before_it_is():
    agreement = used(Arrears.HIGHEST)
    plan = agreement.night(date(2026, 3, 1), 130)

    assert [change.after.invoice_description for change in plan.changes] == ["M365-BP licence - 01/01/2026-01/31/2026"]
    (finding,) = plan.findings
    assert finding.kind.value == "read-failed"
    assert "not read on any day from 1 Feb 2026 to 28 Feb 2026; nothing is billed" in finding.text
    assert agreement.night(date(2026, 3, 2), 130).groups == ()


@pytest.mark.parametrize(("read_on", "billed"), [(date(2026, 2, 1), [D(140)]), (date(2026, 2, 28), [D(140)])])
def test_one_reading_on_the_first_or_last_day_of_a_month_is_enough_to_bill_it(read_on, billed):
    agreement = used(Arrears.LAST)
    agreement.night(read_on, 140)
    plan = agreement.night(date(2026, 3, 1), 150)

    assert [change.after.quantity for change in plan.changes] == billed


def on_another_agreement(agreement: Agreement, day: date, count: int) -> Plan:
    """The plan of a night on which a person has moved the item to agreement 502."""
    agreement.licences = (LicenceLink(b.SOURCE, b.PREMIUM, agreement=502),)
    facts = agreement.facts(day, count)
    (old,) = facts.agreements
    return plan_company(replace(facts, agreements=(old, replace(old, id=502)), additions={**facts.additions, 502: ()}))


def test_usage_that_moves_to_another_agreement_takes_what_was_read_with_it():
    agreement = used(Arrears.HIGHEST)
    (change,) = on_another_agreement(agreement, date(2026, 2, 1), 130).changes

    assert (change.key.agreement, change.after.quantity) == (502, D(180))


def test_usage_that_was_billed_on_one_agreement_is_not_billed_again_on_the_other():
    agreement = used(Arrears.HIGHEST)
    agreement.night(date(2026, 2, 1), 130)
    assert on_another_agreement(agreement, date(2026, 2, 2), 150).groups == ()

    (change,) = on_another_agreement(agreement, date(2026, 3, 1), 110).changes
    assert (change.key.agreement, change.after.quantity) == (502, D(130))


@pytest.mark.parametrize(
    "over",
    [{}, {"agreement_status": "Inactive"}, {"end_date": date(2026, 1, 31)}, {"next_invoice_date": None}],
)
def test_a_quarter_that_was_billed_stays_billed_however_its_agreement_ended(over):
    """50 units at 2.00: 100.00 for October to December on 501, and never again for a month of them on 502."""
    agreement = Agreement(
        "Quarterly", "ContractYear", "Current", date(2025, 10, 1), COMPUTED, D("2.00"), arrears=Arrears.HIGHEST
    )
    for day in (date(2025, 10, 2), date(2025, 12, 2)):
        agreement.night(day, 50)
    agreement.invoice()
    (quarter,) = agreement.night(date(2026, 1, 1), 50).changes
    assert (quarter.after.quantity, quarter.one_off) == (50, D("100.00"))

    agreement.licences = (LicenceLink(b.SOURCE, b.PREMIUM, agreement=502),)
    facts = agreement.facts(date(2026, 1, 20), 50)
    old = replace(facts.agreements[0], **over)
    monthly = b.agreement(502, next_invoice_date=date(2026, 2, 1))
    plan = plan_company(replace(facts, agreements=(old, monthly), additions={**facts.additions, 502: ()}))
    assert (plan.groups, plan.findings) == ((), ())


def test_a_level_without_a_rounding_rule_is_billed_by_hundredths():
    agreement = Agreement(
        "Monthly", "CalendarYear", "Current", date(2026, 1, 1), COMPUTED, D("0.50"), arrears=Arrears.HIGHEST
    )
    facts = agreement.facts(date(2026, 1, 20), 200)
    (profile,) = facts.rules.profiles.values()
    thirds = b.rules(replace(profile, quantity=QuantityRule(divide_by=D(3))), guards=UNGUARDED)
    record = {seats.line: seats for seats in plan_company(replace(facts, rules=thirds)).seats}
    (change,) = plan_company(replace(agreement.facts(date(2026, 2, 1), 0), rules=thirds, seats=record)).changes
    assert (change.after.quantity, change.one_off) == (D("66.67"), D("33.335"))


def test_a_second_copy_of_a_line_for_usage_is_removed():
    agreement = used(Arrears.HIGHEST)
    agreement.night(date(2026, 2, 1), 130)
    (line,) = agreement.lines
    agreement.lines.append(replace(line, id=line.id + 1))
    plan = agreement.night(date(2026, 2, 2), 130)

    assert [(change.kind, change.addition) for change in plan.changes] == [(ChangeKind.DELETE, line.id + 1)]
    assert agreement.lines == [line]
    assert agreement.plan(date(2026, 2, 2), 130).groups == ()


def test_usage_that_ended_is_still_billed_for_its_last_period():
    agreement = used(Arrears.HIGHEST)
    plan = agreement.night(date(2026, 2, 1), 0)

    assert [change.after.quantity for change in plan.changes] == [D(180)]
    assert agreement.night(date(2026, 3, 1), 0).groups == ()


@pytest.mark.parametrize(("included", "told"), [(0, True), (10, False)])
def test_a_level_that_fell_to_nothing_at_the_end_of_a_month_is_told_for_that_month(included, told):
    agreement = used(Arrears.LAST)
    agreement.night(date(2026, 2, 1), 130)
    agreement.night(date(2026, 2, 28), 0)

    def findings(day: date) -> list[str]:
        facts = agreement.facts(day, 0)
        profile = facts.rules.profiles["premium"]
        own = replace(profile, quantity=replace(profile.quantity, included=D(included)))
        plan = plan_company(replace(facts, rules=b.rules(own)))
        assert plan.groups == ()
        return [finding.text for finding in plan.findings if finding.kind.value == "no-usage"]

    assert (
        findings(date(2026, 3, 1))
        == [
            "Business Premium: nothing was used from 1 Feb 2026 to 28 Feb 2026, but 120 in the period before; "
            "nothing is billed."
        ]
        * told
    )
    assert findings(date(2026, 4, 1)) == []


def test_seats_that_come_back_long_after_their_line_ended_are_charged_from_their_day_also_where_it_was_not_read():
    agreement = monthly()
    agreement.night(date(2026, 1, 1), 3)
    agreement.invoice()
    agreement.night(date(2026, 1, 20), 0)
    ended = agreement.lines
    # The agreement is not read any more every night, since no line of ours stands there.
    agreement.lines = []
    for day in (date(2026, 5, 20), date(2026, 6, 1), date(2026, 6, 3)):
        assert agreement.night(day, 0).groups == ()
    agreement.lines = ended
    while agreement.invoiced < 7:
        agreement.invoice()
    plan = agreement.night(date(2026, 6, 13), 5)

    # June and July are invoiced: 17 of 30 days, and July.
    assert once(plan) == [(D(5), D("14.17")), (D(5), D("25.00"))]
    assert agreement.plan(date(2026, 6, 13), 5).groups == ()


def test_usage_of_months_in_which_it_was_not_to_be_billed_is_not_billed_afterwards():
    agreement = monthly()
    agreement.arrears = Arrears.HIGHEST
    agreement.night(date(2026, 1, 5), 30)
    agreement.licences = (LicenceLink(b.SOURCE, b.PREMIUM, do_not_bill=True),)
    agreement.night(date(2026, 1, 25), 30)
    agreement.night(date(2026, 3, 5), 30)
    agreement.licences = ()
    assert once(agreement.night(date(2026, 3, 6), 20)) == []
    assert once(agreement.night(date(2026, 4, 1), 10)) == [(D(20), D("25.00"))]


def test_usage_of_months_in_which_a_company_was_only_observed_is_not_billed_afterwards():
    agreement = monthly()
    agreement.arrears, agreement.mode = Arrears.HIGHEST, Mode.OBSERVE
    agreement.night(date(2026, 1, 5), 30, applies=False)
    assert once(agreement.night(date(2026, 2, 5), 30, applies=False)) == [(D(30), D("25.00"))]
    agreement.night(date(2026, 3, 1), 50, applies=False)
    agreement.night(date(2026, 3, 5), 20, applies=False)
    agreement.mode = Mode.AUTO
    assert once(agreement.night(date(2026, 3, 6), 20)) == []
    assert once(agreement.night(date(2026, 4, 1), 10)) == [(D(50), D("25.00"))]


def test_a_profile_that_turns_to_arrears_does_not_bill_a_period_twice():
    agreement = Agreement("Monthly", "CalendarYear", "Current", date(2026, 1, 1), COMPUTED, D("0.50"))
    agreement.night(date(2026, 1, 1), 100)
    agreement.invoice()
    agreement.arrears = Arrears.HIGHEST
    ending = agreement.night(date(2026, 1, 10), 120)
    assert [change.after.cancelled_date for change in ending.changes] == [date(2026, 1, 31)]
    closing = agreement.night(date(2026, 2, 1), 90)

    # January's line has billed 100 of the 120 that were reached.
    assert [change.after.quantity for change in closing.changes] == [D(20)]


def test_usage_is_less_the_seats_that_its_period_was_invoiced_with_also_where_their_line_was_lowered_since():
    agreement = monthly()
    agreement.proration = Proration(ProrationRule.NONE)
    agreement.night(date(2026, 1, 1), 4)
    agreement.invoice()
    agreement.night(date(2026, 1, 2), 1)
    agreement.night(date(2026, 1, 3), 0)
    agreement.arrears = Arrears.HIGHEST
    agreement.night(date(2026, 1, 4), 0)
    agreement.night(date(2026, 1, 10), 5)
    closing = agreement.night(date(2026, 2, 1), 0)

    assert [change.after.quantity for change in closing.changes] == [D(1)]
