"""Contract: pyhuntress, a library others wrote for the true Huntress, works against the sandbox unchanged."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime

import pytest
import requests
from pyhuntress import HuntressSIEMAPIClient
from pyhuntress.exceptions import (
    AuthenticationFailedException,
    MalformedRequestException,
    NotFoundException,
    TooManyRequestsException,
)

from local.sandbox.running import SandboxThread
from local.sandbox.server import Options
from shared.billing.counts import Reading
from shared.sources.huntress import HuntressSettings, HuntressSource

DAY = date(2026, 11, 21)


class Client(HuntressSIEMAPIClient):
    """The library has the address of the true Huntress built in; this is all that differs from it."""

    def __init__(self, sandbox: SandboxThread, private_key: str | None = None) -> None:
        self._url = f"{sandbox.url}/huntress/v1"
        account = sandbox.msp.huntress
        super().__init__(account.public_key, private_key or account.private_key)

    def _get_url(self) -> str:
        return self._url


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxThread]:
    with SandboxThread(Options(companies=30, seed=7, now=datetime(2026, 11, 21, 2, tzinfo=UTC))) as thread:
        yield thread


@pytest.fixture
def client(sandbox: SandboxThread) -> Client:
    return Client(sandbox)


def fault(sandbox: SandboxThread, *words: str) -> None:
    faults = [{"system": "huntress", "fault": word} for word in words]
    assert requests.put(f"{sandbox.url}/_sandbox/faults", json=faults, timeout=10).ok


def test_it_reads_the_account(sandbox, client):
    account = client.account.get()
    assert (account.name, account.status) == ("Northbeam Managed IT", "enabled")


def test_it_pages_through_every_organization_and_reads_one(sandbox, client):
    known = sandbox.msp.huntress.organizations
    found = list(client.organizations.paginated(1, 7).all())
    assert sorted(row.id for row in found) == sorted(known)
    assert len(found) > 14
    one = client.organizations.id(found[0].id).get()
    assert (one.name, one.key, one.agents_count) == (found[0].name, found[0].key, known[one.id].counts["edr"])


def test_what_an_organization_does_not_have_is_not_told_to_it_either(sandbox, client):
    without = next(found for found in sandbox.msp.huntress.organizations.values() if found.counts["sat"] is None)
    assert client.organizations.id(without.id).get().sat_learner_count is None


def test_it_counts_the_agents_that_our_source_bills(sandbox, client):
    account = sandbox.msp.huntress
    settings = HuntressSettings(account.public_key, account.private_key, f"{sandbox.url}/huntress/v1")
    reading = HuntressSource(settings).read(str(min(account.organizations)), DAY)
    assert isinstance(reading, Reading)
    [edr] = [count.purchased for count in reading.counts if count.sku == "edr"]

    agents = list(client.agents.paginated(1, 5, {"organization_id": int(reading.customer)}).all())
    assert len({agent.id for agent in agents}) == len(agents) == edr
    assert {agent.organization_id for agent in agents} == {int(reading.customer)}
    everywhere = client.agents.paginated(1, 500).all()
    assert len(list(everywhere)) == sum(found.counts["edr"] or 0 for found in account.organizations.values())


def test_it_reads_the_invoices_of_the_account_as_billing_reports(sandbox, client):
    for day in ("2026-10-15", "2026-11-15"):
        requests.post(f"{sandbox.url}/_sandbox/huntress/invoices", json={"day": day}, timeout=10).raise_for_status()
    reports = list(client.billing_reports.paginated(1, 2).all())
    assert [(report.status, report.created_at.date()) for report in reports[1:]] == [
        ("paid", date(2026, 11, 15)),
        ("paid", date(2026, 10, 15)),
    ]
    assert (reports[0].status, reports[0].amount, reports[0].currency_type) == ("draft", 41830, "usd")


def test_it_understands_refusals(sandbox, client):
    with pytest.raises(AuthenticationFailedException):
        Client(sandbox, "wrong").account.get()
    with pytest.raises(NotFoundException):
        client.organizations.id(1).get()
    with pytest.raises(MalformedRequestException):
        client.organizations.get(params={"limit": 501})
    fault(sandbox, "429:1")
    with pytest.raises(TooManyRequestsException):
        client.account.get()
    fault(sandbox)
