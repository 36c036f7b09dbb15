"""A count narrowed to what feeds one of several lines: some of its users, or one of its subscriptions.

What of the whole does not hold for the part is left out: the days on which the whole changed, and who holds a
subscription.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from shared.billing.counts import Count, Subscription
from shared.billing.users import Users, taken_by_all


def held_by_some(count: Count, filters: Sequence[Users]) -> Count:
    """The count of the users whom every filter takes; holders and assigned are None where that was not told."""
    if not filters:
        return count
    holders = taken_by_all(count.holders, filters)
    assigned = None if holders is None else Decimal(len(holders))
    return replace(count, holders=holders, assigned=assigned, changed=())


def of_subscription(count: Count, subscription: Subscription) -> Count:
    """The count of one subscription, with the days on which that one changed."""
    return replace(count, subscriptions=(subscription,), assigned=None, holders=None, changed=subscription.changed)
