"""Guards that look beyond one plan: at the day, at the whole run, at what Manage says meanwhile."""

from __future__ import annotations

from decimal import Decimal

import pytest

from shared.billing.rules import Guards, SkuPolicy
from shared.state.records import Outcome
from tests import builders as b
from tests.fakes.house import House

D = Decimal
PRODUCTS = [f"P-{number}" for number in range(5)]


@pytest.fixture
def house() -> House:
    """One company that holds five SKUs, at an MSP that allows three changes a day."""
    house = House()
    house.manage.catalog = {name: b.product(name, number) for number, name in enumerate(PRODUCTS, 500)}
    house.rules(five_profiles(Guards(changes_per_day=3)))
    house.company(1)
    return house


def five_profiles(guards: Guards):
    profiles = [b.profile(id=name.lower(), product=name) for name in PRODUCTS]
    policies = [SkuPolicy(b.SOURCE, name.lower(), name.lower()) for name in PRODUCTS]
    return b.rules(*profiles, policies=policies, guards=guards)


def counted(many: int, quantity: int = 2) -> list:
    return [b.count(quantity, sku=name.lower(), name=name) for name in PRODUCTS[:many]]


# ---- changes of one company in a day


def test_as_many_changes_as_a_day_allows_are_written_and_one_more_holds_them_all(house):
    house.count(1, *counted(3))
    assert house.sync(1).report.written == {"created": 3}

    house.company(2, counted(4))
    synced = house.sync(2)
    assert synced.report.outcome is Outcome.HELD
    assert synced.report.written == {}
    assert [key for kind, key in house.state(2).findings if kind == "held"] == ["changes-per-day"]
    assert {group.held for group in synced.plan.groups} == {"4 changes of one company are more than 3 in a day"}


def test_what_was_written_earlier_in_the_day_counts_and_on_the_next_day_no_more(house):
    house.count(1, *counted(2))
    house.sync(1)
    house.count(1, *counted(4))
    held = house.sync(1)
    assert held.report.outcome is Outcome.HELD
    assert "2 changes of one company after 2 that were written today are more than 3 in a day" in str(
        house.state(1).findings["held", "changes-per-day"].finding.text
    )

    house.clock.pass_by(days=1)
    assert house.sync(1).report.written == {"created": 2}
    assert house.kinds(1) == []


def test_a_company_may_have_a_limit_of_its_own_and_none_means_none(house):
    house.company(1, counted(5), guards=Guards(changes_per_day=5))
    assert house.sync(1).report.written == {"created": 5}

    house.company(2, counted(1), guards=Guards(changes_per_day=0))
    assert house.sync(2).report.written == {}
