"""A count narrowed to what feeds one of several lines: some of its users, or one of its subscriptions.

What of the whole does not hold for the part is left out: the days on which the whole changed, and who holds a
subscription.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal

from shared.billing.counts import Count, Holder, Subscription
from shared.billing.users import Users


def held_by_some(count: Count, filters: Iterable[Users]) -> Count:
    """The count of the users whom every filter takes; holders and assigned are None where that was not told."""
    wanted = tuple(filters)
    if not wanted:
        return count
    holders = _taken(count.holders, wanted)
    assigned = None if holders is None else Decimal(len(holders))
    return replace(count, holders=holders, assigned=assigned, changed=())


def of_subscription(count: Count, subscription: Subscription) -> Count:
    """The count of one subscription, with the days on which that one changed."""
    return replace(count, subscriptions=(subscription,), assigned=None, holders=None, changed=subscription.changed)


def _taken(holders: tuple[Holder, ...] | None, filters: tuple[Users, ...]) -> tuple[Holder, ...] | None:
    if holders is None:
        return None
    answers = [(holder, [users.takes(holder) for users in filters]) for holder in holders]
    if any(None in answer and False not in answer for _, answer in answers):
        return None
    return tuple(holder for holder, answer in answers if all(answer))
