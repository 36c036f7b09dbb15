"""The partner billing exports: begun, ready some minutes later by the clock, then files that only their key opens.

One holds usage of Azure by customer, subscription and day, the other what licences cost; the month before is empty from
the eighth day of a month on, when Microsoft has invoiced it. Half of the amounts are text, half are numbers, and each
file has two parts.
"""

from __future__ import annotations

import gzip
import json
import uuid
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from local.sandbox.clock import Clock
from local.sandbox.graph import Graph, GraphProblem, error_body
from local.sandbox.graph.routes import PREFIX
from local.sandbox.licence_charges import charge_rows
from local.sandbox.world import Msp
from shared.errors import Gone

_BILLING = f"{PREFIX}/reports/partners/billing"
_FILES = "/azure-usage"
#: The day of a month on which Microsoft has invoiced the month before.
_INVOICED_ON = 8
_TAKES = timedelta(minutes=5)
Row = dict[str, Any]


class AzureUsage(BaseModel):
    """What one customer's subscription used on a day, in the partner's currency; it replaces what was said before."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tenant: str
    subscription: str
    day: date
    amount: Annotated[Decimal, Field(max_digits=18)]


@dataclass(frozen=True, slots=True)
class _Operation:
    """One export: the billing month that it is of, of usage or of licences, its files' key, and when it is ready."""

    month: date
    of: str
    key: str
    ready: datetime


@dataclass(slots=True)
class AzureBilling:
    """All usage of the made-up MSP's customers by tenant, subscription and day, and the exports of it."""

    msp: Msp
    clock: Clock
    currency: str = "USD"
    used: dict[tuple[str, str, date], Decimal] = field(default_factory=dict)
    operations: dict[str, _Operation] = field(default_factory=dict)

    def use(self, usage: AzureUsage) -> Row:
        tenant = self.msp.tenant_named(usage.tenant)
        if tenant is None:
            raise Gone(f"there is no tenant {usage.tenant!r}", system="sandbox", remedy="GET /_sandbox/msp lists them.")
        self.used[tenant.id, usage.subscription, usage.day] = usage.amount
        sums: defaultdict[str, Decimal] = defaultdict(Decimal)
        for (key, _, day), amount in self.used.items():
            sums[f"{day:%Y-%m}"] += amount if key == tenant.id else 0
        return {"tenant": tenant.id, "months": {month: str(amount) for month, amount in sorted(sums.items())}}

    def begin(self, body: Row, of: str) -> str:
        """The id of a new export, of `usage` or of `reconciliation`."""
        if body.get("currencyCode") != self.currency or body.get("attributeSet") not in ("full", "basic"):
            raise GraphProblem(400, "BadRequest", "currencyCode or attributeSet is not valid.")
        month = self.clock.today().replace(day=1)
        if body.get("billingPeriod") == "last":
            month = (month - timedelta(days=1)).replace(day=1)
        elif body.get("billingPeriod") != "current":
            raise GraphProblem(400, "BadRequest", "billingPeriod is not valid.")
        name = str(uuid.uuid4())
        self.operations[name] = _Operation(month, of, f"sig={uuid.uuid4()}", self.clock.now() + _TAKES)
        return name

    def look(self, name: str, root: str) -> Row:
        """How far an export is; its manifest when it is ready."""
        operation = self._operation(name)
        if self.clock.now() < operation.ready:
            return {"id": name, "status": "running"}
        blobs = [{"name": f"part-0000{part}.json.gz", "partitionValue": "default"} for part in range(2)]
        manifest = {
            "rootDirectory": f"{root}{_FILES}/{name}",
            "sasToken": operation.key,
            "dataFormat": "compressedJSONLines",
            "blobCount": len(blobs),
            "blobs": blobs,
            "eTag": name,
            "schemaVersion": "2",
        }
        return {"id": name, "status": "completed", "resourceLocation": manifest}

    def file(self, name: str, blob: str, key: str) -> bytes:
        """One packed file; what its key does not open is refused."""
        operation = self._operation(name)
        if key != operation.key or blob[:-8] not in ("part-00000", "part-00001"):
            raise GraphProblem(403, "AuthenticationFailed", "Server failed to authenticate the request.")
        rows = self._rows(operation)[int(blob[9]) :: 2]
        return gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode())

    def _rows(self, operation: _Operation) -> list[Row]:
        today, month = self.clock.today(), operation.month
        if month < today.replace(day=1) and today.day >= _INVOICED_ON:
            return []
        if operation.of == "reconciliation":
            return list(charge_rows(self.msp, self.msp.partners[0].id, month, self.currency))
        known = [key for key in sorted(self.used) if key[2].replace(day=1) == month and key[2] < today]
        return [self._row(*key, at=at) for at, key in enumerate(known)]

    def _row(self, tenant: str, subscription: str, day: date, *, at: int) -> Row:
        amount = self.used[tenant, subscription, day]
        return {
            "CustomerId": tenant,
            "CustomerName": self.msp.tenants[tenant].name,
            "SubscriptionId": str(uuid.uuid5(uuid.UUID(tenant), "azure-plan")),
            "EntitlementId": subscription,
            "UsageDate": f"{day}T00:00:00Z",
            "BillingPreTaxTotal": float(amount) if at % 2 else str(amount),
            "BillingCurrency": self.currency,
            "Tags": "",
        }

    def _operation(self, name: str) -> _Operation:
        found = self.operations.get(name)
        if found is None:
            raise GraphProblem(404, "NotFound", "There is no such operation.")
        return found


def azure_routes(billing: AzureBilling, graph: Graph) -> list[web.RouteDef]:
    """The export for tokens of partner tenants, and its files for whoever has their key."""

    def as_partner(request: web.Request) -> None:
        tenant = graph.caller(request.headers.get("Authorization", ""))
        if all(partner.id != tenant.id for partner in billing.msp.partners):
            raise GraphProblem(403, "Authorization_RequestDenied", "Insufficient privileges.")

    async def begin(request: web.Request) -> web.Response:
        body = await request.json()

        def work() -> web.Response:
            as_partner(request)
            name = billing.begin(body, request.match_info["of"])
            place = f"{request.scheme}://{request.host}{_BILLING}/operations/{name}"
            return web.Response(status=202, headers={"Location": place})

        return _answered(work)

    async def look(request: web.Request) -> web.Response:
        def work() -> web.Response:
            as_partner(request)
            body = billing.look(request.match_info["id"], f"{request.scheme}://{request.host}")
            wait = {"Retry-After": "300"} if body["status"] == "running" else {}
            return web.json_response(body, headers=wait)

        return _answered(work)

    async def file(request: web.Request) -> web.Response:
        names = request.match_info["id"], request.match_info["name"], request.query_string
        return _answered(lambda: web.Response(body=billing.file(*names), content_type="application/octet-stream"))

    return [
        web.post(f"{_BILLING}/{{of:usage|reconciliation}}/unbilled/export", begin),
        web.get(f"{_BILLING}/operations/{{id}}", look),
        web.get(f"{_FILES}/{{id}}/{{name}}", file),
    ]


def _answered(work: Callable[[], web.Response]) -> web.Response:
    try:
        return work()
    except GraphProblem as problem:
        return web.json_response(error_body(problem.code, problem.message), status=problem.status)
