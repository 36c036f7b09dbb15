"""The console's JSON routes: who may do what, what comes from another site, and decisions from end to end on fakes."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import azure.functions as func
import pytest

from functions import console
from shared.billing.rules import Mode
from shared.errors import Misconfigured
from shared.web.principal import Access, Principal, Role
from tests import builders as b
from tests.fakes.app import app_for
from tests.fakes.browser import Browser
from tests.fakes.house import House

PLATFORM = Access(platform=True)
ROLES = "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"

GETS = ["/console/api/waiting", "/console/api/companies/1", "/console/api/companies/1/history"]
GETS.append("/console/api/openapi.json")
DECISIONS = ["/console/api/approve", "/console/api/reject"]
POSTS = [*DECISIONS, "/console/api/undo", "/console/api/choices"]


@pytest.fixture
def house() -> House:
    """Company 1 waits with an update; company 2 is in auto and held."""
    house = House()
    house.rules(b.rules())
    house.company(1, [b.count(8)], [b.addition(11, 5)], mode=Mode.APPROVE)
    house.company(2, [b.count(4)], [b.addition(21, 40)])
    for company in (1, 2):
        house.sync(company)
    return house


def client(house: House, access: Access = PLATFORM) -> Browser:
    return Browser(app_for(house.ports, access))


def signed_in(*roles: str, name: str = "pat@birchline.example") -> dict[str, str]:
    claims = [{"typ": "preferred_username", "val": name}, *({"typ": "roles", "val": role} for role in roles)]
    return header({"auth_typ": "aad", "claims": claims, "name_typ": "preferred_username", "role_typ": "roles"})


def header(principal: object) -> dict[str, str]:
    text = principal if isinstance(principal, str) else json.dumps(principal)
    return {"X-MS-CLIENT-PRINCIPAL": base64.b64encode(text.encode()).decode()}


READER, BILLER, ADMIN = (signed_in(role) for role in Role)


def groups(house: House, company: int) -> Sequence[str]:
    return [group.hash for group in house.state(company).plan.groups]


# ---- who may do what


@pytest.mark.parametrize("path", GETS)
def test_nobody_reads_without_being_signed_in_and_having_a_role(house, path):
    console = client(house)
    assert console.get(path).status_code == 401
    assert console.get(path, headers=signed_in()).status_code == 403
    assert console.get(path, headers=signed_in("TrueUp.Other")).status_code == 403
    for person in (READER, BILLER, ADMIN):
        assert console.get(path, headers=person).status_code == 200


@pytest.mark.parametrize("path", DECISIONS)
def test_only_a_biller_decides(house, path):
    console, body = client(house), {"company": 1, "groups": groups(house, 1)}
    writes = house.manage.writes
    assert console.post(path, json=body).status_code == 401
    assert console.post(path, json=body, headers=READER).status_code == 403
    assert house.manage.writes == writes
    assert house.state(1).decisions == {}
    assert console.post(path, json=body, headers=BILLER).status_code == 200


@pytest.mark.parametrize(
    "told",
    ["", "no json", "[]", '{"claims": 7}', '{"claims": [{"typ": "roles"}]}', '{"claims": []}', "[" * 40_000],
)
def test_a_principal_that_is_not_whole_is_nobody(house, told):
    assert client(house).get(GETS[0], headers=header(told)).status_code == 401


def test_a_principal_that_is_no_base64_is_nobody(house):
    assert client(house).get(GETS[0], headers={"X-MS-CLIENT-PRINCIPAL": "not base64!"}).status_code == 401


def test_without_the_platforms_sign_in_its_headers_are_not_believed(house):
    assert client(house, Access()).get(GETS[0], headers=ADMIN).status_code == 401
    reader = Principal("kim@birchline.example", frozenset({Role.READER}))
    local = client(house, Access(stand_in=reader))
    assert local.get(GETS[0], headers=ADMIN).status_code == 200
    assert local.post(POSTS[0], json={"company": 1, "groups": groups(house, 1)}, headers=ADMIN).status_code == 403


def test_roles_are_read_from_the_claim_type_that_the_platform_names(house):
    claims = [{"typ": "upn", "val": "kim@birchline.example"}, {"typ": ROLES, "val": "TrueUp.Reader"}]
    assert client(house).get(GETS[0], headers=header({"claims": claims})).status_code == 200


# ---- from another site


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "https://[trueup.example"}, 403),
        ({"Origin": "https://trueup.example.evil.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
    ],
)
def test_what_another_site_sends_decides_nothing(house, path, headers, status):
    body = json.dumps({"company": 1, "groups": groups(house, 1)})
    sent = {**BILLER, **headers}
    assert client(house).post(path, content=body, headers=sent).status_code == status
    assert house.state(1).decisions == {}


def test_our_own_pages_decide(house):
    sent = {**BILLER, "Origin": "https://trueup.example", "Sec-Fetch-Site": "same-origin"}
    answer = client(house).post(POSTS[0], json={"company": 1, "groups": groups(house, 1)}, headers=sent)
    assert answer.status_code == 200


# ---- decisions


def test_what_waits_is_shown_with_its_money_by_kind(house):
    shown = client(house).get("/console/api/waiting", headers=READER).json()
    assert [(group["company"], group["state"], group["kind"]) for group in shown["groups"]] == [
        (1, "waiting", "adoption"),
        (2, "waiting", "adoption"),
    ]
    assert [(total["kind"], total["held"], total["groups"]) for total in shown["sums"]] == [
        ("adoption", False, 1),
        ("adoption", True, 1),
    ]
    assert shown["sums"][0]["monthly"] == shown["groups"][0]["monthly"] > 0


def test_an_approval_is_written_and_stands_in_the_history_with_the_address(house):
    console = client(house)
    sent = {**BILLER, "X-Forwarded-For": "10.0.0.1, 203.0.113.7"}
    answer = console.post("/console/api/approve", json={"company": 1, "groups": groups(house, 1)}, headers=sent).json()
    assert (answer["outcome"], answer["written"]) == ("applied", {"updated": 1})
    assert (len(answer["approved"]), answer["stale"], answer["unknown"]) == (1, [], [])

    entries = console.get("/console/api/companies/1/history", headers=READER).json()["entries"]
    assert [(entry["actor"], entry["signed"]["origin"]) for entry in entries] == [
        ("pat@birchline.example", "203.0.113.7")
    ] * 2
    assert [group["company"] for group in console.get("/console/api/waiting", headers=READER).json()["groups"]] == [2]


def test_a_stale_approval_shows_what_was_approved_and_what_is_planned_now(house):
    (shown,) = groups(house, 1)
    house.count(1, b.count(9, customer="tenant-1"))
    answer = client(house).post("/console/api/approve", json={"company": 1, "groups": [shown]}, headers=BILLER).json()
    (stale,) = answer["stale"]
    assert (stale["hash"], stale["before"]["changes"][0]["after"]["quantity"]) == (shown, 8)
    assert stale["now"]["changes"][0]["after"]["quantity"] == 9
    assert answer["written"] == {}


def test_a_rejected_group_is_shown_as_rejected_with_who_and_why(house):
    console = client(house)
    body = {"company": 2, "groups": groups(house, 2), "why": "they are leaving"}
    assert console.post("/console/api/reject", json=body, headers=ADMIN).json()["rejected"] == body["groups"]
    shown = console.get("/console/api/waiting", headers=READER).json()["groups"]
    rejected = next(group for group in shown if group["company"] == 2)
    assert rejected["state"] == "rejected"
    assert (rejected["decision"]["by"], rejected["decision"]["why"]) == ("pat@birchline.example", "they are leaving")


def test_everything_of_a_kind_is_approved_by_a_run(house):
    console = client(house)
    body = {"companies": "all", "kind": "adoption", "held": False}
    answer = console.post("/console/api/approve", json=body, headers=BILLER)
    assert answer.status_code == 202
    house.work_until_done(answer.json()["run"])
    shown = console.get("/console/api/waiting", headers=READER).json()["groups"]
    assert [group["company"] for group in shown] == [2]
    nothing = console.post("/console/api/approve", json={**body, "companies": [1]}, headers=BILLER)
    assert (nothing.status_code, nothing.json()) == (202, {"run": None})


def test_what_a_finding_offers_is_shown_and_can_be_chosen(house):
    console = client(house)
    console.post("/console/api/approve", json={"company": 1, "groups": groups(house, 1)}, headers=BILLER)
    house.manage.lines[11] = replace(house.manage.lines[11], quantity=Decimal(9))
    house.sync(1)
    (finding,) = console.get("/console/api/companies/1", headers=READER).json()["findings"]
    assert (finding["kind"], finding["choices"]) == ("drift", ["restore", "accept"])

    body = {"company": 1, "choice": "accept", "bill_item": finding["key"]}
    assert console.post("/console/api/choices", json=body, headers=READER).status_code == 403
    assert console.post("/console/api/choices", json=body, headers=BILLER).json()["outcome"] == "unchanged"
    shown = console.get("/console/api/companies/1", headers=READER).json()
    assert [(choice["kind"], choice["by"]) for choice in shown["choices"]] == [("accept", "pat@birchline.example")]
    assert shown["findings"] == []
    wrong = console.post("/console/api/choices", json={**body, "choice": "stop"}, headers=BILLER)
    assert wrong.status_code == 400


def test_what_a_run_wrote_is_undone_and_says_so(house):
    console = client(house)
    body = {"company": 1, "groups": groups(house, 1)}
    console.post("/console/api/approve", json=body, headers=BILLER)
    run = house.ports.company_state.history(1, 1)[0].run
    assert console.post("/console/api/undo", json={"company": 1, "run": run}, headers=READER).status_code == 403
    undone = console.post("/console/api/undo", json={"company": 1, "run": run}, headers=BILLER).json()
    assert (len(undone["undone"]), undone["refused"], undone["held"]) == (1, [], [])
    assert house.manage.lines[11].serial_number == ""
    again = console.post("/console/api/undo", json={"company": 1, "run": run}, headers=BILLER).json()
    assert again["nothing"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"company": 1},
        {"company": 1, "groups": []},
        {"company": 1, "groups": ["xyz"]},
        {"company": 0, "groups": ["0" * 16]},
        {"company": 1, "groups": ["0" * 16], "force": True},
        {"companies": "all", "kind": "everything"},
    ],
)
def test_a_body_that_is_not_understood_is_refused_whole(house, body):
    answer = client(house).post("/console/api/approve", json=body, headers=BILLER)
    assert answer.status_code == 422
    assert "openapi" in answer.json()["remedy"]


def test_what_cannot_be_decided_says_why(house):
    console, body = client(house), {"company": 9, "groups": ["0" * 16]}
    assert console.post("/console/api/approve", json=body, headers=BILLER).status_code == 404
    house.ports.companies.take_lease(1, "another", 300, house.clock.now())
    busy = console.post("/console/api/approve", json={**body, "company": 1}, headers=BILLER)
    assert (busy.status_code, busy.headers["retry-after"]) == (409, "300")


def test_the_history_is_read_page_by_page(house):
    console = client(house)
    console.post("/console/api/approve", json={"company": 1, "groups": groups(house, 1)}, headers=BILLER)
    first = console.get("/console/api/companies/1/history?limit=1", headers=READER).json()
    second = console.get(
        "/console/api/companies/1/history", params={"limit": 2, "before": first["next"]}, headers=READER
    ).json()
    assert len({entry["id"] for entry in first["entries"] + second["entries"]}) == 2
    assert second["next"] is None
    wrong = console.get("/console/api/companies/1/history?before=yesterday", headers=READER)
    assert wrong.status_code == 400


def test_the_openapi_document_names_every_route(house):
    paths = client(house).get("/console/api/openapi.json", headers=READER).json()["paths"]
    assert {"/console/api/approve", "/console/api/waiting"} <= set(paths)


# ---- how much at once


@pytest.mark.parametrize(
    ("path", "largest"), [("approve", console.LARGEST), ("mapping/import", console.LARGEST_UPLOAD)]
)
def test_a_body_that_is_too_large_is_refused_before_anybody_looks_at_it(path, largest):
    app = func.FunctionApp()
    app.register_functions(console.blueprint)
    (handler,) = [item.get_user_function() for item in app.get_functions()]
    request = func.HttpRequest("POST", f"https://trueup.example/console/api/{path}", body=b" " * (largest + 1))
    answer = asyncio.run(handler(request, None))
    told = json.loads(answer.get_body())["error"]
    assert (answer.status_code, told) == (413, f"the body has more than {largest:,} bytes")


def test_while_the_settings_are_wrong_a_person_sees_a_page_and_a_program_json(monkeypatch):
    def wrong():
        raise Misconfigured(["MANAGE_SITE: is <missing>"])

    monkeypatch.setattr(console, "_middleware", wrong)

    def got(path: str) -> func.HttpResponse:
        return asyncio.run(console.console(func.HttpRequest("GET", f"https://trueup.example{path}", body=b""), None))

    page = got("/console/companies")
    assert (page.status_code, page.mimetype) == (503, "text/html")
    assert "MANAGE_SITE: is &lt;missing&gt;" in page.get_body().decode()
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert json.loads(got("/console/api/waiting").get_body())["problems"] == ["MANAGE_SITE: is <missing>"]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:7071", 200),
        ("127.0.0.1:7071", 200),
        ("[::1]:7071", 200),
        ("rebound.evil.example:7071", 403),
        ("localhost.evil.example", 403),
        ("[", 403),
        ("", 403),
    ],
)
def test_the_made_up_person_answers_only_on_the_machine_itself(house, monkeypatch, host, status):
    """Another site can make its name lead here; what it then sends has an origin like our own."""
    local = Access(stand_in=Principal("kim@birchline.example", frozenset({Role.ADMIN})))
    monkeypatch.setattr(console, "_middleware", lambda: func.AsgiMiddleware(app_for(house.ports, local)))
    monkeypatch.setattr(console, "access", lambda: local)
    body = json.dumps({"company": 1, "groups": groups(house, 1)}).encode()
    headers = {"host": host, "origin": f"http://{host}", "content-type": "application/json"}
    request = func.HttpRequest("POST", "http://localhost:7071/console/api/approve", headers=headers, body=body)

    answer = asyncio.run(console.console(request, None))

    assert answer.status_code == status
    if status == 403:
        assert "localhost" in json.loads(answer.get_body())["remedy"]
        assert house.state(1).decisions == {}
