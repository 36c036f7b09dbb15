"""Additions: what Manage demands of them, fills in and derives."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from local.sandbox.manage import agreements
from local.sandbox.manage.answers import detail, invalid, invalid_field
from local.sandbox.manage.fields import ADDITION
from local.sandbox.manage.instance import Instance
from local.sandbox.manage.records import Record, day_of, day_text
from local.sandbox.manage.writing import check, patched, read_values

BILL_OPTIONS = ("Billable", "DoNotBill", "NoCharge")

#: Fields that the server derives; what a client writes there is ignored (or refused, by switch).
DERIVED = frozenset(
    {
        "id",
        "agreementId",
        "billedQuantity",
        "extPrice",
        "extCost",
        "margin",
        "description",
        "uom",
        "agreementStatus",
        "prorateCost",
        "proratePrice",
        "extendedProrateCost",
        "extendedProratePrice",
    }
)

_REQUIRED = ("product", "billCustomer")
_LIMITS = {"serialNumber": 50, "invoiceDescription": 6000}


def new(instance: Instance, agreement: Record, body: Any) -> Record:
    """The addition that a POST asks for, complete with defaults, not stored yet. Raises ApiError."""
    given = read_values("addition", ADDITION, body)
    _refuse_derived(instance, set(given))
    sent = {name: value for name, value in given.items() if name not in DERIVED}
    check("addition", sent, required=_REQUIRED, limits=_LIMITS)
    item = _catalog_item(instance, sent["product"])
    _check_bill_option(sent)
    start = day_text(instance.clock.today()) if instance.switches.effective_date_today else agreement.get("startDate")
    defaults = {"quantity": 1.0, "lessIncluded": 0.0, "effectiveDate": start, **_from_item(item)}
    complete = {**defaults, **sent, "product": _reference(item), "agreementId": agreement["id"]}
    return {name: value for name, value in complete.items() if value is not None}


def replaced(instance: Instance, agreement: Record, addition: Record, body: Any) -> Record:
    """The addition after a PUT: what the body does not name has its default again."""
    return {**new(instance, agreement, body), "id": addition["id"]}


def changed(instance: Instance, addition: Record, operations: Any) -> Record:
    """The addition after PATCH operations, not stored yet.

    A new product brings its own price, cost, tax and text along, except where the same request sets them.
    """
    after, written = patched("addition", ADDITION, addition, operations)
    _refuse_derived(instance, written)
    for name in written & DERIVED:
        after[name] = addition.get(name)
    check("addition", after, required=_REQUIRED, limits=_LIMITS)
    _check_bill_option(after)
    if "product" in written:
        item = _catalog_item(instance, after["product"])
        if item["id"] != addition["product"]["id"]:
            after.update({name: value for name, value in _from_item(item).items() if name not in written})
        after["product"] = _reference(item)
    return after


def view(instance: Instance, addition: Record) -> Record:
    """The addition as it is answered today, with what the server derives."""
    item = instance.records.get("catalog", addition["product"]["id"]) or {}
    quantity, price, cost = (_decimal(addition, name) for name in ("quantity", "unitPrice", "unitCost"))
    status = _status(instance, addition)
    answered = {
        **addition,
        "billedQuantity": float(quantity - _decimal(addition, "lessIncluded")),
        "extPrice": float(quantity * price),
        "extCost": float(quantity * cost),
        "margin": float(quantity * price - quantity * cost),
        "description": item.get("description", ""),
        "uom": item.get("unitOfMeasure", {}).get("name", "Each"),
        "agreementStatus": status,
    }
    if instance.switches.addition_status_reported:
        answered["additionStatus"] = status
    return instance.with_unset_dates(answered, ADDITION)


def _status(instance: Instance, addition: Record) -> str:
    """`agreementStatus`: despite its name it tells of the addition, unless the agreement itself is over."""
    today = instance.clock.today()
    agreement = instance.records.get("agreements", addition["agreementId"])
    of_agreement = agreements.status_on(agreement, today) if agreement else "Inactive"
    if of_agreement != "Active":
        return of_agreement
    effective, cancelled = day_of(addition, "effectiveDate"), day_of(addition, "cancelledDate")
    if cancelled is not None and cancelled <= today:
        return "Cancelled"
    return "Inactive" if effective is not None and effective > today else "Active"


def _catalog_item(instance: Instance, product: Record) -> Record:
    """The catalog item that a reference names by id or identifier."""
    key = "id" if "id" in product else "identifier"
    wanted = product.get(key)
    if key == "id":
        item = instance.records.get("catalog", wanted) if isinstance(wanted, int) else None
    else:
        items = instance.records.collections["catalog"].values()
        item = next((item for item in items if item["identifier"] == wanted), None)
    if item is None:
        message = f"The product {wanted} does not exist."
        raise invalid("addition", [detail("NotFound", message, "addition", f"product/{key}")])
    if item.get("productClass") == "Bundle":
        raise invalid_field("addition", "product", "A bundle cannot be an addition.")
    return item


def _from_item(item: Record) -> Record:
    """What an addition takes from its product when it is not told."""
    return {
        "unitPrice": float(item.get("price", 0)),
        "unitCost": float(item.get("cost", 0)),
        "taxableFlag": bool(item.get("taxableFlag")),
        "invoiceDescription": item.get("customerDescription", ""),
    }


def _reference(item: Record) -> Record:
    return {
        "id": item["id"],
        "identifier": item["identifier"],
        "serializedFlag": bool(item.get("serializedFlag")),
    }


def _check_bill_option(addition: Record) -> None:
    if addition["billCustomer"] not in BILL_OPTIONS:
        options = ", ".join(BILL_OPTIONS)
        raise invalid_field("addition", "billCustomer", f"The billCustomer field must be one of {options}.")


def _refuse_derived(instance: Instance, written: set[str]) -> None:
    refused = sorted((written & DERIVED) - {"id", "agreementId"})
    if instance.switches.derived_writes_refused and refused:
        raise invalid_field("addition", refused[0], f"The {refused[0]} field is read-only.")


def _decimal(addition: Record, name: str) -> Decimal:
    return Decimal(str(addition.get(name) or 0))
