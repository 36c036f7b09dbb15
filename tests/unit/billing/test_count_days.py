"""What is counted on the day before an agreement's next invoice, and what other days do to it: nothing."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from shared.billing.agreements import Addition
from shared.billing.calendar import calendar_of
from shared.billing.counts import Count, Counted, ReadFailure, Reading
from shared.billing.lines import LedgerRow
from shared.billing.planning.plan import Plan
from shared.billing.planning.planner import Facts, plan_company
from shared.billing.profiles import (
    Arrears,
    Band,
    Basis,
    BillingProfile,
    CountedOn,
    Dated,
    Decrease,
    PriceKind,
    PriceRule,
    Proration,
    QuantityRule,
    StartDay,
)
from shared.billing.rules import CompanyLink, LicenceLink, Mode, SkuPolicy
from shared.billing.seats import SeatRecord
from shared.billing.users import Traits, Users
from tests import builders as b

D = Decimal
BEFORE, NIGHT = CountedOn.BEFORE_INVOICE, CountedOn.NIGHT
ITEM = f"{b.SOURCE}/{b.PREMIUM}"
#: November is invoiced; December is on 1 December.
EVE = date(2026, 11, 30)


@dataclass
class Company:
    """A company whose line says five, as written by TrueUp and invoiced for November; its nights apply what is let."""

    profile: BillingProfile = field(default_factory=lambda: b.profile(counted_on=BEFORE))
    next_invoice: date | None = date(2026, 12, 1)
    lines: dict[int, Addition] = field(default_factory=dict)
    ledger: dict[str, LedgerRow] = field(default_factory=dict)
    seats: dict[str, SeatRecord] = field(default_factory=dict)
    counted: dict[str, Counted] = field(default_factory=dict)
    skus: frozenset[str] = frozenset()
    applies: bool = True

    def facts(self, day: date, *readings: Reading | ReadFailure, **values: object) -> Facts:
        return b.facts(
            *readings,
            as_of=day,
            rules=b.rules(self.profile),
            agreements=[b.agreement(next_invoice_date=self.next_invoice)],
            additions=self.lines.values(),
            ledger=self.ledger.values(),
            seats=self.seats,
            counted=self.counted,
            last_counted={(b.SOURCE, b.TENANT): self.skus},
            **values,
        )

    def night(self, day: date, *told: Count | ReadFailure, **values: object) -> Plan:
        failed = [each for each in told if isinstance(each, ReadFailure)]
        counts = [each for each in told if isinstance(each, Count)]
        plan = plan_company(self.facts(day, *(failed or [b.reading(*counts, day=day)]), **values))
        self.seats |= {record.line: record for record in plan.seats}
        self.counted = dict(plan.counted)
        self.skus = frozenset(count.sku for count in counts)
        if self.applies:
            for group in plan.applicable:
                for change in group.changes:
                    self._write(change, day)
        return plan

    def _write(self, change, day: date) -> None:
        number = change.addition or 901 + len(self.lines)
        standing = self.lines.get(number) or b.addition(number, 0)
        line = self.lines[number] = replace(standing, **change.fields())
        row = replace(b.recorded(line, keeps_price=change.keeps_price, text_written=day), key=change.key)
        self.ledger[line.serial_number] = row

    @property
    def billed(self) -> list[tuple[Decimal, date | None]]:
        """Quantity and last day of each line, in the order in which they came."""
        return [(line.quantity, line.cancelled_date) for line in self.lines.values()]

    @property
    def stands(self) -> Decimal:
        """What the line says that goes on."""
        (line,) = [line for line in self.lines.values() if line.cancelled_date is None]
        return line.quantity


def counted_at_five(**profile: object) -> Company:
    """Counted on 31 October, for November's invoice, and looked at on the night after."""
    company = Company(b.profile(**{"counted_on": BEFORE, **profile}), date(2026, 11, 1))
    company.night(date(2026, 10, 31), b.count(5))
    assert company.stands == D(5)
    company.next_invoice = date(2026, 12, 1)
    assert company.night(date(2026, 11, 2), b.count(5)).groups == ()
    return company


def quantities(plan: Plan) -> list[Decimal]:
    return [change.after.quantity for change in plan.changes if change.after is not None]


def test_what_comes_and_goes_between_the_days_is_neither_written_nor_charged() -> None:
    company = counted_at_five()
    for day, units in ((10, 12), (15, 40), (20, 3), (29, 9)):
        assert company.night(date(2026, 11, day), b.count(units)).groups == ()
    company.night(EVE, b.count(7))

    assert company.billed == [(D(7), None)]
    assert [record.days[-1].quantity for record in company.seats.values()] == [D(7)]
    assert company.night(date(2026, 12, 1), b.count(30)).groups == ()


def test_seats_that_were_counted_before_the_invoice_are_dated_by_the_day_of_the_count() -> None:
    included = Proration(start_day=StartDay.INCLUDED)
    company = counted_at_five(proration=included)
    company.night(date(2026, 11, 10), b.count(6))
    plan = company.night(EVE, b.count(6))

    (once, standing) = plan.changes
    assert (once.one_off, standing.after.quantity) == (D("0.83"), D(6))  # one of November's 30 days
    assert "30" in once.sentence


def told_by_vendor(quantity: int, *changed: tuple[int, int]) -> Count:
    """A count whose vendor tells on which days of November it changed."""
    days = tuple((date(2026, 11, day), D(units)) for day, units in changed)
    part = replace(b.subscription(quantity), changed=days)
    return replace(b.count(quantity, subscriptions=[part]), changed=days)


def test_seats_that_stayed_are_dated_by_the_vendor_and_those_that_went_again_are_not_charged() -> None:
    company = counted_at_five()
    count = told_by_vendor(7, (11, 15), (21, 7))
    company.night(date(2026, 11, 12), count)
    plan = company.night(EVE, count)

    # Two seats since the 11th: 19 of 30 days. The eight others came and went.
    assert [(change.after.quantity, change.one_off) for change in plan.changes if change.one_off] == [
        (D(2), D("31.66"))
    ]
    assert company.billed[0] == (D(7), None)


def test_a_profile_can_date_changes_by_the_count_whatever_the_vendor_tells() -> None:
    company = counted_at_five(proration=Proration(dated=Dated.COUNT))
    plan = company.night(EVE, told_by_vendor(7, (11, 7)))
    assert sum(change.one_off for change in plan.changes) == 0
    nightly = Company(b.profile(proration=Proration(dated=Dated.COUNT)), seats=dict(company.seats))
    nightly.lines, nightly.ledger = company.lines, company.ledger
    assert nightly.night(date(2026, 12, 2), told_by_vendor(7, (25, 7))).changes == ()


def test_what_was_none_on_the_last_day_rose_since_and_is_charged_from_its_own_day() -> None:
    company = Company(next_invoice=date(2026, 11, 1))
    company.night(date(2026, 10, 31))
    company.next_invoice = date(2026, 12, 1)
    assert company.night(date(2026, 11, 12), told_by_vendor(2, (11, 2))).groups == ()
    plan = company.night(EVE, told_by_vendor(2, (11, 2)))

    assert [(change.after.quantity, change.one_off) for change in plan.changes] == [(D(2), D("31.66")), (D(2), D(0))]


def test_a_count_that_failed_or_contradicts_itself_is_made_up_by_the_next_night() -> None:
    company = counted_at_five()
    assert company.night(EVE, b.failure()).frozen == {ITEM}
    contradictory = replace(b.count(8), purchased=D(3))
    assert [f.kind.value for f in company.night(date(2026, 12, 1), contradictory).findings] == ["control-total"]
    assert company.billed == [(D(5), None)]

    company.night(date(2026, 12, 2), b.count(8))
    assert company.stands == D(8)
    company.night(date(2026, 12, 3), b.count(11))
    assert company.stands == D(8)


def test_a_failed_reading_between_the_days_leaves_what_waits_as_it_is() -> None:
    company = counted_at_five()
    company.applies = False
    waiting = company.night(EVE, b.count(8)).groups
    for told in (b.failure(), b.count(50)):
        assert [group.hash for group in company.night(date(2026, 12, 1), told).groups] == [
            group.hash for group in waiting
        ]


def test_a_day_that_was_missed_is_made_up_after_the_invoice() -> None:
    company = counted_at_five()
    company.next_invoice = date(2027, 1, 1)  # December was invoiced, and nobody counted for it
    company.night(date(2026, 12, 3), b.count(8))

    assert company.billed[0] == (D(8), None)
    charged = [line for line in company.lines.values() if line.cancelled_date is not None]
    assert [(line.quantity, line.unit_price) for line in charged] == [(D(3), D("22.58"))]  # 28 of December's 31 days


@pytest.mark.parametrize("moved_to", [date(2026, 12, 20), date(2026, 12, 10)])
def test_an_invoice_date_that_moves_takes_the_day_with_it(moved_to: date) -> None:
    company = counted_at_five()
    company.next_invoice = date(2026, 12, 15)
    company.night(date(2026, 12, 5), b.count(8))
    company.next_invoice = moved_to
    eve = moved_to - timedelta(days=1)
    assert company.night(eve - timedelta(days=1), b.count(8)).groups == ()
    company.night(eve, b.count(8))
    assert company.stands == D(8)


def test_a_date_that_moves_back_after_the_count_asks_for_no_other() -> None:
    company = counted_at_five()
    company.night(EVE, b.count(8))
    company.next_invoice = date(2026, 11, 25)
    assert company.night(date(2026, 12, 1), b.count(20)).groups == ()


def test_an_agreement_without_a_next_invoice_date_is_told_and_billed_by_no_old_count() -> None:
    company = counted_at_five()
    company.applies = False
    company.night(EVE, b.count(8))
    company.next_invoice = None
    known = b.company(billed_through={b.AGREEMENT: date(2026, 11, 30)})
    for values in ({}, {"company": known}):
        plan = company.night(date(2026, 12, 1), b.count(8), **values)
        assert (plan.groups, plan.frozen) == ((), {ITEM})
        (finding,) = plan.findings
        assert (finding.kind.value, finding.key) == ("calendar-unsupported", ITEM)
        assert "which has no next invoice date" in finding.text
    nothing = Company(next_invoice=None).night(date(2026, 12, 1))
    assert (nothing.findings, nothing.frozen) == ((), frozenset())


def test_until_the_first_day_nothing_is_billed_and_a_line_that_stands_stays() -> None:
    new = Company()
    plan = new.night(date(2026, 11, 12), b.count(8))
    assert (plan.groups, plan.findings, plan.frozen) == ((), (), {ITEM})
    assert [billed.unknown for billed in plan.billed] == ["it is counted first on 30 Nov 2026"]
    new.night(EVE, b.count(8))
    assert new.billed == [(D(8), None)]

    moved = counted_at_five(counted_on=NIGHT)
    moved.profile = b.profile(counted_on=BEFORE)
    before = moved.seats
    plan = moved.night(date(2026, 11, 12), b.count(8))
    assert (plan.groups, moved.stands) == ((), D(5))
    (record,) = moved.seats.values()
    assert (record.seen, record.days[-1].quantity) == (date(2026, 11, 12), D(5))
    assert record.periods == before[record.line].periods


def test_a_line_whose_agreement_cannot_be_read_waits_too() -> None:
    moved = counted_at_five(counted_on=NIGHT)
    moved.profile = b.profile(counted_on=BEFORE)
    odd = replace(moved.facts(date(2026, 11, 12), b.reading(b.count(8))), agreements=(b.agreement(period_type=None),))
    plan = plan_company(odd)
    assert (plan.groups, plan.frozen) == ((), {ITEM})
    assert plan.seats[0].days[-1].quantity == D(5)


def test_a_count_day_with_periods_that_cannot_be_read_says_so_and_holds_until_the_next() -> None:
    company = counted_at_five()
    odd = replace(company.facts(EVE, b.reading(b.count(8))), agreements=(b.agreement(period_type=None),))
    plan = plan_company(odd)
    assert plan.counted[ITEM].first_uninvoiced is None
    company.counted = dict(plan.counted)
    company.next_invoice = date(2027, 3, 1)
    company.night(date(2026, 12, 2), b.count(20))
    assert company.stands == D(8)
    company.counted[ITEM] = replace(company.counted[ITEM], first_uninvoiced=date(2026, 12, 1))
    again = replace(company.facts(date(2026, 12, 3), b.reading(b.count(20))), agreements=(odd.agreements[0],))
    assert plan_company(again).counted == company.counted


def test_a_count_on_another_agreement_holds_where_the_item_moves_to() -> None:
    company = counted_at_five()
    company.counted[ITEM] = replace(company.counted[ITEM], agreement=7, first_uninvoiced=date(2026, 5, 1))
    assert company.night(date(2026, 11, 12), b.count(20)).groups == ()


def test_a_profile_that_asks_who_holds_it_since_the_last_day_waits_for_the_next() -> None:
    company = counted_at_five()
    company.profile = replace(company.profile, quantity=QuantityRule(Basis.ASSIGNED_ACTIVE))
    told = b.count(5, holders=["ada", "bea", "cy", "dan", "eve"])
    plan = company.night(date(2026, 11, 12), told)
    assert (plan.groups, plan.findings, plan.frozen) == ((), (), {ITEM})
    assert [billed.unknown for billed in plan.billed] == ["who holds it is counted first on 30 Nov 2026"]

    company.night(EVE, b.count(5, holders=["ada", "bea", "cy", "dan"], assigned=4))
    assert company.stands == D(4)


def test_an_item_of_which_nobody_knows_where_it_is_billed_or_who_has_it_is_left_alone() -> None:
    company = counted_at_five()
    day, reading = date(2026, 11, 12), b.reading(b.count(9))
    elsewhere = b.company(links=(CompanyLink(b.SOURCE, "another"),))
    gone = plan_company(replace(company.facts(day, reading), company=b.company(links=())))
    assert gone.groups == ()
    assert plan_company(replace(company.facts(EVE, reading), company=elsewhere)).groups == ()
    none = plan_company(replace(company.facts(EVE, reading), agreements=()))
    kinds = ["agreement-not-active", "ambiguous-agreement"]
    assert ([finding.kind.value for finding in none.findings], none.groups) == (kinds, ())
    assert none.counted == company.counted


def test_an_item_whose_rules_contradict_each_other_or_whose_customer_is_linked_no_more_keeps_its_line() -> None:
    company = counted_at_five()
    named = (LicenceLink(b.SOURCE, b.PREMIUM, profile="premium"),)
    unlinked = b.company(links=(), licences=named)
    some = CompanyLink(b.SOURCE, b.TENANT, Users(Traits(departments=("Sales",))))
    for who in (unlinked, b.company(links=(some,))):
        for day in (date(2026, 11, 12), EVE):
            plan = plan_company(replace(company.facts(day, b.reading(b.count(9), day=day)), company=who))
            assert (plan.groups, plan.frozen) == ((), {ITEM})
            assert plan.counted == company.counted


def test_all_zero_on_the_day_is_held_on_the_nights_after_it_too() -> None:
    company = counted_at_five()
    company.profile = b.profile(counted_on=BEFORE)
    company.night(EVE)
    for units in (5, 6):
        plan = company.night(date(2026, 12, 1), b.count(units))
        (group,) = plan.groups
        assert group.held == f"every count of {b.SOURCE} is zero tonight"
    assert company.billed == [(D(5), None)]


def subscriptions(**parts: int) -> Count:
    return b.count(
        sum(parts.values()),
        subscriptions=[replace(b.subscription(units), id=name) for name, units in parts.items()],
    )


def test_single_subscriptions_are_counted_together_on_their_day_and_stay_though_they_vanish() -> None:
    company = Company(b.profile(counted_on=BEFORE, split=True), date(2026, 11, 1))
    company.night(date(2026, 10, 31), subscriptions(one=5, two=3))
    company.next_invoice = date(2026, 12, 1)
    assert sorted(company.billed) == [(D(3), None), (D(5), None)]
    for told in (subscriptions(one=5), subscriptions(one=9, two=1, three=4), subscriptions(two=3)):
        assert company.night(date(2026, 11, 12), told).groups == ()
    company.night(EVE, subscriptions(one=6, three=4))

    lines = {(line.quantity, line.cancelled_date) for line in company.lines.values()}
    assert lines == {(D(6), None), (D(4), None), (D(3), EVE)}
    assert list(company.counted) == [ITEM]


def test_a_first_subscription_that_came_since_the_last_day_is_charged_from_its_own_day() -> None:
    company = Company(b.profile(counted_on=BEFORE, split=True), date(2026, 11, 1))
    assert company.night(date(2026, 10, 31)).groups == ()
    company.next_invoice = date(2026, 12, 1)
    came = replace(b.subscription(3), id="one", changed=((date(2026, 11, 10), D(3)),))
    first = b.count(3, subscriptions=[came])
    assert company.night(date(2026, 11, 11), first).groups == ()

    assert [
        (change.after.quantity, change.after.unit_price, change.after.effective_date)
        for change in company.night(EVE, first).changes
    ] == [(D(3), D("16.67"), date(2026, 12, 1)), (D(3), D("25.00"), date(2026, 12, 1))]


def test_where_one_subscription_is_not_known_all_are_counted_again() -> None:
    company = Company(b.profile(counted_on=BEFORE, split=True), date(2026, 11, 1))
    company.night(date(2026, 10, 31), subscriptions(one=5, two=3))
    company.next_invoice = date(2026, 12, 1)
    links = (CompanyLink(b.SOURCE, b.TENANT), CompanyLink(b.SOURCE, "another"))
    facts = replace(
        company.facts(EVE, b.reading(subscriptions(one=6)), b.failure("another")), company=b.company(links=links)
    )
    assert plan_company(facts).counted[ITEM].day == date(2026, 10, 31)


def test_a_company_that_is_only_observed_is_shown_what_its_day_would_write() -> None:
    company = counted_at_five()
    company.applies = False
    observed = b.company(mode=Mode.OBSERVE)
    for day in (EVE, date(2026, 12, 1)):
        assert quantities(company.night(day, b.count(8), company=observed))[-1] == D(8)


def test_usage_is_counted_every_night_also_where_other_profiles_are_not() -> None:
    rules = b.rules(b.profile(), counted_on=BEFORE)
    assert rules.when_counted(b.profile()) is BEFORE
    assert rules.when_counted(b.profile(counted_on=NIGHT)) is NIGHT
    assert rules.when_counted(b.profile(arrears=Arrears.LAST)) is NIGHT


def test_a_price_of_bands_waits_line_by_line() -> None:
    bands = PriceRule(PriceKind.TIERED, bands=(Band(D(3), D("20.00")), Band(None, D("10.00"))))
    moved = counted_at_tiers(bands)
    moved.profile = b.profile(counted_on=BEFORE, price=bands)
    assert moved.night(date(2026, 11, 12), b.count(9)).groups == ()
    assert sorted(record.days[-1].quantity for record in moved.seats.values()) == [D(2), D(3)]


def counted_at_tiers(bands: PriceRule) -> Company:
    company = Company(b.profile(counted_on=NIGHT, price=bands), date(2026, 11, 1))
    company.night(date(2026, 10, 31), b.count(5))
    company.next_invoice = date(2026, 12, 1)
    company.night(date(2026, 11, 2), b.count(5))
    return company


def test_the_calendar_of_these_examples_is_the_one_that_is_meant() -> None:
    assert calendar_of(b.agreement(), b.TODAY).first_uninvoiced.start == date(2026, 12, 1)


def test_seats_that_a_person_named_between_the_days_are_not_charged_again_on_the_next_day() -> None:
    company = counted_at_five(proration=Proration(decrease=Decrease.CREDIT))
    company.next_invoice = date(2026, 12, 15)
    company.night(date(2026, 12, 1), b.count(5))
    named = b.company(licences=(LicenceLink(b.SOURCE, b.PREMIUM, profile="premium", quantity=D(9)),))
    plan = company.night(date(2026, 12, 5), b.count(5), company=named)
    assert plan.changes[0].one_off == D("83.88")  # four more, 26 of December's 31 days

    plan = company.night(date(2026, 12, 14), b.count(5), company=named)
    assert (plan.groups, plan.findings) == ((), ())


def test_seats_from_before_the_day_on_which_billing_starts_are_charged_from_that_day() -> None:
    later = LicenceLink(b.SOURCE, b.PREMIUM, profile="premium", do_not_bill_until=date(2026, 11, 20))
    company = Company(next_invoice=date(2026, 11, 1))
    values = {"company": b.company(licences=(later,))}
    company.night(date(2026, 10, 31), **values)
    company.next_invoice = date(2026, 12, 1)
    company.night(date(2026, 11, 12), told_by_vendor(7, (4, 7)), **values)
    plan = company.night(EVE, told_by_vendor(7, (4, 7)), **values)

    # Seven since the 20th: 10 of 30 days × 25.00 = 8.33 each.
    assert [change.one_off for change in plan.changes] == [D("58.31"), D(0)]


@pytest.mark.parametrize(("mode", "charged"), [(Mode.OBSERVE, D(0)), (Mode.AUTO, D("43.34"))])
def test_what_came_while_the_company_was_only_observed_is_not_charged_for_the_time_before(
    mode: Mode, charged: Decimal
) -> None:
    company = Company(next_invoice=date(2026, 11, 1))
    earlier, other = b.company(mode=mode), b.count(3, sku="other", free=True)
    company.night(date(2026, 10, 31), other, company=earlier)
    company.next_invoice = date(2026, 12, 1)
    company.night(date(2026, 11, 19), told_by_vendor(2, (4, 2)), other, company=earlier)
    company.night(date(2026, 11, 20), b.failure(), company=earlier)
    company.night(date(2026, 11, 21), told_by_vendor(2, (4, 2)), other)
    plan = company.night(EVE, told_by_vendor(2, (4, 2)), other)

    assert sum(change.one_off for change in plan.changes) == charged  # two since the 4th: 26 of 30 days
    assert company.stands == D(2)


def test_two_items_take_no_line_over_although_one_of_them_is_none_on_a_night_between_the_days() -> None:
    company = Company(lines={9001: b.addition(9001, 9)})
    company.applies = False
    policies = [SkuPolicy(b.SOURCE, sku, "premium") for sku in (b.PREMIUM, "other")]
    other = b.count(4, sku="other", name="Other")
    for day, told in ((EVE, (b.count(5), other)), (date(2026, 12, 1), (other,))):
        facts = company.facts(day, b.reading(*told, day=day))
        plan = plan_company(replace(facts, rules=b.rules(company.profile, policies=policies)))
        company.counted = dict(plan.counted)
        assert (plan.groups, [finding.kind.value for finding in plan.findings]) == ((), ["candidates"] * 2)
