"""Profiles that are counted on the day before their agreement's next invoice: what Manage bills is what seats owe.

The sandbox's own biller is the judge. What is owed is computed from the counts of the count days alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from shared.billing.planning.plan import Plan
from shared.billing.profiles import BillingProfile, CountedOn, FirstSync, ProrationRule
from tests.examples import examples
from tests.unit.sandbox_company import History, SandboxCompany, profile, seats_owed
from tests.unit.test_money_under_every_switch import Scenario, play, scenarios

D = Decimal
NIGHT, BEFORE = CountedOn.NIGHT, CountedOn.BEFORE_INVOICE


@dataclass
class OnCountDays(SandboxCompany):
    """Remembers what was to be counted, by its own reading of the days.

    `last` is the last count day with the invoices made by then, while the profile is counted on such days.
    """

    taken: History = field(default_factory=list)
    last: tuple[date, int] | None = None

    def night(self, day: date, quantity: int) -> Plan:
        if self.profile.counted_on is NIGHT:
            self.taken.append((day, quantity))
            self.last = None
        elif self._is_due(day):
            self.taken.append((day, quantity))
            self.last = (day, self.invoiced)
        return super().night(day, quantity)

    def _is_due(self, day: date) -> bool:
        eve = day_of_next_invoice(self) - timedelta(days=1)
        if self.last is None:
            return day >= eve
        counted, invoiced = self.last
        return day >= eve > counted or self.invoiced - invoiced > 1


def day_of_next_invoice(company: SandboxCompany) -> date:
    return date.fromisoformat(str(company.agreement["nextInvoiceDate"])[:10])


def begun(scenario: Scenario) -> tuple[OnCountDays, Scenario]:
    """The company before its first night, and the scenario with no line of a person and nothing free at first."""
    rule = scenario.proration.rule if scenario.proration.rule is not ProrationRule.MANAGE else ProrationRule.COMPUTED
    proration = replace(scenario.proration, rule=rule, first_sync=FirstSync.PRORATE)
    plain = replace(scenario, adopts=False, proration=proration, contract=replace(scenario.contract, prorates=False))
    made = plain.company()
    company = OnCountDays(plain.contract, by_day(BEFORE, plain), made.switches, made.told)
    return company, plain


def by_day(when: CountedOn, scenario: Scenario) -> BillingProfile:
    return profile(scenario.proration, scenario.price, counted_on=when)


def owed(company: OnCountDays, scenario: Scenario) -> Decimal:
    periods = company.periods[: company.invoiced]
    return seats_owed(periods, company.taken, company.invoiced_on, scenario.proration, scenario.price)


@given(scenarios("cancelled_day_billed", "retroactive_change"))
@examples(100)
def test_only_what_was_counted_before_invoices_is_billed_and_each_seat_once(scenario: Scenario) -> None:
    company, scenario = begun(scenario)
    play(company, scenario)

    assert company.billed() == owed(company, scenario)


@given(scenarios("cancelled_day_billed"), st.lists(st.sampled_from([NIGHT, BEFORE, BEFORE]), min_size=2, max_size=9))
@examples(100)
def test_a_profile_that_moves_between_schedules_bills_no_seat_twice(scenario: Scenario, ways: list[CountedOn]) -> None:
    company, scenario = begun(scenario)
    play(company, scenario, [by_day(when, scenario) for when in ways])

    assert company.billed() == owed(company, scenario)
