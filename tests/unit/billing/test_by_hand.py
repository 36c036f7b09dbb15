"""What no line of ours can bill is left to a person, with its amount, and told until one says that it is settled."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from shared.billing.findings import FindingKind
from shared.billing.lines import LineKey
from shared.billing.planning.choices import Choice, ChoiceKind, can_be_settled, resumed, subject_of_hand
from shared.billing.planning.planner import plan_company
from shared.billing.profiles import Band, BillOption, Decrease, PriceKind, PriceRule, Proration, ProrationRule
from shared.billing.rules import LicenceLink, Mode
from shared.billing.seats import SeatRecord, Settled, Unbilled
from tests import builders as b

D = Decimal
NOVEMBER_ENDS, THE_NIGHT_AFTER = date(2026, 11, 30), date(2026, 11, 22)
SUBJECT = subject_of_hand(b.key().bill_item)
SETTLED = {SUBJECT: Choice(ChoiceKind.SETTLE, SUBJECT)}
ENDING = b.agreement(end_date=date(2026, 12, 15))
ELSEWHERE = b.company(licences=(LicenceLink(b.SOURCE, b.PREMIUM, agreement=502),))
LINE = b.our_addition(9, 10)


def told(plan):
    return [each.text for each in plan.findings if each.kind is FindingKind.UNBILLED]


def untimely(seats, day=b.TODAY, count=12, **values):
    """A night on which two seats came for which a line would bill a period that lies in part outside its agreement."""
    facts = {"additions": [LINE], "ledger": [b.recorded(LINE)], "agreements": [ENDING], "seats": seats, **values}
    return plan_company(b.facts(b.reading(b.count(count), day=day), as_of=day, **facts))


def after(seats, plan):
    return {**seats, **{record.line: record for record in plan.seats}}


SEATS = {
    line: replace(record, periods=(Settled(date(2026, 11, 1), NOVEMBER_ENDS, D(10)),))
    for line, record in b.seats_with(10, date(2026, 11, 20)).items()
}


@pytest.mark.parametrize(
    "night",
    [
        {},
        {"company": b.company(licences=(LicenceLink(b.SOURCE, b.PREMIUM, do_not_bill=True),))},
        {"rules": b.rules()},
        {"company": b.company(mode=Mode.OBSERVE)},
    ],
    ids=["billed", "not to be billed", "without a rule", "observed"],
)
def test_what_a_person_is_to_bill_is_told_until_one_says_that_it_is_settled(night):
    first = untimely(SEATS)
    seats = after(SEATS, first)
    second = untimely(seats, THE_NIGHT_AFTER, **night)
    seats = after(seats, second)
    settling = untimely(seats, date(2026, 11, 23), choices=SETTLED)
    seats = after(seats, settling)
    calm = untimely(seats, date(2026, 12, 1))

    assert [text.count("2 from 21 Nov 2026 to 30 Nov 2026 (") for text in told(first) + told(second)] == [1, 1]
    assert (told(settling), settling.spent) == ([], {SUBJECT})
    assert told(calm) == []
    assert not any(record.unbilled for record in after(seats, calm).values())


def test_what_came_on_the_night_of_the_answer_is_told_all_the_same():
    seats = after(SEATS, untimely(SEATS))
    settling = untimely(seats, THE_NIGHT_AFTER, count=13, choices=SETTLED)

    assert ["1 from 22 Nov 2026" in text and "2 from" not in text for text in told(settling)] == [True]


def test_what_the_company_waives_is_not_left_to_a_person():
    waives = b.company(licences=(LicenceLink(b.SOURCE, b.PREMIUM, waive_until=NOVEMBER_ENDS),))

    assert told(untimely(SEATS, company=waives)) == []


def test_a_line_whose_billing_is_resumed_forgets_nothing_of_it():
    one = Unbilled(b.TODAY, NOVEMBER_ENDS, D(2), D("15.00"))
    line, other = str(b.key()), str(b.key(on=502))
    seats = {line: SeatRecord(line, unbilled=(one,)), other: replace(SEATS[line], line=other)}
    resume = Choice(ChoiceKind.RESUME, b.key().bill_item)
    _, left = resumed((), seats, {}, {resume.subject: resume}, b.TODAY)

    assert left == {line: SeatRecord(line, unbilled=(one,))}
    assert told(plan_company(b.facts(seats=left)))


@pytest.mark.parametrize(("subject", "can"), [(SUBJECT, True), ("usage/a/b", True), ("a/b", False)])
def test_usage_and_what_a_person_is_to_bill_can_be_settled(subject, can):
    assert can_be_settled(subject) is can


# ---- rises while an item moves


def moving(count, seats, day=THE_NIGHT_AFTER, ends=NOVEMBER_ENDS, company=ELSEWHERE, **values):
    """A night after the line on agreement 501 was ended for one on 502 that begins with December."""
    new = b.our_addition(10, 10, on=502, effective_date=b.NEXT_PERIOD)
    old = replace(LINE, cancelled_date=ends, bill_customer=values.pop("bill_customer", "Billable"))
    agreements = values.pop("agreements", [b.agreement(501), b.agreement(502)])
    lines = [old, new] if ends is not None else [old]
    return plan_company(
        b.facts(
            b.reading(b.count(count), day=day),
            additions=lines,
            ledger=[b.recorded(line) for line in lines],
            agreements=agreements,
            company=company,
            seats=seats,
            as_of=day,
            **values,
        )
    )


def test_seats_that_come_while_an_item_moves_are_left_to_a_person_once_each():
    """5 of 25.00 for 9 and 8 of 30 days: 37.50 without the first day."""
    first = moving(15, SEATS)
    seats = after(SEATS, first)
    second = moving(16, seats, date(2026, 11, 23))
    settled = moving(16, after(seats, second), date(2026, 11, 24), choices=SETTLED)
    calm = moving(16, after(after(seats, second), settled), date(2026, 11, 25))

    assert [text.split(": no line")[0] for text in told(first) + told(second)] == [
        "Business Premium: 5 from 22 Nov 2026 to 30 Nov 2026 (33.35)",
        "Business Premium: 5 from 22 Nov 2026 to 30 Nov 2026 (33.35), and 1 from 23 Nov 2026 to 30 Nov 2026 (5.83)",
    ]
    assert told(settled) + told(calm) == []


@pytest.mark.parametrize(
    "values",
    [
        {"count": 10},
        {"count": 15, "ends": None},
        {"count": 15, "bill_customer": "NoCharge"},
        {"count": 15, "agreements": [b.agreement(501, billing_cycle="Weekly"), b.agreement(502)]},
        {"count": 15, "rules": b.rules(b.profile(bill_option=BillOption.NO_CHARGE))},
        {"count": 15, "rules": b.rules(b.profile(proration=Proration(ProrationRule.NONE)))},
        {"count": 15, "company": replace(ELSEWHERE, mode=Mode.OBSERVE)},
        {
            "count": 15,
            "company": b.company(
                licences=(LicenceLink(b.SOURCE, b.PREMIUM, agreement=502, waive_until=NOVEMBER_ENDS),)
            ),
        },
    ],
    ids=["no rise", "not moved yet", "no charge", "weekly", "free", "not prorated", "observed", "waived"],
)
def test_what_is_billed_already_or_not_to_be_charged_is_not_left_to_a_person(values):
    assert told(moving(values.pop("count"), SEATS, **values)) == []


def test_a_rise_while_a_price_becomes_tiered_is_left_to_a_person_at_the_old_price():
    old = replace(LINE, cancelled_date=NOVEMBER_ENDS)
    price = PriceRule(PriceKind.TIERED, bands=(Band(D(4), D("20.00")), Band(None, D("15.00"))))
    plan = plan_company(
        b.facts(
            b.reading(b.count(12), day=THE_NIGHT_AFTER),
            additions=[old],
            ledger=[b.recorded(old)],
            rules=b.rules(b.profile(price=price)),
            seats=SEATS,
            as_of=THE_NIGHT_AFTER,
        )
    )

    assert ["2 from 22 Nov 2026 to 30 Nov 2026 (13.34)" in text for text in told(plan)] == [True]
    assert LineKey(b.COMPANY, 501, b.key().bill_item, band="0-4") in {change.key for change in plan.changes}


def test_a_credit_whose_period_lies_in_part_outside_the_agreement_is_told_while_it_is_owed():
    credits = b.rules(b.profile(proration=Proration(decrease=Decrease.CREDIT)))
    begun = (Settled(date(2026, 11, 1), NOVEMBER_ENDS, D(10), credits=True),)
    seats = {line: replace(record, periods=begun) for line, record in SEATS.items()}
    plan = untimely(seats, count=8, rules=credits)

    assert [each.kind for each in plan.findings if "lie wholly inside" in each.text] == [
        FindingKind.CALENDAR_UNSUPPORTED
    ]
