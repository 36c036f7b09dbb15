"""The store remembers to which Manage it belongs; with settings that name another one nothing is read or written."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.billing.rules import Schedule
from shared.errors import OtherManage
from shared.state.own_manage import ManageName, OwnManage
from shared.state.records import Outcome
from shared.sync import inbox, lanes, night, views
from shared.sync.checkup import check_stored
from shared.sync.setup import first_steps
from shared.sync.undo import undo
from tests import builders as b
from tests.fakes.house import House
from tests.flow.test_erasing import BOSS

OTHERS = [ManageName("globex", "na.myconnectwise.net"), ManageName("acme", "staging.connectwisedev.com")]
OTHER = OTHERS[0]


@pytest.fixture
def house() -> House:
    """A company with a line of ours, which should be changed by the next look."""
    house = House()
    house.rules(b.rules(schedules=(Schedule("nightly", "nightly", "0 2 * * *"),)))
    house.company(1, [b.count(4)])
    assert house.sync(1).report.outcome is Outcome.APPLIED
    house.count(1, b.count(9))
    house.manage.calls.clear()
    return house


def with_settings_of(house: House, named: ManageName) -> None:
    """A new process, with other settings."""
    house.revive()
    house.ports = replace(house.ports, own_manage=OwnManage(house.tables, named))


def stored(house: House) -> dict[tuple[str, str, str], object]:
    return {(table, row.partition, row.row): row.values for table, row in house.tables.everything()}


@pytest.mark.parametrize("other", OTHERS, ids=str)
def test_with_another_manage_no_company_is_looked_at_and_nothing_is_stored(house: House, other: ManageName) -> None:
    with_settings_of(house, other)
    before = stored(house)

    with pytest.raises(OtherManage, match=f"the store belongs to company acme at .*, but the settings name {other}"):
        house.sync(1)
    with pytest.raises(OtherManage):
        undo(house.ports, 1, "run", BOSS)

    assert house.manage.calls.total() == 0
    assert stored(house) == before


def test_no_night_begins_and_a_run_that_was_open_fails_for_its_companies_with_the_reason(house: House) -> None:
    night.tick(house.ports)
    lanes.start_run(house.ports, "open", "demand", [1])
    with_settings_of(house, OTHER)
    house.clock.pass_by(days=1)

    (told,) = night.tick(house.ports)
    house.work_until_done("open")

    assert "the store belongs to company acme" in told
    assert [header.id for header in house.ports.runs.headers(9)] == ["open"]
    (row,) = house.ports.runs.rows("open")
    assert row.report is not None
    assert row.report.outcome is Outcome.FAILED
    assert "the store belongs to company acme" in (row.report.note or "")
    assert house.manage.calls.total() == 0


def test_it_is_told_by_the_doctor_the_first_steps_the_approvals_and_the_status(house: House) -> None:
    assert house.ports.own_manage.problem() is None
    assert views.status(house.ports)["nothing_written"] is None

    with_settings_of(house, OTHER)
    (problem,) = next(check.problems for check in check_stored(house.ports) if check.name == "store's Manage")

    assert "Put MANAGE_SITE (or MANAGE_BASE_URL) and MANAGE_COMPANY back" in problem
    assert "python dev.py store same-manage" in problem
    assert views.status(house.ports)["nothing_written"] == problem
    assert inbox.waiting(house.ports)["nothing_written"] == problem
    shown = {check["name"]: check["problems"] for check in first_steps(house.ports, settings=False)["checks"]}
    assert shown["store's Manage"] == [problem]


def test_settings_put_back_go_on_and_the_case_of_the_company_says_nothing(house: House) -> None:
    with_settings_of(house, OTHER)
    with pytest.raises(OtherManage):
        house.sync(1)

    with_settings_of(house, ManageName("ACME", "na.myconnectwise.net"))

    assert house.sync(1).report.outcome is Outcome.APPLIED


def test_the_same_manage_under_a_new_name_goes_on_once_a_person_says_so(house: House) -> None:
    with_settings_of(house, OTHER)

    assert house.ports.own_manage.rename() == (ManageName("acme", "na.myconnectwise.net"), OTHER)

    assert house.sync(1).report.outcome is Outcome.APPLIED
    assert house.ports.own_manage.problem() is None


def test_a_store_that_does_not_say_it_takes_the_settings_at_the_first_look_and_looks_alone_do_not_say_it() -> None:
    house = House()
    house.rules(b.rules())
    house.company(1, [b.count(4)])
    with_settings_of(house, OTHER)
    list(check_stored(house.ports))
    assert house.tables.rows("Manage", "own") == []

    house.sync(1)

    with_settings_of(house, OTHERS[1])
    with pytest.raises(OtherManage, match="belongs to company globex"):
        house.sync(1)


def test_of_two_workers_that_say_it_first_with_different_settings_one_is_refused(house: House) -> None:
    tables = House().tables
    one, two = OwnManage(tables, OTHERS[0]), OwnManage(tables, OTHERS[1])

    def meanwhile(moment: str, operation: str, table: str) -> None:
        if (moment, operation) == ("before", "insert"):
            tables.fault = None
            one.hold()

    tables.fault = meanwhile
    with pytest.raises(OtherManage, match="belongs to company globex"):
        two.hold()


def test_a_process_asks_the_store_once(house: House) -> None:
    with_settings_of(house, ManageName("acme", "na.myconnectwise.net"))
    house.tables.calls.clear()

    for _ in range(3):
        house.sync(1)

    assert house.tables.calls["get", "Manage"] == 1
