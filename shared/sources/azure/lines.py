"""From exported rows to what each customer used; nothing is held but the sums."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from shared.billing.usage import MonthlyUsage
from shared.sources.partner_billing.exporting import ensure_of_month
from shared.sources.partner_billing.kinds import USAGE
from shared.sources.partner_billing.lines import Line


def usages_of(lines: Iterable[Line], month: date) -> list[MonthlyUsage]:
    """The sums by customer, subscription and day, added up row by row.

    Raises `Incomplete` where none is of the month that begins on a day.
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
    ensure_of_month(USAGE, {day for used in sums.values() for _, day in used}, month)
    return [
        MonthlyUsage(customer, *names[customer], tuple((*key, amount) for key, amount in sorted(used.items())))
        for customer, used in sorted(sums.items())
    ]
