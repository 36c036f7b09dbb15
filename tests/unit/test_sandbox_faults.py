"""Faults on demand and the controls beside them, each seen from the outside."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from pydantic import ValidationError

from local.sandbox.calls import CallBook
from local.sandbox.faults import FaultBook
from local.sandbox.running import SandboxThread
from local.sandbox.server import Options
from local.sandbox.systems import SYSTEMS
from local.sandbox.world import Consent

NOW = datetime(2026, 11, 21, 2, tzinfo=UTC)


@pytest.fixture(scope="module")
def thread() -> Iterator[SandboxThread]:
    with SandboxThread(Options(companies=6, seed=7, now=NOW)) as running:
        yield running


@pytest.fixture
def sandbox(thread: SandboxThread) -> Iterator[SandboxThread]:
    yield thread
    control(thread, "PUT", "faults", [])
    control(thread, "DELETE", "calls")


def control(sandbox: SandboxThread, method: str, path: str, body: object = None) -> Any:
    answer = requests.request(method, f"{sandbox.url}/_sandbox/{path}", json=body, timeout=10)
    assert answer.status_code == 200, answer.text
    return answer.json()


def fault(sandbox: SandboxThread, system: str, word: str, **more: object) -> None:
    control(sandbox, "PUT", "faults", [{"system": system, "fault": word, **more}])


def manage(sandbox: SandboxThread, method: str, path: str, body: object = None) -> requests.Response:
    settings = sandbox.settings()
    user = f"{settings['MANAGE_COMPANY']}+{settings['MANAGE_PUBLIC_KEY']}"
    return requests.request(
        method,
        f"{settings['MANAGE_BASE_URL']}/{path}",
        json=body,
        auth=(user, settings["MANAGE_PRIVATE_KEY"]),
        headers={"clientId": settings["MANAGE_CLIENT_ID"]},
        timeout=10,
    )


def token(sandbox: SandboxThread) -> requests.Response:
    form = {
        "grant_type": "client_credentials",
        "client_id": sandbox.msp.client_id,
        "client_secret": sandbox.msp.client_secret,
        "scope": "https://graph.microsoft.com/.default",
    }
    tenant = next(t for t in sandbox.msp.tenants.values() if t.consent is Consent.GRANTED and t.users)
    url = f"{sandbox.tls_url}/{tenant.id}/oauth2/v2.0/token"
    return requests.post(url, data=form, verify=str(sandbox.ca_file), timeout=10)


def graph(sandbox: SandboxThread, path: str, body: object = None) -> requests.Response:
    headers = {"Authorization": f"Bearer {token(sandbox).json()['access_token']}"}
    method = "GET" if body is None else "POST"
    return requests.request(method, f"{sandbox.url}/graph/v1.0{path}", json=body, headers=headers, timeout=10)


def addition_of(sandbox: SandboxThread) -> dict[str, Any]:
    found: dict[str, Any] = control(sandbox, "GET", "additions")["additions"][0]
    return found


def address(addition: dict[str, Any]) -> str:
    return f"finance/agreements/{addition['agreementId']}/additions/{addition['id']}"


def raised(sandbox: SandboxThread, addition: dict[str, Any]) -> requests.Response:
    """Asks Manage to raise the addition's quantity by one."""
    operation = {"op": "replace", "path": "quantity", "value": addition["quantity"] + 1}
    return manage(sandbox, "PATCH", address(addition), [operation])


def quantity_now(sandbox: SandboxThread, addition: dict[str, Any]) -> float:
    return next(
        float(a["quantity"]) for a in control(sandbox, "GET", "additions")["additions"] if a["id"] == addition["id"]
    )


def test_the_same_seed_hits_the_same_requests() -> None:
    def drawn(seed: int) -> list[bool]:
        book = FaultBook(seed)
        book.set([{"system": "manage", "fault": "429", "probability": 0.5}])
        return [bool(book.hits("manage", "GET", "/x")) for _ in range(40)]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
    assert 5 < sum(drawn(1)) < 35


def test_a_counted_fault_happens_that_often_and_only_where_it_fits() -> None:
    book = FaultBook(1)
    book.set([{"system": "manage", "method": "patch", "route": "/additions/{any}", "fault": "no-effect", "count": 2}])
    template = "/finance/agreements/{agreement}/additions/{id}"
    assert book.hits("manage", "GET", template) == []
    assert book.hits("graph", "PATCH", template) == []
    assert book.hits("manage", "PATCH", "/finance/agreements/{id}") == []
    assert [len(book.hits("manage", "PATCH", template)) for _ in range(3)] == [1, 1, 0]


def test_latencies_add_up_beside_one_other_fault() -> None:
    book = FaultBook(1)
    words = ["latency:10", "429", "503-html", "latency:20"]
    book.set([{"system": "manage", "fault": word} for word in words])
    hits = book.hits("manage", "GET", "/x")
    assert [hit.fault for hit in hits] == ["latency:10", "429", "latency:20"]
    assert sum(hit.number for hit in hits if hit.word == "latency") == 30


@pytest.mark.parametrize(
    "rule",
    [
        {"system": "manage", "fault": "gremlins"},
        {"system": "fax", "fault": "429"},
        {"system": "manage", "fault": "latency"},
        {"system": "manage", "fault": "endless:3"},
        {"system": "manage", "fault": "429", "count": 1, "probability": 0.5},
        {"system": "manage", "fault": "429", "often": True},
    ],
)
def test_a_fault_that_is_not_understood_changes_nothing(rule: dict[str, object]) -> None:
    book = FaultBook(1)
    book.set([{"system": "manage", "fault": "429"}])
    with pytest.raises(ValidationError):
        book.set([rule])
    assert [hit.fault for hit in book.hits("manage", "GET", "/x")] == ["429"]


def test_a_misspelt_fault_is_a_400_that_names_the_faults(sandbox: SandboxThread) -> None:
    body = [{"system": "manage", "fault": "gremlins"}]
    answer = requests.put(f"{sandbox.url}/_sandbox/faults", json=body, timeout=10)
    assert answer.status_code == 400
    assert "late-commit" in answer.text


@pytest.mark.parametrize(
    ("word", "status", "retry_after", "kind"),
    [
        ("429", 429, "1", "application/json"),
        ("429:7", 429, "7", "application/json"),
        ("429-no-retry-after", 429, None, "application/json"),
        ("500-timeout", 500, None, "application/json"),
        ("502-html", 502, None, "text/html"),
        ("503-html", 503, None, "text/html"),
    ],
)
def test_refusals_answer_in_place_of_manage(
    sandbox: SandboxThread, word: str, status: int, retry_after: str | None, kind: str
) -> None:
    addition = addition_of(sandbox)
    fault(sandbox, "manage", word, count=1)
    answer = raised(sandbox, addition)
    assert (answer.status_code, answer.headers.get("Retry-After")) == (status, retry_after)
    assert answer.headers["Content-Type"].startswith(kind)
    assert quantity_now(sandbox, addition) == addition["quantity"]
    assert raised(sandbox, addition).status_code == 200
    if word == "500-timeout":
        assert "timeout" in answer.json()["message"].lower()


def test_graph_and_entra_refuse_in_their_own_shape(sandbox: SandboxThread) -> None:
    fault(sandbox, "graph", "429")
    assert graph(sandbox, "/subscribedSkus").json()["error"]["code"] == "TooManyRequests"
    fault(sandbox, "entra", "500-timeout")
    assert token(sandbox).json()["error_codes"] == [90033]


def test_a_reset_before_does_nothing_and_a_reset_after_has_done_it(sandbox: SandboxThread) -> None:
    addition = addition_of(sandbox)
    fault(sandbox, "manage", "reset-before", count=1)
    with pytest.raises(requests.ConnectionError):
        raised(sandbox, addition)
    assert quantity_now(sandbox, addition) == addition["quantity"]
    fault(sandbox, "manage", "reset-after", count=1)
    with pytest.raises(requests.ConnectionError):
        raised(sandbox, addition)
    assert quantity_now(sandbox, addition) == addition["quantity"] + 1


def test_a_late_commit_takes_effect_after_the_connection_is_gone(sandbox: SandboxThread) -> None:
    addition = addition_of(sandbox)
    fault(sandbox, "manage", "late-commit:1", count=1)
    with pytest.raises(requests.ConnectionError):
        raised(sandbox, addition)
    deadline = 2_000
    while quantity_now(sandbox, addition) == addition["quantity"] and deadline:
        deadline -= 1
    assert quantity_now(sandbox, addition) == addition["quantity"] + 1


def test_a_late_commit_has_not_happened_yet_when_the_connection_is_lost(sandbox: SandboxThread) -> None:
    addition = addition_of(sandbox)
    fault(sandbox, "manage", "late-commit:600000", count=1)
    with pytest.raises(requests.ConnectionError):
        raised(sandbox, addition)
    assert quantity_now(sandbox, addition) == addition["quantity"]


def test_no_effect_answers_200_and_changes_nothing(sandbox: SandboxThread) -> None:
    addition = addition_of(sandbox)
    fault(sandbox, "manage", "no-effect", method="PATCH", count=1)
    assert raised(sandbox, addition).status_code == 200
    assert quantity_now(sandbox, addition) == addition["quantity"]


@pytest.mark.parametrize("word", ["truncated", "html-200", "empty-body"])
def test_a_damaged_answer_is_a_success_that_cannot_be_read(sandbox: SandboxThread, word: str) -> None:
    fault(sandbox, "manage", word)
    answer = manage(sandbox, "GET", "company/companies")
    assert answer.status_code == 200
    with pytest.raises(requests.JSONDecodeError):
        answer.json()
    fault(sandbox, "graph", word)
    answer = graph(sandbox, "/subscribedSkus")
    assert answer.status_code == 200
    with pytest.raises(requests.JSONDecodeError):
        answer.json()


def test_wrong_counts_no_longer_add_up_to_the_subscriptions(sandbox: SandboxThread) -> None:
    right = graph(sandbox, "/subscribedSkus").json()["value"]
    fault(sandbox, "graph", "wrong-counts")
    wrong = graph(sandbox, "/subscribedSkus").json()["value"]
    assert [row["skuId"] for row in wrong] == [row["skuId"] for row in right]
    assert all(w["prepaidUnits"]["enabled"] != r["prepaidUnits"]["enabled"] for w, r in zip(wrong, right, strict=True))


@pytest.mark.parametrize("word", ["short-page", "empty-page", "endless"])
def test_pages_of_graph_can_be_short_empty_or_without_end(sandbox: SandboxThread, word: str) -> None:
    everyone = graph(sandbox, "/users?$top=999").json()["value"]
    fault(sandbox, "graph", word, count=1)
    first = graph(sandbox, "/users?$top=2").json()
    second = graph(sandbox, first["@odata.nextLink"].removeprefix(f"{sandbox.url}/graph/v1.0")).json()
    expected = {
        "short-page": (everyone[:1], everyone[1:3]),
        "empty-page": ([], everyone[:2]),
        "endless": (everyone[:2], everyone[:2]),
    }
    assert (first["value"], second["value"]) == expected[word]


def test_one_item_of_a_batch_can_fail_alone(sandbox: SandboxThread) -> None:
    fault(sandbox, "graph", "429", route="/subscribedSkus", count=1)
    items = [{"id": path, "method": "GET", "url": path} for path in ("/subscribedSkus", "/organization")]
    answers = graph(sandbox, "/$batch", {"requests": items}).json()["responses"]
    assert {item["id"]: item["status"] for item in answers} == {"/subscribedSkus": 429, "/organization": 200}
    assert next(item for item in answers if item["status"] == 429)["headers"]["Retry-After"] == "1"


def test_calls_are_counted_by_system_method_and_route_and_controls_are_not(sandbox: SandboxThread) -> None:
    control(sandbox, "DELETE", "calls")
    for addition in control(sandbox, "GET", "additions")["additions"][:3]:
        assert manage(sandbox, "GET", address(addition)).status_code == 200
    graph(sandbox, "/users?$top=5")
    counted = control(sandbox, "GET", "calls")
    calls = {(call["system"], call["method"], call["route"]): call["count"] for call in counted["calls"]}
    assert calls == {
        ("manage", "GET", "/finance/agreements/{agreement}/additions/{id}"): 3,
        ("graph", "GET", "/users"): 1,
        ("entra", "POST", "/{tenant}/oauth2/v2.0/token"): 1,
    }
    assert counted["total"] == dict.fromkeys(SYSTEMS, 0) | {"manage": 3, "graph": 1, "entra": 1}


def test_the_most_calls_in_flight_at_once_are_remembered() -> None:
    book = CallBook()

    async def three_at_once() -> None:
        barrier = asyncio.Barrier(3)

        async def together(_: web.Request) -> web.Response:
            await barrier.wait()
            return web.Response()

        app = web.Application(middlewares=[book.middleware])
        app.add_routes([web.get("/graph/v1.0/users", together)])
        async with TestClient(TestServer(app)) as client:
            answers = await asyncio.gather(*(client.get("/graph/v1.0/users") for _ in range(3)))
            assert [answer.status for answer in answers] == [200, 200, 200]

    asyncio.run(three_at_once())
    assert book.to_json()["in_flight_max"] == dict.fromkeys(SYSTEMS, 0) | {"graph": 3}
    book.clear()
    assert book.to_json()["in_flight_max"] == dict.fromkeys(SYSTEMS, 0)


def test_a_latency_beyond_the_callers_patience_is_a_time_out(sandbox: SandboxThread) -> None:
    fault(sandbox, "manage", "latency:1000", count=1)
    url = f"{sandbox.url}/login/companyinfo/northbeam"
    with pytest.raises(requests.ReadTimeout):
        requests.get(url, timeout=0.1)
    assert requests.get(url, timeout=10).status_code == 200


def test_the_clock_is_read_and_moved(sandbox: SandboxThread) -> None:
    assert control(sandbox, "GET", "clock") == {"now": "2026-11-21T02:00:00Z"}
    assert control(sandbox, "PUT", "clock", {"now": "2026-12-01T02:00:00Z"}) == {"now": "2026-12-01T02:00:00Z"}
    assert control(sandbox, "PUT", "clock", {"now": "2026-11-21T02:00:00Z"}) == {"now": "2026-11-21T02:00:00Z"}
    answer = requests.put(f"{sandbox.url}/_sandbox/clock", json={"now": "2026-12-01T02:00:00"}, timeout=10)
    assert answer.status_code == 400


def test_seats_are_moved_by_part_number(sandbox: SandboxThread) -> None:
    tenant = next(t for t in sandbox.msp.tenants.values() if t.consent is Consent.GRANTED and t.users)
    body = {"tenant": tenant.domain, "sku": "VISIOCLIENT", "enabled": 9, "consumed": 4}
    control(sandbox, "PUT", "seats", body)
    row = next(r for r in graph(sandbox, "/subscribedSkus").json()["value"] if r["skuPartNumber"] == "VISIOCLIENT")
    assert (row["prepaidUnits"]["enabled"], row["consumedUnits"]) == (9, 4)
    missing = requests.put(f"{sandbox.url}/_sandbox/seats", json={**body, "tenant": "nowhere.example"}, timeout=10)
    assert missing.status_code == 404


def test_an_invoice_run_bills_what_is_due_and_can_be_undone(sandbox: SandboxThread) -> None:
    before = control(sandbox, "GET", "invoices")["invoices"]
    made = control(sandbox, "POST", "invoices", {"through": "2026-12-01"})["invoices"]
    assert made
    assert control(sandbox, "GET", "invoices")["invoices"] == [*before, *made]
    for invoice in reversed(made):
        control(sandbox, "DELETE", f"invoices/{invoice['id']}")
    assert control(sandbox, "GET", "invoices")["invoices"] == before
    assert requests.delete(f"{sandbox.url}/_sandbox/invoices/{made[0]['id']}", timeout=10).status_code == 404


def test_a_person_edits_behind_our_back(sandbox: SandboxThread) -> None:
    addition = addition_of(sandbox)
    control(sandbox, "POST", "person", {"do": "edit", "addition": addition["id"], "fields": {"quantity": 77}})
    assert quantity_now(sandbox, addition) == 77


def test_switches_are_turned_by_name(sandbox: SandboxThread) -> None:
    assert control(sandbox, "PUT", "switches", {"zero_lines_printed": True})["zero_lines_printed"] is True
    assert control(sandbox, "PUT", "switches", {"zero_lines_printed": False})["zero_lines_printed"] is False
    answer = requests.put(f"{sandbox.url}/_sandbox/switches", json={"no_such_switch": True}, timeout=10)
    assert answer.status_code == 400


def test_the_summary_names_companies_tenants_and_the_settings_to_reach_them(sandbox: SandboxThread) -> None:
    summary = control(sandbox, "GET", "msp")
    linked = {tenant["company"] for tenant in summary["tenants"] if tenant["company"]}
    assert linked == {company.company for company in sandbox.msp.linked}
    assert linked <= {company["id"] for company in summary["companies"]}
    assert summary["settings"] == sandbox.settings()


def test_manage_answers_on_the_tls_port_as_well(sandbox: SandboxThread) -> None:
    url = f"{sandbox.tls_url}/login/companyinfo/{sandbox.msp.account.company}"
    assert requests.get(url, verify=str(sandbox.ca_file), timeout=10).json()["CompanyName"] == "northbeam"
