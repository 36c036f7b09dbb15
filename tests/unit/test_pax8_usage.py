"""What Pax8 charges in arrears: counted by its invoices, for months that it has invoiced, and by nothing else."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal

import pytest

from local.sandbox.pax8.api import Pax8
from local.sandbox.pax8.books import CLOUD, make_invoice
from local.sandbox.pax8.world import Company, Pax8World
from shared.billing.counts import Count, Money, ReadFailure, Reading, Usage
from shared.billing.planning.planner import plan_company
from shared.billing.profiles import Arrears, PriceKind, PriceRule, QuantityRule, Rounding
from shared.billing.rules import CompanyLink, SkuPolicy
from shared.billing.seats import SeatRecord
from shared.http.wire import Answer
from tests import builders as b
from tests.unit import fake_pax8
from tests.unit.fake_pax8 import FakeWire, alder, source

D = Decimal
SKU = f"{CLOUD}:arrears"
SEPTEMBER, OCTOBER, NOVEMBER, DECEMBER = (date(2026, month, 1) for month in (9, 10, 11, 12))
DAY = date(2026, 11, 21)


@pytest.fixture
def world() -> Pax8World:
    return fake_pax8.world()


@pytest.fixture
def company(world: Pax8World) -> Company:
    return alder(world)


@pytest.fixture
def wire(world: Pax8World) -> FakeWire:
    return FakeWire(Pax8(world))


def use(world: Pax8World, company: Company, **amounts: float) -> None:
    """Invoices of these months, each with what was used in the month before."""
    for name, amount in amounts.items():
        month = {"september": SEPTEMBER, "october": OCTOBER, "november": NOVEMBER, "december": DECEMBER}[name]
        world.used[month] = {company.id: amount}
        make_invoice(world, month)


def read(wire: FakeWire, company: Company, day: date = DAY) -> Count | None:
    reading = source(wire, usage=True).read(company.id, day)
    assert isinstance(reading, Reading), reading
    return next((count for count in reading.counts if count.sku == SKU), None)


def usage(count: Count | None) -> Usage:
    assert count is not None
    assert count.subscriptions is not None
    (only,) = count.subscriptions
    assert only.usage is not None
    return only.usage


def test_a_month_of_usage_is_what_the_invoice_of_the_next_month_charges(
    wire: FakeWire, world: Pax8World, company: Company
) -> None:
    use(world, company, october=80.0, november=123.45)
    count = read(wire, company)

    assert usage(count) == Usage(
        ((SEPTEMBER, D("80.0")), (OCTOBER, D("123.45"))), since=SEPTEMBER, until=date(2026, 10, 31)
    )
    assert count is not None
    assert (count.name, count.purchased, count.level) == ("Driftwood Cloud, used", D("123.45"), True)
    assert count.cost == Money(D(1), "once", "USD")


def test_before_this_months_invoice_last_months_counts(wire: FakeWire, world: Pax8World, company: Company) -> None:
    use(world, company, september=70.0, october=80.0)
    assert usage(read(wire, company)).until == date(2026, 9, 30)
    assert usage(read(wire, company)).since == date(2026, 8, 1)
    assert read(wire, company, date(2026, 12, 3)) is None


def test_behind_a_month_without_an_invoice_nothing_is_known(wire: FakeWire, world: Pax8World, company: Company) -> None:
    use(world, company, september=70.0, november=80.0)
    assert usage(read(wire, company)).since == OCTOBER


def test_an_invoice_that_was_credited_counts_only_by_the_one_that_took_its_place(
    wire: FakeWire, world: Pax8World, company: Company
) -> None:
    use(world, company, november=500.0)
    use(world, company, november=123.45)
    assert usage(read(wire, company)).days == ((OCTOBER, D("123.45")),)


def test_nobody_used_anything_where_nothing_is_invoiced(wire: FakeWire, world: Pax8World, company: Company) -> None:
    assert read(wire, company) is None
    make_invoice(world, NOVEMBER)
    assert read(wire, company) is None


def test_a_fleet_says_what_single_reads_say_and_asks_for_each_invoice_once(
    wire: FakeWire, world: Pax8World, company: Company
) -> None:
    other = world.add_company("Mill Road Joinery")
    use(world, company, october=80.0, november=123.45)
    pax8 = source(wire, usage=True)
    fleet = pax8.read_fleet(DAY, {})
    assert wire.calls_to("/items") == 2
    assert fleet == {each.id: pax8.read(each.id, DAY) for each in (company, other)}
    assert wire.calls_to("/items") == 2


def test_without_the_setting_nobody_asks_for_invoices(wire: FakeWire, world: Pax8World, company: Company) -> None:
    use(world, company, november=123.45)
    plain = source(wire)
    assert isinstance(plain.read(company.id, DAY), Reading)
    assert plain.check() == []
    assert wire.calls_to("/invoices") == 0


def test_a_check_with_the_setting_asks_whether_invoices_may_be_read(wire: FakeWire, company: Company) -> None:
    wire.interfere = lambda _, path: Answer(403, {}, "{}") if path == "/invoices" else None
    assert source(wire).check() == []
    (told,) = source(wire, usage=True).check()
    assert "403 to the list of invoices" in told


@pytest.mark.parametrize(
    "broken",
    [{"startPeriod": None}, {"currencyCode": "EUR"}, {"quantity": "1"}],
    ids=["no day", "currencies", "text"],
)
def test_usage_that_cannot_be_understood_is_a_failure(
    wire: FakeWire, world: Pax8World, company: Company, broken: dict[str, object]
) -> None:
    use(world, company, october=80.0, november=123.45)
    newest = list(world.invoices.values())[-1]
    item = next(item for item in newest.items if item["term"] == "Arrears")
    item.update(broken)
    assert isinstance(source(wire, usage=True).read(company.id, DAY), ReadFailure)


def test_an_invoice_without_a_date_is_a_failure(wire: FakeWire, company: Company) -> None:
    page = {"size": 200, "totalElements": 1, "totalPages": 1, "number": 0}
    body = json.dumps({"content": [{"id": "1", "status": "Paid"}], "page": page})
    wire.interfere = lambda _, path: Answer(200, {}, body) if path == "/invoices" else None
    assert isinstance(source(wire, usage=True).read(company.id, DAY), ReadFailure)


def test_a_month_is_billed_at_cost_and_margin_once_its_invoice_is_there(
    wire: FakeWire, world: Pax8World, company: Company
) -> None:
    cents = QuantityRule(rounding=Rounding.NEAREST, rounding_step=D("0.01"))
    cost = PriceRule(PriceKind.COST, markup=D(20))
    rules = b.rules(
        b.profile(arrears=Arrears.LAST, price=cost, quantity=cents), policies=[SkuPolicy("pax8", SKU, "premium")]
    )
    linked = b.company(links=(CompanyLink("pax8", company.id),))
    seats: dict[str, SeatRecord] = {}

    def billed(day: date) -> list[tuple[Decimal, Decimal]]:
        following = date(day.year + day.month // 12, day.month % 12 + 1, 1)
        reading = source(wire, usage=True).read(company.id, day)
        agreement = b.agreement(next_invoice_date=following, currency="USD")
        plan = plan_company(
            b.facts(reading, as_of=day, rules=rules, company=linked, seats=seats, agreements=[agreement])
        )
        seats.update({record.line: record for record in plan.seats})
        return [(change.after.quantity, change.after.unit_price) for change in plan.changes if change.after is not None]

    use(world, company, november=80.0)
    assert billed(DAY) == []
    assert billed(date(2026, 12, 3)) == []
    use(world, company, december=123.45)
    assert billed(date(2026, 12, 6)) == [(D("123.45"), D("1.20"))]
