"""Which lines are ours: by stamp and record, whatever was copied, moved or lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

from shared.billing.lines import LineKind, is_line_of, stamp_of
from shared.billing.planning.plan import ChangeKind
from shared.billing.planning.planner import plan_company
from shared.billing.profiles import PriceKind, PriceRule
from tests import builders as b
from tests.unit.billing.plans import kinds, only_change

D = Decimal


def test_a_stamp_copied_to_another_agreement_is_a_stray_and_blocks_the_create():
    copied = b.addition(9, 10, on=502, serial_number=stamp_of(b.key(on=501), 88, date(2025, 1, 1)))
    plan = plan_company(b.facts(b.reading(b.count(10)), additions=[copied], agreements=[b.agreement(502)]))

    assert plan.groups == ()
    assert kinds(plan) == ["blocked-create", "stray"]


def test_our_second_copy_of_a_line_goes_and_the_recorded_one_stays():
    kept, copy = b.our_addition(20, 10), b.our_addition(9, 10)
    plan = plan_company(b.facts(b.reading(b.count(10)), additions=[copy, kept], ledger=[b.recorded(kept)]))

    change = only_change(plan)
    assert change.addition == 9
    assert change.fields() == {"quantity": D(0), "cancelled_date": date(2025, 1, 1)}


def test_our_second_copy_goes_before_anything_else_of_its_bill_item_is_written():
    kept, copy = b.our_addition(9, 10), b.our_addition(20, 10)
    plan = plan_company(b.facts(b.reading(b.count(12)), additions=[copy, kept], ledger=[b.recorded(kept)]))

    first, *others = plan.changes
    assert (first.addition, first.is_of_copy) == (20, True)
    assert others


def test_our_second_copy_that_was_never_invoiced_is_deleted():
    kept = b.our_addition(9, 10, effective_date=b.NEXT_PERIOD)
    copy = b.our_addition(20, 10, effective_date=b.NEXT_PERIOD)
    plan = plan_company(b.facts(b.reading(b.count(10)), additions=[copy, kept], ledger=[b.recorded(kept)]))

    change = only_change(plan)
    assert (change.kind, change.addition) == (ChangeKind.DELETE, 20)


def test_a_line_that_a_newer_one_has_taken_over_from_is_ended_the_day_before():
    first, second = b.our_addition(9, 10), b.our_addition(20, 12, effective_date=b.NEXT_PERIOD)
    plan = plan_company(b.facts(b.reading(b.count(12)), additions=[first, second]))

    change = only_change(plan)
    assert (change.addition, change.fields()) == (9, {"cancelled_date": date(2026, 11, 30)})


def test_two_lines_of_ours_that_begin_on_the_same_day_are_left_to_a_person():
    first, second = b.our_addition(9, 10), b.our_addition(20, 10, kind=LineKind.ADOPTED)
    plan = plan_company(b.facts(b.reading(b.count(12)), additions=[first, second]))

    assert plan.groups == ()
    assert kinds(plan) == ["candidates", "drift"]


def test_with_the_store_lost_our_line_is_found_by_its_stamp_and_remembered_again():
    line = b.our_addition(9, 10)
    plan = plan_company(b.facts(b.reading(b.count(10)), additions=[line]))

    assert plan.groups == ()
    assert [row.stamp for row in plan.ledger] == [line.serial_number]


def test_with_the_store_lost_an_adopted_line_still_keeps_its_price():
    line = b.our_addition(9, 10, kind=LineKind.ADOPTED, unit_price=D("21.00"))
    own = b.rules(b.profile(price=PriceRule(PriceKind.CUSTOM, D("27.00"))))
    plan = plan_company(b.facts(b.reading(b.count(10)), additions=[line], rules=own))

    assert plan.groups == ()
    assert plan.ledger[0].keeps_price


def test_a_stamp_is_found_after_its_effective_date_was_moved():
    moved = b.our_addition(9, 10)
    moved = b.addition(9, 10, serial_number=moved.serial_number, effective_date=date(2025, 2, 1))

    assert is_line_of(moved, b.key())


def test_an_agreement_that_was_not_read_is_asked_for_before_anything_is_created():
    plan = plan_company(replace(b.facts(b.reading(b.count(12))), additions={}))

    assert plan.needs_all
    assert plan.groups == ()
    assert plan.unread == {b.AGREEMENT}


def test_a_line_whose_stamp_was_replaced_by_somebody_is_not_ours_any_more():
    written = b.our_addition(9, 10)
    taken = b.addition(9, 10, serial_number="SN-1")
    plan = plan_company(b.facts(b.reading(b.count(12)), additions=[taken], ledger=[b.recorded(written)]))

    assert plan.groups == ()
    assert kinds(plan) == ["blocked-create"]


def test_an_ended_line_is_found_again_where_it_last_stood():
    ended = b.our_addition(9, 2, on=502, cancelled_date=date(2026, 10, 31))
    book = [b.recorded(ended)]
    two = [b.agreement(501), b.agreement(502)]
    plan = plan_company(b.facts(b.reading(b.count(3)), additions=[ended], ledger=book, agreements=two))

    assert only_change(plan).key.agreement == 502


def test_a_stamp_on_the_wrong_agreement_is_not_the_line_of_a_key():
    assert not is_line_of(b.our_addition(9, 10), b.key(on=999))


def test_our_copy_without_an_effective_date_is_set_to_nothing_once():
    kept = b.our_addition(20, 10)
    copy = replace(b.our_addition(9, 10), effective_date=None, quantity=D(0), cancelled_date=date(2026, 11, 30))
    plan = plan_company(b.facts(b.reading(b.count(10)), additions=[copy, kept], ledger=[b.recorded(kept)]))

    assert plan.groups == ()
