"""From rows of Manage's answers to the core's values.

What does not fit is an `Unreadable` that names the field and never quotes the value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, Field, ValidationError

from shared.billing.agreements import Addition, Agreement, Company, Product, Recap
from shared.callbacks import CallbackEntry
from shared.manage.rows import (
    Day,
    Flag,
    Id,
    Number,
    NumberOrNone,
    NumberOrZero,
    Reference,
    Referred,
    Row,
    Text,
    Unreadable,
    unset_reference,
)
from shared.manage.settings import CancelledDay


@dataclass(frozen=True, slots=True)
class BillingCycle:
    """A row of Manage's table of billing cycles; `billing_options` is Monthly, Quarterly, …, or None if unset."""

    id: int
    billing_options: str | None


class _Currency(Row):
    currency_code: Text = ""
    currency_identifier: Text = ""
    identifier: Text = ""
    name: Text = ""

    @property
    def shown(self) -> str | None:
        return self.currency_code or self.currency_identifier or self.identifier or self.name or None


Currency = Annotated[_Currency | None, BeforeValidator(unset_reference)]


class _AgreementRow(Row):
    id: Id
    name: Text = ""
    company: Referred
    type: Reference = None
    agreement_status: Text = ""
    billing_cycle: Reference = None
    invoicing_cycle: Text = ""
    period_type: Text = ""
    start_date: Day = None
    end_date: Day = None
    no_ending_date_flag: Flag = False
    bill_start_date: Day = None
    next_invoice_date: Day = None
    parent_agreement: Reference = None
    prorate_flag: Flag = False
    currency: Currency = None
    bill_amount: NumberOrZero = Decimal(0)
    taxable: Flag = False
    billable_time_invoice: Flag = False
    billable_expense_invoice: Flag = False
    billable_product_invoice: Flag = False


class _RecapRow(Row):
    id: Id
    name: Text = ""
    next_invoice_date: Day = None
    next_invoice_amount: NumberOrNone = None
    unbilled_periods: NumberOrZero = Decimal(0)


class _AdditionRow(Row):
    id: Id
    product: Referred
    # The one number without which a line means nothing; an unset price bills nothing.
    quantity: Number
    unit_price: NumberOrZero = Decimal(0)
    unit_cost: NumberOrZero = Decimal(0)
    less_included: NumberOrZero = Decimal(0)
    bill_customer: Text = ""
    effective_date: Day = None
    cancelled_date: Day = None
    taxable_flag: Flag = False
    serial_number: Text = ""
    invoice_description: Text = ""


class _ProductRow(Row):
    id: Id
    identifier: str = Field(min_length=1)
    description: Text = ""
    price: NumberOrZero = Decimal(0)
    cost: NumberOrZero = Decimal(0)
    inactive_flag: Flag = False
    serialized_flag: Flag = False
    taxable_flag: Flag = False
    customer_description: Text = ""


class _CompanyRow(Row):
    id: Id
    identifier: Text = ""
    name: Text = ""
    deleted_flag: Flag = False
    website: Text = ""
    territory_manager: Any = None
    territory: Any = None


class _BillingCycleRow(Row):
    id: Id
    billing_options: Text = ""


class _Info(Row):
    entered_by: Text = ""
    updated_by: Text = ""


class _CallbackRow(Row):
    id: Id
    url: Text = ""
    type: Text = ""
    level: Text = ""
    inactive_flag: Flag = False
    info: _Info = Field(alias="_info", default=_Info())


class _OfCompany(Row):
    company: Referred


RowT = TypeVar("RowT", bound=Row)


def agreement(row: Any, billing_options: Mapping[int, str | None]) -> Agreement:
    """`billing_options` is the option of each billing cycle by the cycle's id."""
    it = _validated(_AgreementRow, row, "agreement")
    return Agreement(
        id=it.id,
        name=it.name,
        company_id=it.company.id,
        type=it.type.name if it.type else "",
        agreement_status=it.agreement_status,
        billing_cycle=billing_options.get(it.billing_cycle.id) if it.billing_cycle else None,
        invoicing_cycle=it.invoicing_cycle or None,
        period_type=it.period_type or None,
        start_date=it.start_date,
        end_date=None if it.no_ending_date_flag else it.end_date,
        bill_start_date=it.bill_start_date,
        next_invoice_date=it.next_invoice_date,
        parent_agreement_id=it.parent_agreement.id if it.parent_agreement else None,
        prorate_flag=it.prorate_flag,
        currency=it.currency.shown if it.currency else None,
        bill_amount=it.bill_amount,
        taxable=it.taxable,
        invoices_work=it.billable_time_invoice or it.billable_expense_invoice or it.billable_product_invoice,
    )


def recap(row: Any) -> Recap:
    """Manage's forecast of an agreement's next invoice."""
    it = _validated(_RecapRow, row, "agreement recap")
    return Recap(it.id, it.name, it.next_invoice_date, it.next_invoice_amount, int(it.unbilled_periods))


def addition(row: Any, agreement_id: int, cancelled_day: CancelledDay = CancelledDay.BILLED) -> Addition:
    """`agreement_id` is the agreement it was asked of; the cancelled date that it answers is the last billed day."""
    it = _validated(_AdditionRow, row, "addition")
    return Addition(
        id=it.id,
        agreement_id=agreement_id,
        product_id=it.product.id,
        product=it.product.identifier,
        quantity=it.quantity,
        unit_price=it.unit_price,
        unit_cost=it.unit_cost,
        bill_customer=it.bill_customer,
        effective_date=it.effective_date,
        cancelled_date=_last_billed(it.cancelled_date, cancelled_day),
        less_included=it.less_included,
        taxable_flag=it.taxable_flag,
        serial_number=it.serial_number,
        invoice_description=it.invoice_description,
    )


def _last_billed(cancelled: date | None, cancelled_day: CancelledDay) -> date | None:
    # Nothing comes before the first day that a calendar knows; such a line never bills, either way.
    if cancelled is None or cancelled == date.min or cancelled_day is CancelledDay.BILLED:
        return cancelled
    return cancelled - timedelta(days=1)


def product(row: Any) -> Product:
    """A catalog item."""
    return Product(**_validated(_ProductRow, row, "catalog item").model_dump())


def company(row: Any) -> Company:
    """A company, deleted ones too."""
    it = _validated(_CompanyRow, row, "company")
    owners = (*_names(it.territory_manager), *_names(it.territory))
    return Company(it.id, it.identifier, it.name, it.deleted_flag, it.website, owners)


def _names(reference: Any) -> Iterator[str]:
    """What somebody or something is called; a company is still a company where that cannot be read."""
    for field in ("identifier", "name"):
        name = reference.get(field) if isinstance(reference, dict) else None
        if isinstance(name, str) and name.strip():
            yield name.strip()


def billing_cycle(row: Any) -> BillingCycle:
    """A billing cycle."""
    it = _validated(_BillingCycleRow, row, "billing cycle")
    return BillingCycle(it.id, it.billing_options or None)


def callback_entry(row: Any) -> CallbackEntry:
    """A registered callback."""
    it = _validated(_CallbackRow, row, "callback")
    return CallbackEntry(
        id=it.id,
        url=it.url,
        type=it.type.lower(),
        level=it.level.lower(),
        active=not it.inactive_flag,
        member=it.info.entered_by or it.info.updated_by,
    )


def company_of(row: Any) -> int:
    """The company that a record belongs to."""
    return _validated(_OfCompany, row, "record").company.id


def _validated(model: type[RowT], row: Any, what: str) -> RowT:
    try:
        return model.model_validate(row)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"]) or "row"
        which = row.get("id") if isinstance(row, dict) else None
        raise Unreadable(f"{what} {which}: {name} does not fit: {first['msg']}") from None
