"""Reading tenants and lists of customers through a Graph that we own, faults included."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from azure.core.exceptions import ClientAuthenticationError

from shared.billing.counts import Count, Customer, FailureKind, ReadFailure, Reading
from shared.errors import Incomplete, Misconfigured, NotPermitted, Retryable, TrueUpError
from shared.sources.microsoft365 import Microsoft365Source
from shared.sources.microsoft365.graph import GraphClient
from shared.sources.microsoft365.reads import retry_after
from tests.unit.fake_graph import (
    GRAPH_URL,
    OTHER,
    PARTNER,
    REQUEST_ID,
    SPB,
    TENANT,
    FakeCredential,
    FakeGraph,
    FakeTenant,
    Json,
    refusal,
    settings,
    sku_row,
    small_tenant,
    source,
    subscription_row,
    user_row,
)

DAY = date(2026, 11, 21)
BATCH = "POST /v1.0/$batch"


def failure(outcome: Reading | ReadFailure) -> ReadFailure:
    assert isinstance(outcome, ReadFailure)
    return outcome


def reading(outcome: Reading | ReadFailure) -> Reading:
    assert isinstance(outcome, Reading)
    return outcome


def count_of_spb(outcome: Reading | ReadFailure) -> Count:
    return next(count for count in reading(outcome).counts if count.sku == SPB)


# ---- one tenant --------------------------------------------------------------------------------------------------


def test_a_tenant_is_read_with_one_call() -> None:
    graph = FakeGraph()

    outcome = reading(source(graph).read(TENANT.upper(), DAY))

    assert graph.calls == [BATCH]
    assert graph.batches == [["/subscribedSkus", "/directory/subscriptions", "/users"]]
    assert (outcome.source, outcome.customer, outcome.day) == ("microsoft365", TENANT, DAY)
    count = count_of_spb(outcome)
    assert (count.name, count.purchased, count.assigned) == ("Microsoft 365 Business Premium", 10, 2)
    assert outcome.scope.covers("anything")


@pytest.mark.parametrize(("users", "calls"), [(999, 1), (1000, 2), (1500, 2), (1999, 3)])
def test_users_beyond_a_page_cost_one_call_for_each_page(users: int, calls: int) -> None:
    graph = FakeGraph({TENANT: FakeTenant(skus=[sku_row()], users=[user_row(number) for number in range(users)])})

    count = count_of_spb(source(graph).read(TENANT, DAY))

    assert len(count.holders) == users
    assert graph.calls == [BATCH, *["GET /v1.0/users"] * (calls - 1)]


def test_an_empty_tenant_is_a_complete_reading_of_nothing() -> None:
    assert reading(source(FakeGraph({TENANT: FakeTenant()})).read(TENANT, DAY)).counts == ()


def test_every_tenant_is_asked_with_its_own_token() -> None:
    graph = FakeGraph({TENANT: small_tenant(), OTHER: FakeTenant(skus=[sku_row(enabled=77)])})
    credential = FakeCredential()
    microsoft = source(graph, credential)

    first, second = reading(microsoft.read(TENANT, DAY)), reading(microsoft.read(OTHER, DAY))

    assert credential.asked == [
        (("https://graph.microsoft.com/.default",), TENANT),
        (("https://graph.microsoft.com/.default",), OTHER),
    ]
    assert graph.authorizations == [f"Bearer token-of-{TENANT}", f"Bearer token-of-{OTHER}"]
    assert [count.purchased for count in (*first.counts, *second.counts)] == [10, 10_000, 2, 77]


def test_tenants_read_at_the_same_time_do_not_mix() -> None:
    tenants = [f"bbbbbbbb-0000-4000-8000-{number:012}" for number in range(8)]
    graph = FakeGraph({tenant: FakeTenant(skus=[sku_row(enabled=key)]) for key, tenant in enumerate(tenants)})
    microsoft = source(graph)
    found: dict[str, Any] = {}

    def read(tenant: str) -> None:
        found[tenant] = [count.purchased for count in reading(microsoft.read(tenant, DAY)).counts]

    threads = [threading.Thread(target=read, args=(tenant,)) for tenant in tenants]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert found == {tenant: [key] for key, tenant in enumerate(tenants)}


def test_another_partners_subscription_is_not_ours_except_in_a_direct_tenant() -> None:
    tenant = FakeTenant(skus=[sku_row()], subscriptions=[subscription_row(ownerTenantId=OTHER)])
    graph = FakeGraph({TENANT: tenant})

    def owned(microsoft: Microsoft365Source) -> list[bool | None]:
        return [item.owned for item in reading(microsoft.read(TENANT, DAY)).counts[0].subscriptions or ()]

    assert owned(source(graph)) == [False]
    assert owned(source(graph, direct_tenants=(TENANT.upper(),))) == [True]
    assert owned(source(graph, partner_tenants=(PARTNER, OTHER.upper()))) == [True]


def test_what_is_not_a_tenant_id_asks_nobody() -> None:
    graph, credential = FakeGraph(), FakeCredential()

    outcome = failure(source(graph, credential).read("alder.example", DAY))

    assert outcome.kind is FailureKind.CUSTOMER_GONE
    assert (graph.calls, credential.asked) == ([], [])


# ---- what Graph is too busy for ------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_busy_item_is_asked_for_again_alone(status: int) -> None:
    graph = FakeGraph(item_answers={"/users": [(status, {"retry-after": "7"}, {"error": {"code": "TooManyRequests"}})]})
    waits: list[float] = []

    outcome = reading(source(graph, waits=waits).read(TENANT, DAY))

    assert graph.batches == [["/subscribedSkus", "/directory/subscriptions", "/users"], ["/users"]]
    assert waits == [7.0]
    assert outcome.counts == reading(source(FakeGraph()).read(TENANT, DAY)).counts


def test_the_longest_time_named_by_any_item_is_waited_for() -> None:
    graph = FakeGraph(
        item_answers={
            "/users": [(429, {"Retry-After": "3"}, None)],
            "/subscribedSkus": [(429, {"Retry-After": "11"}, None)],
        }
    )
    waits: list[float] = []

    reading(source(graph, waits=waits).read(TENANT, DAY))

    assert waits == [11.0]


def test_a_busy_batch_is_repeated_twice_and_then_given_up() -> None:
    graph = FakeGraph(answers=[refusal(429, "TooManyRequests") for _ in range(5)])
    waits: list[float] = []

    outcome = failure(source(graph, waits=waits).read(TENANT, DAY))

    assert graph.calls == [BATCH] * 3
    assert waits == [2.0, 8.0]
    assert (outcome.kind, outcome.request_id) == (FailureKind.READ_FAILED, REQUEST_ID)


def test_a_time_longer_than_a_read_may_take_is_not_waited_for() -> None:
    graph = FakeGraph(answers=[refusal(429, "TooManyRequests", **{"Retry-After": "3600"})])
    waits: list[float] = []

    assert failure(source(graph, waits=waits).read(TENANT, DAY)).kind is FailureKind.READ_FAILED
    assert (graph.calls, waits) == ([BATCH], [])


@pytest.mark.parametrize("error", [httpx.ConnectError, httpx.ReadTimeout, httpx.RemoteProtocolError])
def test_a_broken_connection_is_tried_again(error: type[httpx.TransportError]) -> None:
    graph = FakeGraph(answers=[error("broken"), error("broken")])

    reading(source(graph).read(TENANT, DAY))

    assert graph.calls == [BATCH] * 3


def test_a_connection_that_stays_broken_is_a_failed_read() -> None:
    graph = FakeGraph(answers=[httpx.ConnectError("broken") for _ in range(5)])

    assert failure(source(graph).read(TENANT, DAY)).kind is FailureKind.READ_FAILED
    assert len(graph.calls) == 3


def test_a_busy_page_of_users_is_asked_for_again() -> None:
    graph = FakeGraph({TENANT: FakeTenant(skus=[sku_row()], users=[user_row(number) for number in range(1500)])})
    microsoft = source(lambda request: _busy_once(graph, request))

    count = count_of_spb(microsoft.read(TENANT, DAY))

    assert len(count.holders) == 1500
    assert graph.calls == [BATCH, "GET /v1.0/users", "GET /v1.0/users"]


def _busy_once(graph: FakeGraph, request: httpx.Request) -> httpx.Response:
    """Makes Graph too busy for the first further page."""
    if request.method == "GET" and "GET /v1.0/users" not in graph.calls:
        graph.answers.append(refusal(503, "serviceNotAvailable"))
    return graph(request)


def test_a_call_that_takes_too_long_is_cancelled_and_may_be_repeated() -> None:
    cancelled = threading.Event()

    async def never(request: httpx.Request) -> httpx.Response:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        raise AssertionError("unreachable")

    client = GraphClient(settings(), httpx.MockTransport(never))

    with pytest.raises(Retryable, match="TimeoutError"):
        client.get("/organization", FakeCredential().get_token("scope"), headers={}, seconds=0.05)

    assert cancelled.wait(30)


def test_the_connections_go_with_the_source() -> None:
    closed = threading.Event()

    class Pool(httpx.MockTransport):
        async def aclose(self) -> None:
            closed.set()

    client = GraphClient(settings(), Pool(lambda _: httpx.Response(200, json={})))
    client.get("/organization", FakeCredential().get_token("scope"), headers={}, seconds=30)
    assert not closed.is_set()
    del client
    gc.collect()
    assert closed.wait(30)


@pytest.mark.parametrize(
    ("value", "seconds"), [(None, None), ("7", 7.0), (" 7 ", 7.0), ("0", 0.0), ("soon", None), ("", None), ("-5", None)]
)
def test_retry_after_is_a_number_of_seconds(value: str | None, seconds: float | None) -> None:
    assert retry_after({} if value is None else {"retry-after": value}) == seconds


def test_retry_after_may_be_a_date() -> None:
    past = format_datetime(datetime(2020, 1, 1, tzinfo=UTC), usegmt=True)
    assert retry_after({"retry-after": past}) == 0.0
    later = retry_after({"retry-after": format_datetime(datetime.now(UTC) + timedelta(days=1), usegmt=True)})
    assert later is not None
    assert 86_000 < later <= 86_400


def test_a_date_is_measured_by_the_clock_of_who_names_it() -> None:
    said, until = (format_datetime(datetime(2020, 1, 1, 0, 0, at, tzinfo=UTC), usegmt=True) for at in (5, 35))
    assert retry_after({"date": said, "retry-after": until}) == 30.0


# ---- what a person must grant --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [refusal(403, "Authorization_RequestDenied"), refusal(401, "Authorization_IdentityNotFound")],
    ids=["no role", "no principal"],
)
def test_a_refused_batch_is_lost_consent_and_names_the_roles(answer: httpx.Response) -> None:
    graph = FakeGraph(answers=[answer])

    outcome = failure(source(graph).read(TENANT, DAY))

    assert outcome.kind is FailureKind.CONSENT_LOST
    assert "Organization.Read.All" in outcome.remedy
    assert "User.Read.All" in outcome.remedy
    assert f"/{TENANT}/adminconsent?client_id=" in outcome.remedy
    assert outcome.request_id == REQUEST_ID
    assert len(graph.calls) == 1


def test_one_refused_item_is_lost_consent_though_another_is_only_busy() -> None:
    graph = FakeGraph(
        item_answers={
            "/subscribedSkus": [(429, {"Retry-After": "5"}, None)],
            "/users": [
                (403, {}, {"error": {"code": "Authorization_RequestDenied", "innerError": {"request-id": REQUEST_ID}}})
            ],
        }
    )

    outcome = failure(source(graph).read(TENANT, DAY))

    assert (outcome.kind, outcome.request_id) == (FailureKind.CONSENT_LOST, REQUEST_ID)
    assert "licensed users" in outcome.reason
    assert len(graph.calls) == 1


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("700016", FailureKind.CONSENT_LOST),
        ("7000222", FailureKind.READ_FAILED),
        ("90002", FailureKind.CUSTOMER_GONE),
    ],
)
def test_a_refused_token_is_a_failure_and_asks_graph_nothing(code: str, kind: FailureKind) -> None:
    graph = FakeGraph()
    text = f"Authentication failed: AADSTS{code}: words. Correlation ID: {REQUEST_ID}"
    credential = FakeCredential(failures={TENANT: ClientAuthenticationError(message=text)})

    outcome = failure(source(graph, credential).read(TENANT, DAY))

    assert (outcome.kind, outcome.request_id, graph.calls) == (kind, REQUEST_ID, [])


def test_whatever_else_the_credential_raises_is_a_failed_read() -> None:
    credential = FakeCredential(failures={TENANT: KeyError("access_token")})

    assert failure(source(FakeGraph(), credential).read(TENANT, DAY)).kind is FailureKind.READ_FAILED


# ---- answers that are not what they should be ----------------------------------------------------------------------

WHOLE = json.dumps({"responses": [{"id": "skus", "status": 200, "body": {"value": []}}]}).encode()
BODIES = {
    "empty": b"",
    "html": b"<html><body>Our services aren't available right now</body></html>",
    "cut off": WHOLE[: len(WHOLE) // 2],
    "a list": b"[]",
    "null": b"null",
    "no responses": b"{}",
    "responses as text": b'{"responses": "none"}',
    "one of three": WHOLE,
    "binary": b"\xff\xfe\x00",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_a_batch_that_cannot_be_understood_is_a_failed_read(body: bytes) -> None:
    graph = FakeGraph(answers=[httpx.Response(200, content=body, headers={"content-type": "application/json"})])

    assert failure(source(graph).read(TENANT, DAY)).kind is FailureKind.READ_FAILED


CHANGES: dict[str, Callable[[list[Json]], list[Json]]] = {
    "an answer is missing": lambda items: items[:-1],
    "an answer comes twice": lambda items: [*items, items[0]],
    "an answer comes in place of another": lambda items: [items[0], items[0], items[1]],
    "an answer to something else": lambda items: [*items[:-1], items[-1] | {"id": "4"}],
    "an answer without status": lambda items: [*items[:-1], {"id": items[-1]["id"], "body": {"value": []}}],
    "a status as text": lambda items: [*items[:-1], items[-1] | {"status": "200"}],
    "an item that is not an object": lambda items: [*items[:-1], "skus"],  # type: ignore[list-item]
    "a body as base64": lambda items: [*items[:-1], items[-1] | {"body": "eyJ2YWx1ZSI6W119"}],
    "a body without a list": lambda items: [*items[:-1], items[-1] | {"body": {}}],
    "no body": lambda items: [*items[:-1], {"id": items[-1]["id"], "status": 200}],
    "a next page that is no address": lambda items: [
        *items[:-1],
        items[-1] | {"body": {"value": [], "@odata.nextLink": "/users"}},
    ],
    "a next page as number": lambda items: [*items[:-1], items[-1] | {"body": {"value": [], "@odata.nextLink": 2}}],
    "an item that failed": lambda items: [*items[:-1], items[-1] | {"status": 400, "body": None}],
    "a redirected item": lambda items: [*items[:-1], items[-1] | {"status": 302}],
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_batch_that_is_not_whole_is_a_failed_read(change: Callable[[list[Json]], list[Json]]) -> None:
    graph = FakeGraph(change_items=change)

    assert failure(source(graph).read(TENANT, DAY)).kind is FailureKind.READ_FAILED
    assert graph.calls == [BATCH]


@pytest.mark.parametrize("path", ["/subscribedSkus", "/directory/subscriptions", "/users"])
def test_every_list_is_followed_to_its_end(path: str) -> None:
    rows = {"/subscribedSkus": sku_row(), "/directory/subscriptions": subscription_row(), "/users": user_row(1)}
    tenant = FakeTenant(skus=[sku_row()], subscriptions=[subscription_row()], users=[user_row(1)])
    first = (200, {}, {"value": [], "@odata.nextLink": f"{GRAPH_URL}{path}?page=2"})
    graph = FakeGraph({TENANT: tenant}, item_answers={path: [first]})
    answers = [
        httpx.Response(200, json={"value": [], "@odata.nextLink": f"{GRAPH_URL}{path}?page=3"}),
        httpx.Response(200, json={"value": [rows[path]]}),
    ]

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            graph.answers.append(answers.pop(0))
        return graph(request)

    outcome = reading(source(answer).read(TENANT, DAY))

    assert outcome == source(FakeGraph({TENANT: tenant})).read(TENANT, DAY)
    assert graph.calls == [BATCH, f"GET /v1.0{path}", f"GET /v1.0{path}"]


def test_the_header_for_advanced_queries_is_sent_with_every_page() -> None:
    graph = FakeGraph({TENANT: FakeTenant(skus=[sku_row()], users=[user_row(number) for number in range(1500)])})
    levels: list[str | None] = []

    def watched(request: httpx.Request) -> httpx.Response:
        levels.append(request.headers.get("ConsistencyLevel"))
        return graph(request)

    reading(source(watched).read(TENANT, DAY))

    assert levels == [None, "eventual"]


def test_a_page_that_fails_fails_the_read() -> None:
    link = f"{GRAPH_URL}/users?page=2"
    graph = FakeGraph(item_answers={"/users": [(200, {}, {"value": [user_row(1)], "@odata.nextLink": link})]})

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            graph.answers.append(httpx.Response(200, content=b'{"value": [{"id": "9'))
        return graph(request)

    assert failure(source(answer).read(TENANT, DAY)).kind is FailureKind.READ_FAILED


@pytest.mark.parametrize(
    "link",
    [
        "https://graph.microsoft.com.evil.example/v1.0/users?page=2",
        "https://evil.example/v1.0/users",
        "http://graph.microsoft.com/v1.0/users",
        "https://graph.microsoft.com:8443/v1.0/users",
        "https://graph.microsoft.com@evil.example/",
        "https://[broken/",
    ],
)
def test_a_token_never_follows_a_page_to_another_address(link: str) -> None:
    graph = FakeGraph(item_answers={"/users": [(200, {}, {"value": [], "@odata.nextLink": link})]})

    assert failure(source(graph).read(TENANT, DAY)).kind is FailureKind.READ_FAILED
    assert graph.calls == [BATCH]


def test_pages_that_come_round_again_are_a_failed_read() -> None:
    link = f"{GRAPH_URL}/users?page=2"
    graph = FakeGraph(item_answers={"/users": [(200, {}, {"value": [], "@odata.nextLink": link})]})

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            graph.answers.append(httpx.Response(200, json={"value": [user_row(1)], "@odata.nextLink": link}))
        return graph(request)

    outcome = failure(source(answer).read(TENANT, DAY))

    assert "pages do not end" in outcome.reason
    assert len(graph.calls) == 2


# ---- the list of customers -----------------------------------------------------------------------------------------


def customer_rows(count: int, start: int = 0) -> list[Json]:
    ids = [f"bbbbbbbb-0000-4000-8000-{number:012}" for number in range(start, start + count)]
    return [{"id": tenant, "tenantId": tenant, "displayName": f"Customer {tenant[-4:]}"} for tenant in ids]


def test_every_page_of_every_partner_tenant_is_listed() -> None:
    second = "aaaaaaaa-0000-4000-8000-000000000002"
    graph = FakeGraph(
        {PARTNER: FakeTenant(customers=customer_rows(700)), second: FakeTenant(customers=customer_rows(10, start=695))}
    )

    found = source(graph, partner_tenants=(PARTNER, second)).customers()

    assert [customer.id[-4:] for customer in found] == [f"{number:04}" for number in range(705)]
    assert [customer.partner for customer in found] == [PARTNER] * 700 + [second] * 5
    assert len(graph.calls) == 4


@pytest.mark.parametrize("status", [400, 403, 404])
def test_a_partner_that_may_not_read_its_contracts_tells_no_domains(status: int) -> None:
    graph = FakeGraph({PARTNER: FakeTenant(contracts=[{"customerId": TENANT, "defaultDomainName": "a.example"}])})
    assert source(graph).told_domains() == {TENANT: ("a.example",)}

    assert source(lambda _: refusal(status, "Authorization_RequestDenied")).told_domains() == {}


def test_direct_tenants_are_listed_by_their_own_name() -> None:
    graph = FakeGraph({PARTNER: FakeTenant(customers=customer_rows(1, start=2)), TENANT: FakeTenant(name="Birch Law")})

    found = source(graph, direct_tenants=(TENANT.upper(), OTHER)).customers()

    assert found == [
        Customer("microsoft365", TENANT, "Birch Law", tenant=TENANT),
        Customer("microsoft365", OTHER, "Customer 0002", partner=PARTNER, tenant=OTHER),
    ]


def test_a_direct_tenant_that_cannot_be_read_is_named_by_its_id() -> None:
    credential = FakeCredential(failures={TENANT: ClientAuthenticationError(message="AADSTS700016: no.")})

    found = source(FakeGraph(), credential, partner_tenants=(), direct_tenants=(TENANT,)).customers()

    assert found == [Customer("microsoft365", TENANT, TENANT, tenant=TENANT)]


def test_a_list_of_customers_is_whole_or_an_error() -> None:
    page = {"value": customer_rows(1), "@odata.nextLink": f"{GRAPH_URL}/tenantRelationships/x?page=2"}
    graph = FakeGraph(
        {PARTNER: FakeTenant()},
        answers=[httpx.Response(200, json=page), httpx.Response(200, content=b'{"value": [')],
    )

    with pytest.raises(Incomplete):
        source(graph).customers()


def test_a_list_of_customers_without_end_is_an_error() -> None:
    graph = FakeGraph({PARTNER: FakeTenant()})

    def endless(request: httpx.Request) -> httpx.Response:
        link = f"{GRAPH_URL}/tenantRelationships/delegatedAdminCustomers?page={len(graph.calls)}"
        graph.answers.append(httpx.Response(200, json={"value": [], "@odata.nextLink": link}))
        return graph(request)

    with pytest.raises(Incomplete, match="pages do not end"):
        source(endless).customers()

    assert len(graph.calls) == 1001


def test_a_partner_tenant_without_the_role_is_asked_for_it() -> None:
    graph = FakeGraph({PARTNER: FakeTenant()}, answers=[refusal(403, "Authorization_RequestDenied")])

    with pytest.raises(NotPermitted) as caught:
        source(graph).customers()

    assert "DelegatedAdminRelationship.Read.All" in caught.value.remedy
    assert caught.value.request_id == REQUEST_ID


def test_one_partner_tenant_that_fails_fails_the_whole_list() -> None:
    second = "aaaaaaaa-0000-4000-8000-000000000002"
    graph = FakeGraph({PARTNER: FakeTenant(customers=customer_rows(3))})
    credential = FakeCredential(failures={second: OSError("no network")})

    with pytest.raises(Retryable):
        source(graph, credential, partner_tenants=(PARTNER, second)).customers()


# ---- settings, secrets, imports ------------------------------------------------------------------------------------


def test_settings_do_not_show_their_secrets() -> None:
    shown = repr(settings(certificate_data="cGVt", client_secret="hush-hush"))

    assert "hush-hush" not in shown
    assert "cGVt" not in shown


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"partner_tenants": ()}, "at least one"),
        ({"partner_tenants": ("msp.example",)}, "not a tenant id"),
        ({"authority": "http://127.0.0.1:8443"}, "authority"),
        ({"graph_url": "http://graph.microsoft.com/v1.0"}, "Graph address"),
        ({"graph_url": "graph.microsoft.com/v1.0"}, "Graph address"),
        ({"sku_names": "http://files.example/names.csv"}, "SKU names"),
        ({"client_id": ""}, "client id"),
        ({"client_secret": None}, "secret"),
        ({"credential": "certificate"}, "certificate"),
        ({"credential": "certificate", "certificate_file": "a", "certificate_data": "b"}, "certificate"),
        ({"credential": "managed-identity"}, "managed identity"),
    ],
)
def test_wrong_settings_are_refused_with_a_sentence(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        Microsoft365Source(settings(**changes))

    assert [problem for problem in caught.value.problems if words in problem]


def test_every_problem_is_told_at_once() -> None:
    wrong = settings(partner_tenants=(), client_id="", client_secret=None, graph_url="http://example.org")

    assert len(wrong.problems()) == 4


def test_plain_http_is_accepted_on_this_machine_only() -> None:
    assert settings(graph_url="http://127.0.0.1:8080/graph/v1.0").problems() == []
    assert settings(graph_url="http://localhost:8080/graph/v1.0").problems() == []


def test_a_certificate_that_cannot_be_read_is_a_failed_read(tmp_path: Path) -> None:
    microsoft = Microsoft365Source(
        settings(credential="certificate", certificate_file=str(tmp_path / "missing.pem")),
        http=httpx.MockTransport(FakeGraph()),
    )

    outcome = failure(microsoft.read(TENANT, DAY))

    assert outcome.kind is FailureKind.READ_FAILED
    assert "certificate" in outcome.reason


def test_no_token_secret_or_name_of_a_person_is_logged_or_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    told: list[str] = []
    graph = FakeGraph(answers=[refusal(403, "Authorization_RequestDenied")])
    microsoft = source(graph)
    told.append(str(microsoft.read(TENANT, DAY)))
    graph.tenants[TENANT].users.append(user_row(3, assignedLicenses=None))
    told.append(str(microsoft.read(TENANT, DAY)))
    graph.tenants[TENANT].users.pop()
    reading(microsoft.read(TENANT, DAY))

    everything = caplog.text + "".join(told)

    assert not [word for word in ("token-of-", "hush-hush", "Person 1", "person1@") if word in everything]


def test_importing_the_source_loads_no_vendor_library() -> None:
    program = (
        "import sys; from shared.sources.microsoft365 import Microsoft365Source, MicrosoftSettings as S; "
        f"Microsoft365Source(S(('{PARTNER}',), (), 'app', 'secret', client_secret='x')); "
        "heavy = ('msgraph', 'kiota', 'azure', 'msal', 'httpx', 'requests'); "
        "print([name for name in sys.modules if name.split('.')[0].startswith(heavy)])"
    )

    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)

    assert shown.stdout.strip() == "[]"


def test_every_failure_of_a_list_is_one_of_our_errors() -> None:
    for answer in (refusal(500, "oops"), httpx.Response(302, headers={"location": "https://evil.example"})):
        with pytest.raises(TrueUpError):
            source(FakeGraph({PARTNER: FakeTenant()}, answers=[answer] * 3)).customers()


def relationship_row(tenant: str, ends: str | None, extends: str | None, status: str = "active") -> dict[str, object]:
    customer = {"tenantId": tenant, "displayName": "Alder Dental"}
    granted = {"activatedDateTime": "2026-01-05T00:00:00Z", "endDateTime": ends, "autoExtendDuration": extends}
    return {"customer": customer, "status": status, **granted}


FIFTH, TWENTIETH = "2026-12-05T00:00:00Z", "2026-12-20T00:00:00Z"


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ([(FIFTH, "PT0S"), (TWENTIETH, "P0D")], [(date(2026, 12, 20), False)]),
        ([(FIFTH, None)], [(date(2026, 12, 5), False)]),
        ([(TWENTIETH, "P180D"), (FIFTH, "PT0S")], [(None, False)]),
        ([(None, "PT0S")], [(None, False)]),
        ([(FIFTH, "PT0S"), (TWENTIETH, "PT0S", "terminated")], [(date(2026, 12, 5), False)]),
        ([(FIFTH, "P180D", "expired"), (TWENTIETH, "P180D", "Terminating")], [(date(2026, 12, 20), True)]),
        ([(TWENTIETH, "P180D", "approvalPending")], []),
    ],
)
def test_the_relationship_in_force_counts_that_lasts_longest_and_without_one_the_last_that_ended(rows, found) -> None:
    asked: list[str] = []

    def graph(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(200, json={"value": [relationship_row(TENANT, *row) for row in rows]})

    told = source(graph).relationships()

    assert [(relationship.ends, relationship.over) for relationship in told] == found
    assert len(asked) == 1


def test_what_was_asked_for_and_lapsed_before_it_was_granted_has_not_ended() -> None:
    lapsed = relationship_row(TENANT, FIFTH, None, "expired") | {"activatedDateTime": None, "customer": None}
    nameless = relationship_row(OTHER, FIFTH, None, "terminated") | {"customer": {"tenantId": OTHER}}

    def graph(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"value": [lapsed, nameless]})

    (told,) = source(graph).relationships()

    assert (told.customer, told.name, told.over) == (OTHER, OTHER, True)


def test_a_tenant_that_is_read_without_a_relationship_does_not_lose_one() -> None:
    rows = [relationship_row(TENANT, FIFTH, None, "expired")]

    def graph(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"value": rows})

    (told,) = source(graph, direct_tenants=(TENANT,)).relationships()

    assert (told.customer, told.ends, told.over) == (TENANT, None, False)


def test_a_relationship_of_nobody_is_no_list() -> None:
    with pytest.raises(Incomplete):
        source(lambda request: httpx.Response(200, json={"value": [{"endDateTime": None}]})).relationships()


def test_a_tenant_that_refuses_every_list_says_the_same_every_night() -> None:
    def refusing(_: list[dict[str, Any]]) -> list[dict[str, Any]]:
        body = {"error": {"code": "Authorization_RequestDenied"}}
        names = ("users", "subscriptions", "skus")
        return [{"id": name, "status": 403, "headers": {}, "body": body} for name in names]

    graph = FakeGraph(change_items=refusing)

    assert "to the list of SKUs." in failure(source(graph).read(TENANT, DAY)).reason
