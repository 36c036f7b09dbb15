"""Huntress over HTTP: the account and its organizations, in pages, for sixty requests a minute.

Pages are told by a token; a request that names a `page` gets the older style with page numbers. The last page has no
token. A product that is not active in an organization is not told at all.
"""

from __future__ import annotations

import base64
import time
from collections import deque
from collections.abc import Callable, Mapping
from datetime import date
from typing import Annotated, Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from local.sandbox.world.huntress import HuntressAccount, Organization
from shared.errors import Gone

PREFIX = "/huntress/v1"
#: Requests in any sixty seconds, for the whole account.
MOST_REQUESTS, WINDOW_SECONDS = 60, 60.0
_USUAL_PAGE, _LARGEST_PAGE = 10, 500
_ACCOUNT_ID = 3107
_FIRST_INVOICE = 9001
_FIELDS = {
    "edr": "agents_count",
    "itdr": "billable_identity_count",
    "sat": "sat_learner_count",
    "siem": "logs_sources_count",
}

Row = dict[str, Any]
Handler = Callable[[web.Request], Row]
Units = Annotated[int, Field(ge=0, le=1_000_000)]


class HuntressCounts(BaseModel):
    """New counts of one organization. What is left out stays; null takes the product away; `gone` all of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    organization: int
    edr: Units | None = None
    itdr: Units | None = None
    sat: Units | None = None
    siem: Units | None = None
    gone: bool = False


class HuntressInvoice(BaseModel):
    """Huntress invoices the account on a day."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    day: date


def make_invoice(account: HuntressAccount, invoice: HuntressInvoice) -> Row:
    account.invoices = sorted([*account.invoices, invoice.day])
    return {"invoices": [day.isoformat() for day in account.invoices]}


def set_counts(account: HuntressAccount, counts: HuntressCounts) -> Row:
    """Raises Gone for an organization that there is not."""
    organization = account.organizations.get(counts.organization)
    if organization is None:
        raise Gone(
            f"there is no organization {counts.organization}",
            system="sandbox",
            remedy="GET /_sandbox/huntress lists them.",
        )
    if counts.gone:
        del account.organizations[organization.id]
    for sku in _FIELDS.keys() & counts.model_fields_set:
        organization.counts[sku] = getattr(counts, sku)
    return organization_summary(organization)


def organization_summary(organization: Organization) -> Row:
    return {"id": organization.id, "company": organization.company, "name": organization.name, **organization.counts}


class _Problem(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class Huntress:
    """Answers for one account; `now` is real time in seconds."""

    def __init__(self, account: HuntressAccount, now: Callable[[], float] = time.monotonic) -> None:
        self._account = account
        self._now = now
        self._recent: deque[float] = deque()
        pair = f"{account.public_key}:{account.private_key}"
        self._authorization = "Basic " + base64.b64encode(pair.encode()).decode()

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(f"{PREFIX}/account", self._answering(self._account_row)),
            web.get(f"{PREFIX}/organizations", self._answering(self._organizations)),
            web.get(PREFIX + r"/organizations/{id:\d+}", self._answering(self._organization)),
            web.get(f"{PREFIX}/invoices", self._answering(self._invoices)),
        ]

    def _answering(self, handler: Handler) -> Callable[[web.Request], Any]:
        async def answer(request: web.Request) -> web.Response:
            try:
                self._admit(request)
                return web.json_response(handler(request))
            except _Problem as problem:
                return web.json_response({"message": problem.message}, status=problem.status)

        return answer

    def admits(self) -> bool:
        """Whether one more request fits into the window; it is counted then."""
        now = self._now()
        while self._recent and self._recent[0] <= now - WINDOW_SECONDS:
            self._recent.popleft()
        if len(self._recent) >= MOST_REQUESTS:
            return False
        self._recent.append(now)
        return True

    def _admit(self, request: web.Request) -> None:
        if not self.admits():
            raise _Problem(429, "Too many requests")
        if request.headers.get("Authorization") != self._authorization:
            raise _Problem(401, "Invalid API credentials")

    def _account_row(self, _: web.Request) -> Row:
        account = {"id": _ACCOUNT_ID, "name": self._account.name, "subdomain": "northbeam", "status": "enabled"}
        return {"account": account}

    def _organization(self, request: web.Request) -> Row:
        found = self._account.organizations.get(int(request.match_info["id"]))
        if found is None:
            raise _Problem(404, "Record not found")
        return {"organization": {**_row(found), "actual_usages": _usages(found)}}

    def _organizations(self, request: web.Request) -> Row:
        """A page in the order asked for; by default the newest first."""
        query = request.query
        descending = query.get("sort_direction", "desc") == "desc"
        rows = [_row(self._account.organizations[number]) for number in sorted(self._account.organizations)]
        rows.sort(key=lambda row: row[_sort_field(query)], reverse=descending)
        limit = _number(query, "limit", _USUAL_PAGE, _LARGEST_PAGE)
        if "page" in query:
            return _numbered(rows, _number(query, "page", 1, 1_000_000), limit, str(request.url.with_query(None)))
        return _tokened(rows, query, limit, request)

    def _invoices(self, request: web.Request) -> Row:
        """The newest first; a draft for what is going on stands before those that were made."""
        limit = _number(request.query, "limit", _USUAL_PAGE, _LARGEST_PAGE)
        made = [
            _invoice(number, day, "paid") for number, day in enumerate(self._account.invoices, start=_FIRST_INVOICE)
        ]
        draft = _invoice(_FIRST_INVOICE + len(made), date(2099, 1, 1), "draft")
        return {"invoices": [draft, *reversed(made)][:limit], "pagination": {"next_page_token": None}}


def _tokened(rows: list[Row], query: Mapping[str, str], limit: int, request: web.Request) -> Row:
    fault = request.get("fault")
    start = _offset(query.get("page_token"))
    stop = start + {"short-page": max(1, limit // 2), "empty-page": 0}.get(fault or "", limit)
    after = start if fault == "endless" else stop
    pagination: Row = {"next_page_token": None, "next_page_url": None}
    if after < len(rows) or fault in {"endless", "empty-page"}:
        token = base64.urlsafe_b64encode(f"o{after}".encode()).decode()
        pagination = {"next_page_token": token, "next_page_url": str(request.url.update_query(page_token=token))}
    return {"organizations": rows[start:stop], "pagination": pagination}


def _numbered(rows: list[Row], page: int, limit: int, address: str) -> Row:
    """The style of before 2024."""
    shown = rows[(page - 1) * limit : page * limit]
    pagination: Row = {
        "current_page": page,
        "current_page_count": len(shown),
        "limit": limit,
        "total_count": len(rows),
    }
    if page * limit < len(rows):
        pagination |= {"next_page": page + 1, "next_page_url": f"{address}?page={page + 1}&limit={limit}"}
    return {"organizations": shown, "pagination": pagination}


def _row(organization: Organization) -> Row:
    told = {_FIELDS[sku]: units for sku, units in organization.counts.items() if units is not None}
    return {
        "id": organization.id,
        "account_id": _ACCOUNT_ID,
        "name": organization.name,
        "key": organization.key,
        "identity_provider_tenant_id": organization.tenant,
        "incident_reports_count": 0,
        "report_recipients": [],
        "created_at": "2024-02-01T09:30:00Z",
        "updated_at": "2026-01-12T14:05:11Z",
        **told,
    }


def _invoice(number: int, day: date, status: str) -> Row:
    """An amount is in minor units, and nothing is said of single organizations."""
    return {
        "id": number,
        "amount": 41830,
        "currency_type": "usd",
        "plan": "Managed EDR",
        "quantity": 120,
        "status": status,
        "has_usage": True,
        "receipt": None,
        "created_at": f"{day.isoformat()}T03:12:40Z",
        "updated_at": f"{day.isoformat()}T03:12:40Z",
    }


def _usages(organization: Organization) -> Row:
    """What only the detail call tells; the key of a product that is not active is absent."""
    counts = organization.counts
    usages: Row = {}
    if (edr := counts["edr"]) is not None:
        usages["edr"] = {"billable_agents_count": edr, "unresponsive_agents_count": 0}
    if (itdr := counts["itdr"]) is not None:
        usages["itdr"] = [{"type": "microsoft", "billable_identities_count": itdr, "total_identities_count": itdr}]
    if (sat := counts["sat"]) is not None:
        usages["sat"] = {"learners_count": sat}
    if (siem := counts["siem"]) is not None:
        usages["siem"] = {"billable_log_sources_count": siem, "retention": "90/7"}
    return usages


def _sort_field(query: Mapping[str, str]) -> str:
    field = query.get("sort_field", "id")
    if field not in ("id", "created_at", "updated_at", "name", "key"):
        raise _Problem(400, "sort_field does not have a valid value")
    return field


def _number(query: Mapping[str, str], name: str, usual: int, largest: int) -> int:
    text = query.get(name, str(usual))
    if not text.isdigit() or not 1 <= int(text) <= largest:
        raise _Problem(400, f"{name} does not have a valid value")
    return int(text)


def _offset(token: str | None) -> int:
    if token is None:
        return 0
    try:
        text = base64.urlsafe_b64decode(token).decode()
    except ValueError:
        text = ""
    if not text.startswith("o") or not text[1:].isdigit():
        raise _Problem(400, "page_token is not valid")
    return int(text[1:])
