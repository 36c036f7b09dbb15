"""A worker killed between any two outside effects: in the end Manage says what an undisturbed night says."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

import pytest

from shared.billing.lines import LineKey, stamp_of
from shared.billing.profiles import Proration, ProrationRule
from shared.billing.rules import SkuPolicy
from shared.state.records import Outcome
from shared.sync.lanes import start_run
from tests import builders as b
from tests.fakes.house import House, Killed


def busy_house() -> House:
    """Two companies that need everything: a create, an update, an adoption, an end and the removal of a copy."""
    house = House()
    policies = [SkuPolicy(b.SOURCE, b.PREMIUM, "premium"), SkuPolicy(b.SOURCE, b.STANDARD, "standard")]
    computed = Proration(ProrationRule.COMPUTED)
    profiles = (b.profile(proration=computed), b.profile(id="standard", product="M365-BS", proration=computed))
    house.rules(b.rules(*profiles, policies=policies))
    house.company(1, [b.count(5), b.count(3, sku=b.STANDARD, name="Business Standard")], [b.addition(11, 4)])
    ours = stamped(2, b.PREMIUM, 88)
    lines = [
        b.addition(21, 7, serial_number=ours),
        b.addition(22, 7, serial_number=ours),
        b.addition(23, 2, serial_number=stamped(2, b.STANDARD, 89), product="M365-BS", product_id=89),
        b.addition(24, 50, product="BACKUP-GB", product_id=300),
    ]
    house.company(2, [b.count(9)], lines)
    return house


def stamped(company: int, sku: str, product: int) -> str:
    return stamp_of(LineKey(company, company + 1000, f"{b.SOURCE}/{sku}"), product, date(2025, 1, 1))


def night(house: House, run: str) -> None:
    """Starts a run, again if the starter was killed, and works it to its end."""
    for _ in range(3):
        try:
            start_run(house.ports, run, "nightly", [1, 2])
            break
        except Killed:
            house.revive()
    house.work_until_done(run)


@dataclass(frozen=True)
class Undisturbed:
    said: list
    steps: int
    written: Counter[str]


@pytest.fixture(scope="module")
def undisturbed() -> Undisturbed:
    house = busy_house()
    before = house.fate.steps
    night(house, "night")
    return Undisturbed(house.manage.said(), house.fate.steps - before, written(house, "night"))


def written(house: House, run: str) -> Counter[str]:
    """What a run says that it wrote."""
    return sum((Counter(row.report.written) for row in house.ports.runs.rows(run)), Counter())


def test_the_undisturbed_night_does_everything(undisturbed):
    quantities = {(line[1], line[2], line[5]) for line in undisturbed.said}

    assert ("M365-BP", Decimal(5), "None") in quantities
    assert ("M365-BS", Decimal(3), "None") in quantities
    assert ("M365-BP", Decimal(9), "None") in quantities
    assert ("M365-BS", Decimal(2), "2026-11-30") in quantities
    assert ("BACKUP-GB", Decimal(50), "None") in quantities


def test_killed_before_any_effect_the_night_ends_as_if_undisturbed_and_the_next_writes_nothing(undisturbed):
    for step in range(1, undisturbed.steps + 1):
        house = busy_house()
        house.fate.die_at = house.fate.steps + step
        night(house, "night")
        place = f"killed before step {step}: {house.fate.log[-1]}"

        rows = house.ports.runs.rows("night")
        assert {row.company: row.report.outcome for row in rows} != {}, place
        assert all(row.report is not None for row in rows), place
        if all(row.report.outcome is not Outcome.FAILED for row in rows):
            assert written(house, "night") == undisturbed.written, place
        writes = house.manage.writes
        night(house, "next")
        assert house.manage.said() == undisturbed.said, place
        if all(row.report.outcome is not Outcome.FAILED for row in rows):
            assert house.manage.writes == writes, place
        for company in (1, 2):
            assert house.ports.company_state.load(company).intents == {}, place


@pytest.mark.parametrize("distance", [3, 7, 11, 17])
def test_killed_again_and_again_it_still_ends(undisturbed, distance):
    house = busy_house()
    start_run(house.ports, "night", "nightly", [1, 2])
    for _ in range(6):
        house.fate.die_at = house.fate.steps + distance
        try:
            for _ in range(20):
                if not len(house.queue):
                    break
                house._one_step()
        except Killed:
            house.revive()
    house.fate.die_at = None
    house.work_until_done("night")
    night(house, "next")
    night(house, "third")

    assert house.manage.said() == undisturbed.said


def test_a_company_that_kills_its_worker_three_times_is_recorded_and_harms_nobody():
    house = busy_house()
    start_run(house.ports, "night", "nightly", [1, 2])

    def deadly(moment: str, method: str) -> None:
        if moment == "before" and house.source.reads["tenant-1"] > reads[0]:
            reads[0] = house.source.reads["tenant-1"]
            house.fate.dead = True
            raise Killed

    reads = [0]
    house.manage.fault = deadly
    house.work_until_done("night")

    outcomes = {row.company: row.report for row in house.ports.runs.rows("night")}
    assert outcomes[1].outcome is Outcome.FAILED
    assert "died" in outcomes[1].note
    assert outcomes[2].outcome is Outcome.APPLIED


def rising_house() -> House:
    """The same companies a day later: seats have come and gone in a period that is invoiced already."""
    house = busy_house()
    night(house, "first")
    house.clock.pass_by(days=1)
    house.count(1, b.count(8), b.count(2, sku=b.STANDARD, name="Business Standard"))
    house.count(2, b.count(12))
    return house


def test_one_off_lines_are_written_once_wherever_the_worker_was_killed():
    undisturbed = rising_house()
    before = undisturbed.fate.steps
    night(undisturbed, "second")
    said = undisturbed.manage.said()
    once = [line for line in said if line[6].startswith("TU1-O-")]
    # Company 2 owes nothing: while its line stood twice, November was invoiced with 14.
    assert [(line[2], line[3]) for line in once] == [(Decimal(3), Decimal("6.67"))]

    for step in range(1, undisturbed.fate.steps - before + 1):
        house = rising_house()
        house.fate.die_at = house.fate.steps + step
        night(house, "second")
        night(house, "third")
        assert house.manage.said() == said, f"killed before step {step}: {house.fate.log[-1]}"


def splitting_house() -> House:
    """A company whose line of 40 must be split, because every change begins a line of its own."""
    house = House()
    splits = Proration(ProrationRule.COMPUTED, always_split=True)
    house.rules(b.rules(b.profile(proration=splits)))
    house.company(1, [b.count(40)])
    house.company(2, [b.count(6)])
    night(house, "first")
    house.clock.pass_by(days=40)
    for company in (1, 2):
        agreement = house.manage.agreements_[company + 1000]
        house.manage.agreements_[company + 1000] = replace(agreement, next_invoice_date=date(2027, 1, 1))
    house.count(1, b.count(42))
    house.count(2, b.count(4))
    return house


def test_a_split_line_is_never_billed_twice_wherever_the_worker_was_killed():
    undisturbed = splitting_house()
    before = undisturbed.fate.steps
    night(undisturbed, "second")
    said = undisturbed.manage.said()
    assert [(line[2], line[5]) for line in said if line[6].startswith("TU1-S-") and line[0] == 1001] == [
        (Decimal(40), "2026-12-31"),
        (Decimal(42), "None"),
    ]

    for step in range(1, undisturbed.fate.steps - before + 1):
        house = splitting_house()
        house.fate.die_at = house.fate.steps + step
        night(house, "second")
        night(house, "third")
        assert house.manage.said() == said, f"killed before step {step}: {house.fate.log[-1]}"
