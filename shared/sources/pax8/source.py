"""Pax8 as a source of counts."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import date

from shared.billing.counts import Customer, ReadFailure, Reading, Subscription
from shared.billing.vendors import Charge, Offer, UsageSoFar
from shared.errors import Gone, Retryable, TrueUpError
from shared.http.wire import RequestsTransport, Transport
from shared.sources.customers import by_name
from shared.sources.failures import failed, no_customer, problems_of, reading_or_failure
from shared.sources.http import VendorHttp
from shared.sources.patience import READ_SECONDS, Patience
from shared.sources.pax8.books import Pax8Books
from shared.sources.pax8.offers import offers_of
from shared.sources.pax8.parse import (
    SOURCE,
    UUID,
    Bought,
    bought,
    counts_of,
    customer_of,
    history_of,
    id_of,
    is_bought_once,
    is_deleted,
    may_have_changed,
    revision_of,
    unchanged,
)
from shared.sources.pax8.reads import Pax8Reader
from shared.sources.pax8.settings import Pax8Settings
from shared.sources.pax8.summaries import may_sell_usage, used_so_far
from shared.sources.pax8.timeline import Timeline
from shared.sources.pax8.token import PERMISSION, SYSTEM, Pax8Token
from shared.sources.pax8.usage import InvoicedUsage, used_by
from shared.sources.rows import Row

#: A person waits for most of its lists.
LIST_SECONDS = 100.0
#: What does not fit is read company by company: the night waits for the fleets of all sources.
FLEET_SECONDS = 150.0
#: Asked for beside what was charged, by one request of a person.
USAGE_SECONDS = 60.0


class Pax8Source:
    """Reads what customers have bought (`shared.sources.protocol.FleetSource`); safe to use from several threads.

    `transport`, `sleep` and `clock` replace what reaches out of the process.
    """

    def __init__(
        self,
        settings: Pax8Settings,
        *,
        transport: Transport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Reaches nobody."""
        wire = transport or RequestsTransport(SYSTEM)
        token = Pax8Token(settings, transport=wire, sleep=sleep, clock=clock)
        self._http = VendorHttp(SYSTEM, settings.url, token, permission=PERMISSION, transport=wire, sleep=sleep)
        self._reader = Pax8Reader(self._http)
        self._books = Pax8Books(self._reader)
        self._billable = settings.billable
        self._counts_usage = settings.usage

    @property
    def name(self) -> str:
        return SOURCE

    def check(self) -> list[str]:
        """Asks for a token and one company, and where usage is counted for the invoices."""
        return problems_of(self._small_question)

    def _small_question(self) -> None:
        patience = self._http.patience(READ_SECONDS)
        self._reader.one_company_listed(patience)
        if self._counts_usage:
            self._reader.one_invoice_listed(patience)

    def customers(self) -> list[Customer]:
        """Every company that is not deleted, by name."""
        rows = self._reader.companies(self._http.patience(LIST_SECONDS))
        return by_name(customer_of(row) for row in rows if not is_deleted(row))

    def read(self, customer: str, day: date) -> Reading | ReadFailure:
        """What one company has bought, complete over all products. `customer` is the company's id at Pax8."""
        company = customer.strip().casefold()
        if not UUID.fullmatch(company):
            remedy = (
                "Put the id of the Pax8 company (it stands in its address in the Pax8 app) into the company's link."
            )
            return no_customer(SOURCE, customer, "the id of a Pax8 company", remedy)
        return reading_or_failure(SOURCE, company, lambda: self._read(company, day))

    def read_fleet(self, day: date, known: Mapping[str, Reading]) -> dict[str, Reading | ReadFailure]:
        """All companies in two lists, and the history of what changed since it was `known`.

        A company whose history could not be read in time is left out.
        """
        patience = self._http.patience(FLEET_SECONDS)
        companies = [id_of(row, "id") for row in self._reader.companies(patience) if not is_deleted(row)]
        rows: dict[str, list[Row]] = {company: [] for company in companies}
        for row in self._reader.subscriptions(patience):
            rows.setdefault(id_of(row, "companyId"), []).append(row)
        usage = self._usage(day, patience)
        found: dict[str, Reading | ReadFailure] = {}
        for company in companies:
            try:
                before = _by_id(known.get(company))
                found[company] = self._reading(company, rows[company], day, before, usage, patience)
            except Retryable:
                continue
            except TrueUpError as error:
                found[company] = failed(SOURCE, company, error)
        return found

    def offers(self, skus: Collection[str]) -> list[Offer]:
        """The offers of these SKUs: two calls for each product."""
        patience = self._http.patience(LIST_SECONDS)
        found: list[Offer] = []
        for product in sorted({sku.partition(":")[0] for sku in skus}):
            try:
                told = self._reader.product(product, patience)
                found += offers_of(product, told, self._reader.pricing(product, patience))
            except Gone:
                continue
        return [offer for offer in found if offer.sku in skus]

    def charges(self, month: date, today: date) -> list[Charge]:
        """The items of the invoices dated in a month; of this month's or the next one's draft while there is none."""
        patience = self._http.patience(LIST_SECONDS)
        made = self._books.charges(month, patience)
        if made is not None:
            return made
        ahead = (month.year - today.year) * 12 + month.month - today.month
        return self._books.drafted(ahead, patience) if ahead in (0, 1) else []

    def used_so_far(self, today: date) -> list[UsageSoFar]:
        """By the summaries of every subscription that may sell usage: a call for each."""
        patience = self._http.patience(USAGE_SECONDS)
        charged = self._books.charged_for_usage(today, patience)
        asked = [row for row in self._reader.subscriptions(patience) if may_sell_usage(row, charged, today)]
        told = [(row, self._reader.usage_summaries(id_of(row, "id"), patience)) for row in asked]
        return used_so_far(told, charged)

    def _read(self, company: str, day: date) -> Reading:
        patience = self._http.patience(READ_SECONDS)
        # A company that is not there any more has no subscriptions either, which is not the same as none bought.
        if is_deleted(self._reader.company(company, patience)):
            raise _deleted()
        rows = self._reader.subscriptions(patience, company)
        return self._reading(company, rows, day, {}, self._usage(day, patience), patience)

    def _usage(self, day: date, patience: Patience) -> InvoicedUsage | None:
        return self._books.usage(day, patience) if self._counts_usage else None

    def _reading(
        self,
        company: str,
        rows: Iterable[Row],
        day: date,
        before: Mapping[str, Subscription],
        usage: InvoicedUsage | None,
        patience: Patience,
    ) -> Reading:
        purchases: list[Bought] = []
        for row in rows:
            if id_of(row, "companyId") != company:
                raise row.broken("it holds a subscription of another company")
            if is_bought_once(row):
                continue
            changed = self._changed(row, day, before, patience)
            purchase = bought(row, changed, self._billable, day)
            purchases += [purchase] if purchase is not None else []
        used = used_by(company, usage) if usage is not None else ()
        return Reading(SOURCE, company, day, (*counts_of(company, purchases, day), *used))

    def _changed(self, row: Row, day: date, before: Mapping[str, Subscription], patience: Patience) -> Timeline:
        """The subscription's days of change: known before, none since long, or from its history."""
        subscription = id_of(row, "id")
        seen = before.get(subscription)
        if seen is not None and (seen.revision, seen.quantity) == (revision_of(row), row.number("quantity")):
            return seen.changed
        if not may_have_changed(row, day):
            return unchanged(row, day)
        try:
            return history_of(row, self._reader.history(subscription, patience), self._billable, day)
        except Gone:
            return ()


def _by_id(reading: Reading | None) -> dict[str, Subscription]:
    counts = reading.counts if reading is not None else ()
    return {item.id: item for count in counts for item in count.subscriptions or ()}


def _deleted() -> Gone:
    return Gone(
        "The company is deleted at Pax8.",
        system=SYSTEM,
        remedy="End the company's lines and remove its link, or link the Pax8 company that took its place.",
    )
