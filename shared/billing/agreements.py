"""Manage's objects as the core sees them, with Manage's field names in snake case.

Agreement and addition dates are calendar dates: the first ten characters of what Manage sends, never converted
between zones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

#: Fields of an addition to write, by their name in `Addition`; None clears a field.
FieldValue = Decimal | date | str | bool | int | None
Fields = Mapping[str, FieldValue]


@dataclass(frozen=True, slots=True)
class Agreement:
    """A contract. `billing_cycle` is Manage's billing option (Monthly, Quarterly, …), None if it is not known.

    `bill_amount` is a flat amount beside the additions. `invoices_work`: time, expenses or products of tickets go on
    its invoice too.
    """

    id: int
    name: str
    company_id: int
    type: str
    agreement_status: str
    billing_cycle: str | None
    invoicing_cycle: str | None
    period_type: str | None
    start_date: date | None
    end_date: date | None
    bill_start_date: date | None
    next_invoice_date: date | None
    parent_agreement_id: int | None = None
    prorate_flag: bool = False
    currency: str | None = None
    bill_amount: Decimal = Decimal(0)
    taxable: bool = False
    invoices_work: bool = False


@dataclass(frozen=True, slots=True)
class Recap:
    """Manage's own forecast of an agreement's next invoice. `next_invoice_amount` None where it does not say."""

    id: int
    name: str
    next_invoice_date: date | None
    next_invoice_amount: Decimal | None
    unbilled_periods: int = 0


@dataclass(frozen=True, slots=True)
class Addition:
    """One line of an agreement. Prices are per billing cycle of the agreement, in its currency."""

    id: int
    agreement_id: int
    product_id: int
    product: str
    quantity: Decimal
    unit_price: Decimal
    unit_cost: Decimal
    bill_customer: str
    effective_date: date | None
    cancelled_date: date | None = None
    less_included: Decimal = Decimal(0)
    taxable_flag: bool = False
    serial_number: str = ""
    invoice_description: str = ""

    def is_open(self, day: date) -> bool:
        """Whether the line bills on a day or later; the cancelled date is its last day."""
        return self.cancelled_date is None or self.cancelled_date >= day


@dataclass(frozen=True, slots=True)
class Product:
    """A catalog item. `price` and `cost` are per unit."""

    id: int
    identifier: str
    description: str
    price: Decimal
    cost: Decimal
    inactive_flag: bool = False
    serialized_flag: bool = False
    taxable_flag: bool = False
    customer_description: str = ""


@dataclass(frozen=True, slots=True)
class Company:
    """A company as Manage knows it. `website` is empty where Manage has none.

    `owners` are the names by which its owner is known: territory manager (identifier, name), then the territory.
    """

    id: int
    identifier: str
    name: str
    deleted_flag: bool = False
    website: str = ""
    owners: tuple[str, ...] = ()
