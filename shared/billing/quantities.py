"""From counts to the quantity of a line: basis, sum, included, minimum, in this order."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from shared.billing.counts import Count, Subscription, SubscriptionStatus
from shared.billing.rules import Basis, QuantityRule
from shared.billing.wording import number

ZERO = Decimal(0)


def quantity_of(counts: Sequence[Count], rule: QuantityRule) -> Decimal | None:
    """The quantity of a line fed by these counts, in units of the SKU; None when a number it needs is not known."""
    measured = [_measured(count, rule) for count in counts]
    known = [value for value in measured if value is not None]
    if len(known) < len(measured):
        return None
    return _charged(sum(known, ZERO), rule)


def purchased(count: Count, rule: QuantityRule) -> Decimal:
    """Seats bought: enabled subscriptions, and those in grace unless the rule says no; no trials and no foreign ones.

    `include_foreign` adds what another partner sold. Where the vendor lists no subscriptions, its own totals count.
    """
    if count.subscriptions is None:
        return count.purchased + (count.grace if rule.include_grace else ZERO)
    return sum((item.quantity for item in count.subscriptions if _is_billed(item, rule)), ZERO)


def control_difference(count: Count) -> str | None:
    """How the sum of subscriptions differs from the vendor's own totals, in words; None when they agree."""
    if count.subscriptions is None:
        return None
    enabled, grace = (
        sum((item.quantity for item in count.subscriptions if item.status is status), ZERO)
        for status in (SubscriptionStatus.ENABLED, SubscriptionStatus.WARNING)
    )
    if (enabled, grace) == (count.purchased, count.grace):
        return None
    return (
        f"its subscriptions add up to {number(enabled)} active and {number(grace)} in grace, "
        f"the vendor's own totals say {number(count.purchased)} and {number(count.grace)}"
    )


def _is_billed(subscription: Subscription, rule: QuantityRule) -> bool:
    alive = subscription.status is SubscriptionStatus.ENABLED or (
        rule.include_grace and subscription.status is SubscriptionStatus.WARNING
    )
    ours = rule.include_foreign or subscription.owned is not False
    return alive and ours and not subscription.trial


def _measured(count: Count, rule: QuantityRule) -> Decimal | None:
    if rule.basis is Basis.PURCHASED:
        return purchased(count, rule)
    if count.assigned is None or rule.basis is Basis.ASSIGNED:
        return count.assigned
    return max(purchased(count, rule), count.assigned)


def _charged(total: Decimal, rule: QuantityRule) -> Decimal:
    charged = max(total - rule.included, ZERO)
    if total > 0 or rule.minimum_always:
        charged = max(charged, rule.minimum)
    return charged
