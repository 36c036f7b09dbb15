"""What a company chooses of its own, and what holds where it says nothing. `fields` are as in the rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from typing_extensions import TypedDict

from shared.sync.shapes.desk import Billed, ProfileName
from shared.sync.shapes.plans import Synced


class CompanyName(TypedDict):
    id: int
    name: str


class PricedProfile(ProfileName):
    product: str
    price: str


class ChoosableAgreement(TypedDict):
    id: int
    name: str
    type: str
    status: str
    currency: str


class ByPolicy(TypedDict):
    """`profile` null: do not bill."""

    profile: ProfileName | None


class OwnChoice(TypedDict):
    """How a SKU is billed at a company, and what there is to choose among; `standing`: by a choice of its own."""

    edition: int
    company: CompanyName
    source: str
    sku: str
    customer: str | None
    part: str | None
    name: str
    standing: bool
    fields: Mapping[str, Any]
    policy: ByPolicy | None
    billed: list[Billed]
    customers: list[str]
    profiles: list[PricedProfile]
    agreements: list[ChoosableAgreement]


class InvoicedAgreement(TypedDict):
    """The last invoiced day, as a person named it and as TrueUp reads it."""

    id: int
    name: str
    day: str | None
    read: str | None


class OwnRules(TypedDict):
    edition: int
    company: CompanyName
    adopt_marked: bool
    marks: list[str]
    guards: Mapping[str, Any]
    msp_guards: Mapping[str, Any]
    agreements: list[InvoicedAgreement]


class OwnChanged(TypedDict):
    """What was changed, in sentences; `sync` null while another worker is at the company, and for no change."""

    changed: list[str]
    sync: Synced | None


class MspGuards(TypedDict):
    edition: int
    guards: Mapping[str, Any]
    fleet: Mapping[str, Any]
    approvals: Mapping[str, Any]
