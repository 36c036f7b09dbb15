"""The partner billing export behind a function: months of usage, operations that take a few looks, and files."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx

from shared.errors import Incomplete, TrueUpError
from shared.sources.azure import AzureSettings, AzureSource
from shared.state.usage import UsageStore
from tests.fakes.tables import InMemoryTables
from tests.unit.fake_graph import GRAPH_URL, PARTNER, TENANT, FakeCredential, refusal, settings

DAY = date(2026, 11, 21)
SECRET = "sig=hush-hush"
BEGIN = "POST /v1.0/reports/partners/billing/usage/unbilled/export"
Json = dict[str, Any]


def row(day: str, amount: str | float, *, customer: str = TENANT, subscription: str = "sub-1", **more: Any) -> Json:
    return {
        "customerId": customer,
        "customerName": "Alder Dental",
        "subscriptionId": "plan-1",
        "entitlementId": subscription,
        "usageDate": f"{day}T00:00:00Z",
        "billingPreTaxTotal": amount,
        "billingCurrency": "USD",
    } | more


def packed(*rows: Json) -> bytes:
    return gzip.compress("".join(json.dumps(each) + "\n" for each in rows).encode())


@dataclass
class FakeBilling:
    """`rows` by billing period; an operation is ready after `looks`. `status` is what a finished one says."""

    rows: dict[str, list[Json]] = field(default_factory=lambda: {"current": [], "last": []})
    looks: int = 0
    status: str = "completed"
    manifest: Json = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    bodies: list[Json] = field(default_factory=list)
    operations: dict[str, list[Any]] = field(default_factory=dict)
    files: dict[str, list[bytes]] = field(default_factory=dict)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.calls.append(f"{request.method} {request.url.path}")
        assert request.headers["authorization"] == f"Bearer token-of-{PARTNER}"
        if request.method == "POST":
            body = json.loads(request.content)
            self.bodies.append(body)
            name = f"op-{len(self.operations) + 1}"
            self.operations[name] = [body["billingPeriod"], self.looks]
            location = f"{GRAPH_URL}/reports/partners/billing/operations/{name}"
            return httpx.Response(202, headers={"Location": location})
        name = request.url.path.rpartition("/")[2]
        if name not in self.operations:
            return refusal(404, "NotFound")
        period, left = self.operations[name]
        if left:
            self.operations[name][1] -= 1
            return httpx.Response(200, json={"id": name, "status": "running"}, headers={"Retry-After": "300"})
        self.files[f"{name}/part 1.json.gz"] = [packed(*self.rows[period])]
        manifest = {
            "rootDirectory": f"https://usage.blob.core.windows.net/{name}",
            "sasToken": SECRET,
            "dataFormat": "compressedJSONLines",
            "blobCount": 1,
            "blobs": [{"name": "part 1.json.gz", "partitionValue": "default"}],
        }
        return httpx.Response(200, json={"status": self.status, "resourceLocation": manifest | self.manifest})

    def pieces(self, address: str, /) -> Iterator[bytes]:
        place, _, key = address.removeprefix("https://usage.blob.core.windows.net/").partition("?")
        if key != SECRET:
            raise Incomplete("a file was not given", system="Azure billing", remedy="Wait.")
        yield from self.files[place.replace("%20", " ")]


@dataclass
class Azure:
    """A source before the fake, with a store and a clock that the test moves."""

    billing: FakeBilling = field(default_factory=FakeBilling)
    now: datetime = datetime(2026, 11, 21, 2, tzinfo=UTC)
    credential: FakeCredential = field(default_factory=FakeCredential)
    graph: Any = None
    waits: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store = UsageStore(InMemoryTables())
        self.source = AzureSource(
            AzureSettings(settings(), "USD"),
            self.store,
            lambda: self.now,
            credential=self.credential,
            http=httpx.MockTransport(self.graph or self.billing),
            sleep=self.waits.append,
            blobs=self.billing,
        )

    def night(self, day: date) -> None:
        """The exports are begun at two, and fetched half an hour later."""
        self.now = datetime(day.year, day.month, day.day, 2, tzinfo=UTC)
        self.begin()
        self.now += timedelta(minutes=30)
        self.fetch()

    def begin(self) -> None:
        with suppress(TrueUpError):
            self.source.read_fleet(self.now.date(), {})

    def fetch(self) -> None:
        with suppress(TrueUpError):
            self.source.fetch_prepared()

    def used(self, start: date, end: date) -> Decimal | None:
        """What the reading says that was used, None where it is not known to the end."""
        reading = self.source.read(TENANT, self.now.date())
        (count,) = reading.counts  # type: ignore[union-attr]
        usages = [part.usage.within(start, end) for part in count.subscriptions or () if part.usage is not None]
        return None if None in usages else sum((each for each in usages if each is not None), Decimal(0))
