"""What a month would have come to beside what was billed for it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from shared.billing.balance import Balance
from shared.billing.calendar import month_of
from shared.billing.profiles import ProrationRule
from shared.billing.shadow import Shadow, shadow_of

NOVEMBER = month_of(date(2026, 11, 1))


def on(day: int, due: int, billed: int, **values: object) -> tuple[date, Balance]:
    ordinary: dict[str, object] = {"amount_due": Decimal(due * 25), "months": 1}
    ordinary["uninvoiced_from"] = date(2026, 12, 1)
    return date(2026, 11, day), Balance(
        "item", "Business Premium", "M365-BP", Decimal(due), Decimal(due), Decimal(billed),
        amount_billed=Decimal(billed * 25), **{**ordinary, **values},  # type: ignore[arg-type]
    )  # fmt: skip


def amounts(shadow: Shadow) -> tuple[Decimal | None, Decimal, Decimal | None]:
    return shadow.would, shadow.billed, shadow.leak


def test_seats_that_were_not_billed_are_the_leak_of_the_month():
    shadow = shadow_of(NOVEMBER, [on(1, 8, 5)])
    assert amounts(shadow) == (200, 125, 75)
    assert shadow.arithmetic == "8 × 25.00 = 200.00"


def test_a_seat_that_came_within_the_month_would_have_been_prorated_from_its_day():
    shadow = shadow_of(NOVEMBER, [on(1, 8, 8), on(10, 10, 8)])
    assert amounts(shadow) == (Decimal("233.34"), 200, Decimal("33.34"))
    assert shadow.arithmetic == (
        "8 × 25.00 = 200.00; 2 more since 10 Nov 2026: 2 × 20 of 30 days × 25.00 = 16.67 each = 33.34"
    )


def test_a_seat_is_charged_once_a_month_however_often_it_comes_and_goes():
    steps = [on(1, 8, 8), on(5, 10, 8), on(9, 8, 8), on(20, 10, 8)]
    assert shadow_of(NOVEMBER, steps).would == shadow_of(NOVEMBER, steps[:2]).would


def test_with_no_proration_a_seat_is_charged_from_the_next_month():
    steps = [on(1, 8, 8, proration=ProrationRule.NONE), on(10, 10, 8, proration=ProrationRule.NONE)]
    assert shadow_of(NOVEMBER, steps).would == 200


def test_lines_bill_what_they_said_when_the_month_was_last_not_invoiced():
    open_ = {"uninvoiced_from": date(2026, 11, 1)}
    assert shadow_of(NOVEMBER, [on(1, 8, 5, **open_), on(3, 8, 6, **open_), on(20, 8, 8)]).billed == 150
    assert shadow_of(NOVEMBER, [on(1, 8, 5), on(20, 8, 8)]).billed == 125


def test_a_longer_cycle_is_spread_over_its_months():
    assert amounts(shadow_of(NOVEMBER, [on(1, 8, 4, months=12, amount_due=Decimal(2400))])) == (
        200,
        Decimal("8.33"),
        Decimal("191.67"),
    )


def test_without_a_price_nothing_is_said_of_what_would_have_been_billed():
    shadow = shadow_of(NOVEMBER, [on(1, 8, 5, amount_due=None)])
    assert amounts(shadow) == (None, 125, None)


def test_an_item_that_appears_and_goes_is_charged_for_what_it_was():
    gone = (date(2026, 11, 20), None)
    shadow = shadow_of(NOVEMBER, [(date(2026, 11, 1), None), on(16, 3, 0), gone])
    assert amounts(shadow) == (Decimal("35.01"), 0, Decimal("35.01"))
    unknown = (date(2026, 11, 1), Balance("item", "Premium", "", Decimal(3), None))
    assert shadow_of(NOVEMBER, [unknown]).arithmetic == "nothing"
