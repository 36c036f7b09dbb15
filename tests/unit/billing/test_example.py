"""The worked example of a profile says what a night would do, and what the invoices come to."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from shared.billing.counts import AccountKind
from shared.billing.planning.example import Example, Scene, takes_price, worked
from shared.billing.profiles import (
    Arrears,
    Band,
    Basis,
    BillingProfile,
    CountedOn,
    Decrease,
    PriceKind,
    PriceRule,
    Proration,
    ProrationRule,
    QuantityRule,
    Rounding,
)
from shared.billing.users import Traits, Users
from tests import builders as b

D = Decimal


def example(profile: BillingProfile | None = None, **values: object) -> Example:
    ordinary: dict[str, object] = {"day": date(2026, 11, 10), "before": D(8), "after": D(10), "price": D("25.00")}
    return worked(profile or b.profile(), Scene(**{**ordinary, **values}))  # type: ignore[arg-type]


def totals(told: Example) -> list[Decimal]:
    return [invoice.total for invoice in told.invoices]


def test_an_increase_is_prorated_once_and_billed_in_full_from_the_next_period():
    told = example()
    assert [text for _, text in told.sentences] == [
        "Microsoft 365 Business Premium: 2 more since 10 Nov 2026: 20 of 30 days × 25.00 = 16.67 each, 33.34 in all, "
        "billed with the period from 1 Dec 2026.",
        "Microsoft 365 Business Premium: from 1 Dec 2026 10 instead of 8, 2 more: +50.00 an invoice.",
    ]
    assert totals(told) == [D("283.34"), D("250.00")]
    assert [line.text for line in told.invoices[0].lines] == [
        "M365-BP: Microsoft 365 Business Premium",
        "Microsoft 365 Business Premium - Prorated for 11/10/2026-11/30/2026",
    ]
    assert told.findings == ()


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ({"after": D(6)}, ["150.00", "150.00"]),
        ({"after": D(0)}, ["0", "0"]),
        ({"before": D(0)}, ["416.70", "250.00"]),
        ({"invoiced": False}, ["233.34", "250.00"]),
        ({"cycle": "Quarterly"}, ["277.72", "250.00"]),
    ],
)
def test_what_the_invoices_come_to(values, wanted):
    assert totals(example(**values)) == [D(amount) for amount in wanted]


@pytest.mark.parametrize(
    ("proration", "after", "wanted"),
    [
        (Proration(ProrationRule.NONE), 10, ["250.00", "250.00"]),
        (Proration(ProrationRule.FULL), 10, ["300.00", "250.00"]),
        (Proration(ProrationRule.MANAGE), 10, ["285.00", "250.00"]),
        (Proration(decrease=Decrease.CREDIT), 6, ["116.66", "150.00"]),
        (Proration(always_split=True), 10, ["283.34", "250.00"]),
    ],
)
def test_every_proration_rule_has_its_own_invoice(proration, after, wanted):
    assert totals(example(b.profile(proration=proration), after=D(after))) == [D(amount) for amount in wanted]


def test_manage_prorates_a_line_that_begins_in_the_period_that_it_invoices():
    told = example(b.profile(proration=Proration(ProrationRule.MANAGE)), invoiced=False)
    assert totals(told) == [D("235.00"), D("250.00")]


def test_prices_come_from_where_the_profile_says():
    bands = (Band(D(9), D("20.00")), Band(None, D("10.00")))
    assert totals(example(b.profile(price=PriceRule(PriceKind.COST, markup=D(20))))) == [D("340.00"), D("300.00")]
    assert totals(example(b.profile(price=PriceRule(PriceKind.TIERED, bands=bands)))) == [D("210.00"), D("190.00")]
    assert totals(example(b.profile(price=PriceRule(PriceKind.VOLUME, bands=bands)))) == [D("113.34"), D("100.00")]
    assert takes_price(b.profile())
    assert not takes_price(b.profile(price=PriceRule(PriceKind.CUSTOM, D(5))))


def test_what_cannot_be_written_says_why():
    told = example(b.profile(price=PriceRule(PriceKind.COST)), cycle="Yearly")
    assert totals(told) == [0, 0]
    assert told.findings == (
        "Microsoft 365 Business Premium: its cost is for a month, the agreement is billed every 12 months; "
        "nothing is written.",
    )


def test_usage_is_billed_once_its_period_is_over():
    rule = QuantityRule(divide_by=D(1024**3), rounding=Rounding.UP)
    profile = b.profile(arrears=Arrears.HIGHEST, price=PriceRule(PriceKind.CUSTOM, D("0.10")), quantity=rule)
    told = example(profile)
    assert totals(told) == [D("1.00"), D("1.00")]
    assert [day for day, _ in told.sentences] == [date(2026, 12, 1), date(2027, 1, 1)]


@pytest.mark.parametrize(
    ("kind", "wanted", "lines"),
    [
        (PriceKind.TIERED, ["104.00", "104.00"], [(D(100), D("1.00")), (D(20), D("0.20"))]),
        (PriceKind.VOLUME, ["24.00", "24.00"], [(D(120), D("0.20"))]),
        (PriceKind.PACKAGE, ["0.20", "0.20"], [(D(1), D("0.20"))]),
    ],
)
def test_usage_that_reaches_the_next_band_is_billed_as_the_profile_says(kind, wanted, lines):
    bands = (Band(D(100), D("1.00"), "BACKUP-S"), Band(None, D("0.20"), "BACKUP-M"))
    told = example(b.profile(arrears=Arrears.HIGHEST, price=PriceRule(kind, bands=bands)), before=D(90), after=D(120))
    assert totals(told) == [D(amount) for amount in wanted]
    assert [(line.quantity, line.unit_price) for line in told.invoices[0].lines] == lines
    assert not takes_price(b.profile(price=PriceRule(kind, bands=bands)))


def test_a_profile_that_counts_by_the_vendors_invoices_counts_on_the_day_of_the_change():
    assert totals(example(b.profile(counted_on=CountedOn.VENDOR_INVOICE))) == [D("283.34"), D("250.00")]


def test_a_profile_that_counts_before_invoices_charges_from_the_count_on_and_bills_it_with_the_next():
    profile = b.profile(counted_on=CountedOn.BEFORE_INVOICE)
    assert totals(example(profile)) == [D("250.00"), D("250.00")]
    told = example(profile, invoiced=False)
    assert totals(told) == [D("200.00"), D("250.00")]
    assert [day for day, _ in told.sentences] == [date(2026, 11, 30)]


def test_users_are_those_that_the_profile_counts():
    only = Traits(("Sales",), ("Berlin",), ("birchline.example",), ("licensed",))
    rule = QuantityRule(basis=Basis.ASSIGNED_ACTIVE, users=Users(only))
    assert totals(example(b.profile(quantity=rule))) == [D("283.34"), D("250.00")]


@pytest.mark.parametrize("kind", AccountKind)
def test_users_are_of_the_kind_of_account_that_the_profile_counts(kind: AccountKind):
    without = tuple(other for other in AccountKind if other is not kind)
    users = Users(Traits(accounts=(kind,)), Traits(accounts=without))
    told = example(b.profile(quantity=QuantityRule(basis=Basis.ASSIGNED, users=users)))
    assert totals(told) == [D("283.34"), D("250.00")]


def test_a_profile_that_never_creates_shows_what_becomes_of_a_line_that_is_there():
    assert totals(example(b.profile(update_only=True))) == [D("283.34"), D("250.00")]
    assert totals(example(b.profile(split=True))) == [D("283.34"), D("250.00")]
