"""What the made-up MSP has bought through Pax8, for whom, and how that came about."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any

Json = dict[str, Any]

#: All dates of the published examples, of which Pax8's clients must read every one.
_STYLES = ("%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S.120-0700", "%Y-%m-%dT%H:%M:%S.004Z")


@dataclass(frozen=True, slots=True)
class Product:
    """A made-up product; cost and price in US dollars per unit and billing term."""

    id: str
    name: str
    vendor: str
    term: str
    cost: float
    price: float


def _product(name: str, vendor: str, term: str, cost: float, price: float) -> Product:
    return Product(str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}/{term}")), name, vendor, term, cost, price)


PRODUCTS = (
    _product("Larkmail Security", "Larkmail", "Monthly", 2.10, 3.50),
    _product("Vaultline Backup", "Vaultline", "Monthly", 3.00, 5.25),
    _product("Copperkey Passwords", "Copperkey", "Annual", 30.00, 48.00),
)


#: Bought once, and listed as active ever after.
ONBOARDING = _product("Larkmail Onboarding", "Larkmail", "One-Time", 90.00, 150.00)
#: Costs nothing by itself: what is used of it is charged afterwards.
CONTAINER = _product("Driftwood Cloud", "Driftwood", "Monthly", 0.00, 0.00)
SOLD = (*PRODUCTS, ONBOARDING, CONTAINER)


@dataclass(frozen=True, slots=True)
class Version:
    """A subscription as it was from `start` on."""

    quantity: int
    status: str
    start: datetime
    updated: datetime


@dataclass(slots=True)
class Subscription:
    """`versions` from the oldest to the newest; the newest is what holds."""

    id: str
    company: str
    product: Product
    created: datetime
    versions: list[Version]
    end: datetime | None = None
    commitment_ends: date | None = None

    @property
    def now(self) -> Version:
        return self.versions[-1]


@dataclass(slots=True)
class Invoice:
    """What Pax8 charged the partner for a month, made on its fourth day."""

    id: str
    date: date
    items: list[Json]
    status: str = "Unpaid"


@dataclass(slots=True)
class Summary:
    """What a vendor posted last of the usage of one resource group in a month (its first day): totals, not sums."""

    id: str
    subscription: str
    group: str
    month: date
    cost: float
    trial: bool = False


@dataclass(slots=True)
class Company:
    id: str
    name: str
    website: str
    external_id: str
    status: str = "Active"


@dataclass(slots=True)
class Pax8World:
    """Everything one Pax8 partner sees."""

    client_id: str
    client_secret: str
    companies: dict[str, Company] = field(default_factory=dict)
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    invoices: dict[str, Invoice] = field(default_factory=dict)
    #: By the month whose invoice charges it, and by company.
    used: dict[date, dict[str, float]] = field(default_factory=dict)
    summaries: dict[str, Summary] = field(default_factory=dict)

    def company_named(self, name: str) -> Company | None:
        """By id or name, in any case."""
        wanted = name.casefold()
        return next((c for c in self.companies.values() if wanted in (c.id, c.name.casefold())), None)

    def of_company(self, number: int) -> list[Company]:
        """The customers that stand for a company in Manage."""
        return [company for company in self.companies.values() if company.external_id == str(number)]

    def add_company(self, name: str, *, external_id: str = "", website: str = "") -> Company:
        company = Company(self._id(f"company/{name}"), name, website, external_id)
        self.companies[company.id] = company
        return company

    def buy(
        self, company: Company, product: Product, quantity: int, start: date, status: str = "Active"
    ) -> Subscription:
        """A new subscription, made on the day on which it starts."""
        at = datetime.combine(start, time(15, 20), UTC)
        number = len(self.subscriptions)
        commitment = start + timedelta(days=364) if product.term == "Annual" else None
        subscription = Subscription(
            self._id(f"subscription/{company.id}/{product.id}/{number}"),
            company.id,
            product,
            at,
            [Version(quantity, status, at, at)],
            commitment_ends=commitment,
        )
        self.subscriptions[subscription.id] = subscription
        return subscription

    def of(self, company: str, product: str) -> list[Subscription]:
        """The living subscriptions of a product, the oldest first."""
        return [
            item
            for item in self.subscriptions.values()
            if item.company == company and item.product.id == product and item.now.status != "Cancelled"
        ]

    def post_usage(
        self, subscription: Subscription, group: str, cost: float, month: date, *, trial: bool = False
    ) -> Summary:
        """A vendor's total for a month: it takes the place of what was posted before."""
        number = self._id(f"usage/{subscription.id}/{group}/{month}")
        self.summaries[number] = Summary(number, subscription.id, group, month, cost, trial)
        return self.summaries[number]

    def told_of(self, subscription: str) -> list[Summary]:
        """What there is of the newest month of which anything was posted."""
        posted = [each for each in self.summaries.values() if each.subscription == subscription]
        newest = max((each.month for each in posted), default=None)
        return [each for each in posted if each.month == newest]

    def _id(self, name: str) -> str:
        """The same for the same history, so that a demo can be repeated."""
        return str(uuid.uuid5(uuid.NAMESPACE_OID, f"pax8/{self.client_id}/{name}"))


def make_pax8(seed: int) -> Pax8World:
    """A partner without customers."""
    rng = Random(f"pax8/{seed}")
    return Pax8World(f"pax8-{rng.getrandbits(48):012x}", f"sandbox~{rng.getrandbits(96):024x}")


def sell(world: Pax8World, seed: int, customers: Iterable[tuple[int, str, str]], today: date) -> None:
    """Sells to these customers (Manage's company id, name, domain), and to one whom nobody knows."""
    rng = Random(f"pax8/{seed}/sales")
    for number, name, domain in customers:
        company = world.add_company(name, external_id=str(number), website=f"https://www.{domain}/")
        for product in rng.sample(PRODUCTS, rng.randint(1, len(PRODUCTS))):
            world.buy(company, product, rng.randint(2, 25), today - timedelta(days=rng.randint(90, 700)))
        if rng.random() < 0.3:
            world.buy(company, PRODUCTS[0], 5, today - timedelta(days=200), "Trial")
    stranger = world.add_company("Quillfeather Books", website="quillfeather.example")
    world.buy(stranger, PRODUCTS[0], 3, today - timedelta(days=120))
    for item in [
        each for each in world.subscriptions.values() if each.product is PRODUCTS[0] and each.now.status == "Active"
    ]:
        world.buy(world.companies[item.company], ONBOARDING, 1, item.created.date())


def paid_for(world: Pax8World, company: Company) -> dict[str, int]:
    """What the partner pays for again and again, by TrueUp's word for the SKU; trials cost nothing."""
    found: dict[str, int] = {}
    for item in world.subscriptions.values():
        if item.company == company.id and item.now.status == "Active" and item.product is not ONBOARDING:
            sku = f"{item.product.id}:{item.product.term.lower()}"
            found[sku] = found.get(sku, 0) + item.now.quantity
    return found


def company_row(company: Company) -> Json:
    return {
        "id": company.id,
        "name": company.name,
        "address": {"street": "1 Main Street", "city": "Springfield", "stateOrProvince": "IL", "country": "US"},
        "phone": "555-0100",
        "website": company.website,
        "externalId": company.external_id,
        "billOnBehalfOfEnabled": False,
        "selfServiceAllowed": False,
        "orderApprovalRequired": False,
        "status": company.status,
    }


def subscription_row(item: Subscription, version: Version, position: int = 0) -> Json:
    """A subscription as it is listed, or one row of its history; `position` picks one of Pax8's styles of dates."""
    style = _STYLES[(len(item.versions) + position) % len(_STYLES)]
    row: Json = {
        "id": item.id,
        "companyId": item.company,
        "productId": item.product.id,
        "vendorSubscriptionId": f"v-{item.id[:8]}",
        "quantity": version.quantity,
        "startDate": version.start.strftime("%Y-%m-%d") if position % 2 else version.start.strftime(style),
        "createdDate": item.created.strftime(style),
        "updatedDate": version.updated.strftime(style),
        "billingStart": item.created.strftime("%Y-%m-%d"),
        "status": version.status,
        "price": item.product.price,
        "partnerCost": item.product.cost,
        "currencyCode": "USD",
        "productName": item.product.name,
        "billingTerm": "Trial" if version.status == "Trial" else item.product.term,
    }
    if item.end is not None:
        row["endDate"] = item.end.strftime(style)
    if item.commitment_ends is not None:
        term = {"id": item.id, "term": "1-Year", "endDate": f"{item.commitment_ends.isoformat()}T00:00:00Z"}
        row["commitmentTerm"] = term
    return row


def changed(item: Subscription, quantity: int, status: str, start: date, now: datetime) -> None:
    """A person or the vendor changes the subscription: it holds from `start` on."""
    at = datetime.combine(start, time(9, 5), UTC)
    item.versions.append(replace(item.now, quantity=quantity, status=status, start=at, updated=now))
    item.end = at if status in ("Cancelled", "PendingCancel") else None


def summary_row(world: Pax8World, summary: Summary) -> Json:
    """It names no month."""
    item = world.subscriptions[summary.subscription]
    return {
        "id": summary.id,
        "companyId": item.company,
        "productId": item.product.id,
        "subscriptionId": item.id,
        "resourceGroup": summary.group,
        "vendorName": item.product.vendor,
        "currentCharges": round(summary.cost * 1.2, 2),
        "partnerTotal": summary.cost,
        "currencyCode": "USD",
        "isTrial": summary.trial,
    }
