"""A commitment that Pax8 tells, from its answers to the agreement: its seats are billed to its last day."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from local.sandbox.pax8.api import Pax8
from local.sandbox.pax8.world import changed
from shared.billing.rules import CompanyLink, CompanyRules, Mode, SkuPolicy
from tests import builders as b
from tests.fakes.house import House
from tests.unit.billing.test_invoices import UNGUARDED
from tests.unit.fake_pax8 import COPPERKEY, FakeWire, source, world

ENDS = date(2026, 12, 9)


class Msp:
    """A company with five seats, committed to for a year and charged by the month; today is the 21st of November."""

    def __init__(self, *, floor: bool = True) -> None:
        self.house, self.pax8 = House(), world()
        customer = self.pax8.add_company("Alder Dental")
        self.bought = self.pax8.buy(customer, replace(COPPERKEY, term="Monthly"), 5, ENDS - timedelta(days=364))
        self.bought.commitment_ends = ENDS
        vendor = source(FakeWire(Pax8(self.pax8)))
        policy = SkuPolicy(vendor.name, f"{COPPERKEY.id}:monthly", "premium")
        profile = b.profile(split=True, commitment_floor=floor)
        self.house.rules(b.rules(profile, policies=[policy], guards=UNGUARDED))
        self.house.company(1)
        links = (CompanyLink(vendor.name, customer.id),)
        self.house.ports.companies.put_rules(CompanyRules(1, "Company 1", Mode.AUTO, links))
        self.house.ports = replace(self.house.ports, sources={vendor.name: vendor})

    def changes(self, seats: int, status: str = "Active") -> None:
        now = self.house.clock.now()
        changed(self.bought, seats, status, now.date(), now)

    def night(self) -> int:
        """What is billed after it."""
        synced = self.house.sync(1)
        assert synced.report.outcome.value in {"applied", "unchanged"}, synced.report
        self.house.clock.pass_by(days=1)
        return sum(int(line.quantity) for line in self.house.manage.lines.values() if not line.cancelled_date)


@pytest.mark.parametrize(("seats", "status"), [(3, "Active"), (5, "Cancelled")])
def test_seats_that_go_at_pax8_are_billed_to_the_last_day_of_their_commitment(seats: int, status: str) -> None:
    msp = Msp()
    assert msp.night() == 5
    msp.changes(seats, status)
    assert msp.night() == 5
    msp.house.clock.pass_by(days=16)  # to the last day, the ninth of December
    assert msp.house.clock.now().date() == ENDS
    assert [msp.night(), msp.night()] == [5, 3 if status == "Active" else 0]


def test_a_profile_that_does_not_ask_for_it_bills_what_is_left() -> None:
    msp = Msp(floor=False)
    assert msp.night() == 5
    msp.changes(3)
    assert msp.night() == 3
