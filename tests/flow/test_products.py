"""A product of Manage made from what a vendor sells: proposed, shown, created once, and recorded; on fakes."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal

import pytest

from shared.billing.vendors import Offer, OfferKind, PriceStep
from shared.catalog import NewProduct
from shared.errors import NoEffect, NotPermitted, OutcomeUnknown, Refused
from shared.sync import night
from shared.sync.approvals import Person
from shared.sync.catalog import create_product
from tests import builders as b
from tests.fakes.app import app_for
from tests.fakes.browser import Answer, Browser
from tests.fakes.house import House
from tests.flow.test_access import PROFILE
from tests.flow.test_console import ADMIN, PLATFORM
from tests.flow.test_unfinished_edits import die_when_decided, every_death, licence
from tests.flow.test_vendor_costs import FakeVendor

D = Decimal
NEW, PREVIEW, CREATE = (f"/console/mapping/products/{each}" for each in ("new", "preview", "create"))
API = "/console/api/catalog/products"
SKU = "backup-5:monthly"
TYPED = {
    "identifier": "BAK-5",
    "description": "Backup 5 TB",
    "text": "Backup, 5 TB",
    "subcategory": "1",
    "type": "1",
    "unit": "1",
    "product_class": "NonInventory",
    "price": "49.00",
    "cost": "31.50",
    "vendor_sku": "V-5",
    "source": b.SOURCE,
    "sku": SKU,
}
PAT = Person("pat@birchline.example")
PRODUCT = NewProduct("BAK-5", "Backup 5 TB", "Backup, 5 TB", 1, 1, 1, "NonInventory", D("49"), D("31.5"), False)
ASKED = {name: value for name, value in TYPED.items() if name not in ("source", "sku")}


@pytest.fixture
def house() -> House:
    """A vendor sells a backup of which company 1 has bought two; no policy bills it."""
    house = House()
    house.source = FakeVendor()
    steps = (PriceStep(None, D("31.50"), D("49.00")),)
    house.source.sold = [Offer(SKU, "Backup 5 TB", "Keepsafe", "BAK-5", "Monthly", None, OfferKind.FLAT, None, steps)]
    house.ports = house._new_process(house.ports.limits)
    house.rules(b.rules())
    house.company(1, [b.count(2, sku=SKU, name="Backup 5 TB")])
    house.sync(1)
    return house


@pytest.fixture
def browser(house: House) -> Browser:
    seen = Browser(app_for(house.ports, PLATFORM), ADMIN)
    seen.get("/console/setup")
    return seen


def created(house: House) -> int:
    """Requests that could have created a product."""
    return house.manage.calls["create_product"]


def history(house: House) -> list[str]:
    return [f"{entry.signed.by}: {what}" for entry in house.ports.rules.history(9) for what in entry.what]


def fails(house: House, error: Exception, moment: str) -> None:
    def fault(when: str, method: str) -> None:
        if (when, method) == (moment, "create_product"):
            raise error

    house.manage.fault = fault


def test_a_clerk_makes_a_product_and_a_profile_of_what_a_vendor_sells(house: House, browser: Browser) -> None:
    shown = browser.get("/console/mapping/skus")
    assert f"{NEW}?source={b.SOURCE}&amp;sku=backup-5%3Amonthly" in shown.text
    form = browser.get(f"{NEW}?source={b.SOURCE}&sku={SKU}")
    for value in (
        'value="BAK-5"',
        'value="49.00"',
        'value="31.50"',
        ">Backup 5 TB</textarea>",
        "Cloud / Subscriptions",
    ):
        assert value in form.text

    page = browser.send_form(PREVIEW, TYPED)
    assert "This would be created" in page.words
    assert "Cloud / Subscriptions, type Software, Non-inventory" in page.words
    assert "49.00 and 31.50, not taxable" in page.words
    assert created(house) == 0

    page = browser.follow(browser.send_form(CREATE, TYPED))
    made = house.manage.catalog["BAK-5"]
    assert (made.description, made.price, made.cost) == ("Backup 5 TB", D("49.00"), D("31.50"))
    assert f"BAK-5 was created in ConnectWise Manage as {made.id}" in page.words
    assert all(value in page.text for value in ('value="BAK-5"', 'value="Backup 5 TB"', 'value="backup-5-tb"'))
    told = f"product BAK-5 was created in ConnectWise Manage as {made.id}: Backup 5 TB, price 49.00, cost 31.50"
    assert history(house)[0] == f"pat@birchline.example: {told}"


@pytest.mark.parametrize(("bill", "profile"), [("true", "backup"), ("", None)])
def test_a_profile_made_for_a_sku_bills_it_unless_the_clerk_says_otherwise(house, browser, bill, profile) -> None:
    form = browser.get(f"/console/profiles/edit?source={b.SOURCE}&sku={SKU}")
    assert f"Bill the SKU {SKU} of Microsoft 365 by it" in form.words
    edition = house.ports.rules.head().edition
    made = {**PROFILE, "id": "backup", "product": "M365-BP", "edition": str(edition), "source": b.SOURCE, "sku": SKU}
    assert browser.send_form("/console/profiles/save", {**made, "bill": bill}).status_code == 303
    found = house.ports.rules.load().policy_for(b.SOURCE, SKU)
    assert (found.profile if found is not None else None) == profile
    assert house.ports.rules.head().edition == edition + 1


def test_an_identifier_that_the_catalog_has_is_never_created_again(house: House, browser: Browser) -> None:
    for path in (PREVIEW, CREATE):
        page = browser.send_form(path, {**TYPED, "identifier": "m365-BP"})
        assert page.status_code == 422
        assert "the catalog has a product m365-BP already" in page.words
        assert 'value="m365-BP"' in page.text
    assert created(house) == 0


def test_a_product_whose_creation_got_lost_on_the_way_back_is_found_and_recorded(
    house: House, browser: Browser
) -> None:
    fails(house, OutcomeUnknown("the connection was reset"), "after")
    page = browser.send_form(CREATE, TYPED)
    assert "nobody knows yet whether BAK-5 was created" in page.words
    assert 'value="BAK-5"' in page.text
    assert history(house) == []

    fails(house, NotPermitted("not asked"), "never")
    page = browser.follow(browser.send_form(CREATE, TYPED))
    assert "BAK-5 had been created already" in page.words
    assert created(house) == 1
    assert len(history(house)) == 1


def test_while_nobody_knows_the_end_of_an_attempt_nothing_is_sent(house: House, browser: Browser) -> None:
    fails(house, OutcomeUnknown("no answer in time"), "before")
    browser.send_form(CREATE, TYPED)
    fails(house, NotPermitted("not asked"), "never")
    for path in (PREVIEW, CREATE):
        assert (
            "nobody knows yet what became of bak-5" in browser.send_form(path, {**TYPED, "identifier": "bak-5"}).words
        )
    assert created(house) == 1

    house.clock.pass_by(seconds=house.ports.limits.settling)
    assert browser.send_form(CREATE, TYPED).status_code == 303
    assert created(house) == 2
    assert len(history(house)) == 1


@pytest.mark.parametrize(("moment", "told"), [("after", 1), ("before", 0)])
def test_the_night_finds_out_what_became_of_an_attempt_that_nobody_repeats(house, browser, moment, told) -> None:
    fails(house, OutcomeUnknown("no answer in time"), moment)
    browser.send_form(CREATE, TYPED)
    night.nightly(house.ports)
    assert house.ports.directory.product_asked("BAK-5") is not None

    house.clock.pass_by(seconds=house.ports.limits.settling)
    night.nightly(house.ports)
    assert house.ports.directory.product_asked("BAK-5") is None
    assert (len(history(house)), created(house)) == (told, 1)


def test_after_a_plain_no_it_can_be_corrected_and_sent_at_once(house: House, browser: Browser) -> None:
    fails(house, NotPermitted("answered 403", remedy="Give the role Procurement > Product Catalog: Add All."), "before")
    page = browser.send_form(CREATE, TYPED)
    assert "Give the role Procurement > Product Catalog: Add All." in page.words
    fails(house, NotPermitted("not asked"), "never")
    assert browser.send_form(CREATE, TYPED).status_code == 303


def test_a_product_that_manage_made_otherwise_is_recorded_and_told(house: House, browser: Browser) -> None:
    other = replace(b.product("BAK-5", 77), description="Other")
    fails(house, NoEffect("product 77 does not say what was asked: price", answered=other), "after")
    assert "product 77 does not say what was asked" in browser.send_form(CREATE, TYPED).words
    assert "as 77" in history(house)[0]


def test_two_people_at_once_create_it_once(house: House, browser: Browser) -> None:
    second: list[Answer] = []

    def meanwhile(when: str, method: str) -> None:
        if (when, method) == ("before", "create_product") and not second:
            second.append(browser.post(API, json=ASKED))

    house.manage.fault = meanwhile
    assert browser.post(API, json=ASKED).status_code == 200
    assert second[0].status_code == 400
    assert "nobody knows yet what became of BAK-5" in second[0].json()["error"]
    assert created(house) == 1


def test_wherever_a_worker_dies_the_product_is_created_once_and_told_once() -> None:
    def begun() -> House:
        house = House()
        house.rules(b.rules())
        return house

    def create(house: House) -> object:
        return create_product(house.ports, PRODUCT, PAT)

    for house in every_death(begun, create):
        died = house.fate.log[-1]
        for _ in range(3):
            with suppress(Refused):
                create(house)
            house.clock.pass_by(seconds=house.ports.limits.settling)
        assert (created(house), len(history(house)), "BAK-5" in house.manage.catalog) == (1, 1, True), died
        assert house.ports.directory.product_asked("BAK-5") is None, died


def test_while_a_change_of_the_rules_is_not_in_force_for_every_company_no_product_is_created(house: House) -> None:
    die_when_decided(house, [licence(1, do_not_bill=True)])
    (sound,) = [row for row in house.tables.rows("CompanyState", "1") if row.row == "rules|"]
    house.tables.put("CompanyState", "1", "rules|", {"schema": 99, "json": "{}"})
    with pytest.raises(Refused, match="not in force for every company"):
        create_product(house.ports, PRODUCT, PAT)
    assert created(house) == 0
    house.tables.put("CompanyState", "1", "rules|", sound.values)
    assert not create_product(house.ports, PRODUCT, PAT).earlier


def test_what_does_not_fit_is_told_at_its_field_and_everything_typed_stays(house: House, browser: Browser) -> None:
    wrong = {"identifier": 'a"b', "price": "much", "type": "", "description": "x" * 61}
    page = browser.send_form(PREVIEW, {**TYPED, **wrong})
    assert page.status_code == 422
    assert page.text.count('class="error"') == 4
    assert "It must be an amount such as 25.00." in page.words
    assert 'value="much"' in page.text
    page = browser.send_form(PREVIEW, {**TYPED, "subcategory": "99"})
    assert "does not have the subcategory, the type or the unit" in page.words
    assert created(house) == 0


def test_the_json_routes_show_and_create_the_same(house: House, browser: Browser) -> None:
    choices = browser.get("/console/api/catalog/choices").json()
    assert choices["subcategories"] == [{"id": 1, "name": "Subscriptions", "category": "Cloud"}]
    proposed = browser.get(f"/console/api/catalog/proposal?source={b.SOURCE}&sku={SKU}").json()
    assert (proposed["product"]["identifier"], proposed["product"]["price"]) == ("BAK-5", 49)
    assert proposed["profile"]["price"] == {"kind": "retail", "per": "month"}

    shown = browser.post(API, json={**ASKED, "preview": True}).json()["would_create"]
    assert (shown["subcategory"], shown["unit"], created(house)) == ("Subscriptions", "Each", 0)
    made = browser.post(API, json=ASKED).json()
    assert made == {"id": house.manage.catalog["BAK-5"].id, "identifier": "BAK-5", "earlier": False}


def test_vendors_products_stand_with_their_prices_and_lead_to_profiles(house: House, browser: Browser) -> None:
    page = browser.get("/console/mapping/products")
    assert "Backup 5 TB" in page.words
    assert "any quantity 31.50 49.00" in page.words
    assert f"/console/profiles/edit?source={b.SOURCE}&amp;sku=" in page.text
    empty = Browser(app_for(House().ports, PLATFORM), ADMIN)
    assert "No vendor that tells its prices is connected" in empty.get("/console/mapping/products").words
    assert "No vendor that tells what it charges is connected" in empty.get("/console/reports/costs").words
    assert json.dumps("<") not in page.text


def test_what_would_be_created_is_shown_in_the_one_currency_of_all_that_is_billed(
    house: House, browser: Browser
) -> None:
    path = "/console/mapping/products/preview"
    assert "Price and cost 49.00 and 31.50" in browser.send_form(path, TYPED).words
    house.company(2, [b.count(8, customer="tenant-2")])
    house.manage.agreements_[1002] = replace(house.manage.agreements_[1002], currency="USD")
    house.sync(2)
    assert "Price and cost 49.00 USD and 31.50 USD" in browser.send_form(path, TYPED).words
