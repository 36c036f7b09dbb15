"""The reports: reconciliation, shadow billing, a company's course, and what vendors charge."""

from __future__ import annotations

from typing_extensions import TypedDict

from shared.sync.shapes.desk import Unreadable


class ReconciledItem(TypedDict):
    """What is due beside what is billed. Amounts are per billing cycle (`months`), in the agreement's currency."""

    company: int
    name: str
    mode: str
    since: str
    sources: list[str]
    bill_item: str
    item: str
    product: str
    agreement: int | None
    usage: bool
    used_from: str | None
    used_until: str | None
    verdict: str
    counted: float
    due: float | None
    billed: float
    units: float | None
    currency: str
    months: int | None
    amount_due: float | None
    amount_billed: float
    amount: float | None
    estimated: bool
    cost: float | None
    margin: float | None


class ReconciledSum(TypedDict):
    """Per month; `gone` is part of `too_much`. `unpriced` counts items without a known price or count, `uncosted`
    those without a known cost.
    """

    currency: str
    billed: float
    cost: float
    margin: float
    too_little: float
    too_much: float
    gone: float
    unpriced: int
    uncosted: int


class ReconciledCompany(TypedDict):
    company: int
    name: str
    sums: list[ReconciledSum]


class Reconciliation(TypedDict):
    """What the last look of a month saw; `sources` are all that count anything of it."""

    month: str
    source: str
    sources: list[str]
    rows: list[ReconciledItem]
    companies: list[ReconciledCompany]
    sums: list[ReconciledSum]
    unmapped: int
    items: int
    differing: int
    unreadable: list[Unreadable]


class ShadowSum(TypedDict):
    """`leak` was billed too little, `too_much` the other way."""

    currency: str
    would: float
    billed: float
    leak: float
    too_much: float
    unpriced: int


class ShadowItem(TypedDict):
    bill_item: str
    item: str
    currency: str
    would: float | None
    billed: float
    leak: float | None
    arithmetic: str


class ShadowRow(ShadowItem):
    company: int
    name: str


class ShadowCompany(TypedDict):
    company: int
    name: str
    sums: list[ShadowSum]


class SumsOfMonth(TypedDict):
    month: str
    sums: list[ShadowSum]


class ShadowMonth(SumsOfMonth):
    unreadable: list[Unreadable]
    companies: list[ShadowCompany]
    rows: list[ShadowRow]


class Shadow(ShadowMonth):
    months: list[SumsOfMonth]


class Point(TypedDict):
    """What held from a day on: units and amounts a month."""

    day: str
    due: float
    billed: float
    amount_due: float
    amount_billed: float


class Course(TypedDict):
    company: int
    name: str
    until: str
    currency: str
    points: list[Point]


class Cost(TypedDict):
    currency: str
    cost: float


class ChargedItem(TypedDict):
    """What a vendor charges beside what is billed a month; `margin` only where both can be compared.

    `cost`, and the units of usage, are None where they are charged in several currencies.
    """

    verdict: str
    company: int | None
    name: str
    bill_item: str
    item: str
    customers: list[str]
    customer_names: list[str]
    skus: list[str]
    charged_units: float | None
    due_units: float | None
    cost: float | None
    cost_currency: str
    billed_units: float
    billed_monthly: float
    billed_once: float
    billed_currency: str
    margin: float | None


class BilledSum(TypedDict):
    """What is billed for what a vendor charges, a month and once; `margin` of the items that have one, None of none."""

    currency: str
    billed: float
    margin: float | None


class ChargedCompany(TypedDict):
    """What a vendor charges for one company, and what that is billed; `company` None: what belongs to none."""

    company: int | None
    name: str
    costs: list[Cost]
    sums: list[BilledSum]


class UsedSoFar(TypedDict):
    """What a vendor says was used up to now of what it charges afterwards: not final. None: it does not tell.

    `billed_by` is the profile's name; empty where none bills it, with a `bill_item` by choice.
    """

    company: int | None
    name: str
    bill_item: str
    billed_by: str
    item: str
    customer: str
    customer_name: str
    sku: str
    cost: float | None
    retail: float | None
    currency: str


class VendorCosts(TypedDict):
    source: str
    month: str
    draft: bool
    invoices: list[str]
    rows: list[ChargedItem]
    companies: list[ChargedCompany]
    costs: list[Cost]
    sums: list[BilledSum]
    so_far: list[UsedSoFar]
    so_far_problem: str
