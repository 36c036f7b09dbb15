"""What is sent to write an addition or a callback, and whether the answer shows that it was done."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from shared.billing.agreements import Addition, Fields, FieldValue
from shared.errors import Refused
from shared.manage.failures import SYSTEM
from shared.manage.settings import CancelledDay

#: Manage's name of each field that may be written, by its name in `Addition`.
_NAMES: Mapping[str, str] = {
    "product_id": "product",
    "quantity": "quantity",
    "unit_price": "unitPrice",
    "unit_cost": "unitCost",
    "bill_customer": "billCustomer",
    "effective_date": "effectiveDate",
    "cancelled_date": "cancelledDate",
    "less_included": "lessIncluded",
    "taxable_flag": "taxableFlag",
    "serial_number": "serialNumber",
    "invoice_description": "invoiceDescription",
}

#: Fields that can be without a value; a number or a flag always has one.
_CLEARABLE = frozenset({"effective_date", "cancelled_date", "serial_number", "invoice_description"})

#: Manage requires the first two; what it fills in for the others is not documented, so they are always sent.
_REQUIRED = ("product_id", "bill_customer", "effective_date", "quantity")


def create_body(fields: Fields, cancelled_day: CancelledDay = CancelledDay.BILLED) -> dict[str, Any]:
    """The body of a POST: the fields that have a value. `cancelled_date` names the last billed day."""
    missing = [name for name in _REQUIRED if fields.get(name) in (None, "")]
    if missing:
        raise _refused(f"a new addition needs {', '.join(missing)}")
    sent = _as_cancelled(fields, cancelled_day)
    return {_name(name): _json(name, value) for name, value in sent.items() if value is not None}


def patch_body(fields: Fields, cancelled_day: CancelledDay = CancelledDay.BILLED) -> list[dict[str, Any]]:
    """The body of a PATCH in Manage's dialect: a bare array of operations that set absolute values; None removes.

    `cancelled_date` names the last billed day.
    """
    if not fields:
        raise _refused("a change of an addition names no field")
    return [_operation(name, value) for name, value in _as_cancelled(fields, cancelled_day).items()]


def callback_body(url: str, type_: str) -> dict[str, Any]:
    """The body of a POST that registers a callback for every record of a type, but not for what we do ourselves."""
    return {
        "description": "TrueUp",
        "url": url,
        "objectId": 1,
        "type": type_,
        "level": "owner",
        "payloadVersion": "3.0.0",
        "isSelfSuppressedFlag": True,
    }


def unlike(asked: Fields, answered: Addition) -> list[str]:
    """A sentence part for each field that the answer shows with another value than the one asked for.

    The invoice text is named but not quoted: it may hold the names of users.
    """
    return [
        name if name == "invoice_description" else f"{name} (asked {_shown(value)}, got {_shown(got)})"
        for name, value in asked.items()
        if not _same(value, got := getattr(answered, name))
    ]


def _as_cancelled(fields: Fields, cancelled_day: CancelledDay) -> Fields:
    """The fields with the cancelled date that this Manage needs to bill up to the last billed day."""
    last = fields.get("cancelled_date")
    if cancelled_day is CancelledDay.BILLED or not isinstance(last, date):
        return fields
    return {**fields, "cancelled_date": last + timedelta(days=1)}


def _operation(name: str, value: FieldValue) -> dict[str, Any]:
    if value is not None:
        return {"op": "replace", "path": _name(name), "value": _json(name, value)}
    if name not in _CLEARABLE:
        raise _refused(f"{name} of an addition cannot be cleared")
    return {"op": "remove", "path": _name(name)}


def _name(name: str) -> str:
    if name not in _NAMES:
        raise _refused(f"{name} is not a field of an addition that TrueUp writes")
    return _NAMES[name]


def _json(name: str, value: FieldValue) -> Any:
    if name == "product_id":
        return {"id": value}
    if isinstance(value, date):
        return f"{value.isoformat()}T00:00:00Z"
    if isinstance(value, Decimal):
        return json_number(name, value)
    return value


def json_number(name: str, value: Decimal) -> int | float:
    """The number as JSON has it. Raises `Refused` where that would be another one."""
    if value.is_finite():
        number = int(value) if value == value.to_integral_value() else float(value)
        if Decimal(repr(number)) == value:
            return number
    raise _refused(f"{name} {value} cannot be sent as a number without changing it")


def _same(asked: FieldValue, got: Any) -> bool:
    """By value; unset is the same as empty; Manage may trim texts and change their line ends."""
    if asked is None or isinstance(asked, str):
        return _plain(asked) == _plain(got)
    return bool(asked == got)


def _plain(value: Any) -> str:
    return "" if value is None else "\n".join(str(value).split("\r\n")).strip()


def _shown(value: Any) -> str:
    return "nothing" if value in (None, "") else str(value)


def _refused(message: str) -> Refused:
    return Refused(message, system=SYSTEM, remedy="This is a fault of the program: nothing was sent.")
