"""Sources that are read for all customers at once: one read a night, and never an old reading for a new one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from threading import Barrier

import pytest

from shared.billing.counts import FailureKind, ReadFailure, Reading
from shared.billing.rules import Mode
from shared.errors import Retryable
from shared.state.records import Outcome
from shared.sync import night
from shared.sync.demand import sync_now
from shared.sync.fleets import FRESH, read_fleets
from tests import builders as b
from tests.fakes.house import FakeSource, House, Killed

COMPANIES = (250, 251, 252)


@dataclass
class FakeFleet(FakeSource):
    """The same vendor, read for everybody at once. `left_out` are customers that are not reached."""

    fleets: int = 0
    known: dict[str, Reading] = field(default_factory=dict)
    left_out: set[str] = field(default_factory=set)

    def read_fleet(self, day: date, known: Mapping[str, Reading], /) -> dict[str, Reading | ReadFailure]:
        self.fleets += 1
        if self.broken is not None:
            raise self.broken
        self.known = dict(known)
        alone = {customer: self.read(customer, day) for customer in self.counts if customer not in self.left_out}
        self.reads.clear()
        return alone


@pytest.fixture
def house() -> House:
    house = House()
    house.source = FakeFleet()
    house.ports = house._new_process(house.ports.limits)
    house.rules(b.rules())
    for company in COMPANIES:
        house.company(company, [b.count(10)], [b.addition(company + 8000, 10)])
    return house


def run_night(house: House) -> dict[int, Outcome]:
    run = night.nightly(house.ports).partition(":")[0]
    house.work_until_done(run)
    return {row.company: row.report.outcome for row in house.ports.runs.rows(run) if row.report is not None}


def test_a_night_reads_the_fleet_once_and_no_customer_alone(house: House) -> None:
    outcomes = run_night(house)

    assert set(outcomes) == set(COMPANIES)
    assert Outcome.FAILED not in outcomes.values()
    assert (house.source.fleets, sum(house.source.reads.values())) == (1, 0)


def test_the_next_night_sees_the_next_counts(house: House) -> None:
    run_night(house)
    for company in COMPANIES:
        house.count(company, *[b.count(12, customer=f"tenant-{company}")])
    house.clock.pass_by(days=1)
    run_night(house)

    assert house.source.fleets == 2
    assert set(house.source.known) == {f"tenant-{company}" for company in COMPANIES}
    stored = house.ports.readings.of(b.SOURCE)
    assert {count.purchased for reading in stored.values() for count in reading.counts} == {12}


def test_a_sync_of_one_company_by_hand_asks_the_vendor_now(house: House) -> None:
    read_fleets(house.ports)

    sync_now(house.ports, 250, Mode.OBSERVE, "api")

    assert house.source.reads == {"tenant-250": 1}


@pytest.mark.parametrize(
    ("passed", "alone"), [(timedelta(0), 0), (FRESH, 0), (FRESH + timedelta(seconds=1), 1), (timedelta(hours=-1), 1)]
)
def test_a_stored_reading_is_used_while_it_is_fresh(house: House, passed: timedelta, alone: int) -> None:
    house.clock.time = house.clock.time.replace(hour=12)
    read_fleets(house.ports)
    house.clock.time += passed

    house.sync(250)

    assert sum(house.source.reads.values()) == alone


def test_a_reading_of_yesterday_is_not_todays_however_fresh(house: House) -> None:
    house.clock.time = house.clock.time.replace(hour=23, minute=30)
    read_fleets(house.ports)
    house.clock.pass_by(hours=1)

    house.sync(250)

    assert sum(house.source.reads.values()) == 1


def test_a_customer_read_alone_is_stored_for_the_rest_of_the_run(house: House) -> None:
    house.sync(250)
    house.sync(250)

    assert house.source.reads == {"tenant-250": 1}


def test_when_the_fleet_fails_every_customer_is_read_alone(house: House) -> None:
    house.source.broken = Retryable("busy", system="a vendor")

    outcomes = run_night(house)

    assert Outcome.FAILED not in outcomes.values()
    assert house.source.reads == {f"tenant-{company}": 1 for company in COMPANIES}


def test_a_customer_left_out_of_the_fleet_is_read_alone_the_next_night_too(house: House) -> None:
    run_night(house)
    house.source.left_out = {"tenant-251"}
    house.clock.pass_by(days=1)

    run_night(house)

    assert house.source.reads == {"tenant-251": 1}


def test_a_failed_reading_is_not_stored(house: House) -> None:
    house.source.failing["tenant-250"] = FailureKind.READ_FAILED

    outcomes = run_night(house)

    assert outcomes[250] is Outcome.FAILED
    assert house.ports.readings.get(b.SOURCE, "tenant-250") is None
    assert house.source.reads == {"tenant-250": 1}


def test_all_fleets_are_read_at_once_so_that_the_night_waits_for_the_slowest_alone(house: House) -> None:
    met = Barrier(2, timeout=30)

    @dataclass
    class WaitingFleet(FakeFleet):
        def read_fleet(self, day: date, known: Mapping[str, Reading], /) -> dict[str, Reading | ReadFailure]:
            met.wait()  # for the other vendor to be asked too
            return super().read_fleet(day, known)

    one, other = WaitingFleet("one"), WaitingFleet("other", broken=Retryable("busy", system="other"))
    house.ports = replace(house.ports, sources={"one": one, "other": other})

    read_fleets(house.ports)

    assert (one.fleets, other.fleets) == (1, 1)


def test_a_vendor_that_never_answers_the_list_of_customers_does_not_keep_the_run_from_starting(house: House) -> None:
    def hangs() -> list:
        raise Killed  # the platform ends the job

    house.source.customers = hangs  # type: ignore[method-assign]
    with pytest.raises(Killed):
        night.nightly(house.ports)

    house.work_until_done("2026-11-21-nightly")
    assert house.source.fleets == 1
