"""Exports of the billing months that Microsoft has not billed yet, taken a step further by whoever comes by.

An export takes Microsoft minutes to hours. Nobody waits for it: it is begun, and the ticks that come by later ask how
far it is and fetch it when it is ready.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from shared.billing.usage import Export
from shared.errors import Incomplete, Retryable, TrueUpError
from shared.sources.microsoft365.settings import MicrosoftSettings
from shared.sources.partner_billing.kinds import ExportKind
from shared.sources.partner_billing.lines import Line, lines_in
from shared.sources.rows import broken

if TYPE_CHECKING:
    import httpx
    from azure.core.credentials import TokenCredential

    from shared.sources.partner_billing.blobs import Blobs
    from shared.sources.partner_billing.exports import BillingExports, Period, Ready

T = TypeVar("T")

#: A month is exported anew when what is stored is older than this …
_RENEWED_AFTER = timedelta(hours=20)
#: … and what is older than this is not known any more.
_BELIEVED_FOR = timedelta(days=3)
#: The month before is exported up to this day of a month, and longer until it is known to its end: once Microsoft has
#: invoiced it, it is not among what is not billed yet.
_LAST_MONTH_UNTIL = 5
_AFTER_FAILURE = timedelta(minutes=5)
#: An export that has not ended by then never will.
_GIVEN_UP_AFTER = timedelta(hours=24)


class Stored(Protocol[T]):
    """Where what was exported is kept, by source and the first day of its month."""

    def export(self, source: str, month: date) -> Export: ...

    def put_export(self, source: str, export: Export) -> None: ...

    def all(self, source: str, month: date) -> list[T]: ...

    def put(self, source: str, month: date, found: Iterable[T]) -> None: ...


@dataclass(frozen=True, slots=True)
class Reach:
    """What reaches out of the process, replaced in tests; None: the real thing."""

    credential: TokenCredential | None = None
    http: httpx.AsyncBaseTransport | None = None
    sleep: Callable[[float], None] = time.sleep
    blobs: Blobs | None = None


@dataclass(frozen=True, slots=True)
class Exported(Generic[T]):
    """What is exported for whom: `read` makes of all rows of a month (its first day) what is stored of it.

    `currency` is the one in which Microsoft bills us (ISO 4217). What a day brought is complete `settled_days` later.
    """

    kind: ExportKind
    source: str
    settings: MicrosoftSettings
    currency: str
    read: Callable[[Iterable[Line], date], list[T]]
    settled_days: int = 3


class Exporting(Generic[T]):
    """Begins exports, asks after them and stores what is ready; safe to use from several threads.

    `now` is the business clock. Raises errors of `shared.errors` only.
    """

    def __init__(
        self, exported: Exported[T], store: Stored[T], now: Callable[[], datetime], reach: Reach | None = None
    ) -> None:
        self._exported = exported
        self._store = store
        self._business_now = now
        self._reach = reach or Reach()
        self._lock = threading.Lock()
        self._made: BillingExports | None = None

    def ask(self) -> None:
        """Raises what Microsoft says when it does not let us export, or that what is stored is old. Begins nothing."""
        self._exports().ask()
        taken = self._taken()
        if taken is not None and self._now() - taken > _BELIEVED_FOR:
            raise Incomplete(
                f"What is stored of {self._exported.kind.what} is of {taken:%Y-%m-%d}.",
                system=self._exported.kind.system,
                remedy="What was in the way since then stands in the findings of the linked companies and in the log.",
            )

    def ensure(self) -> None:
        """Raises what stands in the way of a month that is fresh, and begins what is due."""
        self._ensure(self._is_believed)

    def ensure_month(self, month: date) -> None:
        """The same for one month; nothing is asked for what Microsoft has billed."""
        if month == self.months()[-1]:
            self._ensure(lambda: self._is_fresh(self._store.export(self._exported.source, month).taken))
        elif month in self.months()[1:]:
            self._ensure(lambda: self._store.export(self._exported.source, month).taken is not None)

    def _ensure(self, is_known: Callable[[], bool]) -> None:
        if is_known():
            return
        self.begin_and_go_on()
        if not is_known():
            raise Retryable(
                f"{self._exported.kind.what[0].upper()}{self._exported.kind.what[1:]} is being prepared by Microsoft.",
                system=self._exported.kind.system,
                remedy="Nothing to do: it is fetched when it is ready, at the latest next night. If it stays so for "
                "days, check that the partner is billed by Microsoft itself.",
            )

    def _is_believed(self) -> bool:
        """Whether the newest that is stored is fresh."""
        return self._is_fresh(self._taken())

    def _is_fresh(self, taken: datetime | None) -> bool:
        return taken is not None and self._now() - taken <= _BELIEVED_FOR

    def begin_and_go_on(self) -> None:
        """Every export that runs is asked after once, what is ready is stored, and every one that is due is begun."""
        self._step(self._one_step)

    def fetch_prepared(self) -> None:
        """Asks after every export that runs, and stores what is ready."""
        self._step(lambda export, _: self._go_on(export))

    def months(self) -> list[date]:
        """The first days of the month before last, the last month and this one; Microsoft's months are UTC's."""
        this = self._now().date().replace(day=1)
        last = (this - timedelta(days=1)).replace(day=1)
        return [(last - timedelta(days=1)).replace(day=1), last, this]

    def _taken(self) -> datetime | None:
        """When the newest that is stored was asked for; None while nothing is."""
        return max((export.taken for export in self._known() if export.taken is not None), default=None)

    def _step(self, take: Callable[[Export, Period], object]) -> None:
        """`take` with each export that does not wait. Raises what stood in the way of one, when all had their turn."""
        periods: tuple[Period, ...] = ("last", "current")
        errors: list[TrueUpError] = []
        with self._lock:
            for export, period in zip(self._known()[1:], periods, strict=True):
                if self._waits(export):
                    continue
                try:
                    take(export, period)
                except TrueUpError as error:
                    errors.append(error)
                    # What only passes by goes on later, any other export begins anew.
                    operation = export.operation if isinstance(error, Retryable) else None
                    again = self._now() + _AFTER_FAILURE
                    self._put(replace(export, operation=operation, again=again))
        if errors:
            raise errors[0]

    def _one_step(self, export: Export, period: Period) -> None:
        export = self._go_on(export)
        if export.operation is None and not self._waits(export) and self._is_due(export):
            operation = self._exports().begin(period)
            self._put(replace(export, operation=operation, begun=self._now(), again=None))

    def _go_on(self, export: Export) -> Export:
        if export.operation is not None:
            export = self._gone_on(export, export.operation)
            self._put(export)
        return export

    def _waits(self, export: Export) -> bool:
        return export.again is not None and self._now() < export.again

    def _is_due(self, export: Export) -> bool:
        now = self._now()
        if export.taken is None:
            return True
        is_past = export.month < now.date().replace(day=1)
        settled = last_day(export.month) + timedelta(days=self._exported.settled_days)
        if is_past and now.day > _LAST_MONTH_UNTIL and export.taken.date() >= settled:
            return False
        return now - export.taken > _RENEWED_AFTER

    def _gone_on(self, export: Export, operation: str) -> Export:
        """The export after Microsoft was asked how far it is, with its files stored when they were ready."""
        from shared.sources.partner_billing.exports import Waiting

        found = self._exports().look(operation)
        if not isinstance(found, Waiting):
            return self._stored(export, self._exported.read(self._lines(found), export.month))
        is_lost = export.begun is None or self._now() - export.begun > _GIVEN_UP_AFTER
        again = self._now() + timedelta(seconds=found.seconds)
        return replace(export, operation=None if is_lost else operation, again=again)

    def _stored(self, export: Export, found: list[T]) -> Export:
        """An export of nothing after one of something says that Microsoft has billed it, not that it was nothing."""
        done = replace(export, operation=None, again=None)
        if not found and self._store.all(self._exported.source, export.month):
            return replace(done, again=self._now() + _RENEWED_AFTER)
        self._store.put(self._exported.source, export.month, found)
        return replace(done, taken=export.begun)

    def _lines(self, ready: Ready) -> Iterator[Line]:
        for address in ready.files:
            yield from lines_in(self._exported.kind, self._files().pieces(address))

    def _known(self) -> list[Export]:
        return [self._store.export(self._exported.source, month) for month in self.months()]

    def _put(self, export: Export) -> None:
        self._store.put_export(self._exported.source, export)

    def _now(self) -> datetime:
        return self._business_now().astimezone(UTC)

    def _files(self) -> Blobs:
        from shared.sources.partner_billing.blobs import StorageBlobs

        return self._reach.blobs or StorageBlobs(self._exported.kind, self._exported.settings.ca_file)

    def _exports(self) -> BillingExports:
        """Made at the first question: it brings in the vendor's libraries and the credential."""
        if self._made is None:
            from shared.sources.partner_billing.exports import BillingExports

            it, reach = self._exported, self._reach
            self._made = BillingExports(it.kind, it.settings, it.currency, reach.credential, reach.http, reach.sleep)
        return self._made


def ensure_of_month(kind: ExportKind, days: Collection[date], month: date) -> None:
    """Raises `Incomplete` where no day of an export is in the month that begins on a day, though others are.

    Rows of other months may come with a month's own. Where there are only such, Microsoft has not gone on to the month
    yet, or has left it, and what is stored of the other month would count twice.
    """
    if days and not any(month <= day <= last_day(month) for day in days):
        raise broken(kind.system, kind.what, "it is of another month than the one that was asked for")


def last_day(month: date) -> date:
    """The last day of the month that begins on a day."""
    return (month + timedelta(days=31)).replace(day=1) - timedelta(days=1)
