"""From counts to the quantity of a line: counted, summed, converted, less included, minimum, rounded, in this order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal

from shared.billing.counts import Count, Holder, Subscription, SubscriptionStatus
from shared.billing.lines import canonical
from shared.billing.profiles import Basis, QuantityRule, Rounding
from shared.billing.users import taken_by_all
from shared.billing.wording import number

ZERO = Decimal(0)

_ALIVE = frozenset({SubscriptionStatus.ENABLED, SubscriptionStatus.WARNING})
_ROUNDING = {Rounding.UP: ROUND_CEILING, Rounding.DOWN: ROUND_FLOOR, Rounding.NEAREST: ROUND_HALF_UP}


def quantity_of(counts: Sequence[Count], rule: QuantityRule) -> Decimal | None:
    """The quantity of a line fed by these counts, in billed units; None when a number it needs is not known."""
    total = ZERO
    for count in counts:
        measured = _measured(count, rule)
        if measured is None:
            return None
        total += measured
    return charged(total, rule)


def purchased(count: Count, rule: QuantityRule) -> Decimal | None:
    """Seats bought: enabled subscriptions, and those in grace unless the rule says no; no trials and no foreign ones.

    `include_trials` adds those, `include_foreign` what another partner sold. Where the vendor lists no subscriptions
    its own totals count, and nothing is known once some subscriptions are to be left out.
    """
    if count.subscriptions is not None:
        billed = [item.quantity for item in count.subscriptions if _is_billed(item, rule)]
        return sum(billed, ZERO)
    if rule.leaves_out_subscriptions:
        return None
    return count.purchased + (count.grace if rule.include_grace else ZERO)


def dated_quantities(counts: Sequence[Count], rule: QuantityRule) -> tuple[tuple[date, Decimal], ...]:
    """The vendor's own days of change with the quantity of the line from each on, oldest first.

    Only for what is bought and fed by one count: several counts, or users, have no one day on which they changed. Nor
    where the rule leaves something out: the vendor's days are those of the whole.
    """
    if rule.basis is not Basis.PURCHASED or rule.leaves_out_subscriptions or len(counts) != 1:
        return ()
    (count,) = counts
    if not count.changed or purchased(count, rule) != count.changed[-1][1]:
        return ()
    bought = replace(count, subscriptions=None, grace=ZERO)
    dated = [(day, quantity_of([replace(bought, purchased=quantity)], rule)) for day, quantity in count.changed]
    return tuple((day, quantity) for day, quantity in dated if quantity is not None)


def is_dated(counts: Sequence[Count]) -> bool:
    """Whether the vendor tells on which days it was used."""
    return any(item.usage is not None for count in counts for item in count.subscriptions or ())


def used_within(counts: Sequence[Count], rule: QuantityRule, start: date, end: date) -> Decimal | None:
    """The quantity of a line for what was used from `start` to `end`, both included, in billed units.

    None while that is not known to its end.
    """
    dated: list[Count] = []
    for count in counts:
        parts: list[Subscription] = []
        for item in count.subscriptions or ():
            used = None if item.usage is None else item.usage.within(start, end)
            if used is None:
                return None
            parts.append(replace(item, quantity=used))
        dated.append(replace(count, subscriptions=tuple(parts)))
    return quantity_of(dated, rule)


def holders_counted(count: Count, rule: QuantityRule) -> tuple[Holder, ...] | None:
    """The users who hold it and are counted; None where the source does not tell enough of them to say, such as which
    of them hold a trial.
    """
    holders, limit = taken_by_all(count.holders, rule.filters), users_limit(count, rule)
    if holders is None or limit is None or len(holders) <= limit:
        return holders
    return None if limit else ()


def paid_beside_trials(count: Count) -> Decimal | None:
    """The licences that are paid for, of whomever they were bought, where there are trials too; None where not."""
    alive = [item for item in count.subscriptions or () if item.status in _ALIVE]
    if not any(item.trial for item in alive):
        return None
    return sum((item.quantity for item in alive if not item.trial), ZERO)


def users_limit(count: Count, rule: QuantityRule) -> Decimal | None:
    """How many users are billed at most; None where no trials are to be left out.

    Nothing tells which user holds a trial and which a licence that is paid for: as many hold these as there are.
    """
    return None if rule.include_trials else paid_beside_trials(count)


def control_difference(count: Count) -> str | None:
    """How the sum of subscriptions differs from the vendor's own totals, in words; None when they agree."""
    if count.subscriptions is None:
        return None
    enabled = grace = ZERO
    for item in count.subscriptions:
        if item.status is SubscriptionStatus.ENABLED:
            enabled += item.quantity
        elif item.status is SubscriptionStatus.WARNING:
            grace += item.quantity
    if (enabled, grace) == (count.purchased, count.grace):
        return None
    return (
        f"its subscriptions add up to {number(enabled)} active and {number(grace)} in grace, "
        f"the vendor's own totals say {number(count.purchased)} and {number(count.grace)}"
    )


def holders_difference(count: Count) -> str | None:
    """How the list of users differs from the vendor's own number of assigned licences, in words; None when it agrees.

    The list comes from an index that may lag behind: users that it leaves out must not go unbilled.
    """
    if count.holders is None or count.assigned is None or len(count.holders) == count.assigned:
        return None
    return f"{len(count.holders)} users are listed, the vendor's own total says {number(count.assigned)} are assigned"


def _is_billed(subscription: Subscription, rule: QuantityRule) -> bool:
    alive = subscription.status is SubscriptionStatus.ENABLED or (
        rule.include_grace and subscription.status is SubscriptionStatus.WARNING
    )
    ours = rule.include_foreign or subscription.owned is not False
    wanted = not rule.leaves_out_subscriptions or not _is_left_out(subscription, rule)
    return alive and ours and wanted and (rule.include_trials or not subscription.trial)


def _is_left_out(subscription: Subscription, rule: QuantityRule) -> bool:
    names = {canonical(name) for name in (subscription.id, subscription.commerce_id) if name is not None}
    status = canonical(subscription.vendor_status or subscription.status.value)
    return status in map(canonical, rule.without_statuses) or not names.isdisjoint(
        canonical(name) for name in rule.without_subscriptions
    )


def _measured(count: Count, rule: QuantityRule) -> Decimal | None:
    if rule.bills_users:
        return _users(count, rule)
    if rule.needs_holders:
        return None
    bought = purchased(count, rule)
    if rule.basis is Basis.PURCHASED:
        return bought
    users = _users(count, rule)
    return None if bought is None or users is None else max(bought, users)


def _users(count: Count, rule: QuantityRule) -> Decimal | None:
    """The users who hold it and are counted, but for those on trial."""
    users, limit = count.assigned, users_limit(count, rule)
    if rule.needs_holders:
        holders = taken_by_all(count.holders, rule.filters)
        users = None if holders is None else Decimal(len(holders))
    return users if users is None or limit is None else min(users, limit)


def charged(total: Decimal, rule: QuantityRule) -> Decimal:
    """What a rule makes of a sum of what was counted: the quantity of a line, in billed units."""
    quantity = max(total * rule.multiply_by / rule.divide_by - rule.included, ZERO)
    if total > 0 or rule.minimum_always:
        quantity = max(quantity, rule.minimum)
    if rule.rounding is Rounding.NONE:
        return quantity
    return (quantity / rule.rounding_step).to_integral_value(_ROUNDING[rule.rounding]) * rule.rounding_step
