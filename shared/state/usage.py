"""Usage that a vendor exports for all customers at once: one partition per billing month, one row per customer.

What a customer had in an export stays when a later one does not name it: nobody knows then that it was nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from shared.billing.lines import canonical
from shared.billing.usage import Export, MonthlyUsage
from shared.state.documents import AFTER_SEPARATOR, SEPARATOR, Document, row_key
from shared.state.rows import PutRow, in_transactions
from shared.state.tables import TableAccess

TABLE = "Usage"
_EXPORT, _CUSTOMER = "export", "customer"
_EXPORTS = Document("usage export", Export)
_USAGE = Document("monthly usage", MonthlyUsage)


class UsageStore:
    """Months are named by their first day; customers are the same whatever their case."""

    def __init__(self, tables: TableAccess) -> None:
        self._tables = tables

    def export(self, source: str, month: date) -> Export:
        row = self._tables.get(TABLE, _partition(source, month), _EXPORT)
        return Export(month) if row is None else _EXPORTS.decode(row.values)

    def put_export(self, source: str, export: Export) -> None:
        row = PutRow(_EXPORT, _EXPORTS.encode(export))
        self._tables.transact(TABLE, _partition(source, export.month), [row])

    def usage(self, source: str, month: date, customer: str) -> MonthlyUsage | None:
        row = self._tables.get(TABLE, _partition(source, month), row_key(_CUSTOMER, canonical(customer)))
        return None if row is None else _USAGE.decode(row.values)

    def all(self, source: str, month: date) -> list[MonthlyUsage]:
        first, before = f"{_CUSTOMER}{SEPARATOR}", f"{_CUSTOMER}{AFTER_SEPARATOR}"
        rows = self._tables.query(TABLE, _partition(source, month), first=first, before=before)
        return [_USAGE.decode(row.values) for row in rows]

    def put(self, source: str, month: date, usages: Iterable[MonthlyUsage]) -> None:
        rows = [PutRow(row_key(_CUSTOMER, canonical(usage.customer)), _USAGE.encode(usage)) for usage in usages]
        for batch in in_transactions(rows):
            self._tables.transact(TABLE, _partition(source, month), batch)


def _partition(source: str, month: date) -> str:
    return row_key(source, f"{month:%Y-%m}")
