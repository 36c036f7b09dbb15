"""Every SKU over all companies: counted, mapped in bulk; what no rule speaks of is mapped, ignored and restored."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from shared.billing.counts import Money
from tests import builders as b
from tests.fakes.app import app_for
from tests.fakes.browser import Browser
from tests.fakes.house import House
from tests.flow.test_console import ADMIN, PLATFORM

API = "/console/api/mapping"
VISIO = "c5928f49-12ba-48f7-ada3-0d743a3601d5"
HERE = {"company": 1, "source": b.SOURCE, "sku": VISIO}


@pytest.fixture
def house() -> House:
    """Two companies have Business Premium, which a policy maps, and Visio, of which no rule speaks."""
    house = House()
    house.rules(b.rules(b.profile(), b.profile(id="visio", name="Visio Plan 2", product="VISIO-2")))
    for company, seats in ((1, 4), (2, 6)):
        visio = b.count(seats, sku=VISIO, name="Visio Plan 2", assigned=3)
        free = b.count(999, sku="free", name="Flow Free", free=True)
        house.company(company, [b.count(5), replace(visio, cost=Money(Decimal("10.50"), "month", "USD")), free])
        house.sync(company)
    return house


def client(house: House) -> Browser:
    return Browser(app_for(house.ports, PLATFORM), ADMIN)


def unmapped(house: House) -> list[tuple[int, str]]:
    return [(each["company"], each["sku"]) for each in client(house).get(f"{API}/unmapped").json()["unmapped"]]


def test_a_sku_is_counted_over_all_companies_with_what_it_costs(house):
    shown = {each["sku"]: each for each in client(house).get(f"{API}/skus").json()["skus"]}
    visio, premium = shown[VISIO], shown[b.PREMIUM]
    assert (visio["name"], visio["companies"], visio["purchased"], visio["assigned"]) == ("Visio Plan 2", 2, 10, 6)
    assert (visio["monthly_cost"], visio["mapped"]) == ({"USD": 105.0}, False)
    assert (premium["mapped"], premium["profile"], premium["monthly_cost"]) == (True, "premium", {})
    assert shown["free"]["free"]


def test_skus_are_mapped_in_bulk_and_the_next_look_bills_them(house):
    house.manage.catalog["VISIO-2"] = b.product("VISIO-2", 90)
    edition = client(house).get(f"{API}/skus").json()["edition"]
    skus = [{"source": b.SOURCE, "sku": VISIO}, {"source": b.SOURCE, "sku": "free"}]
    body = {"skus": skus, "profile": "visio", "edition": edition}
    assert client(house).post(f"{API}/skus", json=body).status_code == 200
    assert unmapped(house) == []
    house.sync(1)
    assert {line.product for line in house.manage.lines.values() if line.agreement_id == 1001} == {"M365-BP", "VISIO-2"}

    assert client(house).post(f"{API}/skus", json=body).status_code == 400
    client(house).post(f"{API}/skus", json={"skus": skus[:1], "drop": True})
    assert unmapped(house) == [(1, VISIO), (2, VISIO)]


def test_one_company_maps_a_sku_and_another_does_not_bill_it(house):
    assert unmapped(house) == [(1, VISIO), (2, VISIO)]
    client(house).post(f"{API}/unmapped", json={**HERE, "profile": "visio"})
    client(house).post(f"{API}/unmapped", json={**HERE, "company": 2, "profile": None})
    assert unmapped(house) == []
    assert [each.profile for each in house.state(1).licences] == ["visio"]
    assert [each.do_not_bill for each in house.state(2).licences] == [True]
    shown = {each["sku"]: each for each in client(house).get(f"{API}/skus").json()["skus"]}
    assert shown[VISIO]["companies_with_own_choice"] == 2


def test_what_is_ignored_is_hidden_changes_nothing_and_comes_back(house):
    rules, writes = house.ports.rules.head(), house.manage.writes
    client(house).post(f"{API}/unmapped/ignore", json=HERE)
    assert unmapped(house) == [(2, VISIO)]
    (hidden,) = client(house).get(f"{API}/unmapped").json()["ignored"]
    assert (hidden["company"], hidden["by"]) == (1, "pat@birchline.example")
    house.sync(1)
    assert (house.ports.rules.head(), house.manage.writes) == (rules, writes)
    client(house).post(f"{API}/unmapped/restore", json=HERE)
    assert unmapped(house) == [(1, VISIO), (2, VISIO)]


def test_a_profile_that_there_is_not_is_refused(house):
    answer = client(house).post(f"{API}/unmapped", json={**HERE, "profile": "gold"})
    assert (answer.status_code, "there is no profile" in answer.json()["error"]) == (400, True)
