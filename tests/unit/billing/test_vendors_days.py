"""Changes are charged from the vendor's own day, where it tells one."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from shared.billing.planning.plan import Plan
from shared.billing.planning.planner import plan_company
from tests import builders as b
from tests.unit.billing.test_invoices import COMPUTED, Agreement

D = Decimal


def bought_on(agreement: Agreement, day: date, changed: list[tuple[date, int]], last_read: date | None = None) -> Plan:
    """A night whose count tells the vendor's days of change."""
    facts = agreement.facts(day, changed[-1][1])
    facts = replace(facts, last_read={(b.SOURCE, b.TENANT): last_read} if last_read is not None else {})
    told = tuple((on, D(quantity)) for on, quantity in changed)
    count = replace(b.count(changed[-1][1]), changed=told)
    return plan_company(replace(facts, readings=(b.reading(count, day=day),)))


def test_each_increase_of_a_month_is_prorated_from_the_vendors_own_day_when_nights_were_missed():
    agreement = Agreement("Monthly", "CalendarYear", "Current", date(2020, 1, 1), COMPUTED, D("25.00"))
    while agreement.next_invoice <= date(2021, 2, 20):
        agreement.invoice()
    agreement.night(date(2021, 2, 1), 10)
    plan = bought_on(
        agreement, date(2021, 2, 20), [(date(2021, 1, 3), 10), (date(2021, 2, 4), 12), (date(2021, 2, 17), 13)]
    )

    assert [(change.after.quantity, change.after.unit_price) for change in plan.changes] == [
        (D(2), D("21.43")),
        (D(1), D("9.82")),
        (D(13), D("25.00")),
    ]


def test_a_first_purchase_is_prorated_from_the_vendors_own_day():
    agreement = Agreement("Monthly", "CalendarYear", "Current", date(2020, 1, 1), COMPUTED, D("25.00"))
    while agreement.next_invoice <= date(2021, 2, 20):
        agreement.invoice()
    agreement.night(date(2021, 2, 1), 1)
    agreement.night(date(2021, 2, 3), 0)
    plan = bought_on(agreement, date(2021, 2, 20), [(date(2021, 2, 17), 2)])

    assert [(change.after.quantity, change.after.unit_price) for change in plan.changes][:1] == [(D(1), D("9.82"))]


@pytest.mark.parametrize(("last_read", "share"), [(16, "9.82"), (17, "9.82"), (18, "7.14"), (None, "7.14")])
def test_what_was_never_counted_before_is_charged_from_the_vendors_own_day_if_none_was_read_until_then(
    last_read, share
):
    agreement = Agreement("Monthly", "CalendarYear", "Current", date(2020, 1, 1), COMPUTED, D("25.00"))
    while agreement.next_invoice <= date(2021, 2, 20):
        agreement.invoice()
    agreement.night(date(2021, 2, 1), 0)
    read = date(2021, 2, last_read) if last_read is not None else None
    once, _ = bought_on(agreement, date(2021, 2, 20), [(date(2021, 2, 17), 2)], last_read=read).changes

    assert (once.after.quantity, once.after.unit_price) == (D(2), D(share))


def test_what_was_bought_after_the_last_reading_of_a_day_is_charged_from_that_day():
    agreement = Agreement("Monthly", "CalendarYear", "Current", date(2020, 1, 1), COMPUTED, D("25.00"))
    while agreement.next_invoice <= date(2021, 2, 20):
        agreement.invoice()
    agreement.night(date(2021, 2, 4), 10)
    once, _ = bought_on(agreement, date(2021, 2, 5), [(date(2021, 1, 3), 10), (date(2021, 2, 4), 12)]).changes

    assert (once.after.quantity, once.after.unit_price) == (D(2), D("21.43"))


def test_a_vendors_day_before_the_last_reading_does_not_bill_what_that_reading_did_not_show():
    agreement = Agreement("Monthly", "CalendarYear", "Current", date(2020, 1, 1), COMPUTED, D("25.00"))
    while agreement.next_invoice <= date(2021, 2, 20):
        agreement.invoice()
    agreement.night(date(2021, 2, 16), 10)
    plan = bought_on(agreement, date(2021, 2, 17), [(date(2021, 2, 4), 11)])

    assert [(change.after.quantity, change.after.unit_price) for change in plan.changes][:1] == [(D(1), D("9.82"))]
