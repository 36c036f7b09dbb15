"""Companies: the list, and one of them whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NotRequired

from typing_extensions import TypedDict

from shared.sync.shapes import plans


class Unreadable(TypedDict):
    """A company of which what is remembered cannot be read."""

    company: int
    name: str
    why: str


class Amount(TypedDict):
    currency: str
    amount: float


class ListedCompany(TypedDict):
    """`findings` counts open ones by kind. `monthly` is what lines of ours bill a month, `planned` what waits to."""

    id: int
    name: str
    mode: str
    outcome: str | None
    last_run: str | None
    last_at: str | None
    sources: list[str]
    findings: Mapping[str, int]
    finding_count: int
    drift: int
    waiting: int
    decided: int
    monthly: list[Amount]
    planned: list[Amount]


class Companies(TypedDict):
    """A page of those `found` among those `known`, and what filters can ask for."""

    companies: list[ListedCompany]
    found: int
    known: int
    page: int
    pages: int
    outcomes: list[str]
    findings: list[str]


class Link(TypedDict):
    """`day` is that of the last reading; `failure` says why the newest attempt failed.

    `consent` is where the customer consents, where that is what is missing.
    """

    source: str
    customer: str
    removed: bool
    some_users: bool
    day: str | None
    failure: str | None
    consent: str | None


class Price(TypedDict):
    """An amount for a period, per unit."""

    amount: float
    period: str
    currency: str


class Subscription(TypedDict):
    id: str
    quantity: float
    status: str
    trial: bool
    owned: bool | None
    renews: str | None
    committed_until: str | None
    term: str | None
    auto_renews: bool | None


class ProfileName(TypedDict):
    id: str
    name: str


class AgreementName(TypedDict):
    id: int
    name: str


class LicenceLink(TypedDict):
    """A company's own choice about a SKU."""

    source: str
    sku: str
    customer: str | None
    part: str | None
    profile: str | None
    agreement: int | None
    product: str | None
    price: float | None
    cost: float | None
    quantity: float | None
    start: str | None
    do_not_bill: bool
    do_not_bill_until: str | None
    waive_until: str | None


class Billed(TypedDict):
    """How one bill item is billed, and by whose choice; `stands` is the quantity on our lines now."""

    item: str
    name: str
    profile: ProfileName | None
    by: str
    agreement: AgreementName | None
    currency: str
    quantity: float | None
    stands: float | None
    price: float | None
    not_before: str | None
    unknown: str | None
    link: LicenceLink | None


class Licence(TypedDict):
    """What a company has of one SKU: `billed`, `not-billed`, `free` or `unmapped`."""

    source: str
    customer: str
    sku: str
    name: str
    state: str
    free: bool
    purchased: float
    grace: float
    assigned: float | None
    unused: float | None
    users: int | None
    cost: Price | None
    retail: Price | None
    subscriptions: list[Subscription]
    billed: list[Billed]


class Line(TypedDict):
    """One addition; `addition` null for one that the plan would create."""

    addition: int | None
    agreement: int
    product: str
    quantity: float
    less_included: float
    unit_price: float
    bill_customer: str
    effective_date: str | None
    cancelled_date: str | None


class LineBeside(TypedDict):
    """A line as it stands beside what the plan makes of it."""

    product: str
    ours: bool
    change: str
    before: Line | None
    after: Line | None


#: The next invoice of an agreement as it stands and with the plan; `reason` says why nobody can say.
Invoice = TypedDict(
    "Invoice",
    {
        "reason": str | None,
        "from": NotRequired[str],
        "to": NotRequired[str],
        "before": NotRequired[float],
        "after": NotRequired[float],
        "beside": NotRequired[list[str]],
    },
)


class Agreement(TypedDict):
    id: int
    name: str
    type: str
    status: str
    currency: str
    cycle: str | None
    next_invoice_date: str | None
    lines: list[LineBeside]
    invoice: Invoice


class LineInCurrency(Line):
    currency: str


class LineSaid(TypedDict):
    """What a line of ours says, as far as a person may change it."""

    quantity: float
    unit_price: float
    effective_date: str | None
    cancelled_date: str | None


class EditedLine(TypedDict):
    addition: int
    agreement: int
    product: str
    wrote: LineSaid
    now: LineSaid


class EditedInCurrency(EditedLine):
    currency: str


class CompanyFinding(plans.Finding):
    """`lines` are the additions of which a choice names one or several.

    `edited` are lines of ours that a person changed: what TrueUp wrote, and what they say now.
    """

    lines: list[LineInCurrency]
    edited: list[EditedInCurrency]


class Company(plans.CompanyState):
    """One company whole, as its last look saw it."""

    waiting: int
    links: list[Link]
    licences: list[Licence]
    items: list[Billed]
    agreements: list[Agreement]
    findings: list[CompanyFinding]


class Holder(TypedDict):
    name: str
    enabled: bool
    guest: bool
    department: str | None
    office: str | None
    domain: str | None


class Users(TypedDict):
    """Who holds a licence; null where its source does not tell."""

    source: str
    customer: str
    sku: str
    name: str
    users: list[Holder] | None


class SyncedOrNot(TypedDict):
    """Null while another worker is at the company: its next look goes by what was saved."""

    sync: plans.Synced | None


class CompanyMode(TypedDict):
    mode: str


class ErasedCustomer(TypedDict):
    source: str
    customer: str


class Erased(TypedDict):
    customers: list[ErasedCustomer]
