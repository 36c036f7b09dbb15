"""The first steps, and what vendors sell and Manage's catalog can hold."""

from __future__ import annotations

from typing import Any, NotRequired

from typing_extensions import TypedDict


class Step(TypedDict):
    """`path` is the page for it."""

    text: str
    done: bool
    now: str
    path: str


class Setting(TypedDict):
    """`value` is never a secret's."""

    name: str
    meaning: str
    value: str | None


class Connection(TypedDict):
    """`needs` are the settings that are missing; `settings` only for administrators."""

    id: str
    name: str
    connected: bool
    needs: list[str]
    guide: str
    settings: list[Setting]


class Consent(TypedDict):
    """Where the administrator of a tenant consents; `lost`: it was refused last."""

    name: str
    company: int | None
    tenant: str
    url: str | None
    lost: bool


class Asked(TypedDict):
    """`problems` are sentences that say what to do, none: in order."""

    name: str
    problems: list[str]


class Check(Asked):
    warnings: list[str]


class FirstSteps(TypedDict):
    steps: list[Step]
    connections: list[Connection]
    other_settings: list[Setting]
    consents: list[Consent]
    checks: list[Check]


class Tested(Asked):
    connection: str


class TestedCustomer(Asked):
    """`consent` is where the customer consents, where that is what is missing."""

    company: int
    source: str
    customer: str
    consent: str | None


class PriceStep(TypedDict):
    """The price of a unit up to a quantity (null: without end), or of the `whole` step."""

    upto: float | None
    cost: float | None
    retail: float | None
    whole: bool


class Offer(TypedDict):
    name: str
    vendor: str
    vendor_sku: str
    term: str
    commitment: str | None
    kind: str
    unit: str | None
    steps: list[PriceStep]


class BoughtCost(TypedDict):
    amount: float
    per: str
    currency: str | None


class Bought(TypedDict):
    """A SKU that no policy bills, what it is sold as, and a profile for it as it would stand in the rules."""

    sku: str
    name: str
    units: float
    customers: list[str]
    cost: BoughtCost | None
    offers: list[Offer]
    profile: dict[str, Any]


class UnmappedProducts(TypedDict):
    """`problem` says why the vendor's offers are missing."""

    source: str
    currency: str
    problem: str | None
    products: list[Bought]


class ProposedProduct(TypedDict):
    identifier: str
    description: str
    text: str
    price: float | None
    cost: float | None
    vendor_sku: str


class Proposed(TypedDict):
    profile: dict[str, Any]
    product: ProposedProduct


class Named(TypedDict):
    id: int
    name: str


class Subcategory(Named):
    category: str


class CatalogChoices(TypedDict):
    subcategories: list[Subcategory]
    types: list[Named]
    units: list[Named]
    product_classes: list[str]


class Filed(TypedDict):
    """The names of what a product is filed under."""

    category: str
    subcategory: str
    type: str
    unit: str | None


class FiledProduct(Filed):
    """A product as it would be created."""

    identifier: str
    description: str
    text: str
    product_class: str
    price: float
    cost: float
    taxable: bool
    currency: str
    vendor_sku: str


class CreatedProduct(TypedDict):
    """`would_create` alone for a preview; else the product, `earlier`: by an attempt of which nobody knew the end."""

    would_create: NotRequired[FiledProduct]
    id: NotRequired[int]
    identifier: NotRequired[str]
    earlier: NotRequired[bool]
