"""What a vendor exports for all customers at once: one partition per billing month, one row per customer."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Generic, Protocol, TypeVar

from shared.billing.lines import canonical
from shared.billing.usage import Export, MonthlyUsage
from shared.billing.vendors import MonthlyCharges
from shared.state.documents import AFTER_SEPARATOR, SEPARATOR, Document, row_key
from shared.state.rows import DeleteRow, PutRow, in_transactions
from shared.state.tables import TableAccess

TABLE = "Usage"
_EXPORT, _CUSTOMER = "export", "customer"
_EXPORTS = Document("usage export", Export)
_USAGE = Document("monthly usage", MonthlyUsage)
_CHARGES = Document("monthly charges", MonthlyCharges)


class _OfCustomer(Protocol):
    @property
    def customer(self) -> str: ...


T = TypeVar("T", bound=_OfCustomer)


class _ExportStore(Generic[T]):
    """Months are named by their first day; customers are the same whatever their case."""

    def __init__(self, tables: TableAccess, document: Document[T]) -> None:
        self._tables = tables
        self._document = document

    def export(self, source: str, month: date) -> Export:
        row = self._tables.get(TABLE, _partition(source, month), _EXPORT)
        return Export(month) if row is None else _EXPORTS.decode(row.values)

    def put_export(self, source: str, export: Export) -> None:
        row = PutRow(_EXPORT, _EXPORTS.encode(export))
        self._tables.transact(TABLE, _partition(source, export.month), [row])

    def all(self, source: str, month: date) -> list[T]:
        first, before = f"{_CUSTOMER}{SEPARATOR}", f"{_CUSTOMER}{AFTER_SEPARATOR}"
        rows = self._tables.query(TABLE, _partition(source, month), first=first, before=before)
        return [self._document.decode(row.values) for row in rows]

    def put(self, source: str, month: date, found: Iterable[T]) -> None:
        rows = [PutRow(row_key(_CUSTOMER, canonical(each.customer)), self._document.encode(each)) for each in found]
        for batch in in_transactions(rows):
            self._tables.transact(TABLE, _partition(source, month), batch)

    def forget(self, source: str, month: date, customer: str) -> None:
        """Removes what an export of a month said of one customer."""
        self._tables.delete(TABLE, _partition(source, month), row_key(_CUSTOMER, canonical(customer)))

    def of_customer(self, source: str, month: date, customer: str) -> T | None:
        row = self._tables.get(TABLE, _partition(source, month), row_key(_CUSTOMER, canonical(customer)))
        return None if row is None else self._document.decode(row.values)


class UsageStore(_ExportStore[MonthlyUsage]):
    """What a customer had stays when a later export does not name it: nobody knows then that it was nothing."""

    def __init__(self, tables: TableAccess) -> None:
        super().__init__(tables, _USAGE)


class ChargeStore(_ExportStore[MonthlyCharges]):
    """An export is all that is charged: a customer that a later one does not name is not charged any more."""

    def __init__(self, tables: TableAccess) -> None:
        super().__init__(tables, _CHARGES)

    def put(self, source: str, month: date, found: Iterable[MonthlyCharges]) -> None:
        kept = list(found)
        super().put(source, month, kept)
        named = {canonical(each.customer) for each in kept}
        gone = [each for each in self.all(source, month) if canonical(each.customer) not in named]
        for batch in in_transactions([DeleteRow(row_key(_CUSTOMER, canonical(each.customer))) for each in gone]):
            self._tables.transact(TABLE, _partition(source, month), batch)


def _partition(source: str, month: date) -> str:
    return row_key(source, f"{month:%Y-%m}")
