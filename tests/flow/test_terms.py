"""A term that Partner Center tells, from the vendors' answers to the agreement: it is billed to its last day."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx
import pytest

from shared.billing.rules import CompanyLink, CompanyRules, Mode
from shared.sources.microsoft365 import Microsoft365Source
from tests import builders as b
from tests.fakes.house import House
from tests.unit.fake_graph import (
    TENANT,
    FakeCredential,
    FakeGraph,
    FakeTenant,
    settings,
    sku_row,
    subscription_row,
    user_row,
)
from tests.unit.fake_vendors import FakeWire, down

COMMERCE = "ffffffff-0000-4000-8000-000000000001"


def term(call: Any) -> object:
    """Bought for a month, on the tenth; today is the 21st of November."""
    row = {
        "id": COMMERCE,
        "productType": {"id": "OnlineServicesNCE"},
        "status": "active",
        "commitmentEndDate": "2026-12-09T00:00:00Z",
        "cancellationAllowedUntilDate": "2026-11-17T12:00:00Z",
        "autoRenewEnabled": True,
        "termDuration": "P1M",
    }
    return {"totalCount": 1, "items": [row]}


class Msp:
    """A company with one line on an agreement, and Microsoft behind it."""

    def __init__(self, **center: Any) -> None:
        self.house, self.wire, self.graph = House(), FakeWire(term), FakeGraph({})
        source = Microsoft365Source(
            settings(**center),
            credential=FakeCredential(),
            http=httpx.MockTransport(self.graph),
            partner_http=self.wire,
            sleep=lambda _: None,
        )
        self.house.rules(b.rules(b.profile(split=True, commitment_floor=True)))
        self.house.company(1)
        links = (CompanyLink(b.SOURCE, TENANT),)
        self.house.ports.companies.put_rules(CompanyRules(1, "Company 1", Mode.AUTO, links))
        self.house.ports = replace(self.house.ports, sources={source.name: source})

    def night(self, seats: int) -> int:
        """One with so many seats bought; what the line says afterwards."""
        users = [user_row(1)]
        bought = subscription_row(quantity=seats, nextLifecycleDateTime="2026-12-10T00:00:00Z")
        self.graph.tenants[TENANT] = FakeTenant(
            skus=[sku_row(enabled=seats, consumed=1)], subscriptions=[bought], users=users
        )
        synced = self.house.sync(1)
        assert synced.report.outcome.value in {"applied", "unchanged"}, synced.report
        self.house.clock.pass_by(days=1)
        [line] = [line for line in self.house.manage.lines.values() if not line.cancelled_date]
        return int(line.quantity)


@pytest.fixture
def told() -> Msp:
    return Msp(partner_center_url="https://api.partnercenter.microsoft.com/v1")


def test_without_partner_center_a_monthly_term_holds_nothing() -> None:
    msp = Msp()
    assert [msp.night(10), msp.night(8)] == [10, 8]
    assert msp.wire.calls == []


def test_what_is_committed_to_for_a_month_is_billed_to_its_last_day_and_not_longer(told: Msp) -> None:
    assert [told.night(10), told.night(8), told.night(8)] == [10, 10, 10]
    told.house.clock.pass_by(days=15)  # to the last day, the ninth of December
    assert [told.night(8), told.night(8)] == [10, 8]


def test_a_night_without_partner_center_forgets_no_commitment(told: Msp) -> None:
    assert told.night(10) == 10
    told.wire.answer = down
    writes = told.house.manage.writes
    assert [told.night(8), told.night(8)] == [10, 10]
    assert told.house.manage.writes == writes
