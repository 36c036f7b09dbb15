"""What a person chose about lines, seen by the planner alone; how a choice is made and kept is told with the flows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from shared.billing.agreements import Addition
from shared.billing.lines import LedgerRow, LineKey, LineKind, LineValues, one_off_stamp, stamp_of
from shared.billing.planning.choices import Choice, ChoiceKind, resumed
from shared.billing.planning.plan import ChangeKind
from shared.billing.planning.planner import plan_company
from shared.billing.profiles import Band, PriceKind, PriceRule, Proration, ProrationRule
from shared.billing.rules import LicenceLink
from tests import builders as b

D = Decimal
ITEM = b.key().bill_item
TIERED = PriceRule(PriceKind.TIERED, bands=(Band(D(4), D("25.00")), Band(None, D("20.00"))))


def chose(kind: ChoiceKind, *additions: int, seen: Iterable[Addition] = ()) -> dict[str, Choice]:
    return {ITEM: Choice(kind, ITEM, additions, {line.id: LineValues.of(line) for line in seen})}


def band_line(number: int, quantity: int, band: str, price: str) -> tuple[Addition, LedgerRow]:
    key = replace(b.key(), band=band)
    stamp = stamp_of(key, 88, date(2025, 1, 1))
    line = b.addition(number, quantity, serial_number=stamp, unit_price=D(price))
    return line, replace(b.recorded(line), key=key)


# ---- an edited line


def test_of_the_lines_of_an_item_only_the_edited_one_is_restored():
    first, first_row = band_line(9, 4, "0-4", "25.00")
    second, second_row = band_line(10, 2, "4-", "20.00")
    edited = replace(first, quantity=D(3), bill_customer="NoCharge")
    plan = plan_company(
        b.facts(
            b.reading(b.count(6)),
            additions=[edited, second],
            ledger=[first_row, second_row],
            rules=b.rules(b.profile(price=TIERED)),
            choices=chose(ChoiceKind.RESTORE, seen=[edited]),
        )
    )

    (change,) = plan.changes
    assert (change.addition, change.fields()) == (9, {"quantity": D(4), "bill_customer": "Billable"})
    assert "bill_customer Billable instead of NoCharge" in change.sentence


def test_an_accepted_edit_of_the_only_tier_that_is_billed_leaves_the_others_without_a_line():
    line, row = band_line(9, 3, "0-4", "25.00")
    edited = replace(line, quantity=D(2))
    plan = plan_company(
        b.facts(
            b.reading(b.count(3)),
            additions=[edited],
            ledger=[row],
            rules=b.rules(b.profile(price=TIERED)),
            choices=chose(ChoiceKind.ACCEPT, seen=[edited]),
        )
    )

    assert (plan.groups, plan.findings, plan.frozen) == ((), (), frozenset())
    assert [record.days[-1].quantity for record in plan.seats] == [D(3), D(0)]


def test_an_accepted_edit_of_a_line_that_was_about_to_move_lets_it_stay():
    line = b.our_addition(9, 10)
    edited = replace(line, quantity=D(8))
    facts = b.facts(
        b.reading(b.count(10)),
        additions=[edited],
        ledger=[b.recorded(line)],
        agreements=[b.agreement(501), b.agreement(502)],
        company=b.company(licences=(LicenceLink(b.SOURCE, b.PREMIUM, agreement=502),)),
    )
    assert [finding.kind.value for finding in plan_company(facts).findings] == ["drift"]

    plan = plan_company(replace(facts, choices=chose(ChoiceKind.ACCEPT, seen=[edited])))
    assert (plan.groups, plan.findings, plan.frozen) == ((), (), frozenset())
    assert [choice.kind for choice in plan.choices] == [ChoiceKind.ACCEPT]


def adopted(**values: object) -> Addition:
    return b.our_addition(9, 10, kind=LineKind.ADOPTED, **values)


def test_that_an_adopted_line_is_not_billed_any_more_is_told_before_anything_is_charged_beside_it():
    edited = adopted(bill_customer="DoNotBill")
    ledger = [b.recorded(adopted(), keeps_price=True)]
    plan = plan_company(b.facts(b.reading(b.count(12)), additions=[edited], ledger=ledger))

    assert plan.groups == ()
    assert ["bill_customer is DoNotBill" in finding.text for finding in plan.findings] == [True]


@pytest.mark.parametrize(
    ("option", "always_split", "billed"),
    [
        ("Billable", False, ["Billable", "Billable"]),
        ("DoNotBill", False, ["DoNotBill"]),
        ("NoCharge", True, ["NoCharge", "NoCharge"]),
    ],
)
def test_beside_an_adopted_line_that_a_person_does_not_bill_nothing_is_charged(option, always_split, billed):
    line = adopted(bill_customer=option)
    facts = b.facts(
        b.reading(b.count(10)),
        additions=[line],
        ledger=[b.recorded(line, keeps_price=True)],
        rules=b.rules(b.profile(proration=Proration(ProrationRule.COMPUTED, always_split=always_split))),
    )
    seats = {record.line: record for record in plan_company(facts).seats}
    tomorrow = date(2026, 11, 22)
    raised = b.reading(b.count(12), day=tomorrow)
    plan = plan_company(replace(facts, readings=(raised,), seats=seats, as_of=tomorrow))
    assert [change.after.bill_customer for change in plan.changes] == billed


def test_an_adopted_line_that_a_person_does_not_bill_is_not_billed_when_it_comes_back_after_its_end():
    ended = adopted(bill_customer="DoNotBill", taxable_flag=True, cancelled_date=date(2026, 10, 31))
    plan = plan_company(
        b.facts(b.reading(b.count(10)), additions=[ended], ledger=[b.recorded(ended, keeps_price=True)])
    )
    assert [(change.kind, change.monthly) for change in plan.changes] == [(ChangeKind.CREATE, D(0))]
    (change,) = plan.changes
    assert (change.after.bill_customer, change.after.taxable_flag) == ("DoNotBill", True)


@pytest.mark.parametrize(("text", "said"), [("{quantity} licences", "12 licences"), ("", "10 as agreed")])
def test_a_line_that_goes_on_with_an_adopted_one_has_the_text_of_the_profile_where_that_has_one(text, said):
    line = adopted(invoice_description="10 as agreed")
    rules = b.rules(b.profile(invoice_text=text, proration=Proration(ProrationRule.COMPUTED, always_split=True)))
    ledger = [b.recorded(line, keeps_price=True)]
    plan = plan_company(b.facts(b.reading(b.count(12)), additions=[line], ledger=ledger, rules=rules))
    (new,) = [change.after for change in plan.changes if change.kind is ChangeKind.CREATE and change.key.is_standing]
    assert new.invoice_description == said


# ---- billing that a person stopped or resumes


def test_what_a_person_stopped_stays_stopped_on_a_night_that_does_not_look_at_its_agreement():
    row = b.recorded(b.our_addition(9, 5))
    looked_at = b.facts(b.reading(b.count(5)), ledger=[row], choices=chose(ChoiceKind.STOP))
    assert (plan_company(looked_at).spent, plan_company(looked_at).groups) == (frozenset(), ())

    not_looked_at = plan_company(replace(looked_at, additions={}))
    assert (not_looked_at.spent, not_looked_at.groups) == (frozenset(), ())

    there_again = b.facts(
        b.reading(b.count(5)), additions=[b.our_addition(9, 5)], ledger=[row], choices=chose(ChoiceKind.STOP)
    )
    assert plan_company(there_again).spent == frozenset({ITEM})


def test_resuming_forgets_the_deleted_line_and_not_what_was_charged_once_or_ended_long_ago():
    deleted = b.recorded(b.our_addition(9, 5))
    over = b.recorded(b.our_addition(8, 5, cancelled_date=date(2026, 1, 31)))
    once = replace(
        b.recorded(b.addition(7, 1)), key=b.key().for_one_off(), stamp=one_off_stamp(b.key(), 88, b.TODAY, 1)
    )
    other = replace(deleted, key=LineKey(b.COMPANY, b.AGREEMENT, "microsoft365/other"))
    seats = b.seats_with(5, date(2026, 11, 20))

    rows, left = resumed([deleted, over, once, other], seats, {501: ()}, chose(ChoiceKind.RESUME), b.TODAY)
    assert (rows, left) == ((over, once, other), {})
    unread, _ = resumed([deleted], seats, {}, chose(ChoiceKind.RESUME), b.TODAY)
    assert unread == (deleted,)
    rewritten = {501: (b.addition(9, 5, product_id=77, product="BUNDLE", serial_number="PO-7711"),)}
    assert resumed([deleted], seats, rewritten, chose(ChoiceKind.RESUME), b.TODAY) == ((), {})


# ---- lines in the way of ours


def test_a_line_is_not_adopted_for_one_tier_even_if_a_person_says_so():
    plan = plan_company(
        b.facts(
            b.reading(b.count(6)),
            additions=[b.addition(9, 6)],
            rules=b.rules(b.profile(price=TIERED)),
            choices=chose(ChoiceKind.ADOPT, 9),
        )
    )

    assert plan.groups == ()
    (finding,) = plan.findings
    assert finding.kind.value == "blocked-create"
    assert "addition 9 was to be adopted, but that cannot be, because a tiered price needs" in finding.text


def test_after_our_line_ended_a_new_one_comes_beside_the_line_that_a_person_named_only():
    ended = b.our_addition(9, 5, cancelled_date=date(2026, 10, 31))
    facts = b.facts(b.reading(b.count(5)), additions=[ended, b.addition(12, 1)], ledger=[b.recorded(ended)])
    assert [finding.kind.value for finding in plan_company(facts).findings] == ["blocked-create"]

    beside = replace(facts, choices=chose(ChoiceKind.CREATE_ANYWAY, 12))
    (change,) = plan_company(beside).changes
    assert (change.kind, change.after.quantity, change.after.effective_date) == (
        ChangeKind.CREATE,
        D(5),
        b.NEXT_PERIOD,
    )
    another = replace(facts, choices=chose(ChoiceKind.CREATE_ANYWAY, 13))
    assert plan_company(another).groups == ()
