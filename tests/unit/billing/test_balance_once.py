"""What is billed once, by the periods that it is for, beside what should be: usage in arrears and parts of months."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Literal

import pytest

from shared.billing.agreements import Addition
from shared.billing.balance import Balance, BilledOnce, settled
from shared.billing.counts import Count, FailureKind, Holder, Money
from shared.billing.lines import LedgerRow, LineValues
from shared.billing.planning.plan import Plan
from shared.billing.planning.planner import Facts, plan_company
from shared.billing.profiles import (
    Arrears,
    Band,
    Basis,
    BillingProfile,
    Decrease,
    PriceKind,
    PricePeriod,
    PriceRule,
    Proration,
    ProrationRule,
    QuantityRule,
)
from shared.billing.rules import CompanyLink, CompanyRules, LicenceLink
from shared.billing.seats import SeatDay, SeatRecord
from shared.billing.users import Traits, Users
from tests import builders as b

D = Decimal
OCTOBER, NOVEMBER = (date(2026, 10, 1), date(2026, 10, 31)), (date(2026, 11, 1), date(2026, 11, 30))
USAGE = b.profile(arrears=Arrears.LAST, price=PriceRule(PriceKind.CUSTOM, D("0.50")))


class Nights:
    """A company whose seats are carried from night to night; `lines` are those that stand, `ledger` is what we know."""

    def __init__(self, profile: BillingProfile = USAGE, **agreement: object) -> None:
        self.rules = b.rules(profile)
        self.agreement = agreement
        self.seats: dict[str, SeatRecord] = {}
        self.lines: list[Addition] = []
        self.ledger: list[LedgerRow] = []

    def __call__(self, day: date, *counts: Count) -> Plan:
        plan = plan_company(self.facts(day, *counts))
        self.seats = {**self.seats, **{record.line: record for record in plan.seats}}
        return plan

    def facts(self, day: date, *counts: Count) -> Facts:
        invoice = date(day.year + day.month // 12, day.month % 12 + 1, 1)
        return b.facts(
            b.reading(*counts, day=day),
            as_of=day,
            rules=self.rules,
            seats=self.seats,
            agreements=[b.agreement(**{"next_invoice_date": invoice, **self.agreement})],
            additions=self.lines,
            ledger=self.ledger,
        )

    def stands(self, line: Addition) -> None:
        """A line of ours."""
        self.lines.append(line)
        self.ledger.append(b.recorded(line))

    def write(self, plan: Plan) -> None:
        """What the plan creates stands from now on."""
        for number, change in enumerate(plan.changes, start=900 + len(self.lines)):
            assert change.after is not None
            said = {name: getattr(change.after, name) for name in ("unit_price", "effective_date", "cancelled_date")}
            line = b.addition(number, int(change.after.quantity), serial_number=change.after.serial_number, **said)
            self.lines.append(line)
            stamp = change.after.serial_number
            self.ledger.append(LedgerRow(stamp, change.key, number, change.product, LineValues.of(line)))


def one(plan: Plan) -> Balance:
    (balance,) = plan.balances
    return balance


def october(nights: Nights) -> Plan:
    """120 were used in October, which is over tonight."""
    nights(date(2026, 10, 20), b.count(120))
    return nights(date(2026, 11, 4), b.count(130))


# ---- usage


def test_nothing_is_due_of_usage_while_no_period_is_over() -> None:
    balance = one(plan_company(b.facts(b.reading(b.count(120)), rules=b.rules(USAGE))))
    assert (balance.counted, balance.due, balance.billed, balance.amount) == (120, 0, 0, 0)
    assert (balance.usage, balance.once, balance.over_until) == (True, (), date(2026, 10, 31))


def test_usage_is_told_by_the_period_that_is_over_until_it_is_written_and_after() -> None:
    nights = Nights()
    plan = october(nights)
    balance = one(plan)
    assert balance.once == (BilledOnce(*OCTOBER, billed=D(0), amount_billed=D(0), due=D(120), amount_due=D("60.00")),)
    assert (balance.units, balance.amount, balance.estimated) == (120, 60, False)
    done = settled(balance)
    assert (done.units, done.amount, done.once[0].billed, done.once[0].amount_billed) == (0, 0, 120, 60)

    nights.write(plan)
    again = one(nights(date(2026, 11, 5), b.count(130)))
    assert (again.billed, again.amount_billed, again.units, again.amount) == (120, 60, 0, 0)


def test_a_line_that_a_person_deleted_bills_nothing_and_one_that_was_not_read_what_it_said() -> None:
    nights = Nights()
    nights.write(october(nights))
    facts = nights.facts(date(2026, 11, 5), b.count(130))
    deleted = one(plan_company(replace(facts, additions={b.AGREEMENT: ()})))
    assert (deleted.billed, deleted.units, deleted.amount, deleted.estimated) == (0, 120, 60, True)
    unread = one(plan_company(replace(facts, additions={})))
    assert (unread.billed, unread.amount_billed, unread.units) == (120, 60, 0)


def test_what_people_billed_of_it_by_hand_counts() -> None:
    nights = Nights()
    by_hand = b.addition(11, 100, effective_date=date(2026, 10, 1), cancelled_date=date(2026, 10, 31))
    nights.lines.append(by_hand)
    balance = one(october(nights))
    assert (balance.due, balance.billed, balance.units) == (120, 100, 20)
    assert (balance.amount_billed, balance.amount_due) == (2500, 2510)


def test_where_nothing_may_be_planned_usage_is_told_with_an_estimate_or_without_an_amount() -> None:
    blocked = replace(USAGE, update_only=True)
    balance = one(october(Nights(blocked)))
    assert (balance.units, balance.amount, balance.estimated) == (120, 60, True)
    by_cost = replace(blocked, price=PriceRule(PriceKind.COST))
    assert (one(october(Nights(by_cost))).units, one(october(Nights(by_cost))).amount) == (120, None)


def test_of_a_failed_reading_no_usage_is_known() -> None:
    nights = Nights()
    nights.write(october(nights))
    facts = b.facts(b.failure(), rules=nights.rules, seats=nights.seats, additions=nights.lines, ledger=nights.ledger)
    balance = one(plan_company(facts))
    assert (balance.due, balance.amount_due) == (None, None)
    assert settled(balance).due is None


def test_periods_that_are_long_over_are_not_told() -> None:
    nights = Nights()
    nights.write(october(nights))
    balance = one(nights(date(2027, 3, 4), b.count(10)))
    assert OCTOBER not in [(each.start, each.end) for each in balance.once]


def test_a_line_whose_stamp_tells_no_period_is_in_none() -> None:
    nights = Nights()
    nights.write(october(nights))
    odd = replace(nights.ledger[0], stamp="odd")
    facts = replace(nights.facts(date(2026, 11, 5), b.count(130)), additions={}, ledger=(*nights.ledger, odd))
    (once,) = one(plan_company(facts)).once
    assert (once.billed, once.holds(date(2026, 10, 31)), once.holds(date(2026, 11, 1))) == (120, True, False)


def packaged(*bounds: int | None) -> BillingProfile:
    bands = tuple(Band(None if upto is None else D(upto), D(10 + number)) for number, upto in enumerate(bounds))
    return replace(USAGE, price=PriceRule(PriceKind.PACKAGE, bands=bands))


def test_a_package_bills_what_was_used_as_far_as_it_reaches() -> None:
    nights = Nights(packaged(100, 150, None))
    plan = october(nights)
    assert one(plan).once == (BilledOnce(*OCTOBER, D(0), D(0), D(120), D(11)),)
    nights.write(plan)
    again = one(nights(date(2026, 11, 5), b.count(130)))
    assert (again.billed, again.amount_billed, again.units) == (120, 11, 0)

    nights.rules = b.rules(packaged(150, None))
    assert one(nights(date(2026, 11, 6), b.count(130))).units == 0
    nights.rules = b.rules(packaged(50, 80))
    small = one(nights(date(2026, 11, 6), b.count(130)))
    assert (small.due, small.billed) == (120, 120)


def test_a_package_that_is_too_small_bills_no_more_than_it_holds() -> None:
    nights = Nights(packaged(100, None))
    nights(date(2026, 10, 20), b.count(90))
    nights.write(nights(date(2026, 11, 4), b.count(130)))
    late = {
        line: replace(record, days=(SeatDay(date(2026, 10, 20), D(120), None),))
        for line, record in nights.seats.items()
    }
    nights.seats = late
    (once,) = one(nights(date(2026, 11, 5), b.count(130))).once
    assert (once.billed, once.due, once.amount_billed, once.amount_due) == (100, 120, 10, 11)


# ---- parts of months


def test_a_part_of_a_month_is_told_beside_what_stands() -> None:
    nights = Nights(b.profile(proration=Proration(ProrationRule.COMPUTED)))
    nights.stands(b.our_addition(11, 5))
    nights(date(2026, 11, 2), b.count(5))
    plan = nights(date(2026, 11, 21), b.count(8))
    (once,) = one(plan).once
    assert (once.start, once.end) == NOVEMBER
    assert (once.billed, once.due, once.amount_due) == (0, 3, 3 * D("7.50"))
    assert one(plan).units == 3


def test_a_part_that_manage_prorates_counts_by_its_share() -> None:
    nights = Nights(b.profile(proration=Proration(ProrationRule.MANAGE)), prorate_flag=True)
    nights.stands(b.our_addition(11, 5))
    nights(date(2026, 11, 2), b.count(5))
    plan = nights(date(2026, 11, 21), b.count(8))
    (once,) = one(plan).once
    assert (once.due, once.amount_due) == (3, 3 * D("8.33"))


def test_a_credit_is_told_below_zero() -> None:
    nights = Nights(b.profile(proration=Proration(ProrationRule.COMPUTED, decrease=Decrease.CREDIT)))
    nights.stands(b.our_addition(11, 5))
    nights(date(2026, 11, 2), b.count(5))
    plan = nights(date(2026, 11, 21), b.count(3))
    assert [(once.due, once.amount_due) for once in one(plan).once] == [(-2, -2 * D("7.50"))]


def test_what_has_no_agreement_yet_is_in_the_currency_of_all_of_the_companys_if_that_is_one() -> None:
    def told(*currencies: str) -> str | None:
        agreements = [b.agreement(501 + at, type="Other", currency=name) for at, name in enumerate(currencies)]
        return one(plan_company(b.facts(b.reading(b.count(8)), agreements=agreements))).currency

    assert [told("EUR"), told("EUR", "EUR"), told("EUR", "CHF"), told()] == ["EUR", "EUR", None, None]


# ---- what it costs, and what is gone


def test_a_cost_that_the_company_names_itself_is_that_of_each_unit_that_is_due() -> None:
    def own(**choices: object) -> CompanyRules:
        return b.company(licences=(LicenceLink(b.SOURCE, b.PREMIUM, cost=D("17.50"), **choices),))  # type: ignore[arg-type]

    assert one(plan_company(b.facts(b.reading(b.count(8)), company=own()))).cost == 140
    assert one(plan_company(b.facts(b.reading(b.count(8)), company=own(quantity=D(2))))).cost == 35
    assert one(plan_company(b.facts(b.failure(), additions=[b.our_addition(11, 5)], company=own()))).cost is None


IN_BANDS = (Band(D(100), D("25.00"), "S"), Band(D(500), D("60.00"), "M"), Band(None, D("120.00"), "L"))


@pytest.mark.parametrize(
    ("kind", "bands", "units", "own", "cost"),
    [
        (PriceKind.PACKAGE, IN_BANDS, 380, None, 40),
        (PriceKind.PACKAGE, IN_BANDS, 380, D("17.50"), D("17.50")),
        (PriceKind.PACKAGE, tuple(replace(band, product=None) for band in IN_BANDS), 380, None, 20),
        (PriceKind.TIERED, IN_BANDS, 380, None, 100 * 10 + 280 * 40),
        (PriceKind.TIERED, IN_BANDS, 380, D(2), 760),
        (PriceKind.VOLUME, IN_BANDS, 380, None, 380 * 40),
        (PriceKind.TIERED, IN_BANDS, 501, None, None),
    ],
)
def test_what_is_billed_in_bands_costs_what_the_products_of_its_lines_cost(kind, bands, units, own, cost) -> None:
    catalog = [b.product(), b.product("S", 101), b.product("M", 102), b.product("L", 103)]
    costs = {"S": D(10), "M": D(40), "L": D(0)}
    products = [replace(each, cost=costs.get(each.identifier, each.cost)) for each in catalog]
    profile = b.profile(arrears=Arrears.HIGHEST, price=PriceRule(kind, bands=bands))
    company = b.company(licences=(LicenceLink(b.SOURCE, b.PREMIUM, cost=own),))
    seats: dict[str, SeatRecord] = {}
    for day in (date(2026, 10, 20), date(2026, 11, 2)):
        facts = b.facts(
            b.reading(b.count(units), day=day), as_of=day, rules=b.rules(profile), products=products, seats=seats
        )
        plan = plan_company(replace(facts, company=company))
        seats = {record.line: record for record in plan.seats}

    assert (one(plan).due, one(plan).cost) == (units, cost)


def test_the_cost_is_the_vendors_or_the_catalogs_and_none_where_nobody_tells_it() -> None:
    told = replace(b.count(8), cost=Money(D(18), "month", "USD"))
    agreement = b.agreement(currency="USD")
    assert one(plan_company(b.facts(b.reading(told), agreements=[agreement]))).cost == 144
    assert one(plan_company(b.facts(b.reading(told)))).cost == 160
    by_month = b.profile(price=PriceRule(PriceKind.PRODUCT, per=PricePeriod.MONTH))
    quarterly = b.agreement(billing_cycle="Quarterly", next_invoice_date=date(2027, 1, 1), currency="USD")
    each = b.facts(b.reading(told), agreements=[quarterly], rules=b.rules(by_month))
    assert one(plan_company(each)).cost == 8 * 18 * 3
    assert one(plan_company(replace(each, readings=(b.reading(b.count(8)),)))).cost == 8 * 20 * 3
    unknown = replace(b.product(), cost=D(0))
    assert one(plan_company(b.facts(b.reading(b.count(8)), products=[unknown]))).cost is None
    assert one(plan_company(b.facts(b.reading(told), agreements=[]))).cost is None


def filtered(**rule: object) -> Balance:
    """Two of eight seats are held by users of a department that is billed."""
    users = Users(Traits(departments=("Lab",)))
    people = [Holder(name, name, department="Lab") for name in ("a", "b")]
    profile = b.profile(quantity=QuantityRule(Basis.ASSIGNED, users=users, **rule))  # type: ignore[arg-type]
    return one(plan_company(b.facts(b.reading(b.count(8, assigned=2, holders=people)), rules=b.rules(profile))))


def test_of_some_users_the_cost_is_that_of_their_units_where_these_are_the_vendors() -> None:
    assert filtered().cost == 40
    assert filtered(multiply_by=D(2)).cost is None


def test_a_part_of_a_split_item_counts_and_costs_its_own_units() -> None:
    parts = [b.subscription(5), b.subscription(3)]
    plan = plan_company(b.facts(b.reading(b.count(8, subscriptions=parts)), rules=b.rules(b.profile(split=True))))
    assert sorted((each.counted, each.cost) for each in plan.balances) == [(3, 60), (5, 100)]


def test_what_the_vendor_tells_nothing_of_any_more_is_gone() -> None:
    line = b.our_addition(11, 5)
    standing = {"additions": [line], "ledger": [b.recorded(line)]}
    assert one(plan_company(b.facts(b.reading(), **standing))).gone
    assert not one(plan_company(b.facts(b.reading(b.count(0)), **standing))).gone
    assert not one(plan_company(b.facts(b.failure(), **standing))).gone
    left = replace(b.failure(), kind=FailureKind.CUSTOMER_GONE)
    assert one(plan_company(b.facts(left, **standing))).gone
    named = b.company(licences=(LicenceLink(b.SOURCE, b.PREMIUM, quantity=D(5)),))
    assert not one(plan_company(b.facts(b.reading(), company=named, **standing))).gone


def test_one_of_two_customers_that_is_gone_does_not_make_the_item_gone() -> None:
    two = b.company(links=(CompanyLink(b.SOURCE, b.TENANT), CompanyLink(b.SOURCE, "tenant-two")))
    left = replace(b.failure("tenant-two"), kind=FailureKind.CUSTOMER_GONE)
    line = b.our_addition(11, 5)
    facts = b.facts(b.reading(b.count(5)), left, company=two, additions=[line], ledger=[b.recorded(line)])
    assert not one(plan_company(facts)).gone


def test_who_counts_it_is_told_also_of_what_nobody_has_mapped() -> None:
    plan = plan_company(b.facts(b.reading(b.count(8), b.count(2, sku=b.STANDARD, name="Standard"))))
    assert [each.sources for each in plan.balances] == [(b.SOURCE,), (b.SOURCE,)]


@pytest.mark.parametrize(("period", "cost"), [("month", 36), ("once", 36), ("year", None)])
def test_what_nobody_has_mapped_costs_what_its_vendor_says_for_a_month(
    period: Literal["month"], cost: int | None
) -> None:
    bought = replace(b.count(2, sku=b.STANDARD), cost=Money(D(18), period, "USD"))
    balance = one(plan_company(b.facts(b.reading(bought))))
    assert (balance.cost, balance.currency) == (cost, "USD")


@pytest.mark.parametrize(("term", "longer"), [(None, False), ("P1M", False), ("P1Y", True)])
def test_what_is_committed_to_for_longer_may_be_charged_at_once(term: str | None, longer: bool) -> None:
    bought = b.count(5, subscriptions=[replace(b.subscription(5), term=term)])
    assert one(plan_company(b.facts(b.reading(bought)))).longer is longer
    told = replace(b.count(5), cost=Money(D(200), "year", "USD"))
    assert one(plan_company(b.facts(b.reading(told)))).longer


@pytest.mark.parametrize("planned", [True, False])
def test_usage_on_an_agreement_whose_calendar_cannot_be_read_is_not_known(planned: bool) -> None:
    nights = Nights(billing_cycle="Weekly")
    plan = october(nights) if planned else nights(date(2026, 10, 20), b.count(120))
    assert (one(plan).due, one(plan).over_until, one(plan).cost) == (None, None, None)
