"""The additions of the made-up MSP: what they should say, and how far they drifted from it."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from random import Random

from local.sandbox.manage.records import Record
from local.sandbox.world.books import Books
from local.sandbox.world.model import Tenant
from local.sandbox.world.skus import INCLUDED, OTHER_PRODUCTS, SKUS_BY_ID, OtherProduct, Sku
from local.sandbox.world.tenants import FOREIGN_PARTNER
from local.sandbox.world.vendors import VendorProduct

#: How lines are kept: shares of all lines (wrong ones separately for lines of more than one seat and of a single one).
_MISSING = 0.06
_WRONG = 0.36
_WRONG_SINGLE = 0.15
_DUPLICATED = 0.02
_MARKED = 0.04
_DISCOUNTED = 0.20
#: Other tools that write their mark into serial numbers.
_MARKS = ("Unite", "Cloudconsole")


def owed(tenant: Tenant, sku: str) -> int:
    """What the MSP pays for: seats that are active or in grace, no trial, and not sold by another partner."""
    return sum(
        subscription.licenses
        for subscription in tenant.subscriptions_of(sku)
        if subscription.status in ("Enabled", "Warning")
        and not subscription.trial
        and subscription.owner != FOREIGN_PARTNER
    )


def billed_skus(tenant: Tenant) -> list[Sku]:
    """The SKUs of a tenant for which somebody keeps lines in Manage: what costs money and is not included."""
    skus = [SKUS_BY_ID[sku] for sku in tenant.skus() if sku in SKUS_BY_ID]
    return [sku for sku in skus if sku.product not in INCLUDED]


def bill_tenant(
    books: Books,
    rng: Random,
    tenant: Tenant,
    agreements: dict[str, Record],
    quantities: Iterable[tuple[Sku, int]],
) -> None:
    """Lines for `quantities` (what each SKU should say), drifted; and lines that nobody but a person may touch."""
    for sku, quantity in quantities:
        bill(books, rng, agreements[sku.agreement_type], sku, quantity)
    for other in OTHER_PRODUCTS:
        if other.agreement_type in agreements:
            _bill_other(books, rng, agreements[other.agreement_type], other, len(tenant.users))


def bill(books: Books, rng: Random, agreement: Record, sku: Sku | VendorProduct, quantity: int) -> None:
    """A line for `quantity` as people keep it: missing, wrong, twice or marked by another tool now and then."""
    if rng.random() < _MISSING:
        return
    discount = Decimal("0.90") if rng.random() < _DISCOUNTED else Decimal(1)
    price = (sku.price * discount).quantize(Decimal("0.01"))
    mark = f"{rng.choice(_MARKS)}-{rng.randrange(10**6):06d}" if rng.random() < _MARKED else ""
    says = quantity
    if rng.random() < (_WRONG if quantity > 1 else _WRONG_SINGLE):
        says = _drifted(rng, quantity)
    books.addition(agreement, sku.product, says, price, serial_number=mark)
    if rng.random() < _DUPLICATED:
        books.addition(agreement, sku.product, max(1, says // 2), price)


def _drifted(rng: Random, quantity: int) -> int:
    """People forget to raise a line more often than to lower it."""
    step = max(1, round(quantity * rng.uniform(0.03, 0.25)))
    return quantity - step if quantity > step and rng.random() < 0.8 else quantity + step


def _bill_other(books: Books, rng: Random, agreement: Record, other: OtherProduct, users: int) -> None:
    if rng.random() < 0.7:
        quantity = {"BKP-GB": rng.randint(50, 4000), "HOURS-10": 1, "BKP-SRV": rng.randint(1, 4)}
        books.addition(agreement, other.product, quantity.get(other.product, users), other.price)
