"""The newest invoice of each vendor that invoices the MSP, and what was counted for each customer when it appeared."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from shared.billing.counts import Reading, VendorInvoice
from shared.billing.lines import canonical
from shared.state.documents import Document, escape, row_key
from shared.state.rows import PutRow, in_transactions
from shared.state.tables import TableAccess

TABLE = "VendorInvoices"
_NEWEST = "newest"


@dataclass(frozen=True, slots=True)
class SeenInvoice:
    """A vendor's newest invoice and the day on which we first saw it.

    `appeared` None: it was there already when we began to look, so nobody knows what was counted on its day.
    """

    invoice: VendorInvoice
    appeared: date | None


@dataclass(frozen=True, slots=True)
class InvoiceReading:
    """What one customer had when an invoice appeared."""

    reading: Reading
    invoice: str


_SEEN = Document("vendor's invoice", SeenInvoice)
_READING = Document("reading at an invoice", InvoiceReading)


class VendorInvoiceStore:
    """One row per customer in one partition per source, and one for the source's newest invoice."""

    def __init__(self, tables: TableAccess) -> None:
        self._tables = tables

    def newest(self, source: str) -> SeenInvoice | None:
        row = self._tables.get(TABLE, _NEWEST, escape(source))
        return None if row is None else _SEEN.decode(row.values)

    def see(self, source: str, seen: SeenInvoice) -> None:
        """Stores the newest invoice in the place of the one before."""
        self._tables.transact(TABLE, _NEWEST, [PutRow(escape(source), _SEEN.encode(seen))])

    def reading(self, source: str, customer: str) -> InvoiceReading | None:
        row = self._tables.get(TABLE, _of(source), row_key(canonical(customer)))
        return None if row is None else _READING.decode(row.values)

    def taken(self, source: str) -> dict[str, str]:
        """The invoice at which each customer was last counted."""
        stored = (_READING.decode(row.values) for row in self._tables.query(TABLE, _of(source)))
        return {canonical(each.reading.customer): each.invoice for each in stored}

    def take(self, source: str, readings: Iterable[Reading], invoice: str) -> None:
        """Stores what customers had when an invoice appeared, in the place of what they had at the one before."""
        rows = [
            PutRow(row_key(canonical(each.customer)), _READING.encode(InvoiceReading(each, invoice)))
            for each in readings
        ]
        for batch in in_transactions(rows):
            self._tables.transact(TABLE, _of(source), batch)

    def forget(self, source: str, customer: str) -> None:
        """Removes what one customer had."""
        self._tables.delete(TABLE, _of(source), row_key(canonical(customer)))


def _of(source: str) -> str:
    return row_key(source, "readings")
