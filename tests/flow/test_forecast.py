"""Manage's forecasts of next invoices: asked for once a night, told where they differ, and never in the way."""

from __future__ import annotations

from decimal import Decimal

import pytest

from shared.billing.agreements import Recap
from shared.billing.limits import CompareForecast, Guards
from shared.state.records import Outcome
from shared.sync.lanes import start_run
from tests import builders as b
from tests.fakes.house import House

NIGHT, NEXT, THIRD = (f"2026-11-{day}-nightly" for day in (21, 22, 23))


@pytest.fixture
def house() -> House:
    """Two companies that hold five seats at 25.00 each and are billed for them; Manage forecasts as much."""
    house = House()
    house.rules(b.rules())
    for company in (1, 2):
        house.company(company, [b.count(5)])
        house.sync(company)
        forecast(house, company, "125.00")
    house.manage.calls.clear()
    return house


def forecast(house: House, company: int, amount: str) -> None:
    agreement = house.manage.agreements_[company + 1000]
    recap = Recap(agreement.id, agreement.name, agreement.next_invoice_date, Decimal(amount))
    house.manage.recaps_[agreement.id] = recap


def night(house: House, run: str = NIGHT) -> None:
    start_run(house.ports, run, "nightly", [1, 2])
    house.work_until_done(run)
    house.clock.pass_by(days=1)


def test_a_night_without_changes_asks_once_for_all_companies(house):
    night(house)
    assert dict(house.manage.calls) == {"agreements": 2, "additions": 2, "recaps": 1}
    assert house.kinds(1) == house.kinds(2) == []


def test_a_mismatch_is_a_finding_that_closes_once_they_agree_and_nothing_waits_for_it(house):
    forecast(house, 2, "150.00")
    house.count(2, b.count(6, customer="tenant-2"))
    night(house)
    assert (house.kinds(1), house.kinds(2)) == ([], ["forecast-mismatch"])
    assert "forecasts 150.00" in house.state(2).findings["forecast-mismatch", "forecast/1002"].finding.text
    assert max(line.quantity for line in house.manage.lines.values()) == 6

    lines = [line for line in house.manage.lines.values() if line.agreement_id == 1002]
    forecast(house, 2, str(sum(line.quantity * line.unit_price for line in lines)))
    night(house, NEXT)
    assert house.kinds(2) == []


def test_who_may_not_read_forecasts_is_not_bothered_and_what_was_told_stays(house):
    forecast(house, 2, "150.00")
    night(house)
    house.manage.recaps_.clear()
    night(house, NEXT)
    assert (house.kinds(1), house.kinds(2)) == ([], ["forecast-mismatch"])
    rows = house.ports.runs.rows(NEXT)
    assert {row.report.outcome for row in rows if row.report} == {Outcome.UNCHANGED}

    house.rules(b.rules(guards=Guards(compare_forecast=CompareForecast.NONE)))
    house.manage.calls.clear()
    night(house, THIRD)
    assert (house.kinds(2), house.manage.calls["recaps"]) == ([], 0)


def test_only_the_nights_first_look_compares(house):
    forecast(house, 1, "150.00")
    house.sync(1)
    house.sync(1, run="2026-11-20-nightly")
    assert (house.kinds(1), house.manage.calls["recaps"]) == ([], 0)
    house.sync(1, run=NIGHT)
    assert (house.kinds(1), house.manage.calls["recaps"]) == (["forecast-mismatch"], 1)
