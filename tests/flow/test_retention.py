"""What the store lets go of: a little every night, and never what is still needed."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest

from shared.billing.lines import LedgerRow, LineValues, one_off_stamp
from shared.billing.rules import Retention
from shared.billing.seats import SeatDay, SeatRecord, Settled
from shared.errors import Retryable
from shared.rules.editing import Edit, Section
from shared.state.company_state import AddHistory, Put, StateKind
from shared.state.records import HistoryEntry
from shared.state.runs import RunHeader
from shared.sync import lanes, night, retention, rule_history, views
from shared.sync.approvals import Person
from shared.sync.rule_edits import edit_rules
from tests import builders as b
from tests.fakes.house import START, House
from tests.flow.test_history import CHANGE

PAT = Person("pat@birchline.example")
LONG_AGO = date(2024, 12, 1)


def house_with(kept: Retention = Retention()) -> House:  # noqa: B008
    house = House()
    house.rules(b.rules(retention=kept))
    house.company(1, [b.count(5)])
    house.company(2, [b.count(6)])
    return house


def remember(house: House, company: int, *days_ago: int) -> None:
    now = house.clock.now()
    entries = [
        HistoryEntry(f"h{number}", now - timedelta(days=days), "run", "night", 9, CHANGE)
        for number, days in enumerate(days_ago)
    ]
    house.ports.company_state.commit(company, [AddHistory(entry) for entry in entries])


def ages(house: House, company: int) -> list[int]:
    """How many days old the remembered entries of the long past are."""
    found = [entry for entry in house.ports.company_state.history(company, 5000) if entry.run == "run"]
    return sorted((house.clock.now() - entry.at).days for entry in found)


def a_night(house: House) -> str:
    night.nightly(house.ports)
    run = f"{house.clock.business_now().date().isoformat()}-nightly"
    house.work_until_done(run)
    return run


def test_within_a_week_of_nights_old_history_goes_and_everything_else_stays() -> None:
    house = house_with()
    a_night(house)
    said = house.manage.said()
    remember(house, 1, 1000, 740, 720, 61)
    remember(house, 2, 900)
    for _ in range(7):
        house.clock.pass_by(days=1)
        a_night(house)
    assert (ages(house, 1), ages(house, 2)) == ([68, 727], [])
    assert house.manage.said() == said
    assert len(house.state(1).ledger) == 1


def test_what_can_be_undone_is_kept_whatever_the_rules_say() -> None:
    house = house_with(Retention(history_days=1, runs_days=1))
    remember(house, 1, 61, 50)
    for _ in range(7):
        retention.prune(house.ports)
        house.clock.pass_by(days=1)
    house.clock.pass_by(days=-7)
    assert ages(house, 1) == [50]


def test_changes_of_the_rules_go_when_they_are_as_old_as_history_and_the_newest_stays() -> None:
    house = house_with()
    house.clock.pass_by(days=-1000)
    for days in (1, 279, 20, 500):
        edit_rules(house.ports, [Edit(Section.PROFILES, {"id": "premium", "name": f"After {days}"})], PAT)
        house.clock.pass_by(days=days)
    house.clock.pass_by(days=200)

    a_night(house)
    kept = rule_history.page(house.ports, 50, None)
    assert [entry["what"] for entry in kept["entries"]] == [
        ["profile premium: name After 20 → After 500"],
        ["profile premium: name After 279 → After 20"],
    ]
    assert kept["next"] is None
    assert house.ports.rules.load().profiles["premium"].name == "After 500"

    house.clock.pass_by(days=2000)
    a_night(house)
    assert len(rule_history.page(house.ports, 50, None)["entries"]) == 1


def test_a_night_lets_go_of_a_bounded_number_of_entries_and_the_next_goes_on() -> None:
    house = house_with()
    remember(house, 1, *range(800, 2000))
    left = []
    for _ in range(4):
        while house.clock.now().weekday() != 1:
            house.clock.pass_by(days=1)
        retention.prune(house.ports)
        left.append(len(ages(house, 1)))
        house.clock.pass_by(days=1)
    assert left == [700, 200, 0, 0]


def test_what_is_let_go_of_costs_no_run_anything() -> None:
    house = house_with()
    costs = []
    for number in range(9):
        house.clock.pass_by(days=1)
        lanes.start_run(house.ports, f"run {number}", "demand", [1, 2])
        trips = house.tables.round_trips
        house.work_until_done(f"run {number}")
        costs.append(house.tables.round_trips - trips)
    assert len(set(costs[2:])) == 1


def test_a_company_whose_old_history_does_not_go_keeps_no_other_from_letting_go() -> None:
    house = house_with()
    house.company(8, [b.count(7)])
    while house.clock.now().weekday() != 1:
        house.clock.pass_by(days=1)
    for company in (1, 8):
        remember(house, company, 1000)

    def fault(moment: str, operation: str, table: str) -> None:
        if (moment, operation, table) == ("before", "query", "CompanyState"):
            asked.append(table)
            if len(asked) == 2:  # the MSP's own comes first
                raise Retryable("no answer", system="storage")

    asked: list[str] = []
    house.tables.fault = fault
    retention.prune(house.ports)
    assert (ages(house, 1), ages(house, 8)) == ([1000], [])


def test_old_runs_go_with_their_rows_but_never_an_open_one() -> None:
    house = house_with()
    ended = [lanes.start_run(house.ports, name, "demand", [1, 2]) and name for name in ("old", "kept")]
    for name in ended:
        house.work_until_done(str(name))
    house.ports.runs.create(RunHeader("stuck", "demand", None, 1, house.clock.now()), [1])
    house.clock.pass_by(days=401)
    lanes.start_run(house.ports, "young", "demand", [1])
    house.work_until_done("young")
    retention.prune(house.ports)

    assert [header.id for header in house.ports.runs.headers(9)] == ["young", "stuck"]
    assert house.tables.rows("Runs", "old") == []
    assert house.ports.runs.header("old") is None
    assert [row.company for row in house.ports.runs.rows("stuck")] == [1]


def test_one_night_removes_old_runs_in_bounded_steps() -> None:
    house = house_with()
    for number in range(4):
        house.ports.runs.create(RunHeader(f"run {number}", "demand", None, 1, house.clock.now()), [])
        house.ports.runs.close(f"run {number}", house.clock.now())
    later = house.clock.now() + timedelta(days=500)
    assert house.ports.runs.prune(later, most=2) == 2
    assert house.ports.runs.prune(later, most=2) == 2
    assert house.ports.runs.prune(later, most=2) == 0


@pytest.mark.parametrize("step", range(1, 8))
def test_a_run_half_removed_by_a_worker_that_died_is_removed_by_the_next_night(step: int) -> None:
    house = house_with()
    lanes.start_run(house.ports, "old", "demand", [1, 2])
    house.work_until_done("old")
    house.clock.pass_by(days=401)
    writes = 0

    def fault(moment: str, operation: str, table: str) -> None:
        nonlocal writes
        writes += moment == "before" and table == "Runs"
        if writes == step:
            house.tables.fault = None
            raise Retryable("no answer", system="storage")

    house.tables.fault = fault
    retention.prune(house.ports)
    house.tables.fault = None
    retention.prune(house.ports)
    assert house.ports.runs.headers(9) == []
    assert house.tables.rows("Runs", "old") == []


# ---- seat records and one-off lines


def one_off(ended: date, day: date = LONG_AGO) -> LedgerRow:
    stamp = one_off_stamp(b.key(sku=b.STANDARD, on=1001), 89, day, 1)
    values = LineValues(89, Decimal(2), Decimal("6.67"), ended.replace(day=1), ended, stamp)
    return LedgerRow(stamp, b.key(sku=b.STANDARD, on=1001).for_one_off(), 77, "M365-BS", values)


def seats(seen: date, *periods: Settled) -> SeatRecord:
    return SeatRecord("1/1001/microsoft365/other/standing", (SeatDay(seen, Decimal(2), None),), seen, periods)


def after_a_sync(row: LedgerRow, record: SeatRecord) -> tuple[bool, bool]:
    """Whether the one-off row and the seat record are still there."""
    house = house_with()
    house.ports.company_state.commit(
        1, [Put(StateKind.LEDGER, row.stamp, row), Put(StateKind.SEATS, record.line, record)]
    )
    house.sync(1)
    state = house.state(1)
    assert len(state.ledger) == 1 + (row.stamp in state.ledger)  # the standing line is never let go of
    return row.stamp in state.ledger, record.line in state.seats


def test_one_off_rows_and_seat_records_go_400_days_after_their_end() -> None:
    today = START.date()
    old, young = today - timedelta(days=401), today - timedelta(days=399)
    assert after_a_sync(one_off(old), seats(old)) == (False, False)
    assert after_a_sync(one_off(young), seats(young)) == (True, True)


def test_a_one_off_row_stays_as_long_as_a_seat_record_remembers_its_period() -> None:
    today = START.date()
    old = today - timedelta(days=401)
    year = Settled(date(2024, 6, 1), date(2025, 5, 31), Decimal(2))
    assert after_a_sync(one_off(old), seats(today, year)) == (True, True)
    other = Settled(date(2025, 6, 1), date(2026, 5, 31), Decimal(2))
    assert after_a_sync(one_off(old), seats(today, other)) == (False, True)


# ---- the run ledger


def test_the_list_of_runs_proves_that_a_night_wrote_and_that_one_had_nothing_to_write() -> None:
    house = house_with()
    a_night(house)
    house.clock.pass_by(days=1)
    a_night(house)
    quiet, first = views.runs(house.ports)["runs"]
    assert (first["written"], first["outcomes"], first["companies"]) == ({"created": 2}, {"applied": 2}, 2)
    assert (quiet["written"], quiet["outcomes"], quiet["companies"]) == ({}, {"unchanged": 2}, 2)
    assert datetime.fromisoformat(quiet["ended"])
