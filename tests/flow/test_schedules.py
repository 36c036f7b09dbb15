"""Four sources on one agreement, each on a schedule of its own: none of them waits for, wakes or undoes another."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from shared.billing.counts import FailureKind, VendorInvoice
from shared.billing.profiles import Arrears, CountedOn, PriceKind, PriceRule, Proration, ProrationRule
from shared.billing.rules import CompanyLink, CompanyRules, Mode, Schedule, SkuPolicy
from shared.sync import moments, night
from tests import builders as b
from tests.fakes.house import FakeSource, House
from tests.flow.test_fleets import FakeFleet
from tests.flow.test_vendor_invoices import FakeInvoicing

COMPANY, AGREEMENT = 1, 1001
HOURS = Schedule("hours", "hourly", "30 * * * *", ("cove",))
NIGHTS = Schedule("nights", "nightly", "0 2 * * *")
SEATS, AGENTS, BOUGHT, STORED = "SEATS", "AGENTS", "BOUGHT", "STORED"
#: What bills each source, and when it is counted.
WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "microsoft365": (SEATS, {"counted_on": CountedOn.NIGHT}),
    "huntress": (AGENTS, {"counted_on": CountedOn.VENDOR_INVOICE}),
    "pax8": (BOUGHT, {"counted_on": CountedOn.BEFORE_INVOICE}),
    "cove": (STORED, {"arrears": Arrears.HIGHEST}),
}


class Month:
    """A company whose agreement is invoiced on the first, with a line of 10 for each source but the one in arrears."""

    def __init__(self) -> None:
        self.house = House()
        self.huntress = FakeInvoicing(name="huntress", invoice=VendorInvoice("1", date(2026, 10, 20)))
        fleets = (self.huntress, FakeFleet(name="pax8"), FakeFleet(name="cove"))
        self.sources: dict[str, FakeSource] = {each.name: each for each in (FakeSource(), *fleets)}
        self.house.ports = replace(self.house.ports, sources=self.sources)  # type: ignore[arg-type]
        manage = self.house.manage
        manage.catalog = {name: b.product(name, 100 + at) for at, (name, _) in enumerate(WAYS.values())}
        manage.agreements_[AGREEMENT] = b.agreement(AGREEMENT, company_id=COMPANY, next_invoice_date=date(2026, 11, 1))
        price, plain = PriceRule(PriceKind.CUSTOM, Decimal(1)), Proration(ProrationRule.NONE)
        profiles = [
            b.profile(id=name, product=product, price=price, proration=plain, **how)
            for name, (product, how) in WAYS.items()
        ]
        policies = [SkuPolicy(name, "sku", name) for name in WAYS]
        self.house.rules(b.rules(*profiles, policies=policies, schedules=(HOURS, NIGHTS)))
        links = tuple(CompanyLink(name, f"at-{name}") for name in WAYS)
        self.house.ports.companies.put_rules(CompanyRules(COMPANY, "Alder & Finch", Mode.AUTO, links))
        for name in WAYS:
            self.count(name, 10)
        self.night(date(2026, 10, 30))
        self.invoiced_by_huntress(date(2026, 10, 31))
        self.night(date(2026, 10, 31))
        manage.agreements_[AGREEMENT] = replace(manage.agreements_[AGREEMENT], next_invoice_date=date(2026, 12, 1))

    def count(self, source: str, units: int) -> None:
        customer = f"at-{source}"
        counted = replace(b.count(units, sku="sku", customer=customer), source=source, level=source == "cove")
        self.sources[source].counts[customer] = (counted,)

    def count_all(self, units: int) -> None:
        for name in WAYS:
            self.count(name, units)

    def night(self, day: date) -> None:
        self.house.clock.time = datetime(day.year, day.month, day.day, 2, tzinfo=UTC)
        self.house.work_until_done(night.nightly(self.house.ports).partition(":")[0])

    def hour(self, units: int) -> None:
        """A reading of storage between the nights."""
        self.house.clock.pass_by(hours=1)
        self.count("cove", units)
        now, schedules = self.house.clock.now(), self.house.ports.schedules
        schedules.arrange(HOURS.id, HOURS.cron, now)
        assert schedules.take(schedules.get(HOURS.id), now, now)
        moments.begin_reading(self.house.ports, HOURS)
        while self.house.queue.readings:
            moments.go_on(self.house.ports, self.house.queue.readings.pop(0))

    def invoiced_by_huntress(self, day: date) -> None:
        assert self.huntress.invoice is not None
        self.huntress.invoice = VendorInvoice(str(int(self.huntress.invoice.id) + 1), day)

    def stands(self) -> dict[str, int]:
        """What bills from the next period on, by product."""
        lines = [line for line in self.house.manage.lines.values() if line.is_open(date(2027, 6, 1))]
        return {line.product: int(line.quantity) for line in lines}


def test_each_source_of_an_agreement_is_billed_on_its_own_schedule() -> None:
    month = Month()
    assert month.stands() == {SEATS: 10, AGENTS: 10, BOUGHT: 10}

    month.count_all(12)
    month.night(date(2026, 11, 5))
    assert month.stands() == {SEATS: 12, AGENTS: 10, BOUGHT: 10}

    month.hour(90)
    month.count_all(14)
    month.invoiced_by_huntress(date(2026, 11, 16))
    month.night(date(2026, 11, 16))
    assert month.stands() == {SEATS: 14, AGENTS: 14, BOUGHT: 10}

    month.count_all(16)
    month.night(date(2026, 11, 30))
    assert month.stands() == {SEATS: 16, AGENTS: 14, BOUGHT: 16}

    writes = month.house.manage.writes
    month.night(date(2026, 11, 30))
    assert month.house.manage.writes == writes


def test_when_the_month_is_over_its_highest_hour_is_billed_once_beside_what_stands() -> None:
    month = Month()
    month.night(date(2026, 11, 5))
    month.hour(40)
    month.hour(20)
    month.night(date(2026, 11, 30))
    agreement = month.house.manage.agreements_[AGREEMENT]
    month.house.manage.agreements_[AGREEMENT] = replace(agreement, next_invoice_date=date(2027, 1, 1))
    for day in (1, 2):
        month.night(date(2026, 12, day))
        lines = [line for line in month.house.manage.lines.values() if line.product == STORED]
        assert [int(line.quantity) for line in lines] == [10, 40], "October, and November"
    assert month.stands() == {SEATS: 10, AGENTS: 10, BOUGHT: 10}


def test_a_source_that_is_away_leaves_the_others_on_their_schedules() -> None:
    month = Month()
    month.count_all(12)
    month.sources["pax8"].failing["at-pax8"] = FailureKind.READ_FAILED
    month.invoiced_by_huntress(date(2026, 11, 30))
    month.night(date(2026, 11, 30))
    assert month.stands() == {SEATS: 12, AGENTS: 12, BOUGHT: 10}
