"""The proof for usage: what the lines of all months come to is what was used, whatever happened in between.

What is owed is worked out here from the history of readings, rules and nights alone; what is not billed is told.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import ROUND_CEILING, Decimal

from hypothesis import given
from hypothesis import strategies as st

from shared.billing.calendar import month_of
from shared.billing.counts import Moment
from shared.billing.findings import FindingKind
from shared.billing.planning.plan import Plan
from shared.billing.planning.planner import Facts
from shared.billing.profiles import Arrears, Band, PriceKind, QuantityRule, Rounding
from shared.billing.rules import LicenceLink
from shared.billing.wording import spoken
from tests import builders as b
from tests.examples import examples
from tests.unit.billing.test_invoices import COMPUTED, UNGUARDED, Agreement

D = Decimal
BANDS = (Band(D(10), D("10.00"), "BACKUP-S"), Band(D(30), D("8.00"), "BACKUP-M"), Band(None, D("6.00")))
FIRST = date(2026, 1, 5)


# ---- what is owed, on its own


def units(raw: int, included: int, divisor: int) -> Decimal:
    return (max(D(raw) / divisor - included, D(0))).to_integral_value(ROUND_CEILING)


def amount(kind: PriceKind, price: Decimal, used: Decimal) -> Decimal:
    if used <= 0:
        return D(0)
    if kind is PriceKind.CUSTOM:
        return used * price
    reached = next(band for band in BANDS if band.upto is None or used <= band.upto)
    if kind is PriceKind.VOLUME:
        return used * reached.price
    if kind is PriceKind.PACKAGE:
        return reached.price
    total, lower = D(0), D(0)
    for band in BANDS:
        upto = used if band.upto is None else min(used, band.upto)
        total += max(upto - lower, D(0)) * band.price
        lower = band.upto if band.upto is not None else lower
    return total


@dataclass
class Levels:
    """What was read of a level, in the units of the rule that counted it: by day, in the order in which it was read."""

    entries: list[tuple[date, Decimal]] = field(default_factory=list)
    rule: tuple[int, int] | None = None
    last: date | None = None

    def read(self, rule: tuple[int, int], readings: list[tuple[date, int]]) -> None:
        month = month_of(readings[-1][0]).start
        if self.rule not in (None, rule):
            readings = [each for each in readings if each[0] >= month]
            self.entries = [*(each for each in self.entries if each[0] < month), (month, D(0))]
        self.rule, self.last = rule, readings[-1][0]
        self.entries += [(day, units(raw, *rule)) for day, raw in readings]

    def stop(self) -> None:
        """Not billed since the last reading: there was nothing."""
        if self.last is not None:
            self.entries.append((self.last + timedelta(days=1), D(0)))
            self.last = None

    def of(self, month: date, arrears: Arrears) -> Decimal:
        end = month_of(month).end
        inside = [used for day, used in self.entries if month <= day <= end]
        before = [used for day, used in self.entries if day < month]
        begins = any(day == month for day, _ in self.entries)
        known = [*([] if begins else before[-1:]), *inside]
        return (max(known) if arrears is Arrears.HIGHEST else known[-1]) if known else D(0)


# ---- a company, played


class Company(Agreement):
    """A company with two agreements of the same months, whose item may move between them, or not be billed."""

    rule: tuple[int, int] = (0, 1)
    on = 501
    stopped = False
    moments: tuple[Moment, ...] = ()

    def facts(self, day: date, quantity: int) -> Facts:
        facts = super().facts(day, quantity)
        included, divisor = self.rule
        rule = QuantityRule(included=D(included), divide_by=D(divisor), rounding=Rounding.UP)
        own = replace(facts.rules.profiles["premium"], quantity=rule)
        link = LicenceLink(b.SOURCE, b.PREMIUM, agreement=self.on, do_not_bill=self.stopped)
        (first,) = facts.agreements
        lines = {number: tuple(line for line in self.lines if line.agreement_id == number) for number in (501, 502)}
        return replace(
            facts,
            rules=b.rules(own, guards=UNGUARDED),
            company=b.company(licences=(link,)),
            agreements=(first, replace(first, id=502)),
            additions=lines,
            moments=self.moments,
        )

    def write(self, change) -> None:
        known = {line.id for line in self.lines}
        super().write(change)
        self.lines = [
            line if line.id in known else replace(line, agreement_id=change.key.agreement) for line in self.lines
        ]
        row = self.ledger[change.after.serial_number]
        self.ledger[change.after.serial_number] = replace(row, key=change.key)

    def die_after(self, day: date, quantity: int, written: int) -> Plan:
        plan = self.night(day, quantity, applies=False)
        for change in plan.changes[:written]:
            self.write(change)
        return plan


@st.composite
def histories(draw):
    """Nights with what is read in each, and in some what somebody changes in the middle of a month."""
    nights, day = [], FIRST
    while day < date(2026, 4, 6):
        level = st.integers(0, 60)
        between = draw(st.lists(level, max_size=2))
        edit = draw(st.sampled_from([None, None, None, "price", "rule", "move", "stop", "stop"]))
        nights.append((day, draw(level), between, edit if 8 <= day.day <= 25 else None, draw(st.integers(0, 3))))
        day += timedelta(days=draw(st.sampled_from([1, 2, 3, 5, 5])))
    return nights


KINDS = [PriceKind.CUSTOM, PriceKind.TIERED, PriceKind.VOLUME, PriceKind.PACKAGE]


@given(histories(), st.sampled_from(list(Arrears)), st.sampled_from(KINDS))
@examples(8)
def test_the_lines_of_all_months_come_to_what_was_used_or_it_is_told(nights, arrears, kind):
    company = Company(
        "Monthly", "CalendarYear", "Current", date(2026, 1, 1), COMPUTED, D("2.50"), kind, arrears=arrears
    )
    company.ranges = BANDS if kind is not PriceKind.CUSTOM else ()
    levels, owed, billed_until, last_stop = Levels(), D(0), date(2026, 1, 1), None
    left: list[date] = []
    before = FIRST
    for day, level, between, edit, written in nights:
        if edit == "price" and kind is PriceKind.CUSTOM:
            company.price += D("0.25")
        if edit == "rule":
            company.rule = {(0, 1): (5, 1), (5, 1): (0, 4), (0, 4): (0, 1)}[company.rule]
        if edit == "move":
            company.on = 1003 - company.on
        if edit == "stop":
            company.stopped = not company.stopped
        while company.periods[company.invoiced][0] <= day:
            company.invoice()
        readings = [(before if number == 0 else day, raw) for number, raw in enumerate(between)]
        company.moments = tuple(Moment(None, on, (b.reading(b.count(raw), day=on),)) for on, raw in readings)
        if company.stopped:
            levels.stop()
            last_stop = day
        else:
            billed = [each for each in readings if last_stop is None or each[0] > last_stop]
            levels.read(company.rule, [*billed, (day, level)])
            while month_of(billed_until).end < day:
                used = levels.of(billed_until, arrears)
                if last_stop is not None and last_stop >= month_of(billed_until).end:
                    left += [billed_until] if used else []
                else:
                    owed += amount(kind, company.price, used)
                billed_until = month_of(billed_until).end + timedelta(days=1)
        if day.day <= 3:
            company.die_after(day, level, written)
        plan = company.night(day, level)
        assert [group.held for group in plan.groups if group.held] == []
        assert company.plan(day, level).groups == ()
        before = day
    lines = sum((line.quantity * line.unit_price for line in company.lines), D(0))
    assert lines == owed
    told = " ".join(each.text for each in plan.findings if each.kind is FindingKind.UNBILLED)
    assert all(f"used from {spoken(month)} " in told for month in left)
