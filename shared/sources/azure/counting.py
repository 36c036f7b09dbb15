"""From exported months to a reading. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from shared.billing.counts import Count, Money, Reading, Scope, Subscription, SubscriptionStatus, Usage
from shared.billing.usage import Export, MonthlyUsage
from shared.billing.vendors import Charge
from shared.sources.partner_billing.exporting import last_day
from shared.sources.partner_billing.kinds import USAGE
from shared.sources.rows import broken

SOURCE = "azure"
#: The one SKU: all of a customer's usage, its subscriptions beside it.
SKU = "azure-usage"
NAME = "Azure usage"
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Month:
    """One stored billing month of one customer; `usage` None where the export did not name it."""

    export: Export
    usage: MonthlyUsage | None

    def known_until(self, settled_days: int) -> date | None:
        """The last day of which all usage is told; None where not even that of the first is."""
        if self.export.taken is None:
            return None
        until = min(last_day(self.export.month), self.export.taken.date() - timedelta(days=settled_days))
        return until if until >= self.export.month else None


def reading_of(customer: str, day: date, months: Sequence[Month], settled_days: int) -> Reading:
    """What a customer used in the stored months, oldest first, in the currency in which Microsoft bills it.

    Who is named in none used nothing, but only once the last month is stored: then it is known that they are new when
    they are named first.
    """
    found = [month.usage for month in months if month.usage is not None]
    currencies = {usage.currency for usage in found}
    if len(currencies) > 1:
        raise broken(USAGE.system, USAGE.what, "a customer is billed in two currencies")
    span = _known(months, settled_days)
    if not found or span is None:
        is_known = span is not None and months[-2].export.taken is not None
        scope = Scope() if is_known else Scope(without=frozenset({SKU}))
        return Reading(SOURCE, customer, day, (), scope)
    return Reading(SOURCE, customer, day, (_count(customer, months, span, currencies.pop()),))


def charges_of(month: date, usages: Iterable[MonthlyUsage], *, growing: bool) -> list[Charge]:
    """What was used on the days of a month, by customer and subscription, whichever export brought it."""
    sums: defaultdict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    for usage in usages:
        for subscription, day, amount in usage.amounts:
            if day.replace(day=1) == month:
                sums[usage.customer, subscription, usage.currency] += amount
    end = last_day(month) + timedelta(days=1)
    return [
        Charge(
            customer,
            SKU,
            NAME,
            "usage",
            month,
            end,
            quantity=Decimal(1),
            total=total,
            currency=currency,
            invoice=None,
            used=True,
            subscription=subscription,
            growing=growing,
        )
        for (customer, subscription, currency), total in sorted(sums.items())
    ]


def _count(customer: str, months: Sequence[Month], span: tuple[date, date], currency: str) -> Count:
    """One count whose subscriptions are Azure's; its units are money, so one of them costs one."""
    days: defaultdict[str, defaultdict[date, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for month in months:
        for subscription, day, amount in month.usage.amounts if month.usage is not None else ():
            days[subscription][day] += amount
    newest = months[-1].export.month
    parts = tuple(
        Subscription(
            subscription,
            max(sum((amount for day, amount in used.items() if day >= newest), _ZERO), _ZERO),
            SubscriptionStatus.ENABLED,
            usage=Usage(tuple(sorted(used.items())), *span),
        )
        for subscription, used in sorted(days.items())
    )
    return Count(
        SOURCE,
        customer,
        SKU,
        NAME,
        purchased=sum((part.quantity for part in parts), _ZERO),
        subscriptions=parts,
        cost=Money(Decimal(1), "once", currency),
        level=True,
    )


def _known(months: Sequence[Month], settled_days: int) -> tuple[date, date] | None:
    """The newest days without a gap of which all usage is told, first and last."""
    span: tuple[date, date] | None = None
    for month in months:
        until = month.known_until(settled_days)
        if until is not None:
            goes_on = span is not None and span[1] + timedelta(days=1) == month.export.month
            span = (span[0] if goes_on and span is not None else month.export.month, until)
    return span
