"""A small made-up Manage for tests: records, and the REST API served from a thread on a free loopback port."""

from __future__ import annotations

import asyncio
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import requests
from aiohttp import web

from local.sandbox.clock import Clock
from local.sandbox.manage.account import Account
from local.sandbox.manage.app import manage_routes
from local.sandbox.manage.records import ManageRecords, Record
from local.sandbox.switches import Switches
from shared.manage.client import ManageClient
from shared.manage.settings import ManageSettings

NOW = datetime(2026, 11, 21, 2, tzinfo=UTC)
ACCOUNT = Account("acme", "PUB", "PRIV", "8f2c6c7e-0000-4000-8000-000000000001")
AGREEMENT = 501
PRODUCT = 88
CYCLES = {"Monthly": 1, "Quarterly": 2, "SemiAnnual": 3, "Yearly": 4, "Weekly": 5}


def small_msp() -> ManageRecords:
    """Two companies, one agreement without lines, two products and a bundle."""
    records = ManageRecords()
    for option, cycle in CYCLES.items():
        record = {"id": cycle, "identifier": option, "name": option, "billingOptions": option}
        records.add("billingCycles", record, now=NOW)
    records.add("agreementTypes", {"id": 7, "name": "Cloud Subscriptions"}, now=NOW)
    records.add("companies", {"id": 250, "identifier": "larkhill", "name": "Larkhill Dental"}, now=NOW)
    records.add("companies", {"id": 251, "identifier": "oakmere", "name": "Oakmere Joinery"}, now=NOW)
    add_product(records, PRODUCT, "M365-BP", price=22.5, cost=17.6, taxableFlag=True, customerDescription="Premium")
    add_product(records, 89, "M365-BS", price=14.0, cost=10.0, customerDescription="Standard")
    add_product(records, 90, "ALL-IN", price=99.0, cost=50.0, productClass="Bundle")
    add_agreement(records, AGREEMENT)
    return records


def add_product(records: ManageRecords, item: int, identifier: str, **more: Any) -> Record:
    record = {"id": item, "identifier": identifier, "description": f"Product {identifier}", **more}
    return records.add("catalog", record, now=NOW)


def add_agreement(records: ManageRecords, agreement: int, *, cycle: str = "Monthly", **more: Any) -> Record:
    record = {
        "id": agreement,
        "name": f"Cloud {agreement}",
        "type": {"id": 7, "name": "Cloud Subscriptions"},
        "company": {"id": 250, "identifier": "larkhill", "name": "Larkhill Dental"},
        "billingCycle": {"id": CYCLES[cycle], "name": cycle},
        "invoicingCycle": "CalendarYear",
        "periodType": "Current",
        "startDate": "2025-01-01T00:00:00Z",
        "billStartDate": "2025-01-01T00:00:00Z",
        "noEndingDateFlag": True,
        "nextInvoiceDate": "2026-12-01T00:00:00Z",
        "prorateFlag": False,
        "cancelledFlag": False,
        **more,
    }
    return records.add("agreements", record, now=NOW)


def add_line(records: ManageRecords, agreement: int = AGREEMENT, **more: Any) -> Record:
    """An old line of two units at 10.00; name other fields by their REST names."""
    record = {
        "agreementId": agreement,
        "product": {"id": PRODUCT, "identifier": "M365-BP", "serializedFlag": False},
        "quantity": 2.0,
        "unitPrice": 10.0,
        "unitCost": 8.0,
        "billCustomer": "Billable",
        "effectiveDate": "2025-01-01T00:00:00Z",
        **more,
    }
    return records.add("additions", record, now=NOW)


class RunningManage:
    """A Manage that is being served. `fault` is what the next handlers find in `request["fault"]`."""

    def __init__(self, records: ManageRecords, account: Account) -> None:
        self.records = records
        self.account = account
        self.clock = Clock(NOW)
        self.switches = Switches()
        self.fault: str | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def client(self) -> ManageClient:
        """A client of ours with the right keys."""
        account = self.account
        base_url = f"{self.url}/v4_6_release/apis/3.0"
        keys = {"public_key": account.public_key, "private_key": account.private_key, "client_id": account.client_id}
        return ManageClient(ManageSettings(base_url=base_url, site=None, company=account.company, **keys))

    def call(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, **query: Any
    ) -> requests.Response:
        """One REST call with the right keys; a path that begins with a slash is taken from the root."""
        address = self.url + (path if path.startswith("/") else f"/v4_6_release/apis/3.0/{path}")
        default = {"Authorization": self.account.authorization, "clientId": self.account.client_id}
        return requests.request(
            method, address, json=body, params=query, headers={**default, **(headers or {})}, timeout=10
        )

    def get(self, path: str, **query: Any) -> Any:
        """The JSON of a GET that must succeed."""
        response = self.call("GET", path, **query)
        assert response.status_code == 200, response.text
        return response.json()


@contextmanager
def served(
    records: ManageRecords | None = None, *, account: Account = ACCOUNT, middlewares: Sequence[Any] = ()
) -> Iterator[RunningManage]:
    """Serves a Manage until the block ends."""
    manage = RunningManage(small_msp() if records is None else records, account)

    @web.middleware
    async def pass_fault(request: web.Request, handler: Any) -> web.StreamResponse:
        if manage.fault:
            with warnings.catch_warnings():
                # aiohttp would like a typed key; the sandbox's handlers are written against the plain string.
                warnings.simplefilter("ignore", web.NotAppKeyWarning)
                request["fault"] = manage.fault
        return await handler(request)

    app = web.Application(middlewares=[*middlewares, pass_fault])
    app.add_routes(manage_routes(manage.records, manage.clock, manage.switches, account))
    loop, runner, ready = asyncio.new_event_loop(), web.AppRunner(app, shutdown_timeout=0.1), threading.Event()

    async def start() -> None:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        manage.port = runner.addresses[0][1]
        ready.set()

    def run() -> None:
        loop.run_until_complete(start())
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())
        loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        assert ready.wait(10), "the sandbox did not start"
        yield manage
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
