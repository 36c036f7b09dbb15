"""Azure usage as a source of counts: what Microsoft rated, exported every night for all customers at once.

An export takes Microsoft minutes to hours. Nobody waits for it: a reading begins it, and the ticks that come by later
ask how far it is and fetch it when it is ready.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from shared.billing.counts import Customer, ReadFailure, Reading
from shared.billing.usage import Export, MonthlyUsage
from shared.errors import Incomplete, Retryable, TrueUpError
from shared.sources.azure.counting import SOURCE, Month, last_day, reading_of
from shared.sources.azure.lines import SYSTEM, UsageSums, objects_in
from shared.sources.azure.settings import AzureSettings
from shared.sources.failures import failed, problems_of

if TYPE_CHECKING:
    import httpx
    from azure.core.credentials import TokenCredential

    from shared.sources.azure.blobs import Blobs
    from shared.sources.azure.exports import BillingExports, Period, Ready

log = logging.getLogger(__name__)

#: Usage is exported anew when what is stored is older than this …
_RENEWED_AFTER = timedelta(hours=20)
#: … and what is older than this is no reading any more.
_BELIEVED_FOR = timedelta(days=3)
#: The month before is exported up to this day of a month, and longer until it is known to its end: once Microsoft has
#: invoiced it, it is not among what is not billed yet.
_LAST_MONTH_UNTIL = 5
_AFTER_FAILURE = timedelta(minutes=5)
#: An export that has not ended by then never will.
_GIVEN_UP_AFTER = timedelta(hours=24)


class StoredUsage(Protocol):
    """Where exported usage is kept, by source and the first day of its month."""

    def export(self, source: str, month: date) -> Export: ...

    def put_export(self, source: str, export: Export) -> None: ...

    def usage(self, source: str, month: date, customer: str) -> MonthlyUsage | None: ...

    def all(self, source: str, month: date) -> list[MonthlyUsage]: ...

    def put(self, source: str, month: date, usages: Iterable[MonthlyUsage]) -> None: ...


class AzureSource:
    """Reads stored exports, and has new ones made (`shared.sources.protocol.FleetSource` and `PreparedSource`).

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
        self._settings = settings
        self._store = store
        self._business_now = now
        self._credential = credential
        self._http = http
        self._sleep = sleep
        self._blobs = blobs
        self._lock = threading.Lock()
        self._made: BillingExports | None = None

    @property
    def name(self) -> str:
        return SOURCE

    def check(self) -> list[str]:
        """Asks whether we may export, and looks how old what is stored is. Begins nothing and fetches nothing."""
        return problems_of(self._small_question)

    def _small_question(self) -> None:
        self._export().ask()
        taken = self._taken()
        if taken is not None and self._now() - taken > _BELIEVED_FOR:
            raise Incomplete(
                f"The newest usage that was exported is of {taken:%Y-%m-%d}.",
                system=SYSTEM,
                remedy="What was in the way since then stands in the findings of the linked companies and in the log.",
            )

    def customers(self) -> list[Customer]:
        """Everybody who used something in the stored months. Raises a `TrueUpError` while nothing is stored."""
        self._ensure()
        usages = [usage for month in self._months() for usage in self._store.all(SOURCE, month)]
        found = {
            usage.customer: Customer(SOURCE, usage.customer, usage.name, tenant=usage.customer) for usage in usages
        }
        return sorted(found.values(), key=lambda customer: (customer.name.casefold(), customer.id))

    def read(self, customer: str, day: date) -> Reading | ReadFailure:
        """What is stored of one customer; a step further first where nothing is, or nothing that is fresh."""
        try:
            self._ensure()
            return self._reading(customer, day)
        except TrueUpError as error:
            return failed(SOURCE, customer, error)

    def read_fleet(self, day: date, _: Mapping[str, Reading], /) -> Mapping[str, Reading | ReadFailure]:
        """A step further, then everybody who used something. What cannot be asked for now is told, not lost."""
        try:
            self._begin_and_go_on()
        except TrueUpError as error:
            log.warning("the usage of this night is not exported: %s", error)
        return {customer.id: self.read(customer.id, day) for customer in self.customers()}

    def fetch_prepared(self) -> None:
        """Asks after every export that runs, and stores what is ready."""
        self._step(lambda export, _: self._go_on(export))

    def _reading(self, customer: str, day: date) -> Reading:
        months = [
            Month(self._store.export(SOURCE, month), self._store.usage(SOURCE, month, customer))
            for month in self._months()
        ]
        return reading_of(customer, day, months, self._settings.settled_days)

    def _ensure(self) -> None:
        """Raises what stands in the way of usage that is fresh."""
        if self._is_believed():
            return
        self._begin_and_go_on()
        if not self._is_believed():
            raise Retryable(
                "The usage export is being prepared by Microsoft.",
                system=SYSTEM,
                remedy="Nothing to do: it is fetched when it is ready, at the latest next night. If it stays so for "
                "days, check that the partner is billed by Microsoft itself.",
            )

    def _is_believed(self) -> bool:
        taken = self._taken()
        return taken is not None and self._now() - taken <= _BELIEVED_FOR

    def _taken(self) -> datetime | None:
        """When the newest usage that is stored was asked for; None while none is."""
        return max((export.taken for export in self._exports() if export.taken is not None), default=None)

    def _begin_and_go_on(self) -> None:
        """Every export that runs is asked after once, what is ready is stored, and every one that is due is begun."""
        self._step(self._one_step)

    def _step(self, take: Callable[[Export, Period], object]) -> None:
        """`take` with each export that does not wait. Raises what stood in the way of one, when all had their turn."""
        periods: tuple[Period, ...] = ("last", "current")
        errors: list[TrueUpError] = []
        with self._lock:
            for export, period in zip(self._exports()[1:], periods, strict=True):
                if self._waits(export):
                    continue
                try:
                    take(export, period)
                except TrueUpError as error:
                    errors.append(error)
                    # What only passes by goes on later, any other export begins anew.
                    operation = export.operation if isinstance(error, Retryable) else None
                    again = self._now() + _AFTER_FAILURE
                    self._store.put_export(SOURCE, replace(export, operation=operation, again=again))
        if errors:
            raise errors[0]

    def _one_step(self, export: Export, period: Period) -> None:
        export = self._go_on(export)
        if export.operation is None and not self._waits(export) and self._is_due(export):
            operation = self._export().begin(period)
            self._store.put_export(SOURCE, replace(export, operation=operation, begun=self._now(), again=None))

    def _go_on(self, export: Export) -> Export:
        if export.operation is not None:
            export = self._gone_on(export, export.operation)
            self._store.put_export(SOURCE, export)
        return export

    def _waits(self, export: Export) -> bool:
        return export.again is not None and self._now() < export.again

    def _is_due(self, export: Export) -> bool:
        now = self._now()
        if export.taken is None:
            return True
        is_past = export.month < now.date().replace(day=1)
        settled = last_day(export.month) + timedelta(days=self._settings.settled_days)
        if is_past and now.day > _LAST_MONTH_UNTIL and export.taken.date() >= settled:
            return False
        return now - export.taken > _RENEWED_AFTER

    def _gone_on(self, export: Export, operation: str) -> Export:
        """The export after Microsoft was asked how far it is, with its files stored when they were ready."""
        from shared.sources.azure.exports import Waiting

        found = self._export().look(operation)
        if not isinstance(found, Waiting):
            return self._stored(export, self._fetched(found))
        is_lost = export.begun is None or self._now() - export.begun > _GIVEN_UP_AFTER
        again = self._now() + timedelta(seconds=found.seconds)
        return replace(export, operation=None if is_lost else operation, again=again)

    def _stored(self, export: Export, usages: list[MonthlyUsage]) -> Export:
        """An export of nothing after one of something says that Microsoft has billed it, not that it was nothing."""
        done = replace(export, operation=None, again=None)
        if not usages and self._store.all(SOURCE, export.month):
            return replace(done, again=self._now() + _RENEWED_AFTER)
        self._store.put(SOURCE, export.month, usages)
        return replace(done, taken=export.begun)

    def _fetched(self, ready: Ready) -> list[MonthlyUsage]:
        sums = UsageSums()
        for address in ready.files:
            for row in objects_in(self._files().pieces(address)):
                sums.add(row)
        return sums.usages()

    def _exports(self) -> list[Export]:
        return [self._store.export(SOURCE, month) for month in self._months()]

    def _months(self) -> list[date]:
        """The first days of the month before last, the last month and this one; Microsoft's months are UTC's."""
        this = self._now().date().replace(day=1)
        last = (this - timedelta(days=1)).replace(day=1)
        return [(last - timedelta(days=1)).replace(day=1), last, this]

    def _now(self) -> datetime:
        return self._business_now().astimezone(UTC)

    def _files(self) -> Blobs:
        if self._blobs is None:
            from shared.sources.azure.blobs import StorageBlobs

            self._blobs = StorageBlobs(self._settings.microsoft.ca_file)
        return self._blobs

    def _export(self) -> BillingExports:
        """Made at the first question: it brings in the vendor's libraries and the credential."""
        if self._made is None:
            from shared.sources.azure.exports import BillingExports

            self._made = BillingExports(self._settings, self._credential, self._http, self._sleep)
        return self._made
