"""The currency of amounts that belong to no agreement: a product's price in Manage, a made-up example."""

from __future__ import annotations

from collections.abc import Iterable

from shared.sync.ports import Ports


def house_currency(ports: Ports) -> str:
    """The one in which everything that we bill is billed; empty where that is none or several."""
    rows = ports.companies.all()
    return only_one(currency for row in rows for currency in (*row.summary.monthly, *row.summary.planned))


def only_one(currencies: Iterable[str | None]) -> str:
    """The currency where there is just one; empty where there are several, or one is not known."""
    found = set(currencies)
    return (found.pop() or "") if len(found) == 1 else ""
