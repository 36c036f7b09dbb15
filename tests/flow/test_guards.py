"""Guards that look beyond one plan: at the day, at the whole run, at what Manage says meanwhile."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from shared.billing.limits import Guards
from shared.billing.profiles import Proration, ProrationRule
from shared.billing.rules import SkuPolicy
from shared.errors import Retryable
from shared.state.records import Outcome
from shared.sync.approvals import Person, sign
from shared.sync.lanes import start_run
from shared.sync.verdicts import record_note
from tests import builders as b
from tests.fakes.house import House, Killed

D = Decimal
PRODUCTS = [f"P-{number}" for number in range(5)]


@pytest.fixture
def house() -> House:
    """One company that holds five SKUs, at an MSP that allows three changes a day."""
    house = House()
    house.manage.catalog = {name: b.product(name, number) for number, name in enumerate(PRODUCTS, 500)}
    house.rules(five_profiles(Guards(changes_per_day=3)))
    house.company(1)
    return house


def five_profiles(guards: Guards):
    plain = Proration(ProrationRule.NONE)
    profiles = [b.profile(id=name.lower(), product=name, proration=plain) for name in PRODUCTS]
    policies = [SkuPolicy(b.SOURCE, name.lower(), name.lower()) for name in PRODUCTS]
    return b.rules(*profiles, policies=policies, guards=guards)


def counted(many: int, quantity: int = 2) -> list:
    return [b.count(quantity, sku=name.lower(), name=name) for name in PRODUCTS[:many]]


# ---- changes of one company in a day


def test_as_many_changes_as_a_day_allows_are_written_and_one_more_holds_them_all(house):
    house.count(1, *counted(3))
    assert house.sync(1).report.written == {"created": 3}

    house.company(2, counted(4))
    synced = house.sync(2)
    assert synced.report.outcome is Outcome.HELD
    assert synced.report.written == {}
    assert [key for kind, key in house.state(2).findings if kind == "held"] == ["changes-per-day"]
    assert {group.held for group in synced.plan.groups} == {"4 changes of one company are more than 3 in a day"}


def test_what_was_written_earlier_in_the_day_counts_and_on_the_next_day_no_more(house):
    house.count(1, *counted(2))
    house.sync(1)
    house.count(1, *counted(4))
    held = house.sync(1)
    assert held.report.outcome is Outcome.HELD
    assert "2 changes of one company after 2 that were written today are more than 3 in a day" in str(
        house.state(1).findings["held", "changes-per-day"].finding.text
    )

    house.clock.pass_by(days=1)
    assert house.sync(1).report.written == {"created": 2}
    assert house.kinds(1) == []


def test_what_people_decide_meanwhile_hides_no_change_of_the_day(house):
    for many in range(1, 4):
        house.count(1, *counted(many))
        assert house.sync(1).report.written == {"created": 1}
        for note in range(3):
            house.clock.pass_by(seconds=1)
            signed = sign(house.ports, Person("pat@birchline.example"))
            record_note(house.ports, 1, f"note-{many}-{note}", signed, "looked at it")
    house.count(1, *counted(4))
    assert house.sync(1).report.outcome is Outcome.HELD


def test_a_company_may_have_a_limit_of_its_own_and_none_means_none(house):
    house.company(1, counted(5), guards=Guards(changes_per_day=5))
    assert house.sync(1).report.written == {"created": 5}

    house.company(2, counted(1), guards=Guards(changes_per_day=0))
    assert house.sync(2).report.written == {}


# ---- invoices that come between


def invoiced(house: House, company: int, next_invoice: date) -> None:
    agreement = house.manage.agreements_[company + 1000]
    house.manage.agreements_[company + 1000] = replace(agreement, next_invoice_date=next_invoice)


def at_the_look(house: House, number: int, act) -> None:
    """Does something when the company's agreements are asked for so often, before the answer."""
    looks = itertools.count(1)

    def fault(moment: str, method: str) -> None:
        if (moment, method) == ("before", "agreements") and next(looks) == number:
            act()

    house.manage.fault = fault


def moved(house: House, company: int) -> list[str]:
    return [key for kind, key in house.state(company).findings if kind == "period-moved"]


def test_writing_costs_two_more_looks_at_the_agreements_and_a_night_without_changes_none(house):
    house.count(1, *counted(3))
    house.sync(1)
    assert house.manage.calls["agreements"] == 3

    house.manage.calls.clear()
    house.sync(1)
    assert house.manage.calls["agreements"] == 1


def test_an_agreement_invoiced_after_the_plan_and_before_the_first_write_is_planned_anew(house):
    house.count(1, *counted(2))
    at_the_look(house, 2, lambda: invoiced(house, 1, date(2027, 1, 1)))

    stopped = house.sync(1)
    assert stopped.report.outcome is Outcome.FAILED
    assert "to be invoiced next on 1 Dec 2026, now on 1 Jan 2027" in stopped.report.note
    assert (stopped.report.written, house.manage.writes) == ({}, 0)
    assert stopped.again_in == house.ports.limits.busy_delay
    assert moved(house, 1) == ["agreement/1001"]

    assert house.sync(1).report.written == {"created": 2}
    assert {line.effective_date for line in house.manage.lines.values()} == {date(2027, 1, 1)}
    assert moved(house, 1) == []


def test_a_run_looks_again_at_a_company_that_was_invoiced_under_its_hands_and_writes_it(house):
    house.count(1, *counted(2))
    at_the_look(house, 2, lambda: invoiced(house, 1, date(2027, 1, 1)))
    start_run(house.ports, "run", "nightly", [1])
    house.work_until_done("run")

    (row,) = house.ports.runs.rows("run")
    assert (row.report.outcome, row.report.written) == (Outcome.APPLIED, {"created": 2})


def test_an_agreement_invoiced_between_two_writes_is_held_until_a_person_says_what_was_billed(house):
    house.count(1, *counted(2))
    at_the_look(house, 3, lambda: invoiced(house, 1, date(2027, 1, 1)))

    synced = house.sync(1)
    assert synced.report.outcome is Outcome.FAILED
    assert synced.report.written == {"created": 2}
    assert moved(house, 1) == ["agreement/1001"]

    house.count(1, *counted(2, quantity=4))
    assert house.sync(1).report.written == {}
    assert (
        "while lines of ours were being written"
        in house.state(1).findings["period-moved", "agreement/1001"].finding.text
    )

    house.clock.pass_by(days=1)
    rules = house.ports.companies.company_rules(1)
    house.ports.companies.put_rules(replace(rules, billed_through={1001: date(2026, 12, 31)}))
    assert house.sync(1).report.written == {"updated": 2}
    house.ports.companies.put_rules(rules)
    assert house.sync(1).report.outcome is Outcome.UNCHANGED
    assert moved(house, 1) == []


def test_killed_while_writing_an_invoice_that_came_meanwhile_is_not_taken_for_an_ordinary_one(house):
    house.count(1, *counted(2))
    house.fate.die_at = (
        house.fate.steps
        + 1
        + next(number for number, step in enumerate(undisturbed(counted(2))) if step == "manage.create")
    )
    with pytest.raises(Killed):
        house.sync(1)
    house.revive()
    house.clock.pass_by(seconds=house.ports.limits.settling + 1)
    invoiced(house, 1, date(2027, 1, 1))
    # Nothing of ours stands yet: the first write never happened, so that nothing is in doubt.
    assert house.sync(1).report.written == {"created": 2}


def test_killed_after_a_write_the_agreement_is_in_doubt_if_it_was_invoiced_before_anybody_looked(house):
    house.count(1, *counted(2))
    house.fate.die_at = (
        house.fate.steps
        + 2
        + next(number for number, step in enumerate(undisturbed(counted(2))) if step == "answer of manage.create")
    )
    with pytest.raises(Killed):
        house.sync(1)
    house.revive()
    house.clock.pass_by(seconds=house.ports.limits.settling + 1)
    invoiced(house, 1, date(2027, 1, 1))

    assert house.sync(1).report.written == {"created": 1}, "found done, not written now"
    assert moved(house, 1) == ["agreement/1001"]


def undisturbed(counts: list) -> list[str]:
    """The outside effects of a first sync of such a company, in order."""
    other = House()
    other.manage.catalog = {name: b.product(name, number) for number, name in enumerate(PRODUCTS, 500)}
    other.rules(five_profiles(Guards(changes_per_day=3)))
    other.company(1, counts)
    before = len(other.fate.log)
    other.sync(1)
    return other.fate.log[before:]


def test_a_look_after_the_last_write_that_fails_is_repeated_and_heals(house):
    house.count(1, *counted(2))

    def fail() -> None:
        raise Retryable("no answer", system="Manage")

    at_the_look(house, 3, fail)
    synced = house.sync(1)
    assert synced.report.written == {"created": 2}
    assert synced.again_in == house.ports.limits.busy_delay
    assert house.state(1).invoiced[1001].writing

    assert house.sync(1).report.outcome is Outcome.UNCHANGED
    assert not house.state(1).invoiced[1001].writing


def test_two_periods_invoiced_between_two_nights_hold_the_agreement_and_one_does_not(house):
    house.count(1, *counted(2))
    house.sync(1)
    invoiced(house, 1, date(2027, 1, 1))
    house.count(1, *counted(3))
    assert house.sync(1).report.written == {"created": 1}

    invoiced(house, 1, date(2027, 3, 1))
    house.clock.pass_by(days=15)
    house.count(1, *counted(3, quantity=3))
    assert house.sync(1).report.written == {}
    house.clock.pass_by(days=1)
    assert house.sync(1).report.written == {}, "nor the night after"
    assert moved(house, 1) == ["agreement/1001"]
