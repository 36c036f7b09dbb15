"""Every guard at its limit and one beyond."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from shared.billing.limits import Guards, ReductionLimit
from shared.billing.planning.guards import REMEMBERED_DAYS, within_a_day
from shared.billing.planning.plan import Guard
from shared.billing.planning.planner import plan_company
from shared.billing.profiles import Arrears, BillOption, Decrease, Proration, ProrationRule
from shared.billing.rules import SkuPolicy
from shared.billing.seats import SeatDay, SeatRecord, Settled
from tests import builders as b

D = Decimal
LOOSE = ReductionLimit(percent=D(100), small=D(0), units=D(1000), money=D(100000))


def reduced(before: int, after: int, limit: ReductionLimit, **values):
    line = b.our_addition(9, before)
    return plan_company(
        b.facts(
            b.reading(b.count(after)),
            additions=[line],
            ledger=[b.recorded(line)],
            rules=b.rules(guards=Guards(reduction=limit)),
            **values,
        )
    )


@pytest.mark.parametrize(
    ("before", "after", "limit", "guard"),
    [
        (100, 70, ReductionLimit(D(30), D(3), D(1000), D(100000)), None),
        (100, 69, ReductionLimit(D(30), D(3), D(1000), D(100000)), Guard.PERCENT),
        (4, 1, ReductionLimit(D(30), D(3), D(1000), D(100000)), None),
        (5, 1, ReductionLimit(D(30), D(3), D(1000), D(100000)), Guard.PERCENT),
        (100, 75, ReductionLimit(D(100), D(3), D(25), D(100000)), None),
        (100, 74, ReductionLimit(D(100), D(3), D(25), D(100000)), Guard.UNITS),
        (100, 80, ReductionLimit(D(100), D(3), D(1000), D(500)), None),
        (100, 79, ReductionLimit(D(100), D(3), D(1000), D(500)), Guard.MONEY),
    ],
)
def test_a_reduction_is_held_beyond_each_limit_and_not_at_it(before, after, limit, guard):
    plan = reduced(before, after, limit)

    assert [group.guard for group in plan.groups] == [guard]
    assert bool(plan.held) is (guard is not None)
    assert [finding.kind.value for finding in plan.findings] == (["held"] if guard else [])


def test_a_company_can_have_guards_of_its_own():
    own = Guards(reduction=LOOSE)

    assert reduced(100, 10, ReductionLimit(), company=b.company(guards=own)).held == ()


@pytest.mark.parametrize(("days_ago", "held"), [(REMEMBERED_DAYS - 1, True), (REMEMBERED_DAYS + 1, False)])
def test_a_reduction_is_measured_against_the_highest_of_the_last_days_so_that_it_cannot_creep(days_ago, held):
    limit = ReductionLimit(D(30), D(3), D(1000), D(100000))
    record = b.seats_with(100, b.TODAY - timedelta(days=days_ago + 10))[str(b.key())]
    record = record.with_reading(b.TODAY - timedelta(days=days_ago), D(75), b.NEXT_PERIOD)

    plan = reduced(75, 60, limit, seats={str(b.key()): record})
    assert bool(plan.held) is held


def test_everything_at_zero_is_held_whatever_the_limits():
    line = b.our_addition(9, 2)
    plan = plan_company(b.facts(b.reading(), additions=[line], ledger=[b.recorded(line)]))

    assert [group.held for group in plan.groups] == ["every count of microsoft365 is zero tonight"]
    assert plan.groups[0].guard is Guard.ALL_ZERO
    assert plan.applicable == ()


def test_the_guard_on_everything_at_zero_can_be_switched_off():
    line = b.our_addition(9, 2)
    own = b.rules(guards=Guards(all_to_zero=False))
    plan = plan_company(b.facts(b.reading(), additions=[line], ledger=[b.recorded(line)], rules=own))

    assert plan.held == ()
    assert len(plan.applicable) == 1


@pytest.mark.parametrize(("limit", "held"), [("75.00", False), ("74.99", True)])
def test_what_is_given_back_at_once_is_measured_in_money_too(limit, held):
    # 30 days of November, 9 of them left: 10 seats at 25.00 give back 7.50 each, and take 25.00 from each invoice.
    line = b.our_addition(9, 110)
    november = Settled(date(2026, 11, 1), date(2026, 11, 30), D(110), credits=True)
    record = replace(b.seats_with(110, date(2026, 11, 20))[str(b.key())], periods=(november,))
    credited = Proration(ProrationRule.COMPUTED, decrease=Decrease.CREDIT)
    plan = plan_company(
        b.facts(
            b.reading(b.count(100)),
            additions=[replace(line, quantity=D(100))],
            ledger=[b.recorded(replace(line, quantity=D(100)))],
            rules=b.rules(b.profile(proration=credited), guards=Guards(reduction=replace(LOOSE, money=D(limit)))),
            seats={record.line: record},
        )
    )

    assert [change.one_off for change in plan.changes] == [D("-75.00")]
    assert [group.guard for group in plan.groups] == [Guard.CREDIT if held else None]


def test_a_change_of_the_bill_option_alone_is_measured_in_money():
    line = b.our_addition(9, 100)
    free = b.profile(bill_option=BillOption.NO_CHARGE)
    plan = plan_company(
        b.facts(b.reading(b.count(100)), additions=[line], ledger=[b.recorded(line)], rules=b.rules(free))
    )

    assert len(plan.held) == 1


def test_a_copy_that_goes_beside_a_small_reduction_does_not_make_it_large():
    kept, copy = b.our_addition(20, 10), b.our_addition(9, 10)
    plan = plan_company(b.facts(b.reading(b.count(9)), additions=[copy, kept], ledger=[b.recorded(kept)]))

    assert plan.held == ()


@pytest.mark.parametrize(("before", "after", "held"), [(10, 50, False), (10, 51, True), (5, 30, False), (5, 31, True)])
def test_an_increase_is_held_beyond_its_factor_and_more_than_a_few_units(before, after, held):
    assert [each.guard for each in reduced(before, after, ReductionLimit()).groups] == [
        Guard.INCREASE if held else None
    ]


def test_a_first_line_has_nothing_to_be_measured_against():
    assert plan_company(b.facts(b.reading(b.count(5000)))).held == ()


def test_an_adoption_that_reduces_is_measured_like_every_reduction():
    plan = plan_company(b.facts(b.reading(b.count(10)), additions=[b.addition(9, 100)]))

    assert len(plan.held) == 1


def test_removing_our_own_copy_is_not_held():
    kept, copy = b.our_addition(20, 100), b.our_addition(9, 100)
    plan = plan_company(b.facts(b.reading(b.count(100)), additions=[copy, kept], ledger=[b.recorded(kept)]))

    assert plan.held == ()


def test_a_new_line_that_will_be_set_to_zero_again_counts_as_a_reduction():
    line = b.our_addition(9, 50, effective_date=date(2026, 12, 1))
    policies = [SkuPolicy(b.SOURCE, b.PREMIUM, None)]
    plan = plan_company(
        b.facts(b.reading(b.count(50)), additions=[line], ledger=[b.recorded(line)], rules=b.rules(policies=policies))
    )

    assert len(plan.held) == 1


def test_a_text_alone_and_a_removed_copy_count_in_no_days_limit():
    kept, copy = b.our_addition(20, 10), b.our_addition(9, 10)
    only_copies = plan_company(b.facts(b.reading(b.count(10)), additions=[copy, kept], ledger=[b.recorded(kept)]))
    texts = b.rules(b.profile(invoice_text="{users}"))
    row = b.recorded(kept, text_written=b.TODAY - timedelta(days=40))
    named = b.reading(b.count(10, holders=["Ann"]))
    only_text = plan_company(b.facts(named, additions=[kept], ledger=[row], rules=texts))

    for plan in (only_copies, only_text):
        assert len(plan.applicable) == 1
        assert within_a_day(plan, 0, 500) == plan


def test_a_company_over_its_limit_may_still_take_back_a_copy():
    kept, copy = b.our_addition(20, 10), b.our_addition(9, 10)
    policies = [SkuPolicy(b.SOURCE, b.PREMIUM, "premium"), SkuPolicy(b.SOURCE, b.STANDARD, "standard")]
    plan = plan_company(
        b.facts(
            b.reading(b.count(10), b.count(3, sku=b.STANDARD)),
            additions=[copy, kept],
            ledger=[b.recorded(kept)],
            products=[b.product(), b.product("M365-BS", 89)],
            rules=b.rules(b.profile(), b.profile(id="standard", product="M365-BS"), policies=policies),
        )
    )

    held = within_a_day(plan, 0, 0)
    assert [group.bill_item for group in held.applicable] == [f"{b.SOURCE}/{b.PREMIUM}"]
    assert [(group.bill_item, group.guard) for group in held.held] == [
        (f"{b.SOURCE}/{b.STANDARD}", Guard.CHANGES_PER_DAY)
    ]


@pytest.mark.parametrize(
    ("before", "most", "held"), [(100, 500, False), (100, 501, True), (4, 29, False), (0, 900, False)]
)
def test_a_level_that_was_read_far_too_high_once_is_held(before: int, most: int, held: bool) -> None:
    line = str(replace(b.key(), kind="usage"))
    days = [(date(2026, 9, 5), before), (date(2026, 10, 7), most), (date(2026, 10, 8), before)]
    record = SeatRecord(line, tuple(SeatDay(day, D(units), None) for day, units in days), date(2026, 10, 31))
    plan = plan_company(
        b.facts(
            b.reading(replace(b.count(before), level=True)),
            rules=b.rules(b.profile(arrears=Arrears.HIGHEST)),
            seats={line: record},
        )
    )
    told = f"{most} used are more than 5 times {before}, the most of the month before"
    assert [group.held for group in plan.groups] == [told if held else None]
    assert [group.guard for group in plan.groups] == [Guard.USAGE if held else None]
