"""Products of ConnectWise Manage's catalog, as far as a person has TrueUp create one."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

#: Manage's classes whose products can stand on an agreement; a bundle cannot, and an inventory has a stock.
CLASSES = ("NonInventory", "Agreement", "Service")


@dataclass(frozen=True, slots=True)
class CatalogChoice:
    """A row of one of Manage's set-up tables; `category` is the name of a subcategory's own."""

    id: int
    name: str
    category: str = ""


@dataclass(frozen=True, slots=True)
class CatalogChoices:
    """What a product can be filed under: active rows only, by name."""

    subcategories: tuple[CatalogChoice, ...]
    types: tuple[CatalogChoice, ...]
    units: tuple[CatalogChoice, ...]


@dataclass(frozen=True, slots=True)
class NewProduct:
    """A product to create. `price` and `cost` are per unit; `unit` None: as Manage does by itself.

    `subcategory`, `type` and `unit` are ids of Manage's rows. Manage takes 75 characters of an `identifier`, 60 of a
    `description`, 6000 of a `text`, which stands on invoices, and 50 of a `vendor_sku`.
    """

    identifier: str
    description: str
    text: str
    subcategory: int
    type: int
    unit: int | None
    product_class: str
    price: Decimal
    cost: Decimal
    taxable: bool
    vendor_sku: str = ""
