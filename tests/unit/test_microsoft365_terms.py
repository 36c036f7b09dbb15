"""Terms of Microsoft 365 from Partner Center: hints become facts, and counts go on where nothing is told."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest

from local.sandbox.running import SandboxThread
from local.sandbox.server import Options
from shared.billing.counts import Reading, Subscription
from shared.errors import Misconfigured, Retryable
from shared.http.wire import Answer
from shared.settings import load_settings
from shared.sources.microsoft365 import Microsoft365Source
from shared.sources.microsoft365.partner_center import PartnerCenter
from tests.unit.fake_graph import (
    OTHER,
    PARTNER,
    SPB,
    TENANT,
    FakeCredential,
    FakeGraph,
    Json,
    settings,
    small_tenant,
    subscription_row,
)
from tests.unit.fake_vendors import Call, FakeWire, Hours, down

URL = "https://api.partnercenter.microsoft.com/v1"
#: In the last month of a term, when Graph's day of renewal says nothing of it.
DAY = date(2027, 1, 4)
COMMERCE = "ffffffff-0000-4000-8000-000000000001"
LISTED = f"/v1/customers/{TENANT}/subscriptions"


def row(**changes: Any) -> Json:
    told = {
        "id": COMMERCE.upper(),
        "productType": {"id": "OnlineServicesNCE", "displayName": "Online Services"},
        "quantity": 10,
        "creationDate": "2026-01-15T16:57:15.0966728Z",
        "commitmentEndDate": "2027-01-14T00:00:00Z",
        "cancellationAllowedUntilDate": "2026-01-22T16:57:15.0966728Z",
        "status": "active",
        "autoRenewEnabled": True,
        "isTrial": False,
        "billingType": "license",
        "billingCycle": "monthly",
        "termDuration": "P1Y",
    }
    return told | changes


def listed(*rows: Json) -> Json:
    return {"totalCount": len(rows), "items": list(rows), "attributes": {"objectType": "Collection"}}


def answering(body: object) -> FakeWire:
    return FakeWire(lambda call: listed({"id": TENANT}) if call.path == "/v1/customers" else body)


def source(wire: FakeWire | None, graph: FakeGraph | None = None, **changes: Any) -> Microsoft365Source:
    values = {"partner_center_url": URL} if wire is not None else {}
    return Microsoft365Source(
        settings(**(values | changes)),
        credential=FakeCredential(),
        http=httpx.MockTransport(graph or FakeGraph()),
        partner_http=wire,
        sleep=lambda _: None,
    )


def read(wire: FakeWire | None, day: date = DAY, graph: FakeGraph | None = None) -> Reading:
    outcome = source(wire, graph).read(TENANT, day)
    assert isinstance(outcome, Reading)
    return outcome


def bought(reading: Reading) -> Subscription:
    [count] = [count for count in reading.counts if count.sku == SPB]
    [subscription] = count.subscriptions or ()
    return subscription


def test_in_the_last_month_of_a_term_only_partner_center_knows_that_it_is_a_years() -> None:
    assert bought(read(None)).committed_until is None

    told = bought(read(answering(listed(row()))))

    assert (told.term, told.auto_renews) == ("P1Y", True)
    assert told.committed_until == date(2027, 1, 14)
    assert told.renews == date(2027, 1, 15)


def test_one_call_a_customer_with_a_token_of_the_partner_tenant_for_partner_center() -> None:
    wire, credential = answering(listed(row())), FakeCredential()
    reader = Microsoft365Source(
        settings(partner_center_url=URL),
        credential=credential,
        http=httpx.MockTransport(FakeGraph()),
        partner_http=wire,
    )
    reader.read(TENANT, DAY)

    [call] = wire.calls
    assert (call.method, call.path) == ("GET", LISTED)
    assert call.headers["Authorization"] == f"Bearer token-of-{PARTNER}"
    assert call.headers["MS-RequestId"] != call.headers["MS-CorrelationId"]
    assert credential.asked[-1] == (("https://api.partnercenter.microsoft.com/.default",), PARTNER)


@pytest.mark.parametrize(
    ("changes", "until"),
    [
        ({"termDuration": "P1M"}, date(2027, 1, 14)),
        ({"termDuration": "P3Y", "commitmentEndDate": "2029-01-14T00:00:00Z"}, date(2029, 1, 14)),
        ({"productType": {"id": "OnlineServices"}}, date(2027, 1, 13)),
        ({"productType": None}, date(2027, 1, 13)),
        ({"cancellationAllowedUntilDate": None}, date(2027, 1, 14)),
        ({"cancellationAllowedUntilDate": "2027-01-04T16:57:15Z"}, None),
        ({"cancellationAllowedUntilDate": "2027-01-14T00:00:00Z"}, None),
        ({"commitmentEndDate": "9999-12-31T00:00:00Z", "autoRenewEnabled": False}, None),
        ({"termDuration": "P1M", "commitmentEndDate": "2027-06-14T00:00:00Z"}, None),
        ({"termDuration": "PT5M"}, None),
        ({"termDuration": None}, None),
        ({"commitmentEndDate": None}, None),
        ({"commitmentEndDate": "0001-01-01T00:00:00", "productType": None}, None),
        ({"status": "suspended"}, None),
        ({"billingType": "usage"}, None),
    ],
    ids=str,
)
def test_a_commitment_is_what_partner_center_says_and_can_be_true(changes: Json, until: date | None) -> None:
    assert bought(read(answering(listed(row(**changes))))).committed_until == until


def test_a_hint_that_partner_center_contradicts_goes() -> None:
    """Graph names a renewal in eleven months, which looks like a year's term."""
    early = date(2026, 2, 20)
    assert bought(read(None, early)).committed_until == date(2027, 1, 14)
    assert bought(read(answering(listed(row(status="pending"))), early)).committed_until is None


@pytest.mark.parametrize("changes", [{"isTrial": True}, {"status": "Warning"}])
def test_a_trial_and_what_is_in_its_grace_period_are_committed_to_nothing(changes: Json) -> None:
    tenant = replace(small_tenant(), subscriptions=[subscription_row(**changes)])
    assert bought(read(answering(listed(row())), graph=FakeGraph({TENANT: tenant}))).committed_until is None


@pytest.mark.parametrize(
    "wire",
    [answering(listed(row(id="another"))), FakeWire(lambda _: Answer(404, {}, '{"code": 2002}'))],
    ids=["another subscription", "another partner's customer"],
)
def test_what_partner_center_does_not_list_goes_on_with_the_hint(wire: FakeWire) -> None:
    early = date(2026, 2, 20)
    assert read(wire, early) == read(None, early)


FAILURES: dict[str, Callable[[Call], object]] = {
    "down": down,
    "401": lambda _: Answer(401, {}, "token-of-somebody"),
    "403": lambda _: Answer(403, {}, "{}"),
    "429": lambda _: Answer(429, {"Retry-After": "3600"}, "{}"),
    "500": lambda _: Answer(500, {}, "<html>"),
    "a web page": lambda _: Answer(200, {}, "<!DOCTYPE html>token-of-somebody"),
    "nothing": lambda _: Answer(200, {}, ""),
    "no list": lambda _: {"items": None},
    "half of a list": lambda _: listed(row()) | {"totalCount": 2},
    "one twice": lambda _: listed(row(), row()),
    "no id": lambda _: listed(row(id=None)),
    "no status": lambda _: listed(row(status=None)),
    "no date": lambda _: listed(row(commitmentEndDate="soon")),
}


@pytest.mark.parametrize("answer", FAILURES.values(), ids=FAILURES.keys())
def test_counts_go_on_without_partner_center_and_no_hint_takes_its_place(
    answer: Callable[[Call], object], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    early = date(2026, 2, 20)
    with_hint, without = read(None, early), read(FakeWire(answer), early)

    assert [(count.sku, count.purchased, count.assigned) for count in without.counts] == [
        (count.sku, count.purchased, count.assigned) for count in with_hint.counts
    ]
    assert bought(without) == replace(bought(with_hint), committed_until=None)
    assert "no terms of tenant" in caplog.text
    assert "token-of" not in caplog.text


@pytest.mark.parametrize("name", ["down", "401", "403", "429", "500", "a web page", "nothing", "no list", "no id"])
def test_a_check_says_what_is_wrong_with_partner_center(name: str) -> None:
    graph = FakeGraph({PARTNER: small_tenant()})
    broken = source(FakeWire(FAILURES[name]), graph)
    in_order = source(answering(listed(row())), graph)

    assert in_order.check() == in_order.completion_problems() == source(None, graph).completion_problems() == []
    [problem] = broken.check()
    assert broken.completion_problems() == [problem]
    assert "Partner Center" in problem
    assert "token-of" not in problem


def test_after_it_did_not_answer_it_is_left_alone_for_five_minutes() -> None:
    wire, hours = FakeWire(down), Hours()
    center = PartnerCenter(
        settings(), URL, FakeCredential(), transport=wire, sleep=lambda _: None, clock=lambda: hours.now
    )
    for _ in range(2):
        with pytest.raises(Retryable):
            center.terms(TENANT)
    calls = len(wire.calls)
    hours.now += 301
    wire.answer = lambda _: listed(row())

    assert calls == 3  # one question, repeated twice
    assert list(center.terms(TENANT)) == [COMMERCE]


def test_it_is_asked_again_as_soon_as_a_check_finds_it_in_order() -> None:
    wire = FakeWire(down)
    center = PartnerCenter(
        settings(), URL, FakeCredential(), transport=wire, sleep=lambda _: None, clock=lambda: 1000.0
    )
    with pytest.raises(Retryable):
        center.terms(TENANT)
    wire.answer = lambda _: listed(row())

    assert center.problems() == []
    assert list(center.terms(TENANT)) == [COMMERCE]


def test_the_customer_of_a_second_partner_tenant_is_found_there_and_asked_for_there_from_then_on() -> None:
    wire = FakeWire(
        lambda call: listed(row()) if call.headers["Authorization"].endswith(OTHER) else Answer(404, {}, "{}")
    )
    center = PartnerCenter(settings(partner_tenants=(PARTNER, OTHER)), URL, FakeCredential(), transport=wire)

    assert list(center.terms(TENANT)) == list(center.terms(TENANT)) == [COMMERCE]
    assert [call.headers["Authorization"][-36:] for call in wire.calls] == [PARTNER, OTHER, OTHER]


def test_a_direct_tenant_is_not_asked_about() -> None:
    wire = answering(listed(row()))
    source(wire, direct_tenants=(TENANT,)).read(TENANT, DAY)
    assert wire.calls == []


@pytest.mark.parametrize(
    "changes", [{"partner_center_url": "http://partner.example"}, {"partner_tenants": (), "direct_tenants": (TENANT,)}]
)
def test_an_address_that_cannot_be_meant_is_refused(changes: Json) -> None:
    with pytest.raises(Misconfigured, match="Partner Center"):
        source(answering(listed()), **changes)


# ---- the sandbox's ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxThread]:
    with SandboxThread(Options(companies=15, seed=7, now=datetime(2026, 11, 21, 2, tzinfo=UTC))) as thread:
        yield thread


def test_the_sandbox_tells_terms_of_what_the_partner_sold_and_of_nothing_else(sandbox: SandboxThread) -> None:
    more = {
        "MICROSOFT_PARTNER_CENTER_URL": f"{sandbox.url}/partnercenter/v1",
        "AzureWebJobsStorage": "UseDevelopmentStorage=true",
    }
    told = load_settings(sandbox.settings() | more).microsoft
    assert told is not None
    reader = Microsoft365Source(told)
    assert reader.check() == []
    found = []
    for customer in sandbox.msp.customers_of(sandbox.msp.partners[0].id):
        outcome = reader.read(customer.id, date(2026, 11, 21))
        found += [each for count in getattr(outcome, "counts", ()) for each in count.subscriptions or ()]

    own = [each for each in found if each.owned]
    assert {each.term for each in own} == {"P1M", "P1Y"}
    assert {each.auto_renews for each in own} == {True, False}
    assert any(each.committed_until for each in own)
    assert {each.term for each in found if not each.owned} == {None}
