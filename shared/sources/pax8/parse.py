"""From Pax8's rows to counts. Pure; what is not what it should be raises `Incomplete`.

Dates are calendar days as Pax8 writes them. A SKU is `<product id>:<billing term>`, such as `…:annual`: the same
product costs differently by term, so each has its own price.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Set
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

from shared.billing.counts import Count, Customer, Money, Subscription, SubscriptionStatus
from shared.sources.pax8.settings import STATUSES
from shared.sources.pax8.timeline import WINDOW, Timeline, at, day_after, ended, timeline, together
from shared.sources.rows import Row

SOURCE = "pax8"
#: The terms of what is bought once: Pax8 goes on listing it as active, and nobody has it from period to period.
ONCE_TERMS = frozenset({"one-time", "activation"})
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

_PERIODS: dict[str, Literal["month", "year", "term"]] = {
    "monthly": "month",
    "annual": "year",
    "2-year": "term",
    "3-year": "term",
}


@dataclass(frozen=True, slots=True)
class Bought:
    """One subscription of a company, with what its count is made of."""

    sku: str
    name: str
    subscription: Subscription
    cost: Money | None
    retail: Money | None


def customer_of(row: Row) -> Customer:
    website = (row.hint("website") or "").casefold()
    domain = re.sub(r"^(https?://)?(www\.)?", "", website).split("/")[0].strip()
    return Customer(
        SOURCE,
        id_of(row, "id"),
        row.text("name"),
        domains=(domain,) if "." in domain else (),
        reference=row.hint("externalId"),
    )


def is_deleted(company: Row) -> bool:
    return (company.text_or_none("status") or "").casefold() == "deleted"


def id_of(row: Row, name: str) -> str:
    value = row.text(name).casefold()
    if not UUID.fullmatch(value):
        raise row.broken(f"{name} is not an id")
    return value


def plain_term(text: str) -> str:
    """A term in one spelling: `2-Year` of a subscription is `2 Year` on an invoice."""
    return "-".join(text.casefold().split())


def is_bought_once(subscription: Row) -> bool:
    return plain_term(subscription.text("billingTerm")) in ONCE_TERMS


def revision_of(row: Row) -> str | None:
    return row.text_or_none("updatedDate")


def may_have_changed(row: Row, day: date) -> bool:
    """Whether Pax8 touched the subscription inside the window, or does not say when it did."""
    updated = row.day_or_none("updatedDate")
    return updated is None or updated > day - WINDOW


def history_of(row: Row, history: Iterable[Row], billable: Set[str], day: date) -> Timeline:
    """The subscription's own days of change; empty where its history does not end with what it says now, or is that of
    another.

    Every row holds the whole quantity from its start date on, and Pax8 lists the newest first.
    """
    entries = list(history)
    if any(id_of(entry, "id") != id_of(row, "id") for entry in entries):
        return ()
    points = [_point(entry, billable) for entry in reversed(entries)]
    known = timeline((point for point in points if point is not None), day)
    now = row.number("quantity") if _is_billable(row, billable) else None
    return known if now is None or at(known, day) == now else ()


def _point(entry: Row, billable: Set[str]) -> tuple[date, Decimal] | None:
    """What one row of a history says: from which day on, how much is charged. Nothing is after the day of the end."""
    started = entry.day_or_none("startDate")
    if _status(entry) == "cancelled":
        last_day = entry.day_or_none("endDate") or started
        return None if last_day is None else (day_after(last_day), Decimal(0))
    if started is None:
        return None
    return started, entry.number("quantity") if _is_billable(entry, billable) else Decimal(0)


def unchanged(row: Row, day: date) -> Timeline:
    """The days of change of a subscription that has had none since it started."""
    return timeline([(row.day_or_none("startDate") or date.min, row.number("quantity"))], day)


def bought(row: Row, changed: Timeline, billable: Set[str], day: date) -> Bought | None:
    """The subscription as it counts on `day`; None for one that ended before the window.

    Its `term` stays None: a commitment of a year may be charged by the month, which a term of a year would deny.
    """
    status = _life(row, billable, day)
    last_day = row.day_or_none("endDate") or row.day_or_none("updatedDate")
    if status is SubscriptionStatus.DELETED:
        if last_day is None or last_day <= day - WINDOW:
            return None
        changed = ended(changed, last_day) if changed else ()
    term = row.text("billingTerm")
    commitment = row.inner("commitmentTerm")
    committed_until = commitment.day_or_none("endDate") if commitment is not None else None
    product = id_of(row, "productId")
    return Bought(
        sku=f"{product}:{plain_term(term)}",
        name=f"{row.text_or_none('productName') or f'Product {product}'}, {term}",
        subscription=Subscription(
            id=id_of(row, "id"),
            quantity=row.number("quantity"),
            status=status,
            trial=_is_trial(row, billable),
            commerce_id=row.text_or_none("vendorSubscriptionId"),
            started=row.day_or_none("startDate"),
            renews=committed_until or row.day_or_none("endDate"),
            committed_until=committed_until,
            changed=changed,
            revision=revision_of(row),
            vendor_status=_status(row),
        ),
        cost=_money(row, "partnerCost", term),
        retail=_money(row, "price", term),
    )


def counts_of(customer: str, purchases: Iterable[Bought], day: date) -> tuple[Count, ...]:
    """One count per SKU, in the order of the SKUs."""
    by_sku: dict[str, list[Bought]] = {}
    for purchase in sorted(purchases, key=lambda purchase: purchase.subscription.id):
        by_sku.setdefault(purchase.sku, []).append(purchase)
    return tuple(_count(customer, sku, by_sku[sku], day) for sku in sorted(by_sku))


def _count(customer: str, sku: str, purchases: list[Bought], day: date) -> Count:
    alive = [each for each in purchases if each.subscription.status is SubscriptionStatus.ENABLED]
    paid = [each for each in alive if not each.subscription.trial]
    return Count(
        source=SOURCE,
        customer=customer,
        sku=sku,
        name=(alive or purchases)[0].name,
        purchased=_sum(alive),
        subscriptions=tuple(each.subscription for each in purchases),
        cost=_the_only([each.cost for each in paid]),
        retail=_the_only([each.retail for each in paid]),
        changed=_changed(purchases, _sum(paid), day),
    )


def _changed(purchases: list[Bought], paid: Decimal, day: date) -> Timeline:
    """Empty where one subscription's days are not known, or they do not add up to what is paid for now."""
    counted = [each.subscription for each in purchases if not each.subscription.trial]
    timelines = [item.changed for item in counted if item.status is not SubscriptionStatus.SUSPENDED]
    if not all(timelines) or sum((at(known, day) for known in timelines), Decimal(0)) != paid:
        return ()
    return together(timelines, day)


def _sum(purchases: list[Bought]) -> Decimal:
    return sum((each.subscription.quantity for each in purchases), Decimal(0))


def _the_only(amounts: list[Money | None]) -> Money | None:
    return amounts[0] if amounts and len(set(amounts)) == 1 else None


def _life(row: Row, billable: Set[str], day: date) -> SubscriptionStatus:
    status = _status(row)
    end = row.day_or_none("endDate")
    if status == "cancelled" or (end is not None and end < day):
        return SubscriptionStatus.DELETED
    start = row.day_or_none("startDate")
    counts = status in billable or status == "trial"
    return SubscriptionStatus.ENABLED if counts and (start is None or start <= day) else SubscriptionStatus.SUSPENDED


def _status(row: Row) -> str:
    status = row.text("status").casefold()
    if status not in STATUSES:
        raise row.broken("a status is not one of those we know")
    return status


def _is_trial(row: Row, billable: Set[str]) -> bool:
    return _status(row) == "trial" and "trial" not in billable


def _is_billable(row: Row, billable: Set[str]) -> bool:
    return _status(row) in billable


def currency_of(row: Row) -> str | None:
    return (row.text_or_none("currencyCode") or "").upper() or None


def _money(row: Row, name: str, term: str) -> Money | None:
    amount = row.number_or_none(name)
    if amount is None:
        return None
    return Money(amount, _PERIODS.get(plain_term(term), "unknown"), currency_of(row))
