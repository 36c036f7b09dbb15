"""Huntress: what is told is counted, what is not told is unknown, and the pace that Huntress allows is kept."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from shared.billing.counts import FailureKind, ReadFailure, Reading, Scope, VendorInvoice
from shared.errors import Incomplete
from shared.http.wire import Answer
from shared.sources.huntress.pace import MOST_REQUESTS, ROOM_SECONDS, WINDOW_SECONDS, PacedWire
from tests.unit.fake_vendors import SECRET, Call, FakeWire, Hours, huntress, huntress_row, huntress_source

DAY = date(2026, 11, 21)


def read(row: dict[str, object]) -> Reading | ReadFailure:
    source, _ = huntress_source(huntress(row))
    return source.read("4101", DAY)


def counted(reading: Reading | ReadFailure | None) -> dict[str, Decimal]:
    assert isinstance(reading, Reading)
    return {count.sku: count.purchased for count in reading.counts}


def test_every_product_that_is_told_is_counted_and_nothing_is_a_level() -> None:
    reading = read(huntress_row(agents_count=12, billable_identity_count=9, sat_learner_count=8, logs_sources_count=2))
    assert counted(reading) == {"edr": 12, "itdr": 9, "sat": 8, "siem": 2}
    assert isinstance(reading, Reading)
    assert reading.scope == Scope(frozenset({"edr", "itdr", "sat", "siem"}))
    assert not any(count.level for count in reading.counts)


def test_a_count_that_is_missing_or_null_is_unknown_and_one_of_zero_is_zero() -> None:
    reading = read(huntress_row(agents_count=12, billable_identity_count=None, logs_sources_count=0))
    assert counted(reading) == {"edr": 12}
    assert isinstance(reading, Reading)
    assert [reading.scope.covers(sku) for sku in ("edr", "itdr", "sat", "siem")] == [True, False, False, True]


def test_identities_are_read_under_their_older_name_only_where_the_present_one_is_missing() -> None:
    assert counted(read(huntress_row(microsoft_365_users_count=7))) == {"itdr": 7}
    assert counted(read(huntress_row(billable_identity_count=0, microsoft_365_users_count=7))) == {}


@pytest.mark.parametrize("value", [-1, 3.5, 1e30, "12", True, [], {}], ids=str)
def test_a_count_that_is_no_count_is_a_failure_of_its_organization_alone(value: object) -> None:
    source, _ = huntress_source(huntress(huntress_row(agents_count=value), huntress_row(4102, agents_count=3)))
    fleet = source.read_fleet(DAY, {})
    broken = fleet["4101"]
    assert isinstance(broken, ReadFailure)
    assert broken.kind is FailureKind.READ_FAILED
    assert counted(fleet["4102"]) == {"edr": 3}


def test_an_organization_that_tells_of_no_product_is_a_failure() -> None:
    assert isinstance(read(huntress_row(incident_reports_count=0)), ReadFailure)


def test_the_fleet_is_one_call_and_says_what_a_single_read_says() -> None:
    rows = [huntress_row(4101), huntress_row(4102, agents_count=3)]
    source, wire = huntress_source(huntress(*rows))
    fleet = source.read_fleet(DAY, {})
    assert [call.path for call in wire.calls] == ["/v1/organizations"]
    assert wire.calls[0].query == {"limit": "500", "sort_field": "id", "sort_direction": "asc"}
    assert fleet == {number: source.read(number, DAY) for number in ("4101", "4102")}


def test_an_organization_that_is_gone_is_said_to_be_gone() -> None:
    source, _ = huntress_source(huntress(huntress_row(4101)))
    for customer in ("4199", "Alder Dental", ""):
        failure = source.read(customer, DAY)
        assert isinstance(failure, ReadFailure)
        assert failure.kind is FailureKind.CUSTOMER_GONE
        assert failure.customer == customer
    assert "4199" not in source.read_fleet(DAY, {})


def test_an_answer_about_somebody_else_is_a_failure() -> None:
    source, _ = huntress_source(lambda _: {"organization": huntress_row(4102)})
    assert isinstance(source.read("4101", DAY), ReadFailure)


def test_customers_come_by_name_with_the_key_that_agents_are_installed_with() -> None:
    rows = [huntress_row(4102) | {"name": "alder"}, huntress_row(4101) | {"name": "Zell", "key": ""}]
    customers = huntress_source(huntress(*rows))[0].customers()
    assert [(item.id, item.name, item.reference) for item in customers] == [
        ("4102", "alder", "org-4102"),
        ("4101", "Zell", None),
    ]


def invoice(number: int, day: str, status: str = "paid", **values: object) -> dict[str, object]:
    return {"id": number, "status": status, "has_usage": True, "created_at": f"{day}T03:12:40Z", **values}


@pytest.mark.parametrize(
    ("listed", "newest"),
    [
        ([], None),
        ([invoice(2, "2026-11-15"), invoice(1, "2026-10-15")], VendorInvoice("2", date(2026, 11, 15))),
        ([invoice(3, "2026-11-16", "draft"), invoice(2, "2026-11-15", "Voided"), invoice(1, "2026-10-15", "open")], 1),
        ([invoice(3, "2026-11-16", has_usage=False), {**invoice(2, "2026-11-15"), "has_usage": None}], 2),
    ],
    ids=["none", "the newest", "drafts and voided ones are none", "none without usage"],
)
def test_the_newest_invoice_is_the_newest_that_counts(listed: list[object], newest: VendorInvoice | int | None) -> None:
    source, wire = huntress_source(lambda _: {"invoices": listed, "pagination": {}})
    found = source.newest_invoice()
    assert found == newest if not isinstance(newest, int) else found is not None and found.id == str(newest)
    assert [call.path for call in wire.calls] == ["/v1/invoices"]


@pytest.mark.parametrize("listed", [None, [{"id": 1}], [invoice(1, "soon")]], ids=["no list", "no status", "no date"])
def test_a_list_of_invoices_that_cannot_be_understood_is_an_error(listed: object) -> None:
    with pytest.raises(Incomplete):
        huntress_source(lambda _: {"invoices": listed})[0].newest_invoice()


def test_the_tenant_that_an_organization_names_is_a_hint_under_either_name() -> None:
    rows = [
        huntress_row(4101) | {"identity_provider_tenant_id": "t-1"},
        huntress_row(4102) | {"microsoft_365_tenant_id": "t-2"},
        huntress_row(4103),
    ]
    assert [item.tenant for item in huntress_source(huntress(*rows))[0].customers()] == ["t-1", "t-2", None]


def page(number: int, **pagination: object) -> dict[str, object]:
    return {"organizations": [huntress_row(number)], "pagination": pagination}


ELSEWHERE = "https://elsewhere.example/v1/organizations?page_token=two"


@pytest.mark.parametrize(
    ("first", "asked"),
    [
        ({"next_page_token": "two", "next_page_url": ELSEWHERE}, {"page_token": "two"}),
        ({"current_page": 1, "next_page": 2, "next_page_url": ELSEWHERE}, {"page": "2"}),
    ],
    ids=["token", "number"],
)
def test_pages_of_both_styles_are_followed_and_never_to_another_address(
    first: dict[str, object], asked: dict[str, str]
) -> None:
    pages = iter([page(4101, **first), page(4102, next_page_token=None)])
    source, wire = huntress_source(lambda _: next(pages))
    assert list(source.read_fleet(DAY, {})) == ["4101", "4102"]
    assert asked.items() <= wire.calls[1].query.items()
    assert {call.path for call in wire.calls} == {"/v1/organizations"}


@pytest.mark.parametrize(
    "body",
    [
        {"organizations": [huntress_row()]},
        page(4101, next_page_url=ELSEWHERE),
        page(4101, next_page_token=7),
        page(4101, next_page="two"),
    ],
    ids=["no pagination", "an address only", "a token that is none", "a number that is none"],
)
def test_a_list_that_does_not_say_how_it_goes_on_is_incomplete(body: dict[str, object]) -> None:
    source, _ = huntress_source(lambda _: body)
    with pytest.raises(Incomplete):
        source.read_fleet(DAY, {})


def test_pages_that_shift_or_never_end_are_incomplete() -> None:
    source, wire = huntress_source(lambda _: page(4101, next_page_token="again"))
    with pytest.raises(Incomplete, match="twice"):
        source.customers()
    assert len(wire.calls) == 2
    empty = {"organizations": [], "pagination": {"next_page_token": "again"}}
    source, wire = huntress_source(lambda _: empty)
    with pytest.raises(Incomplete, match="do not end"):
        source.read_fleet(DAY, {})
    assert len(wire.calls) == 100


def test_the_key_pair_is_sent_as_basic_and_never_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    source, wire = huntress_source(lambda _: Answer(401, {}, f"{SECRET} is wrong"))
    problems = source.check()
    assert wire.calls[0].headers["Authorization"] == "Basic cHVibGljOmh1c2gtaHVzaA=="
    assert len(problems) == 1
    assert "HUNTRESS_PRIVATE_KEY" in problems[0]
    assert SECRET not in caplog.text + problems[0]


def test_not_more_than_sixty_requests_leave_in_any_minute_and_none_is_lost() -> None:
    hours = Hours()
    departures: list[float] = []

    def answer(_: Call) -> object:
        departures.append(hours.now)
        hours.now += 0.25
        return {}

    wire = PacedWire(FakeWire(answer), hours.clock, hours.sleep)
    for _ in range(3 * MOST_REQUESTS):
        wire.send("GET", "https://huntress.example/v1/account", headers={}, body=None, timeout=1)
    assert len(departures) == 3 * MOST_REQUESTS
    for first, next_window in zip(departures, departures[MOST_REQUESTS:], strict=False):
        assert next_window - first >= WINDOW_SECONDS
    assert sum(hours.slept) < 3 * WINDOW_SECONDS


def test_a_window_filled_by_other_clients_is_waited_for() -> None:
    answers = iter([Answer(429, {}, "{}"), Answer(429, {"Retry-After": "5"}, "{}")])
    hours = Hours()
    source, wire = huntress_source(lambda call: next(answers, None) or huntress(huntress_row())(call), hours)
    assert isinstance(source.read("4101", DAY), Reading)
    assert len(wire.calls) == 3
    assert hours.slept == [ROOM_SECONDS, 5]
