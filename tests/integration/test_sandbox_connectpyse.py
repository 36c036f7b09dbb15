"""Contract: connectpyse-manage, a library others wrote for the true Manage, works against the sandbox unchanged."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from aiohttp import web
from connectwise import (
    ConnectWiseAPIError,
    ConnectWiseAuthenticationError,
    ConnectWiseBadRequestError,
    ConnectWiseClient,
    ConnectWiseRateLimitError,
)

from local.sandbox.manage.invoices import run_invoices
from tests.unit.sandbox_manage import AGREEMENT, PRODUCT, RunningManage, add_agreement, add_line, served, small_msp

ADDITIONS = f"finance/agreements/{AGREEMENT}/additions"


def client_of(manage: RunningManage, **other: Any) -> ConnectWiseClient:
    account = manage.account
    keys = {"username": account.public_key, "password": account.private_key, "client_id": account.client_id, **other}
    return ConnectWiseClient(base_url=manage.url, client=account.company, **keys)


@pytest.fixture
def manage() -> Iterator[RunningManage]:
    with served() as running:
        yield running


@pytest.fixture
def client(manage: RunningManage) -> ConnectWiseClient:
    return client_of(manage)


def test_it_lists_companies_and_a_companys_agreements(manage, client):
    add_agreement(manage.records, 502, company={"id": 251, "identifier": "oakmere", "name": "Oakmere Joinery"})
    add_agreement(manage.records, 503, cancelledFlag=True)
    assert [company.name for company in client.get_companies()] == ["Larkhill Dental", "Oakmere Joinery"]
    assert [company.id for company in client.get_companies(conditions='name like "oak%"')] == [251]
    [agreement] = client.get_company_agreements(250)
    assert (agreement.id, agreement.name) == (AGREEMENT, "Cloud 501")
    assert client.get_agreement_count(conditions="cancelledFlag = true") == 1
    assert [found.id for found in client.get_agreements(orderby="id desc", limit=2)] == [503, 502]


def test_it_creates_changes_and_deletes_an_addition(client):
    made = client.create_agreement_addition(
        AGREEMENT,
        PRODUCT,
        12,
        unit_price=19.95,
        effective_date="2026-12-01T00:00:00Z",
        description="Premium",
        uom="Each",
    )
    assert (made.product_identifier, made.quantity, made.extPrice) == ("M365-BP", 12.0, 239.4)
    changed = client.patch(ADDITIONS, made.id, [{"op": "replace", "path": "quantity", "value": 14}])
    assert changed["quantity"] == 14.0
    [read] = client.get_agreement_additions(AGREEMENT, conditions="cancelledDate = null")
    assert (read.id, read.quantity, read.effective_datetime.date()) == (made.id, 14.0, date(2026, 12, 1))
    put = client.put(ADDITIONS, made.id, {"product": {"id": PRODUCT}, "billCustomer": "NoCharge", "quantity": 1})
    assert (put["billCustomer"], put["unitPrice"]) == ("NoCharge", 22.5)
    assert client.delete(ADDITIONS, made.id) is True
    assert client.get_agreement_additions(AGREEMENT) == []


def test_it_pages_through_more_than_a_thousand_additions():
    records = small_msp()
    for _ in range(1001):
        add_line(records)
    with served(records) as manage:
        found = client_of(manage).get_agreement_additions(AGREEMENT)
    assert [line.id for line in found] == list(range(1, 1002))


def test_it_reads_what_is_not_there_as_none(client):
    assert client.get_agreement(777) is None
    assert client.get_agreement_addition(AGREEMENT, 777) is None
    assert client.patch(ADDITIONS, 777, [{"op": "replace", "path": "quantity", "value": 1}]) is None
    assert client.delete(ADDITIONS, 777) is False
    assert client.get_agreement_additions(777) == []


def test_it_understands_refusals(manage, client):
    with pytest.raises(ConnectWiseBadRequestError) as refusal:
        client.post(ADDITIONS, {"quantity": 1})
    assert refusal.value.response_data["errors"][0]["field"] == "product"
    with pytest.raises(ConnectWiseBadRequestError, match="colour is not a recognized name"):
        client.get_agreements(conditions='colour = "red"')
    with pytest.raises(ConnectWiseAuthenticationError, match="Incorrect public/private key"):
        client_of(manage, password="wrong").get_companies()
    with pytest.raises(ConnectWiseAPIError) as forbidden:
        client_of(manage, client_id="unknown").get_companies()
    assert forbidden.value.status_code == 403


def test_it_reads_the_invoices_of_an_agreement(manage, client):
    add_line(manage.records, quantity=3.0)
    run_invoices(manage.records, manage.clock, manage.switches, date(2026, 12, 1))
    [invoice] = client.get_agreement_invoices(AGREEMENT)
    assert (invoice.total, invoice.invoiceNumber) == (30.0, "10001")


class Throttle:
    """Answers 429 with `Retry-After: 0` to the first calls, and counts all of them."""

    def __init__(self, refusals: int) -> None:
        self.refusals = refusals
        self.calls = 0

    def middleware(self) -> Any:
        @web.middleware
        async def throttle(request: web.Request, handler: Any) -> web.StreamResponse:
            self.calls += 1
            if self.calls <= self.refusals:
                body = {"error": "ConnectWiseAPI", "message": "Too many requests"}
                return web.json_response(body, status=429, headers={"Retry-After": "0"})
            return await handler(request)

        return throttle


def test_it_waits_and_repeats_when_throttled():
    throttle = Throttle(refusals=2)
    with served(middlewares=[throttle.middleware()]) as manage:
        assert client_of(manage).get_company(250).name == "Larkhill Dental"
    assert throttle.calls == 3


def test_it_gives_up_when_throttled_for_good():
    throttle = Throttle(refusals=100)
    with served(middlewares=[throttle.middleware()]) as manage, pytest.raises(ConnectWiseRateLimitError):
        client_of(manage).get_company(250)
    assert throttle.calls == 4
