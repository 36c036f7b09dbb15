"""Pax8's answers, in pages and with its refusals. Knows nothing of HTTP servers."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from math import ceil
from typing import Any, cast

from local.sandbox.pax8.books import invoice_row, items_of, pricing_rows, product_row
from local.sandbox.pax8.world import SOLD, Json, Pax8World, Product, company_row, subscription_row, summary_row

AUDIENCE = "https://api.pax8.com"
#: The month that drafts speak of; they do not tell it but by the days of their items.
DRAFT = date(2026, 12, 1)
_LARGEST_PAGE = 200
_USUAL_PAGE = 10


class Pax8Problem(Exception):
    """An error answer of Pax8."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status, self.kind, self.message = status, kind, message

    def body(self) -> Json:
        return problem_body(self.status, self.kind, self.message)


@dataclass(frozen=True, slots=True)
class Ask:
    """One request below /pax8/v1."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    authorization: str = ""
    body: Any = None
    fault: str | None = None


def problem_body(status: int, kind: str, message: str) -> Json:
    return {"type": kind, "message": message, "instance": "/", "status": status, "details": []}


class Pax8:
    """Answers for one partner. `tokens` are the access tokens given out."""

    def __init__(self, world: Pax8World) -> None:
        self.world = world
        self.tokens: set[str] = set()

    def answer(self, ask: Ask) -> tuple[int, Json]:
        """Status and body of one request."""
        if ask.path == "/token":
            return self._token(ask.body)
        try:
            self._admit(ask)
            return 200, self._read(ask)
        except Pax8Problem as problem:
            return problem.status, problem.body()

    def _token(self, body: Any) -> tuple[int, Json]:
        wanted = {
            "client_id": self.world.client_id,
            "client_secret": self.world.client_secret,
            "audience": AUDIENCE,
            "grant_type": "client_credentials",
        }
        if body != wanted:
            return 401, {"error": "access_denied", "error_description": "Unauthorized"}
        token = secrets.token_urlsafe(24)
        self.tokens.add(token)
        return 200, {"access_token": token, "expires_in": 86400, "token_type": "Bearer"}

    def _admit(self, ask: Ask) -> None:
        scheme, _, token = ask.authorization.partition(" ")
        if scheme != "Bearer" or token not in self.tokens:
            raise Pax8Problem(401, "UNAUTHORIZED", "The access token is missing, invalid or has expired.")

    def _read(self, ask: Ask) -> Json:
        match [part for part in ask.path.split("/") if part]:
            case ["companies"]:
                companies = sorted(self.world.companies.values(), key=lambda company: company.name)
                return _page(ask, [company_row(company) for company in companies])
            case ["companies", company]:
                return company_row(_found(self.world.companies, company))
            case ["subscriptions"]:
                return _page(ask, self._subscriptions(ask))
            case ["subscriptions", subscription]:
                item = _found(self.world.subscriptions, subscription)
                return subscription_row(item, item.now)
            case ["subscriptions", subscription, "history"]:
                item = _found(self.world.subscriptions, subscription)
                newest_first = list(reversed(item.versions))
                return {"content": [subscription_row(item, each, place) for place, each in enumerate(newest_first)]}
            case ["subscriptions", subscription, "usage-summaries"]:
                return _page(ask, self._summaries(_found(self.world.subscriptions, subscription).id))
            case ["products", product]:
                return product_row(_sold(product))
            case ["products", product, "pricing"]:
                return {"content": pricing_rows(_sold(product))}
            case ["invoices"]:
                return _page(ask, self._invoices(ask))
            case ["invoices", "draftItems"]:
                drafted = items_of(self.world, DRAFT)
                return _page(ask, [item for item in drafted if item["term"] != "Arrears"])
            case ["invoices", invoice, "items"]:
                return _page(ask, _found(self.world.invoices, invoice).items)
            case _:
                raise Pax8Problem(404, "NOT_FOUND", f"There is nothing at {ask.path}.")

    def _subscriptions(self, ask: Ask) -> list[Json]:
        items = list(self.world.subscriptions.values())
        if ask.query.get("sort") == "createdDate,asc":
            items.sort(key=lambda item: item.created)
        rows = [subscription_row(item, item.now) for item in items]
        for name in ("companyId", "productId", "status", "billingTerm"):
            if name in ask.query:
                rows = [row for row in rows if row[name] == ask.query[name]]
        if ask.fault == "wrong-counts":
            rows = [row | {"quantity": row["quantity"] + 1} for row in rows]
        return rows

    def _summaries(self, subscription: str) -> list[Json]:
        return [summary_row(self.world, summary) for summary in self.world.told_of(subscription)]

    def _invoices(self, ask: Ask) -> list[Json]:
        first, last = ask.query.get("invoiceDateRangeStart", ""), ask.query.get("invoiceDateRangeEnd", "9999")
        rows = [invoice_row(invoice) for invoice in self.world.invoices.values()]
        return [row for row in rows if first <= row["invoiceDate"] <= last]


def _sold(product: str) -> Product:
    return cast(Product, _found({item.id: item for item in SOLD}, product))


def _found(things: Mapping[str, Any], name: str) -> Any:
    if name not in things:
        raise Pax8Problem(404, "NOT_FOUND", f"{name} was not found.")
    return things[name]


def _page(ask: Ask, rows: list[Json]) -> Json:
    """One page; the faults make it lie as pages do that are not complete."""
    size, number = _whole(ask, "size", _USUAL_PAGE, 1, _LARGEST_PAGE), _whole(ask, "page", 0, 0, 10**6)
    pages = ceil(len(rows) / size) + (ask.fault == "endless") * (number + 1)
    content = rows[number * size : (number + 1) * size]
    damage: dict[str | None, Callable[[], list[Json]]] = {
        "short-page": lambda: content[:-1],
        "empty-page": list,
        "endless": lambda: content or rows[:1],
    }
    content = damage.get(ask.fault, lambda: content)()
    page = {"size": size, "totalElements": len(rows), "totalPages": pages, "number": number}
    return {"content": content, "page": page}


def _whole(ask: Ask, name: str, usual: int, least: int, most: int) -> int:
    text = ask.query.get(name, str(usual))
    if not text.isdigit() or not least <= int(text) <= most:
        raise Pax8Problem(400, "BAD_REQUEST", f"{name} must be a whole number from {least} to {most}.")
    return int(text)
