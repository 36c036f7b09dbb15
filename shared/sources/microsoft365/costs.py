"""Counts completed by what a licence costs the MSP, as Microsoft charged it last. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal

from shared.billing.counts import Count, Money, Subscription, SubscriptionStatus
from shared.billing.vendors import Charge

_ALIVE = frozenset({SubscriptionStatus.ENABLED, SubscriptionStatus.WARNING})
#: Days from the first to the last of a charged period; nobody says for certain that the last is among them.
_MONTH, _YEAR = range(27, 32), range(364, 367)
_CENT, _FINEST = Decimal("0.01"), Decimal("0.00001")


def with_costs(counts: Iterable[Count], charges: Iterable[Charge]) -> tuple[Count, ...]:
    """The counts with the cost of a licence, where the last charges for all that is ours of a SKU agree on one."""
    costs = _by_subscription(charges)

    def cost(count: Count) -> Money | None:
        told = {costs.get(each.commerce_id or "") for each in count.subscriptions or () if _is_ours(each)}
        return told.pop() if len(told) == 1 else None

    return tuple(replace(count, cost=cost(count)) for count in counts)


def _by_subscription(charges: Iterable[Charge]) -> dict[str, Money]:
    """What a licence of each subscription cost in the last period that was charged whole."""
    whole = [(charge.start, charge) for charge in charges if charge.start is not None and charge.subscription]
    found: dict[str, Money] = {}
    for _, charge in sorted(whole, key=lambda each: each[0]):
        cost = _of_one(charge)
        if cost is not None and charge.subscription is not None:
            found[charge.subscription] = cost
    return found


def _of_one(charge: Charge) -> Money | None:
    """None for parts of periods, credits, and periods that are neither a month nor a year."""
    if not charge.is_of_a_whole_period or charge.start is None or charge.end is None or charge.quantity <= 0:
        return None
    days, amount = (charge.end - charge.start).days, charge.total / charge.quantity
    in_cents = amount.quantize(_CENT)
    amount = in_cents if in_cents * charge.quantity == charge.total else amount.quantize(_FINEST)
    if days in _MONTH:
        return Money(amount, "month", charge.currency)
    return Money(amount, "year", charge.currency) if days in _YEAR else None


def _is_ours(subscription: Subscription) -> bool:
    return subscription.status in _ALIVE and not subscription.trial and subscription.owned is not False
