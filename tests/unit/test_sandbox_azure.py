"""Azure usage from the sandbox's export to a company's lines: a month in arrears, to the cent, whoever looks when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
import requests

from local.sandbox.running import SandboxThread
from local.sandbox.server import Options
from local.sandbox.world import Consent, Tenant
from shared.billing.counts import ReadFailure
from shared.settings import load_settings
from shared.sources.azure import AzureSource
from shared.state.records import Outcome
from shared.state.usage import UsageStore
from shared.sync import night, rulebook
from shared.sync.fleets import read_fleets
from tests import builders as b
from tests.fakes.house import House

NOW = datetime(2026, 11, 21, 2, tzinfo=UTC)
RULES = """\
profiles:
  - {id: azure, name: Azure usage, product: AZURE, price: {kind: cost, markup: 15}, arrears: last}
policies:
  - {source: azure, sku: azure-usage, profile: azure}
companies:
  - {company: 1, name: One, mode: auto, links: [{source: azure, customer: TENANT}]}
"""


@pytest.fixture
def sandbox() -> Iterator[SandboxThread]:
    with SandboxThread(Options(companies=3, seed=7, now=NOW)) as thread:
        yield thread


class Nights:
    """A company with Azure usage, the clocks of house and sandbox, and an invoice run on every first of a month."""

    def __init__(self, sandbox: SandboxThread) -> None:
        self.sandbox = sandbox
        tenants = sandbox.msp.customers_of(sandbox.msp.partners[0].id)
        self.tenant: Tenant = next(tenant for tenant in tenants if tenant.consent is Consent.GRANTED)
        self.house = House()
        given = {**sandbox.settings(), "AzureWebJobsStorage": "UseDevelopmentStorage=true"}
        azure = load_settings({**given, "MICROSOFT_AZURE_CURRENCY": "USD"}).azure
        assert azure is not None
        self.source = AzureSource(azure, UsageStore(self.house.tables), self.house.clock.business_now)
        self.house.ports = replace(self.house.ports, sources={"azure": self.source})
        self.house.manage.catalog = {"AZURE": b.product("AZURE", 120)}
        rulebook.import_rules(self.house.ports, RULES.replace("TENANT", self.tenant.id))

    def control(self, name: str, **body: object) -> None:
        requests.put(f"{self.sandbox.url}/_sandbox/{name}", json=body, timeout=10).raise_for_status()

    def use(self, day: date, amount: str, subscription: str = "web") -> None:
        self.control("azure", tenant=self.tenant.id, subscription=subscription, day=day.isoformat(), amount=amount)

    def at(self, moment: datetime) -> None:
        self.house.clock.time = moment
        self.control("clock", now=moment.isoformat())
        due = (moment.date().replace(day=1) + timedelta(days=31)).replace(day=1)
        self.house.manage.agreements_[1001] = b.agreement(1001, company_id=1, currency="USD", next_invoice_date=due)

    def night(self, day: date) -> Outcome:
        self.at(datetime(day.year, day.month, day.day, 2, tzinfo=UTC))
        read_fleets(self.house.ports)
        return self.house.sync(1, run=f"{day}-nightly").report.outcome


def lines(nights: Nights) -> list[tuple[Decimal, Decimal]]:
    return [(line.quantity, line.unit_price) for line in nights.house.manage.lines.values()]


def test_a_month_is_billed_once_it_is_known_to_its_end_and_what_comes_late_on_the_next_invoice(
    sandbox: SandboxThread,
) -> None:
    nights = Nights(sandbox)
    nights.use(date(2026, 11, 3), "100.004")
    nights.use(date(2026, 11, 20), "0.5", "database")
    november = [nights.night(date(2026, 11, day)) for day in range(21, 31)]
    nights.use(date(2026, 11, 30), "23.45")
    unsettled = [nights.night(date(2026, 12, day)) for day in (1, 2, 3)]

    assert november == [Outcome.FAILED, *[Outcome.UNCHANGED] * 9]
    assert (unsettled, lines(nights)) == ([Outcome.UNCHANGED] * 3, [])

    assert [nights.night(date(2026, 12, day)) for day in (4, 5)] == [Outcome.APPLIED, Outcome.UNCHANGED]
    assert lines(nights) == [(Decimal("123.95"), Decimal("1.15"))]

    nights.use(date(2026, 11, 30), "25.45")
    late = [nights.night(date(2026, 12, day)) for day in range(6, 15)]
    assert late == [Outcome.APPLIED, *[Outcome.UNCHANGED] * 8]
    assert lines(nights) == [(Decimal("123.95"), Decimal("1.15")), (Decimal(2), Decimal("1.15"))]
    assert nights.house.kinds(1) == []


def test_a_later_tick_fetches_what_was_begun(sandbox: SandboxThread) -> None:
    nights = Nights(sandbox)
    nights.use(date(2026, 11, 3), "7")
    nights.at(NOW)
    assert isinstance(nights.source.read(nights.tenant.id, NOW.date()), ReadFailure)
    nights.at(NOW + timedelta(minutes=6))
    night.tick(nights.house.ports)

    assert [customer.name for customer in nights.source.customers()] == [nights.tenant.name]
    assert nights.source.check() == []


def test_only_a_partner_with_a_key_gets_what_was_exported(sandbox: SandboxThread) -> None:
    url = f"{sandbox.url}/graph/v1.0/reports/partners/billing/usage/unbilled/export"

    assert requests.post(url, json={}, timeout=10).status_code == 401
    assert requests.get(f"{sandbox.url}/azure-usage/none/part-00000.json.gz", timeout=10).status_code == 404
