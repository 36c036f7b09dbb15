"""The fleet breaker: a source that makes many companies smaller at once is looked at by a person first."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from shared.billing.findings import FindingKind
from shared.billing.limits import FleetLimit, Guards, ReductionLimit
from shared.billing.rules import Mode
from shared.state.company_state import MSP
from shared.state.records import Outcome
from shared.sync import demand, views
from shared.sync.lanes import start_run
from shared.sync.ports import Limits
from tests import builders as b
from tests.fakes.house import House, Killed

D = Decimal
LOOSE = Guards(ReductionLimit(D(100), D(0), D(1000), D(100_000)), all_to_zero=False)
FINDING = (FindingKind.HELD.value, f"fleet/{b.SOURCE}")
COMPANIES = range(1, 13)


def a_house(lanes: int = 1, after: int = 4, percent: int = 20) -> House:
    """Twelve companies with ten seats each; the breaker looks after four."""
    house = House(Limits(lanes=lanes))
    house.rules(b.rules(guards=LOOSE, fleet=FleetLimit(D(percent), after)))
    for company in COMPANIES:
        house.company(company, [b.count(10)])
    run(house, "first")
    return house


def run(house: House, name: str, kind: str = "nightly", companies=COMPANIES) -> list:
    start_run(house.ports, name, kind, companies)
    house.work_until_done(name)
    return house.ports.runs.rows(name)


def all_to(house: House, quantity: int, companies=COMPANIES) -> None:
    for company in companies:
        house.count(company, b.count(quantity))


def written(rows: list) -> int:
    return sum(bool(row.report.written) for row in rows)


def findings(house: House) -> dict:
    return house.ports.company_state.load(MSP).findings


def test_after_enough_companies_that_reduce_the_rest_of_the_run_is_only_planned():
    house = a_house()
    all_to(house, 8)

    rows = run(house, "night")
    assert written(rows) == 4
    rest = [row.report for row in rows if not row.report.written]
    assert {report.outcome for report in rest} == {Outcome.PLANNED}
    assert {report.note for report in rest} == {
        "only planned for microsoft365: too many companies of this run reduce or are held there"
    }
    assert house.ports.runs.header("night").stopped == (b.SOURCE,)
    assert (
        findings(house)[FINDING].finding.text == "In run night 4 of the first 4 companies reduce or are held for "
        "microsoft365, more than 20 %: for microsoft365 the rest of the run is only planned."
    )
    shown = views.run(house.ports, "night")
    assert shown["outcomes"] == {"applied": 4, "planned": 8}
    assert shown["note"] == "only planned for microsoft365 from then on"


def test_only_companies_that_apply_by_themselves_count_and_at_the_limit_the_run_goes_on():
    house = a_house(percent=50)
    for company in (company for company in COMPANIES if company % 2):
        house.company(company, [b.count(10)], mode=Mode.OBSERVE)
    all_to(house, 8)
    assert written(run(house, "night")) == 4

    house = a_house(percent=100)
    all_to(house, 8)
    assert written(run(house, "night")) == 12
    assert findings(house) == {}


def test_increases_and_companies_without_changes_stop_nothing():
    house = a_house()
    all_to(house, 15, range(1, 9))

    assert written(run(house, "night")) == 8
    assert house.ports.runs.header("night").stopped == ()


def test_companies_that_are_held_count_like_those_that_reduce():
    house = a_house()
    house.rules(b.rules(guards=replace(LOOSE, changes_per_day=0), fleet=FleetLimit(D(20), 4)))
    all_to(house, 15)
    run(house, "night")

    tally = house.ports.runs.tally("night")[b.SOURCE]
    assert (tally.companies, tally.moving) == (12, 12)


def test_once_stopped_a_run_stays_so_although_others_do_not_reduce():
    house = a_house()
    all_to(house, 8, range(1, 13))
    start_run(house.ports, "night", "nightly", COMPANIES)
    while house.ports.runs.header("night").stopped == ():
        house._one_step()
    all_to(house, 11)
    before = house.manage.writes
    house.work_until_done("night")

    assert house.manage.writes == before


def test_a_run_on_demand_goes_on_after_a_person_has_looked_and_closes_the_finding():
    house = a_house()
    all_to(house, 8)
    run(house, "night")

    one = demand.sync_in_run(house.ports, [1, 2, 3], None)
    house.work_until_done(one)
    assert FINDING in findings(house), "three companies prove nothing"

    everything = demand.sync_in_run(house.ports, None, None)
    house.work_until_done(everything)
    assert {line.quantity for line in house.manage.lines.values() if line.cancelled_date is None} == {D(8)}
    assert findings(house) == {}

    all_to(house, 6)
    again = demand.sync_in_run(house.ports, None, None)
    house.work_until_done(again)
    assert written(house.ports.runs.rows(again)) == 4, "the next time somebody has to look again"


def test_a_sound_night_closes_the_finding_and_a_night_that_stops_again_keeps_it():
    house = a_house()
    all_to(house, 8)
    run(house, "night")
    run(house, "next")
    assert FINDING in findings(house)

    all_to(house, 10)
    run(house, "sound")
    assert findings(house) == {}


def test_one_company_asked_for_by_a_person_is_written():
    house = a_house()
    all_to(house, 8)
    rows = run(house, "night")
    left = next(row.company for row in rows if not row.report.written)

    assert house.sync(left, run="a person's").report.outcome is Outcome.APPLIED


@pytest.mark.parametrize("lanes", [1, 3, 8])
def test_every_company_is_counted_once_whatever_the_lanes_and_however_often_workers_die(lanes):
    house = a_house(lanes=lanes, after=100)
    all_to(house, 8, range(1, 6))
    start_run(house.ports, "night", "nightly", COMPANIES)
    for distance in (23, 61, 83, 49):
        house.fate.die_at = house.fate.steps + distance
        try:
            for _ in range(12):
                house._one_step()
        except Killed:
            house.revive()
    house.fate.die_at = None
    house.work_until_done("night")

    sound = {row.company for row in house.ports.runs.rows("night") if row.report.outcome is not Outcome.FAILED}
    assert len(sound) >= 10
    tally = house.ports.runs.tally("night")[b.SOURCE]
    assert (tally.companies, tally.moving) == (len(sound), len(sound & set(range(1, 6))))


def test_with_many_lanes_at_once_no_more_are_written_than_were_in_flight():
    house = a_house(lanes=3)
    all_to(house, 8)

    assert written(run(house, "night")) <= 4 + 3


def test_a_company_that_could_not_be_read_is_not_counted():
    house = a_house()
    house.source.failing = dict.fromkeys((f"tenant-{company}" for company in COMPANIES), b.FailureKind.READ_FAILED)
    run(house, "night")

    assert house.ports.runs.tally("night") == {}


def test_an_unchanged_company_costs_no_further_round_trip_for_being_counted():
    house = a_house()
    run(house, "quiet")
    start_run(house.ports, "night", "nightly", COMPANIES)
    costs = []
    for _ in range(7):
        trips = house.tables.round_trips
        house._one_step()
        costs.append(house.tables.round_trips - trips)

    # A step that is the first to need the rules reads them besides; that is not the company's.
    assert sorted(costs)[3] <= 8
