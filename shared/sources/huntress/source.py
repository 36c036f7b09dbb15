"""Huntress as a source of counts."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import date
from functools import partial

from shared.billing.counts import Customer, ReadFailure, Reading, VendorInvoice
from shared.http.wire import Transport
from shared.sources.customers import by_name
from shared.sources.failures import is_number, no_customer, problems_of, reading_or_failure
from shared.sources.huntress.parse import SOURCE, counted, customer_of
from shared.sources.huntress.reads import HuntressReader
from shared.sources.huntress.settings import HuntressSettings
from shared.sources.patience import LIST_SECONDS, READ_SECONDS


class HuntressSource:
    """Reads organizations (`shared.sources.protocol.InvoicingSource`); safe to use from several threads.

    `transport`, `sleep` and `clock` replace what reaches out of the process.
    """

    def __init__(
        self,
        settings: HuntressSettings,
        *,
        transport: Transport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Reaches nobody."""
        self._reader = HuntressReader(settings, transport, sleep, clock)

    @property
    def name(self) -> str:
        return SOURCE

    def check(self) -> list[str]:
        """Asks for the account."""
        return problems_of(lambda: self._reader.account(self._reader.patience(READ_SECONDS)))

    def customers(self) -> list[Customer]:
        """Every organization, by name."""
        rows = self._reader.organizations(self._reader.patience(LIST_SECONDS)).values()
        return by_name(map(customer_of, rows))

    def read(self, customer: str, day: date) -> Reading | ReadFailure:
        """The counts of one organization, complete over the products it tells of. `customer` is its number."""
        number = customer.strip()
        if not is_number(number):
            remedy = "Put the organization's number (it stands in its address in the Huntress portal) into the link."
            return no_customer(SOURCE, customer, "the number of a Huntress organization", remedy)
        patience = self._reader.patience(READ_SECONDS)
        return reading_or_failure(SOURCE, number, lambda: counted(self._reader.organization(number, patience), day))

    def read_fleet(self, day: date, _known: Mapping[str, Reading], /) -> dict[str, Reading | ReadFailure]:
        """All organizations in one list: one call for five hundred."""
        rows = self._reader.organizations(self._reader.patience(LIST_SECONDS))
        return {number: reading_or_failure(SOURCE, number, partial(counted, row, day)) for number, row in rows.items()}

    def newest_invoice(self) -> VendorInvoice | None:
        """The newest invoice of the account; it tells no counts of single organizations."""
        return self._reader.newest_invoice(self._reader.patience(READ_SECONDS))
