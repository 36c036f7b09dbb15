"""What an agreement's lines come to once changes are made, and what of them the invoice of a period bills."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from shared.billing.agreements import Addition
from shared.billing.calendar import Period
from shared.billing.lines import LineValues
from shared.billing.planning.plan import Change
from shared.billing.profiles import BillOption

_CENT = Decimal("0.01")
_VALUES = [item.name for item in fields(LineValues)]


def with_changes(lines: Iterable[Addition], changes: Iterable[Change]) -> list[Addition]:
    """The lines as the changes leave them, those that are still there first. New ones have the ids -1, -2, …"""
    found = {line.id: line for line in lines}
    for number, change in enumerate(changes, start=1):
        if change.after is None:
            found.pop(change.addition or 0, None)
        elif change.addition is None:
            found[-number] = _new(-number, change, change.after)
        elif change.addition in found:
            found[change.addition] = _changed(found[change.addition], change.after)
    return list(found.values())


def billed_in(lines: Iterable[Addition], period: Period) -> list[tuple[Addition, Decimal]]:
    """The lines that the invoice of a period bills, at their full price, each with its exact amount."""
    return [
        (line, units_of(line) * line.unit_price)
        for line in lines
        if line.bill_customer == BillOption.BILLABLE
        and units_of(line) != 0
        and (line.effective_date or date.min) <= period.end
        and line.is_open(period.start)
    ]


def in_cents(amount: Decimal) -> Decimal:
    """An amount as an invoice prints it."""
    return amount.quantize(_CENT, ROUND_HALF_UP)


def units_of(line: Addition) -> Decimal:
    """What is billed of the quantity: what is included in the agreement is not."""
    return max(line.quantity - line.less_included, Decimal(0)) if line.less_included else line.quantity


def _new(number: int, change: Change, after: LineValues) -> Addition:
    return Addition(
        number,
        change.key.agreement,
        after.product_id,
        change.product,
        after.quantity,
        after.unit_price,
        after.unit_cost or Decimal(0),
        after.bill_customer,
        after.effective_date,
        after.cancelled_date,
        taxable_flag=bool(after.taxable_flag),
        serial_number=after.serial_number,
        invoice_description=after.invoice_description,
    )


def _changed(line: Addition, after: LineValues) -> Addition:
    kept = {name: value for name in _VALUES if (value := getattr(after, name)) is not None or name == "cancelled_date"}
    return replace(line, **kept)
