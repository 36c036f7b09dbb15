"""What a vendor sells and charges, beside what is mapped and billed: the flows and their JSON routes, on fakes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from local.sandbox.pax8.api import Pax8
from local.sandbox.pax8.books import CLOUD, make_invoice
from local.sandbox.pax8.world import CONTAINER
from shared.billing.counts import Customer, Money
from shared.billing.profiles import Arrears, Basis, PriceKind, PriceRule, QuantityRule
from shared.billing.rules import CompanyLink, CompanyRules, Mode, SkuPolicy
from shared.billing.vendors import Charge, Offer, OfferKind, PriceStep, UsageSoFar
from shared.errors import Retryable, TrueUpError
from shared.rules.document import Profile
from shared.sync import night
from shared.sync.offers import suggested
from shared.web.principal import Access, Principal, Role
from tests import builders as b
from tests.fakes.app import app_for
from tests.fakes.browser import Answer, Browser
from tests.fakes.house import House
from tests.flow.test_fleets import FakeFleet
from tests.unit import fake_pax8

D = Decimal
NOVEMBER = date(2026, 11, 1)
COSTS, PRODUCTS = (f"/console/api/sources/{b.SOURCE}/{what}" for what in ("costs", "products"))


@dataclass
class FakeVendor(FakeFleet):
    """A vendor that tells what it sells and charges; `asked` are the months asked for."""

    sold: list[Offer] = field(default_factory=list)
    charged: list[Charge] = field(default_factory=list)
    asked: list[date] = field(default_factory=list)
    unwilling: TrueUpError | None = None

    def offers(self, skus: Collection[str], /) -> list[Offer]:
        if self.unwilling is not None:
            raise self.unwilling
        return [offer for offer in self.sold if offer.sku in skus]

    def charges(self, month: date, today: date, /) -> list[Charge]:
        self.asked.append(month)
        if self.unwilling is not None:
            raise self.unwilling
        return self.charged


def charge(customer: str | None, units: int, sku: str | None = b.PREMIUM, cost: str = "20", **values: Any) -> Charge:
    usual = Charge(
        customer, sku, "Premium", "subscription", NOVEMBER, date(2026, 12, 1), D(units), units * D(cost), "USD", "inv-1"
    )
    return replace(usual, **values)


@pytest.fixture
def house() -> House:
    """Companies 1 to 3 bill 8, 5 and 4 of a product, which nobody else may touch; the night has looked at them."""
    house = House()
    house.source = FakeVendor()
    house.ports = house._new_process(house.ports.limits)
    house.rules(b.rules(policies=[SkuPolicy(b.SOURCE, b.PREMIUM, "premium"), SkuPolicy(b.SOURCE, "free", None)]))
    for company, units in ((1, 8), (2, 5), (3, 4)):
        house.company(company, [b.count(units)], [b.addition(company * 10 + 1, units)])
        number = company + 1000
        house.manage.agreements_[number] = replace(house.manage.agreements_[number], currency="USD")
    run_night(house)
    return house


def run_night(house: House) -> None:
    house.work_until_done(night.nightly(house.ports).partition(":")[0])


def get(house: House, path: str) -> Answer:
    biller = Principal("kim@birchline.example", frozenset({Role.BILLER}))
    return Browser(app_for(house.ports, Access(stand_in=biller))).get(path)


def rows(house: House, *charges: Charge, month: str = "") -> dict[tuple[str, int | None], dict[str, Any]]:
    house.source.charged = list(charges)
    answer = get(house, COSTS + (f"?month={month}" if month else ""))
    assert answer.status_code == 200, answer.text
    return {(row["verdict"], row["company"]): row for row in answer.json()["rows"]}


def test_what_is_charged_stands_beside_what_is_billed_with_the_margin(house: House) -> None:
    found = rows(house, charge("tenant-1", 8), charge("tenant-2", 7), charge("tenant-3", 2))

    assert set(found) == {("equal", 1), ("too-little", 2), ("too-much", 3)}
    equal = found["equal", 1]
    assert (equal["charged_units"], equal["due_units"], equal["billed_units"]) == (8, 8, 8)
    assert (equal["cost"], equal["billed_monthly"], equal["margin"], equal["cost_currency"]) == (160, 200, 40, "USD")
    assert found["too-little", 2]["margin"] == -15


def test_parts_of_a_month_and_credits_change_the_cost_and_not_the_units(house: House) -> None:
    part = charge("tenant-1", 2, kind="prorate", total=D("13.33"))
    credit = charge("tenant-1", -1, kind="service-credit", total=D(-5))
    found = rows(house, charge("tenant-1", 8), part, credit)
    assert (found["equal", 1]["charged_units"], found["equal", 1]["cost"]) == (8, 168.33)


def test_what_is_charged_and_not_billed_at_all_is_told_so(house: House) -> None:
    house.company(4, [b.count(6)], mode=Mode.OBSERVE)
    house.sync(4)
    found = rows(house, charge("tenant-4", 6))
    assert ("not-at-all", 4) in found


def test_units_that_the_rules_do_not_make_of_what_was_bought_are_equal_only_where_they_are() -> None:
    house = House()
    house.source = FakeVendor()
    house.ports = house._new_process(house.ports.limits)
    house.rules(b.rules(b.profile(quantity=QuantityRule(Basis.ASSIGNED))))
    house.company(1, [b.count(80, assigned=8)], [b.addition(11, 8)])
    house.company(2, [b.count(8, customer="tenant-2")], [b.addition(21, 8)])
    house.company(3, [b.count(8, assigned=0, customer="tenant-3")], mode=Mode.OBSERVE)
    run_night(house)

    found = rows(house, charge("tenant-1", 80), charge("tenant-2", 8), charge("tenant-3", 8))

    assert list(found) == [("unknown", 1), ("not-at-all", 3), ("equal", 2)]
    assert {row["due_units"] for row in found.values()} == {None}
    assert "not known" in get(house, "/console/reports/costs").words


def test_charges_that_tell_no_units_do_not_say_that_too_much_is_billed(house: House) -> None:
    part = charge("tenant-1", 8, kind="prorate", total=D("13.33"))
    row = rows(house, part)["unknown", 1]
    assert (row["charged_units"], row["due_units"], row["billed_units"]) == (0, None, 8)


def test_what_is_charged_by_the_year_is_no_surprise_in_the_months_between(house: House) -> None:
    yearly = replace(b.count(8, customer="tenant-1"), cost=Money(D(200), "year", "USD"))
    house.count(1, yearly)
    house.clock.business_ahead = 1
    run_night(house)
    assert {("term", 1), ("no-charge", 2)} <= set(rows(house))


def test_a_part_of_a_month_stands_beside_the_line_that_bills_it_once(house: House) -> None:
    house.clock.business_ahead = 1
    house.count(1, b.count(10, customer="tenant-1"))
    run_night(house)
    run_night(house)
    part = charge("tenant-1", 2, kind="prorate", total=D("13.33"), start=date(2026, 11, 22))
    row = rows(house, charge("tenant-1", 10), part)["equal", 1]
    assert (row["billed_monthly"], row["billed_once"], row["cost"]) == (250, 13.34, 213.33)
    assert row["margin"] == 50.01
    assert get(house, COSTS).json()["sums"] == [{"currency": "USD", "billed": 488.34, "margin": 50.01}]


@pytest.fixture
def metered() -> House:
    """Company 1 is billed in arrears; its usage was first read on 21 November."""
    house = House()
    house.source = FakeVendor()
    house.ports = house._new_process(house.ports.limits)
    cloud = b.profile(arrears=Arrears.LAST, price=PriceRule(PriceKind.CUSTOM, D("1.15")))
    house.rules(b.rules(cloud))
    house.company(1, [b.count(120)])
    bill_until(house, date(2026, 12, 1))
    run_night(house)
    return house


def bill_until(house: House, invoice: date, **values: object) -> None:
    agreement = house.manage.agreements_[1001]
    house.manage.agreements_[1001] = replace(agreement, currency="USD", next_invoice_date=invoice, **values)


def used(amount: str, month: date = NOVEMBER) -> Charge:
    """What the invoice of the next month charges for a month's usage."""
    until = (month + timedelta(days=31)).replace(day=1)
    return charge("tenant-1", 1, kind="arrears", start=month, end=until, total=D(amount), used=True)


def december(house: House) -> None:
    house.clock.business_ahead += 14
    bill_until(house, date(2027, 1, 1))


def test_usage_whose_period_goes_on_is_billed_later_and_no_leak(metered: House) -> None:
    row = rows(metered, used("120.00"))["later", 1]
    assert (row["charged_units"], row["billed_units"], row["margin"]) == (120, 0, None)


def test_usage_that_still_grows_is_no_leak_whatever_is_billed(metered: House) -> None:
    december(metered)
    found = rows(metered, replace(used("120.00"), growing=True), month="2026-12")
    assert set(found) == {("later", 1)}
    assert found["later", 1]["margin"] is None


def test_usage_that_is_billed_once_meets_what_the_vendor_charged_for_it(metered: House) -> None:
    december(metered)
    run_night(metered)
    for month in ("2026-12", ""):
        row = rows(metered, used("120.00"), month=month)["equal", 1]
        assert (row["charged_units"], row["due_units"], row["billed_units"]) == (120, 120, 120)
        assert (row["cost"], row["billed_monthly"], row["billed_once"], row["margin"]) == (120, 0, 138, 18)
    assert ("too-little", 1) in rows(metered, used("130.00"))
    assert ("too-much", 1) in rows(metered, used("110.00"))
    assert ("nothing", 1) not in rows(metered)


def test_usage_that_is_billed_a_month_late_meets_the_invoice_that_charged_it(metered: House) -> None:
    december(metered)
    metered.sync(1, mode=Mode.OBSERVE)
    assert ("not-at-all", 1) in rows(metered, used("120.00"), month="2026-12")
    metered.clock.business_ahead += 28
    metered.sync(1)
    assert ("equal", 1) in rows(metered, used("120.00"), month="2026-12")


def test_a_month_of_usage_in_a_longer_period_is_compared_by_what_the_period_used(metered: House) -> None:
    bill_until(metered, date(2027, 1, 1), billing_cycle="Quarterly")
    metered.clock.business_ahead += 1
    run_night(metered)
    assert ("later", 1) in rows(metered, used("50.00"))
    metered.clock.business_ahead += 45
    bill_until(metered, date(2027, 4, 1), billing_cycle="Quarterly")
    run_night(metered)
    row = rows(metered, used("50.00"), month="2026-12")["equal", 1]
    assert (row["charged_units"], row["due_units"], row["billed_units"], row["margin"]) == (50, 120, 120, None)


def test_what_is_charged_once_is_told_so_and_is_no_part_of_a_line_also_where_a_rule_names_it(house: House) -> None:
    setup = charge("tenant-1", 3, kind="one-time", name="Onboarding")
    found = rows(house, charge("tenant-1", 8), setup, replace(setup, sku="setup"))
    (once,) = ({**row} for key, row in found.items() if key == ("once", 1))
    assert (once["charged_units"], once["due_units"], once["bill_item"], once["margin"]) == (3, None, "", None)
    assert (found["equal", 1]["charged_units"], found["equal", 1]["margin"]) == (8, 40)
    assert "charged once, for a person to bill" in get(house, "/console/reports/costs").words


def test_what_belongs_to_no_company_no_rule_or_nobody_is_told_apart(house: House) -> None:
    for company in (4, 5):
        links = (CompanyLink(b.SOURCE, "tenant-both"),)
        house.ports.companies.put_rules(CompanyRules(company, f"Company {company}", Mode.OBSERVE, links))
    found = rows(
        house,
        charge("tenant-1", 8),
        charge("tenant-2", 3, sku="new"),
        charge("tenant-2", 3, sku="free"),
        charge("tenant-9", 4),
        charge("tenant-both", 4),
        charge(None, 1, sku=None, kind="rebate", total=D(-12)),
    )
    assert set(found) == {
        ("equal", 1),
        ("unmapped", 2),
        ("not-billed", 2),
        ("no-charge", 2),
        ("no-charge", 3),
        ("unlinked", None),
        ("shared", None),
        ("other", None),
    }
    assert found["unlinked", None]["customers"] == ["tenant-9"]
    told = get(house, COSTS).json()
    assert told["costs"] == [{"currency": "USD", "cost": 8 * 20 + 3 * 20 * 2 + 4 * 20 * 2 - 12}]
    (nobodys,) = (each for each in told["companies"] if each["company"] is None)
    assert (nobodys["name"], nobodys["costs"], nobodys["sums"]) == ("", [{"currency": "USD", "cost": 148}], [])
    assert told["companies"][-1] == nobodys
    assert "of no company" in get(house, "/console/reports/costs").words


def test_costs_and_what_is_billed_for_them_are_summed_by_company_and_in_all(house: House) -> None:
    house.source.charged = [
        charge("tenant-1", 8),
        charge("tenant-1", 3, sku="new", currency="EUR"),
        charge("tenant-2", 5, end=date(2027, 11, 1)),
    ]
    told = get(house, COSTS).json()
    first = {"costs": [{"currency": "EUR", "cost": 60}, {"currency": "USD", "cost": 160}]}
    assert told["companies"] == [
        {"company": 1, "name": "Company 1", **first, "sums": [{"currency": "USD", "billed": 200, "margin": 40}]},
        {
            "company": 2,
            "name": "Company 2",
            "costs": [{"currency": "USD", "cost": 100}],
            "sums": [{"currency": "USD", "billed": 125, "margin": None}],
        },
        {
            "company": 3,
            "name": "Company 3",
            "costs": [],
            "sums": [{"currency": "USD", "billed": 100, "margin": None}],
        },
    ]
    assert told["costs"] == [{"currency": "EUR", "cost": 60}, {"currency": "USD", "cost": 260}]
    assert told["sums"] == [{"currency": "USD", "billed": 425, "margin": 40}]
    assert "Company 1 60.00 EUR 160.00 USD 200.00 USD 40.00 USD" in get(house, "/console/reports/costs").words


@pytest.mark.parametrize(
    "profile",
    [
        {"quantity": QuantityRule(Basis.ASSIGNED)},
        {"quantity": QuantityRule(without_subscriptions=("sub-3-enabled",))},
        {"quantity": QuantityRule(included=D(1)), "split": True},
    ],
)
def test_what_the_rules_make_of_other_units_than_are_charged_is_not_called_equal(
    house: House, profile: dict[str, Any]
) -> None:
    house.rules(b.rules(b.profile(**profile)))
    house.clock.pass_by(days=1)
    run_night(house)
    told = [charge(f"tenant-{company}", units) for company, units in ((1, 11), (2, 5), (3, 4))]
    row = next(row for (_, company), row in rows(house, *told).items() if company == 1)
    assert (row["verdict"], row["charged_units"], row["due_units"]) == ("unknown", 11, None)


@pytest.mark.parametrize("currencies", [("USD", "EUR"), (None, None)])
def test_there_is_no_margin_of_costs_whose_currency_nobody_can_tell(
    house: House, currencies: tuple[str | None]
) -> None:
    number = 1001
    house.manage.agreements_[number] = replace(house.manage.agreements_[number], currency=None)
    run_night(house)
    parts = [charge("tenant-1", 4, currency=currency) for currency in currencies]
    assert rows(house, *parts)["equal", 1]["margin"] is None


def test_charges_of_one_row_in_two_currencies_are_not_added_up(house: House) -> None:
    found = rows(house, charge("tenant-1", 3), charge("tenant-1", 5, currency="EUR", total=D(90)))
    row = found["equal", 1]

    assert (row["charged_units"], row["cost"], row["cost_currency"], row["margin"]) == (8, None, "", None)
    answer = get(house, COSTS).json()
    assert answer["costs"] == [{"currency": "EUR", "cost": 90}, {"currency": "USD", "cost": 60}]
    assert next(each["costs"] for each in answer["companies"] if each["company"] == 1) == answer["costs"]
    assert "not known: several currencies" in get(house, f"/console/reports/costs?source={b.SOURCE}").text


def test_usage_in_two_currencies_is_no_number_of_units(metered: House) -> None:
    used = [charge("tenant-1", 1, total=D(9), currency=currency, used=True) for currency in ("USD", "EUR")]
    (row,) = (row for (_, company), row in rows(metered, *used).items() if company == 1)

    assert (row["charged_units"], row["due_units"], row["cost"]) == (None, None, None)


def test_there_is_no_margin_across_currencies_or_for_a_term_that_is_no_month(house: House) -> None:
    found = rows(house, charge("tenant-1", 8, currency="EUR"), charge("tenant-2", 5, end=date(2027, 11, 1)))
    assert [row["margin"] for row in found.values()] == [None, None, None]
    assert ("no-charge", 3) in found


def test_a_month_that_is_over_is_compared_with_what_stood_then_and_drafts_are_said_to_be_drafts(house: House) -> None:
    house.clock.time = house.clock.time.replace(year=2027, month=1, day=5)
    house.count(1, b.count(11, customer="tenant-1"))
    run_night(house)

    then = rows(house, charge("tenant-1", 8), month="2026-11")
    assert then["equal", 1]["billed_units"] == 8
    now = rows(house, charge("tenant-1", 11, invoice=None), month="2027-01")
    assert now["equal", 1]["billed_units"] == 11
    assert house.source.asked == [NOVEMBER, date(2027, 1, 1)]
    told = get(house, COSTS).json()
    assert (told["draft"], told["invoices"], told["month"]) == (True, [], "2027-01")


def test_costs_go_out_as_a_table_and_other_questions_are_refused(house: House) -> None:
    house.source.charged = [charge("tenant-1", 8, name="=1+1")]
    answer = get(house, f"{COSTS}.csv")
    first = next(
        row for row in csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))) if row["company"] == "1"
    )
    assert (first["verdict"], first["item"], first["skus"]) == ("equal", "'=1+1", b.PREMIUM)
    assert get(house, f"{COSTS}?month=soon").status_code == 400
    assert get(house, "/console/api/sources/cove/costs").status_code == 404
    house.ports = replace(house.ports, sources={"cove": FakeFleet("cove")})
    assert get(house, "/console/api/sources/cove/costs").status_code == 404


def test_a_vendor_that_does_not_answer_leaves_the_page_to_ask_another_or_of_another_month(house: House) -> None:
    house.source.unwilling = Retryable("the vendor is down.", system="vendor", remedy="Wait.")
    page = get(house, "/console/reports/costs?month=2026-10")
    assert page.status_code == 200
    assert "did not tell what it charged. vendor: the vendor is down. Wait." in page.words
    assert 'value="2026-10"' in page.text
    house.source.unwilling = None
    house.source.charged = [charge("tenant-1", 8)]
    assert "160.00 USD" in get(house, "/console/reports/costs").words


# ---- what is sold


def offer(sku: str, *steps: PriceStep, kind: OfferKind = OfferKind.FLAT, term: str = "Monthly") -> Offer:
    return Offer(sku, "Larkmail Security", "Larkmail", "LAR-M", term, None, kind, "Each", steps)


ONE_STEP = PriceStep(None, D("2.10"), D("3.50"))
TWO_STEPS = (PriceStep(D(50), D("2.10"), D("3.50")), PriceStep(None, D("1.90"), D("3.10")))


def test_what_is_bought_and_mapped_by_nobody_is_told_with_its_offer_and_a_profile(house: House) -> None:
    cost = Money(D("2.10"), "month", "USD")
    for company, units in ((1, 3), (2, 9)):
        lark = replace(b.count(units, sku="lark", name="Larkmail, Monthly", customer=f"tenant-{company}"), cost=cost)
        house.count(company, b.count(8, customer=f"tenant-{company}"), lark)
    house.source.sold = [offer("lark", ONE_STEP), offer("other", ONE_STEP)]
    house.clock.pass_by(days=1)
    run_night(house)

    told = get(house, PRODUCTS).json()
    (product,) = told["products"]
    assert (product["sku"], product["units"], product["customers"]) == ("lark", 12, ["tenant-1", "tenant-2"])
    assert product["cost"] == {"amount": 2.1, "per": "month", "currency": "USD"}
    (sold,) = product["offers"]
    assert (sold["kind"], sold["term"]) == ("flat", "Monthly")
    assert sold["steps"] == [{"upto": None, "cost": 2.1, "retail": 3.5, "whole": False}]
    assert product["profile"] == {
        "id": "larkmail-monthly",
        "name": "Larkmail, Monthly",
        "product": "LAR-M",
        "price": {"kind": "retail", "per": "month"},
    }

    house.source.unwilling = Retryable("the vendor is down.", system="vendor", remedy="Wait.")
    told = get(house, PRODUCTS).json()
    assert (told["problem"], told["products"][0]["offers"]) == ("vendor: the vendor is down. Wait.", [])
    assert get(house, "/console/api/sources/pax8/products").status_code == 404


@pytest.mark.parametrize(
    ("offers", "price"),
    [
        ([], "product"),
        ([offer("s", ONE_STEP)], "retail"),
        ([offer("s", ONE_STEP), offer("s", ONE_STEP)], "product"),
        ([offer("s", ONE_STEP, term="Annual")], "product"),
        ([offer("s", *TWO_STEPS, kind=OfferKind.TIERED)], "tiered"),
        ([offer("s", *TWO_STEPS, kind=OfferKind.VOLUME)], "volume"),
        ([offer("s", ONE_STEP, kind=OfferKind.VOLUME)], "product"),
        ([offer("s", ONE_STEP, kind=OfferKind.MARKUP)], "product"),
        ([offer("s", replace(ONE_STEP, retail=None))], "product"),
        ([offer("s", replace(ONE_STEP, retail=D(0)))], "product"),
        ([offer("s", replace(ONE_STEP, whole=True))], "product"),
        ([offer("s")], "product"),
    ],
)
def test_a_suggested_profile_is_one_that_the_rules_take_and_guesses_no_price(offers: list[Offer], price: str) -> None:
    profile = suggested("Larkmail Security, Monthly", offers)
    assert profile["price"]["kind"] == price
    assert Profile.model_validate_json(json.dumps(profile)).id == "larkmail-security-monthly"


def test_a_customer_that_nobody_linked_is_called_by_its_name(house: House) -> None:
    house.ports.directory.keep_customers(b.SOURCE, [Customer(b.SOURCE, "T-9", "Harbour Dental")], house.clock.time)
    row = rows(house, charge("t-9", 2))["unlinked", None]
    assert (row["customers"], row["customer_names"]) == (["t-9"], ["Harbour Dental"])


def test_a_trial_is_no_product_to_bill(house: House) -> None:
    trial = b.count(5, sku="try", customer="tenant-1", subscriptions=[b.subscription(5, trial=True)])
    house.count(1, b.count(8, customer="tenant-1"), trial, b.count(2, sku="new", customer="tenant-1"))
    run_night(house)
    assert [each["sku"] for each in get(house, PRODUCTS).json()["products"]] == ["new"]


# ---- usage, by the invoices of the vendor itself


def charged_by_pax8(house: House, month: str) -> dict[tuple[str, int | None], dict[str, Any]]:
    answer = get(house, f"/console/api/sources/pax8/costs?month={month}")
    assert answer.status_code == 200, answer.text
    return {(row["verdict"], row["company"]): row for row in answer.json()["rows"]}


def test_a_month_of_pax8_usage_goes_from_its_invoice_to_ours_and_meets_it() -> None:
    world = fake_pax8.world()
    buyer = fake_pax8.alder(world)
    house = House()
    house.company(1)
    house.source = fake_pax8.source(fake_pax8.FakeWire(Pax8(world)), usage=True)  # type: ignore[assignment]
    house.ports = house._new_process(house.ports.limits)
    price = PriceRule(PriceKind.COST, markup=D(15))
    cloud = b.profile(arrears=Arrears.LAST, price=price, quantity=QuantityRule())
    house.rules(b.rules(cloud, policies=[SkuPolicy("pax8", f"{CLOUD}:arrears", "premium")]))
    links = (CompanyLink("pax8", buyer.id),)
    house.ports.companies.put_rules(CompanyRules(1, "Company 1", Mode.AUTO, links))
    bill_until(house, date(2026, 12, 1))
    world.used = {NOVEMBER: {buyer.id: 80.0}, date(2026, 12, 1): {buyer.id: 123.45}}
    make_invoice(world, NOVEMBER)
    house.sync(1)

    house.clock.business_ahead = 14
    bill_until(house, date(2027, 1, 1))
    make_invoice(world, date(2026, 12, 1))
    assert ("not-at-all", 1) in charged_by_pax8(house, "2026-12")
    house.sync(1)
    assert [line.quantity for line in house.manage.lines.values()] == [D("123.45")]
    house.sync(1)
    row = charged_by_pax8(house, "2026-12")["equal", 1]
    assert (row["charged_units"], row["billed_units"], row["cost"]) == (123.45, 123.45, 123.45)
    assert (row["billed_once"], row["margin"]) == (141.97, 18.52)
    assert ("not-at-all", 1) in charged_by_pax8(house, "2026-11")


# ---- what was used so far


@dataclass
class FakeMeter(FakeVendor):
    """A vendor that also tells what is used while the month runs; `unmetered` is why it does not."""

    used: list[UsageSoFar] = field(default_factory=list)
    unmetered: TrueUpError | None = None

    def used_so_far(self, today: date, /) -> list[UsageSoFar]:
        if self.unmetered is not None:
            raise self.unmetered
        return self.used


def so_far(customer: str, cost: str | None, sku: str = b.PREMIUM, currency: str | None = "USD") -> UsageSoFar:
    amount = None if cost is None else D(cost)
    return UsageSoFar(customer, sku, "Driftwood Cloud", amount, amount, currency)


@pytest.fixture
def running() -> House:
    house = House()
    house.source = FakeMeter(charged=[charge("tenant-1", 8)])
    house.ports = house._new_process(house.ports.limits)
    house.rules(b.rules(policies=[SkuPolicy(b.SOURCE, b.PREMIUM, "premium"), SkuPolicy(b.SOURCE, "free", None)]))
    house.company(1, [b.count(8)], [b.addition(11, 8)])
    run_night(house)
    return house


def lines(house: House) -> list[dict[str, str]]:
    """The rows of the file."""
    return list(csv.DictReader(io.StringIO(get(house, COSTS + ".csv").text.removeprefix("\ufeff"))))


def test_usage_of_the_running_month_is_told_apart_and_is_in_no_sum_and_no_leak(running: House) -> None:
    before = get(running, COSTS).json()
    running.source.used = [
        so_far("TENANT-1", "52.505"),
        so_far("tenant-1", None, "free"),
        so_far("tenant-9", "7", "s", None),
    ]
    told = get(running, COSTS).json()

    assert {key: value for key, value in told.items() if key != "so_far"} == {
        key: value for key, value in before.items() if key != "so_far"
    }
    stranger, own, free = told["so_far"]
    assert (own["company"], own["name"], own["billed_by"]) == (1, "Company 1", b.profile().name)
    assert (own["cost"], own["retail"], own["currency"]) == (52.51, 52.51, "USD")
    assert (free["cost"], free["billed_by"], free["bill_item"] != "") == (None, "", True)
    assert (stranger["company"], stranger["customer_name"], stranger["bill_item"]) == (None, "tenant-9", "")


def test_a_page_and_files_show_usage_so_far_as_what_it_is(running: House) -> None:
    running.source.used = [so_far("tenant-1", "52.50"), so_far("tenant-1", None, "free"), so_far("tenant-9", "7", "s")]
    words = get(running, "/console/reports/costs").words
    for told in (
        "not final",
        "in no sum above",
        "52.50 USD",
        "not told",
        "not billed, by choice",
        "no profile bills it",
    ):
        assert told in words, words

    first, *rest = lines(running)
    assert (first["verdict"], first["cost_so_far"]) != ("so-far", "")
    assert [(row["verdict"], row["cost"], row["cost_so_far"]) for row in rest] == [
        ("so-far", "", "7.0"),
        ("so-far", "", "52.5"),
        ("so-far", "", ""),
    ]
    assert get(running, COSTS + ".xlsx").status_code == 200


def test_costs_are_told_where_usage_so_far_is_not_and_say_why(running: House) -> None:
    running.source.unmetered = Retryable("the meter is down.", system="vendor", remedy="Wait.")
    told = get(running, COSTS).json()
    assert (told["so_far"], told["so_far_problem"]) == ([], "vendor: the meter is down. Wait.")
    assert [row["verdict"] for row in told["rows"]] == ["equal"]
    assert "used so far. vendor: the meter is down. Wait." in get(running, "/console/reports/costs").words
    *_, last = lines(running)
    assert (last["verdict"], last["item"]) == ("so-far-not-told", "vendor: the meter is down. Wait.")


def test_only_this_month_has_usage_so_far(running: House) -> None:
    running.source.used = [so_far("tenant-1", "52.50")]
    assert get(running, COSTS + "?month=2026-10").json()["so_far"] == []
    assert get(running, COSTS + "?month=2026-11").json()["so_far"] != []


def test_what_pax8_says_was_used_stands_beside_its_invoice_and_is_never_billed() -> None:
    world = fake_pax8.world()
    buyer = fake_pax8.alder(world)
    house = House()
    house.company(1)
    house.source = fake_pax8.source(fake_pax8.FakeWire(Pax8(world)), usage=True)  # type: ignore[assignment]
    house.ports = house._new_process(house.ports.limits)
    cloud = b.profile(arrears=Arrears.LAST, price=PriceRule(PriceKind.COST), quantity=QuantityRule())
    house.rules(b.rules(cloud, policies=[SkuPolicy("pax8", f"{CLOUD}:arrears", "premium")]))
    house.ports.companies.put_rules(CompanyRules(1, "Company 1", Mode.AUTO, (CompanyLink("pax8", buyer.id),)))
    world.post_usage(world.buy(buyer, CONTAINER, 1, NOVEMBER), "production", 41.2, NOVEMBER)
    make_invoice(world, NOVEMBER)
    house.sync(1)

    told = get(house, "/console/api/sources/pax8/costs").json()
    (used,) = told["so_far"]
    assert (used["company"], used["billed_by"], used["cost"]) == (1, cloud.name, 41.2)
    assert "too-little" not in {row["verdict"] for row in told["rows"]}
    assert house.manage.lines == {}
