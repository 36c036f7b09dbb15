"""Stored readings and pushes: what was put is what is found, whatever its id, and two writers lose nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from shared.billing.counting.pushes import Pushed, PushedCount
from shared.billing.counts import Count, Money, Reading, Scope, Subscription, SubscriptionStatus
from shared.state.pushes import PushStore
from shared.state.readings import ReadingStore, StoredReading
from shared.state.rows import Changed
from tests.fakes.tables import InMemoryTables

NOW = datetime(2026, 11, 21, 2, tzinfo=UTC)
DAY = date(2026, 11, 21)


def reading(customer: str) -> Reading:
    many, changed = Decimal("4.5"), ((date.min, Decimal(3)), (date(2026, 11, 3), Decimal("4.5")))
    enabled = SubscriptionStatus.ENABLED
    bought = Subscription("s-1", many, enabled, started=DAY, changed=changed, revision="r", committed_until=DAY)
    cost = Money(Decimal("2.10"), "month", "USD")
    count = Count("pax8", customer, "p:monthly", "P", many, subscriptions=(bought,), cost=cost, changed=changed)
    return Reading("pax8", customer, DAY, (count,), Scope(frozenset({"p:monthly"})))


@pytest.fixture
def tables() -> InMemoryTables:
    return InMemoryTables()


def test_a_stored_reading_comes_back_whole(tables: InMemoryTables) -> None:
    store = ReadingStore(tables)
    store.put("pax8", [reading("Zwölf & Co/1")], NOW)

    assert store.get("pax8", "zwölf & co/1") == StoredReading(reading("Zwölf & Co/1"), NOW)
    assert store.get("cove", "zwölf & co/1") is None


def test_a_fleet_is_stored_in_few_round_trips_and_listed_by_customer(tables: InMemoryTables) -> None:
    store = ReadingStore(tables)
    store.put("pax8", [reading(f"customer-{number}") for number in range(450)], NOW)

    assert tables.round_trips <= 6
    assert len(store.of("pax8")) == 450
    assert store.of("pax8")["customer-7"] == reading("customer-7")
    assert store.of("huntress") == {}


def add(sku: str):
    def change(standing: Pushed) -> Pushed:
        return replace(standing, counts={**standing.counts, sku: PushedCount(sku, Decimal(1), NOW)})

    return change


def test_two_who_push_at_once_both_stand(tables: InMemoryTables) -> None:
    store, other = PushStore(tables), PushStore(tables)
    came_between: list[str] = []

    def between(moment: str, operation: str, table: str) -> None:
        if moment == "before" and operation in ("insert", "replace") and len(came_between) < 2:
            came_between.append(operation)
            other.update("pushed:rmm", "alder", add(f"other-{len(came_between)}"))

    tables.fault = between
    store.update("pushed:rmm", "alder", add("ours"))

    standing = store.get("pushed:rmm", "ALDER")
    assert standing is not None
    assert set(standing.counts) >= {"ours", "other-1", "other-2"}


def test_somebody_who_never_lets_us_write_is_told_of(tables: InMemoryTables) -> None:
    store, other = PushStore(tables), PushStore(tables)
    depth = [0]

    def between(moment: str, operation: str, table: str) -> None:
        if moment == "before" and operation in ("insert", "replace") and depth[0] == 0:
            depth[0] = 1
            number = len(tables.rows("Pushed", "pushed:rmm")) + tables.round_trips
            other.update("pushed:rmm", "alder", add(f"other-{number}"))
            depth[0] = 0

    tables.fault = between
    with pytest.raises(Changed, match="faster than it can be written"):
        store.update("pushed:rmm", "alder", add("ours"))


def test_nothing_is_written_when_nothing_changes(tables: InMemoryTables) -> None:
    store = PushStore(tables)
    store.update("pushed:rmm", "alder", lambda standing: standing)

    assert store.get("pushed:rmm", "alder") is None
    assert store.all("pushed:rmm") == []
