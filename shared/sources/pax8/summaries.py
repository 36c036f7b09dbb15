"""From Pax8's summaries of usage to what was used so far. Pure; what is not what it should be raises `Incomplete`.

A summary tells one resource group of one subscription: what its charges are now, not of which month. Vendors overwrite
what they told until the month is invoiced, so it is shown to people and billed to nobody.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Set
from datetime import date
from decimal import Decimal

from shared.billing.vendors import UsageSoFar
from shared.sources.pax8.parse import currency_of, id_of, is_bought_once
from shared.sources.pax8.usage import ARREARS
from shared.sources.rows import Row

#: Customer, SKU, the product's name, and the currency.
_Key = tuple[str, str, str, str | None]


def may_sell_usage(subscription: Row, charged: Set[str], today: date) -> bool:
    """Whether its summaries are worth asking for; Pax8 says of no product that it is charged for what is used.

    `charged` are the SKUs that invoices charged for usage. What costs nothing by itself may be a container of usage.
    """
    if subscription.text("status").casefold() == "trial" or is_bought_once(subscription):
        return False
    ended = subscription.day_or_none("endDate")
    if ended is not None and ended < today.replace(day=1):
        return False
    return _sku(subscription) in charged or not subscription.number_or_none("partnerCost")


def used_so_far(told: Iterable[tuple[Row, list[Row]]], charged: Set[str]) -> list[UsageSoFar]:
    """What customers used, by subscription and its summaries: a sum for each product and currency; trials cost nothing.

    A sum is None where a part of it is not told.
    """
    found: defaultdict[_Key, list[Row]] = defaultdict(list)
    for subscription, summaries in told:
        for summary in summaries:
            if not summary.flag("isTrial"):
                found[_key(subscription, summary, charged)].append(summary)
    return [
        UsageSoFar(customer, sku, name, _sum(rows, "partnerTotal"), _sum(rows, "currentCharges"), currency)
        for (customer, sku, name, currency), rows in found.items()
    ]


def _key(subscription: Row, summary: Row, charged: Set[str]) -> _Key:
    """One subscription may be used for several companies: the summary says for which, or else the subscription does."""
    owner = summary if summary.text_or_none("companyId") is not None else subscription
    own = _sku(summary) if summary.text_or_none("productId") is not None else None
    sku = own if own is not None and (own in charged or _sku(subscription) not in charged) else _sku(subscription)
    name = subscription.text_or_none("productName") or summary.text_or_none("vendorName") or sku
    return id_of(owner, "companyId"), sku, name, currency_of(summary)


def _sku(row: Row) -> str:
    """As of the charge on the invoice."""
    return f"{id_of(row, 'productId')}{ARREARS}"


def _sum(rows: list[Row], name: str) -> Decimal | None:
    amounts = [row.amount_or_none(name) for row in rows]
    known = [amount for amount in amounts if amount is not None]
    return sum(known, Decimal(0)) if len(known) == len(amounts) else None
