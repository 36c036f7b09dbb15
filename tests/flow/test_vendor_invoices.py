"""Profiles that bill on the vendor's invoice: what was counted when it appeared, until the next one appears."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

import pytest

from shared.billing.counts import FailureKind, VendorInvoice
from shared.billing.profiles import CountedOn, Proration, ProrationRule
from shared.billing.rules import CompanyLink, CompanyRules, Mode
from shared.errors import NotPermitted, Retryable, TrueUpError
from shared.state.company_state import MSP
from shared.sync import night
from shared.sync.vendor_invoices import LATE, OVERDUE
from tests import builders as b
from tests.fakes.house import House
from tests.flow.test_fleets import FakeFleet

COMPANY = 250


@dataclass
class FakeInvoicing(FakeFleet):
    """A fleet whose vendor invoices the MSP."""

    invoice: VendorInvoice | None = None
    silent: TrueUpError | None = None

    def newest_invoice(self) -> VendorInvoice | None:
        if self.silent is not None:
            raise self.silent
        return self.invoice


@pytest.fixture
def house() -> House:
    """A company of two organizations with 10 and 4, of which its line bills 12."""
    house = House()
    house.source = FakeInvoicing(invoice=VendorInvoice("1", date(2026, 10, 21)))
    house.ports = house._new_process(house.ports.limits)
    by_invoice = b.profile(
        counted_on=CountedOn.VENDOR_INVOICE, proration=Proration(ProrationRule.NONE), update_only=True
    )
    house.rules(b.rules(by_invoice))
    house.company(COMPANY, lines=[b.addition(9001, 12)])
    links = (CompanyLink(b.SOURCE, "one"), CompanyLink(b.SOURCE, "two"))
    house.ports.companies.put_rules(CompanyRules(COMPANY, "Company", Mode.AUTO, links))
    count(house, 10, 4)
    return house


def count(house: House, one: int, two: int) -> None:
    house.source.counts = {name: (b.count(units, customer=name),) for name, units in (("one", one), ("two", two))}


def run_night(house: House, *, days: int = 1) -> None:
    """A night so many days later."""
    house.clock.pass_by(days=days)
    house.work_until_done(night.nightly(house.ports).partition(":")[0])


def invoiced(house: House) -> None:
    """The vendor invoices today; the next night sees it."""
    assert isinstance(house.source, FakeInvoicing)
    assert house.source.invoice is not None
    today = house.clock.business_now().date()
    house.source.invoice = VendorInvoice(str(int(house.source.invoice.id) + 1), today)


def billed(house: House) -> list[tuple[Decimal, date | None]]:
    """What bills from the next period on, and until when."""
    lines = house.manage.lines.values()
    return [(line.quantity, line.cancelled_date) for line in lines if line.is_open(date(2027, 6, 1))]


def test_a_line_stays_as_it_is_until_the_vendor_invoices_and_then_says_what_was_counted_that_day(house: House) -> None:
    run_night(house)
    count(house, 15, 5)
    run_night(house)
    assert house.manage.writes == 0

    invoiced(house)
    run_night(house)
    assert billed(house) == [(Decimal(20), None)]
    writes = house.manage.writes
    count(house, 30, 9)
    for _ in range(3):
        run_night(house)
    assert (billed(house), house.manage.writes) == ([(Decimal(20), None)], writes)

    invoiced(house)
    run_night(house)
    assert billed(house) == [(Decimal(39), None)]


def test_an_invoice_that_was_there_before_we_looked_tells_nothing_about_today(house: House) -> None:
    run_night(house)
    assert house.manage.writes == 0
    house.source.invoice = VendorInvoice("1", date(2026, 10, 21))
    run_night(house)
    assert house.manage.writes == 0


def test_the_first_invoice_that_is_seen_counts_when_it_is_new(house: House) -> None:
    house.source.invoice = VendorInvoice("1", house.clock.business_now().date())
    run_night(house)
    assert billed(house) == [(Decimal(14), None)]


def test_a_customer_that_could_not_be_read_on_the_day_is_counted_on_one_of_the_next_or_not_at_all(house: House) -> None:
    run_night(house)
    house.source.failing = {"two": FailureKind.READ_FAILED}
    invoiced(house)
    run_night(house)
    assert house.manage.writes == 0
    house.source.failing = {}
    run_night(house)
    assert billed(house) == [(Decimal(14), None)]

    house.source.failing = {"two": FailureKind.READ_FAILED}
    invoiced(house)
    count(house, 17, 4)
    run_night(house)
    house.source.failing = {}
    run_night(house, days=LATE.days + 1)
    assert billed(house) == [(Decimal(14), None)]


def test_a_vendor_that_does_not_tell_its_invoices_leaves_lines_as_they_are_and_the_night_goes_on(house: House) -> None:
    run_night(house)
    invoiced(house)
    house.source.silent = Retryable("the vendor is down", system="vendor")
    run_night(house)
    assert house.manage.writes == 0
    house.source.silent = None
    run_night(house)
    assert billed(house) == [(Decimal(14), None)]


def test_a_vendor_that_refuses_to_tell_its_invoices_is_told_the_same_night_until_it_does(house: House) -> None:
    house.source.silent = NotPermitted("the vendor answered 403", system="vendor", remedy="Let our key see invoices.")
    run_night(house)
    assert told(house) == [f"invoice/{b.SOURCE}"]
    assert house.manage.writes == 0
    house.source.silent = Retryable("the vendor is down", system="vendor")
    run_night(house)
    house.source.silent = None
    run_night(house)
    assert told(house) == []


def test_an_invoice_that_is_taken_back_takes_back_no_counts(house: House) -> None:
    run_night(house)
    before = house.source.invoice
    invoiced(house)
    run_night(house)
    house.source.invoice = before
    count(house, 40, 40)
    run_night(house)
    assert billed(house) == [(Decimal(14), None)]


def test_a_group_that_waits_for_approval_waits_with_the_same_hash_until_the_next_invoice(house: House) -> None:
    run_night(house)
    house.ports.companies.put_rules(replace(house.ports.companies.company_rules(COMPANY), mode=Mode.APPROVE))
    invoiced(house)
    run_night(house)
    waiting = set(house.state(COMPANY).waiting)
    assert len(waiting) == 1
    count(house, 50, 50)
    run_night(house)
    assert set(house.state(COMPANY).waiting) == waiting


def test_update_only_creates_no_line_on_an_invoice_either(house: House) -> None:
    house.manage.lines.clear()
    run_night(house)
    invoiced(house)
    run_night(house)
    assert (house.manage.writes, house.manage.lines) == (0, {})


def test_nobody_asks_for_invoices_that_no_profile_bills_by(house: House) -> None:
    house.source.silent = Retryable("nobody should ask", system="vendor")
    house.rules(b.rules())
    run_night(house)
    assert house.ports.vendor_invoices.newest(b.SOURCE) is None


def test_all_zero_on_the_invoices_night_is_held_on_the_nights_after_it_too(house: House) -> None:
    count(house, 2, 1)
    house.manage.lines[9001] = replace(house.manage.lines[9001], quantity=Decimal(3))
    invoiced(house)
    run_night(house)
    assert billed(house) == [(Decimal(3), None)]
    count(house, 0, 0)
    invoiced(house)
    run_night(house)
    count(house, 2, 1)
    run_night(house)
    assert billed(house) == [(Decimal(3), None)]
    assert [kind for kind, _ in house.ports.company_state.load(COMPANY).findings] == ["held"]


def told(house: House) -> list[str]:
    return [key for _, key in house.ports.company_state.load(MSP).findings if key.startswith("invoice/")]


def test_an_invoice_that_does_not_come_for_more_than_a_month_is_told_until_it_comes(house: House) -> None:
    run_night(house)
    run_night(house, days=29)  # 21 December: the newest one is of 21 October
    assert told(house) == [f"invoice/{b.SOURCE}"]
    house.source.silent = Retryable("the vendor is down", system="vendor")
    run_night(house)
    assert told(house) == [f"invoice/{b.SOURCE}"]
    house.source.silent = None
    invoiced(house)
    run_night(house)
    assert told(house) == []


def test_a_vendor_that_never_tells_of_an_invoice_is_told_too_and_its_first_one_counts(house: House) -> None:
    house.source.invoice = None
    run_night(house)
    run_night(house, days=OVERDUE.days)
    assert told(house) == []
    run_night(house)
    assert told(house) == [f"invoice/{b.SOURCE}"]
    house.source.invoice = VendorInvoice("1", house.clock.business_now().date())
    run_night(house)
    assert told(house) == []
    assert set(house.ports.vendor_invoices.taken(b.SOURCE)) == {"one", "two"}


def test_nobody_waits_for_invoices_that_no_profile_bills_by_any_more(house: House) -> None:
    run_night(house, days=60)
    assert told(house) == [f"invoice/{b.SOURCE}"]
    house.rules(b.rules())
    run_night(house)
    assert told(house) == []


def test_an_invoice_of_before_we_looked_that_may_be_seen_only_later_tells_nothing_about_that_day(house: House) -> None:
    old, house.source.invoice = house.source.invoice, None
    run_night(house)
    house.source.invoice = old
    run_night(house)
    assert house.ports.vendor_invoices.taken(b.SOURCE) == {}
    assert billed(house) == [(Decimal(12), None)]
    invoiced(house)
    run_night(house)
    assert billed(house) == [(Decimal(14), None)]
