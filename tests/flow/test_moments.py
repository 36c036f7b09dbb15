"""Readings between the nights: billed in arrears by all of them, without asking Manage, and harmless when missed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from shared.billing.counts import FailureKind, ReadFailure, Reading
from shared.billing.profiles import Arrears, Band, PriceKind, PriceRule
from shared.billing.rules import CompanyLink, CompanyRules, Mode, Schedule
from shared.errors import Retryable
from shared.queues import ReadMessage, message_in
from shared.sync import moments, night, poison
from shared.sync.moments import moments_since
from shared.sync.retention import prune
from tests import builders as b
from tests.fakes.house import FakeSource, House, Killed
from tests.flow.test_fleets import FakeFleet
from tests.flow.test_runs import ClockIn

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
    return read_between(house)


def read_between(house: House, *sources: str) -> str:
    """The schedule is started, and the queue worked; answers how it ended."""
    schedule, now = replace(HOURLY, sources=sources or HOURLY.sources), house.clock.now()
    house.ports.schedules.arrange(schedule.id, schedule.cron, now)
    assert house.ports.schedules.take(house.ports.schedules.get(schedule.id), now, now)
    moments.begin_reading(house.ports, schedule)
    work(house)
    return house.ports.schedules.get(schedule.id).last_outcome


def work(house: House) -> None:
    """Works what waits, as the platform does: a message whose worker dies comes again."""
    while house.queue.readings:
        message = house.queue.readings.pop(0)
        try:
            moments.go_on(house.ports, message_in(message.text()))
        except Killed:
            house.queue.readings.append(message)
            house.revive()


def into_december(house: House) -> None:
    """Nobody syncs until December, when November is over and invoiced."""
    house.clock.time = datetime(2026, 12, 1, 2, tzinfo=UTC)
    agreement = house.manage.agreements_[COMPANY + 1000]
    house.manage.agreements_[agreement.id] = replace(agreement, next_invoice_date=date(2027, 1, 1))


def into_january(house: House) -> None:
    house.clock.time = datetime(2027, 1, 1, 2, tzinfo=UTC)
    agreement = house.manage.agreements_[COMPANY + 1000]
    house.manage.agreements_[agreement.id] = replace(agreement, next_invoice_date=date(2027, 2, 1))


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


def test_each_month_is_billed_as_the_product_of_the_range_that_its_highest_hour_reached() -> None:
    house = house_of(FakeFleet())
    bands = (
        Band(Decimal(100), Decimal("25.00"), "BACKUP-S"),
        Band(Decimal(500), Decimal("60.00"), "BACKUP-M"),
        Band(None, Decimal("120.00"), "BACKUP-L"),
    )
    price = PriceRule(PriceKind.PACKAGE, bands=bands)
    house.manage.catalog |= {
        name: b.product(name, 101 + number) for number, name in enumerate(("BACKUP-S", "BACKUP-M"))
    }
    house.rules(b.rules(b.profile(arrears=Arrears.HIGHEST, price=price), schedules=(HOURLY, NIGHTLY)))
    house.sync(COMPANY)
    for units, hours in ((80, 1), (130, 30), (70, 1)):
        hour(house, units, hours=hours)

    into_december(house)
    house.sync(COMPANY)
    hour(house, 95, hours=40)
    into_january(house)
    for _ in range(2):
        house.sync(COMPANY)
        assert [(line.product, line.quantity, line.unit_price) for line in house.manage.lines.values()] == [
            ("BACKUP-M", Decimal(1), Decimal("60.00")),
            ("BACKUP-S", Decimal(1), Decimal("25.00")),
        ]


@pytest.mark.parametrize("source", [FakeFleet, FakeSource])
def test_an_hour_counts_for_the_month_that_the_msps_own_clocks_show(source: type[FakeSource]) -> None:
    house = house_of(source())
    house.ports = replace(house.ports, clock=ClockIn(house.clock, ZoneInfo("America/Chicago")))
    house.sync(COMPANY)
    for units, time in ((140, datetime(2026, 12, 1, 4, 30)), (300, datetime(2026, 12, 1, 6, 30))):
        house.clock.time = time.replace(tzinfo=UTC)
        hour(house, units)

    into_december(house)
    house.clock.time = datetime(2026, 12, 1, 8, tzinfo=UTC)
    house.sync(COMPANY)
    assert billed(house) == [Decimal(140)]


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


def test_what_was_not_read_between_the_nights_stands_in_the_log_with_the_request(
    caplog: pytest.LogCaptureFixture,
) -> None:
    house = house_of(FakeSource())
    house.source.failing[CUSTOMER] = FailureKind.READ_FAILED

    hour(house, 140, hours=1)

    assert [message for message in caplog.messages if "was not read" in message] == [
        f"a customer of {house.source.name} was not read between the nights (read-failed, request req-7): "
        "It did not answer."
    ]


def test_the_tick_starts_the_reading_every_hour_and_tells_what_could_not_be_read(house: House) -> None:
    assert night.tick(house.ports) == []
    house.clock.pass_by(minutes=30)
    reads = house.source.reads.total()
    assert night.tick(house.ports) == ["goes on in the queue"]
    assert night.tick(house.ports) == []
    assert house.source.reads.total() == reads
    work(house)
    assert ended(house) == f"{b.SOURCE}: 1 of 1 customers"
    house.source.broken = Retryable("the vendor is down", system="vendor")
    house.clock.pass_by(hours=1)
    night.tick(house.ports)
    work(house)
    assert ended(house).startswith(f"failed: {b.SOURCE} could not be read")
    assert read_between(house, b.SOURCE, "cove").startswith("failed: ")
    house.source.broken = None
    assert read_between(house, b.SOURCE, "cove") == f"failed: cove is not connected; {b.SOURCE}: 1 of 1 customers"


def ended(house: House) -> str:
    return house.ports.schedules.get(HOURLY.id).last_outcome


def many(house: House) -> None:
    """Six customers more, each of a company of its own, at a source that takes two minutes for each."""
    for number in range(1, 7):
        house.company(300 + number, [b.count(number)])
    read = house.source.read

    def slowly(customer: str, day: date) -> Reading | ReadFailure:
        house.clock.pass_by(minutes=2)
        return read(customer, day)

    house.source.read = slowly


def stored(house: House) -> list[int]:
    long_ago = datetime(2026, 1, 1, tzinfo=UTC)
    tenants = [CUSTOMER, *(f"tenant-{300 + number}" for number in range(1, 7))]
    return [len(house.ports.readings.since(b.SOURCE, tenant, long_ago)) for tenant in tenants]


def test_customers_that_take_long_are_read_in_several_parts_each_once() -> None:
    house = house_of(FakeSource())
    many(house)
    assert read_between(house) == f"{b.SOURCE}: 7 of 7 customers"
    assert stored(house) == [1] * 7
    assert set(house.source.reads.values()) == {1}


@pytest.mark.parametrize("die_at", range(1, 30, 2))
def test_a_reading_whose_worker_dies_is_gone_on_with(die_at: int) -> None:
    house = house_of(FakeSource())
    many(house)
    night.tick(house.ports)
    house.clock.pass_by(minutes=30)
    night.tick(house.ports)
    house.fate.steps, house.fate.die_at = 0, die_at
    work(house)
    house.fate.die_at = None
    assert stored(house) == [1] * 7
    assert ended(house) == f"{b.SOURCE}: 7 of 7 customers"
    assert house.ports.schedules.get(HOURLY.id).running_since is None


def test_a_reading_of_which_nothing_is_heard_is_begun_anew_and_the_old_one_stops(house: House) -> None:
    night.tick(house.ports)
    house.clock.pass_by(minutes=30)
    night.tick(house.ports)
    (lost,) = house.queue.readings
    house.queue.readings.clear()
    house.clock.pass_by(minutes=16)
    assert night.tick(house.ports) == ["goes on in the queue"]
    house.queue.readings.insert(0, lost)
    work(house)
    (once,) = house.ports.readings.since(b.SOURCE, CUSTOMER, datetime(2026, 1, 1, tzinfo=UTC))
    assert once.at > lost.at


def test_a_reading_that_was_parked_is_tried_again_and_changes_nothing_once_it_is_over(house: House) -> None:
    hour(house, 120, hours=1)
    state = house.ports.schedules.get(HOURLY.id)
    text = ReadMessage(HOURLY.id, state.last_started, state.last_started, HOURLY.sources).text()
    assert message_in(text) == ReadMessage(HOURLY.id, state.last_started, state.last_started, HOURLY.sources)
    poison.note(house.ports, text)
    (parked,) = house.ports.poison.all()
    assert poison.retry(house.ports, parked.id) is None
    assert len(house.queue.readings) == 1
    work(house)
    assert house.ports.schedules.get(HOURLY.id) == state


def test_old_readings_go_on_the_companys_day_of_the_week(house: House) -> None:
    house.sync(COMPANY)
    hour(house, 120, hours=1)
    for _ in range(60):
        house.clock.pass_by(days=1)
        prune(house.ports)

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
