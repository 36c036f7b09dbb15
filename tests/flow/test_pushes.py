"""Counts that are pushed: who may, what is taken, and that only fresh ones are billed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import azure.functions as func
import pytest

from functions import counts
from shared.billing.rules import CompanyLink, CompanyRules, Mode, SkuPolicy
from shared.sources.pushed import PushedSource
from shared.state.records import Outcome
from tests import builders as b
from tests.fakes.house import START, House

KEY = "key-of-the-rmm-0123456789"
SOURCE = "pushed:rmm"
AGE = timedelta(hours=26)
NOW = START.isoformat()


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> House:
    """A company that is billed for workstations as somebody pushes them."""
    house = House()
    source = PushedSource("rmm", house.ports.pushes, house.clock.business_now, AGE)
    keys = {"rmm": (KEY, "its-successor-0123456789"), "phones": ("key-of-the-phones-0123456789",)}
    house.ports = replace(house.ports, sources={source.name: source}, push_keys=keys, push_age=AGE)
    house.rules(b.rules(b.profile(id="ws"), policies=[SkuPolicy(SOURCE, "workstation", "ws")]))
    house.manage.agreements_[1250] = b.agreement(1250, company_id=250)
    links = (CompanyLink(SOURCE, "Alder-Dental"),)
    house.ports.companies.put_rules(CompanyRules(250, "Alder Dental", Mode.AUTO, links))
    monkeypatch.setattr(counts, "ports", lambda: house.ports)
    return house


@pytest.fixture(scope="module")
def handlers() -> dict[str, Callable[[func.HttpRequest], func.HttpResponse]]:
    """What the platform calls, by function name. An app of its own: one can be indexed only once."""
    app = func.FunctionApp()
    app.register_functions(counts.blueprint)
    return {item.get_function_name(): item.get_user_function() for item in app.get_functions()}


@pytest.fixture
def put(house: House, handlers: dict[str, Callable[[func.HttpRequest], func.HttpResponse]]) -> Callable[..., tuple]:
    def send(
        body: object,
        *,
        source: str = "rmm",
        customer: str | None = "alder-dental",
        secret: str = KEY,
        kind: str = "application/json",
        **query: str,
    ) -> tuple[int, dict]:
        route = {"source": source} | ({"customer": customer} if customer is not None else {})
        request = func.HttpRequest(
            "PUT",
            "/api/counts",
            headers={"X-TrueUp-Key": secret, "Content-Type": kind},
            params=query,
            route_params=route,
            body=body.encode() if isinstance(body, str) else json.dumps(body).encode(),
        )
        answered = handlers["push_counts" if customer is not None else "push_file"](request)
        return answered.status_code, json.loads(answered.get_body())

    return send


def push(*, key: str = "k1", at: str = NOW, complete: bool = False, **quantities: float) -> dict:
    told = [{"sku": sku, "quantity": quantity} for sku, quantity in quantities.items()]
    return {"key": key, "at": at, "counts": told, "complete": complete}


def billed(house: House) -> list[Decimal]:
    """What stands on the agreement from now on."""
    return [line.quantity for line in house.manage.lines.values() if line.cancelled_date is None]


def stands(house: House) -> dict[str, Decimal]:
    pushed = house.ports.pushes.get(SOURCE, "alder-dental")
    return {} if pushed is None else {sku: count.quantity for sku, count in pushed.counts.items()}


# What is billed


def test_a_pushed_count_is_billed_and_the_second_night_writes_nothing(house: House, put: Callable[..., tuple]) -> None:
    assert put(push(workstation=42)) == (
        200,
        {"source": "rmm", "customer": "alder-dental", "stored": 1, "older": 0, "repeated": False},
    )

    assert house.sync(250).report.outcome is Outcome.APPLIED
    assert billed(house) == [42]
    writes = house.manage.writes
    assert house.sync(250).report.outcome is Outcome.UNCHANGED
    assert house.manage.writes == writes


def test_a_push_that_is_too_old_changes_nothing_and_says_so(house: House, put: Callable[..., tuple]) -> None:
    put(push(workstation=42))
    house.sync(250)
    before = house.manage.said()
    house.clock.pass_by(hours=27)

    outcome = house.sync(250).report

    assert outcome.outcome is Outcome.FAILED
    assert "more than 26 hours old" in outcome.note
    assert house.manage.said() == before
    assert "read-failed" in house.kinds(250)


def test_a_sku_that_a_partial_push_does_not_speak_of_keeps_its_line(house: House, put: Callable[..., tuple]) -> None:
    put(push(workstation=42))
    house.sync(250)
    house.clock.pass_by(hours=27)
    put(push(key="k2", at=house.clock.now().isoformat(), server=3))

    house.sync(250)

    assert billed(house) == [42]


def test_a_partial_push_is_billed_whatever_the_case_of_its_sku(house: House, put: Callable[..., tuple]) -> None:
    put(push(WorkStation=42))

    assert house.sync(250).report.outcome is Outcome.APPLIED
    assert billed(house) == [42]


def test_a_complete_push_without_a_sku_ends_its_line(house: House, put: Callable[..., tuple]) -> None:
    put(push(workstation=2))
    house.sync(250)
    house.clock.pass_by(hours=1)
    put(push(key="k2", at=house.clock.now().isoformat(), complete=True, server=3))

    plan = house.sync(250).plan

    assert plan is not None
    assert any("workstation" in group.bill_item for group in plan.groups)


# What is taken


def test_the_same_push_again_changes_nothing(house: House, put: Callable[..., tuple]) -> None:
    put(push(workstation=42))
    put(push(key="k2", at="2026-11-21T02:05:00Z", workstation=43))

    status, answered = put(push(workstation=42))

    assert (status, answered["repeated"], answered["stored"]) == (200, True, 0)
    assert stands(house) == {"workstation": 43}


@pytest.mark.parametrize("again", [push(workstation=7), push(at="2026-11-21T01:00:00+00:00", workstation=42)])
def test_a_key_with_another_content_is_refused(house: House, put: Callable[..., tuple], again: dict) -> None:
    put(push(workstation=42))

    status, answered = put(again)

    assert status == 400
    assert "key was used before" in answered["error"]
    assert stands(house) == {"workstation": 42}


def test_a_push_that_begins_with_the_mark_of_utf_8_is_taken(house: House, put: Callable[..., tuple]) -> None:
    assert put("\ufeff" + json.dumps(push(workstation=42)))[0] == 200
    assert stands(house) == {"workstation": 42}


def test_a_number_written_otherwise_is_the_same_push(house: House, put: Callable[..., tuple]) -> None:
    put('{"key": "k", "at": "2026-11-21T02:00:00Z", "counts": [{"sku": "gb", "quantity": 1.50}]}')

    _, answered = put('{"key": "k", "at": "2026-11-21T03:00:00+01:00", "counts": [{"sku": " GB ", "quantity": "1.5"}]}')

    assert answered["repeated"] is True
    assert stands(house) == {"gb": Decimal("1.5")}


def test_a_push_that_arrives_late_does_not_replace_a_newer_one(house: House, put: Callable[..., tuple]) -> None:
    put(push(workstation=43))

    status, answered = put(push(key="k2", at="2026-11-21T01:00:00Z", workstation=42, server=1))

    assert (status, answered["stored"], answered["older"]) == (200, 1, 1)
    assert stands(house) == {"workstation": 43, "server": 1}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("", "the body"),
        ("[]", "the body"),
        ('{"key": "k", "at": "2026-11-21T02:00:00Z"}', "counts: Field required"),
        (push(), "the push says nothing"),
        (push(workstation=-1), "counts.0.quantity"),
        (push(workstation=0.1234567), "counts.0.quantity"),
        ('{"key": "k", "at": "2026-11-21T02:00:00Z", "counts": [{"sku": "a", "quantity": NaN}]}', "quantity"),
        ('{"key": "k", "at": "2026-11-21T02:00:00Z", "counts": [{"sku": "", "quantity": 1}]}', "counts.0.sku"),
        ('{"key": "k", "at": "2026-11-21T02:00:00Z", "counts": [{"sku": "a", "quantity": null}]}', "quantity"),
        (push(workstation=1, Workstation=2), "comes twice"),
        (push(at="2026-11-21T02:00:00", workstation=1), "at:"),
        (push(at="yesterday", workstation=1), "at:"),
        (push(at="0001-01-01T00:00:00+14:00", workstation=1), "at:"),
        (push(at="2026-11-21T02:11:00Z", workstation=1), "lies in the future"),
        (push(at="2026-11-19T23:59:00Z", workstation=1), "more than 26 hours old"),
        ({**push(workstation=1), "extra": 1}, "extra"),
        ({**push(workstation=1), "key": ""}, "key"),
        ("x" * 1_000_001, "more than 1,000,000 bytes"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_taken(
    house: House, put: Callable[..., tuple], body: object, said: str
) -> None:
    status, answered = put(body)

    assert status == 400
    assert said in answered["error"]
    assert answered["remedy"]
    assert stands(house) == {}


def test_two_pushes_of_one_time_that_contradict_each_other_are_refused(house: House, put: Callable[..., tuple]) -> None:
    put(push(workstation=42))

    status, answered = put(push(key="k2", workstation=41))

    assert status == 400
    assert "same time" in answered["error"]
    assert stands(house) == {"workstation": 42}


# Who may


@pytest.mark.parametrize(
    ("source", "key", "status"),
    [
        ("rmm", KEY, 200),
        ("rmm", "its-successor-0123456789", 200),
        ("rmm", "key-of-the-phones-0123456789", 401),
        ("rmm", KEY + "0", 401),
        ("rmm", "", 401),
        ("nobody", "", 401),
        ("nobody", KEY, 401),
        ("pushed:rmm", KEY, 401),
    ],
)
def test_each_source_has_keys_of_its_own(
    house: House, put: Callable[..., tuple], caplog: pytest.LogCaptureFixture, source: str, key: str, status: int
) -> None:
    answered, body = put(push(workstation=1), source=source, secret=key)

    assert answered == status
    assert bool(stands(house)) is (status == 200)
    assert KEY not in caplog.text + json.dumps(body) + repr(house.ports)


# Files

HEAD = {"key": "k1", "at": NOW}


@pytest.mark.parametrize("separator", [",", ";"])
def test_a_file_for_one_customer_means_the_same_as_json(
    house: House, put: Callable[..., tuple], separator: str
) -> None:
    text = "\ufeffSKU,Quantity,Name,assigned\r\nworkstation,42,Workstations,40\r\n\r\ngb,1.50,,\r\n"

    status, answered = put(text.replace(",", separator), kind="text/csv; charset=utf-8", complete="true", **HEAD)

    assert (status, answered["stored"]) == (200, 2)
    assert stands(house) == {"workstation": 42, "gb": Decimal("1.5")}
    counts = [{"sku": "gb", "quantity": 1.5}, {"sku": "workstation", "quantity": 42, "assigned": 40}]
    _, repeated = put({**HEAD, "counts": counts, "complete": True})
    assert repeated["repeated"] is True


def test_a_file_for_several_customers_is_taken_for_each(house: House, put: Callable[..., tuple]) -> None:
    text = "customer,sku,quantity\nAlder-Dental,workstation,42\nbirch,workstation,7\nalder-dental,server,3\n"

    status, answered = put(text, customer=None, kind="text/csv", complete="true", **HEAD)

    assert status == 200
    assert {name: told["stored"] for name, told in answered["customers"].items()} == {"Alder-Dental": 2, "birch": 1}
    assert stands(house) == {"workstation": 42, "server": 3}
    assert {each.id for each in house.ports.sources[SOURCE].customers()} == {"Alder-Dental", "birch"}


def test_a_file_in_which_one_customer_contradicts_what_stands_is_taken_for_none(
    house: House, put: Callable[..., tuple]
) -> None:
    assert put(push(workstation=5), customer="birch")[0] == 200
    rows = "customer,sku,quantity\nalder-dental,workstation,42\nbirch,workstation,6\n"

    status, answered = put(rows, customer=None, kind="text/csv", **HEAD)

    assert (status, "'birch' was not taken" in answered["error"], stands(house)) == (400, True, {})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "column sku is missing"),
        ("sku,qty\nworkstation,4\n", "the column quantity is missing; there is a column 'qty'"),
        ("sku,quantity\nworkstation,4\nserver,three\nlaptop,-1\n", "line 3: quantity"),
        ("sku,quantity\nworkstation,4\nserver,three\nlaptop,-1\n", "line 4: quantity"),
        ("sku,quantity\nworkstation,4,5\n", "line 2: more cells than columns"),
        ("sku,quantity\nworkstation\n", "line 2: quantity: Field required"),
        ('sku,quantity\n"workstation,4\n', "this is no CSV"),
        ("sku,quantity\na,1\nA,2\n", "comes twice"),
        ("sku,quantity\n", "the push says nothing"),
        ("sku,quantity,Quantity\na,1,2\n", "the column quantity comes twice"),
    ],
)
def test_a_file_with_a_mistake_is_refused_whole_with_its_line(
    house: House, put: Callable[..., tuple], text: str, said: str
) -> None:
    status, answered = put(text, kind="text/csv", **HEAD)

    assert status == 400
    assert said in answered["error"]
    assert stands(house) == {}


@pytest.mark.parametrize("query", [{}, {"key": "k"}, {"at": NOW}, HEAD | {"complete": "maybe"}, HEAD | {"code": "x"}])
def test_a_file_needs_its_key_and_time_in_the_address(
    house: House, put: Callable[..., tuple], query: dict[str, str]
) -> None:
    assert put("sku,quantity\na,1\n", kind="text/csv", **query)[0] == 400
    assert stands(house) == {}


def test_several_customers_come_as_a_file_only(house: House, put: Callable[..., tuple]) -> None:
    assert put(push(workstation=1), customer=None)[0] == 400
    assert put("customer,sku,quantity\n", customer=None, kind="text/csv", **HEAD)[0] == 400
    assert put("customer,sku,quantity\na,b,1\n", customer=None, kind="text/csv", secret="no", **HEAD)[0] == 401
