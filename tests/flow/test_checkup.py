"""The check-up says what stands in the way of a night, and changes nothing while it looks."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from shared.billing.rules import Schedule
from shared.environment import ShownSetting
from shared.errors import NotPermitted, Retryable
from shared.state.poison import PoisonMessage
from shared.sync import lanes, night
from shared.sync.checkup import check_up
from shared.sync.setup import first_steps
from tests import builders as b
from tests.fakes.app import app_for
from tests.fakes.browser import Browser
from tests.fakes.house import House
from tests.flow.test_console import PLATFORM, READER

NIGHTLY = (Schedule("nightly", "nightly", "0 2 * * *"),)


@pytest.fixture
def house() -> House:
    """A house after its first night."""
    house = House()
    house.rules(b.rules(schedules=NIGHTLY))
    house.company(1, [b.count(1)])
    night.tick(house.ports)
    house.clock.pass_by(days=1)
    night.tick(house.ports)
    while len(house.queue):
        with house.queue.next_message() as (message, deliveries):
            lanes.work(house.ports, message, deliveries)
    return house


def troubles(house: House) -> dict[str, str]:
    """What is wrong, by the check that found it."""
    return {check.name: " ".join(check.problems) for check in check_up(house.ports) if check.problems}


def test_after_a_good_night_everything_is_in_order_and_nothing_is_changed(house: House) -> None:
    house.tables.calls.clear()
    house.manage.calls.clear()

    checks = list(check_up(house.ports))

    assert [check.name for check in checks] == [
        "storage",
        "ConnectWise Manage",
        b.SOURCE,
        "store's Manage",
        "rules",
        "schedules",
        "last night",
        "poison",
        "alarms",
    ]
    assert troubles(house) == {}
    assert {operation for operation, _ in house.tables.calls} == {"get", "query"}
    assert set(house.manage.calls) == {"companies", "agreements", "additions", "callbacks"}
    assert len(house.queue) == 0


def test_each_missing_permission_of_manage_is_told_with_what_to_grant(house: House) -> None:
    def fault(moment: str, method: str) -> None:
        if moment == "before" and method in ("companies", "agreements", "callbacks"):
            raise NotPermitted(f"no {method}", system="Manage", status=403, remedy=f"Grant {method}.")

    house.manage.fault = fault

    assert troubles(house) == {
        "ConnectWise Manage": "Manage: no companies. Grant companies. Manage: no agreements. Grant agreements. "
        "Manage: no callbacks. Grant callbacks."
    }


def test_where_manage_lets_nobody_in_it_is_asked_once(house: House) -> None:
    def fault(moment: str, method: str) -> None:
        raise NotPermitted("wrong keys", system="Manage", status=401, remedy="Check the keys.")

    house.manage.fault = fault
    house.manage.calls.clear()

    assert troubles(house) == {"ConnectWise Manage": "Manage: wrong keys. Check the keys."}
    assert house.manage.calls.total() == 1


def test_a_source_that_cannot_be_read_says_why(house: House) -> None:
    house.source.broken = Retryable("does not answer", system="Microsoft 365")

    assert troubles(house) == {b.SOURCE: "Microsoft 365: does not answer"}


def test_where_the_queue_cannot_be_asked_what_stands_in_the_store_is_left_out(house: House) -> None:
    house.queue.broken = NotPermitted("queue sync: no", system="storage", remedy="Give the role.")

    checks = list(check_up(house.ports))

    assert checks[0].problems == ("storage: queue sync: no. Give the role.",)
    assert [check.name for check in checks] == ["storage", "ConnectWise Manage", b.SOURCE, "alarms"]


def test_rules_without_a_night_are_no_night(house: House) -> None:
    house.rules(b.rules())

    assert troubles(house)["schedules"].startswith("No schedule has the job nightly")


def test_a_night_that_nobody_starts_is_noticed_by_schedule_and_by_age(house: House) -> None:
    house.clock.pass_by(days=2)

    assert set(troubles(house)) == {"schedules", "last night"}
    assert "nobody started it" in troubles(house)["schedules"]
    assert "more than 26 hours ago" in troubles(house)["last night"]


def test_times_that_no_tick_has_seen_are_told(house: House) -> None:
    house.rules(b.rules(schedules=(Schedule("nightly", "nightly", "0 4 * * *"),)))

    assert "no tick has seen these times yet" in troubles(house)["schedules"]


def test_a_company_that_failed_in_the_night_is_counted() -> None:
    house = House()
    house.rules(b.rules(schedules=NIGHTLY))
    house.company(1, [b.count(1)])
    lanes.start_run(house.ports, "night", "nightly", [1])
    with house.queue.next_message() as (message, _):
        lanes.work(house.ports, message, 4)

    assert "1 of 1 companies failed. /console/runs/night says why." in troubles(house)["last night"]
    page = Browser(app_for(house.ports, PLATFORM), READER).get("/console/setup")
    assert '<a href="/console/runs/night">/console/runs/night</a> says why.' in page.text


def test_times_are_told_in_the_zone_of_the_msp(house: House) -> None:
    house.clock.pass_by(days=2)
    house.ports = replace(house.ports, time_zone=ZoneInfo("America/New_York"))

    assert "was due at 22 Nov 2026, 21:00 EST and" in troubles(house)["schedules"]
    assert "The last one began at 21 Nov 2026, 21:00 EST, more" in troubles(house)["last night"]


def test_before_the_first_night_it_says_how_to_get_one() -> None:
    house = House()

    assert troubles(house)["last night"].startswith("No night has run yet")


def test_messages_that_nobody_could_work_on_are_counted(house: House) -> None:
    house.ports.poison.put(PoisonMessage("m1", "text", house.clock.now() - timedelta(hours=3)))

    assert troubles(house)["poison"].startswith("1 could not be worked on, the oldest since ")


def shown(house: House, **values: str) -> None:
    house.ports = replace(house.ports, settings=tuple(ShownSetting(name, "", value) for name, value in values.items()))


@pytest.mark.parametrize(
    ("settings", "warnings"),
    [
        ({}, ["NOTICE_ALERTS"]),
        ({"NOTICE_ALERTS": "mail:desk@birchline.example"}, []),
        ({"NOTICE_ALERTS": "teams:desk", "MICROSOFT_CREDENTIAL": "secret"}, ["NOTICE_SECRETS_END"]),
        ({"NOTICE_ALERTS": "teams:desk", "MICROSOFT_CREDENTIAL": "certificate"}, []),
        (
            {
                "NOTICE_ALERTS": "teams:desk",
                "MICROSOFT_CREDENTIAL": "secret",
                "NOTICE_SECRETS_END": "microsoft=2027-03-01",
            },
            [],
        ),
    ],
)
def test_nobody_who_hears_alarms_is_a_warning_in_check_up_and_first_steps_and_no_trouble(house, settings, warnings):
    shown(house, **settings)

    (told,) = [check.warnings for check in check_up(house.ports) if check.name == "alarms"]

    assert [name for sentence in told for name in re.findall("NOTICE_(?:ALERTS|SECRETS_END)", sentence)] == warnings
    (step,) = [each for each in first_steps(house.ports, settings=False)["checks"] if each["name"] == "alarms"]
    assert step["warnings"] == list(told)
    assert troubles(house) == {}
