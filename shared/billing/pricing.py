"""The unit price of a line, per billing cycle of its agreement."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from shared.billing.agreements import Addition, Product
from shared.billing.items import BillItem
from shared.billing.rules import BillOption, PriceKind, PriceRule


@dataclass(frozen=True, slots=True)
class NoPrice:
    """Why no price can be written: a clause that completes "its price …"."""

    reason: str


def price_rule(item: BillItem) -> PriceRule:
    """The rule that holds for an item: the licence link's own price before the profile's."""
    if item.licence is not None and item.licence.price is not None:
        return PriceRule(PriceKind.CUSTOM, item.licence.price)
    return item.profile.price if item.profile is not None else PriceRule()


def unit_price(item: BillItem, product: Product, standing: Addition | None, *, keeps: bool) -> Decimal | NoPrice:
    """The price the line should have.

    `keeps`: an adopted line keeps the price that a person gave it, unless the licence link names one.
    """
    rule = price_rule(item)
    own_price = item.licence is not None and item.licence.price is not None
    if standing is not None and (rule.kind is PriceKind.KEEP or (keeps and not own_price)):
        return standing.unit_price
    price = rule.amount if rule.kind is PriceKind.CUSTOM and rule.amount is not None else product.price
    if price <= 0 and (item.profile is None or item.profile.bill_option is BillOption.BILLABLE):
        return NoPrice(f"is {price}")
    return price
