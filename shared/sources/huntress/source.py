"""Huntress as a source of counts."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import date

from shared.billing.counts import Customer, FailureKind, ReadFailure, Reading, VendorInvoice
from shared.errors import TrueUpError
from shared.http.wire import Transport
from shared.sources.failures import failed, problem
from shared.sources.huntress.parse import SOURCE, customer_of, reading_of
from shared.sources.huntress.reads import HuntressReader
from shared.sources.huntress.settings import HuntressSettings
from shared.sources.rows import Row

#: A company's sync has four minutes in all, for reading and writing.
READ_SECONDS = 100.0
LIST_SECONDS = 300.0


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
        try:
            self._reader.account(self._reader.patience(READ_SECONDS))
        except TrueUpError as error:
            return [problem(error)]
        return []

    def customers(self) -> list[Customer]:
        """Every organization, by name."""
        rows = self._reader.organizations(self._reader.patience(LIST_SECONDS)).values()
        return sorted(map(customer_of, rows), key=lambda customer: (customer.name.casefold(), customer.id))

    def read(self, customer: str, day: date) -> Reading | ReadFailure:
        """The counts of one organization, complete over the products it tells of. `customer` is its number."""
        number = customer.strip()
        if not (number.isascii() and number.isdigit()):
            return ReadFailure(
                SOURCE,
                customer,
                FailureKind.CUSTOMER_GONE,
                "The company is linked to something that is not the number of a Huntress organization.",
                "Put the organization's number (it stands in its address in the Huntress portal) into the link.",
            )
        try:
            return reading_of(self._reader.organization(number, self._reader.patience(READ_SECONDS)), day)
        except TrueUpError as error:
            return failed(SOURCE, number, error)

    def read_fleet(self, day: date, _known: Mapping[str, Reading], /) -> dict[str, Reading | ReadFailure]:
        """All organizations in one list: one call for five hundred."""
        rows = self._reader.organizations(self._reader.patience(LIST_SECONDS))
        return {number: _reading(number, row, day) for number, row in rows.items()}

    def newest_invoice(self) -> VendorInvoice | None:
        """The newest invoice of the account; it tells no counts of single organizations."""
        return self._reader.newest_invoice(self._reader.patience(READ_SECONDS))


def _reading(number: str, row: Row, day: date) -> Reading | ReadFailure:
    try:
        return reading_of(row, day)
    except TrueUpError as error:
        return failed(SOURCE, number, error)
