"""From Pax8's invoices to what customers used. Pure; what cannot be billed by is `Incomplete`, never a guess.

Only an invoice says what a product in arrears came to and for which month: summaries of its usage name no month, and go
on changing. Pax8 invoices on the fourth what was used in the month before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from shared.billing.counts import Count, Money, Subscription, SubscriptionStatus, Usage
from shared.billing.vendors import Charge
from shared.sources.pax8.parse import SOURCE
from shared.sources.pax8.token import SYSTEM
from shared.sources.rows import broken

#: The term of what is charged for usage, which ends its SKU.
ARREARS = ":arrears"
#: The invoices of so many months tell what was used.
MONTHS = 3
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class InvoicedUsage:
    """The charges for usage of the newest months that were invoiced without a gap, `since` to `until`."""

    charges: tuple[Charge, ...]
    since: date
    until: date


def month_before(month: date) -> date:
    """The first day of the month before the one that holds a day."""
    return (month.replace(day=1) - timedelta(days=1)).replace(day=1)


def invoiced_usage(charges: Iterable[Charge], invoiced: Collection[date], newest: date) -> InvoicedUsage | None:
    """What was used in the months before those that were `invoiced` (first days); None before the first invoice.

    `newest` is the current month, whose invoice may not be there yet.
    """
    last = newest if newest in invoiced else month_before(newest)
    if last not in invoiced:
        return None
    first = last
    while month_before(first) in invoiced:
        first = month_before(first)
    usage = tuple(charge for charge in charges if charge.used)
    return InvoicedUsage(usage, month_before(first), last - timedelta(days=1))


def used_by(company: str, usage: InvoicedUsage) -> list[Count]:
    """What one company used, a count for each product. Its units are money, so one of them costs one.

    A month's charge is dated to the first day of what it is for.
    """
    found: defaultdict[str, list[Charge]] = defaultdict(list)
    for charge in usage.charges:
        if charge.sku is not None and charge.customer == company:
            found[charge.sku].append(charge)
    return [_count(company, sku, found[sku], usage) for sku in sorted(found)]


def _count(company: str, sku: str, charges: list[Charge], usage: InvoicedUsage) -> Count:
    currencies = {charge.currency for charge in charges}
    if len(currencies) > 1:
        raise broken(SYSTEM, "the items of an invoice", "usage of one product is charged in two currencies")
    days: defaultdict[date, Decimal] = defaultdict(Decimal)
    for charge in charges:
        if charge.start is None:
            raise broken(SYSTEM, "the items of an invoice", "a charge for usage does not say from which day on")
        days[charge.start] += charge.total
    newest = month_before(usage.until + timedelta(days=1))
    lately = max(sum((amount for day, amount in days.items() if day >= newest), _ZERO), _ZERO)
    told = Usage(tuple(sorted(days.items())), usage.since, usage.until)
    return Count(
        SOURCE,
        company,
        sku,
        f"{charges[0].name}, used",
        purchased=lately,
        subscriptions=(Subscription(sku, lately, SubscriptionStatus.ENABLED, usage=told),),
        cost=Money(Decimal(1), "once", currencies.pop()),
        level=True,
    )
