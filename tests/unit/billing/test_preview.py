"""What lines come to once changes are made, and how each bill item is billed: both for people to look at."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from shared.billing.calendar import Period
from shared.billing.lines import LineKind
from shared.billing.planning.planner import plan_company
from shared.billing.planning.preview import billed_in, in_cents, with_changes
from shared.billing.profiles import QuantityRule
from shared.billing.rules import LicenceLink
from tests import builders as b

DECEMBER = Period(date(2026, 12, 1), date(2026, 12, 31))


def the_one(plan):
    (billed,) = plan.billed
    return billed


@pytest.mark.parametrize("counted", [0, 3, 8])
@pytest.mark.parametrize("kind", list(LineKind)[:2])
def test_lines_with_the_plans_changes_are_what_the_next_plan_finds_in_order(counted, kind):
    """An increase, a reduction and an end: planned again on the lines as previewed, there is nothing left to do."""
    standing = b.our_addition(11, 5, kind=kind)
    counts = [b.count(counted)] if counted else []
    facts = b.facts(b.reading(*counts), additions=[standing], ledger=[b.recorded(standing)])
    facts = replace(facts, seats=b.seats_with(5, date(2026, 11, 1)))
    plan = plan_company(facts)
    assert plan.changes
    after = with_changes([standing], plan.changes)
    (agreement,) = facts.agreements
    seats = {**facts.seats, **{record.line: record for record in plan.seats}}
    ledger = [b.recorded(line) for line in after if line.serial_number.startswith("TU1-S") or line.id == 11]
    again = replace(facts, additions={agreement.id: tuple(after)}, seats=seats, ledger=tuple(ledger))
    assert [change for change in plan_company(again).changes if change.key.is_standing] == []


def test_a_new_line_stands_beside_the_others_and_a_deleted_one_is_gone():
    plan = plan_company(b.facts(b.reading(b.count(8))))
    other = b.addition(7, 2, product="Backup")
    (made,) = [line for line in with_changes([other], plan.changes) if line.id < 0]
    assert (made.product, made.quantity, made.unit_price) == ("M365-BP", 8, Decimal("25.00"))
    (change,) = plan.changes
    gone = replace(change, addition=7, before=change.after, after=None)
    assert with_changes([other], [gone]) == []
    assert with_changes([], [replace(gone, after=change.after)]) == []


def test_an_invoice_bills_what_is_open_billable_and_begun_in_its_period():
    lines = [
        b.addition(1, 3),
        b.addition(2, 3, cancelled_date=date(2026, 11, 30)),
        b.addition(3, 3, effective_date=date(2027, 1, 1)),
        b.addition(4, 3, bill_customer="NoCharge"),
        b.addition(5, 3, less_included=Decimal(2)),
        b.addition(6, 3, less_included=Decimal(4)),
        b.addition(7, 1, cancelled_date=DECEMBER.start),
    ]
    assert [(line.id, amount) for line, amount in billed_in(lines, DECEMBER)] == [(1, 75), (5, 25), (7, 25)]
    assert in_cents(Decimal("0.005")) == Decimal("0.01")


def test_of_an_item_is_told_who_bills_it_where_and_how_much_of_it():
    standing = b.our_addition(11, 5)
    facts = b.facts(b.reading(b.count(8)), additions=[standing], ledger=[b.recorded(standing)])
    billed = the_one(plan_company(facts))
    assert billed.feeds == ((b.SOURCE, b.TENANT, b.PREMIUM),)
    assert (billed.profile, billed.own, billed.quantity, billed.agreement) == ("premium", False, 8, b.AGREEMENT)
    assert (billed.lines, billed.unknown) == ((11,), None)


def test_a_companys_own_choice_is_told_as_such():
    starts = date(2027, 1, 1)
    own = LicenceLink(b.SOURCE, b.PREMIUM, quantity=Decimal(4), do_not_bill_until=starts)
    told = the_one(plan_company(b.facts(b.reading(b.count(8)), company=b.company(licences=(own,)))))
    assert (told.own, told.quantity, told.not_before) == (True, 4, starts)
    never = replace(own, quantity=None, do_not_bill_until=None, do_not_bill=True)
    told = the_one(plan_company(b.facts(b.reading(b.count(8)), company=b.company(licences=(never,)))))
    assert (told.profile, told.quantity, told.agreement) == (None, None, None)


def test_where_there_is_a_doubt_nothing_is_claimed():
    unlike = b.count(8, subscriptions=[b.subscription(7)])
    told = the_one(plan_company(b.facts(b.reading(unlike))))
    assert (told.quantity, told.agreement) == (None, None)
    two = [b.agreement(501), b.agreement(502)]
    told = the_one(plan_company(b.facts(b.reading(b.count(8)), agreements=two)))
    assert (told.quantity, told.agreement) == (8, None)


def test_an_item_that_could_not_be_read_says_so_and_keeps_its_lines():
    standing = b.our_addition(11, 5)
    facts = b.facts(b.failure(), additions=[standing], ledger=[b.recorded(standing)])
    told = the_one(plan_company(facts))
    assert (told.read_failed, told.quantity, told.agreement, told.lines) == (True, None, b.AGREEMENT, (11,))
    assert told.unknown is not None


def test_policies_of_what_a_customer_does_not_have_are_not_told():
    assert plan_company(b.facts(b.reading(), rules=b.rules(b.profile(quantity=QuantityRule())))).billed == ()
