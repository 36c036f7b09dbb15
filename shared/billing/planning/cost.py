"""What a bill item costs the MSP in a billing cycle. For people to look at; no price is made of it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal

from shared.billing.agreements import Agreement, Product
from shared.billing.calendar import BillingCalendar
from shared.billing.counting.items import BillItem
from shared.billing.counts import Count, SubscriptionStatus
from shared.billing.lines import canonical
from shared.billing.planning.pricing import told_cost
from shared.billing.planning.tiers import band_reached, tiers_of
from shared.billing.profiles import PriceKind, PricePeriod, PriceRule, QuantityRule

_ZERO = Decimal(0)


def bought(item: BillItem, count: Count) -> Decimal:
    """The units that a count of the item tells of; of a part of one those of its subscription."""
    if not item.is_part:
        return count.purchased
    alive = (each for each in count.subscriptions or () if each.status is SubscriptionStatus.ENABLED)
    return sum((each.quantity for each in alive), _ZERO)


def cost_of(
    item: BillItem,
    due: Decimal | None,
    agreement: Agreement | None,
    calendar: BillingCalendar | None,
    products: Mapping[str, Product],
) -> Decimal | None:
    """By what its vendors tell, else by the catalog; None where nobody tells it in the agreement's currency, and
    where it is not known what is due: what was not read costs something, too.

    A cost that the company names itself is that of each unit that is `due`, or of the package that they reach; what the
    catalog says is that of the products of their bands. Of what was used, and of some users of a customer, it is that
    of the units that are `due`, too.
    """
    if agreement is None or calendar is None or due is None:
        return None
    rule, months, total = item.price_rule, calendar.months, _ZERO

    def sold() -> list[tuple[str, Decimal]]:
        return [] if item.profile is None else _sold(item.profile.product, rule, due)

    if item.own_cost is not None:
        return sum((many for _, many in sold()), _ZERO) * item.own_cost
    told = [told_cost(count.cost, agreement.currency, months, rule) for count in item.counts]
    if None in told and any(band.product is not None or rule.kind is PriceKind.PACKAGE for band in rule.bands):
        parts = sold()
        costs = [_of_catalog(products.get(canonical(product)), months, rule) for product, _ in parts]
        known = [cost * many for cost, (_, many) in zip(costs, parts, strict=True) if cost is not None]
        return sum(known, _ZERO) if len(known) == len(parts) else None
    product = products.get(canonical(item.profile.product)) if item.profile is not None else None
    for count, by_vendor in zip(item.counts, told, strict=True):
        unit = _of_catalog(product, months, rule) if by_vendor is None else by_vendor
        units = _units_of_due(item, due) if _is_by_due(item) else bought(item, count)
        if unit is None or units is None:
            return None
        total += units * unit
    return total


def monthly_cost(count: Count) -> Decimal | None:
    """What a count costs in a month, in its vendor's currency; None where it does not tell that."""
    cost = count.cost
    return count.purchased * cost.amount if cost is not None and cost.period in ("month", "once") else None


def is_charged_by_the_term(count: Count) -> bool:
    """Whether its vendor may charge for longer than a month at once, so that most months have no charge."""
    terms = {each.term for each in count.subscriptions or ()} - {None, "P1M"}
    return bool(terms) or (count.cost is not None and count.cost.period in ("year", "term"))


def _is_by_due(item: BillItem) -> bool:
    profile = item.profile
    return profile is not None and (
        profile.arrears is not None or item.is_of_some_users or not profile.quantity.users.is_everybody
    )


def _units_of_due(item: BillItem, due: Decimal) -> Decimal | None:
    """The vendor's units in those that are billed; None where they are other units, or of several counts."""
    rule = item.profile.quantity if item.profile is not None else QuantityRule()
    alike = rule.multiply_by == rule.divide_by and not (rule.included or rule.minimum)
    return due if alike and len(item.counts) == 1 else None


def _sold(product: str, rule: PriceRule, due: Decimal) -> list[tuple[str, Decimal]]:
    """The products that so many units are billed by, and how many of each; of packages the one that they reach."""
    if rule.kind is PriceKind.TIERED:
        parts = [(tier.product or product, tier.part_of(due)) for tier in tiers_of(rule) if tier is not None]
        return [(name, many) for name, many in parts if many > 0]
    named = band_reached(rule, due).product if rule.bands else None
    many = min(due, Decimal(1)).to_integral_value(ROUND_CEILING) if rule.kind is PriceKind.PACKAGE else due
    return [(named or product, many)]


def _of_catalog(product: Product | None, months: int, rule: PriceRule) -> Decimal | None:
    """What the catalog says is for what its price is for; 0 is not known."""
    if product is None or product.cost == 0:
        return None
    return product.cost * months if rule.per is PricePeriod.MONTH else product.cost
