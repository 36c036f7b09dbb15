"""Runs, lanes, the tick and the findings of the MSP itself."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from shared.billing.rules import CompanyRules, Mode, Schedule
from shared.errors import NotPermitted, OutcomeUnknown, Refused, Retryable
from shared.queues import SyncMessage
from shared.rules.reading import RulesProblem
from shared.state.company_state import MSP
from shared.state.records import Outcome
from shared.state.run_headers import RunHeader
from shared.sync import demand, lanes, msp, night, poison, rulebook, views
from shared.sync.ports import Limits
from tests import builders as b
from tests.fakes.house import FakeClock, House, Killed

NIGHTLY = (Schedule("nightly", "nightly", "0 2 * * *"),)


@pytest.fixture
def house() -> House:
    house = House(Limits(lanes=2))
    house.rules(b.rules(schedules=NIGHTLY))
    for company in range(1, 8):
        house.company(company, [b.count(company)])
    return house


def outcomes(house: House, run: str) -> dict[int, Outcome]:
    return {row.company: row.report.outcome for row in house.ports.runs.rows(run)}


def msp_findings(house: House) -> list[tuple[str, str]]:
    return sorted(house.ports.company_state.load(MSP).findings)


def test_a_run_ends_with_an_outcome_for_every_company_and_never_has_more_messages_than_lanes(house):
    lanes.start_run(house.ports, "run", "nightly", range(1, 8))
    most = len(house.queue)
    while len(house.queue):
        with house.queue.next_message() as (message, deliveries):
            lanes.work(house.ports, message, deliveries)
        most = max(most, len(house.queue))

    assert most == 2
    assert outcomes(house, "run") == dict.fromkeys(range(1, 8), Outcome.APPLIED)
    assert house.ports.runs.header("run").outcomes == {"applied": 7}
    assert house.ports.runs.header("run").ended


@dataclass
class ClockIn:
    """Business time as clocks on a wall there show it."""

    clock: FakeClock
    zone: ZoneInfo

    def now(self) -> datetime:
        return self.clock.now()

    def business_now(self) -> datetime:
        return self.clock.now().astimezone(self.zone)


@pytest.mark.parametrize(
    ("day", "starts"),
    [(datetime(2026, 3, 29), ["01:00"]), (datetime(2026, 10, 25), ["00:30"]), (datetime(2026, 10, 26), ["01:30"])],
)
def test_a_night_is_made_once_also_when_clocks_go_forward_over_its_time_or_back(house, day, starts):
    house.rules(b.rules(schedules=(Schedule("nightly", "nightly", "30 2 * * *"),)))
    house.clock.time = day.replace(tzinfo=UTC) - timedelta(hours=12)
    house.ports = replace(house.ports, clock=ClockIn(house.clock, ZoneInfo("Europe/Berlin")))
    started = []
    for _ in range(2 * 22):
        before = len(house.ports.runs.headers(10))
        night.tick(house.ports)
        started += [f"{house.clock.time:%H:%M}"] * (len(house.ports.runs.headers(10)) - before)
        house.clock.pass_by(minutes=30)
    assert started == starts
    assert [header.id for header in house.ports.runs.headers(10)] == [f"{day:%Y-%m-%d}-nightly"]


def test_one_companys_failure_never_stops_the_others(house):
    def fault(moment: str, method: str) -> None:
        if method == "agreements" and house.source.reads["tenant-3"] and not told:
            told.append(True)
            raise Refused("no", system="Manage")

    told: list[bool] = []
    house.manage.fault = fault
    lanes.start_run(house.ports, "run", "nightly", range(1, 8))
    house.work_until_done("run")

    assert sorted(outcomes(house, "run").values()) == [Outcome.APPLIED] * 6 + [Outcome.FAILED]


def test_a_run_over_nobody_ends_at_once(house):
    lanes.start_run(house.ports, "run", "nightly", [])

    assert house.ports.runs.header("run").ended


def test_a_run_is_made_once(house):
    assert lanes.start_run(house.ports, "run", "nightly", [1, 2])
    assert not lanes.start_run(house.ports, "run", "nightly", [1, 2])
    assert len(house.queue) == 2


def test_a_message_delivered_again_after_its_effect_does_nothing(house):
    lanes.start_run(house.ports, "run", "nightly", [1])
    with house.queue.next_message() as (message, _):
        lanes.work(house.ports, message, 1)
    writes, reads = house.manage.writes, house.source.reads.total()
    lanes.work(house.ports, message, 2)

    assert (house.manage.writes, house.source.reads.total()) == (writes, reads)


def test_a_message_without_the_rows_claim_does_nothing(house):
    lanes.start_run(house.ports, "run", "nightly", [1])
    lanes.work(house.ports, SyncMessage("run", 1, "forged", None, 1), 1)
    lanes.work(house.ports, SyncMessage("no such run", 1, "x", None, 1), 1)

    assert house.source.reads.total() == 0


def test_a_message_that_finds_its_company_busy_comes_back_unchanged(house):
    lanes.start_run(house.ports, "run", "nightly", [1])
    lease = house.ports.companies.take_lease(1, "somebody", 300, house.clock.now())
    with house.queue.next_message() as (message, _):
        lanes.work(house.ports, message, 1)
    with house.queue.next_message() as (again, _):
        assert again == message
        house.ports.companies.release(lease, outcome=None, run=None, now=house.clock.now())
        lanes.work(house.ports, again, 1)

    assert outcomes(house, "run") == {1: Outcome.APPLIED}


def test_a_message_delivered_too_often_gives_up_on_its_company(house):
    lanes.start_run(house.ports, "run", "nightly", [1])
    with house.queue.next_message() as (message, _):
        lanes.work(house.ports, message, 4)

    assert outcomes(house, "run") == {1: Outcome.FAILED}
    assert house.source.reads.total() == 0


def store_away(house, *, times: int) -> None:
    """The tables answer so many calls with 503; then they are back."""
    left, quiet = [times], house.tables.fault

    def fault(moment: str, operation: str, table: str) -> None:
        quiet(moment, operation, table)
        if moment == "before" and left[0]:
            left[0] -= 1
            raise Retryable("the storage account answered 503", system="storage", status=503)

    house.tables.fault = fault


def test_a_store_that_is_away_for_minutes_is_waited_for_and_taken_for_nobodys_death(house):
    lanes.start_run(house.ports, "run", "nightly", [1])
    store_away(house, times=12)
    while len(house.queue):
        with house.queue.next_message() as (message, deliveries):
            assert deliveries == 1
            lanes.work(house.ports, message, deliveries)

    (row,) = house.ports.runs.rows("run")
    assert (row.report.outcome, row.attempts) == (Outcome.APPLIED, 0)
    assert message.unanswered >= 10
    assert house.manage.calls["create"] == 1


def test_a_store_that_stays_away_or_a_queue_that_is_away_too_leaves_the_message_to_the_platform(house):
    lanes.start_run(house.ports, "run", "nightly", [1])
    with house.queue.next_message() as (message, _):
        store_away(house, times=10)
        with pytest.raises(Retryable):
            lanes.work(house.ports, replace(message, unanswered=lanes.MOST_UNANSWERED), 1)
        house.queue.broken = Retryable("the queue answered 503", system="storage")
        with pytest.raises(Retryable, match="queue"):
            lanes.work(house.ports, message, 1)
    assert house.queue.waiting == []


def test_a_lost_message_is_replaced_by_the_watchdog(house):
    lanes.start_run(house.ports, "run", "nightly", range(1, 8))
    for _ in range(2):
        with house.queue.next_message():
            pass
    house.clock.pass_by(seconds=house.ports.limits.silence + 1)
    lanes.watch(house.ports)
    house.work_until_done("run")

    assert set(outcomes(house, "run").values()) == {Outcome.APPLIED}


def test_a_company_lost_again_and_again_is_given_up(house):
    lanes.start_run(house.ports, "run", "nightly", [1])
    for _ in range(4):
        while len(house.queue):
            with house.queue.next_message():
                pass
        house.clock.pass_by(seconds=house.ports.limits.silence + 1)
        lanes.watch(house.ports)

    assert outcomes(house, "run") == {1: Outcome.FAILED}
    assert house.ports.runs.header("run").ended


def test_the_watchdog_leaves_a_run_alone_that_is_being_worked_on(house):
    lanes.start_run(house.ports, "run", "nightly", range(1, 8))
    lanes.watch(house.ports)

    assert len(house.queue) == 2


def test_a_run_pins_the_rules_it_started_with(house):
    lanes.start_run(house.ports, "run", "nightly", [1])
    house.rules(b.rules(policies=[]))
    house.work_until_done("run")

    assert outcomes(house, "run") == {1: Outcome.APPLIED}


def test_a_run_in_observe_writes_nothing(house):
    lanes.start_run(house.ports, "run", "demand", [1, 2], Mode.OBSERVE)
    house.work_until_done("run")

    assert outcomes(house, "run") == {1: Outcome.PLANNED, 2: Outcome.PLANNED}
    assert house.manage.writes == 0


@pytest.mark.parametrize("step", range(1, 8))
def test_a_run_whose_starter_was_killed_never_looks_at_more_than_was_asked_for(house, step):
    house.fate.die_at = house.fate.steps + step
    with suppress(Killed):
        demand.sync_in_run(house.ports, [3], None)
    house.revive()
    for header in house.ports.runs.open_headers():
        house.work_until_done(header.id)

    looked_at = [row.company for header in house.ports.runs.headers(5) for row in house.ports.runs.rows(header.id)]
    assert looked_at in ([], [3])
    assert house.source.reads.keys() <= {"tenant-3"}


def test_the_watchdog_does_not_fill_lanes_that_the_starter_is_about_to_fill(house):
    filled = house.ports.runs.create(RunHeader("run", "nightly", None, 1, house.clock.now()), range(1, 8))
    lanes.watch(house.ports)
    assert filled
    assert len(house.queue) == 0

    house.clock.pass_by(seconds=house.ports.limits.lease + 1)
    lanes.watch(house.ports)
    assert len(house.queue) == 2


def work_with_watchdog(house: House, run: str) -> None:
    """As the platform does it: messages when they are due, the watchdog every two minutes."""
    watched = house.clock.time
    for _ in range(1000):
        if house.ports.runs.header(run).ended is not None:
            return
        if not len(house.queue) or house.queue.next_due > watched:
            house.clock.time = max(house.clock.time, watched)
            lanes.watch(house.ports)
            watched += timedelta(seconds=120)
        else:
            with house.queue.next_message() as (message, deliveries):
                lanes.work(house.ports, message, deliveries)
    raise AssertionError("the run does not end")


def test_a_company_whose_write_stays_unknown_ends_with_its_own_report(house):
    def fault(moment: str, method: str) -> None:
        if (moment, method) == ("before", "create"):
            raise OutcomeUnknown("time-out", system="Manage")

    house.manage.fault = fault
    lanes.start_run(house.ports, "run", "nightly", [1])
    work_with_watchdog(house, "run")

    row = house.ports.runs.row("run", 1)
    assert row.attempts == 0
    assert "the outcome of a write is not known" in row.report.note


def test_a_company_that_is_busy_for_long_is_waited_for(house):
    house.ports.companies.take_lease(1, "a person", 3 * house.ports.limits.silence, house.clock.now())
    lanes.start_run(house.ports, "run", "nightly", [1])
    work_with_watchdog(house, "run")

    assert outcomes(house, "run") == {1: Outcome.APPLIED}
    assert house.ports.runs.row("run", 1).attempts == 0


def test_a_claim_that_was_taken_away_meanwhile_is_not_put_back(house):
    lanes.start_run(house.ports, "run", "nightly", [1])
    house.ports.companies.take_lease(1, "a person", 300, house.clock.now())

    def reclaimed(moment: str, operation: str, table: str) -> None:
        if (moment, operation, table) == ("before", "get", "Companies"):
            house.tables.fault = None
            later = house.clock.now() + timedelta(hours=1)
            assert house.ports.runs.reclaim_stale("run", later, lambda: "another claim", house.clock.now())

    house.tables.fault = reclaimed
    with house.queue.next_message() as (message, _):
        lanes.work(house.ports, message, 1)

    assert len(house.queue) == 0


def test_the_watchdog_goes_on_with_other_runs_when_the_queue_fails_for_one(house):
    for run in ("a", "b"):
        house.ports.runs.create(RunHeader(run, "nightly", None, 1, house.clock.now()), [1, 2])
    house.clock.pass_by(seconds=house.ports.limits.lease + 1)
    house.queue.broken = Retryable("no answer", system="storage")

    lanes.watch(house.ports)
    assert [message.run for message in house.queue.waiting] == ["b", "b"]


def test_an_answer_says_when_to_ask_again(house):
    def fault(moment: str, method: str) -> None:
        if (moment, method) == ("before", "create"):
            raise OutcomeUnknown("time-out", system="Manage")

    assert views.synced(demand.sync_now(house.ports, 2, None, "api"))["again_in"] is None
    house.manage.fault = fault
    told = views.synced(demand.sync_now(house.ports, 1, None, "api"))
    assert told["again_in"] == house.ports.limits.settling


# ---- the tick


def test_the_first_tick_arranges_and_the_due_one_starts_the_night_once(house):
    house.clock.time = datetime(2026, 11, 21, 1, 59, tzinfo=UTC)
    assert night.tick(house.ports) == []
    assert night.tick(house.ports) == []

    house.clock.pass_by(minutes=1)
    assert night.tick(house.ports) == ["2026-11-21-nightly: started, 7 companies, 0 findings"]
    assert night.tick(house.ports) == []
    house.work_until_done("2026-11-21-nightly")
    house.clock.pass_by(days=1)
    assert night.tick(house.ports)[0].startswith("2026-11-22-nightly: started")


def test_a_missed_tick_is_made_up_for_once(house):
    house.clock.time = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
    night.tick(house.ports)
    house.clock.pass_by(days=3)

    assert night.tick(house.ports) == ["2026-11-23-nightly: started, 7 companies, 0 findings"]
    assert night.tick(house.ports) == []


def test_a_tick_that_was_killed_in_its_job_is_made_up_for(house):
    house.clock.time = datetime(2026, 11, 21, 1, 59, tzinfo=UTC)
    night.tick(house.ports)
    state = house.ports.schedules.get("nightly")
    house.clock.pass_by(minutes=1)
    house.ports.schedules.take(state, house.clock.now(), datetime(2026, 11, 22, 2, 0, tzinfo=UTC))

    assert night.tick(house.ports) == []
    house.clock.pass_by(minutes=16)
    assert night.tick(house.ports) == ["2026-11-21-nightly: started, 7 companies, 0 findings"]


def test_new_times_of_a_schedule_count_from_the_next_tick_on(house):
    house.rules(b.rules(schedules=(Schedule("nightly", "nightly", "0 2 1 * *"),)))
    night.tick(house.ports)
    house.rules(b.rules(schedules=NIGHTLY))
    house.clock.pass_by(minutes=1)
    assert night.tick(house.ports) == []
    assert house.ports.schedules.get("nightly").next_due == datetime(2026, 11, 22, 2, 0, tzinfo=UTC)

    house.clock.pass_by(days=1)
    assert night.tick(house.ports)[0].startswith("2026-11-22-nightly: started")


def test_the_night_looks_again_at_companies_whose_links_are_gone(house):
    house.company(7, [b.count(7)], [b.addition(70, 7)])
    night.nightly(house.ports)
    house.work_until_done("2026-11-21-nightly")
    house.ports.companies.put_rules(CompanyRules(7, "Company 7", Mode.AUTO))
    house.ports.companies.put_rules(CompanyRules(8, "Company 8", Mode.AUTO))
    house.clock.pass_by(days=1)
    night.nightly(house.ports)
    house.work_until_done("2026-11-22-nightly")

    assert set(outcomes(house, "2026-11-22-nightly")) == set(range(1, 8))
    assert house.kinds(7) == ["unmapped"]


def test_new_and_vanished_customers_are_findings_that_close_again(house):
    house.source.counts["tenant-new"] = ()
    del house.source.counts["tenant-7"]
    night.nightly(house.ports)
    assert msp_findings(house) == [
        ("customer-gone", f"{b.SOURCE}/tenant-7"),
        ("customer-new", f"{b.SOURCE}/tenant-new"),
    ]

    house.source.counts["tenant-7"] = ()
    del house.source.counts["tenant-new"]
    msp.notice_customers(house.ports, house.ports.companies.all())
    assert msp_findings(house) == []


def test_a_customer_list_that_fails_is_a_finding_and_the_night_still_runs(house):
    house.source.counts["tenant-new"] = ()
    night.nightly(house.ports)
    house.work_until_done("2026-11-21-nightly")
    house.source.broken = NotPermitted("no consent", system="Graph", remedy="Consent.")
    house.clock.pass_by(days=1)

    assert "started" in night.nightly(house.ports)
    assert msp_findings(house) == [("consent-lost", b.SOURCE), ("customer-new", f"{b.SOURCE}/tenant-new")]
    house.source.broken = None
    msp.notice_customers(house.ports, house.ports.companies.all())
    assert msp_findings(house) == [("customer-new", f"{b.SOURCE}/tenant-new")]


def test_what_completes_counts_and_does_not_answer_is_a_finding_that_closes_again(house):
    house.source.incomplete = ["Partner Center answered 403. Add the app."]
    assert "started" in night.nightly(house.ports)
    assert msp_findings(house) == [("read-failed", f"{b.SOURCE}/completion")]
    house.work_until_done("2026-11-21-nightly")
    assert set(outcomes(house, "2026-11-21-nightly")) == set(range(1, 8))

    house.source.incomplete = []
    msp.notice_customers(house.ports, house.ports.companies.all())
    assert msp_findings(house) == []


def test_a_message_nobody_can_work_on_becomes_a_finding_once(house):
    for _ in range(2):
        poison.note(house.ports, '{"company": "x"}' + "\x00" * 500)

    ((kind, _),) = msp_findings(house)
    assert kind == "poison"


@pytest.mark.parametrize("text", ["", "{}", "[]", "not json", '{"run": "r", "company": "x", "claim": "c"}'])
def test_text_that_is_no_message_is_refused(text):
    with pytest.raises(Refused, match="not a sync message"):
        SyncMessage.read(text)


def test_a_message_reads_as_it_was_written():
    message = SyncMessage("run", 250, "claim", Mode.OBSERVE, 3, 1)

    assert SyncMessage.read(message.text()) == message


# ---- rules


def test_rules_go_out_and_come_in_again_unchanged(house):
    text = rulebook.export_rules(house.ports)
    imported = rulebook.import_rules(house.ports, text)

    assert (imported.version, imported.companies, imported.left) == (2, 7, ())
    assert rulebook.export_rules(house.ports) == text


def test_an_import_with_an_error_changes_nothing(house):
    text = rulebook.export_rules(house.ports)
    broken = text.replace("mode: auto", "mode: yolo", 1)

    with pytest.raises(RulesProblem, match="yolo"):
        rulebook.import_rules(house.ports, broken)
    assert rulebook.export_rules(house.ports) == text


def test_a_company_that_the_document_drops_is_not_synced_any_more(house):
    text = rulebook.export_rules(house.ports)
    start = text.index("  - company: 7")
    imported = rulebook.import_rules(house.ports, text[:start])

    assert imported.left == (7,)
    night.nightly(house.ports)
    house.work_until_done("2026-11-21-nightly")
    assert 7 not in outcomes(house, "2026-11-21-nightly")


# ---- what the API tells


def test_the_status_tells_of_the_last_night_and_of_open_runs(house):
    night.nightly(house.ports)
    assert [run["id"] for run in views.status(house.ports)["open_runs"]] == ["2026-11-21-nightly"]
    house.work_until_done("2026-11-21-nightly")

    status = views.status(house.ports)
    assert status["open_runs"] == []
    assert status["last_night"]["outcomes"] == {"applied": 7}
    assert status["sources"] == [b.SOURCE]


def test_a_company_tells_its_plan_and_findings_in_the_designs_shape(house):
    house.company(8, [b.count(12, assigned=10)], [b.addition(11, 10)], mode=Mode.OBSERVE)
    lanes.start_run(house.ports, "run", "demand", [8])
    house.work_until_done("run")

    told = views.company(house.ports, 8)
    assert (told["id"], told["mode"], told["outcome"]) == (8, "observe", "planned")
    (group,) = told["plan"]["groups"]
    (change,) = group["changes"]
    assert change["kind"] == "update"
    assert (change["before"]["quantity"], change["after"]["quantity"]) == (10, 12)
    assert (change["monthly"], change["one_off"]) == (50.0, 0.0)
    assert group["bill_item"] == f"{b.SOURCE}/{b.PREMIUM}"
    assert [finding["kind"] for finding in told["findings"]] == ["unassigned"]
    row = views.run(house.ports, "run")["rows"][0]
    assert (row["company"], row["outcome"], row["monthly_delta"]) == (8, "planned", 50.0)
    assert [run["id"] for run in views.runs(house.ports)["runs"]] == ["run"]
