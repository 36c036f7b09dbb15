"""What Pax8 sells and charges: prices by steps, invoices that stand, and drafts only while there is no invoice."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from local.sandbox.pax8.api import Pax8
from local.sandbox.pax8.books import make_invoice
from local.sandbox.pax8.world import ONBOARDING, Company, Pax8World
from shared.billing.vendors import Charge, Offer, OfferKind, PriceStep
from shared.errors import Incomplete
from shared.http.wire import Answer
from tests.unit import fake_pax8
from tests.unit.fake_pax8 import COPPERKEY, LARKMAIL, VAULTLINE, FakeWire, alder, source

D = Decimal
NOVEMBER, TODAY = date(2026, 11, 1), date(2026, 11, 21)
LARK = f"{LARKMAIL.id}:monthly"


@pytest.fixture
def world() -> Pax8World:
    return fake_pax8.world()


@pytest.fixture
def company(world: Pax8World) -> Company:
    return alder(world)


@pytest.fixture
def wire(world: Pax8World) -> FakeWire:
    return FakeWire(Pax8(world))


def answering(wire: FakeWire, ending: str, body: Any) -> FakeWire:
    """The same Pax8, but with another answer to what ends like this."""
    wire.interfere = lambda _, path: Answer(200, {}, json.dumps(body)) if path.endswith(ending) else None
    return wire


def test_a_sku_is_offered_by_its_term_with_the_prices_of_its_steps(wire: FakeWire) -> None:
    vault = f"{VAULTLINE.id}:monthly"
    (offer,) = source(wire).offers([vault])

    assert (offer.sku, offer.name, offer.vendor, offer.vendor_sku) == (vault, "Vaultline Backup", "Vaultline", "VAU-M")
    assert (offer.term, offer.kind, offer.unit) == ("Monthly", OfferKind.TIERED, "Each")
    assert offer.steps == (PriceStep(D(50), D("3.0"), D("5.25")), PriceStep(None, D("2.7"), D("4.73")))


def test_what_is_not_sold_any_more_or_not_with_that_term_is_left_out(wire: FakeWire) -> None:
    gone = "11111111-2222-3333-4444-555555555555:monthly"
    assert source(wire).offers([gone, f"{LARKMAIL.id}:annual"]) == []
    assert wire.calls_to("/products/") == 3


@pytest.mark.parametrize(
    "row",
    [
        {"type": "Auction", "billingTerm": "Monthly", "rates": []},
        {"type": "Flat", "billingTerm": "Monthly", "rates": None},
        {"type": "Flat", "billingTerm": "Monthly", "rates": [{"partnerBuyRate": "2"}]},
        {"type": "Flat", "rates": []},
    ],
    ids=["unknown type", "no rates", "no number", "no term"],
)
def test_a_price_that_cannot_be_understood_is_an_error(wire: FakeWire, row: object) -> None:
    with pytest.raises(Incomplete):
        source(answering(wire, "/pricing", {"content": [row]})).offers([LARK])


def test_ranges_that_share_their_boundary_or_end_closed_are_read_as_what_they_mean(wire: FakeWire) -> None:
    rates = [
        {"partnerBuyRate": 2, "startQuantityRange": 100, "endQuantityRange": 500, "chargeType": "Flat Rate"},
        {"partnerBuyRate": 3, "endQuantityRange": 100},
    ]
    row = {"type": "Volume", "billingTerm": "Monthly", "rates": rates}
    offers: list[Offer] = source(answering(wire, "/pricing", {"content": [row]})).offers([LARK])
    assert offers[0].steps == (PriceStep(D(100), D(3), None), PriceStep(None, D(2), None, whole=True))


def test_the_invoice_that_stands_is_charged_customer_by_customer(
    wire: FakeWire, world: Pax8World, company: Company
) -> None:
    make_invoice(world, NOVEMBER)
    standing = make_invoice(world, NOVEMBER)

    charges = {charge.name: charge for charge in source(wire).charges(NOVEMBER, TODAY)}
    assert charges["Larkmail Security"] == Charge(
        company.id,
        LARK,
        "Larkmail Security",
        "subscription",
        NOVEMBER,
        date(2026, 12, 1),
        D(10),
        D(21),
        "USD",
        standing.id,
    )
    assert "Copperkey Passwords" not in charges
    rebate = charges["Partner rebate"]
    assert (rebate.customer, rebate.sku, rebate.total, rebate.is_of_a_whole_period) == (None, None, D("-12.5"), False)


def test_what_is_bought_for_a_year_is_charged_for_one(wire: FakeWire, world: Pax8World, company: Company) -> None:
    (bought,) = (item for item in world.subscriptions.values() if item.product == COPPERKEY)
    month = bought.created.date().replace(year=2026, day=1)
    make_invoice(world, month)
    charges = {charge.name: charge for charge in source(wire).charges(month, TODAY)}
    charged = charges["Copperkey Passwords"]
    assert (charged.sku, charged.used) == (f"{COPPERKEY.id}:annual", False)
    assert (charged.start, charged.end) == (month, month.replace(year=2027))


@pytest.mark.parametrize("kind", ["subscription", "one-time"])
@pytest.mark.parametrize("term", ["One-Time", "One-time", "Activation"])
def test_what_is_bought_once_is_charged_once_by_its_term_whatever_the_item_is_called(
    wire: FakeWire, world: Pax8World, company: Company, term: str, kind: str
) -> None:
    world.buy(company, ONBOARDING, 2, date(2026, 11, 2))
    (item,) = (each for each in make_invoice(world, NOVEMBER).items if each["term"] == "One-Time")
    item |= {"type": kind, "term": term}

    charges = {charge.name: charge for charge in source(wire).charges(NOVEMBER, TODAY)}
    once = charges["Larkmail Onboarding"]
    assert (once.is_once, once.units, once.total, charges["Larkmail Security"].is_once) == (True, 2, 180, False)
    drafted = {charge.name for charge in source(wire).charges(date(2026, 12, 1), TODAY)}
    assert "Larkmail Onboarding" not in drafted


def test_without_an_invoice_the_draft_of_this_month_or_the_next_stands_for_it(wire: FakeWire, company: Company) -> None:
    assert {charge.invoice for charge in source(wire).charges(NOVEMBER, TODAY)} == {None}
    offsets = [url.rpartition("monthOffset=")[2][:1] for url, _, _ in wire.sent if "draftItems" in url]
    assert offsets == ["0"]
    assert source(wire).charges(date(2026, 12, 1), TODAY)
    assert source(wire).charges(date(2026, 10, 1), TODAY) == []
    assert source(wire).charges(date(2027, 1, 1), TODAY) == []


def test_terms_of_invoices_are_those_of_subscriptions(wire: FakeWire) -> None:
    item = {
        "id": "1",
        "type": "one-time",
        "productId": LARKMAIL.id,
        "term": "3 Year",
        "quantity": -2,
        "costTotal": -9.5,
    }
    page = {"size": 200, "totalElements": 1, "totalPages": 1, "number": 0}
    (charge,) = source(answering(wire, "/draftItems", {"content": [item], "page": page})).charges(NOVEMBER, TODAY)
    assert (charge.sku, charge.quantity, charge.total) == (f"{LARKMAIL.id}:3-year", D(-2), D("-9.5"))


@pytest.mark.parametrize("broken", [{"costTotal": "9"}, {"costTotal": None}, {"quantity": True}, {"companyId": "x"}])
def test_an_item_that_cannot_be_understood_is_an_error(wire: FakeWire, broken: dict[str, object]) -> None:
    item = {"id": "1", "type": "subscription", "quantity": 1, "costTotal": 2} | broken
    page = {"size": 200, "totalElements": 1, "totalPages": 1, "number": 0}
    with pytest.raises(Incomplete):
        source(answering(wire, "/draftItems", {"content": [item], "page": page})).charges(NOVEMBER, TODAY)
