"""Usage that the vendor dates, such as Azure's: the sum of a period's days, billed once it is known to its end."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.billing.agreements import Addition
from shared.billing.counts import Count, Money, Subscription, SubscriptionStatus, Usage
from shared.billing.lines import LedgerRow, stamped_date
from shared.billing.planning.plan import Plan
from shared.billing.planning.planner import plan_company
from shared.billing.profiles import Arrears, BillOption, PriceKind, PriceRule, QuantityRule, Rounding
from shared.billing.rules import LicenceLink
from shared.billing.seats import SeatRecord
from tests import builders as b
from tests.examples import examples
from tests.unit.sandbox_company import UNGUARDED

D = Decimal
OCTOBER = {date(2026, 10, 3): "100.004", date(2026, 10, 30): "23.45"}
NOVEMBER = {date(2026, 11, 1): "7"}
CENTS = QuantityRule(rounding=Rounding.NEAREST, rounding_step=D("0.01"))


def subscription(name: str, days: dict[date, str], until: date) -> Subscription:
    usage = Usage(tuple((day, D(amount)) for day, amount in days.items()), date(2026, 9, 1), until)
    return Subscription(name, D(1), SubscriptionStatus.ENABLED, usage=usage)


def azure(*subscriptions: Subscription, currency: str = "USD") -> Count:
    counted = b.count(0, subscriptions=subscriptions)
    return replace(
        counted, assigned=None, level=True, cost=Money(D(1), "once", currency), purchased=D(len(subscriptions))
    )


class Night:
    """One company whose seat record is carried from night to night."""

    def __init__(self, **profile: object) -> None:
        values = {"arrears": Arrears.LAST, "price": PriceRule(PriceKind.COST, markup=D(15)), "quantity": CENTS}
        self.rules = b.rules(b.profile(**(values | profile)))
        self.seats: dict[str, SeatRecord] = {}

    def __call__(self, day: date, *counts: Count, **values: object) -> Plan:
        invoiced = b.agreement(
            next_invoice_date=date(day.year + day.month // 12, day.month % 12 + 1, 1), currency="USD"
        )
        facts = b.facts(
            b.reading(*counts, day=day), as_of=day, rules=self.rules, seats=self.seats, agreements=[invoiced], **values
        )
        plan = plan_company(facts)
        self.seats = {**self.seats, **{record.line: record for record in plan.seats}}
        return plan


def said(plan: Plan) -> list[tuple[D, D]]:
    assert [group.held for group in plan.groups if group.held] == []
    return [(change.after.quantity, change.after.unit_price) for change in plan.changes if change.after]


def test_a_period_is_the_sum_of_its_days_at_cost_and_margin() -> None:
    night = Night()
    assert said(night(date(2026, 10, 20), azure(subscription("s1", OCTOBER, date(2026, 10, 17))))) == []

    plan = night(date(2026, 11, 4), azure(subscription("s1", OCTOBER | NOVEMBER, date(2026, 11, 1))))

    assert said(plan) == [(D("123.45"), D("1.15"))]
    (change,) = plan.changes
    assert "123.45 used for 1 Oct 2026 to 31 Oct 2026" in change.sentence


TWO_MONTHS = {date(2026, 9, 3): "150", date(2026, 10, 3): "160"}


def test_months_that_are_over_come_to_no_more_when_units_are_no_longer_included() -> None:
    """160 less 100 included are 60 × 1.15 for October, and stay so; November has none included any more."""
    night = Night(quantity=QuantityRule(included=D(100)))
    night(date(2026, 9, 2), azure(subscription("s1", {}, date(2026, 9, 1))))
    told = azure(subscription("s1", TWO_MONTHS, date(2026, 11, 1)))
    october = night(date(2026, 11, 4), told)
    assert said(october) == [(D(50), D("1.15")), (D(60), D("1.15"))]

    night.rules = b.rules(replace(night.rules.profiles["premium"], quantity=QuantityRule()))
    assert said(night(date(2026, 11, 5), told)) == said(october)
    late = azure(subscription("s1", TWO_MONTHS | {date(2026, 11, 9): "30"}, date(2026, 12, 1)))
    assert said(night(date(2026, 12, 4), late)) == [(D(60), D("1.15")), (D(30), D("1.15"))]


def test_what_comes_late_of_a_month_that_was_over_when_its_rules_changed_is_told_with_its_amount() -> None:
    """Of 160 in October 60 are billed, as 100 were included; 20 come late, and by none of the rules more than those."""
    night = Night(quantity=QuantityRule(included=D(100)))
    night(date(2026, 9, 2), azure(subscription("s1", {}, date(2026, 9, 1))))
    told, late = (
        azure(subscription("s1", TWO_MONTHS | {date(2026, 10, 3): amount}, date(2026, 11, 1)))
        for amount in ("160", "180")
    )
    assert night(date(2026, 11, 4), told).findings == ()
    for included in (D(0), D(10)):
        own = replace(night.rules.profiles["premium"], quantity=QuantityRule(included=included))
        night.rules = b.rules(own)
        assert night(date(2026, 11, 5), told).findings == ()
    for day in (date(2026, 11, 8), date(2026, 11, 9)):
        plan = night(day, late)
        assert said(plan) == [(D(50), D("1.15")), (D(60), D("1.15"))]
        (finding,) = plan.findings
        assert (finding.kind.value, finding.key, finding.text) == (
            "unbilled",
            f"{b.SOURCE}/{b.PREMIUM}/2026-10-01",
            "Business Premium: 20 more (23.00) were told late of 1 Oct 2026 to 31 Oct 2026; they are not billed by "
            "themselves, because the rules for its quantity changed after that period was over.",
        )

    night.rules = b.rules(replace(own, quantity=QuantityRule(included=D(100))))
    plan = night(date(2026, 11, 10), late)
    assert (said(plan), plan.findings) == ([(D(50), D("1.15")), (D(80), D("1.15"))], ())


def test_of_what_a_person_fixed_at_nothing_no_dated_usage_is_billed_nor_afterwards_for_those_months() -> None:
    night, told = Night(), azure(subscription("s1", OCTOBER, date(2026, 11, 1)))
    fixed = b.company(licences=(LicenceLink(b.SOURCE, b.PREMIUM, quantity=D(0)),))
    night(date(2026, 10, 2), azure(subscription("s1", {}, date(2026, 10, 1))), company=fixed)
    assert night(date(2026, 11, 4), told, company=fixed).groups == ()
    assert night(date(2026, 11, 5), told).groups == ()


@pytest.mark.parametrize("option", [BillOption.NO_CHARGE, BillOption.DO_NOT_BILL])
def test_months_that_were_not_to_be_charged_are_not_billed_once_the_profile_charges(option: BillOption) -> None:
    night = Night(bill_option=option)
    night(date(2026, 9, 2), azure(subscription("s1", {}, date(2026, 9, 1))))
    told = azure(subscription("s1", TWO_MONTHS | {date(2026, 11, 9): "30"}, date(2026, 12, 1)))
    assert night(date(2026, 11, 30), told).groups == ()
    night.rules = b.rules(replace(night.rules.profiles["premium"], bill_option=BillOption.BILLABLE))
    assert night(date(2026, 12, 1), told).groups == ()
    told = azure(subscription("s1", TWO_MONTHS | {date(2026, 12, 9): "20"}, date(2027, 1, 1)))
    assert said(night(date(2027, 1, 4), told)) == [(D(20), D("1.15"))]


def test_without_a_rounding_rule_usage_is_billed_by_hundredths() -> None:
    night = Night(quantity=QuantityRule())
    night(date(2026, 10, 20), azure(subscription("s1", OCTOBER, date(2026, 10, 17))))

    assert said(night(date(2026, 11, 4), azure(subscription("s1", OCTOBER, date(2026, 11, 1))))) == [
        (D("123.45"), D("1.15"))
    ]


def test_nothing_is_billed_before_the_vendor_tells_the_period_to_its_end() -> None:
    night = Night()
    night(date(2026, 10, 20), azure(subscription("s1", OCTOBER, date(2026, 10, 17))))

    plan = night(date(2026, 11, 2), azure(subscription("s1", OCTOBER, date(2026, 10, 30))))

    assert (plan.groups, plan.findings) == ((), ())


def test_a_period_that_is_never_told_to_its_end_is_a_persons_to_bill() -> None:
    night = Night()
    night(date(2026, 10, 20), azure(subscription("s1", OCTOBER, date(2026, 10, 17))))

    plan = night(date(2026, 11, 20), azure(subscription("s1", OCTOBER, date(2026, 10, 30))))

    assert plan.groups == ()
    (finding,) = plan.findings
    assert "is not known to the end" in finding.text


def test_the_periods_before_the_first_night_are_not_billed() -> None:
    plan = Night()(date(2026, 11, 4), azure(subscription("s1", OCTOBER | NOVEMBER, date(2026, 11, 1))))

    assert plan.groups == ()


def test_split_every_subscription_is_a_line_and_the_sum_is_that_of_the_whole() -> None:
    night = Night(split=True)
    parts = [
        subscription("s1", OCTOBER, date(2026, 11, 1)),
        subscription("s2", {date(2026, 10, 5): "1"}, date(2026, 11, 1)),
    ]
    night(
        date(2026, 10, 20),
        azure(*(replace(part, usage=replace(part.usage, until=date(2026, 10, 17))) for part in parts)),
    )

    assert sorted(said(night(date(2026, 11, 4), azure(*parts)))) == [(D(1), D("1.15")), (D("123.45"), D("1.15"))]


@pytest.mark.parametrize(("november", "held"), [("617.25", False), ("617.26", True)])
def test_a_month_of_many_times_the_one_before_is_held_for_a_person(november: str, held: bool) -> None:
    night = Night()
    night(date(2026, 10, 20), azure(subscription("s1", OCTOBER, date(2026, 10, 17))))
    assert said(night(date(2026, 11, 4), azure(subscription("s1", OCTOBER, date(2026, 11, 1))))) != []

    used = OCTOBER | {date(2026, 11, 7): november}
    (group,) = night(date(2026, 12, 4), azure(subscription("s1", used, date(2026, 12, 1)))).groups

    told = f"{november} used are more than 5 times 123.45, the period before"
    assert group.held == (told if held else None)


def test_a_month_without_any_usage_after_one_that_had_some_is_told_until_the_vendor_tells_of_it() -> None:
    night = Night()
    night(date(2026, 10, 2), azure(subscription("s1", {date(2026, 9, 30): "3"}, date(2026, 10, 2))))
    october = {date(2026, 10, 3): "100"}
    assert said(night(date(2026, 11, 4), azure(subscription("s1", october, date(2026, 11, 4))))) == [
        (D(100), D("1.15"))
    ]

    gone = night(date(2026, 12, 3), azure(subscription("s1", october, date(2026, 12, 3))))
    assert [(finding.kind.value, finding.text) for finding in gone.findings] == [
        (
            "no-usage",
            "Business Premium: nothing was used from 1 Nov 2026 to 30 Nov 2026, but 100 in the period before; "
            "nothing is billed.",
        )
    ]
    late = night(date(2026, 12, 5), azure(subscription("s1", october | {date(2026, 11, 30): "40"}, date(2026, 12, 5))))
    assert late.findings == ()


def test_usage_in_another_currency_than_the_agreements_is_left_alone() -> None:
    night = Night()
    night(date(2026, 10, 20), azure(subscription("s1", OCTOBER, date(2026, 10, 17)), currency="EUR"))

    plan = night(date(2026, 11, 4), azure(subscription("s1", OCTOBER, date(2026, 11, 1)), currency="EUR"))

    assert plan.groups == ()
    assert [finding.kind.value for finding in plan.findings] == ["currency"]


@pytest.mark.parametrize(("start", "quantity"), [(date(2026, 10, 30), D("23.45")), (date(2026, 11, 2), None)])
def test_what_was_used_before_the_companys_own_start_is_not_billed(start: date, quantity: D | None) -> None:
    night, company = Night(), b.company(licences=(LicenceLink(b.SOURCE, b.PREMIUM, start=start),))
    night(date(2026, 10, 20), azure(subscription("s1", OCTOBER, date(2026, 10, 17))), company=company)

    plan = night(date(2026, 11, 4), azure(subscription("s1", OCTOBER, date(2026, 11, 1))), company=company)

    assert [units for units, _ in said(plan)] == ([] if quantity is None else [quantity])


def test_usage_is_not_billed_as_if_it_stood() -> None:
    plan = Night(arrears=None)(date(2026, 11, 4), azure(subscription("s1", OCTOBER, date(2026, 11, 1))))

    assert plan.groups == ()
    assert [finding.kind.value for finding in plan.findings] == ["settings"]


def test_what_is_told_no_more_is_not_billed_from_memory() -> None:
    night = Night()
    night(date(2026, 10, 20), azure(subscription("s1", OCTOBER, date(2026, 10, 17))))

    assert night(date(2026, 11, 4)).groups == ()


TOLD_NONE: dict[str, object] = {"last_counted": {(b.SOURCE, b.TENANT): frozenset()}}


def test_what_is_told_for_the_first_time_after_its_month_is_billed_from_its_first_day_on() -> None:
    night = Night()
    night(date(2026, 11, 3), **TOLD_NONE)
    october = azure(subscription("s1", {date(2026, 10, 1): "250", date(2026, 10, 2): "0"}, date(2026, 10, 31)))

    assert said(night(date(2026, 11, 4), october, **TOLD_NONE)) == [(D(250), D("1.15"))]


def test_what_began_long_before_it_was_told_was_not_new_and_is_not_billed_for_then() -> None:
    november = date(2026, 11, 20)
    used = {date(2026, 9, 1): "80", date(2026, 10, 1): "250"}

    assert Night()(november, azure(subscription("s1", used, date(2026, 10, 31))), **TOLD_NONE).groups == ()


def test_usage_begins_also_while_the_newest_month_has_none_yet() -> None:
    night = Night()
    october = subscription("s1", OCTOBER, date(2026, 10, 28))
    night(date(2026, 11, 1), replace(azure(replace(october, quantity=D(0))), purchased=D(0)), **TOLD_NONE)

    assert said(night(date(2026, 11, 4), azure(subscription("s1", OCTOBER, date(2026, 11, 1))))) == [
        (D("123.45"), D("1.15"))
    ]


def test_a_profile_that_creates_no_lines_bills_no_usage_and_says_so() -> None:
    night = Night(update_only=True)
    night(date(2026, 10, 20), azure(subscription("s1", OCTOBER, date(2026, 10, 17))))

    plan = night(date(2026, 11, 4), azure(subscription("s1", OCTOBER, date(2026, 11, 1))))

    assert plan.groups == ()
    assert [finding.kind.value for finding in plan.findings] == ["blocked-create"]


# ---- agreements of long periods


class Quarters(Night):
    """A company on a quarterly agreement whose lines are written and remembered; its vendor tells three months."""

    def __init__(self, used: dict[date, Decimal], cycle: str = "Quarterly", **profile: object) -> None:
        super().__init__(**profile)
        self.used, self.cycle = used, cycle
        self.ledger: list[LedgerRow] = []
        self.lines: list[Addition] = []
        self.skus: frozenset[str] = frozenset()
        self.company = b.company()

    def night(self, day: date, *, silent: bool = False) -> Plan:
        months = {"Quarterly": 3, "SemiAnnual": 6, "Yearly": 12}[self.cycle]
        ahead = (day.month - 1) // months * months + months
        invoiced = b.agreement(
            billing_cycle=self.cycle,
            next_invoice_date=date(day.year + ahead // 12, ahead % 12 + 1, 1),
            currency="USD",
        )
        reading = b.reading(*([] if silent else self._told(day)), day=day)
        plan = plan_company(
            b.facts(
                reading,
                as_of=day,
                rules=self.rules,
                seats=self.seats,
                agreements=[invoiced],
                additions=self.lines,
                ledger=self.ledger,
                company=self.company,
                last_counted={(b.SOURCE, b.TENANT): self.skus},
            )
        )
        self.skus = frozenset(count.sku for count in reading.counts)
        self.seats = {**self.seats, **{record.line: record for record in plan.seats}}
        for change in plan.changes:
            line = replace(b.addition(900 + len(self.lines), 0), **change.fields())
            self.lines.append(line)
            self.ledger.append(replace(b.recorded(line), key=change.key))
        return plan

    def _told(self, day: date) -> list[Count]:
        """What was used in this month and the two before; up to three days ago it is known to its end."""
        since = (day.replace(day=1) - timedelta(days=35)).replace(day=1)
        days = tuple((each, used) for each, used in sorted(self.used.items()) if since <= each <= day and used)
        usage = Usage(days, since, day - timedelta(days=3))
        return [azure(Subscription("s1", D(1), SubscriptionStatus.ENABLED, usage=usage))] if days else []

    def billed(self) -> list[tuple[date, Decimal]]:
        """By the first day of the quarter that it is for."""
        stamped = [(stamped_date(line.serial_number), line.quantity) for line in self.lines]
        return sorted((start, quantity) for start, quantity in stamped if start is not None)


COST = PriceRule(PriceKind.COST, markup=D(15))
OWN_PRICE = PriceRule(PriceKind.CUSTOM, D("1.15"))


def nights(first: date, last: date, every: int) -> list[date]:
    return [first + timedelta(days=number) for number in range(0, (last - first).days + 1, every)]


def test_a_quarter_is_billed_once_with_what_its_months_used_although_the_vendor_tells_three_at_once() -> None:
    used = {date(2026, 10, 3): D("100.10"), date(2026, 11, 9): D("20.02"), date(2026, 12, 30): D("3.003")}
    company = Quarters(used)
    for day in nights(date(2026, 10, 5), date(2027, 2, 20), 1):
        company.night(day)
    assert company.billed() == [(date(2026, 10, 1), D("123.12"))]


def test_a_quarter_is_billed_that_used_nothing_in_its_last_months() -> None:
    for price, billed, told in ((OWN_PRICE, [(date(2026, 10, 1), D(80))], []), (COST, [], ["price", "unbilled"])):
        company = Quarters({date(2026, 10, 3): D(80)}, price=price)
        for day in nights(date(2026, 10, 5), date(2027, 1, 8), 3):
            assert company.night(day, silent=day >= date(2026, 12, 1)).findings == ()
        plan = company.night(date(2027, 1, 20), silent=True)
        assert (company.billed(), [finding.kind.value for finding in plan.findings]) == (billed, told)


def test_the_rule_for_quantities_is_asked_once_for_a_quarter() -> None:
    used = {date(2026, month, 5): D("10.4") for month in (10, 11, 12)}
    company = Quarters(used, quantity=QuantityRule(included=D(20), rounding=Rounding.UP))
    for day in nights(date(2026, 10, 5), date(2027, 1, 20), 3):
        company.night(day)
    assert company.billed() == [(date(2026, 10, 1), D(12))]  # 31.2 less 20, rounded up


def test_a_month_that_nobody_read_is_a_persons_to_bill() -> None:
    company = Quarters({date(2026, 10, 3): D(80), date(2027, 1, 3): D(1)})
    company.night(date(2026, 10, 5))
    company.seats = {line: replace(record, told=()) for line, record in company.seats.items()}
    plan = company.night(date(2027, 1, 20))
    assert (company.billed(), [finding.kind.value for finding in plan.findings]) == ([], ["read-failed"])


def test_of_a_quarter_only_what_comes_after_the_companys_own_start_is_billed() -> None:
    used = {date(2026, 10, 3): D(80), date(2026, 11, 9): D(20), date(2026, 11, 20): D(5)}
    company = Quarters(used)
    company.company = b.company(licences=(LicenceLink(b.SOURCE, b.PREMIUM, start=date(2026, 11, 10)),))
    for day in nights(date(2026, 10, 5), date(2027, 1, 20), 3):
        company.night(day)
    assert company.billed() == [(date(2026, 10, 1), D(5))]


@given(
    st.lists(st.tuples(st.integers(0, 364), st.integers(1, 90_000)), max_size=40),
    st.integers(1, 9),
    st.sampled_from(["Quarterly", "SemiAnnual"]),
)
@examples(20)
def test_whatever_was_used_is_billed_once_on_agreements_of_long_periods(
    amounts: list[tuple[int, int]], every: int, cycle: str
) -> None:
    used: dict[date, Decimal] = {}
    for day, cents in amounts:
        on = date(2026, 1, 1) + timedelta(days=day)
        used[on] = used.get(on, D(0)) + D(cents) / 100
    company = Quarters(used, cycle, price=OWN_PRICE)
    company.rules = replace(company.rules, guards=UNGUARDED)
    for day in nights(date(2026, 1, 1), date(2027, 2, 15), every):
        company.night(day)
    assert sum(quantity for _, quantity in company.billed()) == sum(used.values())
    assert all(start.month % {"Quarterly": 3, "SemiAnnual": 6}[cycle] == 1 for start, _ in company.billed())
