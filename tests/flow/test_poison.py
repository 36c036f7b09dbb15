"""Messages that nobody could work on: seen, tried again, dismissed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.errors import Gone, Refused
from shared.queues import DUE_MESSAGE, SyncMessage
from shared.state.company_state import MSP
from shared.state.records import Outcome
from shared.sync import lanes, poison, views
from shared.sync.due import make_due
from shared.sync.ports import Limits
from tests import builders as b
from tests.fakes.house import House


@pytest.fixture
def house() -> House:
    house = House(Limits(lanes=2))
    house.rules(b.rules())
    for company in range(1, 4):
        house.company(company, [b.count(company)])
    return house


def parked(house: House, run: str = "run") -> tuple[str, SyncMessage]:
    """A message of a run that nobody could work on; its id."""
    lanes.start_run(house.ports, run, "nightly", [1, 2])
    with house.queue.next_message() as (message, _):
        poison.note(house.ports, message.text())
    return the_id(house), message


def the_id(house: House) -> str:
    (message,) = house.ports.poison.all()
    return message.id


def findings(house: House) -> list[tuple[str, str]]:
    return sorted(house.ports.company_state.load(MSP).findings)


def test_the_status_tells_how_many_there_are_and_the_oldest(house):
    assert views.status(house.ports)["poison"] == {"count": 0, "oldest": None}
    first = house.clock.now()
    for text in ("no message", "another", "no message"):
        poison.note(house.ports, text)
        house.clock.pass_by(hours=1)

    assert views.status(house.ports)["poison"] == {"count": 2, "oldest": first.isoformat()}
    told = views.poison(house.ports)["messages"]
    assert [(each["text"], each["times"]) for each in told] == [("no message", 2), ("another", 1)]
    assert len(findings(house)) == 2


def test_a_retry_goes_on_where_the_run_still_waits_for_the_message(house):
    number, message = parked(house)
    house.clock.pass_by(minutes=10)
    assert poison.retry(house.ports, number) == "run"
    assert message in house.queue.waiting
    house.work_until_done("run")

    assert house.ports.runs.row("run", message.company).report.outcome is Outcome.APPLIED
    assert house.ports.runs.row("run", message.company).attempts == 0
    assert findings(house) == []
    assert house.ports.poison.all() == []


def test_a_retry_starts_a_run_where_the_messages_own_has_gone_on(house):
    number, message = parked(house)
    house.work_until_done("run")
    run = poison.retry(house.ports, number)
    house.work_until_done(run)

    assert run != "run"
    assert [row.company for row in house.ports.runs.rows(run)] == [message.company]
    assert house.manage.calls["create"] == 2


def test_a_retry_starts_a_run_where_the_watchdog_gave_the_company_to_another_message(house):
    number, message = parked(house)
    house.clock.pass_by(seconds=house.ports.limits.silence + 1)
    lanes.watch(house.ports)
    run = poison.retry(house.ports, number)

    assert run != "run"
    assert message not in house.queue.waiting
    for each in ("run", run):
        house.work_until_done(each)
    assert house.manage.calls["create"] == 2


def test_a_retry_of_the_call_for_due_companies_looks_at_them(house):
    make_due(house.ports, 3)
    house.clock.pass_by(minutes=2)
    poison.note(house.ports, DUE_MESSAGE)
    run = poison.retry(house.ports, the_id(house))

    assert [row.company for row in house.ports.runs.rows(run)] == [3]
    assert house.ports.poison.all() == []


TOO_LONG = SyncMessage("run", 1, "c" * 5000, None, 1).text()


@pytest.mark.parametrize("text", ["", "no message", "{}", "x" * 50_000, TOO_LONG])
def test_what_is_no_message_can_only_be_dismissed(house, text):
    poison.note(house.ports, text)
    number = the_id(house)
    with pytest.raises(Refused) as refused:
        poison.retry(house.ports, number)
    assert f"DELETE /api/poison/{number}" in refused.value.remedy
    assert len(findings(house)) == 1
    poison.dismiss(house.ports, number)

    assert findings(house) == []
    assert house.ports.poison.all() == []


def test_what_is_kept_and_shown_of_a_message_is_bounded(house):
    poison.note(house.ports, "\x00\u2028" + "x" * 100_000)
    (message,) = house.ports.poison.all()

    assert len(message.text) == poison.LONGEST
    assert len(views.poison(house.ports)["messages"][0]["text"]) <= 201
    ((_, open_),) = house.ports.company_state.load(MSP).findings.items()
    assert len(open_.finding.text) < 300


def test_a_message_of_a_company_that_is_not_known_stays_until_it_is_dismissed(house):
    poison.note(house.ports, SyncMessage("run", 99, "claim", None, 1).text())
    with pytest.raises(Gone, match="99"):
        poison.retry(house.ports, the_id(house))
    assert len(findings(house)) == 1


def test_an_unknown_id_is_gone(house):
    for act in (poison.retry, poison.dismiss):
        with pytest.raises(Gone, match="no message"):
            act(house.ports, "0123456789ab" * 100)


def test_a_week_after_its_run_it_is_forgotten(house):
    _, message = parked(house)
    poison.note(house.ports, "no message")
    house.clock.pass_by(days=8)
    poison.close_old(house.ports)
    assert [kept.text for kept in house.ports.poison.all()] == [message.text()]
    assert findings(house) == [("poison", f"run/{message.company}")]

    house.work_until_done("run")
    house.clock.time += timedelta(days=1)
    poison.close_old(house.ports)
    assert (house.ports.poison.all(), findings(house)) == ([], [])
