"""An item that goes on in another line: on another agreement, of another product, in other tiers."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from shared.billing.agreements import Addition, Agreement
from shared.billing.counts import Count, Subscription, SubscriptionStatus, Usage
from shared.billing.findings import FindingKind
from shared.billing.lines import LedgerRow, LineKey, one_off_stamp, stamp_of
from shared.billing.planning.plan import ChangeKind, Plan
from shared.billing.planning.planner import Facts, plan_company
from shared.billing.profiles import Arrears, Band, Decrease, FirstSync, PriceKind, PriceRule, Proration, ProrationRule
from shared.billing.rules import CompanyLink, LicenceLink
from shared.billing.seats import SeatDay, SeatRecord, Settled
from tests import builders as b
from tests.unit.billing.test_properties import applied

D = Decimal
NOVEMBER_ENDS = date(2026, 11, 30)
NEXT = date(2026, 12, 1)
ELSEWHERE = LicenceLink(b.SOURCE, b.PREMIUM, agreement=502)
COMPUTED = Proration(ProrationRule.COMPUTED)
CREDITED = replace(COMPUTED, decrease=Decrease.CREDIT)


def dates(plan: Plan) -> list[tuple[str, int, Decimal | None, date | None, date | None]]:
    """Per change: what it does, on which agreement, and the line's quantity and days afterwards."""
    return [
        (change.kind.value, change.key.agreement, values.quantity, values.effective_date, values.cancelled_date)
        for change in plan.changes
        if (values := change.after) is not None
    ]


def moved(line: Addition, *, to: object, **values: object) -> Facts:
    return b.facts(
        b.reading(b.count(10)),
        additions=[line],
        ledger=[b.recorded(line)],
        agreements=[b.agreement(501), to],
        company=b.company(licences=(ELSEWHERE,)),
        seats=b.seats_with(10, date(2026, 11, 20)),
        **values,
    )


def test_a_link_that_names_another_agreement_moves_the_line_there_without_a_gap_or_an_overlap():
    plan = plan_company(moved(b.our_addition(9, 10), to=b.agreement(502)))

    assert dates(plan) == [
        ("create", 502, D(10), date(2026, 12, 1), None),
        ("end", 501, D(10), date(2025, 1, 1), NOVEMBER_ENDS),
    ]
    assert [group.held for group in plan.groups] == [None]


@pytest.mark.parametrize("last_night", [20, 15])
def test_where_the_other_agreements_periods_begin_on_other_days_the_new_line_waits_for_the_old_one_to_end(last_night):
    there = b.agreement(
        502, invoicing_cycle="ContractYear", bill_start_date=date(2024, 1, 15), next_invoice_date=date(2026, 12, 15)
    )
    line = b.our_addition(9, 10)
    rules = b.rules(b.profile(proration=COMPUTED))
    facts = moved(line, to=there, rules=rules)
    first = plan_company(replace(facts, seats=b.seats_with(10, date(2026, 11, last_night))))
    assert dates(first) == [("end", 501, D(10), date(2025, 1, 1), NOVEMBER_ENDS)]

    ended = replace(line, cancelled_date=NOVEMBER_ENDS)
    seats = {record.line: record for record in first.seats}
    later = replace(
        moved(ended, to=there, rules=rules),
        as_of=date(2026, 12, 3),
        readings=(b.reading(b.count(10), day=date(2026, 12, 3)),),
        seats=seats,
    )
    # 15 Nov to 14 Dec has 30 days; it goes on on 1 Dec, the 17th: 13 of them are left.
    assert [(change.after.quantity, change.after.unit_price) for change in plan_company(later).changes] == [
        (D(10), D("10.83")),
        (D(10), D("25.00")),
    ]
    assert dates(plan_company(later))[1] == ("create", 502, D(10), date(2026, 12, 15), None)


def test_an_agreement_invoiced_ahead_is_billed_for_the_months_that_the_old_one_does_not_bill_any_more():
    line = b.our_addition(9, 10)
    ahead = b.agreement(502, next_invoice_date=date(2027, 1, 1))
    rules = b.rules(b.profile(proration=COMPUTED))
    first = plan_company(moved(line, to=ahead, rules=rules))
    ended = replace(line, cancelled_date=NOVEMBER_ENDS)
    later = replace(
        moved(ended, to=ahead, rules=rules),
        as_of=date(2026, 12, 1),
        readings=(b.reading(b.count(10), day=date(2026, 12, 1)),),
        seats={record.line: record for record in first.seats},
    )

    once, standing = plan_company(later).changes
    assert (once.after.quantity, once.after.unit_price, once.after.effective_date) == (
        D(10),
        D("25.00"),
        date(2027, 1, 1),
    )
    assert standing.after.effective_date == date(2027, 1, 1)


def test_after_a_move_the_old_agreement_is_no_longer_ambiguous():
    old = b.our_addition(9, 10, cancelled_date=NOVEMBER_ENDS)
    new = b.our_addition(10, 10, on=502, effective_date=date(2026, 12, 1))
    plan = plan_company(
        b.facts(
            b.reading(b.count(10)),
            additions=[old, new],
            ledger=[b.recorded(old), b.recorded(new)],
            agreements=[b.agreement(501), b.agreement(502)],
        )
    )

    assert plan.groups == ()
    assert plan.findings == ()


def test_a_worker_that_died_between_the_two_writes_of_a_move_leaves_nothing_billed_twice():
    old, new = b.our_addition(9, 10), b.our_addition(10, 10, on=502, effective_date=date(2026, 12, 1))
    facts = moved(old, to=b.agreement(502, next_invoice_date=date(2026, 12, 1)))
    later = replace(
        facts,
        as_of=date(2026, 12, 2),
        additions={501: (old,), 502: (new,)},
        ledger=(b.recorded(old), b.recorded(new)),
        readings=(b.reading(b.count(10), day=date(2026, 12, 2)),),
    )

    assert dates(plan_company(later)) == [("end", 501, D(10), date(2025, 1, 1), NOVEMBER_ENDS)]


def test_an_agreement_that_is_over_is_left_as_it_is_and_billing_goes_on_where_the_link_says():
    over = b.agreement(501, agreement_status="Expired", end_date=date(2026, 10, 31), next_invoice_date=None)
    line = b.our_addition(9, 10)
    facts = moved(line, to=b.agreement(502, next_invoice_date=date(2026, 11, 1)))
    plan = plan_company(replace(facts, agreements=(over, facts.agreements[1])))

    assert dates(plan) == [("create", 502, D(10), date(2026, 11, 1), None)]


def test_a_profile_that_names_another_product_goes_on_with_a_line_of_that_product():
    line = b.our_addition(9, 10)
    plan = plan_company(
        b.facts(
            b.reading(b.count(10)),
            additions=[line],
            ledger=[b.recorded(line)],
            rules=b.rules(b.profile(product="M365-NEW")),
            products=[b.product("M365-NEW", 99, "27.50")],
        )
    )

    assert dates(plan) == [
        ("create", 501, D(10), date(2026, 12, 1), None),
        ("end", 501, D(10), date(2025, 1, 1), NOVEMBER_ENDS),
    ]
    new = plan.changes[0].after
    assert (new.product_id, new.unit_price) == (99, D("27.50"))
    assert new.serial_number != line.serial_number


def of_product(facts: Facts, product: str) -> Facts:
    return replace(facts, rules=b.rules(b.profile(product=product)))


def renamed() -> Facts:
    """Ten from December on, of a product that the profile named for a day before it named another one."""
    catalog = [b.product(), b.product("M365-NEW", 99, "27.50")]
    facts = b.facts(b.reading(b.count(10)), products=catalog)
    facts = of_product(applied(facts, plan_company(facts)), "M365-NEW")
    return applied(facts, plan_company(facts))


def said(facts: Facts) -> list[tuple[str, int, date | None]]:
    """Product, quantity and last day of every standing line, oldest first."""
    standing = [line for line in facts.additions[501] if line.serial_number.startswith("TU1-S")]
    lines = sorted(standing, key=lambda line: line.id)
    return [(line.product, int(line.quantity), line.cancelled_date) for line in lines]


def test_a_product_that_is_named_anew_before_its_line_begins_is_kept_right_from_then_on():
    facts = renamed()
    assert said(facts) == [("M365-BP", 0, None), ("M365-NEW", 10, None)]

    facts = replace(facts, readings=(b.reading(b.count(12)),))
    facts = applied(facts, plan_company(facts))
    assert said(facts) == [("M365-BP", 0, None), ("M365-NEW", 12, None)]

    december = date(2026, 12, 5)
    facts = replace(
        facts,
        as_of=december,
        readings=(b.reading(b.count(12), day=december),),
        agreements=(b.agreement(next_invoice_date=date(2027, 1, 1)),),
    )
    plan = plan_company(facts)
    assert plan.findings == ()
    assert said(applied(facts, plan)) == [("M365-BP", 0, date(2026, 12, 31)), ("M365-NEW", 12, None)]


def test_a_product_that_is_named_again_before_its_line_begins_is_billed_by_that_line():
    facts = of_product(renamed(), "M365-BP")
    facts = applied(facts, plan_company(facts))

    assert said(facts) == [("M365-BP", 10, None), ("M365-NEW", 0, None)]
    assert plan_company(facts).groups == ()


@pytest.mark.parametrize("product", ["M365-NEW", "M365-BP"])
def test_a_worker_that_died_between_the_two_products_of_a_line_leaves_one_of_them(product):
    facts = renamed()
    both = tuple(replace(line, quantity=D(10)) for line in facts.additions[501])
    rows = tuple(replace(b.recorded(line), key=row.key) for line, row in zip(both, facts.ledger, strict=True))
    facts = of_product(replace(facts, additions={501: both}, ledger=rows), product)
    facts = applied(facts, plan_company(facts))

    assert [line for line in said(facts) if line[1]] == [(product, 10, None)]
    assert plan_company(facts).groups == ()


def test_a_move_gives_nothing_back_of_the_period_that_the_old_line_still_bills():
    # Nobody read for ten days, so that it is not known to go on.
    facts = moved(b.our_addition(9, 10), to=b.agreement(502), rules=b.rules(b.profile(proration=CREDITED)))
    plan = plan_company(replace(facts, seats=b.seats_with(10, date(2026, 11, 11))))

    assert dates(plan) == [
        ("create", 502, D(10), date(2026, 12, 1), None),
        ("end", 501, D(10), date(2025, 1, 1), NOVEMBER_ENDS),
    ]


def test_an_item_that_moves_back_gives_nothing_back_of_the_period_that_its_line_still_bills():
    line = b.our_addition(9, 10, cancelled_date=NOVEMBER_ENDS)
    there = b.our_addition(10, 10, on=502, effective_date=date(2026, 12, 1))
    november = Settled(date(2026, 11, 1), NOVEMBER_ENDS, D(10), credits=True)
    record = replace(b.seats_with(10, date(2026, 11, 10))[str(b.key())], periods=(november,))
    plan = plan_company(
        b.facts(
            b.reading(b.count(10)),
            additions=[line, there],
            ledger=[b.recorded(line), b.recorded(there)],
            agreements=[b.agreement(501), b.agreement(502)],
            rules=b.rules(b.profile(proration=CREDITED)),
            company=b.company(licences=(LicenceLink(b.SOURCE, b.PREMIUM, agreement=501),)),
            seats={record.line: record},
        )
    )

    assert dates(plan) == [
        ("create", 501, D(10), date(2026, 12, 1), None),
        ("update", 502, D(0), date(2026, 12, 1), None),
    ]


@pytest.mark.parametrize(("ends", "once"), [(30, []), (15, ["7.50"])])
@pytest.mark.parametrize("before", [7, 10])
def test_an_item_that_comes_back_after_there_was_none_owes_from_the_day_on_which_it_rose(ends, once, before):
    elsewhere = date(2026, 9, 1)
    line = b.our_addition(10, 10, on=502, effective_date=elsewhere, cancelled_date=date(2026, 11, ends))
    facts = back_from(b.agreement(502), line, date(2026, 11, 20))
    august = Settled(date(2026, 8, 1), date(2026, 8, 31), D(before))
    here = SeatRecord(str(b.key()), (SeatDay(date(2026, 8, 1), D(before), elsewhere),), date(2026, 8, 31), (august,))
    none = b.seats_with(0, date(2026, 11, 20), b.key(on=502))
    facts = replace(facts, seats={here.line: here, **none}, last_counted={(b.SOURCE, b.TENANT): frozenset()})
    *owed, standing = plan_company(facts).changes

    # Ten that came on 21 November; what stood here until August was billed then.
    assert [(change.after.quantity, change.after.unit_price) for change in owed] == [(D(10), D(each)) for each in once]
    assert (standing.after.quantity, standing.after.effective_date) == (D(10), NEXT)


TIERED = PriceRule(PriceKind.TIERED, bands=(Band(D(4), D("25.00")), Band(None, D("20.00"), "M365-MORE")))


def test_an_item_that_moves_back_goes_on_after_the_line_that_it_leaves():
    old = b.our_addition(9, 10, cancelled_date=date(2026, 9, 30))
    there = b.our_addition(10, 10, on=502, effective_date=date(2026, 10, 15))
    contract = b.agreement(
        502, invoicing_cycle="ContractYear", bill_start_date=date(2024, 1, 15), next_invoice_date=date(2026, 12, 15)
    )
    plan = plan_company(
        b.facts(
            b.reading(b.count(10)),
            additions=[old, there],
            ledger=[b.recorded(old), b.recorded(there)],
            agreements=[b.agreement(501), contract],
            company=b.company(licences=(LicenceLink(b.SOURCE, b.PREMIUM, agreement=501),)),
        )
    )

    assert dates(plan) == [
        ("create", 501, D(10), date(2027, 1, 1), None),
        ("end", 502, D(10), date(2026, 10, 15), date(2026, 12, 14)),
    ]
    assert [group.held for group in plan.groups] == [None]


def back_from(there: Agreement, line: Addition, counted_there: date) -> Facts:
    """Ten seats come back to the agreement that billed them to the end of October, from the line on another one."""
    old = b.our_addition(9, 10, cancelled_date=date(2026, 10, 31))
    october = Settled(date(2026, 10, 1), date(2026, 10, 31), D(10))
    seen = min(counted_there, date(2026, 10, 31))
    here = replace(b.seats_with(10, date(2026, 10, 1))[str(b.key())], seen=seen, periods=(october,))
    return b.facts(
        b.reading(b.count(10)),
        additions=[old, line],
        ledger=[b.recorded(old), b.recorded(line)],
        agreements=[b.agreement(501), there],
        rules=b.rules(b.profile(proration=COMPUTED)),
        company=b.company(licences=(LicenceLink(b.SOURCE, b.PREMIUM, agreement=501),)),
        seats={here.line: here, **b.seats_with(10, counted_there, b.key(on=502))},
    )


def test_a_month_that_another_agreement_bills_is_not_charged_again_where_the_item_comes_back():
    november = b.our_addition(10, 10, on=502, effective_date=date(2026, 11, 1))

    assert dates(plan_company(back_from(b.agreement(502), november, date(2026, 11, 20)))) == [
        ("create", 501, D(10), date(2026, 12, 1), None),
        ("end", 502, D(10), date(2026, 11, 1), NOVEMBER_ENDS),
    ]


@pytest.mark.parametrize(("counted_there", "once"), [(date(2026, 11, 5), ["11.67"]), (date(2026, 10, 5), [])])
def test_an_item_that_comes_back_late_owes_from_the_day_after_the_last_one_billed_elsewhere(counted_there, once):
    line = b.our_addition(10, 10, on=502, effective_date=date(2026, 11, 1), cancelled_date=date(2026, 11, 15))
    facts = back_from(b.agreement(502, agreement_status="Cancelled"), line, counted_there)
    plan = plan_company(facts)

    *owed, standing = plan.changes  # 14 of November's 30 days, unless nobody has read for long
    assert [(change.after.quantity, change.after.unit_price) for change in owed] == [(D(10), D(each)) for each in once]
    assert (standing.after.quantity, standing.after.effective_date) == (D(10), date(2026, 12, 1))

    # It waits for a person: the next night owes the same.
    tomorrow = date(2026, 11, 22)
    seats = {**facts.seats, **{record.line: record for record in plan.seats}}
    later = replace(facts, as_of=tomorrow, readings=(b.reading(b.count(10), day=tomorrow),), seats=seats)
    assert [change.bound() for change in plan_company(later).changes] == [change.bound() for change in plan.changes]


@pytest.mark.parametrize("proration", [COMPUTED, CREDITED])
def test_a_price_that_becomes_tiered_goes_on_in_one_line_per_band_when_the_old_line_has_ended(proration):
    line = b.our_addition(9, 10)
    plan = plan_company(
        b.facts(
            b.reading(b.count(10)),
            additions=[line],
            ledger=[b.recorded(line)],
            rules=b.rules(b.profile(price=TIERED, proration=proration)),
            products=[b.product(), b.product("M365-MORE", 99)],
        )
    )

    assert [
        (change.kind, change.product, change.after.quantity, change.after.unit_price) for change in plan.changes
    ] == [
        (ChangeKind.CREATE, "M365-BP", D(4), D("25.00")),
        (ChangeKind.CREATE, "M365-MORE", D(6), D("20.00")),
        (ChangeKind.END, "M365-BP", D(10), D("25.00")),
    ]
    assert {change.after.effective_date for change in plan.changes[:2]} == {date(2026, 12, 1)}
    assert plan.changes[2].after.cancelled_date == NOVEMBER_ENDS


def test_a_tier_that_is_reached_after_the_price_became_tiered_is_charged_from_that_day():
    whole = b.our_addition(9, 6, cancelled_date=date(2026, 10, 31))
    keys = [replace(b.key(), band=band) for band in ("0-4", "4-")]
    begins = date(2026, 11, 1)
    stamp = stamp_of(keys[0], 88, begins)
    first = b.addition(10, 2, effective_date=begins, serial_number=stamp)
    rows = [b.recorded(whole), replace(b.recorded(first), key=keys[0])]
    records = [
        SeatRecord(
            str(key), (SeatDay(begins, D(many), NEXT),), date(2026, 11, 20), (Settled(begins, NOVEMBER_ENDS, D(many)),)
        )
        for key, many in zip(keys, (2, 0), strict=True)
    ]
    plan = plan_company(
        b.facts(
            b.reading(b.count(5)),
            additions=[whole, first],
            ledger=rows,
            rules=b.rules(b.profile(price=TIERED, proration=COMPUTED)),
            products=[b.product(), b.product("M365-MORE", 99)],
            seats={record.line: record for record in records},
        )
    )

    # The line of six that billed October says nothing of November: the fifth seat came today.
    once = [(change.after.quantity, change.one_off) for change in plan.changes if change.one_off]
    assert once == [(D(2), D("15.00")), (D(1), D("6.00"))]


def test_tiers_are_told_by_their_stamps_after_the_store_was_lost():
    lines = []
    for number, (band, product, quantity, price) in enumerate(
        [("0-4", 88, 4, "25.00"), ("4-", 99, 6, "20.00")], start=9
    ):
        key = LineKey(b.COMPANY, b.AGREEMENT, f"{b.SOURCE}/{b.PREMIUM}", band=band)
        stamp = stamp_of(key, product, date(2025, 1, 1))
        values = {"product_id": product, "product": "M365-BP" if product == 88 else "M365-MORE"}
        lines.append(b.addition(number, quantity, serial_number=stamp, unit_price=D(price), **values))
    plan = plan_company(
        b.facts(
            b.reading(b.count(10)),
            additions=lines,
            rules=b.rules(b.profile(price=TIERED)),
            products=[b.product(), b.product("M365-MORE", 99)],
        )
    )

    assert plan.groups == ()
    assert plan.findings == ()
    assert [row.key.band for row in plan.ledger] == ["0-4", "4-"]


def test_a_line_that_people_keep_is_not_adopted_for_a_tier():
    plan = plan_company(
        b.facts(
            b.reading(b.count(10)),
            additions=[b.addition(9, 10)],
            rules=b.rules(b.profile(price=TIERED)),
            products=[b.product(), b.product("M365-MORE", 99)],
        )
    )

    assert plan.groups == ()
    assert [finding.kind.value for finding in plan.findings] == ["blocked-create"]
    assert "a tiered price needs a line of its own for each tier" in plan.findings[0].text


def test_a_trial_that_is_bought_is_prorated_since_that_day_and_not_taken_for_a_first_sync():
    own = b.rules(b.profile(proration=replace(COMPUTED, first_sync=FirstSync.NEXT_PERIOD)))
    trial = b.count(5, subscriptions=[b.subscription(5, trial=True)])
    before = plan_company(b.facts(b.reading(trial, day=date(2026, 11, 20)), rules=own, as_of=date(2026, 11, 20)))
    bought = plan_company(
        b.facts(
            b.reading(b.count(5)),
            rules=own,
            seats={record.line: record for record in before.seats},
            last_counted={(b.SOURCE, b.TENANT): frozenset({b.PREMIUM})},
        )
    )

    # November is invoiced; of its 30 days 9 are left after the 21st.
    assert [(change.key.kind, change.after.unit_price) for change in bought.changes] == [
        ("one-off", D("7.50")),
        ("standing", D("25.00")),
    ]


def test_a_link_that_a_person_marked_as_removed_ends_what_it_alone_fed():
    line = b.our_addition(9, 3)
    gone = b.company(links=(CompanyLink(b.SOURCE, b.TENANT, removed=True),))
    plan = plan_company(b.facts(additions=[line], ledger=[b.recorded(line)], company=gone))

    assert dates(plan) == [("end", 501, D(3), date(2025, 1, 1), NOVEMBER_ENDS)]
    assert plan.changes[0].sentence.startswith("Microsoft 365 Business Premium: the line of 3 ends with 30 Nov 2026")


def test_of_two_customers_one_that_was_removed_feeds_no_more():
    line = b.our_addition(9, 5)
    links = (CompanyLink(b.SOURCE, b.TENANT), CompanyLink(b.SOURCE, "former-tenant", removed=True))
    plan = plan_company(
        b.facts(b.reading(b.count(3)), additions=[line], ledger=[b.recorded(line)], company=b.company(links=links))
    )

    assert [(change.kind, change.after.quantity) for change in plan.changes] == [(ChangeKind.UPDATE, D(3))]


# ---- usage whose item moves


def charged(day: date, on: int, quantity: int) -> LedgerRow:
    """A one-off line that charged usage of the period that begins on a day."""
    key = b.key(on=on).for_one_off()
    once = b.addition(
        31,
        quantity,
        on=on,
        effective_date=date(2026, 11, 1),
        cancelled_date=date(2026, 11, 30),
        serial_number=one_off_stamp(key, 88, day, 1),
    )
    return replace(b.recorded(once), key=key)


def used_since(start: date, as_of: date, *, dated: bool = False) -> Count:
    """A level of 500, or 10 on each day until yesterday."""
    days = tuple((start + timedelta(days=number), D(10)) for number in range((as_of - start).days))
    usage = Usage(days, start, as_of - timedelta(days=1)) if dated else None
    part = Subscription("s1", D(500), SubscriptionStatus.ENABLED, usage=usage)
    return replace(b.count(500, subscriptions=[part]), level=True)


def usage_moved(charges: LedgerRow, to: Agreement, as_of: date, *, dated: bool = False, was: Agreement) -> Plan:
    seats = SeatRecord(str(replace(b.key(), kind="usage")), (SeatDay(date(2026, 6, 1), D(500), None),), as_of)
    return plan_company(
        b.facts(
            b.reading(used_since(date(2026, 7, 1), as_of, dated=dated), day=as_of),
            as_of=as_of,
            agreements=[was, to],
            company=b.company(licences=(ELSEWHERE,)),
            rules=b.rules(b.profile(arrears=Arrears.HIGHEST)),
            seats={seats.line: seats},
            ledger=[charges],
        )
    )


CONTRACT = b.agreement(
    502,
    invoicing_cycle="ContractYear",
    start_date=date(2024, 1, 15),
    bill_start_date=date(2024, 1, 15),
    next_invoice_date=date(2026, 11, 15),
)


def test_months_of_a_quarter_that_was_charged_are_not_charged_again_on_a_monthly_agreement():
    quarterly = b.agreement(501, billing_cycle="Quarterly", next_invoice_date=date(2027, 1, 1))
    monthly = b.agreement(502, next_invoice_date=date(2026, 11, 1))
    plan = usage_moved(charged(date(2026, 7, 1), 501, 500), monthly, date(2026, 10, 3), was=quarterly)
    assert (plan.groups, plan.findings) == ((), ())


def test_what_is_dated_is_charged_elsewhere_from_the_day_on_that_was_not_charged_before():
    was = b.agreement(501, next_invoice_date=date(2026, 11, 1))
    plan = usage_moved(charged(date(2026, 9, 1), 501, 300), CONTRACT, date(2026, 10, 16), dated=True, was=was)
    assert [change.after.quantity for change in plan.changes if change.after] == [D(140)]  # 1 to 14 October


def test_a_level_whose_period_is_charged_in_part_elsewhere_is_left_to_a_person():
    was = b.agreement(501, next_invoice_date=date(2026, 11, 1))
    plan = usage_moved(charged(date(2026, 9, 1), 501, 500), CONTRACT, date(2026, 10, 16), was=was)
    assert plan.groups == ()
    (finding,) = plan.findings
    assert (finding.kind, finding.key) == (FindingKind.CALENDAR_UNSUPPORTED, f"{b.key().bill_item}/2026-09-15")
    assert "charges it up to 30 Sep 2026" in finding.text
