"""Mapping: customers and companies, SKUs and profiles, and changes of the rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NotRequired

from typing_extensions import TypedDict

from shared.sync.shapes.desk import ProfileName


class Customer(TypedDict):
    source: str
    customer: str
    name: str
    domains: list[str]
    verified_domains: list[str]
    reference: str | None


class Proposal(Customer):
    """A company that a customer may be, how sure that is in percent, and why."""

    company: int
    company_name: str
    confidence: int
    evidence: list[str]


class IgnoredCustomer(Customer):
    by: str
    since: str


class LinkableCompany(TypedDict):
    id: int
    name: str


class Links(TypedDict):
    """Where every listed customer stands; `seen` stands for exactly these proposals."""

    edition: int
    seen: str
    linked: int
    proposals: list[Proposal]
    unmatched: list[Customer]
    ignored: list[IgnoredCustomer]
    companies: list[LinkableCompany]
    listed: Mapping[str, str]


class Sku(TypedDict):
    """One SKU over all companies; `monthly_cost` by currency."""

    source: str
    sku: str
    name: str
    companies: int
    purchased: float
    assigned: float | None
    monthly_cost: Mapping[str, float]
    free: bool
    mapped: bool
    profile: str | None
    companies_with_own_choice: int


class Skus(TypedDict):
    edition: int
    skus: list[Sku]
    profiles: list[ProfileName]


class UnmappedSku(TypedDict):
    """What a company has and no rule says how to bill; `by` and `since` where somebody has hidden it."""

    company: int
    company_name: str
    source: str
    customer: str
    sku: str
    name: str
    purchased: float
    assigned: float | None
    by: NotRequired[str]
    since: NotRequired[str]


class Unmapped(TypedDict):
    edition: int
    unmapped: list[UnmappedSku]
    ignored: list[UnmappedSku]


class Failures(TypedDict):
    """What could not be listed, in words."""

    failures: list[str]


class Ignored(TypedDict):
    ignored: bool


class Edited(TypedDict):
    """What was changed, and the edition since then."""

    edition: int
    changed: list[str]


class Previewed(TypedDict):
    """What would be changed, at this edition."""

    edition: int
    changes: list[str]


class FieldChange(TypedDict):
    entry: str
    field: str
    before: str
    after: str


class Uploaded(TypedDict):
    """What a file would change, the rows that it has by table, and the hash under which it is confirmed."""

    hash: str
    edition: int
    rows: Mapping[str, int]
    changes: list[FieldChange]


class RulesEntry(TypedDict):
    """One change of the rules; `whole` is false until every company has what it says."""

    id: str
    edition: int
    at: str
    by: str
    origin: str
    way: str
    whole: bool
    what: list[str]


class RulesHistory(TypedDict):
    entries: list[RulesEntry]
    next: int | None


class ListedProfile(TypedDict):
    id: str
    name: str
    product: str
    basis: str
    price: str
    proration: str
    skus: list[str]


class Profiles(TypedDict):
    edition: int
    profiles: list[ListedProfile]


class ProfileFields(TypedDict):
    """As they stand in the rules."""

    profile: dict[str, Any]


class Sentence(TypedDict):
    day: str
    text: str


class ExampleLine(TypedDict):
    text: str
    quantity: float
    unit_price: float
    amount: float


ExampleInvoice = TypedDict("ExampleInvoice", {"from": str, "to": str, "lines": list[ExampleLine], "total": float})


class Example(TypedDict):
    """What nights would say of a change on a day, and the invoices after it."""

    day: str
    currency: str
    sentences: list[Sentence]
    invoices: list[ExampleInvoice]
    findings: list[str]
