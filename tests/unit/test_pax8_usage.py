"""What Pax8 charges in arrears: counted by its invoices, for months that it has invoiced, and by nothing else."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from local.sandbox.pax8.api import Pax8
from local.sandbox.pax8.books import CLOUD, make_invoice
from local.sandbox.pax8.world import CONTAINER, Company, Pax8World, Subscription, changed
from shared.billing.counts import Count, Money, ReadFailure, Reading, Usage
from shared.billing.planning.planner import plan_company
from shared.billing.profiles import Arrears, PriceKind, PriceRule, QuantityRule, Rounding
from shared.billing.rules import CompanyLink, SkuPolicy
from shared.billing.seats import SeatRecord
from shared.billing.vendors import UsageSoFar
from shared.errors import Incomplete, NotPermitted
from shared.http.wire import Answer
from tests import builders as b
from tests.unit import fake_pax8
from tests.unit.fake_pax8 import LARKMAIL, VAULTLINE, FakeWire, alder, source

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


# ---- what was used so far


def container(world: Pax8World, company: Company, status: str = "Active") -> Subscription:
    return world.buy(company, CONTAINER, 1, date(2026, 5, 1), status)


def so_far(wire: FakeWire) -> list[UsageSoFar]:
    return source(wire).used_so_far(DAY)


def test_what_was_used_so_far_is_the_sum_of_resource_groups_and_subscriptions_without_trials(
    wire: FakeWire, world: Pax8World, company: Company
) -> None:
    one, other, tried = (container(world, company) for _ in range(3))
    world.post_usage(one, "production", 40.0, NOVEMBER)
    world.post_usage(one, "test", 2.5, NOVEMBER)
    world.post_usage(one, "workshop", 900.0, NOVEMBER, trial=True)
    world.post_usage(other, "production", 10.0, NOVEMBER)
    world.post_usage(container(world, company, "Trial"), "production", 77.0, NOVEMBER)
    world.post_usage(tried, "production", 5.0, NOVEMBER, trial=True)
    assert so_far(wire) == [UsageSoFar(company.id, SKU, "Driftwood Cloud", D("52.5"), D("63.0"), "USD")]


def test_what_a_vendor_posts_again_takes_the_place_of_what_it_posted_before(
    wire: FakeWire, world: Pax8World, company: Company
) -> None:
    cloud = container(world, company)
    world.post_usage(cloud, "production", 400.0, OCTOBER)
    world.post_usage(cloud, "production", 40.0, NOVEMBER)
    world.post_usage(cloud, "production", 30.0, NOVEMBER)
    assert [each.cost for each in so_far(wire)] == [D("30.0")]


def test_more_resource_groups_than_a_page_holds_are_all_added_up(
    wire: FakeWire, world: Pax8World, company: Company
) -> None:
    cloud = container(world, company)
    for number in range(201):
        world.post_usage(cloud, f"group {number}", 1.0, NOVEMBER)
    assert [each.cost for each in so_far(wire)] == [D(201)]


def test_only_subscriptions_that_may_sell_usage_are_asked_what_was_used(
    wire: FakeWire, world: Pax8World, company: Company
) -> None:
    """Those that cost nothing by themselves, and those whose product an invoice charged for usage."""
    container(world, company)
    over = container(world, company)
    changed(over, 1, "Cancelled", date(2026, 10, 30), datetime(2026, 10, 30, 9, tzinfo=UTC))
    assert so_far(wire) == []
    assert wire.calls_to("/usage-summaries") == 1

    (larkmail,) = (item for item in world.subscriptions.values() if item.product == LARKMAIL)
    make_invoice(world, NOVEMBER).items[0] |= {"productId": LARKMAIL.id, "term": "Arrears"}
    world.post_usage(larkmail, "production", 3.0, NOVEMBER)
    assert [(each.sku, each.cost) for each in so_far(wire)] == [(f"{LARKMAIL.id}:arrears", D("3.0"))]


@pytest.mark.parametrize("status", [404, 422])
def test_a_subscription_of_which_pax8_knows_no_usage_has_none(
    wire: FakeWire, world: Pax8World, company: Company, status: int
) -> None:
    cloud, other = container(world, company), container(world, company)
    world.post_usage(other, "production", 9.0, NOVEMBER)
    wire.interfere = lambda _, path: Answer(status, {}, "{}") if f"{cloud.id}/usage" in path else None
    assert [each.cost for each in so_far(wire)] == [D("9.0")]


def summaries(wire: FakeWire, *rows: dict[str, object]) -> None:
    """Other rows than Pax8's own, as the answer for every subscription."""
    page = {"size": 200, "totalElements": len(rows), "totalPages": 1, "number": 0}
    told = [{"id": str(number), "currencyCode": "USD", **row} for number, row in enumerate(rows)]
    body = json.dumps({"content": told, "page": page})
    wire.interfere = lambda _, path: Answer(200, {}, body) if path.endswith("/usage-summaries") else None


def test_a_summary_tells_whose_usage_it_is_and_of_which_product_and_what_it_leaves_out_the_subscription_does(
    wire: FakeWire, world: Pax8World, company: Company
) -> None:
    container(world, company)
    other = world.add_company("Mill Road Joinery")
    part = {"companyId": other.id, "productId": VAULTLINE.id, "partnerTotal": 4, "currentCharges": 5}
    summaries(wire, {"partnerTotal": 1, "currentCharges": None}, part)
    assert [(each.customer, each.sku, each.cost, each.retail) for each in so_far(wire)] == [
        (company.id, SKU, D(1), None),
        (other.id, f"{VAULTLINE.id}:arrears", D(4), D(5)),
    ]
    make_invoice(world, NOVEMBER).items[0] |= {"productId": CLOUD, "term": "Arrears"}
    assert {each.sku for each in so_far(wire)} == {SKU}


def test_currencies_are_never_added_up_and_a_sum_with_an_untold_part_is_untold(
    wire: FakeWire, world: Pax8World, company: Company
) -> None:
    container(world, company)
    summaries(wire, {"partnerTotal": 1}, {"partnerTotal": 2, "currencyCode": "EUR"}, {"currentCharges": 3})
    assert [(each.cost, each.retail, each.currency) for each in so_far(wire)] == [
        (None, None, "USD"),
        (D(2), None, "EUR"),
    ]


@pytest.mark.parametrize("row", [{"partnerTotal": "1"}, {"isTrial": "no"}, {"companyId": "Alder"}])
def test_a_summary_that_cannot_be_understood_is_an_error(
    wire: FakeWire, world: Pax8World, company: Company, row: dict[str, object]
) -> None:
    container(world, company)
    summaries(wire, row)
    with pytest.raises(Incomplete):
        so_far(wire)


def test_usage_that_we_may_not_read_is_an_error_and_a_night_never_asks_for_it(
    wire: FakeWire, world: Pax8World, company: Company
) -> None:
    container(world, company)
    wire.interfere = lambda _, path: Answer(403, {}, "{}") if path.endswith("/usage-summaries") else None
    assert isinstance(source(wire, usage=True).read_fleet(DAY, {})[company.id], Reading)
    assert wire.calls_to("/usage-summaries") == 0
    with pytest.raises(NotPermitted):
        so_far(wire)
