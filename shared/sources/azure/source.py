"""Azure usage as a source of counts: what Microsoft rated, exported every night for all customers at once.

An export takes Microsoft minutes to hours: a reading begins it, and it is fetched when it is ready
(`shared.sources.partner_billing`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from shared.billing.counts import Customer, ReadFailure, Reading
from shared.billing.usage import MonthlyUsage
from shared.billing.vendors import Charge
from shared.errors import Gone, TrueUpError
from shared.sources.azure.counting import SOURCE, Month, charges_of, reading_of
from shared.sources.azure.lines import usages_of
from shared.sources.azure.settings import AzureSettings
from shared.sources.failures import failed, problems_of
from shared.sources.partner_billing.exporting import Exported, Exporting, Reach, Stored, last_day
from shared.sources.partner_billing.kinds import USAGE

if TYPE_CHECKING:
    import httpx
    from azure.core.credentials import TokenCredential

    from shared.sources.partner_billing.blobs import Blobs

log = logging.getLogger(__name__)


class StoredUsage(Stored[MonthlyUsage], Protocol):
    """Where exported usage is kept, by source and the first day of its month."""

    def of_customer(self, source: str, month: date, customer: str) -> MonthlyUsage | None: ...


class AzureSource:
    """Reads stored exports, and has new ones made (`FleetSource`, `PreparedSource`, `ChargingSource`).

    `now` is the business clock. `credential`, `http`, `sleep` and `blobs` replace what reaches out of the process.
    """

    def __init__(
        self,
        settings: AzureSettings,
        store: StoredUsage,
        now: Callable[[], datetime],
        *,
        credential: TokenCredential | None = None,
        http: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        blobs: Blobs | None = None,
    ) -> None:
        exported = Exported(USAGE, SOURCE, settings.microsoft, settings.currency, usages_of, settings.settled_days)
        self._settled_days = settings.settled_days
        self._store = store
        self._exporting = Exporting(exported, store, now, Reach(credential, http, sleep, blobs))

    @property
    def name(self) -> str:
        return SOURCE

    def check(self) -> list[str]:
        """Asks whether we may export, and looks how old what is stored is. Begins nothing and fetches nothing."""
        return problems_of(self._exporting.ask)

    def customers(self) -> list[Customer]:
        """Everybody who used something in the stored months. Raises a `TrueUpError` while nothing is stored."""
        self._exporting.ensure()
        usages = [usage for month in self._exporting.months() for usage in self._store.all(SOURCE, month)]
        found = {
            usage.customer: Customer(SOURCE, usage.customer, usage.name, tenant=usage.customer) for usage in usages
        }
        return sorted(found.values(), key=lambda customer: (customer.name.casefold(), customer.id))

    def read(self, customer: str, day: date) -> Reading | ReadFailure:
        """What is stored of one customer; a step further first where nothing is, or nothing that is fresh."""
        try:
            self._exporting.ensure()
            return self._reading(customer, day)
        except TrueUpError as error:
            return failed(SOURCE, customer, error)

    def read_fleet(self, day: date, _: Mapping[str, Reading], /) -> Mapping[str, Reading | ReadFailure]:
        """A step further, then everybody who used something. What cannot be asked for now is told, not lost."""
        try:
            self._exporting.begin_and_go_on()
        except TrueUpError as error:
            log.warning("the usage of this night is not exported: %s", error)
        return {customer.id: self.read(customer.id, day) for customer in self.customers()}

    def charges(self, month: date, _: date, /) -> list[Charge]:
        """What Microsoft rated of the usage of a month's days, before tax; what came late with the next month, too."""
        self._exporting.ensure_month(month)
        export = self._store.export(SOURCE, month)
        if export.taken is None:
            raise Gone(
                f"the usage of {month:%Y-%m} is not stored",
                system=USAGE.system,
                remedy="Usage is stored from the first night on that reads it; look at Partner Center's invoice.",
            )
        end = last_day(month)
        exports = (month, end + timedelta(days=1))
        usages = [usage for each in exports for usage in self._store.all(SOURCE, each)]
        is_settled = Month(export, None).known_until(self._settled_days) == end
        return charges_of(month, usages, growing=not is_settled)

    def fetch_prepared(self) -> None:
        """Asks after every export that runs, and stores what is ready."""
        self._exporting.fetch_prepared()

    def _reading(self, customer: str, day: date) -> Reading:
        months = [
            Month(self._store.export(SOURCE, month), self._store.of_customer(SOURCE, month, customer))
            for month in self._exporting.months()
        ]
        return reading_of(customer, day, months, self._settled_days)
