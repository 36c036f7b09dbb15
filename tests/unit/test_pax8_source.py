"""What Pax8 tells becomes counts with the vendor's own days, prices and terms, or a failure; never a wrong number."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from local.sandbox.pax8.api import Ask, Pax8
from local.sandbox.pax8.world import ONBOARDING, Company, Pax8World, Subscription, Version, changed
from shared.billing.counting.quantities import quantity_of
from shared.billing.counts import Count, FailureKind, Money, ReadFailure, Reading, SubscriptionStatus
from shared.billing.profiles import QuantityRule
from shared.errors import Incomplete, Retryable
from shared.http.wire import Answer
from tests.unit import fake_pax8
from tests.unit.fake_pax8 import COPPERKEY, LARKMAIL, VAULTLINE, FakeWire, alder, source

DAY = date(2026, 11, 21)
NOW = datetime(2026, 11, 21, 2, tzinfo=UTC)
LARK = f"{LARKMAIL.id}:monthly"


@pytest.fixture
def world() -> Pax8World:
    return fake_pax8.world()


@pytest.fixture
def company(world: Pax8World) -> Company:
    return alder(world)


@pytest.fixture
def wire(world: Pax8World) -> FakeWire:
    return FakeWire(Pax8(world))


def read(wire: FakeWire, company: Company, day: date = DAY, **settings: object) -> Reading | ReadFailure:
    return source(wire, **settings).read(company.id, day)


def count(reading: Reading | ReadFailure, sku: str = LARK) -> Count:
    assert isinstance(reading, Reading), reading
    return next(each for each in reading.counts if each.sku == sku)


def lark(world: Pax8World, company: Company) -> Subscription:
    return world.of(company.id, LARKMAIL.id)[0]


def on(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 18, 30, tzinfo=UTC)


def test_a_sku_is_a_product_with_its_term_and_has_cost_and_price_by_period(wire: FakeWire, company: Company) -> None:
    reading = read(wire, company)

    monthly, annual = count(reading), count(reading, f"{COPPERKEY.id}:annual")
    assert (monthly.purchased, monthly.name) == (10, "Larkmail Security, Monthly")
    assert monthly.cost == Money(Decimal("2.1"), "month", "USD")
    assert monthly.retail == Money(Decimal("3.5"), "month", "USD")
    assert (annual.purchased, annual.cost, annual.retail) == (
        4,
        Money(Decimal(30), "year", "USD"),
        Money(Decimal(48), "year", "USD"),
    )
    assert annual.subscriptions is not None
    assert annual.subscriptions[0].committed_until == date(2027, 2, 28)


def test_subscriptions_of_one_sku_are_summed_and_told_apart(wire: FakeWire, world: Pax8World, company: Company) -> None:
    world.buy(company, LARKMAIL, 7, date(2026, 2, 1))

    summed = count(read(wire, company))

    assert summed.purchased == 17
    assert sorted(item.quantity for item in summed.subscriptions or ()) == [7, 10]


def test_a_cost_that_differs_between_subscriptions_is_not_told(
    wire: FakeWire, world: Pax8World, company: Company
) -> None:
    dearer = type(LARKMAIL)(LARKMAIL.id, LARKMAIL.name, LARKMAIL.vendor, LARKMAIL.term, 2.5, LARKMAIL.price)
    world.buy(company, dearer, 7, date(2026, 2, 1))

    summed = count(read(wire, company))

    assert summed.cost is None
    assert summed.retail == Money(Decimal("3.5"), "month", "USD")


# Which subscriptions count


@pytest.mark.parametrize(
    ("status", "counts"),
    [
        ("Active", True),
        ("Converted", True),
        ("PendingManual", True),
        ("PendingAutomated", True),
        ("PendingCancel", True),
        ("WaitingForDetails", False),
        ("PendingActivation", False),
        ("Activated", False),
    ],
)
def test_a_subscription_counts_while_pax8_charges_for_it(
    wire: FakeWire, world: Pax8World, company: Company, status: str, counts: bool
) -> None:
    item = lark(world, company)
    item.versions[-1] = Version(10, status, item.now.start, item.now.updated)

    found = count(read(wire, company))

    assert found.purchased == (10 if counts else 0)
    assert found.subscriptions is not None
    assert (found.subscriptions[0].status is SubscriptionStatus.ENABLED) is counts


def test_the_msp_says_which_statuses_count(wire: FakeWire, world: Pax8World, company: Company) -> None:
    changed(lark(world, company), 10, "PendingManual", date(2026, 11, 1), NOW)

    assert count(read(wire, company, billable=frozenset({"active"}))).purchased == 0
    assert count(read(wire, company, billable=frozenset({"active", "pendingmanual"}))).purchased == 10


def test_a_trial_is_a_sku_of_its_own_and_marked(wire: FakeWire, world: Pax8World, company: Company) -> None:
    world.buy(company, VAULTLINE, 5, date(2026, 10, 1), "Trial")

    trial = count(read(wire, company), f"{VAULTLINE.id}:trial")

    assert trial.subscriptions is not None
    assert [item.trial for item in trial.subscriptions] == [True]
    assert (trial.cost, trial.changed) == (None, ())


def test_a_profile_may_leave_out_what_is_still_being_provisioned(
    wire: FakeWire, world: Pax8World, company: Company
) -> None:
    world.buy(company, LARKMAIL, 3, date(2026, 10, 1), "PendingManual")
    counted = count(read(wire, company))
    assert quantity_of([counted], QuantityRule()) == 13
    assert quantity_of([counted], QuantityRule(without_statuses=("pendingmanual", "pendingautomated"))) == 10


@pytest.mark.parametrize("term", ["One-Time", "One time", "Activation"])
def test_what_is_bought_once_is_no_count_though_it_stays_active(
    wire: FakeWire, world: Pax8World, company: Company, term: str
) -> None:
    world.buy(company, replace(ONBOARDING, term=term), 3, date(2026, 11, 2))

    reading = read(wire, company)

    assert isinstance(reading, Reading)
    assert [each.sku for each in reading.counts] == sorted([LARK, f"{COPPERKEY.id}:annual"])
    assert wire.calls_to("/history") == 0
    assert source(wire).read_fleet(DAY, {}) == {company.id: reading}


def test_a_term_is_the_same_in_every_spelling(wire: FakeWire, world: Pax8World, company: Company) -> None:
    for term in ("2-Year", "2 Year"):
        world.buy(company, replace(VAULTLINE, term=term), 5, date(2026, 10, 1))

    told = count(read(wire, company), f"{VAULTLINE.id}:2-year")

    assert (told.purchased, told.cost is not None and told.cost.period) == (10, "term")


def test_a_subscription_ends_with_its_end_date(wire: FakeWire, world: Pax8World, company: Company) -> None:
    item = lark(world, company)
    item.end = on(DAY)

    assert count(read(wire, company, DAY)).purchased == 10
    assert count(read(wire, company, DAY + timedelta(days=1))).purchased == 0


def test_a_subscription_that_begins_later_does_not_count_yet(
    wire: FakeWire, world: Pax8World, company: Company
) -> None:
    world.buy(company, VAULTLINE, 5, DAY + timedelta(days=3))
    sku = f"{VAULTLINE.id}:monthly"

    assert count(read(wire, company, DAY), sku).purchased == 0
    assert count(read(wire, company, DAY + timedelta(days=3)), sku).purchased == 5


def test_a_status_that_nobody_knows_is_a_failure_not_a_zero(wire: FakeWire, world: Pax8World, company: Company) -> None:
    changed(lark(world, company), 10, "Hibernating", date(2026, 11, 1), NOW)

    failure = read(wire, company)

    assert isinstance(failure, ReadFailure)
    assert "status" in failure.reason
    assert "Hibernating" not in failure.reason


# Days of change


def test_several_increases_in_a_month_each_keep_their_own_day(
    wire: FakeWire, world: Pax8World, company: Company
) -> None:
    item = lark(world, company)
    changed(item, 12, "Active", date(2026, 11, 3), on(date(2026, 11, 3)))
    changed(item, 13, "Active", date(2026, 11, 17), on(date(2026, 11, 17)))
    changed(item, 15, "Active", date(2026, 11, 17), on(date(2026, 11, 17)))

    found = count(read(wire, company))

    assert found.purchased == 15
    assert found.changed == ((date(2026, 11, 3), Decimal(12)), (date(2026, 11, 17), Decimal(15)))


def test_the_days_of_several_subscriptions_add_up_to_those_of_the_count(
    wire: FakeWire, world: Pax8World, company: Company
) -> None:
    changed(lark(world, company), 8, "Active", date(2026, 11, 10), on(date(2026, 11, 10)))
    world.buy(company, LARKMAIL, 5, date(2026, 11, 12))

    found = count(read(wire, company))

    assert found.changed == ((date(2026, 11, 10), Decimal(8)), (date(2026, 11, 12), Decimal(13)))


def test_one_subscription_that_takes_the_place_of_another_is_no_increase_beyond_it(
    wire: FakeWire, world: Pax8World, company: Company
) -> None:
    old = lark(world, company)
    changed(old, 10, "Cancelled", date(2026, 11, 9), on(date(2026, 11, 9)))
    world.buy(company, LARKMAIL, 10, date(2026, 11, 10))

    found = count(read(wire, company))

    assert found.purchased == 10
    assert found.changed == ()


def test_what_was_cancelled_ends_the_day_after(wire: FakeWire, world: Pax8World, company: Company) -> None:
    changed(lark(world, company), 10, "Cancelled", date(2026, 11, 9), on(date(2026, 11, 9)))

    found = count(read(wire, company))

    assert found.purchased == 0
    assert found.changed == ((date(2026, 11, 10), Decimal(0)),)


def test_what_was_cancelled_for_the_last_day_that_there_is_is_told_without_days(
    wire: FakeWire, world: Pax8World, company: Company
) -> None:
    item = lark(world, company)
    changed(item, 10, "Cancelled", date(2026, 11, 9), on(date(2026, 11, 9)))
    item.end = on(date.max)

    found = count(read(wire, company))

    assert (found.purchased, found.changed) == (0, ())


def test_what_was_cancelled_long_ago_is_not_told_any_more(wire: FakeWire, world: Pax8World, company: Company) -> None:
    changed(lark(world, company), 10, "Cancelled", date(2026, 8, 9), on(date(2026, 8, 9)))

    reading = read(wire, company)

    assert isinstance(reading, Reading)
    assert [each.sku for each in reading.counts] == [f"{COPPERKEY.id}:annual"]


def test_a_converted_trial_begins_to_count_on_the_day_of_its_conversion(
    wire: FakeWire, world: Pax8World, company: Company
) -> None:
    world.buy(company, VAULTLINE, 6, date(2026, 10, 15), "Trial")
    changed(world.of(company.id, VAULTLINE.id)[0], 6, "Converted", date(2026, 11, 14), on(date(2026, 11, 14)))

    found = count(read(wire, company), f"{VAULTLINE.id}:monthly")

    assert found.changed == ((date(2026, 11, 14), Decimal(6)),)


def test_changes_older_than_sixty_days_are_left_out(wire: FakeWire, world: Pax8World, company: Company) -> None:
    item = lark(world, company)
    changed(item, 12, "Active", date(2026, 9, 1), on(date(2026, 9, 1)))
    changed(item, 14, "Active", date(2026, 11, 2), on(date(2026, 11, 2)))

    assert count(read(wire, company)).changed == ((date(2026, 11, 2), Decimal(14)),)


def test_a_change_that_lies_ahead_is_not_told_before_its_day(
    wire: FakeWire, world: Pax8World, company: Company
) -> None:
    item = lark(world, company)
    changed(item, 12, "Active", date(2026, 11, 2), on(date(2026, 11, 2)))
    ahead = Version(20, "Active", on(date(2026, 11, 30)), on(date(2026, 11, 2)))
    item.versions.insert(-1, ahead)

    found = count(read(wire, company))

    assert (found.purchased, found.changed) == (12, ((date(2026, 11, 2), Decimal(12)),))


def test_a_history_that_contradicts_the_subscription_tells_no_days(
    wire: FakeWire, world: Pax8World, company: Company
) -> None:
    item = lark(world, company)
    changed(item, 12, "Active", date(2026, 11, 2), on(date(2026, 11, 2)))
    item.versions.insert(1, Version(30, "Active", on(date(2026, 11, 12)), on(date(2026, 11, 12))))

    found = count(read(wire, company))

    assert (found.purchased, found.changed) == (12, ())


def test_the_history_of_another_subscription_tells_no_days(world: Pax8World, company: Company) -> None:
    changed(lark(world, company), 12, "Active", date(2026, 11, 2), NOW)
    row = {"id": "00000000-0000-4000-8000-000000000001", "quantity": 12, "startDate": "2026-11-05", "status": "Active"}
    history = Answer(200, {}, json.dumps({"content": [row]}))
    wire = FakeWire(Pax8(world), lambda method, path: history if path.endswith("/history") else None)

    found = count(read(wire, company))

    assert (found.purchased, found.changed) == (12, ())


def test_without_a_history_the_quantity_is_known_and_the_days_are_not(world: Pax8World, company: Company) -> None:
    changed(lark(world, company), 12, "Active", date(2026, 11, 2), NOW)
    wire = FakeWire(Pax8(world), lambda method, path: Answer(404) if path.endswith("/history") else None)

    found = count(read(wire, company))

    assert (found.purchased, found.changed) == (12, ())


def test_a_history_that_cannot_be_read_is_a_failure(world: Pax8World, company: Company) -> None:
    changed(lark(world, company), 12, "Active", date(2026, 11, 2), NOW)
    wire = FakeWire(Pax8(world), lambda method, path: Answer(200, {}, "{}") if path.endswith("/history") else None)

    assert isinstance(read(wire, company), ReadFailure)


def test_only_what_changed_lately_is_asked_for_its_history(wire: FakeWire, world: Pax8World, company: Company) -> None:
    read(wire, company)
    assert wire.calls_to("/history") == 0

    changed(lark(world, company), 12, "Active", date(2026, 11, 2), on(date(2026, 11, 2)))
    read(wire, company)
    assert wire.calls_to("/history") == 1


# Whose reading it is


@pytest.mark.parametrize("linked", ["Alder Dental", "", "../companies", "5f9f1a1e"])
def test_a_link_to_something_that_is_no_company_id_asks_nobody(wire: FakeWire, linked: str) -> None:
    failure = source(wire).read(linked, DAY)

    assert isinstance(failure, ReadFailure)
    assert failure.kind is FailureKind.CUSTOMER_GONE
    assert not wire.calls


def test_an_unknown_or_deleted_company_is_gone_and_not_a_customer_with_nothing(
    wire: FakeWire, world: Pax8World, company: Company
) -> None:
    company.status = "Deleted"
    deleted = read(wire, company)
    del world.companies[company.id]
    unknown = read(wire, company)

    for failure in (deleted, unknown):
        assert isinstance(failure, ReadFailure)
        assert failure.kind is FailureKind.CUSTOMER_GONE


def test_a_subscription_of_somebody_else_in_the_answer_is_a_failure(world: Pax8World, company: Company) -> None:
    other = world.add_company("Birch Legal")
    world.buy(other, LARKMAIL, 99, date(2026, 1, 1))
    everybody = Pax8(world)._subscriptions(Ask("GET", "/subscriptions"))
    body = json.dumps({"content": everybody, "page": {"totalElements": 3, "totalPages": 1, "number": 0}})
    wire = FakeWire(Pax8(world), lambda method, path: Answer(200, {}, body) if path == "/subscriptions" else None)

    failure = read(wire, company)

    assert isinstance(failure, ReadFailure)
    assert "another company" in failure.reason


# Pages


def test_a_list_longer_than_a_page_is_read_whole(wire: FakeWire, world: Pax8World, company: Company) -> None:
    for number in range(450):
        world.buy(company, VAULTLINE, 1, date(2025, 1, 1) + timedelta(days=number % 300))

    assert count(read(wire, company), f"{VAULTLINE.id}:monthly").purchased == 450
    assert wire.calls["/subscriptions"] == 3


@pytest.mark.parametrize("fault", ["short-page", "empty-page", "endless"])
def test_pages_that_do_not_add_up_are_a_failure(wire: FakeWire, company: Company, fault: str) -> None:
    wire.fault = fault

    assert isinstance(read(wire, company), ReadFailure)


def test_a_list_that_grows_while_it_is_read_is_read_again(world: Pax8World, company: Company) -> None:
    for _ in range(250):
        world.buy(company, VAULTLINE, 1, date(2025, 1, 1))
    wire = FakeWire(Pax8(world))

    def grow(method: str, path: str) -> Answer | None:
        if path == "/subscriptions" and wire.calls[path] == 2:
            world.buy(company, VAULTLINE, 1, date(2026, 9, 1))
        return None

    wire.interfere = grow

    assert count(read(wire, company), f"{VAULTLINE.id}:monthly").purchased == 251
    assert wire.calls["/subscriptions"] == 4


def test_a_row_that_comes_twice_in_place_of_another_is_not_counted_for_it(world: Pax8World, company: Company) -> None:
    for _ in range(250):
        world.buy(company, VAULTLINE, 1, date(2025, 1, 1))
    wire = FakeWire(Pax8(world))

    def swap(method: str, path: str) -> Answer | None:
        if path == "/subscriptions" and wire.calls[path] == 2:
            one = next(key for key, item in world.subscriptions.items() if item.product == VAULTLINE)
            world.subscriptions[one] = world.subscriptions.pop(one)
        return None

    wire.interfere = swap

    assert count(read(wire, company), f"{VAULTLINE.id}:monthly").purchased == 250
    assert wire.calls["/subscriptions"] == 4


@pytest.mark.parametrize(
    "page",
    [
        None,
        {"totalElements": 2, "totalPages": 1, "number": 5},
        {"totalElements": 3, "totalPages": 1, "number": 0},
        {"totalElements": "2", "totalPages": 1, "number": 0},
    ],
)
def test_a_page_that_does_not_say_where_it_belongs_is_a_failure(
    world: Pax8World, company: Company, page: object
) -> None:
    wire = FakeWire(Pax8(world))
    rows = [{"id": "a"}, {"id": "b"}]
    body = json.dumps({"content": rows, "page": page} if page is not None else {"content": rows})
    wire.interfere = lambda method, path: Answer(200, {}, body) if path == "/subscriptions" else None

    assert isinstance(read(wire, company), ReadFailure)


# The token, throttling and secrets


def test_one_token_serves_until_shortly_before_it_expires(wire: FakeWire, company: Company) -> None:
    now = [0.0]
    reader = source(wire)
    reader._http._credentials._clock = lambda: now[0]  # type: ignore[attr-defined]

    for now[0] in (0.0, 1000.0, 86_000.0):
        assert isinstance(reader.read(company.id, DAY), Reading)
    assert wire.calls["/token"] == 1

    now[0] = 86_399.0
    assert isinstance(reader.read(company.id, DAY), Reading)
    assert wire.calls["/token"] == 2


def test_a_token_that_was_withdrawn_is_asked_for_again_once(wire: FakeWire, company: Company) -> None:
    reader = source(wire)
    reader.read(company.id, DAY)
    wire.pax8.tokens.clear()

    assert isinstance(reader.read(company.id, DAY), Reading)
    assert wire.calls["/token"] == 2

    wire.interfere = lambda method, path: None if path == "/token" else Answer(401)
    failure = reader.read(company.id, DAY)
    assert isinstance(failure, ReadFailure)
    assert failure.kind is FailureKind.CONSENT_LOST
    assert wire.calls["/token"] == 3


def test_the_secret_travels_in_the_body_of_the_request_for_a_token_only(wire: FakeWire, company: Company) -> None:
    read(wire, company)

    carrying = [url for url, headers, body in wire.sent if fake_pax8.SECRET in f"{url}{headers}{body!r}"]
    assert carrying == [f"{fake_pax8.ADDRESS}/token"]


def test_throttling_is_waited_for_as_long_as_pax8_says(world: Pax8World, company: Company) -> None:
    wire = FakeWire(Pax8(world))
    busy = [Answer(429, {"Retry-After": "7"}), Answer(429)]
    wire.interfere = lambda method, path: busy.pop(0) if path == "/subscriptions" and busy else None
    waited: list[float] = []

    assert isinstance(source(wire, waited).read(company.id, DAY), Reading)
    assert waited[0] == 7
    assert 8 <= waited[1] < 10


def test_throttling_without_an_end_is_a_failure(world: Pax8World, company: Company) -> None:
    wire = FakeWire(Pax8(world), lambda method, path: Answer(429) if path == "/subscriptions" else None)

    failure = read(wire, company)

    assert isinstance(failure, ReadFailure)
    assert "429" in failure.reason
    assert wire.calls["/subscriptions"] == 3


# The fleet


def test_a_fleet_is_two_lists_whatever_the_number_of_companies(wire: FakeWire, world: Pax8World) -> None:
    companies = [world.add_company(f"Customer {number}") for number in range(120)]
    for each in companies:
        world.buy(each, LARKMAIL, 3, date(2026, 1, 1))

    found = source(wire).read_fleet(DAY, {})

    assert len(found) == 120
    assert all(count(reading).purchased == 3 for reading in found.values())
    assert {path: number for path, number in wire.calls.items() if path != "/token"} == {
        "/companies": 1,
        "/subscriptions": 1,
    }


def test_a_fleet_says_the_same_as_each_company_alone(wire: FakeWire, world: Pax8World, company: Company) -> None:
    changed(lark(world, company), 12, "Active", date(2026, 11, 2), on(date(2026, 11, 2)))
    empty = world.add_company("Birch Legal")

    found = source(wire).read_fleet(DAY, {})

    assert found == {each.id: read(wire, each) for each in (company, empty)}


def test_the_next_night_asks_only_for_the_history_of_what_changed_since(
    wire: FakeWire, world: Pax8World, company: Company
) -> None:
    other = world.add_company("Birch Legal")
    world.buy(other, LARKMAIL, 3, date(2026, 11, 1))
    changed(lark(world, company), 12, "Active", date(2026, 11, 2), on(date(2026, 11, 2)))
    reader = source(wire)
    first = reader.read_fleet(DAY, {})
    assert wire.calls_to("/history") == 2
    known = {customer: reading for customer, reading in first.items() if isinstance(reading, Reading)}

    changed(lark(world, company), 14, "Active", DAY, on(DAY))
    second = reader.read_fleet(DAY + timedelta(days=1), known)

    assert wire.calls_to("/history") == 3
    assert count(second[company.id]).changed == ((date(2026, 11, 2), Decimal(12)), (DAY, Decimal(14)))
    assert second == source(wire).read_fleet(DAY + timedelta(days=1), {})


def test_one_company_that_cannot_be_understood_does_not_spoil_the_fleet(
    wire: FakeWire, world: Pax8World, company: Company
) -> None:
    other = world.add_company("Birch Legal")
    world.buy(other, LARKMAIL, 3, date(2026, 1, 1), "Hibernating")

    found = source(wire).read_fleet(DAY, {})

    assert isinstance(found[other.id], ReadFailure)
    assert isinstance(found[company.id], Reading)


def test_a_company_whose_history_does_not_come_in_time_is_left_out(world: Pax8World, company: Company) -> None:
    other = world.add_company("Birch Legal")
    world.buy(other, LARKMAIL, 3, date(2026, 1, 1))
    changed(lark(world, company), 12, "Active", date(2026, 11, 2), NOW)
    wire = FakeWire(Pax8(world), lambda method, path: Answer(503) if path.endswith("/history") else None)

    assert list(source(wire).read_fleet(DAY, {})) == [other.id]


def test_deleted_companies_are_neither_listed_nor_read(wire: FakeWire, world: Pax8World, company: Company) -> None:
    company.status = "Deleted"

    assert source(wire).customers() == []
    assert source(wire).read_fleet(DAY, {}) == {}


def test_a_fleet_whose_list_is_not_whole_is_an_error(wire: FakeWire, company: Company) -> None:
    wire.fault = "short-page"
    with pytest.raises(Incomplete):
        source(wire).read_fleet(DAY, {})

    wire.down = True
    with pytest.raises(Retryable):
        source(wire).read_fleet(DAY, {})


def test_a_customer_comes_with_what_helps_to_find_its_company(wire: FakeWire, company: Company) -> None:
    (customer,) = source(wire).customers()

    assert (customer.id, customer.name, customer.domains, customer.reference) == (
        company.id,
        "Alder Dental",
        ("alder.example",),
        "250",
    )
