"""Profiles that are counted on the day before their agreement's next invoice, from night to night."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from shared.billing.counts import FailureKind, Holder
from shared.billing.profiles import Basis, CountedOn, QuantityRule
from shared.billing.rules import Mode
from shared.sync import night
from tests import builders as b
from tests.fakes.house import House, Killed

COMPANY, AGREEMENT = 250, 1250
#: The night of 21 November comes first; December is invoiced on the 1st.
EVE = date(2026, 11, 30)


def house_in(mode: Mode = Mode.AUTO) -> House:
    """A company that was counted at twelve for November, and says so."""
    house = House()
    house.rules(b.rules(b.profile(), counted_on=CountedOn.BEFORE_INVOICE))
    house.company(COMPANY, [b.count(12)], [b.addition(9001, 12)])
    invoiced_next(house, date(2026, 11, 1))
    house.clock.time = datetime(2026, 10, 31, 2, tzinfo=UTC)
    house.sync(COMPANY)
    invoiced_next(house, date(2026, 12, 1))
    house.ports.companies.put_rules(replace(house.ports.companies.company_rules(COMPANY), mode=mode))
    return house


def invoiced_next(house: House, day: date) -> None:
    house.manage.agreements_[AGREEMENT] = replace(house.manage.agreements_[AGREEMENT], next_invoice_date=day)


def night_of(house: House, day: date, units: int) -> None:
    house.clock.time = datetime(day.year, day.month, day.day, 2, tzinfo=UTC)
    house.count(COMPANY, replace(b.count(units), customer=f"tenant-{COMPANY}"))
    try:
        run = night.nightly(house.ports).partition(":")[0]
    except Killed:
        house.revive()
        run = night.nightly(house.ports).partition(":")[0]
    house.work_until_done(run)


def stands(house: House) -> Decimal:
    """What bills from the next period on."""
    (line,) = [line for line in house.manage.lines.values() if line.is_open(date(2027, 6, 1))]
    return line.quantity


def test_only_the_night_before_the_invoice_counts_and_writes() -> None:
    house = house_in()
    writes = house.manage.writes
    for day, units in ((21, 14), (25, 30), (29, 16)):
        night_of(house, date(2026, 11, day), units)
    assert (stands(house), house.manage.writes) == (Decimal(12), writes)

    night_of(house, EVE, 15)
    assert (stands(house), house.manage.writes) == (Decimal(15), writes + 1)
    invoiced_next(house, date(2027, 1, 1))
    for day, units in ((1, 40), (20, 3)):
        night_of(house, date(2026, 12, day), units)
    assert (stands(house), house.manage.writes) == (Decimal(15), writes + 1)


def test_a_group_that_waits_for_a_person_is_that_of_the_day_whatever_is_counted_later() -> None:
    house = house_in(Mode.APPROVE)
    night_of(house, EVE, 15)
    waiting = set(house.state(COMPANY).waiting)
    assert len(waiting) == 1
    invoiced_next(house, date(2027, 1, 1))
    house.source.failing = {f"tenant-{COMPANY}": FailureKind.READ_FAILED}
    house.clock.pass_by(days=1)
    house.sync(COMPANY)
    assert [group.kind.value for group in house.state(COMPANY).plan.groups] == ["increase"]
    house.source.failing = {}
    night_of(house, date(2026, 12, 4), 50)
    assert {change.after.quantity for group in house.state(COMPANY).plan.groups for change in group.changes} == {
        Decimal(3),
        Decimal(15),
    }


def test_a_vendor_that_is_away_on_the_day_is_counted_the_night_after() -> None:
    house = house_in()
    house.source.failing = {f"tenant-{COMPANY}": FailureKind.READ_FAILED}
    night_of(house, EVE, 15)
    assert stands(house) == Decimal(12)
    house.source.failing = {}
    night_of(house, date(2026, 12, 1), 15)
    assert stands(house) == Decimal(15)


@pytest.mark.parametrize("die_at", range(1, 40, 3))
def test_a_worker_that_dies_on_the_day_leaves_a_count_that_the_next_one_carries_out(die_at: int) -> None:
    house = house_in()
    house.fate.steps, house.fate.die_at = 0, die_at
    night_of(house, EVE, 15)
    night_of(house, date(2026, 12, 1), 99)
    lines = [(line.quantity, line.cancelled_date) for line in house.manage.lines.values()]
    assert lines == [(Decimal(15), None)]


@pytest.mark.parametrize(
    ("profile", "kept"),
    [
        ({}, False),
        ({"invoice_text": "{product}\n{users}"}, True),
        ({"quantity": QuantityRule(Basis.ASSIGNED_ACTIVE)}, True),
    ],
)
def test_a_company_with_more_users_than_a_row_holds_is_counted_whole_and_no_name_is_kept_without_need(
    profile: dict[str, object], kept: bool
) -> None:
    house = house_in()
    house.rules(b.rules(b.profile(**profile), counted_on=CountedOn.BEFORE_INVOICE))
    many = [
        Holder(f"{number:032x}", f"User {number * 7919}", department=f"{number * 104729:x}") for number in range(900)
    ]
    counted = replace(b.count(900, holders=many), customer=f"tenant-{COMPANY}")
    house.clock.time = datetime(2026, 11, 30, 2, tzinfo=UTC)
    house.count(COMPANY, counted)
    house.sync(COMPANY)
    assert house.state(COMPANY).counted.items[f"{b.SOURCE}/{b.PREMIUM}"].counts == (
        counted if kept else replace(counted, holders=None),
    )


def test_moving_to_nights_and_back_bills_each_seat_once() -> None:
    house = house_in()
    night_of(house, EVE, 15)
    invoiced_next(house, date(2027, 1, 1))
    house.rules(b.rules(b.profile(), counted_on=CountedOn.NIGHT))
    night_of(house, date(2026, 12, 4), 18)
    house.rules(b.rules(b.profile(), counted_on=CountedOn.BEFORE_INVOICE))
    before = {line.id: line.quantity for line in house.manage.lines.values()}
    for day, units in ((10, 25), (20, 18), (31, 18)):
        night_of(house, date(2026, 12, day), units)

    assert {line.id: line.quantity for line in house.manage.lines.values()} == before
    assert stands(house) == Decimal(18)
    once = [line for line in house.manage.lines.values() if line.cancelled_date == date(2027, 1, 31)]
    assert [(line.quantity, line.effective_date) for line in once] == [(Decimal(3), date(2027, 1, 1))]
