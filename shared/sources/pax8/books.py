"""What Pax8 has invoiced, with the items of invoices remembered: an invoice that was approved never changes."""

from __future__ import annotations

import threading
from datetime import date, timedelta

from shared.billing.vendors import Charge
from shared.sources.patience import Patience
from shared.sources.pax8.invoices import charge_of, stands
from shared.sources.pax8.parse import id_of
from shared.sources.pax8.reads import Pax8Reader
from shared.sources.pax8.usage import MONTHS, InvoicedUsage, invoiced_usage, month_before

#: An MSP has one invoice a month, and few that took the place of another.
_MOST = 24


class Pax8Books:
    """Invoices of one partner; shared by all threads of this process."""

    def __init__(self, reader: Pax8Reader) -> None:
        self._reader = reader
        self._lock = threading.Lock()
        self._items: dict[str, list[Charge]] = {}

    def charges(self, month: date, patience: Patience) -> list[Charge] | None:
        """The items of the invoices dated in the month that begins on a day; None before there is one."""
        found = self._invoiced(month, month, patience)
        return found.get(month)

    def drafted(self, months_ahead: int, patience: Patience) -> list[Charge]:
        """The items of this month's draft (0) or of the next one's (1)."""
        return [charge_of(item, None) for item in self._reader.draft_items(months_ahead, patience)]

    def usage(self, day: date, patience: Patience) -> InvoicedUsage | None:
        """What the newest invoices say of usage; None before there is one."""
        found = self._newest(day, patience)
        charges = (charge for charges in found.values() for charge in charges)
        return invoiced_usage(charges, found.keys(), day.replace(day=1))

    def charged_for_usage(self, day: date, patience: Patience) -> set[str]:
        """The SKUs whose usage the newest invoices charged."""
        charges = (charge for charges in self._newest(day, patience).values() for charge in charges)
        return {charge.sku for charge in charges if charge.used and charge.sku is not None}

    def _newest(self, day: date, patience: Patience) -> dict[date, list[Charge]]:
        """The items of the invoices of this month and of those that still tell what was used, by month."""
        first = day.replace(day=1)
        for _ in range(MONTHS):
            first = month_before(first)
        return self._invoiced(first, day.replace(day=1), patience)

    def _invoiced(self, first: date, last: date, patience: Patience) -> dict[date, list[Charge]]:
        """The items of the invoices in force that are dated from one month to another, by month."""
        until = (last + timedelta(days=31)).replace(day=1) - timedelta(days=1)
        found: dict[date, list[Charge]] = {}
        for row in self._reader.invoices(first, until, patience):
            dated = row.day_or_none("invoiceDate")
            if dated is None:
                raise row.broken("it does not say of which day it is")
            if stands(row):
                found.setdefault(dated.replace(day=1), []).extend(self._charges(id_of(row, "id"), patience))
        return found

    def _charges(self, invoice: str, patience: Patience) -> list[Charge]:
        with self._lock:
            known = self._items.get(invoice)
        if known is not None:
            return known
        charges = [charge_of(item, invoice) for item in self._reader.invoice_items(invoice, patience)]
        with self._lock:
            if len(self._items) >= _MOST:
                self._items.pop(next(iter(self._items)))
            self._items[invoice] = charges
        return charges
