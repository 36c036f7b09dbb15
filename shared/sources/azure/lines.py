"""From exported rows to what each customer used; nothing is held but the sums."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from shared.billing.usage import MonthlyUsage
from shared.sources.partner_billing.exporting import last_day
from shared.sources.partner_billing.kinds import USAGE
from shared.sources.partner_billing.lines import Line
from shared.sources.rows import broken


def usages_of(lines: Iterable[Line], month: date) -> list[MonthlyUsage]:
    """The sums by customer, subscription and day, added up row by row.

    Usage of other months may come with a month's own. Raises `Incomplete` where none is of the month that begins on a
    day: Microsoft has not gone on to it yet, or has left it, and what is stored of the other month would count twice.
    """
    sums: dict[str, defaultdict[tuple[str, date], Decimal]] = {}
    names: dict[str, tuple[str, str]] = {}
    for line in lines:
        customer = line.text("customerid").casefold()
        subscription = (line.text_or_none("entitlementid") or line.text("subscriptionid")).casefold()
        currency = line.text("billingcurrency").upper()
        named = names.setdefault(customer, (line.text_or_none("customername") or customer, currency))
        if named[1] != currency:
            raise line.broken("a customer is billed in two currencies")
        used = sums.setdefault(customer, defaultdict(Decimal))
        used[subscription, line.day("usagedate")] += line.amount("billingpretaxtotal")
    days = {day for used in sums.values() for _, day in used}
    if days and not any(month <= day <= last_day(month) for day in days):
        raise broken(USAGE.system, USAGE.what, "it is of another month than the one that was asked for")
    return [
        MonthlyUsage(customer, *names[customer], tuple((*key, amount) for key, amount in sorted(used.items())))
        for customer, used in sorted(sums.items())
    ]
