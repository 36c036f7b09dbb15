"""A Microsoft Graph that lives in a function: it holds tenants, answers requests and remembers them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import httpx
from azure.core.credentials import AccessToken

from shared.sources.microsoft365 import Microsoft365Source, MicrosoftSettings

GRAPH_URL = "https://graph.microsoft.com/v1.0"
PARTNER = "aaaaaaaa-0000-4000-8000-000000000001"
TENANT = "bbbbbbbb-0000-4000-8000-000000000001"
OTHER = "bbbbbbbb-0000-4000-8000-000000000002"
SPB = "cbdc14ab-d96c-4c30-b9f4-6ada7cdc1d46"
FLOW_FREE = "f30db892-07e9-47e9-837c-80727f46fd3d"
CLIENT = "cccccccc-0000-4000-8000-000000000001"
REQUEST_ID = "dddddddd-0000-4000-8000-000000000001"

Json = dict[str, Any]


def sku_row(
    sku: str = SPB, part: str = "SPB", *, enabled: Any = 10, warning: Any = 0, consumed: Any = 2, **more: Any
) -> Json:
    units = {"enabled": enabled, "warning": warning, "suspended": 0, "lockedOut": 0}
    row = {"skuId": sku, "skuPartNumber": part, "appliesTo": "User", "consumedUnits": consumed, "prepaidUnits": units}
    return row | more


def subscription_row(key: int = 1, sku: str = SPB, part: str = "SPB", *, quantity: Any = 10, **more: Any) -> Json:
    row = {
        "id": f"eeeeeeee-0000-4000-8000-{key:012}",
        "commerceSubscriptionId": f"ffffffff-0000-4000-8000-{key:012}",
        "skuId": sku,
        "skuPartNumber": part,
        "status": "Enabled",
        "totalLicenses": quantity,
        "isTrial": False,
        "ownerTenantId": PARTNER,
        "createdDateTime": "2026-01-15T11:24:42.3148266Z",
        "nextLifecycleDateTime": "2027-01-15T00:00:00Z",
    }
    return row | more


def group_row(key: int = 1, name: str = "Front desk", **more: Any) -> Json:
    return {"id": f"77777777-0000-4000-8000-{key:012}", "displayName": name, "visibility": None} | more


def user_row(key: int, *skus: str, name: str | None = None, **more: Any) -> Json:
    row = {
        "id": f"99999999-0000-4000-8000-{key:012}",
        "displayName": name or f"Person {key}",
        "userPrincipalName": f"person{key}@alder.example",
        "accountEnabled": True,
        "userType": "Member",
        "assignedLicenses": [{"skuId": sku, "disabledPlans": []} for sku in skus or (SPB,)],
    }
    return row | more


@dataclass
class FakeTenant:
    """What one tenant holds."""

    name: str = "Alder Dental"
    skus: list[Json] = field(default_factory=list)
    subscriptions: list[Json] = field(default_factory=list)
    users: list[Json] = field(default_factory=list)
    customers: list[Json] = field(default_factory=list)
    contracts: list[Json] = field(default_factory=list)
    domains: Any = field(default_factory=list)
    groups: list[Json] = field(default_factory=list)
    members: dict[str, list[Json]] = field(default_factory=dict)


def small_tenant() -> FakeTenant:
    return FakeTenant(
        skus=[sku_row(), sku_row(FLOW_FREE, "FLOW_FREE", enabled=10_000, consumed=1)],
        subscriptions=[subscription_row()],
        users=[user_row(1), user_row(2, SPB, FLOW_FREE)],
    )


def refusal(status: int, code: str, **headers: str) -> httpx.Response:
    body = {"error": {"code": code, "message": "No.", "innerError": {"request-id": REQUEST_ID}}}
    return httpx.Response(status, json=body, headers=headers)


@dataclass
class FakeGraph:
    """`answers` are given to the next calls, one each, instead of what Graph would say; `item_answers` to the next
    batch items of a path, as (status, headers, body)."""

    tenants: dict[str, FakeTenant] = field(default_factory=lambda: {TENANT: small_tenant()})
    calls: list[str] = field(default_factory=list)
    batches: list[list[str]] = field(default_factory=list)
    authorizations: list[str] = field(default_factory=list)
    answers: list[httpx.Response | Exception] = field(default_factory=list)
    item_answers: dict[str, list[tuple[int, dict[str, str], Any]]] = field(default_factory=dict)
    change_items: Callable[[list[Json]], list[Json]] = lambda items: items
    page_size: int = 300
    no_sign_ins: int | None = None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.calls.append(f"{request.method} {request.url.path}")
        self.authorizations.append(request.headers.get("authorization", ""))
        if self.answers:
            answer = self.answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer
        tenant = self.tenants[request.headers["authorization"].removeprefix("Bearer token-of-")]
        if request.url.path == "/v1.0/$batch":
            return httpx.Response(200, json={"responses": self._items(tenant, json.loads(request.content)["requests"])})
        status, body = self._list(tenant, str(request.url).removeprefix(GRAPH_URL), dict(request.headers))
        return httpx.Response(status, json=body)

    def _items(self, tenant: FakeTenant, requests: list[Json]) -> list[Json]:
        self.batches.append([urlsplit(request["url"]).path for request in requests])
        items = []
        for request in reversed(requests):
            if planned := self.item_answers.get(urlsplit(request["url"]).path):
                status, headers, body = planned.pop(0)
            else:
                headers = {name.lower(): value for name, value in request.get("headers", {}).items()}
                status, body = self._list(tenant, request["url"], headers)
                headers = {"Content-Type": "application/json"}
            items.append({"id": request["id"], "status": status, "headers": headers, "body": body})
        return self.change_items(items)

    def _list(self, tenant: FakeTenant, url: str, headers: dict[str, str]) -> tuple[int, Json]:
        path, query = urlsplit(url).path, parse_qs(urlsplit(url).query)
        if path == "/subscribedSkus":
            return 200, {"value": tenant.skus}
        if path == "/directory/subscriptions":
            return 200, {"value": tenant.subscriptions}
        if path == "/organization":
            return 200, {"value": [{"id": "x", "displayName": tenant.name, "verifiedDomains": tenant.domains}]}
        if path == "/tenantRelationships/delegatedAdminCustomers":
            return 200, _page(tenant.customers, url, query, self.page_size)
        if path == "/contracts":
            return 200, _page(tenant.contracts, url, query, self.page_size)
        if path == "/users" and "$filter" not in query:
            if self.no_sign_ins is not None and "signInActivity" in query["$select"][0]:
                return self.no_sign_ins, {
                    "error": {"code": "Authentication_RequestFromNonPremiumTenant", "message": "No."}
                }
            return 200, _page(tenant.users, url, query, int(query["$top"][0]))
        if path == "/users":
            if headers.get("consistencylevel") != "eventual" or "$count" not in unquote(url):
                return 400, {"error": {"code": "Request_UnsupportedQuery", "message": "No."}}
            return 200, _page(tenant.users, url, query, 999)
        if path.startswith("/groups"):
            return _groups(tenant, path, url, query)
        return 404, _NOT_FOUND


_NOT_FOUND: Json = {"error": {"code": "Request_ResourceNotFound", "message": "No."}}


def _groups(tenant: FakeTenant, path: str, url: str, query: dict[str, list[str]]) -> tuple[int, Json]:
    """Groups by name, one by its id, or everything in one."""
    if path == "/groups":
        name = query["$filter"][0].removeprefix("displayName eq '")[:-1].replace("''", "'").casefold()
        return 200, {"value": [row for row in tenant.groups if row["displayName"].casefold() == name]}
    key, _, rest = path.removeprefix("/groups/").partition("/")
    found = next((row for row in tenant.groups if row["id"] == key), None)
    if found is None:
        return 404, _NOT_FOUND
    return (200, _page(tenant.members.get(key, []), url, query, 999)) if rest == "transitiveMembers" else (200, found)


def _page(rows: list[Json], url: str, query: dict[str, list[str]], size: int) -> Json:
    start = int(query.get("$skiptoken", ["0"])[0])
    page: Json = {"value": rows[start : start + size]}
    if start + size < len(rows):
        path = url.split("&$skiptoken", maxsplit=1)[0].replace(" ", "%20")
        page["@odata.nextLink"] = f"{GRAPH_URL}{path}&$skiptoken={start + size}"
    return page


@dataclass
class FakeCredential:
    """Gives every tenant its own token; `failures` by tenant are raised instead."""

    failures: dict[str, Exception] = field(default_factory=dict)
    asked: list[tuple[tuple[str, ...], str | None]] = field(default_factory=list)

    def get_token(self, *scopes: str, tenant_id: str | None = None, **_options: Any) -> AccessToken:
        self.asked.append((scopes, tenant_id))
        if tenant_id in self.failures:
            raise self.failures[tenant_id]
        return AccessToken(f"token-of-{tenant_id}", 4_102_444_800)


def settings(**changes: Any) -> MicrosoftSettings:
    values: dict[str, Any] = {
        "partner_tenants": (PARTNER,),
        "direct_tenants": (),
        "client_id": CLIENT,
        "credential": "secret",
        "client_secret": "hush-hush",
    }
    return MicrosoftSettings(**(values | changes))


def source(
    graph: Callable[[httpx.Request], httpx.Response],
    credential: FakeCredential | None = None,
    waits: list[float] | None = None,
    **changes: Any,
) -> Microsoft365Source:
    """A source before the fake; the seconds it would have waited are added to `waits`."""
    waited = [] if waits is None else waits
    return Microsoft365Source(
        settings(**changes),
        credential=credential or FakeCredential(),
        http=httpx.MockTransport(graph),
        sleep=waited.append,
    )
