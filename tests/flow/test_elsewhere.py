"""An agreement with lines of ours becomes another company's in Manage, as when companies are merged there."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from shared.billing.planning.choices import ChoiceKind
from shared.errors import NotPermitted
from shared.state.records import Outcome
from shared.sync.approvals import Person
from shared.sync.choices import choose
from tests import builders as b
from tests.fakes.house import House

PAT = Person("pat@birchline.example")


@pytest.fixture
def house() -> House:
    """Company 1's line stands on agreement 1001, which is company 2's since then; company 1 has a new agreement."""
    house = House()
    house.rules(b.rules())
    house.company(1, [b.count(5)])
    house.sync(1)
    moved = house.manage.agreements_[1001]
    house.company(2)
    house.manage.agreements_ = {1001: replace(moved, company_id=2), 1003: b.agreement(1003, company_id=1)}
    house.clock.pass_by(days=1)
    return house


def lines(house: House) -> list[tuple[int, int, str]]:
    """Addition, agreement and the beginning of the serial number of what goes on being billed."""
    standing = [line for line in house.manage.lines.values() if line.cancelled_date is None]
    return [(line.id, line.agreement_id, line.serial_number[:6]) for line in standing]


def told(house: House, company: int) -> list[str]:
    return sorted(key for kind, key in house.state(company).findings if kind == "agreement-not-active")


def test_nothing_is_billed_beside_what_bills_elsewhere_and_that_is_told(house):
    before = lines(house)
    assert house.sync(1).report.outcome is Outcome.UNCHANGED
    assert lines(house) == before
    assert told(house, 1) == ["agreement/1001/elsewhere", f"{b.SOURCE}/{b.PREMIUM}"]


def test_once_the_line_is_ended_there_the_company_is_billed_on_its_own_agreement(house):
    ((number, _, _),) = lines(house)
    house.manage.lines[number] = replace(house.manage.lines[number], cancelled_date=date(2026, 11, 30))
    house.sync(1)
    assert (lines(house), len(told(house, 1))) == ([], 2), "it bills until its last day"
    house.clock.pass_by(days=10)
    assert house.sync(1).report.written["created"]
    assert [agreement for _, agreement, _ in lines(house)] == [1003]
    assert (told(house, 1), house.sync(1).report.outcome) == ([], Outcome.UNCHANGED)


def test_a_line_that_the_other_company_adopts_is_no_longer_the_first_ones(house):
    ((number, _, _),) = lines(house)
    stamp = house.manage.lines[number].serial_number
    house.count(2, b.count(5, customer="tenant-2"))
    assert house.sync(2).report.outcome is Outcome.UNCHANGED
    choose(house.ports, 2, ChoiceKind.ADOPT, PAT, bill_item=f"{b.SOURCE}/{b.PREMIUM}", additions=[number])
    assert house.manage.lines[number].serial_number not in ("", stamp)

    house.sync(1)
    assert sorted(agreement for _, agreement, _ in lines(house)) == [1001, 1003]
    assert (told(house, 1), told(house, 2)) == ([], [])
    assert {row.key.agreement for row in house.state(1).ledger.values()} == {1003}


def test_an_agreement_elsewhere_that_may_not_be_read_costs_only_what_stands_there(house):
    real = house.manage.additions

    def additions(agreement: int):
        if agreement == 1001:
            raise NotPermitted("403", system="Manage")
        return real(agreement)

    house.manage.additions = additions  # type: ignore[method-assign]
    assert house.sync(1).report.outcome is Outcome.UNCHANGED
    assert len(told(house, 1)) == 2
