"""What is due of bill items in money: by their plans, as it stands, or estimated. It only tells."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal

from shared.billing.balance import ZERO
from shared.billing.counting.items import BillItem
from shared.billing.lines import canonical
from shared.billing.planning.situation import ItemPlan, Situation
from shared.billing.profiles import PriceKind, PricePeriod


@dataclass(frozen=True, slots=True)
class Stands:
    """What lines bill: units of a product, and their amount in a billing cycle of so many months."""

    product: str
    units: Decimal
    amount: Decimal
    months: int | None


def due_amount(
    stands: Stands, due: Decimal | None, item: BillItem, plans: Collection[ItemPlan], situation: Situation
) -> tuple[Decimal | None, bool]:
    """The amount for `due` units, and whether that is an estimate; None where it is not known.

    It is what the `plans` make of what stands. Where they leave a difference, or leave lines alone, it is estimated by
    the price of the `item`.
    """
    if due is None:
        return None, False
    effect = sum((plan.group.monthly for plan in plans if plan.group is not None), ZERO)
    units = due - stands.units
    if effect or not (units or any(plan.frozen for plan in plans)):
        return stands.amount + effect, False
    amount = estimate(stands, due, item, situation)
    if units == 0:
        return stands.amount if amount is None else amount, False
    return amount, amount is not None


def estimate(stands: Stands, due: Decimal | None, item: BillItem, situation: Situation) -> Decimal | None:
    """The amount for `due` units at the price of what is billed or of the rules; None where nothing says that."""
    price = _price(stands, item, situation)
    return None if price is None or due is None else stands.amount + (due - stands.units) * price


def _price(stands: Stands, item: BillItem, situation: Situation) -> Decimal | None:
    """A unit's price per billing cycle without a plan: of the lines that stand, the profile or the catalog."""
    if stands.units and stands.amount:
        return stands.amount / stands.units
    rule = item.price_rule
    product = situation.products.get(canonical(stands.product))
    amount = product.price if product is not None and product.price > 0 else None
    if rule.kind is PriceKind.CUSTOM:
        amount = rule.amount
    elif rule.kind not in (PriceKind.KEEP, PriceKind.PRODUCT):
        return None
    return amount * (stands.months or 1) if amount is not None and rule.per is PricePeriod.MONTH else amount
