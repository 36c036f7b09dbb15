"""Runs: made once, every row handed out once, moved in one transaction, closed once; schedules never overlap."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from shared.errors import Gone, Refused, Retryable
from shared.state.documents import STORED
from shared.state.records import CompanyReport, Outcome
from shared.state.rows import Changed
from shared.state.runs import RunHeader, RunRow, RunStore, Stage
from shared.state.schedules import ScheduleState, ScheduleStore
from tests.fakes.tables import InMemoryTables

NOW = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=20)
RUN = "2026-11-21-nightly"
HEADER = RunHeader(RUN, "nightly", None, 3, NOW, note="every night")


@pytest.fixture
def tables() -> InMemoryTables:
    return InMemoryTables()


@pytest.fixture
def store(tables: InMemoryTables) -> RunStore:
    return RunStore(tables)


@pytest.fixture
def new_claim() -> Callable[[], str]:
    numbers = itertools.count(1)
    return lambda: f"claim {next(numbers)}"


def report(company: int, outcome: Outcome = Outcome.UNCHANGED) -> CompanyReport:
    return CompanyReport(company, outcome, planned={"update": 1})


def fail_once(tables: InMemoryTables, moment: str, operation: str) -> None:
    def fault(when: str, what: str, _table: str) -> None:
        if (when, what) == (moment, operation):
            tables.fault = None
            raise Retryable("the answer got lost")

    tables.fault = fault


def claimed(store: RunStore, new_claim: Callable[[], str]) -> RunRow:
    """One row of the run, claimed and read again, as the worker that gets its message sees it."""
    (row,) = store.claim_next(RUN, NOW, new_claim, 1)
    found = store.row(RUN, row.company)
    assert found is not None
    assert found == row
    return found


def test_a_run_is_made_once_with_one_pending_row_per_company(store: RunStore) -> None:
    assert store.create(HEADER, [30, 10, 20, 10])
    assert not store.create(RunHeader(RUN, "by hand", "observe", 4, LATER), [99])
    assert store.rows(RUN) == [RunRow(RUN, 10), RunRow(RUN, 20), RunRow(RUN, 30)]
    header = store.header(RUN)
    assert header is not None
    assert (header.kind, header.note, header.filled, header.companies) == ("nightly", "every night", True, 3)


def test_runs_are_listed_newest_first_and_open_ones_by_themselves(store: RunStore) -> None:
    for day in (20, 22, 21):
        store.create(RunHeader(f"run {day}", "nightly", None, 1, datetime(2026, 11, day, tzinfo=UTC)), [])
    assert [header.id for header in store.headers(2)] == ["run 22", "run 21"]
    assert store.close("run 22", NOW)
    assert [header.id for header in store.open_headers()] == ["run 20", "run 21"]
    assert [header.ended for header in store.headers(9)] == [NOW, None, None]


def test_an_unknown_run_has_nothing(store: RunStore) -> None:
    assert store.header("none") is None
    assert store.row("none", 1) is None
    assert store.rows("none") == []
    assert not store.close("none", NOW)


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("step", range(7))
def test_a_run_whose_making_died_is_filled_later_whatever_the_companies_are_then(
    store: RunStore, tables: InMemoryTables, new_claim: Callable[[], str], moment: str, step: int
) -> None:
    writes = itertools.count()

    def fault(when: str, what: str, _table: str) -> None:
        if when == moment and what in ("insert", "transact") and next(writes) == step:
            tables.fault = None
            raise Retryable("the answer got lost")

    tables.fault = fault
    companies = range(1, 251)
    try:
        store.create(HEADER, companies)
    except Retryable:
        tables.fault = None
        if not store.create(HEADER, companies):
            store.fill(RUN)
    tables.fault = None
    assert [row.company for row in store.rows(RUN)] == list(companies)
    worked = [store.finish_and_claim(row, report(row.company), NOW, new_claim) for row in _some(store, new_claim)]
    store.fill(RUN)
    assert [row.company for row in store.rows(RUN)] == list(companies)
    assert store.counts(RUN) == {Stage.PENDING: 250 - 2 * len(worked), Stage.CLAIMED: 5, Stage.DONE: 5}


def _some(store: RunStore, new_claim: Callable[[], str]) -> list[RunRow]:
    return store.claim_next(RUN, NOW, new_claim, 5)


def test_claiming_takes_as_many_as_wanted_and_no_more_than_there_are(
    store: RunStore, new_claim: Callable[[], str]
) -> None:
    store.create(HEADER, range(5))
    first = store.claim_next(RUN, NOW, new_claim, 2)
    assert [(row.stage, row.claimed_at, row.attempts) for row in first] == [(Stage.CLAIMED, NOW, 0)] * 2
    assert store.claim_next(RUN, NOW, new_claim, 0) == []
    rest = store.claim_next(RUN, NOW, new_claim, 8)
    assert sorted(row.company for row in (*first, *rest)) == list(range(5))
    assert len({row.claim for row in (*first, *rest)}) == 5
    assert store.claim_next(RUN, NOW, new_claim, 8) == []


def test_where_more_lanes_are_wanted_than_companies_wait_none_is_wanted_twice(
    store: RunStore, tables: InMemoryTables, new_claim: Callable[[], str]
) -> None:
    store.create(HEADER, [7, 8, 9])
    tables.calls.clear()
    assert {row.company for row in store.claim_next(RUN, NOW, new_claim, 8)} == {7, 8, 9}
    assert tables.calls["transact", "Runs"] == 3


def test_finishing_claims_the_next_in_the_same_transaction(
    store: RunStore, tables: InMemoryTables, new_claim: Callable[[], str]
) -> None:
    store.create(HEADER, [1, 2])
    row = claimed(store, new_claim)
    tables.calls.clear()
    following = store.finish_and_claim(row, report(row.company), LATER, new_claim)
    assert tables.calls == {("query", "Runs"): 1, ("transact", "Runs"): 1}
    assert following is not None
    assert (following.company, following.claim, following.claimed_at) == (3 - row.company, "claim 2", LATER)
    done = store.row(RUN, row.company)
    assert done is not None
    assert (done.stage, done.report, done.next_company, done.next_claim) == (
        Stage.DONE,
        report(row.company),
        following.company,
        "claim 2",
    )
    assert store.finish_and_claim(following, report(following.company), LATER, new_claim) is None


def test_a_lane_goes_on_with_what_it_saw_ahead_and_other_processes_take_nothing_twice(
    tables: InMemoryTables, new_claim: Callable[[], str]
) -> None:
    """Three lanes of two processes, each of which remembers what it saw: one changes between them."""
    one, other = RunStore(tables), RunStore(tables)
    one.create(HEADER, range(1, 61))
    lanes = one.claim_next(RUN, NOW, new_claim, 3)
    assert [row.company for row in lanes] == [1, 21, 41]
    worked = [row.company for row in lanes]
    tables.calls.clear()
    for turn in range(60):
        row = lanes.pop(0)
        store = one if row.lane == "claim 1" or (row.lane == "claim 2" and turn % 2) else other
        following = store.finish_and_claim(row, report(row.company), NOW, new_claim)
        if following is None:
            continue
        found = store.row(RUN, following.company)
        assert found is not None
        lanes.append(found)
        worked.append(following.company)
    assert sorted(worked) == list(range(1, 61))
    assert store.counts(RUN) == {Stage.PENDING: 0, Stage.CLAIMED: 0, Stage.DONE: 60}
    assert tables.calls["query", "Runs"] < 30  # one for each company, did nobody remember anything


def test_a_lost_race_for_the_next_row_takes_another(
    store: RunStore, tables: InMemoryTables, new_claim: Callable[[], str]
) -> None:
    store.create(HEADER, range(1, 41))
    row = claimed(store, new_claim)

    def others_are_faster(moment: str, operation: str, _table: str) -> None:
        if (moment, operation) == ("before", "transact"):
            tables.fault = None
            assert len(store.claim_next(RUN, NOW, lambda: "theirs", 37)) == 37

    tables.fault = others_are_faster
    following = store.finish_and_claim(row, report(row.company), NOW, new_claim)
    assert following is not None
    assert following.claim != "theirs"
    assert store.counts(RUN) == {Stage.PENDING: 1, Stage.CLAIMED: 38, Stage.DONE: 1}


def test_a_claim_that_was_taken_away_can_not_finish(store: RunStore, new_claim: Callable[[], str]) -> None:
    store.create(HEADER, [1, 2])
    row = claimed(store, new_claim)
    (again,) = store.reclaim_stale(RUN, LATER, new_claim, LATER)
    with pytest.raises(Changed, match="no longer under this claim"):
        store.finish_and_claim(row, report(row.company), LATER, new_claim)
    assert store.counts(RUN) == {Stage.PENDING: 1, Stage.CLAIMED: 1, Stage.DONE: 0}
    assert store.finish_and_claim(again, report(row.company), LATER, new_claim) is not None
    with pytest.raises(Changed, match="no longer under this claim"):
        store.finish_and_claim(row, report(row.company), LATER, new_claim)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_finishing_again_after_a_lost_answer_gives_the_row_it_claimed_then(
    store: RunStore, tables: InMemoryTables, new_claim: Callable[[], str], moment: str
) -> None:
    store.create(HEADER, range(1, 31))
    row = claimed(store, new_claim)
    fail_once(tables, moment, "transact")
    with pytest.raises(Retryable):
        store.finish_and_claim(row, report(row.company), NOW, new_claim)
    following = store.finish_and_claim(row, report(row.company), NOW, new_claim)
    assert following is not None
    assert store.counts(RUN) == {Stage.PENDING: 28, Stage.CLAIMED: 1, Stage.DONE: 1}
    assert store.row(RUN, following.company) == following


def test_finishing_again_gives_nothing_when_the_row_it_claimed_was_taken_away(
    store: RunStore, new_claim: Callable[[], str]
) -> None:
    store.create(HEADER, [1, 2])
    row = claimed(store, new_claim)
    store.finish_and_claim(row, report(row.company), NOW, new_claim)
    assert len(store.reclaim_stale(RUN, LATER, new_claim, LATER)) == 1
    assert store.finish_and_claim(row, report(row.company), NOW, new_claim) is None
    store.finish_and_claim(row, report(row.company), LATER, new_claim)
    assert store.counts(RUN) == {Stage.PENDING: 0, Stage.CLAIMED: 1, Stage.DONE: 1}


def test_a_claim_whose_answer_got_lost_is_reclaimed(
    store: RunStore, tables: InMemoryTables, new_claim: Callable[[], str]
) -> None:
    store.create(HEADER, [1])
    fail_once(tables, "after", "transact")
    with pytest.raises(Retryable):
        store.claim_next(RUN, NOW, new_claim, 1)
    assert store.reclaim_stale(RUN, NOW, new_claim, LATER) == []
    (row,) = store.reclaim_stale(RUN, NOW + timedelta(seconds=1), new_claim, LATER)
    assert (row.claim, row.claimed_at, row.attempts) == ("claim 2", LATER, 1)
    (row,) = store.reclaim_stale(RUN, LATER + timedelta(seconds=1), new_claim, LATER)
    assert row.attempts == 2
    store.finish_and_claim(row, report(1, Outcome.FAILED), LATER, new_claim)
    assert store.close(RUN, LATER)


def test_a_claim_that_only_waits_is_not_taken_for_dead(store: RunStore, new_claim: Callable[[], str]) -> None:
    store.create(HEADER, [1])
    row = claimed(store, new_claim)
    assert store.keep_claim(row, LATER)
    assert store.reclaim_stale(RUN, LATER, new_claim, LATER) == []
    assert not store.keep_claim(row, LATER), "what was read is old by now"
    assert len(store.reclaim_stale(RUN, LATER + timedelta(seconds=1), new_claim, LATER)) == 1
    assert not store.keep_claim(row, LATER)


def test_a_run_ends_once_and_only_when_every_row_has_an_outcome(store: RunStore, new_claim: Callable[[], str]) -> None:
    store.create(HEADER, [1, 2])
    assert not store.close(RUN, NOW)
    first = claimed(store, new_claim)
    second = store.finish_and_claim(first, report(first.company, Outcome.APPLIED), NOW, new_claim)
    assert second is not None
    assert not store.close(RUN, NOW)
    store.finish_and_claim(second, report(second.company, Outcome.FAILED), LATER, new_claim)
    assert store.close(RUN, LATER)
    assert not store.close(RUN, LATER + timedelta(hours=1))
    header = store.header(RUN)
    assert header is not None
    assert (header.ended, header.outcomes) == (LATER, {"applied": 1, "failed": 1})


def die_after_the_header(tables: InMemoryTables) -> None:
    transactions = itertools.count(1)

    def fault(when: str, what: str, _table: str) -> None:
        if (when, what) == ("before", "transact") and next(transactions) == 2:
            tables.fault = None
            raise Retryable("the worker died")

    tables.fault = fault


def test_a_run_is_never_there_without_its_work_list(store: RunStore, tables: InMemoryTables) -> None:
    fail_once(tables, "before", "insert")
    with pytest.raises(Retryable):
        store.create(HEADER, [1])
    assert store.open_headers() == []
    with pytest.raises(Gone, match="no work list"):
        store.fill(RUN)

    die_after_the_header(tables)
    with pytest.raises(Retryable):
        store.create(HEADER, [1, 2])
    store.fill(RUN)
    assert [row.company for row in store.rows(RUN)] == [1, 2]


def test_a_run_that_is_not_filled_does_not_end(store: RunStore, tables: InMemoryTables) -> None:
    die_after_the_header(tables)
    with pytest.raises(Retryable):
        store.create(HEADER, [1])
    assert not store.close(RUN, NOW)
    assert [header.filled for header in store.open_headers()] == [False]
    store.fill(RUN)
    assert [header.filled for header in store.open_headers()] == [True]


def test_a_row_is_found_while_it_moves(store: RunStore, tables: InMemoryTables, new_claim: Callable[[], str]) -> None:
    store.create(HEADER, [1])
    gets = itertools.count(1)

    def claim_after_the_first_look(moment: str, operation: str, _table: str) -> None:
        if (moment, operation) == ("after", "get") and next(gets) == 1:
            store.claim_next(RUN, NOW, new_claim, 1)

    tables.fault = claim_after_the_first_look
    row = store.row(RUN, 1)
    assert row is not None
    assert row.stage is Stage.CLAIMED


def test_a_run_of_5000_companies_is_filled_in_few_round_trips(store: RunStore, tables: InMemoryTables) -> None:
    store.create(HEADER, range(5000))
    assert tables.round_trips <= 60
    assert store.counts(RUN)[Stage.PENDING] == 5000


def test_runs_of_a_newer_trueup_are_refused(store: RunStore, tables: InMemoryTables) -> None:
    store.create(HEADER, [1])
    tables.put("Runs", RUN, "claimed|0000000002", {"schema": STORED + 1, "json": "{}"})
    with pytest.raises(Refused, match="newer TrueUp"):
        store.rows(RUN)


def test_a_schedule_is_taken_by_one_of_two_ticks(tables: InMemoryTables) -> None:
    schedules = ScheduleStore(tables)
    assert schedules.get("nightly") is None
    schedules.arrange("nightly", "0 2 * * *", NOW)
    schedules.arrange("nightly", "0 2 * * *", LATER)
    state = schedules.get("nightly")
    assert state == ScheduleState("nightly", "0 2 * * *", NOW)
    assert schedules.take(state, NOW, LATER)
    assert not schedules.take(state, NOW, LATER)
    running = schedules.get("nightly")
    assert running == ScheduleState("nightly", "0 2 * * *", LATER, last_started=NOW, running_since=NOW)
    schedules.finish("nightly", "started 12 companies", LATER)
    assert schedules.get("nightly") == ScheduleState("nightly", "0 2 * * *", LATER, NOW, LATER, "started 12 companies")
    schedules.arrange("nightly", "0 3 * * *", NOW)
    assert schedules.get("nightly") == ScheduleState("nightly", "0 3 * * *", NOW, NOW, LATER, "started 12 companies")
    with pytest.raises(Gone, match="weekly is not arranged"):
        schedules.finish("weekly", "ok", NOW)
