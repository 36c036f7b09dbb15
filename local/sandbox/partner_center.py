"""Partner Center: what a partner tenant sold to each of its customers, with terms, for tokens of its own.

Answers begin with a byte order mark, and times have seven digits behind the second. What another partner sold is not
listed. What does not renew by itself is committed to until a day far in the future; what was sold before the new
commerce ends on the day after its last.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from aiohttp import web

from local.sandbox.clock import Clock
from local.sandbox.entra import PARTNER_CENTER, Tokens
from local.sandbox.world import Msp, Subscription, Tenant
from local.sandbox.world.model import part_number

PREFIX = "/partnercenter/v1"
_FAR_AWAY = "9999-12-31T00:00:00Z"
_STATUSES = {"Enabled": "active", "Warning": "expired", "Suspended": "suspended", "Deleted": "deleted"}
#: After it was bought, so many days may a subscription be cancelled.
_WINDOW = timedelta(days=7)
#: What renews within so many days may have been bought for a month.
_MONTH = 31
Row = dict[str, Any]


class _Problem(Exception):
    def __init__(self, status: int, code: int, text: str) -> None:
        super().__init__(text)
        self.status, self.code, self.text = status, code, text


def partner_center_routes(msp: Msp, tokens: Tokens, clock: Clock) -> list[web.RouteDef]:
    """The two lists that a partner's app may read."""

    def partner(request: web.Request) -> str:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        tenant = tokens.tenant_of(token, PARTNER_CENTER) if scheme.casefold() == "bearer" else None
        if tenant is None:
            raise _Problem(401, 3000, "The token is not valid.")
        if all(each.id != tenant for each in msp.partners):
            raise _Problem(403, 2000, "The caller is not a partner.")
        return tenant

    async def customers(request: web.Request) -> web.Response:
        def work() -> list[Row]:
            rows = [_customer(tenant) for tenant in msp.customers_of(partner(request))]
            return rows[: int(request.query.get("size", "500"))]

        return _answered(work)

    async def subscriptions(request: web.Request) -> web.Response:
        def work() -> list[Row]:
            own, tenant = partner(request), msp.tenants.get(request.match_info["tenant"].casefold())
            if tenant is None or tenant.partner != own:
                raise _Problem(404, 2002, "The customer was not found.")
            rows = [subscription_row(item, clock.today()) for item in tenant.subscriptions if item.owner == own]
            return [*rows, _azure_plan(tenant)]

        return _answered(work)

    return [
        web.get(f"{PREFIX}/customers", customers),
        web.get(f"{PREFIX}/customers/{{tenant}}/subscriptions", subscriptions),
    ]


def subscription_row(subscription: Subscription, today: date) -> Row:
    """A subscription of which Graph tells the day of renewal, with the term that leads to it."""
    kind = int(subscription.commerce_id[-2:], 16)
    renews = subscription.renews.date()
    is_legacy, is_final = kind % 16 == 1, kind % 16 == 2
    is_monthly = kind % 2 == 0 and (renews - today).days <= _MONTH
    ends = renews if is_legacy else renews - timedelta(days=1)
    bought = subscription.created.date()
    return {
        "id": subscription.commerce_id.upper(),
        "offerId": f"CFQ7TTC0{kind:04X}:0001:CFQ7TTC0{kind:04X}",
        "offerName": part_number(subscription.sku),
        "productType": {"id": "OnlineServices" if is_legacy else "OnlineServicesNCE", "displayName": "Online Services"},
        "quantity": subscription.licenses,
        "unitType": "Licenses",
        "creationDate": f"{bought}T16:57:15.0966728Z",
        "effectiveStartDate": f"{bought}T16:57:14.4982520Z",
        "commitmentEndDate": _FAR_AWAY if is_final else f"{ends}T00:00:00Z",
        "cancellationAllowedUntilDate": None if is_legacy else f"{bought + _WINDOW}T16:57:15.0966728Z",
        "status": _STATUSES.get(subscription.status, "disabled"),
        "autoRenewEnabled": not is_final,
        "isTrial": subscription.trial,
        "billingType": "license",
        "billingCycle": "monthly",
        "termDuration": "P1M" if is_monthly else "P1Y",
        "attributes": {"etag": "x", "objectType": "Subscription"},
    }


def _azure_plan(tenant: Tenant) -> Row:
    """Every customer has one; it is billed by use and has no end."""
    return {
        "id": str(uuid.uuid5(uuid.UUID(tenant.id), "azure-plan")),
        "offerId": "DZH318Z0BPS6:0001:DZH318Z0BPSD",
        "offerName": "Azure plan",
        "productType": {"id": "Azure", "displayName": "Azure"},
        "quantity": 1,
        "unitType": "Usage-based",
        "commitmentEndDate": _FAR_AWAY,
        "status": "active",
        "autoRenewEnabled": False,
        "isTrial": False,
        "billingType": "usage",
        "billingCycle": "monthly",
        "attributes": {"objectType": "Subscription"},
    }


def _customer(tenant: Tenant) -> Row:
    profile = {"tenantId": tenant.id, "domain": tenant.domain, "companyName": tenant.name}
    return {"id": tenant.id, "companyProfile": profile, "relationshipToPartner": "reseller"}


def _answered(work: Callable[[], list[Row]]) -> web.Response:
    try:
        items = work()
    except _Problem as problem:
        body: Row = {"code": problem.code, "description": problem.text, "data": [], "source": "PartnerFD"}
        return _json(body, problem.status)
    return _json({"totalCount": len(items), "items": items, "attributes": {"objectType": "Collection"}}, 200)


def _json(body: Row, status: int) -> web.Response:
    headers = {"MS-RequestId": str(uuid.uuid4())}
    content = json.dumps(body).encode("utf-8-sig")
    return web.Response(body=content, status=status, content_type="application/json", headers=headers)
