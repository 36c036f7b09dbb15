"""What Manage bills is what the seats owe, to the cent, however Manage behaves where nobody has confirmed it.

The sandbox's own biller is the judge here. What is owed is computed from the counts and the invoice days alone.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.sandbox.switches import Switches
from shared.billing.findings import FindingKind
from shared.billing.planning.plan import ChangeKind
from shared.billing.profiles import BillingProfile, BillOption, Proration, ProrationRule, StartDay
from tests.examples import examples
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

    def company(self, *, retroactive: bool | None = None, told_retroactive: bool | None = None) -> SandboxCompany:
        """The company before its first night. What is not said is as the scenario has it, and TrueUp is told of it."""
        position = self.switches.get("retroactive_change", False) if retroactive is None else retroactive
        told_position = position if told_retroactive is None else told_retroactive
        switches = Switches.from_json(self.switches | {"retroactive_change": position})
        told = Switches.from_json(self.switches | {"retroactive_change": told_position})
        company = SandboxCompany(self.contract, profile(self.proration, self.price), switches, told)
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
    gaps = draw(st.lists(st.sampled_from([1, 1, 1, 2, 3, 7, 13, 29, 45]), min_size=2, max_size=20))
    proration = Proration(
        draw(st.sampled_from(list(ProrationRule))),
        draw(st.sampled_from(list(StartDay))),
        always_split=draw(st.booleans()),
    )
    if proration.rule is ProrationRule.MANAGE:
        # On an agreement that does not prorate it is a finding.
        contract = replace(contract, prorates=True)
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


def play(
    company: SandboxCompany,
    scenario: Scenario,
    profiles: Iterable[BillingProfile] = (),
    undone: Mapping[int, int] = MappingProxyType({}),
) -> SandboxCompany:
    """Runs the nights and the invoices in the order of their days, then everything that is left to invoice.

    Before the first night no invoice is run: the item is first seen there. Each night takes the next of the profiles.
    So many days after the first night the newest invoice is `undone`, if its period has begun, to be run again so many
    days later.
    """
    by_day, following = dict(scenario.nights), itertools.cycle(profiles)
    due = due_days(company, scenario)
    day, last_night = scenario.nights[0][0], scenario.nights[-1][0]
    while day <= last_night:
        while day > scenario.nights[0][0] and due[company.next_period[0]] <= day:
            company.invoice(day)
        again = undone.get((day - scenario.nights[0][0]).days)
        if again is not None and company.invoiced and company.periods[company.invoiced - 1][0] <= day:
            company.undo()
            due[company.next_period[0]] = day + timedelta(days=again)
        if day in by_day:
            company.profile = next(following, company.profile)
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
    invoiced, proration = company.periods[: company.invoiced], scenario.proration
    if proration.rule is ProrationRule.MANAGE:
        included = company.switches.prorate_start_day_included
        proration = Proration(ProrationRule.COMPUTED, StartDay.INCLUDED if included else StartDay.EXCLUDED)
    return seats_owed(invoiced, scenario.history(), company.invoiced_on, proration, scenario.price)


@given(scenarios("cancelled_day_billed", "retroactive_change", *OF_INVOICES, *OF_ANSWERS))
@examples(150)
def test_manage_bills_what_the_seats_owe_under_every_switch_with_its_setting(scenario: Scenario) -> None:
    company = play(scenario.company(), scenario)

    assert company.billed() == owed(company, scenario)


def ways_to_bill() -> st.SearchStrategy[list[tuple[Decimal, BillOption]]]:
    """A price and a bill option for each night, mostly those of the night before."""
    price = st.sampled_from([D("25.00"), D("25.00"), D("26.50")])
    option = st.sampled_from([BillOption.BILLABLE, BillOption.BILLABLE, BillOption.BILLABLE, BillOption.NO_CHARGE])
    return st.lists(st.tuples(price, option), min_size=1, max_size=6)


@given(scenarios("cancelled_day_billed", *OF_INVOICES), ways_to_bill())
@examples(75)
def test_told_that_changes_are_retroactive_no_change_is_ever_caught_up(
    scenario: Scenario, ways: list[tuple[Decimal, BillOption]]
) -> None:
    profiles = [profile(scenario.proration, price, bill_option=option) for price, option in ways]
    caught_up = play(scenario.company(retroactive=True), scenario, profiles)
    copied = play(scenario.company(retroactive=False, told_retroactive=True), scenario, profiles)

    assert caught_up.invoices() == copied.invoices()


@given(scenarios("cancelled_day_billed", "retroactive_change"), ways_to_bill())
@examples(50)
def test_a_second_plan_right_after_applying_is_empty_under_every_switch(
    scenario: Scenario, ways: list[tuple[Decimal, BillOption]]
) -> None:
    company = scenario.company()
    for number, ((day, quantity), (price, option)) in enumerate(zip(scenario.nights, itertools.cycle(ways))):
        company.profile = profile(scenario.proration, price, bill_option=option)
        company.night(day, quantity)
        assert company.plan(day, quantity).groups == ()
        if number % 3 == 2:
            company.invoice(day)


@given(
    scenarios("cancelled_day_billed", "retroactive_change", *OF_INVOICES),
    st.dictionaries(st.integers(1, 200), st.integers(0, 40), max_size=5),
)
@examples(75)
def test_lines_that_are_always_split_stay_true_when_invoices_are_undone_and_run_again(
    scenario: Scenario, undone: dict[int, int]
) -> None:
    # With `none` a period invoiced ahead has the seats of its first day only if that invoice was undone by then.
    rule = scenario.proration.rule if scenario.proration.rule is not ProrationRule.NONE else ProrationRule.COMPUTED
    scenario = replace(scenario, proration=replace(scenario.proration, rule=rule, always_split=True))
    company = play(scenario.company(), scenario, undone=undone)

    assert company.billed() == owed(company, scenario)


def invoiced_ahead(*, retroactive: bool) -> SandboxCompany:
    """January is invoiced, with a line that a person has kept for ten seats."""
    switches = Switches(retroactive_change=retroactive)
    contract = Contract(date(2026, 1, 1))
    company = SandboxCompany(contract, profile(Proration(ProrationRule.NONE), D("25.00")), switches, switches)
    company.line_before(10, D("25.00"))
    company.invoice(date(2026, 1, 1))
    return company


def test_told_that_changes_are_retroactive_a_line_with_another_quantity_is_left_to_a_person() -> None:
    company = invoiced_ahead(retroactive=True)
    plan = company.night(date(2026, 1, 10), 12)

    assert plan.changes == ()
    (finding,) = plan.findings
    assert finding.kind is FindingKind.BLOCKED_CREATE
    assert "says 10 instead of 12" in finding.text
    assert company.night(date(2026, 1, 11), 10).changes[0].reason == "adopted"


def test_told_that_changes_are_retroactive_a_new_price_is_a_new_line_from_the_first_uninvoiced_period_on() -> None:
    company = invoiced_ahead(retroactive=True)
    company.records.remove("additions", company.lines()[0].id)
    company.night(date(2026, 1, 10), 10)
    company.invoice(date(2026, 1, 31))
    company.profile = profile(company.profile.proration, D("27.00"))
    plan = company.night(date(2026, 2, 10), 10)

    assert [(change.kind, change.after.unit_price) for change in plan.changes] == [
        (ChangeKind.CREATE, D("27.00")),
        (ChangeKind.END, D("25.00")),
    ]
    company.invoice(date(2026, 3, 1))
    assert [made["lines"][0]["amount"] for made in company.invoices()[1:]] == [250.0, 270.0]


def prorated_by_manage(*, included: bool, prorates: bool = True) -> SandboxCompany:
    """January is invoiced for five seats; seats that come are left to Manage to prorate."""
    switches = Switches(prorate_start_day_included=included)
    contract = Contract(date(2026, 1, 1), prorates=prorates)
    company = SandboxCompany(contract, profile(Proration(ProrationRule.MANAGE), D("31.00")), switches, switches)
    company.night(date(2026, 1, 1), 5)
    company.invoice(date(2026, 1, 1))
    return company


@pytest.mark.parametrize(("included", "share", "days"), [(True, "15.00", 15), (False, "14.00", 14)])
def test_manage_prorates_what_is_told_by_its_own_day_count(included: bool, share: str, days: int) -> None:
    company = prorated_by_manage(included=included)
    once, _ = company.night(date(2026, 1, 17), 6).changes
    company.invoice(date(2026, 2, 1))

    assert (once.after.effective_date, once.after.cancelled_date) == (date(2026, 1, 17), date(2026, 1, 31))
    assert (once.after.unit_price, once.one_off) == (D("31.00"), D(share))
    assert f"{days} of 31 days × 31.00 = {share} each" in once.sentence
    assert once.sentence.endswith("prorated by Manage on its next invoice.")
    assert company.billed() == 5 * D("31.00") + D(share) + 6 * D("31.00")


def test_on_an_agreement_that_does_not_prorate_nothing_is_left_to_manage() -> None:
    company = prorated_by_manage(included=True, prorates=False)
    plan = company.night(date(2026, 1, 17), 6)

    assert plan.changes == ()
    assert [finding.kind for finding in plan.findings] == [FindingKind.PRORATE_UNAVAILABLE]
