"""What callbacks lead to: one look per company, in one run, none because of our own writes; and our registration."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest

from shared.billing.rules import CompanyRules, Mode, Schedule
from shared.callbacks import Callback
from shared.errors import Busy, NotPermitted, Refused, Retryable
from shared.state.callbacks import Heard
from shared.state.company_state import MSP
from shared.state.due import TABLE as DUE_TABLE
from shared.state.records import Outcome
from shared.sync import callbacks, demand, due, lanes, night, registration, views
from shared.sync.ports import Limits
from tests import builders as b
from tests.fakes.house import CALLBACK_URL, House, Killed

REGISTERED = f"{CALLBACK_URL}?recordId="
FIRST = "2026-11-21-nightly"


@pytest.fixture
def house() -> House:
    house = House(Limits(lanes=2))
    house.rules(b.rules(schedules=(Schedule("nightly", "nightly", "0 2 * * *"),)))
    for company in range(1, 8):
        house.company(company, [b.count(company)])
    return house


def told(company: int | None, *, type_: str = "agreement", record: int = 1001, **values: str) -> Callback:
    return Callback(values.get("message", uuid4().hex), type_, record, company, values.get("member", "jdoe"))


def look_when_due(house: House) -> str | None:
    """The message of the due companies arrives."""
    house.clock.time = max(house.clock.time, house.queue.due_at.pop(0))
    due.called(house.ports)
    runs = [header.id for header in house.ports.runs.open_headers() if header.kind == due.KIND]
    return runs[0] if runs else None


def companies_of(house: House, run: str) -> list[int]:
    return [row.company for row in house.ports.runs.rows(run)]


# Becoming due


def test_fifty_callbacks_of_one_company_are_one_message_and_one_sync_a_minute_later(house):
    for number in range(50):
        assert callbacks.receive(house.ports, told(3, record=1000 + number % 4)) is Heard.DUE
        house.clock.pass_by(seconds=1)
    assert len(house.queue) == 0
    assert len(house.queue.due_at) == 1
    run = look_when_due(house)
    house.work_until_done(run)

    assert companies_of(house, run) == [3]
    assert house.source.reads == {"tenant-3": 1}
    assert house.ports.due.all() == []
    assert house.queue.due_at == []


def test_five_hundred_companies_are_one_run_in_the_lanes_there_are():
    house = House(Limits(lanes=8))
    house.rules(b.rules())
    for company in range(1, 501):
        house.company(company, [b.count(1)])
        callbacks.receive(house.ports, told(company))
    assert len(house.queue.due_at) == 1
    run = look_when_due(house)

    assert companies_of(house, run) == list(range(1, 501))
    assert len(house.queue) == 8
    assert house.ports.due.all() == []


def test_a_company_that_becomes_due_while_others_are_looked_at_waits_for_the_next_run(house):
    callbacks.receive(house.ports, told(1))
    first = look_when_due(house)
    callbacks.receive(house.ports, told(2))
    house.clock.pass_by(minutes=2)
    due.called(house.ports)
    assert [header.id for header in house.ports.runs.open_headers()] == [first]
    house.work_until_done(first)
    second = due.look(house.ports)

    assert companies_of(house, second) == [2]


def test_who_is_due_later_gets_a_message_of_its_own_when_the_first_one_arrives(house):
    callbacks.receive(house.ports, told(1))
    house.clock.pass_by(seconds=40)
    callbacks.receive(house.ports, told(2))
    run = look_when_due(house)

    assert companies_of(house, run) == [1]
    assert [at - house.clock.now() for at in house.queue.due_at] == [timedelta(seconds=40)]


def test_a_callback_while_its_company_is_taken_up_has_it_looked_at_again(house):
    callbacks.receive(house.ports, told(1))
    house.clock.pass_by(minutes=1)
    read = house.ports.due.all()
    callbacks.receive(house.ports, told(1))
    house.ports.due.done(read)

    assert [company.times for company in house.ports.due.all()] == [2]


def test_of_many_that_are_taken_up_only_who_became_due_meanwhile_stays(house):
    for company in range(1, 251):
        house.ports.due.add(company, house.clock.now())
    read = house.ports.due.all()
    house.ports.due.add(7, house.clock.now())
    house.ports.due.add(205, house.clock.now())
    house.ports.due.done(read)

    assert [company.company for company in house.ports.due.all()] == [7, 205]


@pytest.mark.parametrize("broken", ["queue", "message lost"])
def test_without_the_message_the_watchdog_finds_who_is_due(house, broken):
    if broken == "queue":
        house.queue.broken = Retryable("no answer", system="storage")
    assert callbacks.receive(house.ports, told(4)) is Heard.DUE
    house.queue.due_at.clear()
    assert due.look(house.ports) is None
    house.clock.pass_by(minutes=2)
    run = due.look(house.ports)

    assert companies_of(house, run) == [4]


def test_a_message_that_was_lost_is_replaced_by_the_next_callback_five_minutes_on(house):
    for minutes in (0, 4, 3):
        house.clock.pass_by(minutes=minutes)
        callbacks.receive(house.ports, told(4))
    assert len(house.queue.due_at) == 2


def test_killed_anywhere_between_callback_and_sync_the_company_is_looked_at(house):
    steps = undisturbed_steps()
    assert steps > 10
    for step in range(1, steps + 1):
        house = one_company()
        message = told(1)
        house.fate.die_at = house.fate.steps + step
        with suppress(Killed):
            whole_way(house, message)
        house.revive()
        house.fate.die_at = None
        whole_way(house, message)
        assert house.manage.said() == [line for line in house.manage.said() if line[2] == 5], step
        assert house.manage.calls["create"] == 1, step
        assert house.ports.due.all() == [], step


def one_company() -> House:
    house = House(Limits(lanes=2))
    house.rules(b.rules())
    house.company(1, [b.count(5)])
    return house


def whole_way(house: House, message: Callback) -> None:
    """As the platform does it: Manage sends again what was not answered, the watchdog comes by, the queue is worked."""
    callbacks.receive(house.ports, message)
    house.clock.pass_by(minutes=2)
    due.look(house.ports)
    for header in house.ports.runs.open_headers():
        house.work_until_done(header.id)
    house.clock.pass_by(minutes=30)
    due.look(house.ports)
    for header in house.ports.runs.open_headers():
        house.work_until_done(header.id)


def undisturbed_steps() -> int:
    house = one_company()
    before = house.fate.steps
    whole_way(house, told(1))
    return house.fate.steps - before


# Which company


def test_an_agreement_without_a_company_is_looked_up_once(house):
    assert callbacks.receive(house.ports, told(None, record=1005)) is Heard.DUE
    assert [company.company for company in house.ports.due.all()] == [5]
    assert house.manage.calls["agreement"] == 1


@pytest.mark.parametrize(
    "callback",
    [
        told(None, record=9999),
        told(None, type_="productcatalog", record=88),
        told(None, type_="ticket"),
        told(999),
        told(8, type_="company", record=8),
    ],
    ids=["agreement gone", "product", "another type", "company not known", "company without a link"],
)
def test_what_concerns_no_company_of_ours_is_ignored_and_counted(house, callback):
    house.ports.companies.put_rules(CompanyRules(8, "Company 8", Mode.AUTO))
    assert callbacks.receive(house.ports, callback) is Heard.IGNORED
    assert house.ports.due.all() == []
    assert views.status(house.ports)["callbacks"] == {"due": 0, "heard": {"ignored": 1}}


@pytest.mark.parametrize("error", [Retryable("503", system="Manage"), NotPermitted("403", system="Manage")])
def test_a_look_up_that_fails_leaves_it_to_the_night(house, error):
    def fault(moment: str, method: str) -> None:
        raise error

    house.manage.fault = fault
    assert callbacks.receive(house.ports, told(None)) is Heard.IGNORED


# Repeated messages


def test_a_message_that_is_sent_again_does_nothing(house):
    message = told(3)
    assert callbacks.receive(house.ports, message) is Heard.DUE
    run = look_when_due(house)
    house.work_until_done(run)
    for _ in range(100):
        assert callbacks.receive(house.ports, message) is Heard.REPEATED
    assert house.ports.due.all() == []
    assert house.queue.due_at == []


def test_messages_are_remembered_for_three_days(house):
    message = told(3)
    callbacks.receive(house.ports, message)
    house.clock.pass_by(days=2)
    callbacks.forget_old(house.ports)
    assert house.ports.callbacks.is_known(message.message)
    house.clock.pass_by(days=2)
    night.nightly(house.ports)
    assert not house.ports.callbacks.is_known(message.message)


# Our own writes


def after_a_night(house: House, companies: int = 7) -> None:
    night.nightly(house.ports)
    house.work_until_done(FIRST)
    assert house.manage.calls["create"] == companies


def test_a_night_over_many_companies_makes_none_of_them_due(house):
    after_a_night(house)
    for company in range(1, 8):
        assert callbacks.receive(house.ports, told(company, member="APISync")) is Heard.ECHO
        assert callbacks.receive(house.ports, told(company, member="")) is Heard.ECHO
    assert house.ports.due.all() == []
    assert house.queue.due_at == []


def test_a_person_who_edits_right_after_our_write_is_heard(house):
    after_a_night(house)
    assert callbacks.receive(house.ports, told(3, member="jdoe")) is Heard.DUE


def test_what_our_login_changes_later_is_somebody_elses_work_and_is_heard(house):
    after_a_night(house)
    house.clock.pass_by(seconds=house.ports.limits.settling)
    assert callbacks.receive(house.ports, told(3, member="apisync")) is Heard.DUE


def test_while_a_company_is_worked_on_only_other_logins_are_heard(house):
    after_a_night(house)
    house.clock.pass_by(hours=1)
    house.ports.companies.take_lease(3, "a worker", 300, house.clock.now())
    assert callbacks.receive(house.ports, told(3, member="apisync")) is Heard.ECHO
    assert callbacks.receive(house.ports, told(3, member="jdoe")) is Heard.DUE


def test_a_late_echo_leads_to_one_sync_that_writes_nothing(house):
    after_a_night(house)
    writes = house.manage.writes
    house.clock.pass_by(hours=1)
    assert callbacks.receive(house.ports, told(3, member="apisync")) is Heard.DUE
    run = look_when_due(house)
    house.work_until_done(run)

    assert house.manage.writes == writes
    assert house.ports.companies.get(3).last_outcome == Outcome.UNCHANGED


# Everything at once


def test_night_demand_and_callback_at_once_write_each_line_once(house):
    """Three hosts on one store: real threads, so that every run is another interleaving."""
    callbacks.receive(house.ports, told(3))
    house.clock.pass_by(minutes=1)
    start = threading.Barrier(3)
    errors: list[BaseException] = []

    def at_once(work) -> threading.Thread:
        def run() -> None:
            start.wait(10)
            try:
                work()
            except Busy:
                pass
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    works = (
        lambda: night.nightly(house.ports),
        lambda: demand.sync_now(house.ports, 3, None, "api"),
        lambda: due.called(house.ports),
    )
    for thread in [at_once(work) for work in works]:
        thread.join(30)
    assert errors == []
    while header := next(iter(house.ports.runs.open_headers()), None):
        house.work_until_done(header.id)

    stamps = [line.serial_number for line in house.manage.lines.values()]
    assert len(stamps) == len(set(stamps)) == 7
    assert {line.quantity for line in house.manage.lines.values()} == {Decimal(number) for number in range(1, 8)}


# Our registration


def entries(house: House) -> list[tuple[str, str]]:
    return sorted((entry.type, entry.url) for entry in house.manage.entries.values())


BOTH = [("agreement", REGISTERED), ("company", REGISTERED)]


def test_the_night_registers_what_is_missing_once(house):
    for _ in range(2):
        night.nightly(house.ports)
        house.clock.pass_by(days=1)
    assert entries(house) == BOTH
    assert house.manage.calls["register"] == 2


def test_the_night_repairs_what_somebody_changed_and_leaves_what_is_not_ours(house):
    foreign = [
        house.manage.registered("https://another.test/api/callbacks/manage?recordId=", "agreement"),
        house.manage.registered("https://trueup.test/another", "company"),
    ]
    registration.keep_registered(house.ports)
    agreement, company = (
        next(entry for entry in house.manage.entries.values() if entry.type == type_ and entry not in foreign)
        for type_ in registration.TYPES
    )
    house.manage.entries[agreement.id] = replace(agreement, active=False)
    house.manage.entries[company.id] = replace(company, level="territory")
    doubled = house.manage.registered(REGISTERED, "agreement")
    unwanted = house.manage.registered(REGISTERED, "ticket")
    assert registration.keep_registered(house.ports) == []

    left = house.manage.entries
    assert [left.get(entry.id) for entry in foreign] == foreign
    assert sorted(entry.type for entry in left.values() if entry not in foreign) == ["agreement", "company"]
    assert doubled.id in left
    assert unwanted.id not in left
    assert all(entry.active and entry.level == "owner" for entry in left.values())


def test_a_new_address_replaces_the_old_ones_entries(house):
    registration.keep_registered(house.ports)
    moved = replace(house.ports, callback_url="https://new.test/api/callbacks/manage")
    registration.keep_registered(moved)

    assert {url for _, url in entries(house)} == {"https://new.test/api/callbacks/manage?recordId="}


def test_without_an_address_nothing_is_registered_and_nothing_asked(house):
    registration.keep_registered(replace(house.ports, callback_url=None))

    assert house.manage.calls.total() == 0


@pytest.mark.parametrize("with_address", [True, False])
def test_removal_takes_ours_and_nothing_else(house, with_address):
    foreign = house.manage.registered("https://another.test/api/callbacks/manage?recordId=", "agreement")
    registration.keep_registered(house.ports)
    ports = house.ports if with_address else replace(house.ports, callback_url=None)

    assert registration.remove(ports) == 2
    assert house.manage.entries == {foreign.id: foreign}
    assert registration.remove(ports) == 0


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (NotPermitted("403", system="Manage", remedy="Give the role."), "settings"),
        (Refused("400 ObjectExists", system="Manage"), "settings"),
        (Retryable("503", system="Manage"), "read-failed"),
    ],
)
@pytest.mark.parametrize("method", ["callbacks", "register", "unregister"])
def test_a_refusal_is_a_finding_that_heals_and_the_night_runs(house, method, error, kind):
    house.manage.registered(REGISTERED, "ticket")

    def fault(moment: str, called: str) -> None:
        if called == method:
            raise error

    house.manage.fault = fault
    assert "started" in night.nightly(house.ports)
    assert sorted(house.ports.company_state.load(MSP).findings) == [(kind, "callbacks")]

    house.manage.fault = lambda moment, called: None
    registration.keep_registered(house.ports)
    assert house.ports.company_state.load(MSP).findings == {}
    assert entries(house) == BOTH


def test_lanes_and_due_companies_do_not_meet(house):
    """A run over due companies is a run like any other: its companies wait for whoever has them."""
    lanes.start_run(house.ports, "night", "nightly", range(1, 8))
    callbacks.receive(house.ports, told(3))
    run = look_when_due(house)
    house.work_until_done("night")
    house.work_until_done(run)

    assert house.manage.calls["create"] == 7
    assert house.tables.rows(DUE_TABLE, "due") == []
