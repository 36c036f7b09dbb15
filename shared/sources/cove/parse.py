"""From Cove's partners and devices to what can be counted. Pure; what cannot be understood is `Incomplete`.

Cove keeps customers as partners in a tree, with sites below them; devices belong to any of these. Values come as
texts, sizes in bytes, and empty columns are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from shared.billing.counts import Customer
from shared.sources.cove.columns import column
from shared.sources.rows import Row, broken, rows_under

SOURCE = "cove"
SYSTEM = "Cove"
PARTNERS, DEVICES = "the list of customers", "the list of devices"

_CUSTOMER = "endcustomer"
_STATES = {"inproduction": False, "intrial": True}
#: From root to site there are eight levels; a longer way up goes round in circles.
_DEEPEST = 20


@dataclass(frozen=True, slots=True)
class Partner:
    """One node of the tree. `trial` is None where Cove does not say whether it is in production."""

    id: str
    name: str
    level: str
    parent: str
    trial: bool | None
    reference: str | None

    @property
    def is_customer(self) -> bool:
        return self.level.casefold() == _CUSTOMER

    @property
    def customer(self) -> Customer:
        return Customer(SOURCE, self.id, self.name, reference=self.reference)


@dataclass(frozen=True, slots=True)
class Device:
    """One device with what it told, by column."""

    id: str
    partner: str
    columns: Mapping[str, str]

    def text(self, code: str) -> str:
        """A column's text; empty where it was left out."""
        return self.columns.get(code, "")

    def number(self, code: str) -> Decimal:
        """A column's number, 0 where it was left out."""
        text = self.text(code) or "0"
        if not re.fullmatch(r"\d{1,24}(\.\d{1,9})?", text, re.ASCII):
            raise broken(SYSTEM, DEVICES, f"column {code} of a device is not a number of zero or more")
        return Decimal(text)


def partners_of(result: object) -> dict[str, Partner]:
    """Every partner below ours, by id."""
    found: dict[str, Partner] = {}
    for row in rows_under(result, "result", PARTNERS, SYSTEM):
        partner = Partner(
            id=_id(row, "Id"),
            name=row.text("Name"),
            level=row.text("Level"),
            parent=_id(row, "ParentId"),
            trial=_STATES.get((row.text_or_none("State") or "").casefold()),
            reference=row.hint("ExternalCode"),
        )
        if partner.id in found:
            raise row.broken("it lists one customer twice")
        found[partner.id] = partner
    return found


def devices_of(result: object) -> list[Device]:
    """The devices on one page."""
    rows = rows_under(result, "result", DEVICES, SYSTEM)
    return [Device(_id(row, "AccountId"), _id(row, "PartnerId"), _columns(row)) for row in rows]


def by_customer(devices: Iterable[Device], partners: Mapping[str, Partner], own: str) -> dict[str, list[Device]]:
    """The devices of every customer, those of its sites among them; those of `own`, the MSP itself, are nobody's."""
    found: dict[str, list[Device]] = {partner.id: [] for partner in partners.values() if partner.is_customer}
    for device in devices:
        customer = _customer(device.partner, partners, own)
        if customer is not None:
            found[customer].append(device)
    return found


def _customer(partner: str, partners: Mapping[str, Partner], own: str) -> str | None:
    """The customer that a partner is or belongs to; None for the MSP itself and for resellers between."""
    for _ in range(_DEEPEST):
        if partner == own:
            return None
        found = partners.get(partner)
        if found is None:
            raise broken(SYSTEM, DEVICES, "a device belongs to nobody in the list of customers")
        if found.is_customer:
            return found.id
        partner = found.parent
    raise broken(SYSTEM, PARTNERS, "the tree of customers has no root")


def _columns(row: Row) -> dict[str, str]:
    """A device's settings are objects of one column each; a null or an empty text is a column that was left out."""
    found: dict[str, str] = {}
    for setting in rows_under(row.values, "Settings", DEVICES, SYSTEM):
        for code, value in setting.values.items():
            if isinstance(value, bool) or not isinstance(value, str | int | Decimal | None):
                raise row.broken(f"column {column(code)} of a device is no text")
            if value is not None and str(value).strip():
                found[column(code)] = str(value).strip()
    return found


def _id(row: Row, name: str) -> str:
    return str(row.whole(name))
