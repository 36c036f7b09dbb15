"""Huntress over HTTP: the account, its organizations, agents and invoices, in pages, for sixty requests a minute.

Pages are told by a token; a request that names a `page` gets the older style with page numbers. The last page has no
token. What billing reports tell is what invoices told before there were any; client libraries still ask for them.
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

from local.sandbox.huntress_rows import (
    ACCOUNT_ID,
    COUNT_FIELDS,
    Row,
    agent_rows,
    invoice_rows,
    organization_row,
    organization_summary,
    report_row,
    usages,
)
from local.sandbox.world.huntress import HuntressAccount
from shared.errors import Gone

PREFIX = "/huntress/v1"
#: Requests in any sixty seconds, for the whole account.
MOST_REQUESTS, WINDOW_SECONDS = 60, 60.0
_USUAL_PAGE, _LARGEST_PAGE = 10, 500
_SORT_FIELDS = ("id", "created_at", "updated_at")

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
    for sku in COUNT_FIELDS.keys() & counts.model_fields_set:
        organization.counts[sku] = getattr(counts, sku)
    return organization_summary(organization)


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
            web.get(f"{PREFIX}/agents", self._answering(self._agents)),
            web.get(f"{PREFIX}/invoices", self._answering(self._invoices)),
            web.get(f"{PREFIX}/billing_reports", self._answering(self._billing_reports)),
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
        account = {"id": ACCOUNT_ID, "name": self._account.name, "subdomain": "northbeam", "status": "enabled"}
        return {"account": account}

    def _organization(self, request: web.Request) -> Row:
        found = self._account.organizations.get(int(request.match_info["id"]))
        if found is None:
            raise _Problem(404, "Record not found")
        return {"organization": {**organization_row(found), "actual_usages": usages(found)}}

    def _organizations(self, request: web.Request) -> Row:
        rows = [organization_row(found) for found in self._account.organizations.values()]
        return _listed("organizations", rows, request, (*_SORT_FIELDS, "name", "key"))

    def _agents(self, request: web.Request) -> Row:
        """Every endpoint of the account, or those of one organization or platform."""
        rows = [row for found in self._account.organizations.values() for row in agent_rows(found)]
        for name in ("organization_id", "platform"):
            if name in request.query:
                rows = [row for row in rows if str(row[name]) == request.query[name]]
        return _listed("agents", rows, request)

    def _invoices(self, request: web.Request) -> Row:
        return _listed("invoices", invoice_rows(self._account), request, (*_SORT_FIELDS, "status"))

    def _billing_reports(self, request: web.Request) -> Row:
        rows = [report_row(invoice) for invoice in invoice_rows(self._account)]
        return _listed("billing_reports", rows, request, (*_SORT_FIELDS, "status"))


def _listed(name: str, rows: list[Row], request: web.Request, sort_fields: tuple[str, ...] = _SORT_FIELDS) -> Row:
    """A page of a list in the order asked for; by default the newest first."""
    query = request.query
    field = query.get("sort_field", "id")
    if field not in sort_fields:
        raise _Problem(400, "sort_field does not have a valid value")
    descending = query.get("sort_direction", "desc") == "desc"
    rows = sorted(rows, key=lambda row: (row[field], row["id"]), reverse=descending)
    limit = _number(query, "limit", _USUAL_PAGE, _LARGEST_PAGE)
    if "page" in query:
        page = _number(query, "page", 1, 1_000_000)
        return _numbered(name, rows, page, limit, str(request.url.with_query(None)))
    return _tokened(name, rows, limit, request)


def _tokened(name: str, rows: list[Row], limit: int, request: web.Request) -> Row:
    fault = request.get("fault")
    start = _offset(request.query.get("page_token"))
    stop = start + {"short-page": max(1, limit // 2), "empty-page": 0}.get(fault or "", limit)
    after = start if fault == "endless" else stop
    pagination: Row = {"next_page_token": None, "next_page_url": None}
    if after < len(rows) or fault in {"endless", "empty-page"}:
        token = base64.urlsafe_b64encode(f"o{after}".encode()).decode()
        pagination = {"next_page_token": token, "next_page_url": str(request.url.update_query(page_token=token))}
    return {name: rows[start:stop], "pagination": pagination}


def _numbered(name: str, rows: list[Row], page: int, limit: int, address: str) -> Row:
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
    return {name: shown, "pagination": pagination}


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
