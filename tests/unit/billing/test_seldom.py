"""What seldom happens to a company's lines, and what a clerk would expect then."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from shared.billing.calendar import Period
from shared.billing.counting.items import bill_items
from shared.billing.counts import Moment, Money, Reading, Scope
from shared.billing.lines import LedgerRow, LineKind, one_off_stamp
from shared.billing.planning.changes import ending
from shared.billing.planning.matching import OwnLine
from shared.billing.planning.plan import ChangeKind, GroupKind, Plan
from shared.billing.planning.planner import Facts, plan_company
from shared.billing.profiles import Arrears, PriceKind, PriceRule, Proration, ProrationRule
from shared.billing.rules import CompanyLink, LicenceLink
from shared.billing.seats import SeatRecord
from tests import builders as b

D = Decimal
OTHER_TENANT = "9c1f2e60-3d84-4b7a-8e15-d06a7f53b902"
YESTERDAY = date(2026, 11, 20)
#: November is not invoiced yet although it is the 21st.
LATE = date(2026, 11, 1)


def wrote(plan: Plan) -> list[tuple[str, str, Decimal, date | None, date | None]]:
    """Per change: what it does, to which kind of line, and the line's quantity and days afterwards."""
    return [
        (change.kind.value, change.key.kind, after.quantity, after.effective_date, after.cancelled_date)
        for change in plan.changes
        if (after := change.after) is not None
    ]


def kinds(plan: Plan) -> list[str]:
    return [finding.kind.value for finding in plan.findings]


def charged_once(number: int, quantity: int, day: date) -> tuple[object, LedgerRow]:
    """A one-off line for seats that came on a day of November, invoiced with December."""
    line = b.addition(
        number,
        quantity,
        serial_number=one_off_stamp(b.key(), 88, day, 1),
        unit_price=D("16.67"),
        effective_date=date(2026, 12, 1),
        cancelled_date=date(2026, 12, 31),
    )
    return line, replace(b.recorded(line), key=b.key().for_one_off())


def test_a_company_without_any_agreement_is_told_once_and_not_per_item():
    plan = plan_company(b.facts(b.reading(b.count(5)), agreements=[]))

    assert plan.groups == ()
    assert [(finding.key, finding.text) for finding in plan.findings] == [
        ("company", "Manage has no agreement of company 250.")
    ]


# ---- usage


def usage(**values: object) -> Facts:
    key = replace(b.key(), kind="usage")
    seats = SeatRecord(str(key)).with_reading(date(2026, 10, 5), D(30), None)
    return b.facts(
        b.reading(b.count(20)),
        rules=b.rules(b.profile(arrears=Arrears.HIGHEST)),
        seats={str(key): seats},
        **values,
    )


def test_a_month_of_usage_alone_is_a_one_off_group_of_so_much():
    (group,) = plan_company(usage()).groups

    assert (group.kind, group.monthly, group.one_off) == (GroupKind.ONE_OFF, D(0), D("750.00"))


def test_usage_of_a_product_that_is_not_in_the_catalog_is_not_billed_and_not_forgotten():
    plan = plan_company(usage(products=[]))

    assert (plan.groups, kinds(plan)) == ((), ["product-missing", "unbilled"])
    assert [(entry.day, entry.quantity) for entry in plan.seats[0].days] == [
        (date(2026, 10, 5), D(30)),
        (b.TODAY, D(20)),
    ]


def between(*told: tuple[int, Reading]) -> tuple[Moment, ...]:
    """Readings made at these hours of 21 October and on, hour after hour."""
    begun = datetime(2026, 10, 21, tzinfo=UTC)
    return tuple(
        Moment(begun + timedelta(hours=hour), (begun + timedelta(hours=hour)).date(), (reading,))
        for hour, reading in told
    )


def days_of(plan: Plan) -> list[tuple[date, Decimal]]:
    return [(entry.day, entry.quantity) for entry in plan.seats[0].days]


def test_the_most_of_all_hours_is_billed_although_no_night_saw_it():
    told = [(hour, b.reading(b.count(units))) for hour, units in ((9, 31), (10, 44), (11, 12), (40, 33))]
    facts = usage(moments=between(*told))
    plan = plan_company(facts)

    assert [change.after.quantity for change in plan.changes] == [D(44)]
    assert days_of(plan) == [
        (date(2026, 10, 5), D(30)),
        (date(2026, 10, 21), D(44)),
        (date(2026, 10, 21), D(12)),
        (date(2026, 10, 22), D(33)),
        (b.TODAY, D(20)),
    ]
    seats = {record.line: record for record in plan.seats}
    again = plan_company(replace(facts, seats=seats))
    assert again.seats == plan.seats


def test_what_is_read_between_nights_counts_only_where_it_tells_all_and_once_usage_has_begun():
    silent = replace(b.reading(b.count(90)), scope=Scope(frozenset({b.STANDARD})))
    contradictory = b.reading(replace(b.count(91), purchased=D(5)))
    elsewhere = b.reading(b.count(92, customer=OTHER_TENANT), customer=OTHER_TENANT)
    before = Moment(datetime(2026, 10, 4, 23, tzinfo=UTC), date(2026, 10, 4), (b.reading(b.count(93)),))
    odd = (before, *between((1, silent), (2, contradictory), (3, elsewhere)))

    assert days_of(plan_company(usage(moments=odd))) == days_of(plan_company(usage()))
    new = replace(usage(moments=between((1, b.reading(b.count(95))))), seats={})
    assert days_of(plan_company(new)) == [(b.TODAY, D(20))]


def test_the_usage_of_a_single_subscription_is_told_by_hours_too_where_they_list_subscriptions():
    rules = b.rules(b.profile(arrears=Arrears.HIGHEST, split=True))
    one, two = (replace(b.subscription(20), id=name) for name in ("one", "two"))
    reading = b.reading(b.count(40, subscriptions=[one, two]))
    first = plan_company(replace(usage(), rules=rules, seats={}, readings=(reading,))).seats
    begun = {each.line: replace(each, days=(replace(each.days[0], day=date(2026, 10, 5)),)) for each in first}
    seats = {line: replace(each, seen=date(2026, 10, 5)) for line, each in begun.items()}
    more = b.reading(b.count(115, subscriptions=[replace(one, quantity=D(95)), two]))
    without = b.reading(replace(b.count(500), subscriptions=None))
    plan = plan_company(
        replace(usage(moments=between((9, more), (10, without))), rules=rules, seats=seats, readings=(reading,))
    )

    assert sorted((change.key.bill_item[-3:], change.after.quantity) for change in plan.changes) == [
        ("one", D(95)),
        ("two", D(20)),
    ]


# ---- costs


def test_what_two_customers_pay_different_prices_for_has_no_one_price_on_one_line():
    link = (CompanyLink(b.SOURCE, b.TENANT), CompanyLink(b.SOURCE, OTHER_TENANT))
    price = PriceRule(PriceKind.COST, markup=D(20))
    here = replace(b.count(5), cost=Money(D("20.00"), "month", "USD"))
    there = replace(b.count(2, customer=OTHER_TENANT), cost=Money(D("21.00"), "month", "USD"))
    facts = b.facts(
        b.reading(here),
        b.reading(there, customer=OTHER_TENANT),
        agreements=[b.agreement(currency="USD")],
        company=b.company(links=link),
        rules=b.rules(b.profile(price=price)),
    )

    plan = plan_company(facts)
    assert plan.groups == ()
    assert "the cost is not the same for all that it is fed by" in plan.findings[0].text
    same = replace(there, cost=here.cost)
    (change,) = plan_company(replace(facts, readings=(b.reading(here), b.reading(same, customer=OTHER_TENANT)))).changes
    assert (change.after.quantity, change.after.unit_price) == (D(7), D("24.00"))


def test_a_seat_that_came_within_a_month_costs_its_share_of_the_vendors_cost():
    price = PriceRule(PriceKind.PRODUCT, write_cost=True)
    counted = replace(b.count(5), cost=Money(D("20.00"), "month", "USD"))
    plan = plan_company(
        b.facts(
            b.reading(counted),
            agreements=[b.agreement(currency="USD")],
            rules=b.rules(b.profile(price=price)),
            seats=b.seats_with(0, YESTERDAY),
        )
    )

    # 9 of November's 30 days are left after the 21st.
    assert [(change.after.unit_price, change.after.unit_cost) for change in plan.changes] == [
        (D("7.50"), D("6.00")),
        (D("25.00"), D("20.00")),
    ]


def test_the_margin_of_a_line_whose_cost_manage_does_not_tell_is_not_known():
    line = b.our_addition(9, 5, unit_cost=None)
    known = replace(line, unit_cost=D("20.00"))

    def margin(of):
        (change,) = plan_company(b.facts(b.reading(b.count(7)), additions=[of], ledger=[b.recorded(of)])).changes
        return change.margin

    assert (margin(line), margin(known)) == (None, D("10.00"))


# ---- lines of ours


def test_a_line_that_people_kept_passes_on_its_tax_and_its_text_where_every_change_is_a_new_line():
    line = b.our_addition(
        9, 5, kind=LineKind.ADOPTED, taxable_flag=True, invoice_description="As agreed", unit_price=D("22.00")
    )
    split = b.profile(proration=Proration(always_split=True), taxable=False)
    plan = plan_company(
        b.facts(
            b.reading(b.count(7)),
            additions=[line],
            ledger=[b.recorded(line, keeps_price=True)],
            rules=b.rules(split),
        )
    )

    new = next(change.after for change in plan.changes if change.kind is ChangeKind.CREATE)
    assert (new.unit_price, new.taxable_flag, new.invoice_description) == (D("22.00"), True, "As agreed")


def test_a_line_of_ours_without_a_first_day_is_raised_in_place():
    line = b.our_addition(9, 5, effective_date=None)
    (change,) = plan_company(b.facts(b.reading(b.count(7)), additions=[line], ledger=[b.recorded(line)])).changes

    assert (change.kind, change.addition, change.fields()) == (ChangeKind.UPDATE, 9, {"quantity": D(7)})


def test_where_a_change_bills_an_invoiced_period_again_a_new_price_gets_a_new_line():
    line = b.our_addition(9, 5)
    facts = b.facts(
        b.reading(b.count(5)),
        additions=[line],
        ledger=[b.recorded(line)],
        rules=b.rules(b.profile(price=PriceRule(PriceKind.CUSTOM, D("26.00")))),
    )

    assert wrote(plan_company(facts)) == [("update", "standing", D(5), date(2025, 1, 1), None)]
    plan = plan_company(replace(facts, retroactive=True))
    assert wrote(plan) == [
        ("create", "standing", D(5), b.NEXT_PERIOD, None),
        ("end", "standing", D(5), date(2025, 1, 1), date(2026, 11, 30)),
    ]
    assert plan.changes[0].after.unit_price == D("26.00")


def test_where_a_change_bills_an_invoiced_period_again_a_line_is_adopted_only_as_it_is():
    def plan(counted: int) -> Plan:
        return plan_company(b.facts(b.reading(b.count(counted)), additions=[b.addition(9, 10)], retroactive=True))

    assert (plan(12).groups, kinds(plan(12))) == ((), ["blocked-create"])
    assert wrote(plan(10)) == [("update", "standing", D(10), date(2025, 1, 1), None)]


def test_our_line_that_ended_is_followed_by_no_other_before_every_agreement_was_looked_at():
    ended = b.our_addition(9, 5, cancelled_date=date(2026, 10, 31))
    facts = b.facts(
        b.reading(b.count(5)),
        additions=[ended],
        ledger=[b.recorded(ended)],
        agreements=[b.agreement(501), b.agreement(502)],
    )
    assert wrote(plan_company(facts)) == [("create", "standing", D(5), b.NEXT_PERIOD, None)]

    plan = plan_company(replace(facts, additions={501: (ended,)}))
    assert (plan.groups, plan.needs_all) == ((), True)


def test_in_a_month_that_is_invoiced_late_only_the_line_that_stands_in_it_counts():
    ended = b.our_addition(8, 5, cancelled_date=date(2026, 10, 31))
    line = b.our_addition(9, 6, effective_date=LATE)
    plan = plan_company(
        b.facts(
            b.reading(b.count(8)),
            additions=[ended, line],
            ledger=[b.recorded(ended), b.recorded(line)],
            agreements=[b.agreement(next_invoice_date=LATE)],
        )
    )

    assert wrote(plan) == [
        ("create", "one-off", D(2), LATE, date(2026, 11, 30)),
        ("create", "standing", D(8), b.NEXT_PERIOD, None),
        ("end", "standing", D(6), LATE, date(2026, 11, 30)),
    ]


# ---- seats that were charged once


def test_a_standing_line_is_not_raised_over_a_month_whose_seats_are_charged_once_already():
    line = b.our_addition(9, 5)
    once, row = charged_once(20, 2, date(2026, 11, 10))
    full = b.profile(proration=Proration(ProrationRule.FULL))
    facts = b.facts(
        b.reading(b.count(7)),
        additions=[line, once],
        ledger=[b.recorded(line), row],
        agreements=[b.agreement(next_invoice_date=LATE)],
        rules=b.rules(full),
    )

    assert wrote(plan_company(facts)) == [
        ("create", "standing", D(7), b.NEXT_PERIOD, None),
        ("end", "standing", D(5), date(2025, 1, 1), date(2026, 11, 30)),
    ]
    alone = replace(facts, additions={501: (line,)}, ledger=(b.recorded(line),))
    assert wrote(plan_company(alone)) == [("update", "standing", D(7), date(2025, 1, 1), None)]


def test_a_one_off_line_whose_serial_number_somebody_emptied_is_charged_once_all_the_same():
    line = b.our_addition(9, 7)
    once, row = charged_once(20, 2, date(2026, 11, 10))
    full = b.profile(proration=Proration(ProrationRule.FULL))
    plan = plan_company(
        b.facts(
            b.reading(b.count(7)),
            additions=[line, replace(once, serial_number="")],
            ledger=[b.recorded(line), row],
            rules=b.rules(full),
        )
    )

    assert (plan.groups, plan.findings) == ((), ())


def test_seats_that_rose_from_none_are_owed_from_the_day_on_which_they_came():
    line = str(b.key())
    record = SeatRecord(line).with_reading(date(2026, 11, 9), D(0), b.NEXT_PERIOD)
    record = record.with_reading(date(2026, 11, 20), D(0), b.NEXT_PERIOD)
    plan = plan_company(b.facts(b.reading(b.count(2)), seats={line: record}))

    # 9 of November's 30 days are left after the 21st.
    assert [(change.after.quantity, change.after.unit_price) for change in plan.changes] == [
        (D(2), D("7.50")),
        (D(2), D("25.00")),
    ]


def test_an_item_that_moves_is_followed_by_its_own_seats_and_not_by_another_items():
    line = b.our_addition(9, 10)
    strange = b.seats_with(10, YESTERDAY, b.key(b.STANDARD))
    plan = plan_company(
        b.facts(
            b.reading(b.count(10)),
            additions=[line],
            ledger=[b.recorded(line)],
            agreements=[b.agreement(501), b.agreement(502)],
            company=b.company(licences=(LicenceLink(b.SOURCE, b.PREMIUM, agreement=502),)),
            seats={**strange, **b.seats_with(10, YESTERDAY)},
        )
    )

    assert wrote(plan) == [
        ("create", "standing", D(10), b.NEXT_PERIOD, None),
        ("end", "standing", D(10), date(2025, 1, 1), date(2026, 11, 30)),
    ]


def test_a_line_that_has_an_end_keeps_it_whatever_asks_for_another():
    ended = b.our_addition(9, 5, cancelled_date=date(2026, 10, 31))
    (item,), _ = bill_items(b.rules(), b.company(), (b.reading(b.count(5)),))
    own = OwnLine(ended, b.key(), b.recorded(ended))

    assert ending(item, own, Period(b.NEXT_PERIOD, date(2026, 12, 31)), "it moves") == []
    (end,) = ending(
        item,
        replace(own, addition=replace(ended, cancelled_date=None), recorded=None),
        Period(b.NEXT_PERIOD, date(2026, 12, 31)),
        "it moves",
    )
    assert end.after.cancelled_date == date(2026, 11, 30)


def test_an_item_whose_lines_stand_on_two_agreements_is_left_alone_until_one_is_named():
    lines = [b.our_addition(9, 5), b.our_addition(10, 5, on=502, effective_date=b.NEXT_PERIOD)]
    facts = b.facts(
        b.reading(b.count(7)),
        additions=lines,
        ledger=[b.recorded(line) for line in lines],
        agreements=[b.agreement(501), b.agreement(502)],
    )

    plan = plan_company(facts)
    assert (plan.groups, kinds(plan)) == ((), ["ambiguous-agreement", "drift"])
    assert "lines of ours stand on agreement 501, 502" in plan.findings[0].text
    assert "9 on agreement 501 (125.00 an invoice) and 10 on agreement 502" in plan.findings[1].text
    named = b.company(licences=(LicenceLink(b.SOURCE, b.PREMIUM, agreement=502),))
    assert (9, ChangeKind.END) in {
        (change.addition, change.kind) for change in plan_company(replace(facts, company=named)).changes
    }


def test_seats_that_came_on_several_days_since_the_companys_start_are_each_owed_from_their_own():
    record = SeatRecord(str(b.key())).with_reading(date(2026, 11, 12), D(2), b.NEXT_PERIOD)
    record = record.with_reading(YESTERDAY, D(2), b.NEXT_PERIOD)
    start = LicenceLink(b.SOURCE, b.PREMIUM, start=date(2026, 11, 10))
    plan = plan_company(
        b.facts(b.reading(b.count(5)), company=b.company(licences=(start,)), seats={record.line: record})
    )

    # 18 of November's 30 days are left after the 12th, 9 after the 21st.
    assert [(change.after.quantity, change.after.unit_price) for change in plan.changes] == [
        (D(2), D("15.00")),
        (D(3), D("7.50")),
        (D(5), D("25.00")),
    ]


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (b.addition(9, 7), GroupKind.ADOPTION),
        (b.our_addition(9, 5), GroupKind.INCREASE),
        (b.our_addition(9, 8), GroupKind.REDUCTION),
        (b.our_addition(9, 7, taxable_flag=False), GroupKind.CORRECTION),
    ],
)
def test_a_group_is_named_for_what_it_does_to_the_invoices(line, kind):
    rows = [b.recorded(line)] if line.serial_number else []
    taxed = b.rules(b.profile(taxable=True))
    (group,) = plan_company(b.facts(b.reading(b.count(7)), additions=[line], ledger=rows, rules=taxed)).groups
    assert group.kind is kind
