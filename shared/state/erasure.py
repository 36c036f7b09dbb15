"""What the store holds of one customer or company beside its state and history, to let go of it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from shared.state.balances import BalanceStore
from shared.state.contacts import ContactStore
from shared.state.due import DueStore
from shared.state.health import HealthStore
from shared.state.pushes import PushStore
from shared.state.readings import ReadingStore
from shared.state.tables import TableAccess
from shared.state.tickets import TicketStore
from shared.state.usage import UsageStore
from shared.state.vendor_invoices import VendorInvoiceStore


class Erasure:
    """Every method is safe to repeat. `months` are days in them; what is not there is no error."""

    def __init__(self, tables: TableAccess) -> None:
        self._balances = BalanceStore(tables)
        self._contacts = ContactStore(tables)
        self._due = DueStore(tables)
        self._health = HealthStore(tables)
        self._pushes = PushStore(tables)
        self._readings = ReadingStore(tables)
        self._tickets = TicketStore(tables)
        self._usage = UsageStore(tables)
        self._vendor_invoices = VendorInvoiceStore(tables)

    def forget_customer(self, source: str, customer: str, months: Iterable[date]) -> None:
        """Removes what was read, pushed, exported and asked of a vendor's customer."""
        self._readings.forget_customer(source, customer)
        self._vendor_invoices.forget(source, customer)
        self._pushes.forget(source, customer)
        self._health.forget(source, customer)
        for month in months:
            self._usage.forget(source, month, customer)

    def forget_company(self, company: int, months: Iterable[date]) -> None:
        """Removes what is remembered of a company's contacts, tickets and balances, and what it is due for."""
        self._contacts.forget_all(company)
        self._tickets.forget(company)
        self._due.forget(company)
        for month in months:
            self._balances.forget_company(company, month)
