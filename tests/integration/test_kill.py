"""Hosts that are killed in the middle of a night, and two hosts on one queue: the night ends as if nothing had been."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from local.host.process import HostProcess
from shared.state.records import Outcome
from shared.state.runs import RunHeader, Stage
from tests.integration.house import NIGHT, House, Json, Line, a_house
from tests.integration.waiting import eventually

ADDITIONS = "/finance/agreements/{agreement}/additions"
#: So slow that a host is in the middle of the night when it is seen to have written.
SLOW = {"system": "manage", "fault": "latency:200"}
ANSWER_LOST = {"system": "manage", "method": "POST", "route": ADDITIONS, "fault": "reset-after", "count": 1}
LATE = {"system": "manage", "method": "POST", "route": ADDITIONS, "fault": "late-commit:2000", "count": 1}

#: Four companies at once in one process, and leases that run out while a test waits, not while a busy machine calls:
#: a company whose lease has no time left for a call is left to the next night.
AT_ONCE = {
    "AzureFunctionsJobHost__extensions__queues__batchSize": "4",
    "PYTHON_THREADPOOL_THREAD_COUNT": "8",
    "TRUEUP_LEASE_SECONDS": "12",
}


@dataclass(frozen=True)
class Night:
    """What a night left behind: every addition, and the companies that nothing could be learned about."""

    lines: list[Line]
    failed: list[int]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Night:
    with a_house(tmp_path_factory.mktemp("undisturbed"), companies=12, **AT_ONCE) as house:
        house.import_rules("auto")
        house.host()
        house.start_night()
        house.ended(NIGHT)
        return left_by(house)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with a_house(tmp_path, companies=12, **AT_ONCE) as made:
        made.import_rules("auto")
        yield made


def left_by(house: House) -> Night:
    rows = house.ports.runs.rows(NIGHT)
    assert [row.company for row in rows] == house.companies
    assert {row.stage for row in rows} == {Stage.DONE}
    reports = [row.report for row in rows if row.report is not None]
    assert len(reports) == len(rows)
    return Night(house.lines(), [report.company for report in reports if report.outcome is Outcome.FAILED])


def kill_in_mid_flight(house: House, host: HostProcess) -> None:
    """Kills the host once it has written to Manage and still has most of the night before it."""
    eventually(lambda: house.writes() >= 3, every=0.01)
    host.kill()
    assert house.ports.runs.counts(NIGHT)[Stage.PENDING] > 0


def watched_to_the_end(house: House) -> RunHeader:
    def look() -> RunHeader | None:
        house.fire("watchdog")
        header = house.ports.runs.header(NIGHT)
        return header if header is not None and header.ended is not None else None

    return eventually(look, within=180, every=0.5)


@pytest.mark.parametrize(
    "faults", [[], [ANSWER_LOST, LATE]], ids=["nothing else wrong", "and writes of which nobody knows"]
)
def test_a_night_whose_host_is_killed_ends_as_if_it_had_not_been(
    house: House, undisturbed: Night, faults: list[Json]
) -> None:
    house.faults(SLOW, *faults)
    first = house.host()
    house.start_night()
    kill_in_mid_flight(house, first)
    house.host()
    header = watched_to_the_end(house)
    assert sum(header.outcomes.values()) == len(house.companies)
    # Without faults a slow machine may still let a write run into its short lease's time-out: that is no fault of ours.
    assert "outcome unknown" in house.logs() or not faults
    assert len(house.stamps()) == len(set(house.stamps()))
    assert left_by(house) == undisturbed


def test_two_hosts_on_one_queue_of_which_one_is_killed_end_the_night_as_one_would(
    house: House, undisturbed: Night
) -> None:
    house.faults(SLOW)
    house.host()
    second = house.host()
    house.start_night()
    kill_in_mid_flight(house, second)
    watched_to_the_end(house)
    assert len(house.stamps()) == len(set(house.stamps()))
    assert left_by(house) == undisturbed
