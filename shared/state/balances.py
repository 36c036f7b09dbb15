"""What was counted of each company beside what was billed, by month: a row for each night on which it changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from shared.billing.balance import Balance
from shared.billing.rules import Mode
from shared.errors import Incomplete, Refused
from shared.state.documents import SEPARATOR, Document
from shared.state.rows import DeleteRow, in_transactions
from shared.state.tables import TableAccess

TABLE = "Balances"


@dataclass(frozen=True, slots=True)
class CompanyBalance:
    """A company's bill items as they stood from a business day on, and the mode it was in."""

    company: int
    day: date
    mode: Mode
    items: tuple[Balance, ...] = ()


@dataclass(frozen=True, slots=True)
class MonthOfBalances:
    """A month of all companies, by company, then in the order of their days.

    `unreadable` says by company why a balance of it cannot be read: none of its balances is there then, since an older
    one would pass for what stands.
    """

    balances: tuple[CompanyBalance, ...] = ()
    unreadable: Mapping[int, str] = field(default_factory=dict)


_DOCUMENT = Document("balance", CompanyBalance)


class BalanceStore:
    """One partition per month, so that one query reads a month of all companies."""

    def __init__(self, tables: TableAccess) -> None:
        self._tables = tables

    def put(self, balance: CompanyBalance) -> None:
        """Stores a balance in the place of an earlier one of that day."""
        key = f"{_prefix(balance.company)}{balance.day.isoformat()}"
        self._tables.put(TABLE, _partition(balance.day), key, _DOCUMENT.encode(balance))

    def of_month(self, month: date) -> MonthOfBalances:
        """The balances of the month that holds this day."""
        found: list[CompanyBalance] = []
        unreadable: dict[int, str] = {}
        for row in self._tables.query(TABLE, _partition(month)):
            try:
                found.append(_DOCUMENT.decode(row.values))
            except (Incomplete, Refused) as error:
                unreadable[int(row.row.partition(SEPARATOR)[0])] = f"{error}. {error.remedy}".strip()
        return MonthOfBalances(tuple(each for each in found if each.company not in unreadable), unreadable)

    def of_company(self, company: int, month: date) -> list[CompanyBalance]:
        """The same of one company."""
        first, before = _prefix(company), _prefix(company + 1)
        rows = self._tables.query(TABLE, _partition(month), first=first, before=before)
        return [_DOCUMENT.decode(row.values) for row in rows]

    def forget(self, month: date) -> int:
        """Removes a month; gives how many balances it had."""
        rows = self._tables.query(TABLE, _partition(month), select=[])
        operations = [DeleteRow(row.row) for row in rows]
        for batch in in_transactions(operations):
            self._tables.transact(TABLE, _partition(month), batch)
        return len(operations)

    def forget_company(self, company: int, month: date) -> None:
        """Removes the balances of one company in a month."""
        first, before = _prefix(company), _prefix(company + 1)
        rows = self._tables.query(TABLE, _partition(month), first=first, before=before, select=[])
        for batch in in_transactions([DeleteRow(row.row) for row in rows]):
            self._tables.transact(TABLE, _partition(month), batch)


def _partition(day: date) -> str:
    return f"{day:%Y-%m}"


def _prefix(company: int) -> str:
    return f"{company:010d}{SEPARATOR}"
