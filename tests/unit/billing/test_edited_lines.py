"""What a person changes, ends or deletes of our lines is told, and is the person's to decide."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from shared.billing.planning.plan import ChangeKind
from shared.billing.planning.planner import plan_company
from shared.billing.profiles import PriceKind, PriceRule
from shared.billing.rules import LicenceLink
from tests import builders as b
from tests.unit.billing.plans import kinds, only_change

D = Decimal


def test_a_persons_edit_of_our_line_is_told_and_left():
    written = b.our_addition(9, 10)
    edited = b.our_addition(9, 11)
    plan = plan_company(b.facts(b.reading(b.count(12)), additions=[edited], ledger=[b.recorded(written)]))

    assert plan.groups == ()
    assert kinds(plan) == ["drift"]
    assert "quantity is 11, TrueUp wrote 10" in plan.findings[0].text


def test_a_persons_edit_to_what_we_want_anyway_is_taken_as_ours():
    written = b.our_addition(9, 10)
    edited = b.our_addition(9, 12)
    plan = plan_company(b.facts(b.reading(b.count(12)), additions=[edited], ledger=[b.recorded(written)]))

    assert plan.groups == ()
    assert plan.findings == ()
    assert [row.values.quantity for row in plan.ledger] == [D(12)]


def test_seats_of_a_line_that_a_person_lowered_around_an_invoice_are_not_billed_for_its_period_again():
    """Nobody knows whether 10 were invoiced or 4: the ten that TrueUp wrote count as invoiced."""
    written, lowered = b.our_addition(9, 10), b.our_addition(9, 4)
    ledger = [b.recorded(written)]
    before = plan_company(b.facts(b.reading(b.count(10)), additions=[written], ledger=ledger))
    seats = {record.line: record for record in before.seats}
    invoiced, day = [b.agreement(next_invoice_date=date(2027, 1, 1))], date(2026, 12, 3)
    for counted, owed in ((4, []), (12, ["drift"])):
        reading = b.reading(b.count(counted), day=day)
        plan = plan_company(
            b.facts(reading, additions=[lowered], agreements=invoiced, ledger=ledger, seats=seats, as_of=day)
        )
        assert (plan.groups, kinds(plan)) == ((), owed)
    calm = plan_company(
        b.facts(
            b.reading(b.count(4), day=day),
            additions=[written],
            agreements=invoiced,
            ledger=ledger,
            seats=seats,
            as_of=day,
        )
    )
    assert [change.after.quantity for change in calm.changes] == [D(4)]


def test_an_edited_line_is_not_ended_either():
    written = b.our_addition(9, 10)
    edited = b.our_addition(9, 11)
    plan = plan_company(b.facts(b.reading(), additions=[edited], ledger=[b.recorded(written)]))

    assert plan.groups == ()
    assert kinds(plan) == ["drift"]


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [b.our_addition(9, 10, cancelled_date=date(2026, 11, 30))],
        [b.our_addition(9, 10, cancelled_date=date(2026, 12, 31))],
        [b.addition(9, 10, product_id=77, product="BUNDLE", serial_number="PO-7711")],
        [b.addition(9, 10, product_id=77, product="BUNDLE")],
    ],
)
def test_a_line_deleted_ended_or_made_another_by_a_person_is_paused(lines):
    plan = plan_company(b.facts(b.reading(b.count(10)), additions=lines, ledger=[b.recorded(b.our_addition(9, 10))]))

    assert plan.groups == ()
    assert kinds(plan) == ["paused"]


@pytest.mark.parametrize(
    ("line", "kinds_told", "created"),
    [
        (b.our_addition(9, 10), ["agreement-not-active", "agreement-not-active"], 0),
        (b.our_addition(9, 0), [], 1),
        (b.our_addition(9, 10, cancelled_date=date(2026, 11, 20)), [], 1),
    ],
)
def test_what_a_line_bills_on_an_agreement_that_is_another_companys_by_now_is_not_billed_beside_it(
    line, kinds_told, created
):
    plan = plan_company(b.facts(b.reading(b.count(10)), agreements=[b.agreement(502)], ledger=[b.recorded(line)]))

    assert (kinds(plan), len(plan.changes)) == (kinds_told, created)


def test_every_kind_of_edit_is_told_in_words():
    written = b.our_addition(9, 10)
    edited = replace(written, effective_date=date(2025, 3, 1), unit_price=D("24.00"), bill_customer="NoCharge")
    own = b.rules(b.profile(price=PriceRule(PriceKind.PRODUCT)))
    plan = plan_company(b.facts(b.reading(b.count(12)), additions=[edited], ledger=[b.recorded(written)], rules=own))

    assert kinds(plan) == ["drift"]
    text = plan.findings[0].text
    assert "effective_date is 1 Mar 2025, TrueUp wrote 1 Jan 2025" in text
    assert "unit_price is 24, TrueUp wrote 25" in text
    assert "bill_customer is NoCharge, TrueUp wrote Billable" in text


def test_a_price_that_we_keep_is_a_persons_to_change():
    written = b.our_addition(9, 10)
    edited = replace(written, unit_price=D("24.00"))
    plan = plan_company(b.facts(b.reading(b.count(10)), additions=[edited], ledger=[b.recorded(written)]))

    assert plan.groups == ()
    assert plan.findings == ()


def test_a_paused_item_is_billed_again_after_a_night_on_which_it_was_not_to_be_billed():
    book = [b.recorded(b.our_addition(9, 10))]
    licence = LicenceLink(b.SOURCE, b.PREMIUM, do_not_bill=True)
    waived = plan_company(b.facts(b.reading(b.count(10)), ledger=book, company=b.company(licences=(licence,))))

    assert waived.forgotten == (book[0].stamp,)
    assert only_change(plan_company(b.facts(b.reading(b.count(10))))).kind is ChangeKind.CREATE


def test_a_persons_ending_is_not_made_ours_by_a_night_without_counts():
    written = b.our_addition(9, 10)
    ended = b.our_addition(9, 10, cancelled_date=date(2026, 12, 31))
    other = b.count(4, sku="other", free=True)
    plan = plan_company(b.facts(b.reading(other), additions=[ended], ledger=[b.recorded(written)]))

    assert plan.ledger == ()
