"""Microsoft 365 of a partner whom Microsoft bills itself: what it charges for licences, beside the counts."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import Protocol

from shared.billing.counts import Count
from shared.billing.vendors import Charge, MonthlyCharges
from shared.errors import Gone, TrueUpError
from shared.http.wire import Transport
from shared.sources.failures import problems_of
from shared.sources.microsoft365.costs import with_costs
from shared.sources.microsoft365.parse import SOURCE
from shared.sources.microsoft365.settings import MicrosoftSettings
from shared.sources.microsoft365.source import Microsoft365Source
from shared.sources.partner_billing.exporting import Exported, Exporting, Reach, Stored, ensure_of_month
from shared.sources.partner_billing.kinds import LICENCES
from shared.sources.partner_billing.lines import Line

log = logging.getLogger(__name__)


class KnownSubscriptions(Protocol):
    """Which SKU a subscription is of: Microsoft charges by names of its catalogue, not by the ids that Graph counts."""

    def of(self, source: str) -> Mapping[str, str]: ...


class StoredCharges(Stored[MonthlyCharges], Protocol):
    """Where charges are kept, by source and the first day of their month."""

    def of_customer(self, source: str, month: date, customer: str) -> MonthlyCharges | None: ...


class ChargedMicrosoft365(Microsoft365Source):
    """Reads seats with what they cost the MSP (`ChargingSource`, `PreparingSource` of `shared.sources.protocol`).

    `currency` is the one in which Microsoft bills the first partner tenant (ISO 4217); `now` is the business clock.
    """

    def __init__(
        self,
        settings: MicrosoftSettings,
        currency: str,
        store: StoredCharges,
        subscriptions: KnownSubscriptions,
        now: Callable[[], datetime],
        *,
        reach: Reach | None = None,
        partner_http: Transport | None = None,
    ) -> None:
        reach = reach or Reach()
        super().__init__(
            settings, credential=reach.credential, http=reach.http, partner_http=partner_http, sleep=reach.sleep
        )
        self._store = store
        self._subscriptions = subscriptions
        self._exporting = Exporting(Exported(LICENCES, SOURCE, settings, currency, charges_of), store, now, reach)

    def completion_problems(self) -> list[str]:
        """What is wrong with Partner Center, if it is used, and with the export of charges."""
        return [*super().completion_problems(), *problems_of(self._exporting.ask)]

    def prepare(self) -> None:
        """Has Microsoft prepare the charges of this month and the last, where those that are stored are old."""
        self._exporting.begin_and_go_on()

    def fetch_prepared(self) -> None:
        """Fetches what is ready."""
        self._exporting.fetch_prepared()

    def charges(self, month: date, _: date, /) -> list[Charge]:
        """What Microsoft charges for licences in a billing month, as it stood before it was invoiced.

        Of a subscription that no linked company has, `sku` is the name of the catalogue.
        """
        self._exporting.ensure_month(month)
        if self._store.export(SOURCE, month).taken is None:
            raise Gone(
                f"what Microsoft charged in {month:%Y-%m} is not stored",
                system=LICENCES.system,
                remedy="Charges are stored from the first night on that reads them; look at Partner Center's invoice.",
            )
        known = self._subscriptions.of(SOURCE)
        stored = (charge for each in self._store.all(SOURCE, month) for charge in each.charges)
        return [replace(charge, sku=known.get(charge.subscription or "", charge.sku)) for charge in stored]

    def _completed(self, tenant: str, day: date, counts: tuple[Count, ...]) -> tuple[Count, ...]:
        """The same with the cost of a licence, as it was charged last in this month or the last."""
        counts = super()._completed(tenant, day, counts)
        try:
            stored = [self._store.of_customer(SOURCE, month, tenant) for month in self._exporting.months()[1:]]
        except TrueUpError as error:
            log.warning("what Microsoft charges for tenant %s is not known: %s", tenant, error)
            return counts
        return with_costs(counts, [charge for each in stored if each is not None for charge in each.charges])


def charges_of(lines: Iterable[Line], month: date) -> list[MonthlyCharges]:
    """The charges of each customer. Usage that is metered is left out: the source `azure` reads it.

    Raises `Incomplete` where there are charges and none, nor any usage, begins in the month that begins on a day.
    """
    found: dict[str, list[Charge]] = {}
    begun: set[date] = set()
    for line in lines:
        if (start := line.day_or_none("chargestartdate")) is not None:
            begun.add(start)
        if line.text_or_none("meterdescription") is None:
            charge = _charge(line)
            found.setdefault(charge.customer or "", []).append(charge)
    ensure_of_month(LICENCES, begun, month)
    return [MonthlyCharges(customer, tuple(charges)) for customer, charges in sorted(found.items())]


def _charge(line: Line) -> Charge:
    product, sku = line.text_or_none("productid"), line.text_or_none("skuid")
    customer, subscription = line.text_or_none("customerid"), line.text_or_none("subscriptionid")
    return Charge(
        customer=customer.casefold() if customer else None,
        sku=f"{product}:{sku}".casefold() if product and sku else None,
        name=line.text_or_none("skuname") or line.text("productname"),
        kind=line.text("chargetype").casefold(),
        start=line.day_or_none("chargestartdate"),
        end=line.day_or_none("chargeenddate"),
        # Microsoft says to reconcile with the billable one; not every version of the rows has it.
        quantity=line.amount("billablequantity" if line.has("billablequantity") else "quantity"),
        total=line.amount("subtotal"),
        currency=line.text("currency").upper(),
        invoice=None,
        subscription=subscription.casefold() if subscription else None,
    )
