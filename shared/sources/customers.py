"""Lists of customers, in the order in which people look for them."""

from __future__ import annotations

from collections.abc import Iterable

from shared.billing.counts import Customer


def by_name(customers: Iterable[Customer]) -> list[Customer]:
    """In the order of their names, whatever their case."""
    return sorted(customers, key=lambda customer: (customer.name.casefold(), customer.id))
