"""The unit price and unit cost of a line, per billing cycle of its agreement and in its currency.

What the vendor tells carries a period and a currency: another currency, an unknown period, and a month where the
profile does not say that months are multiplied, are findings, never a guess.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from shared.billing.agreements import Addition
from shared.billing.counts import Money
from shared.billing.findings import FindingKind
from shared.billing.planning.situation import Doubt, Target
from shared.billing.planning.tiers import band_reached
from shared.billing.profiles import Band, BelowCost, BillOption, PriceKind, PricePeriod, PriceRule
from shared.billing.wording import money

_HUNDRED = Decimal(100)


def unit_price(target: Target, standing: Addition | None, *, keeps: bool) -> Decimal:
    """The price the line should have. Raises `Doubt` where none can be written.

    `keeps`: an adopted line keeps the price that a person gave it, unless the licence link names one.
    """
    price = _asked_for(target, standing, keeps=keeps)
    refuse_below_cost(target, price)
    return price


def _asked_for(target: Target, standing: Addition | None, *, keeps: bool) -> Decimal:
    rule = target.item.price_rule
    own_price = target.item.licence is not None and target.item.licence.price is not None
    if standing is not None and (rule.kind is PriceKind.KEEP or (keeps and not own_price)):
        return standing.unit_price
    price = _by_rule(rule, target)
    if price <= 0 and target.profile.bill_option is BillOption.BILLABLE:
        raise _doubt(target, f"its price is {price}")
    return price


def refuse_below_cost(target: Target, price: Decimal) -> None:
    """Raises `Doubt` for a billed price below the known cost where the profile refuses it; a cost of 0 is not known."""
    refuses = target.item.price_rule.below_cost is BelowCost.REFUSE
    if not refuses or target.profile.bill_option is not BillOption.BILLABLE:
        return
    cost = known_cost(target)
    if price < cost:
        raise Doubt(
            FindingKind.PRICE,
            target.item.id,
            f"{target.item.name}: its price of {money(price)} is below its cost of {money(cost)}; nothing is written.",
            "Raise the price of the line, product, profile or licence link; or let the profile bill it all the same "
            "with below_cost: allow.",
        )


def unit_cost(target: Target) -> Decimal | None:
    """The company's own cost, or the vendor's where the profile says that it is written, else None.

    Raises `Doubt` where the vendor's is not usable.
    """
    rule = target.item.price_rule
    if target.item.own_cost is not None or not rule.write_cost:
        return target.item.own_cost
    return _told(target, [count.cost for count in target.item.counts], "cost", rule) * _units_in_one(target)


def known_cost(target: Target) -> Decimal:
    """What a unit costs the MSP, as far as known: by the company's own choice, by the vendor if it tells that in this
    agreement's terms, or by the catalog; 0 where nobody knows. What the catalog says is for what its price is for.
    """
    if target.item.own_cost is not None:
        return target.item.own_cost
    costs = {count.cost for count in target.item.counts}
    told = costs.pop() if len(costs) == 1 else None
    amount = told_cost(told, target.agreement.currency, target.calendar.months, target.item.price_rule)
    return _per_cycle(target.product.cost, target) if amount is None else amount * _units_in_one(target)


def _units_in_one(target: Target) -> Decimal:
    """How many units one that is billed holds: a package all that was used."""
    return target.total if target.tier is not None and target.tier.is_package else Decimal(1)


def told_cost(cost: Money | None, currency: str | None, months: int, rule: PriceRule) -> Decimal | None:
    """What a unit costs the MSP in a billing cycle of so many months; None where the vendor does not tell it so."""
    return _per_cycle_of(cost, months, rule) if cost is not None and cost.currency == currency else None


def _by_rule(rule: PriceRule, target: Target) -> Decimal:
    match rule.kind:
        case PriceKind.COST:
            cost = target.item.own_cost
            if cost is None:
                cost = _told(target, [count.cost for count in target.item.counts], "cost", rule)
            return _rounded(cost * (_HUNDRED + rule.markup) / _HUNDRED, rule)
        case PriceKind.RETAIL:
            return _rounded(_told(target, [count.retail for count in target.item.counts], "retail price", rule), rule)
        case PriceKind.TIERED | PriceKind.PACKAGE if target.tier is not None:
            amount = target.tier.price
        case PriceKind.VOLUME:
            return price_of_band(band_reached(rule, target.total), target)
        case PriceKind.CUSTOM if rule.amount is not None:
            amount = rule.amount
        case _:
            amount = target.product.price
    return _per_cycle(amount, target)


def price_of_band(band: Band, target: Target) -> Decimal:
    """What a band says, per billing cycle of the agreement."""
    return _per_cycle(band.price, target)


def _per_cycle(amount: Decimal, target: Target) -> Decimal:
    """An amount of the profile or the catalog, of which the profile says what it is for."""
    return amount * target.calendar.months if target.item.price_rule.per is PricePeriod.MONTH else amount


def _rounded(price: Decimal, rule: PriceRule) -> Decimal:
    return price.quantize(Decimal(1).scaleb(-rule.decimals), rounding=ROUND_HALF_UP)


def _told(target: Target, told: list[Money | None], what: str, rule: PriceRule) -> Decimal:
    """The vendor's amount per billing cycle, one for all that feeds the line."""
    amounts = set(told)
    if not amounts or None in amounts:
        raise _doubt(target, f"the vendor does not tell its {what}")
    if len(amounts) > 1:
        raise _doubt(target, f"the {what} is not the same for all that it is fed by")
    one = amounts.pop()
    assert one is not None
    billed_in = target.agreement.currency
    if one.currency != billed_in:
        raise Doubt(
            FindingKind.CURRENCY,
            target.item.id,
            f"{target.item.name}: its {what} is in {one.currency or 'a currency that the vendor does not tell'}, "
            f"agreement {target.agreement.id} is billed in {billed_in or 'one that Manage does not tell'}; "
            "nothing is written.",
            "Give the profile a price of its own, in the agreement's currency.",
        )
    amount = _per_cycle_of(one, target.calendar.months, rule)
    if amount is None:
        period = f"for a {one.period}" if one.period != "unknown" else "for a period that the vendor does not tell"
        months = target.calendar.months
        billed = "monthly" if months == 1 else f"every {months} months"
        raise _doubt(target, f"its {what} is {period}, the agreement is billed {billed}")
    return amount


def _per_cycle_of(money: Money, months: int, rule: PriceRule) -> Decimal | None:
    """None where it cannot be said without a guess: a month is multiplied only where the profile says so."""
    if money.period == "month" and (months == 1 or rule.per is PricePeriod.MONTH):
        return money.amount * months
    return money.amount if money.period == "once" or (money.period == "year" and months == 12) else None


def _doubt(target: Target, told: str) -> Doubt:
    return Doubt(
        FindingKind.PRICE,
        target.item.id,
        f"{target.item.name}: {told}; nothing is written.",
        f"Give {target.product.identifier} a price in Manage, or the profile or licence link one of its own; say "
        "per: month where a monthly price is billed for longer cycles.",
    )
