"""Whole reads of Pax8: every page of a list, complete or an error."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from shared.errors import Gone, Refused
from shared.sources.http import Ask, VendorHttp
from shared.sources.patience import Patience
from shared.sources.pax8.token import SYSTEM
from shared.sources.rows import Row, broken, row_of, rows_under

#: Pax8's largest page.
PAGE_SIZE = 200
#: No MSP-size list is longer; a list that is has no end.
MOST_PAGES = 1000
#: How often a list is begun that changed while it was read.
_TRIES = 3

COMPANIES = "the list of companies"
SUBSCRIPTIONS = "the list of subscriptions"
INVOICES = "the list of invoices"


class Pax8Reader:
    """Reads lists and single things; raises errors of `shared.errors` only."""

    def __init__(self, http: VendorHttp) -> None:
        self._http = http

    def one_company_listed(self, patience: Patience) -> list[Row]:
        """The smallest list there is: whether we are let in, and our permission reaches that far."""
        body = self._http.read(Ask(COMPANIES, "/companies", {"page": "0", "size": "1"}), patience)
        return rows_under(body, "content", COMPANIES, SYSTEM)

    def one_invoice_listed(self, patience: Patience) -> list[Row]:
        """Whether our permission reaches as far as invoices."""
        ask = Ask(INVOICES, "/invoices", {"page": "0", "size": "1"})
        return rows_under(self._http.read(ask, patience), "content", INVOICES, SYSTEM)

    def companies(self, patience: Patience) -> list[Row]:
        return self._list(COMPANIES, "/companies", {"sort": "name,asc"}, patience)

    def company(self, company: str, patience: Patience) -> Row:
        what = "the company"
        return row_of(self._http.read(Ask(what, f"/companies/{company}"), patience), what, SYSTEM)

    def subscriptions(self, patience: Patience, company: str | None = None) -> list[Row]:
        """The subscriptions of one company or of all, of every status, in the order in which they were made.

        Pages are no snapshot, but a subscription keeps its place in this order and is never taken off the list.
        """
        params = {"sort": "createdDate,asc"} | ({"companyId": company} if company is not None else {})
        return self._list(SUBSCRIPTIONS, "/subscriptions", params, patience)

    def history(self, subscription: str, patience: Patience) -> list[Row]:
        what = "the history of a subscription"
        body = self._http.read(Ask(what, f"/subscriptions/{subscription}/history"), patience)
        return rows_under(body, "content", what, SYSTEM)

    def usage_summaries(self, subscription: str, patience: Patience) -> list[Row]:
        """What was used of a subscription by resource group; empty for one that Pax8 knows no usage of."""
        what = "the usage of a subscription"
        try:
            return self._list(what, f"/subscriptions/{subscription}/usage-summaries", {}, patience)
        except Gone:
            return []
        except Refused as refused:
            if refused.status != 422:
                raise
            return []

    def product(self, product: str, patience: Patience) -> Row:
        what = "the product"
        return row_of(self._http.read(Ask(what, f"/products/{product}"), patience), what, SYSTEM)

    def pricing(self, product: str, patience: Patience) -> list[Row]:
        what = "the prices of a product"
        return rows_under(self._http.read(Ask(what, f"/products/{product}/pricing"), patience), "content", what, SYSTEM)

    def invoices(self, first: date, last: date, patience: Patience) -> list[Row]:
        """The invoices of these days, of every status."""
        params = {"invoiceDateRangeStart": first.isoformat(), "invoiceDateRangeEnd": last.isoformat()}
        return self._list(INVOICES, "/invoices", {**params, "sort": "invoiceDate,asc"}, patience)

    def invoice_items(self, invoice: str, patience: Patience) -> list[Row]:
        return self._list("the items of an invoice", f"/invoices/{invoice}/items", {}, patience)

    def draft_items(self, months_ahead: int, patience: Patience) -> list[Row]:
        """What the next invoice of this month (0) or of the next one (1) will hold as things stand."""
        params = {"monthOffset": str(months_ahead)}
        return self._list("the items of the draft invoice", "/invoices/draftItems", params, patience)

    def _list(self, what: str, path: str, params: Mapping[str, str], patience: Patience) -> list[Row]:
        for _ in range(_TRIES):
            rows = self._pages(what, path, params, patience)
            if rows is not None:
                return rows
        raise broken(SYSTEM, what, "each time its pages did not add up to the number of rows that it says it has")

    def _pages(self, what: str, path: str, params: Mapping[str, str], patience: Patience) -> list[Row] | None:
        """Every page; None when the list changed meanwhile, or rows of one rank changed places between two pages."""
        rows: list[Row] = []
        total: int | None = None
        for number in range(MOST_PAGES):
            ask = Ask(what, path, {**params, "page": str(number), "size": str(PAGE_SIZE)})
            body = self._http.read(ask, patience)
            rows += rows_under(body, "content", what, SYSTEM)
            page = _page_of(body, what)
            if page.whole("number") != number:
                raise page.broken("it is not the page that was asked for")
            if total is not None and total != page.whole("totalElements"):
                return None
            total = page.whole("totalElements")
            if number >= page.whole("totalPages") - 1:
                return rows if len(rows) == len({row.text("id") for row in rows}) == total else None
        raise broken(SYSTEM, what, "its pages do not end")


def _page_of(body: object, what: str) -> Row:
    page = row_of(body, what, SYSTEM).inner("page")
    if page is None:
        raise broken(SYSTEM, what, "it does not say which page it is")
    return page
