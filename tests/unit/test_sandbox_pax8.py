"""The sandbox's Pax8 over HTTP, read by the real source: its faults, its controls and its traps."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime

import pytest
import requests

from local.sandbox.running import SandboxThread
from local.sandbox.server import Options
from shared.billing.counts import ReadFailure, Reading
from shared.sources.pax8 import Pax8Settings, Pax8Source

NOW = datetime(2026, 11, 21, 2, tzinfo=UTC)
DAY = date(2026, 11, 21)


@pytest.fixture
def sandbox() -> Iterator[SandboxThread]:
    with SandboxThread(Options(companies=12, seed=7, now=NOW)) as thread:
        yield thread


@pytest.fixture
def source(sandbox: SandboxThread) -> Pax8Source:
    told = sandbox.settings()
    names = {"client_id": "PAX8_CLIENT_ID", "client_secret": "PAX8_CLIENT_SECRET", "url": "PAX8_URL"}
    settings = Pax8Settings(**{name: told[key] for name, key in names.items()}, token_url=told["PAX8_TOKEN_URL"])
    return Pax8Source(settings, sleep=lambda seconds: None)


def control(sandbox: SandboxThread, what: str, body: object) -> requests.Response:
    return requests.put(f"{sandbox.url}/_sandbox/{what}", json=body, timeout=10)


def change(sandbox: SandboxThread, **wanted: object) -> dict:
    response = control(sandbox, "pax8", wanted)
    assert response.status_code == 200, response.text
    answered: dict = response.json()
    return answered


def larkmail(source: Pax8Source, company: str) -> tuple:
    reading = source.read(company, DAY)
    assert isinstance(reading, Reading), reading
    return next((c.purchased, c.changed) for c in reading.counts if c.name == "Larkmail Security, Monthly")


def test_a_third_of_the_companies_buys_through_pax8_and_one_nobody_knows(
    sandbox: SandboxThread, source: Pax8Source
) -> None:
    customers = {customer.name: customer for customer in source.customers()}
    linked = {linked.name: str(linked.company) for linked in sandbox.msp.linked}

    assert len(customers) == 5
    assert {name: customer.reference for name, customer in customers.items() if name in linked} == {
        name: linked[name] for name in customers if name in linked
    }
    assert [name for name in customers if name not in linked] == ["Quillfeather Books"]


def test_the_whole_fleet_is_read_and_counted_by_route(sandbox: SandboxThread, source: Pax8Source) -> None:
    readings = source.read_fleet(DAY, {})

    assert len(readings) == 5
    assert all(isinstance(reading, Reading) and reading.counts for reading in readings.values())
    calls = requests.get(f"{sandbox.url}/_sandbox/calls", timeout=10).json()
    assert calls["total"]["pax8"] == 3
    routes = {(call["method"], call["route"]) for call in calls["calls"] if call["system"] == "pax8"}
    assert routes == {("POST", "/token"), ("GET", "/companies"), ("GET", "/subscriptions")}


def test_dates_come_in_each_of_the_three_styles_of_pax8(sandbox: SandboxThread) -> None:
    told = sandbox.settings()
    asked = {"client_id": told["PAX8_CLIENT_ID"], "client_secret": told["PAX8_CLIENT_SECRET"]}
    asked |= {"audience": "https://api.pax8.com", "grant_type": "client_credentials"}
    token = requests.post(told["PAX8_TOKEN_URL"], json=asked, timeout=10).json()["access_token"]

    def get(path: str) -> list[dict]:
        headers = {"Authorization": f"Bearer {token}"}
        content = requests.get(f"{told['PAX8_URL']}{path}", headers=headers, timeout=10).json()["content"]
        return list(content)

    change(sandbox, company="Quillfeather Books", product="Larkmail Security", quantity=9, day="2026-11-11")
    subscriptions = get("/subscriptions?size=200")
    rows = subscriptions + [row for each in subscriptions for row in get(f"/subscriptions/{each['id']}/history")]
    dates = [row[name] for row in rows for name in ("startDate", "createdDate", "updatedDate")]
    styles = {"plain": r"\d{4}-\d\d-\d\d", "utc": r".*T[\d:.]+Z", "offset": r".*T[\d:.]+[+-]\d{4}"}
    told_in = {date: [name for name, style in styles.items() if re.fullmatch(style, date)] for date in dates}
    assert all(len(names) == 1 for names in told_in.values())
    assert {name for names in told_in.values() for name in names} == set(styles)


def test_a_quantity_that_is_changed_by_the_control_is_read_with_its_day(
    sandbox: SandboxThread, source: Pax8Source
) -> None:
    company = source.customers()[0]
    bought = change(sandbox, company=company.name, product="Larkmail Security", quantity=4, day="2026-11-02")
    before, _ = larkmail(source, company.id)
    change(sandbox, company=company.id, product="Larkmail Security", quantity=9, day="2026-11-11")
    after, days = larkmail(source, company.id)

    assert after == before + 5
    assert bought["quantity"] == 4
    assert (date(2026, 11, 11), after) in days


@pytest.mark.parametrize("fault", ["429-no-retry-after", "502-html", "truncated", "html-200", "short-page", "endless"])
def test_no_fault_of_pax8_is_taken_for_a_number(sandbox: SandboxThread, source: Pax8Source, fault: str) -> None:
    company = source.customers()[0]
    control(sandbox, "faults", [{"system": "pax8", "fault": fault, "route": "/subscriptions"}])
    assert isinstance(source.read(company.id, DAY), ReadFailure)

    control(sandbox, "faults", [])
    assert isinstance(source.read(company.id, DAY), Reading)


def test_a_fault_that_passes_is_waited_out(sandbox: SandboxThread, source: Pax8Source) -> None:
    company = source.customers()[0]
    control(sandbox, "faults", [{"system": "pax8", "fault": "reset-before", "route": "/subscriptions", "count": 2}])

    assert isinstance(source.read(company.id, DAY), Reading)


@pytest.mark.parametrize("wanted", [{"company": "Nobody"}, {"company": "Quillfeather Books", "product": "Nothing"}])
def test_the_control_says_what_there_is_not(sandbox: SandboxThread, wanted: dict) -> None:
    response = control(sandbox, "pax8", wanted)

    assert response.status_code == 404
    assert "there is no Pax8" in response.json()["error"]


def test_products_prices_invoices_and_drafts_are_there_for_the_real_source(
    sandbox: SandboxThread, source: Pax8Source
) -> None:
    november = date(2026, 11, 1)
    readings = [reading for reading in source.read_fleet(DAY, {}).values() if isinstance(reading, Reading)]
    sku = next(count.sku for reading in readings for count in reading.counts if count.sku.endswith(":monthly"))
    assert [offer.sku for offer in source.offers([sku])] == [sku]
    assert {charge.invoice for charge in source.charges(november, DAY)} == {None}

    made = requests.post(f"{sandbox.url}/_sandbox/pax8/invoices", json={"through": "2026-11-30"}, timeout=10).json()
    assert (made["invoiceDate"], made["status"]) == ("2026-11-04", "Unpaid")
    charges = source.charges(november, DAY)
    assert {charge.invoice for charge in charges} == {made["id"]}
    assert float(sum(charge.total for charge in charges)) == pytest.approx(made["total"])


def test_usage_is_posted_by_the_control_read_as_totals_and_charged_by_the_next_months_invoice(
    sandbox: SandboxThread, source: Pax8Source
) -> None:
    cloud = {"company": "Quillfeather Books", "product": "Driftwood Cloud"}
    for amount in (90, 40.5):
        change(sandbox, **cloud, usage=amount)
    bought = change(sandbox, **cloud, usage=2, resource_group="test")
    (told,) = source.used_so_far(DAY)
    assert (told.customer, float(told.cost or 0), told.currency) == (bought["companyId"], 42.5, "USD")
    assert not any(charge.used for charge in source.charges(date(2026, 12, 1), DAY))

    path = f"{sandbox.url}/pax8/v1/subscriptions/{bought['id']}/usage_summaries"
    assert requests.get(path, timeout=10).status_code == 404
    requests.post(f"{sandbox.url}/_sandbox/pax8/invoices", json={"through": "2026-12-04"}, timeout=10)
    (charged,) = (charge for charge in source.charges(date(2026, 12, 1), DAY) if charge.used)
    assert (charged.sku, float(charged.total)) == (told.sku, 42.5)
