"""Findings open once and close when they have healed: not when nobody could look."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from shared.billing.counts import FailureKind
from shared.billing.profiles import BelowCost, PriceKind, PriceRule
from shared.billing.rules import CompanyLink, CompanyRules, Mode
from shared.errors import OutcomeUnknown, Refused
from shared.queues import SyncMessage
from shared.state.company_state import MSP
from shared.state.run_headers import RunHeader
from shared.sync import night, poison
from shared.sync.approvals import Person
from shared.sync.mapping.skus import ignore, restore
from tests import builders as b
from tests.fakes.house import House

TENANT = "tenant-1"
ITEM = f"{b.SOURCE}/{b.PREMIUM}"


@pytest.fixture
def house() -> House:
    house = House()
    house.rules(b.rules())
    house.company(1, [b.count(5, assigned=2), b.count(4, sku="zzz", name="Unmapped")])
    return house


def opened(house: House) -> dict:
    return {key: standing.opened for key, standing in house.state(1).findings.items()}


@pytest.mark.parametrize("kind", [FailureKind.READ_FAILED, FailureKind.CONSENT_LOST])
def test_a_reading_that_failed_closes_nothing_of_what_it_would_have_told(house, kind):
    house.sync(1)
    before = opened(house)
    assert sorted(before) == [("unassigned", f"{ITEM}/{TENANT}"), ("unmapped", f"{b.SOURCE}/{TENANT}/zzz")]

    house.clock.pass_by(days=1)
    house.source.failing[TENANT] = kind
    house.sync(1)
    assert opened(house) == {**before, (kind.value, f"{b.SOURCE}/{TENANT}"): house.clock.now()}
    house.clock.pass_by(days=1)
    house.source.failing.clear()
    house.sync(1)
    assert opened(house) == before

    house.count(1, b.count(5, customer=TENANT))
    house.sync(1)
    assert opened(house) == {}


def test_a_failure_of_another_kind_takes_the_place_of_the_first(house):
    house.source.failing[TENANT] = FailureKind.READ_FAILED
    house.sync(1)
    house.source.failing[TENANT] = FailureKind.CONSENT_LOST
    house.sync(1)

    assert house.kinds(1) == ["consent-lost"]


def test_of_two_customers_the_one_that_could_be_read_closes_its_own(house):
    links = (CompanyLink(b.SOURCE, TENANT), CompanyLink(b.SOURCE, "tenant-b"))
    house.source.counts["tenant-b"] = (b.count(3, sku="yyy", name="Other", customer="tenant-b"),)
    house.ports.companies.put_rules(CompanyRules(1, "Company 1", Mode.AUTO, links))
    house.sync(1)
    assert ("unmapped", f"{b.SOURCE}/tenant-b/yyy") in opened(house)

    house.source.counts["tenant-b"] = ()
    house.source.failing[TENANT] = FailureKind.READ_FAILED
    house.sync(1)
    assert sorted(opened(house)) == [
        ("read-failed", f"{b.SOURCE}/{TENANT}"),
        ("unassigned", f"{ITEM}/{TENANT}"),
        ("unmapped", f"{b.SOURCE}/{TENANT}/zzz"),
    ]


def test_an_item_with_a_write_in_doubt_keeps_its_findings(house):
    house.sync(1)
    before = opened(house)
    house.count(1, b.count(6, assigned=2, customer=TENANT), b.count(4, sku="zzz", name="Unmapped", customer=TENANT))

    def fault(moment: str, method: str) -> None:
        if (moment, method) == ("before", "update"):
            raise OutcomeUnknown("reset", system="Manage")

    house.manage.fault = fault
    house.sync(1)
    house.clock.pass_by(seconds=1)
    house.sync(1)
    assert len(house.state(1).intents) == 1
    assert opened(house) == before


def test_a_write_that_fails_night_after_night_is_one_finding_since_the_first(house):
    def fault(moment: str, method: str) -> None:
        if (moment, method) == ("before", "create"):
            raise Refused("no", system="Manage")

    house.manage.fault = fault
    house.sync(1)
    first = opened(house)["write-failed", ITEM]
    house.clock.pass_by(days=1)
    house.sync(1)

    assert opened(house)["write-failed", ITEM] == first


# ---- messages that nobody can work on


def poison_keys(house: House) -> list[str]:
    return sorted(key for kind, key in house.ports.company_state.load(MSP).findings if kind == "poison")


def test_what_is_told_of_a_message_closes_a_week_later_unless_its_run_is_open(house):
    open_ = RunHeader("open", "demand", None, 1, house.clock.now() - timedelta(days=1))
    house.ports.runs.create(open_, [1])
    house.ports.runs.create(RunHeader("ended", "demand", None, 1, house.clock.now()), [])
    house.ports.runs.close("ended", house.clock.now())
    for run in ("open", "ended", "unknown"):
        poison.note(house.ports, SyncMessage(run, 1, "claim", None, 1).text())
        poison.note(house.ports, SyncMessage(run, 1, "another claim", None, 1).text())
    poison.note(house.ports, "no message")
    assert len(poison_keys(house)) == 4

    house.clock.pass_by(days=7)
    night.nightly(house.ports)
    assert len(poison_keys(house)) == 4
    house.clock.pass_by(days=1)
    night.nightly(house.ports)
    assert poison_keys(house) == ["open/1"]


def test_a_price_below_cost_is_told_and_written_once_it_is_raised_or_allowed(house):
    refuses = PriceRule(PriceKind.CUSTOM, Decimal("19.00"), below_cost=BelowCost.REFUSE)
    house.count(1, b.count(5, customer=TENANT))
    house.rules(b.rules(b.profile(price=refuses)))
    for _ in range(2):
        house.sync(1)
        assert house.kinds(1) == ["price"]
    assert house.manage.writes == 0

    house.rules(b.rules(b.profile(price=replace(refuses, amount=Decimal("20.00")))))
    house.sync(1)
    assert house.kinds(1) == []
    assert [line.unit_price for line in house.manage.lines.values()] == [Decimal("20.00")]

    house.rules(b.rules(b.profile(price=replace(refuses, below_cost=BelowCost.ALLOW))))
    house.sync(1)
    assert [line.unit_price for line in house.manage.lines.values()] == [Decimal("19.00")]


def test_a_finding_about_an_ignored_sku_closes_and_opens_again_when_it_is_restored(house):
    house.company(2, [b.count(4, sku="zzz", name="Unmapped")])
    about = ("unmapped", f"{b.SOURCE}/{TENANT}/zzz")
    house.sync(1)
    assert about in opened(house)
    ignore(house.ports, [(1, b.SOURCE, "ZZZ")], Person("kim@birchline.example"))
    house.sync(1)
    house.sync(2)
    assert about not in opened(house)
    assert ("unmapped", f"{b.SOURCE}/tenant-2/zzz") in house.state(2).findings
    restore(house.ports, [(1, b.SOURCE, "zzz")])
    house.sync(1)
    assert about in opened(house)


def test_what_is_ignored_costs_a_look_at_its_company_nothing(house):
    ignore(house.ports, [(1, b.SOURCE, "zzz")], Person("kim@birchline.example"))
    house.sync(1)
    assert "unmapped" not in house.kinds(1)
    house.tables.calls.clear()
    house.sync(1)
    assert "Directory" not in {table for _, table in house.tables.calls}
