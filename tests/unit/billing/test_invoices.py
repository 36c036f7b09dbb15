"""The proof: the sum of simulated invoices per line key is what the seat-slot rule says, to the cent.

Manage is played here by a few lines of its own: an invoice bills what every line in force in its period says, and never
changes afterwards. What is owed is computed from the history of counts and invoice days alone.
"""

from __future__ import annotations

import calendar as months
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.billing.agreements import Addition
from shared.billing.counts import Subscription, SubscriptionStatus
from shared.billing.limits import Guards, ReductionLimit
from shared.billing.planning.plan import Change, ChangeKind, Plan
from shared.billing.planning.planner import Facts, plan_company
from shared.billing.profiles import (
    Arrears,
    Band,
    BillOption,
    Decrease,
    FirstSync,
    PriceKind,
    PriceRule,
    Proration,
    ProrationRule,
    QuantityRule,
    StartDay,
)
from shared.billing.rules import LicenceLink, Mode
from tests import builders as b
from tests.examples import examples

D = Decimal
UNGUARDED = Guards(ReductionLimit(D(100), D(0), D(10**6), D(10**9)), all_to_zero=False)
COMPUTED = Proration(ProrationRule.COMPUTED)
_BANDS = ((D(3), (1, 1)), (D(7), (4, 5)), (None, (1, 2)))
#: The price of a unit where so many are reached.
Price = Callable[[int], Decimal]
LENGTHS = {"Monthly": 1, "Quarterly": 3, "SemiAnnual": 6, "Yearly": 12}


# ---- periods, on their own


def later(day: date, count: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + count, 12)
    return date(year, month + 1, min(day.day, months.monthrange(year, month + 1)[1]))


def periods_from(anchor: date, length: int, count: int) -> list[tuple[date, date]]:
    starts = [later(anchor, length * number) for number in range(count + 1)]
    return [(start, end - timedelta(days=1)) for start, end in itertools.pairwise(starts)]


# ---- one agreement, played


@dataclass
class Agreement:
    """An agreement with one bill item: its lines, its invoices, and the store."""

    cycle: str
    anchored: str
    period_type: str
    start: date
    proration: Proration
    price: Decimal
    kind: PriceKind = PriceKind.CUSTOM
    arrears: Arrears | None = None
    ranges: tuple[Band, ...] = ()
    invoiced: int = 0
    lines: list[Addition] = field(default_factory=list)
    billed: dict[date, Decimal] = field(default_factory=dict)
    ledger: dict = field(default_factory=dict)
    seats: dict = field(default_factory=dict)
    counted: frozenset = frozenset()
    licences: tuple[LicenceLink, ...] = ()
    mode: Mode = Mode.AUTO
    numbers: int = 9000
    invoiced_lines: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        anchor = self.start if self.anchored == "ContractYear" else date(self.start.year, 1, 1)
        everything = periods_from(anchor, LENGTHS[self.cycle], 80)
        self.periods = [period for period in everything if period[1] >= self.start]

    @property
    def next_invoice(self) -> date:
        """Current: dated on the first day of the first uninvoiced period. Future: within the period before it."""
        first = self.periods[self.invoiced][0]
        return first if self.period_type == "Current" else first - timedelta(days=1)

    @property
    def prorates(self) -> bool:
        return self.proration.rule is ProrationRule.MANAGE

    def invoice(self) -> None:
        """On an agreement that prorates a line is billed from its first day on, also for a period invoiced before."""
        period = first, last = self.periods[self.invoiced]
        for line in self.lines:
            begins = line.effective_date or first
            if begins > last:
                continue
            if self.prorates and begins < first and line.id not in self.invoiced_lines:
                own = next(entry for entry in self.periods if entry[0] <= begins <= entry[1])
                self._bill(first, line, own, begins)
            self.invoiced_lines.add(line.id)
            if (line.cancelled_date or last) >= first:
                self._bill(first, line, period, max(begins, first))
        self.invoiced += 1

    def _bill(self, on: date, line: Addition, period: tuple[date, date], begins: date) -> None:
        length = (period[1] - period[0]).days + 1
        days = (period[1] - begins).days + 1 if self.prorates else length
        unit = line.unit_price if days == length else amount(line.unit_price, (days, length))
        self.billed[on] = self.billed.get(on, D(0)) + line.quantity * unit

    @property
    def bands(self) -> tuple[Band, ...]:
        """The `ranges`; or up to 3 units at the price, up to 7 at four fifths of it, all further ones at half."""
        return self.ranges or tuple(Band(upto, amount(self.price, part)) for upto, part in _BANDS)

    def facts(self, day: date, quantity: int) -> Facts:
        bands = self.bands if self.kind is not PriceKind.CUSTOM else ()
        amount_of_all = self.price if self.kind is PriceKind.CUSTOM else None
        own = b.profile(
            price=PriceRule(self.kind, amount_of_all, bands=bands), proration=self.proration, arrears=self.arrears
        )
        return b.facts(
            b.reading(b.count(quantity), day=day),
            additions=self.lines,
            agreements=[
                b.agreement(
                    billing_cycle=self.cycle,
                    invoicing_cycle=self.anchored,
                    period_type=self.period_type,
                    bill_start_date=self.start,
                    next_invoice_date=self.next_invoice,
                    prorate_flag=self.prorates,
                )
            ],
            rules=b.rules(own, guards=UNGUARDED),
            products=[
                b.product(),
                *(b.product(name, number) for number, name in enumerate(own.products[1:], 101) if name != own.product),
            ],
            ledger=tuple(self.ledger.values()),
            seats=self.seats,
            as_of=day,
            last_counted={(b.SOURCE, b.TENANT): self.counted},
            company=b.company(licences=self.licences, mode=self.mode),
        )

    def plan(self, day: date, quantity: int) -> Plan:
        plan = plan_company(self.facts(day, quantity))
        assert [group.held for group in plan.groups if group.unsound] == []
        return plan

    def night(self, day: date, quantity: int, *, applies: bool = True) -> Plan:
        plan = self.plan(day, quantity)
        self.seats |= {record.line: record for record in plan.seats}
        self.ledger |= {row.stamp: row for row in plan.ledger}
        self.counted = frozenset({b.PREMIUM}) if quantity else frozenset()
        if applies:
            for change in plan.changes:
                self.write(change)
        return plan

    def write(self, change: Change) -> None:
        old = next((line for line in self.lines if line.id == change.addition), None)
        if change.kind is ChangeKind.DELETE:
            self.lines.remove(old)
            return
        self.numbers += 1
        new = replace(old or b.addition(self.numbers, 0, product=change.product), **change.fields())
        self.lines = [*(line for line in self.lines if line is not old), new]
        if not change.is_of_copy:
            row = b.recorded(new, keeps_price=change.keeps_price)
            self.ledger[new.serial_number] = replace(row, key=change.key)

    def total(self) -> Decimal:
        return sum(self.billed.values(), D(0))


# ---- what is owed, from the history alone


def amount(price: Decimal, share: tuple[int, int]) -> Decimal:
    return (price * share[0] / share[1]).quantize(D("0.01"), rounding=ROUND_HALF_UP)


def share(rule: Proration, period: tuple[date, date], day: date) -> tuple[int, int]:
    length, index = (period[1] - period[0]).days + 1, (day - period[0]).days + 1
    if index <= 1 or rule.rule is ProrationRule.FULL:
        return (1, 1)
    if rule.rule is ProrationRule.NONE:
        return (0, 1)
    return (length - index + (rule.start_day is StartDay.INCLUDED or rule.rule is ProrationRule.MANAGE), length)


def owed(agreement: Agreement, history: list[tuple[date, int]], invoiced_on: dict[date, date]) -> Decimal:
    """What all periods owe; with tiered prices each band what its own seats owe at its own price."""
    if agreement.kind is PriceKind.CUSTOM:
        return owed_at(agreement, lambda _: agreement.price, history, invoiced_on)
    if agreement.kind is PriceKind.VOLUME:
        return owed_at(agreement, lambda count: volume_price(agreement, count), history, invoiced_on)
    total, lower = D(0), 0
    for band in agreement.bands:
        upto = int(band.upto) if band.upto is not None else 10**6
        part = [(day, max(min(count, upto) - lower, 0)) for day, count in history]
        total += owed_at(agreement, lambda _, price=band.price: price, part, invoiced_on)
        lower = upto
    return total


def volume_price(agreement: Agreement, count: int) -> Decimal:
    return next(band.price for band in agreement.bands if band.upto is None or count <= band.upto)


def owed_at(
    agreement: Agreement, price: Price, history: list[tuple[date, int]], invoiced_on: dict[date, date]
) -> Decimal:
    """Seat number k of a period is charged once: in full if it existed on the first day, else its share.

    A period invoiced ahead is charged what was counted by then, and at once what comes until it begins, whatever goes
    away afterwards. `price` is that of a unit where so many are reached.
    """
    total = D(0)
    for period in agreement.periods[: agreement.invoiced]:
        first, last = period
        before = [count for day, count in history if day <= first]
        existed = before[-1] if before else 0
        run = invoiced_on[first]
        by_then = [(day, count) for day, count in history if day < run]
        ahead = not by_then or by_then[-1][0] < first
        charged = (by_then[-1][1] if by_then else 0) if ahead else existed
        total += charged * price(charged)
        if agreement.proration.rule is ProrationRule.NONE:
            continue
        highest = charged
        for day, count in history:
            if run <= day <= first and count > highest:
                total += (count - highest) * price(count)
                highest = count
        if existed > highest:
            total += (existed - highest) * price(existed)
            highest = existed
        for day, count in history:
            if first < day <= last and count > highest:
                total += (count - highest) * amount(price(count), share(agreement.proration, period, day))
                highest = count
    return total


# ---- histories


@st.composite
def scenarios(draw):
    cycle = draw(st.sampled_from(["Monthly", "Monthly", "Monthly", "Quarterly", "SemiAnnual"]))
    proration = Proration(
        draw(st.sampled_from(list(ProrationRule))),
        draw(st.sampled_from(list(StartDay))),
        always_split=draw(st.booleans()),
    )
    start = draw(st.dates(date(2023, 1, 1), date(2024, 6, 30)))
    anchored = draw(st.sampled_from(["CalendarYear", "ContractYear"]))
    if anchored == "CalendarYear":
        # What a period owes that lies only partly inside the agreement is a finding, not a line.
        start = start.replace(month=draw(st.sampled_from([1, 7])), day=1)
    agreement = Agreement(
        cycle,
        anchored,
        draw(st.sampled_from(["Current", "Future"])),
        start,
        proration,
        draw(st.sampled_from([D("25.00"), D("6.00"), D("2.05"), D("13.37"), D("100.00")])),
        draw(st.sampled_from([PriceKind.CUSTOM, PriceKind.CUSTOM, PriceKind.TIERED, PriceKind.VOLUME])),
    )
    if agreement.kind is PriceKind.VOLUME and proration.rule is ProrationRule.FULL:
        # Raised in place, the line has the new price for its whole period: another rule of its own.
        agreement.kind = PriceKind.CUSTOM
    gaps = draw(st.lists(st.sampled_from([1, 1, 1, 2, 3, 7, 13, 29, 45]), min_size=2, max_size=25))
    nights = []
    day = start + timedelta(days=draw(st.integers(0, 40)))
    for gap in gaps:
        nights.append((day, draw(st.integers(0, 12))))
        day += timedelta(days=gap)
    # How many days after its period's first day each invoice is run; negative: ahead of time.
    delays = draw(st.lists(st.sampled_from([-40, -10, -1, 0, 1, 5, 20, 35, 70]), min_size=1, max_size=6))
    return agreement, nights, delays


def play(agreement: Agreement, nights, delays, *, applies=None, invoiced_on=None) -> tuple[Decimal, Decimal]:
    """Runs the nights and the invoices in the order of their days, then everything that is left to invoice.

    Before the first night no invoice is run: the item is first seen there.
    """
    first_night, last_night = nights[0][0], nights[-1][0]
    due, run = {}, first_night
    for period, delay in zip(agreement.periods, itertools.cycle(delays), strict=False):
        run = max(run, period[0] + timedelta(days=delay))
        due[period[0]] = run
    invoiced_on = {} if invoiced_on is None else invoiced_on
    by_day = dict(nights)
    day = first_night
    while day <= last_night:
        while day > first_night and due.get(agreement.periods[agreement.invoiced][0], date.max) <= day:
            invoiced_on[agreement.periods[agreement.invoiced][0]] = day
            agreement.invoice()
        if day in by_day:
            agreement.night(day, by_day[day], applies=applies is None or day in applies)
        day += timedelta(days=1)
    for _ in range(3 * 12 // LENGTHS[agreement.cycle] + 3):
        if agreement.invoiced >= len(agreement.periods):
            break
        invoiced_on[agreement.periods[agreement.invoiced][0]] = last_night + timedelta(days=1)
        agreement.invoice()
    return agreement.total(), owed(agreement, nights, invoiced_on)


@given(scenarios())
@examples(400)
def test_the_invoices_add_up_to_what_the_seats_owe_whatever_the_days_on_which_they_were_run(scenario):
    agreement, nights, delays = scenario
    billed, wanted = play(agreement, nights, delays)

    assert billed == wanted


@given(scenarios())
@examples(150)
def test_a_second_plan_right_after_applying_is_empty_on_every_day(scenario):
    agreement, nights, _ = scenario
    for number, (day, quantity) in enumerate(nights):
        agreement.night(day, quantity)
        assert agreement.plan(day, quantity).groups == ()
        if number % 3 == 2:
            agreement.invoice()


@given(scenarios())
@examples(100)
def test_with_the_store_lost_no_standing_change_and_no_one_off_line_is_planned(scenario):
    agreement, nights, _ = scenario
    for number, (day, quantity) in enumerate(nights):
        agreement.night(day, quantity)
        lost = replace(agreement.facts(day, quantity), ledger=(), seats={}, last_counted={})
        assert plan_company(lost).groups == ()
        if number % 4 == 3:
            agreement.invoice()


# ---- seats that go are credited


def owed_with_credits(agreement: Agreement, history: list[tuple[date, int]], invoiced_on: dict[date, date]) -> Decimal:
    """Every period is charged what existed on its first day, and each change within it the share that is left then."""
    total = D(0)
    for first, last in agreement.periods[: agreement.invoiced]:
        before = next((count for day, count in reversed(history) if day <= first), 0)
        total += before * agreement.price
        for day, count in history:
            if first < day <= last:
                left = amount(agreement.price, share(agreement.proration, (first, last), day))
                total += (count - before) * left
                before = count
    return total


@given(scenarios(), st.lists(st.booleans(), min_size=25, max_size=25))
@examples(250)
def test_with_credits_every_day_of_every_seat_is_paid_once_whenever_plans_and_invoices_were_run(scenario, chances):
    agreement, nights, delays = scenario
    agreement.kind = PriceKind.CUSTOM
    start_day = agreement.proration.start_day
    split = agreement.proration.always_split
    agreement.proration = Proration(ProrationRule.COMPUTED, start_day, always_split=split, decrease=Decrease.CREDIT)
    # An item that was never billed and is gone again has left nothing to credit.
    nights = [(day, max(count, 1)) for day, count in nights]
    waited = {day for (day, _), chance in zip(nights, chances, strict=False) if not chance}
    applied = {day for day, _ in nights} - waited | {nights[0][0], nights[-1][0]}
    invoiced_on: dict[date, date] = {}
    billed, _ = play(agreement, nights, delays, applies=applied, invoiced_on=invoiced_on)

    assert billed == owed_with_credits(agreement, nights, invoiced_on)


def test_a_credit_reads_as_one_sentence_and_is_a_line_with_a_negative_price():
    proration = Proration(ProrationRule.COMPUTED, decrease=Decrease.CREDIT)
    agreement = Agreement("Monthly", "CalendarYear", "Current", date(2020, 1, 1), proration, D("25.00"))
    while agreement.next_invoice <= date(2021, 2, 17):
        agreement.invoice()
    agreement.night(date(2021, 2, 1), 10)
    plan = agreement.night(date(2021, 2, 17), 8)

    credit, standing = plan.changes
    assert credit.sentence == (
        "Business Premium: 2 fewer since 17 Feb 2021: 11 of 28 days × 25.00 = 9.82 each, 19.64 credited in all, "
        "billed with the period from 1 Mar 2021."
    )
    assert (credit.after.quantity, credit.after.unit_price, credit.one_off) == (D(2), D("-9.82"), D("-19.64"))
    assert credit.after.invoice_description == "M365-BP licence - Credit: Prorated for 02/17/2021-02/28/2021"
    assert (standing.after.quantity, standing.monthly) == (D(8), D(-50))


def test_what_was_waived_is_neither_charged_nor_given_back():
    proration = Proration(ProrationRule.COMPUTED, decrease=Decrease.CREDIT)
    agreement = Agreement("Monthly", "CalendarYear", "Current", date(2026, 1, 1), proration, D("25.00"))
    agreement.licences = (LicenceLink(b.SOURCE, b.PREMIUM, waive_until=date(2026, 1, 12)),)
    agreement.night(date(2026, 1, 1), 10)
    agreement.invoice()
    agreement.night(date(2026, 1, 10), 12)
    agreement.night(date(2026, 1, 20), 10)

    assert [line.quantity for line in agreement.lines] == [D(10)]


CREDITED = Proration(ProrationRule.COMPUTED, decrease=Decrease.CREDIT)


def test_seats_that_were_not_to_be_billed_for_some_days_of_a_paid_period_are_not_charged_for_it_again():
    agreement = monthly()
    agreement.proration = CREDITED
    agreement.night(date(2026, 1, 1), 10)
    agreement.invoice()
    agreement.licences = (LicenceLink(b.SOURCE, b.PREMIUM, start=date(2026, 1, 15)),)
    for day in (10, 15, 16):
        assert once(agreement.night(date(2026, 1, day), 10)) == []

    assert once(agreement.night(date(2026, 1, 17), 12)) == [(D(2), amount(D("25.00"), (14, 31)))]
    assert once(agreement.night(date(2026, 1, 20), 11)) == [(D(1), -amount(D("25.00"), (11, 31)))]


def test_a_seat_that_was_waived_went_and_comes_back_later_is_charged_from_then_on():
    agreement = monthly()
    agreement.proration = CREDITED
    agreement.licences = (LicenceLink(b.SOURCE, b.PREMIUM, waive_until=date(2026, 1, 12)),)
    agreement.night(date(2026, 1, 1), 10)
    agreement.invoice()
    for day, counted in ((10, 12), (20, 10)):
        assert once(agreement.night(date(2026, 1, day), counted)) == []

    assert once(agreement.night(date(2026, 1, 25), 12)) == [(D(2), amount(D("25.00"), (6, 31)))]


def test_a_rule_that_turns_to_credits_gives_nothing_back_of_what_went_before():
    agreement = monthly()
    for month in range(1, 7):
        agreement.night(date(2026, month, 1), 100)
        agreement.invoice()
        agreement.night(date(2026, month, 10), 20)
    agreement.proration = CREDITED
    assert once(agreement.night(date(2026, 6, 15), 20)) == []
    assert once(agreement.night(date(2026, 6, 20), 19)) == []
    agreement.night(date(2026, 7, 1), 19)
    agreement.invoice()
    (credit,) = once(agreement.night(date(2026, 7, 11), 18))
    assert credit == (D(1), -amount(D("25.00"), (20, 31)))


def test_a_rule_that_turns_from_credits_charges_a_seat_anew_that_it_has_given_back_in_that_period():
    agreement = monthly()
    agreement.proration = CREDITED
    agreement.night(date(2026, 1, 1), 10)
    agreement.invoice()
    assert once(agreement.night(date(2026, 1, 10), 8)) == [(D(2), -amount(D("25.00"), (21, 31)))]
    agreement.proration = COMPUTED
    assert once(agreement.night(date(2026, 1, 16), 10)) == [(D(2), amount(D("25.00"), (15, 31)))]


def test_seats_that_stood_before_the_first_sync_are_not_given_back_when_they_go():
    agreement = monthly()
    agreement.proration = CREDITED
    agreement.invoice()
    agreement.counted = frozenset({b.PREMIUM})
    assert once(agreement.night(date(2026, 1, 10), 10)) == []
    assert once(agreement.night(date(2026, 1, 15), 8)) == []
    assert once(agreement.night(date(2026, 1, 16), 10)) == []
    assert once(agreement.night(date(2026, 1, 17), 11)) == [(D(1), amount(D("25.00"), (14, 31)))]


def test_seats_that_came_while_they_were_waived_are_charged_from_the_next_period_on():
    agreement = monthly()
    agreement.licences = (LicenceLink(b.SOURCE, b.PREMIUM, waive_until=date(2026, 1, 12)),)
    agreement.night(date(2026, 1, 1), 10)
    agreement.invoice()
    assert once(agreement.night(date(2026, 1, 12), 12)) == []
    assert once(agreement.night(date(2026, 1, 13), 13)) == [(D(1), amount(D("25.00"), (18, 31)))]
    assert [line.quantity for line in agreement.lines if line.cancelled_date is None] == [D(13)]


# ---- Manage prorates by itself


def test_an_increase_that_manage_prorates_is_a_line_of_the_full_price_from_the_day_to_the_end_of_the_period():
    agreement = monthly(ProrationRule.MANAGE)
    agreement.night(date(2026, 1, 1), 10)
    agreement.invoice()
    plan = agreement.night(date(2026, 1, 20), 12)

    dated, standing = plan.changes
    assert (dated.after.quantity, dated.after.unit_price) == (D(2), D("25.00"))
    assert (dated.after.effective_date, dated.after.cancelled_date) == (date(2026, 1, 20), date(2026, 1, 31))
    assert dated.sentence == (
        "Business Premium: 2 more since 20 Jan 2026: 12 of 31 days × 25.00 = 9.68 each, 19.36 in all, prorated by "
        "Manage on its next invoice."
    )
    assert dated.one_off == D("19.36")
    assert standing.after.quantity == 12


def test_an_agreement_that_does_not_prorate_is_not_left_to_manage():
    agreement = monthly(ProrationRule.MANAGE)
    agreement.night(date(2026, 1, 1), 10)
    agreement.invoice()
    facts = agreement.facts(date(2026, 1, 20), 12)
    plan = plan_company(replace(facts, agreements=(replace(facts.agreements[0], prorate_flag=False),)))

    assert plan.groups == ()
    (finding,) = plan.findings
    assert finding.kind.value == "prorate-unavailable"
    assert "agreement 501 does not prorate" in finding.text


# ---- usage in arrears


def price_of(agreement: Agreement, units: int) -> Decimal:
    """What so many units of one period cost in all."""
    reached = volume_price(agreement, units)
    match agreement.kind:
        case PriceKind.CUSTOM:
            return units * agreement.price
        case PriceKind.VOLUME:
            return units * reached
        case PriceKind.PACKAGE:
            return reached if units else D(0)
    return sum((volume_price(agreement, unit) for unit in range(1, units + 1)), D(0))


@given(
    scenarios(),
    st.sampled_from(list(Arrears)),
    st.sampled_from([PriceKind.CUSTOM, PriceKind.TIERED, PriceKind.VOLUME, PriceKind.PACKAGE]),
)
@examples(250)
def test_usage_is_billed_once_for_every_period_that_is_over_whenever_invoices_were_run(scenario, arrears, kind):
    agreement, nights, delays = scenario
    agreement.kind, agreement.arrears = kind, arrears
    billed, _ = play(agreement, nights, delays)

    last_night, wanted = nights[-1][0], D(0)
    for first, last in agreement.periods:
        was_read = any(first <= day <= last for day, _ in nights)
        if was_read and last < last_night:
            carried = [count for day, count in nights if day < first][-1:]
            begins = [count for day, count in nights if day == first]
            told = (begins or carried) + [count for day, count in nights if first < day <= last]
            wanted += price_of(agreement, max(told) if arrears is Arrears.HIGHEST else told[-1])
    assert billed == wanted


def used(arrears: Arrears) -> Agreement:
    agreement = Agreement("Monthly", "CalendarYear", "Current", date(2026, 1, 1), COMPUTED, D("0.50"), arrears=arrears)
    agreement.night(date(2026, 1, 5), 100)
    agreement.night(date(2026, 1, 20), 180)
    agreement.night(date(2026, 1, 31), 120)
    return agreement


@pytest.mark.parametrize(("arrears", "quantity"), [(Arrears.LAST, 120), (Arrears.HIGHEST, 180)])
def test_usage_is_billed_when_its_period_is_over_by_its_last_value_or_its_highest(arrears, quantity):
    agreement = used(arrears)
    assert agreement.lines == []
    agreement.invoice()
    plan = agreement.night(date(2026, 2, 1), 130)

    (change,) = plan.changes
    assert change.sentence == (
        f"Business Premium: {quantity} used for 1 Jan 2026 to 31 Jan 2026: {quantity} × 0.50 = {quantity / 2:.2f} "
        "in all, billed with the period from 1 Feb 2026."
    )
    assert (change.after.effective_date, change.after.cancelled_date) == (date(2026, 2, 1), date(2026, 2, 28))
    assert change.after.invoice_description == "M365-BP licence - 01/01/2026-01/31/2026"
    assert agreement.plan(date(2026, 2, 1), 130).groups == ()


def test_usage_is_not_billed_beside_a_line_that_a_person_keeps_nor_for_what_that_line_has_billed():
    agreement = Agreement(
        "Monthly", "CalendarYear", "Current", date(2026, 1, 1), COMPUTED, D("25.00"), arrears=Arrears.LAST
    )
    by_hand = b.addition(77, 5, effective_date=date(2025, 1, 1))
    agreement.lines = [by_hand]
    agreement.night(date(2026, 1, 5), 8)
    agreement.invoice()
    blocked = agreement.night(date(2026, 2, 2), 8)
    assert blocked.groups == ()
    assert [finding.kind.value for finding in blocked.findings] == ["blocked-create"]

    agreement.lines = [replace(by_hand, cancelled_date=date(2026, 1, 31))]
    plan = agreement.night(date(2026, 2, 3), 8)
    assert [(change.after.quantity, change.after.unit_price) for change in plan.changes] == [(D(3), D("25.00"))]


def test_usage_is_billed_only_after_every_agreement_was_looked_at():
    agreement = used(Arrears.LAST)
    facts = agreement.facts(date(2026, 2, 1), 130)
    unread = replace(facts, agreements=(*facts.agreements, b.agreement(502, type="Other")))
    assert plan_company(unread).needs_all


def test_a_month_in_which_no_usage_was_read_is_not_billed_but_told_and_the_month_before_it_is():
    agreement = used(Arrears.HIGHEST)
    plan = agreement.night(date(2026, 3, 1), 130)

    assert [change.after.invoice_description for change in plan.changes] == ["M365-BP licence - 01/01/2026-01/31/2026"]
    (finding,) = plan.findings
    assert finding.kind.value == "read-failed"
    assert "not read on any day from 1 Feb 2026 to 28 Feb 2026; nothing is billed" in finding.text
    assert agreement.night(date(2026, 3, 2), 130).groups == ()


@pytest.mark.parametrize(("read_on", "billed"), [(date(2026, 2, 1), [D(140)]), (date(2026, 2, 28), [D(140)])])
def test_one_reading_on_the_first_or_last_day_of_a_month_is_enough_to_bill_it(read_on, billed):
    agreement = used(Arrears.LAST)
    agreement.night(read_on, 140)
    plan = agreement.night(date(2026, 3, 1), 150)

    assert [change.after.quantity for change in plan.changes] == billed


def on_another_agreement(agreement: Agreement, day: date, count: int) -> Plan:
    """The plan of a night on which a person has moved the item to agreement 502."""
    agreement.licences = (LicenceLink(b.SOURCE, b.PREMIUM, agreement=502),)
    facts = agreement.facts(day, count)
    (old,) = facts.agreements
    return plan_company(replace(facts, agreements=(old, replace(old, id=502)), additions={**facts.additions, 502: ()}))


def test_usage_that_moves_to_another_agreement_takes_what_was_read_with_it():
    agreement = used(Arrears.HIGHEST)
    (change,) = on_another_agreement(agreement, date(2026, 2, 1), 130).changes

    assert (change.key.agreement, change.after.quantity) == (502, D(180))


def test_usage_that_was_billed_on_one_agreement_is_not_billed_again_on_the_other():
    agreement = used(Arrears.HIGHEST)
    agreement.night(date(2026, 2, 1), 130)
    assert on_another_agreement(agreement, date(2026, 2, 2), 150).groups == ()

    (change,) = on_another_agreement(agreement, date(2026, 3, 1), 110).changes
    assert (change.key.agreement, change.after.quantity) == (502, D(130))


@pytest.mark.parametrize(
    "over",
    [{}, {"agreement_status": "Inactive"}, {"end_date": date(2026, 1, 31)}, {"next_invoice_date": None}],
)
def test_a_quarter_that_was_billed_stays_billed_however_its_agreement_ended(over):
    """50 units at 2.00: 100.00 for October to December on 501, and never again for a month of them on 502."""
    agreement = Agreement(
        "Quarterly", "ContractYear", "Current", date(2025, 10, 1), COMPUTED, D("2.00"), arrears=Arrears.HIGHEST
    )
    for day in (date(2025, 10, 2), date(2025, 12, 2)):
        agreement.night(day, 50)
    agreement.invoice()
    (quarter,) = agreement.night(date(2026, 1, 1), 50).changes
    assert (quarter.after.quantity, quarter.one_off) == (50, D("100.00"))

    agreement.licences = (LicenceLink(b.SOURCE, b.PREMIUM, agreement=502),)
    facts = agreement.facts(date(2026, 1, 20), 50)
    old = replace(facts.agreements[0], **over)
    monthly = b.agreement(502, next_invoice_date=date(2026, 2, 1))
    plan = plan_company(replace(facts, agreements=(old, monthly), additions={**facts.additions, 502: ()}))
    assert (plan.groups, plan.findings) == ((), ())


def test_a_level_without_a_rounding_rule_is_billed_by_hundredths():
    agreement = Agreement(
        "Monthly", "CalendarYear", "Current", date(2026, 1, 1), COMPUTED, D("0.50"), arrears=Arrears.HIGHEST
    )
    facts = agreement.facts(date(2026, 1, 20), 200)
    (profile,) = facts.rules.profiles.values()
    thirds = b.rules(replace(profile, quantity=QuantityRule(divide_by=D(3))), guards=UNGUARDED)
    record = {seats.line: seats for seats in plan_company(replace(facts, rules=thirds)).seats}
    (change,) = plan_company(replace(agreement.facts(date(2026, 2, 1), 0), rules=thirds, seats=record)).changes
    assert (change.after.quantity, change.one_off) == (D("66.67"), D("33.335"))


def test_a_second_copy_of_a_line_for_usage_is_removed():
    agreement = used(Arrears.HIGHEST)
    agreement.night(date(2026, 2, 1), 130)
    (line,) = agreement.lines
    agreement.lines.append(replace(line, id=line.id + 1))
    plan = agreement.night(date(2026, 2, 2), 130)

    assert [(change.kind, change.addition) for change in plan.changes] == [(ChangeKind.DELETE, line.id + 1)]
    assert agreement.lines == [line]
    assert agreement.plan(date(2026, 2, 2), 130).groups == ()


def test_usage_that_ended_is_still_billed_for_its_last_period():
    agreement = used(Arrears.HIGHEST)
    plan = agreement.night(date(2026, 2, 1), 0)

    assert [change.after.quantity for change in plan.changes] == [D(180)]
    assert agreement.night(date(2026, 3, 1), 0).groups == ()


@pytest.mark.parametrize(("included", "told"), [(0, True), (10, False)])
def test_a_level_that_fell_to_nothing_at_the_end_of_a_month_is_told_for_that_month(included, told):
    agreement = used(Arrears.LAST)
    agreement.night(date(2026, 2, 1), 130)
    agreement.night(date(2026, 2, 28), 0)

    def findings(day: date) -> list[str]:
        facts = agreement.facts(day, 0)
        profile = facts.rules.profiles["premium"]
        own = replace(profile, quantity=replace(profile.quantity, included=D(included)))
        plan = plan_company(replace(facts, rules=b.rules(own)))
        assert plan.groups == ()
        return [finding.text for finding in plan.findings if finding.kind.value == "no-usage"]

    assert (
        findings(date(2026, 3, 1))
        == [
            "Business Premium: nothing was used from 1 Feb 2026 to 28 Feb 2026, but 120 in the period before; "
            "nothing is billed."
        ]
        * told
    )
    assert findings(date(2026, 4, 1)) == []


def test_seats_that_come_back_long_after_their_line_ended_are_charged_from_their_day_also_where_it_was_not_read():
    agreement = monthly()
    agreement.night(date(2026, 1, 1), 3)
    agreement.invoice()
    agreement.night(date(2026, 1, 20), 0)
    ended = agreement.lines
    # The agreement is not read any more every night, since no line of ours stands there.
    agreement.lines = []
    for day in (date(2026, 5, 20), date(2026, 6, 1), date(2026, 6, 3)):
        assert agreement.night(day, 0).groups == ()
    agreement.lines = ended
    while agreement.invoiced < 7:
        agreement.invoice()
    plan = agreement.night(date(2026, 6, 13), 5)

    # June and July are invoiced: 17 of 30 days, and July.
    assert once(plan) == [(D(5), D("14.17")), (D(5), D("25.00"))]
    assert agreement.plan(date(2026, 6, 13), 5).groups == ()


def test_usage_of_months_in_which_it_was_not_to_be_billed_is_not_billed_afterwards():
    agreement = monthly()
    agreement.arrears = Arrears.HIGHEST
    agreement.night(date(2026, 1, 5), 30)
    agreement.licences = (LicenceLink(b.SOURCE, b.PREMIUM, do_not_bill=True),)
    agreement.night(date(2026, 1, 25), 30)
    agreement.night(date(2026, 3, 5), 30)
    agreement.licences = ()
    assert once(agreement.night(date(2026, 3, 6), 20)) == []
    assert once(agreement.night(date(2026, 4, 1), 10)) == [(D(20), D("25.00"))]


def test_usage_of_months_in_which_a_company_was_only_observed_is_not_billed_afterwards():
    agreement = monthly()
    agreement.arrears, agreement.mode = Arrears.HIGHEST, Mode.OBSERVE
    agreement.night(date(2026, 1, 5), 30, applies=False)
    assert once(agreement.night(date(2026, 2, 5), 30, applies=False)) == [(D(30), D("25.00"))]
    agreement.night(date(2026, 3, 1), 50, applies=False)
    agreement.night(date(2026, 3, 5), 20, applies=False)
    agreement.mode = Mode.AUTO
    assert once(agreement.night(date(2026, 3, 6), 20)) == []
    assert once(agreement.night(date(2026, 4, 1), 10)) == [(D(50), D("25.00"))]


def test_a_profile_that_turns_to_arrears_does_not_bill_a_period_twice():
    agreement = Agreement("Monthly", "CalendarYear", "Current", date(2026, 1, 1), COMPUTED, D("0.50"))
    agreement.night(date(2026, 1, 1), 100)
    agreement.invoice()
    agreement.arrears = Arrears.HIGHEST
    ending = agreement.night(date(2026, 1, 10), 120)
    assert [change.after.cancelled_date for change in ending.changes] == [date(2026, 1, 31)]
    closing = agreement.night(date(2026, 2, 1), 90)

    # January's line has billed 100 of the 120 that were reached.
    assert [change.after.quantity for change in closing.changes] == [D(20)]


def test_usage_is_less_the_seats_that_its_period_was_invoiced_with_also_where_their_line_was_lowered_since():
    agreement = monthly()
    agreement.proration = Proration(ProrationRule.NONE)
    agreement.night(date(2026, 1, 1), 4)
    agreement.invoice()
    agreement.night(date(2026, 1, 2), 1)
    agreement.night(date(2026, 1, 3), 0)
    agreement.arrears = Arrears.HIGHEST
    agreement.night(date(2026, 1, 4), 0)
    agreement.night(date(2026, 1, 10), 5)
    closing = agreement.night(date(2026, 2, 1), 0)

    assert [change.after.quantity for change in closing.changes] == [D(1)]


# ---- plans that had to wait


@given(scenarios(), st.lists(st.booleans(), min_size=25, max_size=25))
@examples(250)
def test_plans_that_waited_for_approval_lose_nothing_while_counts_only_rise(scenario, chances):
    agreement, nights, delays = scenario
    if agreement.proration.rule is ProrationRule.NONE:
        agreement.proration = Proration(ProrationRule.COMPUTED)
    if agreement.kind is PriceKind.VOLUME:  # The band that is reached when the plan is applied counts.
        agreement.kind = PriceKind.TIERED
    rising = list(zip((day for day, _ in nights), sorted(count for _, count in nights), strict=True))
    applied = {day for (day, _), chance in zip(rising, chances, strict=False) if chance} | {rising[-1][0]}
    billed, wanted = play(agreement, rising, delays, applies=applied)

    assert billed == wanted


# ---- the trade's figures


def one_off(
    count: int, price: str, day: date, *, bought: int = 5, **proration: object
) -> list[tuple[Decimal, Decimal]]:
    """What an increase by `count` on a day of an invoiced month adds as one-off lines: quantity and amount each."""
    values = {"rule": ProrationRule.COMPUTED, **proration}
    agreement = Agreement("Monthly", "CalendarYear", "Current", date(day.year - 1, 1, 1), Proration(**values), D(price))
    while agreement.next_invoice <= day:
        agreement.invoice()
    agreement.night(day.replace(day=1), bought)
    plan = agreement.night(day, bought + count)
    return [(change.after.quantity, change.after.unit_price) for change in plan.changes if not change.key.is_standing]


@pytest.mark.parametrize(
    ("count", "price", "day", "amount"),
    [
        (1, "25.00", date(2020, 9, 9), "17.50"),
        (1, "20.00", date(2020, 9, 9), "14.00"),
        (12, "6.00", date(2020, 8, 5), "5.03"),
        (2, "25.00", date(2021, 2, 4), "21.43"),
        (1, "25.00", date(2021, 2, 17), "9.82"),
        (1, "25.00", date(2024, 2, 4), "21.55"),
        (1, "2.05", date(2020, 9, 15), "1.03"),
    ],
)
def test_the_distributors_figures(count, price, day, amount):
    assert one_off(count, price, day) == [(D(count), D(amount))]


def test_nothing_is_left_on_the_last_day_of_a_month():
    assert one_off(3, "25.00", date(2020, 8, 31)) == []


def test_with_the_start_day_included_as_manage_and_microsoft_count():
    assert one_off(1, "22.00", date(2019, 3, 15), start_day=StartDay.INCLUDED) == [(D(1), D("12.06"))]


@pytest.mark.parametrize(("day", "amount"), [(date(2026, 2, 20), "19.64"), (date(2026, 3, 10), "3.57")])
def test_a_contract_period_from_the_15th_to_the_14th(day, amount):
    agreement = Agreement("Monthly", "ContractYear", "Current", date(2025, 2, 15), COMPUTED, D("25.00"))
    while agreement.next_invoice <= day:
        agreement.invoice()
    agreement.night(date(2026, 2, 15), 5)
    plan = agreement.night(day, 6)

    assert [change.after.unit_price for change in plan.changes if not change.key.is_standing] == [D(amount)]


def test_ten_to_eight_and_back_to_ten_inside_a_paid_period_owes_nothing():
    agreement = Agreement("Monthly", "CalendarYear", "Current", date(2026, 1, 1), COMPUTED, D("25.00"))
    agreement.night(date(2026, 1, 1), 10)
    agreement.invoice()
    agreement.night(date(2026, 1, 10), 8)
    back = agreement.night(date(2026, 1, 20), 10)

    assert [change for change in back.changes if not change.key.is_standing] == []
    assert [line.quantity for line in agreement.lines] == [D(10)]


def test_one_more_in_an_invoiced_month_reads_as_one_sentence_with_its_arithmetic():
    agreement = Agreement("Monthly", "CalendarYear", "Current", date(2020, 1, 1), COMPUTED, D("25.00"))
    while agreement.next_invoice <= date(2021, 2, 17):
        agreement.invoice()
    agreement.night(date(2021, 2, 1), 10)
    plan = agreement.night(date(2021, 2, 17), 12)

    assert [change.sentence for change in plan.changes] == [
        "Business Premium: 2 more since 17 Feb 2021: 11 of 28 days × 25.00 = 9.82 each, 19.64 in all, "
        "billed with the period from 1 Mar 2021.",
        "Business Premium: from 1 Mar 2021 12 instead of 10, 2 more: +50.00 an invoice.",
    ]
    one, _ = plan.changes
    assert (one.one_off, one.monthly) == (D("19.64"), D(0))
    assert one.after.effective_date == date(2021, 3, 1)
    assert one.after.cancelled_date == date(2021, 3, 31)
    assert one.after.invoice_description == "M365-BP licence - Prorated for 02/17/2021-02/28/2021"


@pytest.mark.parametrize(
    ("first_sync", "amounts"),
    [
        (FirstSync.NEXT_PERIOD, []),
        (FirstSync.PRORATE, [(D(4), D("8.33"))]),
        (FirstSync.FULL_PERIOD, [(D(4), D("25.00"))]),
    ],
)
def test_a_first_sync_in_an_invoiced_month(first_sync, amounts):
    agreement = Agreement(
        "Monthly",
        "CalendarYear",
        "Current",
        date(2026, 9, 1),
        Proration(ProrationRule.COMPUTED, first_sync=first_sync),
        D("25.00"),
    )
    agreement.invoice()
    agreement.counted = frozenset({b.PREMIUM})
    plan = agreement.night(date(2026, 9, 20), 4)

    assert [
        (change.after.quantity, change.after.unit_price) for change in plan.changes if not change.key.is_standing
    ] == amounts
    assert [line.effective_date for line in agreement.lines if line.cancelled_date is None] == [date(2026, 10, 1)]


def test_an_agreement_that_ends_before_the_one_off_could_be_billed_tells_the_amount():
    agreement = Agreement("Monthly", "CalendarYear", "Current", date(2026, 1, 1), COMPUTED, D("25.00"))
    agreement.night(date(2026, 1, 1), 5)
    agreement.invoice()
    facts = agreement.facts(date(2026, 1, 20), 6)
    ends = replace(facts, agreements=(replace(facts.agreements[0], end_date=date(2026, 2, 10)),))
    plan = plan_company(ends)

    assert [change.key.is_standing for change in plan.changes] == [True]
    (finding,) = [finding for finding in plan.findings if finding.kind.value == "calendar-unsupported"]
    assert "8.87" in finding.text


def test_a_company_in_observe_begins_anew_each_night():
    agreement = Agreement("Monthly", "CalendarYear", "Current", date(2026, 1, 1), COMPUTED, D("25.00"))
    agreement.night(date(2026, 1, 1), 5)
    agreement.invoice()
    watching = replace(agreement.facts(date(2026, 1, 20), 9), company=b.company(mode=Mode.OBSERVE))
    plan = plan_company(watching)

    assert [change.key.is_standing for change in plan.changes] == [True]


def test_billed_through_overrides_what_the_next_invoice_date_says():
    facts = b.facts(b.reading(b.count(5)), company=b.company(billed_through={b.AGREEMENT: date(2026, 12, 31)}))

    assert [change.after.effective_date for change in plan_company(facts).changes] == [date(2027, 1, 1)]


def test_our_second_copy_of_a_one_off_line_goes():
    agreement = Agreement("Monthly", "CalendarYear", "Current", date(2026, 1, 1), COMPUTED, D("25.00"))
    agreement.night(date(2026, 1, 1), 5)
    agreement.invoice()
    agreement.night(date(2026, 1, 20), 6)
    (single,) = [line for line in agreement.lines if line.serial_number.startswith("TU1-O-")]
    agreement.lines.append(replace(single, id=1))
    plan = agreement.plan(date(2026, 1, 21), 6)

    assert [(change.kind, change.addition) for change in plan.changes] == [(ChangeKind.DELETE, 1)]


def test_do_not_bill_until_a_day_begins_on_it_as_an_increase_from_nothing():
    agreement = Agreement("Monthly", "CalendarYear", "Current", date(2026, 1, 1), COMPUTED, D("25.00"))
    agreement.night(date(2026, 1, 1), 5)
    agreement.invoice()
    until = LicenceLink(b.SOURCE, b.PREMIUM, do_not_bill_until=date(2026, 3, 11))
    agreement.licences = (until,)
    for day, quantity in [(5, 5), (20, 9)]:
        agreement.night(date(2026, 1, day), quantity)
    agreement.invoice()
    agreement.night(date(2026, 2, 2), 9)
    agreement.invoice()
    agreement.night(date(2026, 3, 10), 9)
    assert agreement.total() == 5 * D("25.00"), "January was billed; February and the days until 11 March are not"

    agreement.night(date(2026, 3, 11), 9)
    agreement.invoice()
    share = amount(D("25.00"), (20, 31))
    assert agreement.billed[date(2026, 4, 1)] == 9 * share + 9 * D("25.00")


def test_a_link_that_starts_in_an_invoiced_month_owes_from_its_start():
    agreement = Agreement("Monthly", "CalendarYear", "Current", date(2026, 1, 1), COMPUTED, D("25.00"))
    agreement.licences = (LicenceLink(b.SOURCE, b.PREMIUM, start=date(2026, 1, 15)),)
    agreement.counted = frozenset({b.PREMIUM})
    agreement.invoice()
    agreement.night(date(2026, 1, 10), 4)
    agreement.night(date(2026, 1, 15), 4)
    agreement.invoice()

    assert agreement.total() == 4 * amount(D("25.00"), (16, 31)) + 4 * D("25.00")


def test_a_line_that_comes_back_before_it_has_ended_keeps_its_price():
    agreement = Agreement("Monthly", "CalendarYear", "Current", date(2026, 1, 1), COMPUTED, D("25.00"))
    agreement.lines = [b.addition(1, 10, unit_price=D("22.05"), effective_date=date(2026, 1, 1))]
    agreement.night(date(2026, 1, 1), 10)
    agreement.invoice()
    agreement.night(date(2026, 1, 10), 0)
    plan = agreement.night(date(2026, 1, 12), 10)

    assert [change.after.unit_price for change in plan.changes] == [D("22.05")]


# ---- what is never billed afterwards


def monthly(rule: ProrationRule = ProrationRule.COMPUTED, price: str = "25.00") -> Agreement:
    return Agreement("Monthly", "CalendarYear", "Current", date(2026, 1, 1), Proration(rule), D(price))


def once(plan: Plan) -> list[tuple[Decimal, Decimal]]:
    return [(change.after.quantity, change.after.unit_price) for change in plan.changes if not change.key.is_standing]


def test_months_in_which_an_item_was_not_to_be_billed_are_not_billed_afterwards():
    agreement = monthly()
    agreement.night(date(2026, 1, 1), 10)
    agreement.invoice()
    agreement.licences = (LicenceLink(b.SOURCE, b.PREMIUM, do_not_bill=True),)
    agreement.night(date(2026, 1, 20), 10)
    for _ in range(2):
        agreement.invoice()
    agreement.licences = ()

    assert once(agreement.night(date(2026, 3, 20), 10)) == []


def test_a_rise_that_was_only_looked_at_and_went_away_is_not_billed_when_it_comes_back():
    agreement = monthly()
    agreement.invoice()
    agreement.night(date(2026, 1, 22), 5, applies=False)
    for day in (23, 24):
        agreement.night(date(2026, 1, day), 0)
    for _ in range(3):
        agreement.invoice()
    back = agreement.night(date(2026, 3, 20), 5)

    assert once(back) == [(D(5), amount(D("25.00"), (11, 31))), (D(5), D("25.00"))], "since March: April is invoiced"


def test_nothing_is_owed_for_days_without_any_reading_for_a_long_time():
    agreement = monthly()
    agreement.night(date(2026, 1, 1), 10)
    for _ in range(6):
        agreement.invoice()

    assert once(agreement.night(date(2026, 6, 20), 12)) == []


def test_a_change_of_the_rule_bills_nothing_of_the_past():
    agreement = monthly(ProrationRule.NONE)
    agreement.night(date(2026, 1, 1), 5)
    agreement.invoice()
    agreement.night(date(2026, 1, 10), 7)
    agreement.invoice()
    agreement.night(date(2026, 2, 10), 9)
    agreement.proration = COMPUTED

    assert once(agreement.night(date(2026, 2, 12), 9)) == []
    assert once(agreement.night(date(2026, 2, 18), 10)) == [(D(1), amount(D("25.00"), (10, 28)))]


def test_a_change_of_the_billing_cycle_bills_nothing_twice():
    agreement = monthly()
    agreement.night(date(2026, 1, 1), 5)
    agreement.invoice()
    agreement.night(date(2026, 1, 10), 7)
    facts = agreement.facts(date(2026, 1, 12), 7)
    quarterly = replace(facts.agreements[0], billing_cycle="Quarterly", next_invoice_date=date(2026, 4, 1))

    assert once(plan_company(replace(facts, agreements=(quarterly,)))) == []


def test_what_was_left_to_a_person_is_not_written_later():
    agreement = monthly()
    agreement.night(date(2026, 1, 1), 5)
    agreement.invoice()
    facts = agreement.facts(date(2026, 1, 20), 6)
    ends = replace(facts, agreements=(replace(facts.agreements[0], end_date=date(2026, 2, 10)),))
    agreement.seats |= {record.line: record for record in plan_company(ends).seats}

    assert once(agreement.plan(date(2026, 1, 21), 6)) == []


def test_nothing_is_created_or_adopted_for_a_count_of_zero_beside_a_line_that_has_ended_elsewhere():
    ended = b.our_addition(9, 2, on=501, cancelled_date=date(2026, 10, 31))
    theirs = b.addition(12, 3, on=502)
    licence = LicenceLink(b.SOURCE, b.PREMIUM, agreement=502)
    plan = plan_company(
        b.facts(
            b.reading(b.count(0), b.count(1, sku="other", free=True)),
            additions=[ended, theirs],
            ledger=[b.recorded(ended)],
            agreements=[b.agreement(501), b.agreement(502)],
            company=b.company(licences=(licence,)),
        )
    )

    assert plan.groups == ()


def test_a_line_that_moves_goes_on_after_the_last_day_that_it_was_billed():
    ended = b.our_addition(9, 2, on=501, cancelled_date=date(2026, 12, 31))
    licence = LicenceLink(b.SOURCE, b.PREMIUM, agreement=502)
    plan = plan_company(
        b.facts(
            b.reading(b.count(3)),
            additions=[ended],
            ledger=[b.recorded(ended)],
            agreements=[b.agreement(501, agreement_status="Cancelled"), b.agreement(502)],
            company=b.company(licences=(licence,)),
        )
    )

    assert [change.after.effective_date for change in plan.changes] == [date(2027, 1, 1)]


def test_the_invoiced_part_of_a_rise_keeps_the_price_that_it_was_invoiced_at():
    agreement = monthly()
    agreement.night(date(2026, 1, 1), 5)
    agreement.invoice()
    agreement.price = D("50.00")

    assert once(agreement.night(date(2026, 1, 10), 7)) == [(D(2), amount(D("25.00"), (21, 31)))]


@pytest.mark.parametrize("first_night", [1, 5])
def test_what_comes_after_a_new_price_was_written_is_charged_for_the_invoiced_period_at_its_old_one(first_night):
    agreement = monthly()
    agreement.night(date(2026, 1, 1), 10 if first_night == 1 else 0)
    agreement.invoice()
    agreement.night(date(2026, 1, 5), 10)
    agreement.night(date(2026, 1, 6), 10)
    agreement.price = D("100.00")
    agreement.night(date(2026, 1, 10), 10)
    assert once(agreement.night(date(2026, 1, 12), 11)) == [(D(1), amount(D("25.00"), (19, 31)))]
    agreement.invoice()
    assert once(agreement.night(date(2026, 2, 10), 12)) == [(D(1), amount(D("100.00"), (18, 28)))]


def test_what_goes_after_a_new_price_was_written_is_given_back_at_the_price_that_was_charged():
    agreement = monthly()
    agreement.proration = CREDITED
    agreement.night(date(2026, 1, 1), 10)
    agreement.invoice()
    agreement.price = D("100.00")
    agreement.night(date(2026, 1, 10), 10)
    assert once(agreement.night(date(2026, 1, 14), 9)) == [(D(1), -amount(D("25.00"), (17, 31)))]


def test_a_line_is_not_taken_over_while_a_period_that_is_over_is_not_invoiced():
    facts = b.facts(
        b.reading(b.count(12)),
        additions=[b.addition(9, 10)],
        agreements=[b.agreement(next_invoice_date=date(2026, 10, 1))],
    )

    plan = plan_company(facts)
    assert plan.groups == ()
    assert [finding.kind.value for finding in plan.findings] == ["calendar-unsupported"]


def test_undone_invoices_hold_the_item_until_they_are_run_again():
    agreement = monthly()
    agreement.night(date(2026, 1, 1), 10)
    agreement.invoice()
    agreement.night(date(2026, 1, 5), 12)
    agreement.invoiced -= 1
    plan = agreement.plan(date(2026, 1, 6), 13)

    assert plan.groups == ()
    assert [finding.kind.value for finding in plan.findings] == ["period-moved"]


def test_lines_that_are_not_charged_owe_nothing_and_do_not_owe_it_later():
    agreement = monthly()
    agreement.night(date(2026, 1, 1), 5)
    agreement.invoice()
    facts = agreement.facts(date(2026, 1, 10), 7)
    free = replace(facts.rules.profiles["premium"], bill_option=BillOption.NO_CHARGE)
    unpaid = plan_company(replace(facts, rules=replace(facts.rules, profiles={"premium": free})))
    agreement.seats |= {record.line: record for record in unpaid.seats}

    assert once(unpaid) == []
    assert once(agreement.plan(date(2026, 1, 11), 7)) == []


def test_a_copied_one_off_that_has_ended_blocks_nothing():
    copied = b.addition(9, 1, serial_number="TU1-O-250101-aaaaaaaaaaaaaaaaaaaaaaaaaa", cancelled_date=date(2025, 1, 31))
    plan = plan_company(b.facts(b.reading(b.count(3)), additions=[copied]))

    assert len(plan.changes) == 1
    assert plan.findings == ()


# ---- the vendor's own days


def bought_on(agreement: Agreement, day: date, changed: list[tuple[date, int]], last_read: date | None = None) -> Plan:
    """A night whose count tells the vendor's days of change."""
    facts = agreement.facts(day, changed[-1][1])
    facts = replace(facts, last_read={(b.SOURCE, b.TENANT): last_read} if last_read is not None else {})
    told = tuple((on, D(quantity)) for on, quantity in changed)
    count = replace(b.count(changed[-1][1]), changed=told)
    return plan_company(replace(facts, readings=(b.reading(count, day=day),)))


def test_each_increase_of_a_month_is_prorated_from_the_vendors_own_day_when_nights_were_missed():
    agreement = Agreement("Monthly", "CalendarYear", "Current", date(2020, 1, 1), COMPUTED, D("25.00"))
    while agreement.next_invoice <= date(2021, 2, 20):
        agreement.invoice()
    agreement.night(date(2021, 2, 1), 10)
    plan = bought_on(
        agreement, date(2021, 2, 20), [(date(2021, 1, 3), 10), (date(2021, 2, 4), 12), (date(2021, 2, 17), 13)]
    )

    assert [(change.after.quantity, change.after.unit_price) for change in plan.changes] == [
        (D(2), D("21.43")),
        (D(1), D("9.82")),
        (D(13), D("25.00")),
    ]


def test_a_first_purchase_is_prorated_from_the_vendors_own_day():
    agreement = Agreement("Monthly", "CalendarYear", "Current", date(2020, 1, 1), COMPUTED, D("25.00"))
    while agreement.next_invoice <= date(2021, 2, 20):
        agreement.invoice()
    agreement.night(date(2021, 2, 1), 1)
    agreement.night(date(2021, 2, 3), 0)
    plan = bought_on(agreement, date(2021, 2, 20), [(date(2021, 2, 17), 2)])

    assert [(change.after.quantity, change.after.unit_price) for change in plan.changes][:1] == [(D(1), D("9.82"))]


@pytest.mark.parametrize(("last_read", "share"), [(16, "9.82"), (17, "9.82"), (18, "7.14"), (None, "7.14")])
def test_what_was_never_counted_before_is_charged_from_the_vendors_own_day_if_none_was_read_until_then(
    last_read, share
):
    agreement = Agreement("Monthly", "CalendarYear", "Current", date(2020, 1, 1), COMPUTED, D("25.00"))
    while agreement.next_invoice <= date(2021, 2, 20):
        agreement.invoice()
    agreement.night(date(2021, 2, 1), 0)
    read = date(2021, 2, last_read) if last_read is not None else None
    once, _ = bought_on(agreement, date(2021, 2, 20), [(date(2021, 2, 17), 2)], last_read=read).changes

    assert (once.after.quantity, once.after.unit_price) == (D(2), D(share))


def test_what_was_bought_after_the_last_reading_of_a_day_is_charged_from_that_day():
    agreement = Agreement("Monthly", "CalendarYear", "Current", date(2020, 1, 1), COMPUTED, D("25.00"))
    while agreement.next_invoice <= date(2021, 2, 20):
        agreement.invoice()
    agreement.night(date(2021, 2, 4), 10)
    once, _ = bought_on(agreement, date(2021, 2, 5), [(date(2021, 1, 3), 10), (date(2021, 2, 4), 12)]).changes

    assert (once.after.quantity, once.after.unit_price) == (D(2), D("21.43"))


def test_a_vendors_day_before_the_last_reading_does_not_bill_what_that_reading_did_not_show():
    agreement = Agreement("Monthly", "CalendarYear", "Current", date(2020, 1, 1), COMPUTED, D("25.00"))
    while agreement.next_invoice <= date(2021, 2, 20):
        agreement.invoice()
    agreement.night(date(2021, 2, 16), 10)
    plan = bought_on(agreement, date(2021, 2, 17), [(date(2021, 2, 4), 11)])

    assert [(change.after.quantity, change.after.unit_price) for change in plan.changes][:1] == [(D(1), D("9.82"))]


# ---- commitments


def committed(day: date, quantity: int, until: date) -> Facts:
    """One subscription that is billed as a line of its own, and for what was committed to."""
    bought = Subscription("sub-a", D(quantity), SubscriptionStatus.ENABLED, owned=True, committed_until=until)
    counts = [b.count(quantity, subscriptions=[bought])] if quantity else []
    profile = b.profile(split=True, commitment_floor=True, price=PriceRule(PriceKind.CUSTOM, D("25.00")))
    return b.facts(b.reading(*counts, day=day), rules=b.rules(profile, guards=UNGUARDED), as_of=day)


def test_seats_that_go_within_a_commitment_are_billed_to_its_last_day_also_when_the_subscription_is_gone():
    until = date(2026, 12, 20)
    first = plan_company(committed(date(2026, 11, 1), 10, until))
    (created,) = [change for change in first.changes if change.key.is_standing]
    line = b.addition(9, 10, serial_number=created.after.serial_number, effective_date=created.after.effective_date)
    book = (replace(b.recorded(line), key=created.key),)
    seats = {record.line: record for record in first.seats}

    def night(day: date, quantity: int) -> Plan:
        facts = committed(day, quantity, until)
        plan = plan_company(replace(facts, additions={b.AGREEMENT: (line,)}, ledger=book, seats=dict(seats)))
        seats.update((record.line, record) for record in plan.seats)
        return plan

    assert night(date(2026, 11, 20), 6).groups == ()
    assert night(date(2026, 12, 19), 0).groups == ()
    (ending,) = night(date(2026, 12, 21), 0).changes
    assert ending.after.cancelled_date == date(2026, 12, 31)


def test_a_commitment_that_is_renewed_for_fewer_seats_is_billed_for_those():
    first = plan_company(committed(date(2026, 11, 1), 10, date(2026, 12, 20)))
    (created,) = [change for change in first.changes if change.key.is_standing]
    line = b.addition(9, 10, serial_number=created.after.serial_number, effective_date=created.after.effective_date)
    # The vendor tells the new term on the last day of the old one already.
    renewed = replace(
        committed(date(2026, 12, 20), 6, date(2027, 12, 20)),
        additions={b.AGREEMENT: (line,)},
        ledger=(replace(b.recorded(line), key=created.key),),
        seats={record.line: record for record in first.seats},
    )

    changes = plan_company(renewed).changes
    assert [(change.kind, change.after.quantity) for change in changes] == [
        (ChangeKind.CREATE, D(6)),
        (ChangeKind.END, D(10)),
    ]


# ---- rules that change while lines stand


@st.composite
def switches(draw):
    """Other ways to bill, each from some night on."""
    kinds = [PriceKind.CUSTOM, PriceKind.TIERED, PriceKind.VOLUME]
    found = {}
    for night in draw(st.lists(st.integers(1, 24), max_size=3, unique=True)):
        rule = draw(st.sampled_from(list(ProrationRule)))
        credits = rule is ProrationRule.COMPUTED and draw(st.booleans())
        proration = Proration(
            rule,
            draw(st.sampled_from(list(StartDay))),
            always_split=draw(st.booleans()),
            decrease=Decrease.CREDIT if credits else Decrease.KEEP,
        )
        arrears = draw(st.sampled_from([None, None, *Arrears]))
        kind = draw(st.sampled_from([*kinds, PriceKind.PACKAGE] if arrears else kinds))
        found[night] = (proration, kind, arrears, draw(st.sampled_from([(3, 7), (3, 5), (2,)])))
    return found


@given(scenarios(), switches(), st.lists(st.booleans(), min_size=25, max_size=25))
@examples(200)
def test_whatever_rules_change_no_seat_is_billed_twice_for_a_period_and_plans_converge(scenario, changes, runs):
    agreement, nights, _ = scenario
    for number, (day, quantity) in enumerate(nights):
        if number in changes:
            agreement.proration, agreement.kind, agreement.arrears, bounds = changes[number]
            prices = [amount(agreement.price, (part, 5)) for part in (5, 4, 2)]
            agreement.ranges = tuple(Band(D(upto), price) for upto, price in zip(bounds, prices, strict=False))
            agreement.ranges += (Band(None, prices[len(bounds)]),)
        agreement.night(day, quantity)
        assert agreement.plan(day, quantity).groups == ()
        while runs[number] and agreement.periods[agreement.invoiced][0] <= day:
            agreement.invoice()
    for _ in range(2):
        agreement.invoice()

    most = D(0)
    for first, last in agreement.periods[: agreement.invoiced]:
        carried = [count for day, count in nights if day < first][-1:]
        most += max([0, *carried, *(count for day, count in nights if first <= day <= last)]) * agreement.price
    assert agreement.total() <= most


def test_with_the_store_lost_a_month_under_way_owes_nothing_beside_a_line_that_begins_later():
    line = b.our_addition(9, 5, effective_date=date(2026, 12, 1))
    own = b.rules(b.profile(proration=COMPUTED))
    november_not_invoiced = [b.agreement(next_invoice_date=date(2026, 11, 1))]
    facts = b.facts(b.reading(b.count(5)), additions=[line], agreements=november_not_invoiced, rules=own)
    plan = plan_company(facts)
    assert plan.groups == ()

    again = replace(facts, seats={record.line: record for record in plan.seats}, ledger=plan.ledger)
    assert plan_company(again).groups == ()
