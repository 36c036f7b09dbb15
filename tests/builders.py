"""Short ways to say what a test is about; everything not said is an ordinary company of an ordinary MSP."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal

from shared.billing.agreements import Addition, Agreement, Product
from shared.billing.counts import Count, FailureKind, Holder, ReadFailure, Reading, Subscription, SubscriptionStatus
from shared.billing.lines import LedgerRow, LineKey, LineKind, LineValues, stamp_of
from shared.billing.planning.planner import Facts
from shared.billing.profiles import BillingProfile
from shared.billing.rules import CompanyLink, CompanyRules, Mode, Rules, SkuPolicy
from shared.billing.seats import SeatRecord

SOURCE = "microsoft365"
TENANT = "4fdbff88-9d6b-42e0-9713-45c922ba8001"
PREMIUM = "cbdc14ab-d96c-4c30-b9f4-6ada7cdc1d46"
STANDARD = "f245ecc8-75af-4f8e-b61f-27d8114de5f3"
COMPANY = 250
AGREEMENT = 501
TODAY = date(2026, 11, 21)
NEXT_PERIOD = date(2026, 12, 1)


def subscription(
    quantity: int, status: str = "enabled", *, trial: bool = False, owned: bool | None = True
) -> Subscription:
    return Subscription(f"sub-{quantity}-{status}", Decimal(quantity), SubscriptionStatus(status), trial, owned)


def count(
    quantity: int,
    *,
    sku: str = PREMIUM,
    name: str = "Business Premium",
    assigned: int | None = None,
    subscriptions: Iterable[Subscription] | None = None,
    holders: Iterable[str | Holder] = (),
    customer: str = TENANT,
    free: bool = False,
) -> Count:
    parts = tuple(subscriptions) if subscriptions is not None else (subscription(quantity),)
    grace = sum((part.quantity for part in parts if part.status is SubscriptionStatus.WARNING), Decimal(0))
    return Count(
        SOURCE,
        customer,
        sku,
        name,
        Decimal(quantity),
        grace,
        Decimal(quantity if assigned is None else assigned),
        parts,
        tuple(Holder(holder, holder) if isinstance(holder, str) else holder for holder in holders),
        free,
    )


def reading(*counts: Count, day: date = TODAY, customer: str = TENANT) -> Reading:
    return Reading(SOURCE, customer, day, tuple(counts))


def failure(customer: str = TENANT) -> ReadFailure:
    return ReadFailure(SOURCE, customer, FailureKind.READ_FAILED, "Graph did not answer.", "Wait a night.", "req-1")


def agreement(number: int = AGREEMENT, **values: object) -> Agreement:
    ordinary: dict[str, object] = {
        "name": f"Managed Services {number}",
        "company_id": COMPANY,
        "type": "Managed Services",
        "agreement_status": "Active",
        "billing_cycle": "Monthly",
        "invoicing_cycle": "CalendarYear",
        "period_type": "Current",
        "start_date": date(2024, 1, 1),
        "end_date": None,
        "bill_start_date": date(2024, 1, 1),
        "next_invoice_date": NEXT_PERIOD,
    }
    return Agreement(id=number, **{**ordinary, **values})  # type: ignore[arg-type]


def product(identifier: str = "M365-BP", number: int = 88, price: str = "25.00", **values: object) -> Product:
    return Product(number, identifier, f"{identifier} licence", Decimal(price), Decimal("20.00"), **values)  # type: ignore[arg-type]


def addition(number: int, quantity: int, *, on: int = AGREEMENT, **values: object) -> Addition:
    ordinary: dict[str, object] = {
        "product_id": 88,
        "product": "M365-BP",
        "unit_price": Decimal("25.00"),
        "unit_cost": Decimal("20.00"),
        "bill_customer": "Billable",
        "effective_date": date(2025, 1, 1),
    }
    return Addition(id=number, agreement_id=on, quantity=Decimal(quantity), **{**ordinary, **values})  # type: ignore[arg-type]


def key(sku: str = PREMIUM, on: int = AGREEMENT) -> LineKey:
    return LineKey(COMPANY, on, f"{SOURCE}/{sku}")


def our_addition(number: int, quantity: int, *, kind: LineKind = LineKind.STANDING, **values: object) -> Addition:
    """A line that TrueUp wrote, with the stamp of its identity."""
    plain = addition(number, quantity, **values)
    stamp = stamp_of(key(on=plain.agreement_id), plain.product_id, plain.effective_date or NEXT_PERIOD, kind)
    return addition(number, quantity, **{**values, "serial_number": stamp})


def recorded(line: Addition, *, keeps_price: bool = False, text_written: date | None = TODAY) -> LedgerRow:
    """The ledger row of a line as it stands."""
    values = LineValues.of(line)
    return LedgerRow(
        line.serial_number, key(on=line.agreement_id), line.id, line.product, values, keeps_price, text_written
    )


def profile(**values: object) -> BillingProfile:
    ordinary: dict[str, object] = {
        "id": "premium",
        "name": "Microsoft 365 Business Premium",
        "product": "M365-BP",
        "agreement_types": ("Managed Services",),
    }
    return BillingProfile(**{**ordinary, **values})  # type: ignore[arg-type]


def rules(*profiles: BillingProfile, policies: Iterable[SkuPolicy] | None = None, **values: object) -> Rules:
    listed = profiles or (profile(),)
    own = tuple(policies) if policies is not None else (SkuPolicy(SOURCE, PREMIUM, listed[0].id),)
    return Rules(version=1, profiles={item.id: item for item in listed}, policies=own, **values)  # type: ignore[arg-type]


def company(**values: object) -> CompanyRules:
    ordinary: dict[str, object] = {
        "company": COMPANY,
        "name": "Alder & Finch",
        "mode": Mode.AUTO,
        "links": (CompanyLink(SOURCE, TENANT),),
    }
    return CompanyRules(**{**ordinary, **values})  # type: ignore[arg-type]


def facts(
    *readings: Reading | ReadFailure,
    additions: Iterable[Addition] = (),
    agreements: Iterable[Agreement] | None = None,
    ledger: Iterable[LedgerRow] = (),
    products: Iterable[Product] | None = None,
    **values: object,
) -> Facts:
    standing = tuple(agreements) if agreements is not None else (agreement(),)
    lines = tuple(additions)
    catalog = tuple(products) if products is not None else (product(),)
    ordinary: dict[str, object] = {
        "as_of": TODAY,
        "rules": rules(),
        "company": company(),
        "additions": {item.id: tuple(line for line in lines if line.agreement_id == item.id) for item in standing},
    }
    return Facts(
        readings=tuple(readings),
        agreements=standing,
        products={item.identifier: item for item in catalog},
        ledger=tuple(ledger),
        **{**ordinary, **values},  # type: ignore[arg-type]
    )


def seats_with(quantity: int, day: date, line: LineKey | None = None) -> Mapping[str, SeatRecord]:
    name = str(line or key())
    return {name: SeatRecord(name).with_reading(day, Decimal(quantity), NEXT_PERIOD)}
