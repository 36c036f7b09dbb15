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

from hypothesis import given
from hypothesis import strategies as st

from shared.billing.agreements import Addition
from shared.billing.limits import Guards, ReductionLimit
from shared.billing.planning.plan import Change, ChangeKind, Plan
from shared.billing.planning.planner import Facts, plan_company
from shared.billing.profiles import Arrears, Band, Decrease, PriceKind, PriceRule, Proration, ProrationRule, StartDay
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


CREDITED = Proration(ProrationRule.COMPUTED, decrease=Decrease.CREDIT)


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


def monthly(rule: ProrationRule = ProrationRule.COMPUTED, price: str = "25.00") -> Agreement:
    return Agreement("Monthly", "CalendarYear", "Current", date(2026, 1, 1), Proration(rule), D(price))


def once(plan: Plan) -> list[tuple[Decimal, Decimal]]:
    return [(change.after.quantity, change.after.unit_price) for change in plan.changes if not change.key.is_standing]


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
