"""A small ConnectWise Manage in memory, as a transport: it holds state, counts requests and fails on demand."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from shared.http.wire import Answer, NoAnswer
from shared.manage.client import ManageClient
from shared.manage.session import Session
from shared.manage.settings import ManageSettings

BASE = "https://manage.test/v4_6_release/apis/3.0"
PRIVATE_KEY = "the-private-key-nobody-sees"


def settings(**changes: Any) -> ManageSettings:
    values: dict[str, Any] = {
        "base_url": BASE,
        "site": None,
        "company": "birchline",
        "public_key": "PUB",
        "private_key": PRIVATE_KEY,
        "client_id": "0f6d2c9e-3b41-4a57-8e0d-c5a1b7e92d34",
    }
    return ManageSettings(**{**values, **changes})


def answer(body: Any, status: int = 200, **headers: str) -> Answer:
    named = {"X-CW-Request-Id": "request-1", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return Answer(status, named, body if isinstance(body, str) else json.dumps(body))


def no(status: int, code: str = "InvalidObject", message: str = "it is invalid", **headers: str) -> Answer:
    return answer({"code": code, "message": message, "errors": None}, status, **headers)


RESET = NoAnswer("the connection broke before the answer was complete", sent=True)
NOT_CONNECTED = NoAnswer("no connection could be made", sent=False)


@dataclass(frozen=True)
class Request:
    """What reached the other side."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None
    timeout: float

    @property
    def path(self) -> str:
        return urlsplit(self.url).path.partition("/apis/3.0")[2]

    @property
    def query(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(urlsplit(self.url).query).items()}

    @property
    def json(self) -> Any:
        return json.loads(self.body or b"null")


Handler = Callable[[Request], Answer | NoAnswer]


class FakeTransport:
    """Answers with a function from request to answer; first come the `faults`, in their order, each for one request."""

    def __init__(self, handler: Handler, faults: list[Answer | NoAnswer] | None = None) -> None:
        self.handler = handler
        self.faults = faults or []
        self.requests: list[Request] = []

    def send(self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None, timeout: float) -> Answer:
        request = Request(method, url, headers, body, timeout)
        self.requests.append(request)
        result = self.faults.pop(0) if self.faults else self.handler(request)
        if isinstance(result, NoAnswer):
            raise result
        return result

    def count(self, method: str, path: str = "") -> int:
        return sum(request.method == method and path in request.path for request in self.requests)


@dataclass
class Time:
    """A clock that only pauses move."""

    now: float = 1000.0
    pauses: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


@dataclass
class FakeManage:
    """Lists by path; additions can be written. `ignores` are fields whose writes have no effect."""

    lists: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    ignores: frozenset[str] = frozenset()

    def __call__(self, request: Request) -> Answer:
        rows = self.lists.get(request.path)
        if rows is not None and request.method == "GET":
            after = re.search(r"id > (\d+)$", request.query.get("conditions", ""))
            left = [row for row in rows if after is None or row["id"] > int(after[1])]
            size, page = int(request.query["pageSize"]), int(request.query["page"])
            return answer(left[(page - 1) * size : page * size])
        if rows is not None and request.method == "POST":
            row = {"id": 9000 + len(rows), **self._kept(request.json)}
            rows.append(row)
            return answer(row, 201)
        return self._one(request)

    def _one(self, request: Request) -> Answer:
        parent, _, name = request.path.rpartition("/")
        row = next((row for row in self.lists.get(parent, []) if str(row["id"]) == name), None)
        if row is None:
            return no(404, "NotFound", f"{name} not found")
        if request.method == "DELETE":
            self.lists[parent].remove(row)
            return answer("", 204)
        for operation in request.json:
            if operation["path"] in self.ignores:
                continue
            if operation["op"] == "remove":
                row.pop(operation["path"], None)
            else:
                row[operation["path"]] = operation["value"]
        return answer(row)

    def _kept(self, body: dict[str, Any]) -> dict[str, Any]:
        defaults = {"unitPrice": 0.0, "unitCost": 0.0}
        return {**defaults, **{name: value for name, value in body.items() if name not in self.ignores}}


def session_of(
    *faults: Answer | NoAnswer, handler: Handler = lambda request: answer([]), **changes: Any
) -> tuple[Session, FakeTransport, Time]:
    """A session whose pauses move its clock, and whose chance takes nothing away from them."""
    transport, time = FakeTransport(handler, list(faults)), Time()
    session = Session(settings(**changes), transport=transport, pause=time.pause, clock=time, chance=lambda: 0.0)
    return session, transport, time


def client_of(
    handler: Handler,
    *faults: Answer | NoAnswer,
    time: Time | None = None,
    **changes: Any,
) -> tuple[ManageClient, FakeTransport]:
    """A real client around a fake other side."""
    transport = FakeTransport(handler, list(faults))
    time = time or Time()
    return ManageClient(settings(**changes), transport=transport, pause=time.pause, clock=time), transport


def addition_row(number: int = 9001, **changes: Any) -> dict[str, Any]:
    """An addition as Manage answers it: with fields that nobody reads, and without those that are unset."""
    return {
        "id": number,
        "agreementId": 501,
        "product": {"id": 88, "identifier": "M365-BP", "serializedFlag": False, "_info": {}},
        "quantity": 12.0,
        "lessIncluded": 0.0,
        "billedQuantity": 12.0,
        "unitPrice": 25.10,
        "unitCost": 20.0,
        "billCustomer": "Billable",
        "effectiveDate": "2026-03-01T00:00:00Z",
        "taxableFlag": True,
        "extPrice": 301.2,
        "_info": {"lastUpdated": "2026-03-01T02:00:00Z"},
        **changes,
    }


def agreement_row(number: int = 501, company: int = 250, **changes: Any) -> dict[str, Any]:
    return {
        "id": number,
        "name": "Managed Services",
        "type": {"id": 3, "name": "Managed"},
        "company": {"id": company, "identifier": "ALDERBY", "name": "Alderby Dental"},
        "agreementStatus": "Active",
        "billingCycle": {"id": 2, "name": "Every month"},
        "invoicingCycle": "CalendarYear",
        "periodType": "Current",
        "startDate": "2025-01-01T00:00:00Z",
        "noEndingDateFlag": True,
        "billStartDate": "2025-01-01T00:00:00Z",
        "nextInvoiceDate": "2026-04-01T00:00:00Z",
        "prorateFlag": False,
        "currency": {"id": 1, "currencyCode": "USD", "name": "US Dollars"},
        **changes,
    }


def product_row(number: int = 88, identifier: str = "M365-BP", **changes: Any) -> dict[str, Any]:
    return {
        "id": number,
        "identifier": identifier,
        "description": "Microsoft 365 Business Premium",
        "price": 25.1,
        "cost": 20.0,
        "inactiveFlag": False,
        **changes,
    }


CYCLES = [{"id": 2, "name": "Every month", "billingOptions": "Monthly"}]
