"""Readings between the nights: billed in arrears by all of them, without asking Manage, and harmless when missed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from shared.billing.rules import Arrears, CompanyLink, CompanyRules, Mode, PriceKind, PriceRule, Schedule
from shared.errors import Retryable
from shared.sync import night
from shared.sync.moments import moments_since, read_between
from shared.sync.retention import prune_history
from tests import builders as b
from tests.fakes.house import FakeSource, House
from tests.flow.test_fleets import FakeFleet

COMPANY, CUSTOMER = 250, "tenant-250"
HOURLY = Schedule("hours", "hourly", "30 * * * *", (b.SOURCE,))
NIGHTLY = Schedule("nights", "nightly", "0 2 * * *")


def house_of(source: FakeSource, arrears: Arrears = Arrears.HIGHEST) -> House:
    house = House()
    house.source = source
    house.ports = house._new_process(house.ports.limits)
    price = PriceRule(PriceKind.CUSTOM, Decimal("0.50"))
    house.rules(b.rules(b.profile(arrears=arrears, price=price), schedules=(HOURLY, NIGHTLY)))
    house.company(COMPANY, [b.count(100)])
    return house


@pytest.fixture
def house() -> House:
    return house_of(FakeFleet())


def hour(house: House, units: int, **passing: float) -> str:
    """So many are counted after some time has passed, and a reading between nights is made."""
    house.clock.pass_by(**passing)
    house.count(COMPANY, b.count(units, customer=CUSTOMER))
    return read_between(house.ports, HOURLY.sources)


def into_december(house: House) -> None:
    """Nobody syncs until December, when November is over and invoiced."""
    house.clock.time = datetime(2026, 12, 1, 2, tzinfo=UTC)
    agreement = house.manage.agreements_[COMPANY + 1000]
    house.manage.agreements_[agreement.id] = replace(agreement, next_invoice_date=date(2027, 1, 1))


def billed(house: House) -> list[Decimal]:
    return [line.quantity for line in house.manage.lines.values()]


@pytest.mark.parametrize(("arrears", "quantity"), [(Arrears.HIGHEST, 140), (Arrears.LAST, 90)])
def test_a_month_is_billed_by_all_that_was_read_in_it(arrears: Arrears, quantity: int) -> None:
    house = house_of(FakeFleet(), arrears)
    house.sync(COMPANY)
    asked = house.manage.calls.total()
    for units, hours in ((120, 1), (140, 1), (110, 30), (90, 1)):
        assert hour(house, units, hours=hours) == f"{b.SOURCE}: 1 of 1 customers"
    assert house.manage.calls.total() == asked

    into_december(house)
    for _ in range(2):
        house.sync(COMPANY)
        assert billed(house) == [Decimal(quantity)]


def test_the_same_moment_twice_and_hours_that_were_missed_change_nothing(house: House) -> None:
    house.sync(COMPANY)
    hour(house, 130, hours=3)
    hour(house, 130)
    house.source.broken = Retryable("the vendor is down", system="vendor")
    assert "the vendor is down" in hour(house, 500, hours=1)
    house.source.broken = None

    into_december(house)
    house.count(COMPANY, b.count(7, customer=CUSTOMER))
    house.sync(COMPANY)
    assert billed(house) == [Decimal(130)]


def test_what_was_read_before_the_day_of_the_first_sync_is_never_billed(house: House) -> None:
    hour(house, 900)
    house.clock.pass_by(days=1)
    house.count(COMPANY, b.count(100, customer=CUSTOMER))
    house.sync(COMPANY)

    into_december(house)
    house.sync(COMPANY)
    assert billed(house) == [Decimal(100)]


def test_a_source_that_is_read_customer_by_customer_is_read_for_those_that_are_linked() -> None:
    house = house_of(FakeSource())
    house.source.counts["tenant-of-nobody"] = (b.count(5),)
    house.sync(COMPANY)
    house.source.reads.clear()

    hour(house, 140, hours=1)
    assert dict(house.source.reads) == {CUSTOMER: 1}
    into_december(house)
    house.sync(COMPANY)
    assert billed(house) == [Decimal(140)]


def test_the_tick_starts_the_reading_every_hour_and_tells_what_could_not_be_read(house: House) -> None:
    assert night.tick(house.ports) == []
    house.clock.pass_by(minutes=30)
    assert night.tick(house.ports) == [f"{b.SOURCE}: 1 of 1 customers"]
    assert night.tick(house.ports) == []
    house.source.broken = Retryable("the vendor is down", system="vendor")
    house.clock.pass_by(hours=1)
    (told,) = night.tick(house.ports)
    assert told.startswith(f"failed: {b.SOURCE} could not be read")
    assert read_between(house.ports, ["cove"]) == "failed: cove is not connected"


def test_old_readings_go_on_the_companys_day_of_the_week(house: House) -> None:
    house.sync(COMPANY)
    hour(house, 120, hours=1)
    for _ in range(60):
        house.clock.pass_by(days=1)
        prune_history(house.ports, COMPANY)

    long_ago = datetime(2026, 1, 1, tzinfo=UTC)
    assert house.ports.readings.since(b.SOURCE, CUSTOMER, long_ago) == []


def test_the_store_is_not_asked_where_no_schedule_reads_between_nights(house: House) -> None:
    house.sync(COMPANY)
    hour(house, 120, hours=1)
    company = CompanyRules(COMPANY, "Company", Mode.AUTO, (CompanyLink(b.SOURCE, CUSTOMER),))
    seats, day = house.state(COMPANY).seats, date(2026, 11, 21)
    assert len(moments_since(house.ports, company, seats, house.ports.rules.load(), day)) == 1

    steps = house.fate.steps
    assert moments_since(house.ports, company, seats, b.rules(), day) == ()
    assert house.fate.steps == steps
