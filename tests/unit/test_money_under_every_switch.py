"""What Manage bills is what the seats owe, to the cent, however Manage behaves where nobody has confirmed it.

The sandbox's own biller is the judge here. What is owed is computed from the counts and the invoice days alone.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from local.sandbox.switches import Switches
from shared.billing.rules import Proration, ProrationRule, StartDay
from tests.unit.sandbox_company import LENGTHS, Contract, History, SandboxCompany, profile, seats_owed

D = Decimal
#: Those that change nothing in what an invoice run does, but how Manage answers and what it refuses.
OF_ANSWERS = ("derived_writes_refused", "effective_date_today", "unset_dates_empty", "addition_status_reported")
#: Those that bill otherwise, while TrueUp needs no setting for them.
OF_INVOICES = ("zero_lines_printed", "prorate_start_day_included", "cancellation_prorated")


@dataclass(frozen=True)
class Scenario:
    """An agreement, how its item is billed, nights with their counts, and how late or early invoices are run."""

    contract: Contract
    proration: Proration
    price: Decimal
    switches: dict[str, bool]
    nights: History
    delays: list[int]
    adopts: bool

    def company(self) -> SandboxCompany:
        switches = Switches.from_json(self.switches)
        company = SandboxCompany(self.contract, profile(self.proration, self.price), switches, told=switches)
        if self.adopts:
            company.line_before(self.nights[0][1], self.price)
        return company

    def history(self) -> History:
        """What is taken to have been there: what a line of a person billed before the first night was there before."""
        (first, count), *later = self.nights
        return [(date.min if self.adopts else first, count), *later]


@st.composite
def contracts(draw: Any) -> Contract:
    start = draw(st.dates(date(2023, 1, 1), date(2024, 6, 30)))
    anchored = draw(st.sampled_from(["CalendarYear", "ContractYear"]))
    if anchored == "CalendarYear":
        # What a period owes that lies only partly inside the agreement is a finding, not a line.
        start = start.replace(month=draw(st.sampled_from([1, 7])), day=1)
    cycle = draw(st.sampled_from(["Monthly", "Monthly", "Monthly", "Quarterly", "SemiAnnual"]))
    return Contract(start, cycle, anchored, draw(st.sampled_from(["Current", "Future"])), draw(st.booleans()))


@st.composite
def scenarios(draw: Any, *switched: str) -> Scenario:
    """Histories of up to two years. `switched` are the switches that stand in any position."""
    contract = draw(contracts())
    proration = Proration(
        draw(st.sampled_from(list(ProrationRule))),
        draw(st.sampled_from(list(StartDay))),
        always_split=draw(st.booleans()),
    )
    gaps = draw(st.lists(st.sampled_from([1, 1, 1, 2, 3, 7, 13, 29, 45]), min_size=2, max_size=20))
    day = contract.start + timedelta(days=draw(st.integers(0, 40)))
    nights = []
    for gap in gaps:
        nights.append((day, draw(st.integers(0, 12))))
        day += timedelta(days=gap)
    return Scenario(
        contract,
        proration,
        draw(st.sampled_from([D("25.00"), D("6.00"), D("2.05"), D("13.37"), D("100.00")])),
        {name: draw(st.booleans()) for name in switched},
        nights,
        # How many days after its period's first day each invoice is run; negative: ahead of time.
        draw(st.lists(st.sampled_from([-40, -10, -1, 0, 1, 5, 20, 35, 70]), min_size=1, max_size=6)),
        draw(st.booleans()) and nights[0][1] > 0,
    )


def play(scenario: Scenario) -> SandboxCompany:
    """Runs the nights and the invoices in the order of their days, then everything that is left to invoice.

    Before the first night no invoice is run: the item is first seen there.
    """
    company, by_day = scenario.company(), dict(scenario.nights)
    due = due_days(company, scenario)
    day, last_night = scenario.nights[0][0], scenario.nights[-1][0]
    while day <= last_night:
        while day > scenario.nights[0][0] and due[company.next_period[0]] <= day:
            company.invoice(day)
        if day in by_day:
            company.night(day, by_day[day])
        day += timedelta(days=1)
    for _ in range(24 // LENGTHS[scenario.contract.cycle] + 3):
        company.invoice(last_night + timedelta(days=1))
    return company


def due_days(company: SandboxCompany, scenario: Scenario) -> dict[date, date]:
    """When each period is invoiced, by its first day: one after the other."""
    due, run = {}, scenario.nights[0][0]
    for (first, _), delay in zip(company.periods, itertools.cycle(scenario.delays), strict=False):
        run = max(run, first + timedelta(days=delay))
        due[first] = run
    return due


def owed(company: SandboxCompany, scenario: Scenario) -> Decimal:
    invoiced = company.periods[: len(company.invoiced_on)]
    return seats_owed(invoiced, scenario.history(), company.invoiced_on, scenario.proration, scenario.price)


@given(scenarios("cancelled_day_billed", *OF_INVOICES, *OF_ANSWERS))
@settings(max_examples=150, deadline=None)
def test_manage_bills_what_the_seats_owe_under_every_switch_with_its_setting(scenario: Scenario) -> None:
    company = play(scenario)

    assert company.billed() == owed(company, scenario)
