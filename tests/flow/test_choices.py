"""Choices: what a person says about a line that is left alone is done, exactly that, and remembered with the name."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from shared.billing.findings import FindingKind
from shared.billing.planning.choices import ChoiceKind, subject_of_hand
from shared.billing.profiles import (
    Arrears,
    Decrease,
    DriftRule,
    FirstSync,
    PriceKind,
    PriceRule,
    Proration,
    ProrationRule,
)
from shared.billing.rules import CompanyRules, LicenceLink, Mode
from shared.errors import Gone, Refused
from shared.state.records import Outcome
from shared.sync.approvals import Person, approve
from shared.sync.choices import choose, offered
from shared.sync.company import Synced
from shared.sync.erasing import erase
from shared.sync.undo import undo
from tests import builders as b
from tests.fakes.house import House, Killed

D = Decimal
PAT = Person("pat@birchline.example", "203.0.113.7")
ITEM = f"{b.SOURCE}/{b.PREMIUM}"
COMPUTED = Proration(ProrationRule.COMPUTED)


def a_house(**profile: object) -> House:
    """Company 1's line 11 was adopted with 5 seats."""
    house = House()
    house.rules(b.rules(b.profile(proration=COMPUTED, **profile)))
    house.company(1, [b.count(5)], [b.addition(11, 5)])
    house.sync(1)
    return house


@pytest.fixture
def house() -> House:
    return a_house()


def counted(house: House, quantity: int) -> None:
    house.count(1, *([b.count(quantity, customer="tenant-1")] if quantity else []))


def edit(house: House, **fields: object) -> None:
    house.manage.lines[11] = replace(house.manage.lines[11], **fields)


def chosen(house: House, kind: ChoiceKind, *additions: int, item: str = ITEM) -> Synced:
    return choose(house.ports, 1, kind, PAT, bill_item=item, additions=additions)


def open_lines(house: House) -> list[tuple[int, Decimal]]:
    return sorted((line.id, line.quantity) for line in house.manage.lines.values() if line.cancelled_date is None)


def next_day(house: House, days: int = 1) -> None:
    house.clock.pass_by(days=days)


def invoiced(house: House, day: date) -> None:
    house.manage.agreements_[1001] = replace(house.manage.agreements_[1001], next_invoice_date=day)


# ---- an edited line


def test_restored_the_line_says_again_what_was_written(house):
    edit(house, quantity=D(7), unit_price=D(30))
    house.sync(1)
    assert house.kinds(1) == ["drift"]

    assert chosen(house, ChoiceKind.RESTORE).report.outcome is Outcome.APPLIED
    assert house.manage.lines[11].quantity == D(5)
    assert house.kinds(1) == []
    assert house.sync(1).report.outcome is Outcome.UNCHANGED
    assert house.state(1).choices == {}


def test_in_approve_a_restoration_waits_like_everything_else(house):
    rules = house.ports.companies.company_rules(1)
    house.ports.companies.put_rules(replace(rules, mode=Mode.APPROVE))
    edit(house, quantity=D(7))
    house.sync(1)
    assert chosen(house, ChoiceKind.RESTORE).report.waiting == 1
    assert house.manage.lines[11].quantity == D(7)
    approve(house.ports, 1, list(house.state(1).waiting), PAT)
    assert house.manage.lines[11].quantity == D(5)


def test_a_choice_holds_for_the_edit_that_was_seen_and_for_no_other(house):
    rules = house.ports.companies.company_rules(1)
    house.ports.companies.put_rules(replace(rules, mode=Mode.APPROVE))
    edit(house, quantity=D(7))
    house.sync(1)
    chosen(house, ChoiceKind.RESTORE)
    edit(house, quantity=D(9))
    house.sync(1)
    assert (house.kinds(1), house.state(1).waiting, house.state(1).choices) == (["drift"], {}, {})


def test_accepted_the_persons_value_stays_until_the_count_changes(house):
    edit(house, quantity=D(3))
    house.sync(1)
    writes = house.manage.writes
    assert chosen(house, ChoiceKind.ACCEPT).report.outcome is Outcome.UNCHANGED
    for _ in range(3):
        next_day(house)
        assert house.sync(1).report.outcome is Outcome.UNCHANGED
        assert house.kinds(1) == []
    assert house.manage.writes == writes
    assert house.manage.lines[11].quantity == D(3)

    counted(house, 6)
    assert house.sync(1).report.outcome is Outcome.APPLIED
    assert house.manage.lines[11].quantity == D(6)
    assert house.state(1).choices == {}


def test_what_was_accepted_is_not_billed_afterwards(house):
    """Two seats fewer were billed because a person said so: only the sixth seat is charged when it comes."""
    edit(house, quantity=D(3))
    house.sync(1)
    chosen(house, ChoiceKind.ACCEPT)
    next_day(house, 10)
    invoiced(house, date(2027, 1, 1))
    house.sync(1)
    next_day(house, 10)
    counted(house, 6)
    house.sync(1)
    once = [line for line in house.manage.lines.values() if "TU1-O" in line.serial_number]
    assert [line.quantity for line in once] == [D(1)]


def test_accepted_it_ends_when_a_rule_changes(house):
    edit(house, quantity=D(3))
    house.sync(1)
    chosen(house, ChoiceKind.ACCEPT)
    house.rules(b.rules(b.profile(proration=COMPUTED), policies=[]))
    house.sync(1)
    house.rules(b.rules(b.profile(proration=COMPUTED), policies=[b.SkuPolicy(b.SOURCE, b.PREMIUM, None)]))
    assert house.sync(1).report.planned == {"ended": 1}


def test_a_profile_can_restore_every_edit():
    house = a_house(drift=DriftRule.RESTORE)
    edit(house, quantity=D(7))
    assert house.sync(1).report.outcome is Outcome.APPLIED
    assert house.manage.lines[11].quantity == D(5)
    assert house.kinds(1) == []


def test_a_profile_can_accept_every_edit():
    house = a_house(drift=DriftRule.ACCEPT)
    edit(house, quantity=D(7))
    assert house.sync(1).report.outcome is Outcome.UNCHANGED
    assert house.state(1).choices[ITEM].signed.by == "rules"
    next_day(house)
    counted(house, 6)
    house.sync(1)
    assert house.manage.lines[11].quantity == D(6)


# ---- a line that somebody ended or deleted


def test_stopped_it_is_not_billed_and_no_finding_comes_back(house):
    edit(house, cancelled_date=date(2026, 11, 30))
    house.sync(1)
    assert house.kinds(1) == ["paused"]
    chosen(house, ChoiceKind.STOP)
    next_day(house, 20)
    assert (house.sync(1).report.outcome, house.kinds(1)) == (Outcome.UNCHANGED, [])
    assert open_lines(house) == []


@pytest.mark.parametrize("stopped", [False, True])
def test_resumed_a_new_line_bills_from_the_next_period_and_nothing_for_the_time_between(house, stopped):
    edit(house, cancelled_date=date(2026, 11, 30))
    house.sync(1)
    if stopped:
        chosen(house, ChoiceKind.STOP)
    next_day(house, 25)
    invoiced(house, date(2027, 1, 1))
    house.sync(1)
    assert chosen(house, ChoiceKind.RESUME).report.outcome is Outcome.APPLIED
    (created,) = [line for line in house.manage.lines.values() if line.id != 11]
    assert (created.quantity, created.effective_date) == (D(5), date(2027, 1, 1))
    assert house.sync(1).report.outcome is Outcome.UNCHANGED
    assert (house.kinds(1), house.state(1).choices) == ([], {})


def test_a_deleted_line_is_made_again_when_a_person_says_so(house):
    del house.manage.lines[11]
    house.sync(1)
    assert house.kinds(1) == ["paused"]
    assert chosen(house, ChoiceKind.RESUME).report.written == {"created": 1}
    assert [quantity for _, quantity in open_lines(house)] == [D(5)]


# ---- lines in the way


def blocked(**profile: object) -> House:
    """Two lines of people bill what company 1 is counted for, one of them marked by hand."""
    house = House()
    house.rules(b.rules(b.profile(proration=Proration(first_sync=FirstSync.NEXT_PERIOD), **profile)))
    house.company(1, [b.count(5)], [b.addition(11, 4, serial_number="by hand"), b.addition(12, 2)])
    house.sync(1)
    return house


def test_the_line_that_is_chosen_is_adopted_and_the_other_stays():
    house = blocked()
    assert house.kinds(1) == ["candidates"]
    assert chosen(house, ChoiceKind.ADOPT, 11).report.written == {"updated": 1}
    assert open_lines(house) == [(11, D(5)), (12, D(2))]
    assert house.manage.lines[11].serial_number.startswith("TU1-A-")
    assert house.sync(1).report.outcome is Outcome.UNCHANGED
    assert (house.kinds(1), house.state(1).choices) == ([], {})


def test_the_others_end_where_ours_begins_and_never_become_ours():
    house = blocked()
    chosen(house, ChoiceKind.END_OTHER, 11, 12)
    ends = {line.id: line.cancelled_date for line in house.manage.lines.values()}
    (ours,) = [line for line in house.manage.lines.values() if line.serial_number.startswith("TU1-S-")]
    assert ours.effective_date == date(2026, 12, 1)
    assert ends == {11: date(2026, 11, 30), 12: date(2026, 11, 30), ours.id: None}
    assert [row.addition_id for row in house.state(1).ledger.values()] == [ours.id]
    assert house.sync(1).report.outcome is Outcome.UNCHANGED


def test_a_line_on_another_agreement_ends_there_and_an_undo_takes_that_back():
    house = House()
    house.rules(b.rules())
    house.manage.agreements_[2001] = b.agreement(2001, company_id=1, type="Hardware")
    house.company(1, [b.count(5)])
    house.manage.lines[12] = b.addition(12, 4, on=2001)
    house.sync(1)
    assert house.kinds(1) == ["blocked-create"]
    before = house.manage.said()

    assert chosen(house, ChoiceKind.END_OTHER, 12).report.written == {"ended": 1, "created": 1}
    other = house.manage.lines[12]
    assert (other.cancelled_date, other.quantity, other.serial_number) == (date(2026, 11, 30), D(4), "")
    run = house.ports.company_state.history(1, 1)[0].run
    held = undo(house.ports, 1, run, PAT).held
    assert undo(house.ports, 1, run, PAT, confirmed=[group.hash for group in held]).refused == {}
    assert house.manage.said() == before
    assert house.state(1).ledger == {}


def test_a_line_on_an_agreement_with_other_periods_is_not_ended_inside_one_of_them():
    house = House()
    house.rules(b.rules())
    yearly = {"billing_cycle": "Yearly", "next_invoice_date": date(2027, 1, 1)}
    house.manage.agreements_[2001] = b.agreement(2001, company_id=1, type="Hardware", **yearly)
    house.company(1, [b.count(5)])
    house.manage.lines[12] = b.addition(12, 4, on=2001)
    house.sync(1)
    writes = house.manage.writes
    chosen(house, ChoiceKind.END_OTHER, 12)
    assert (house.kinds(1), house.manage.writes) == (["blocked-create"], writes)


def test_ours_is_created_beside_the_lines_that_were_named_and_beside_no_other():
    house = blocked()
    chosen(house, ChoiceKind.CREATE_ANYWAY, 11)
    assert house.kinds(1) == []  # the other one could be adopted, and was
    assert house.manage.lines[12].serial_number.startswith("TU1-A-")

    house = blocked()
    assert chosen(house, ChoiceKind.CREATE_ANYWAY, 11, 12).report.written == {"created": 1}
    assert [quantity for _, quantity in open_lines(house)] == [D(4), D(2), D(5)]
    assert house.sync(1).report.outcome is Outcome.UNCHANGED


def test_what_cannot_be_adopted_at_all_is_not_adopted_by_choice_either():
    house = blocked()
    house.manage.lines[11] = replace(house.manage.lines[11], less_included=D(1))
    writes = house.manage.writes
    chosen(house, ChoiceKind.ADOPT, 11)
    assert (house.kinds(1), house.manage.writes) == (["blocked-create"], writes)


def test_killed_between_the_end_of_another_line_and_ours_nothing_is_billed_twice():
    def prepared() -> House:
        return blocked()

    undisturbed = prepared()
    before = undisturbed.fate.steps
    chosen(undisturbed, ChoiceKind.END_OTHER, 11, 12)
    steps = undisturbed.fate.steps - before
    for step in range(1, steps + 1):
        house = prepared()
        house.fate.die_at = house.fate.steps + step
        with pytest.raises(Killed):
            chosen(house, ChoiceKind.END_OTHER, 11, 12)
        place = f"killed before step {step}: {house.fate.log[-1]}"
        house.revive()
        in_force = [line for line in house.manage.lines.values() if line.cancelled_date is None]
        assert len({line.serial_number.startswith("TU1-") for line in in_force}) <= 1, place
        for night in ("second", "third"):
            house.clock.pass_by(minutes=11)
            house.sync(1, run=night)
        if (FINDING in house.state(1).findings) or house.state(1).intents:
            house.clock.pass_by(minutes=11)
            chosen(house, ChoiceKind.END_OTHER, 11, 12)
        assert house.manage.said() == undisturbed.manage.said(), place


FINDING = ("candidates", ITEM)


# ---- strays


def stray() -> House:
    """The only line of the product carries a stamp of TrueUp's that was written for another agreement."""
    house = House()
    house.rules(b.rules())
    copied = b.addition(11, 5, serial_number=b.our_addition(99, 5, on=4711).serial_number)
    house.company(1, [b.count(5)], [copied])
    house.sync(1)
    return house


def test_a_stray_is_adopted_by_the_item_that_is_named():
    house = stray()
    assert house.kinds(1) == ["blocked-create", "stray"]
    chosen(house, ChoiceKind.ADOPT, 11)
    assert [row.addition_id for row in house.state(1).ledger.values()] == [11]
    house.sync(1)
    assert house.kinds(1) == []


def test_a_stray_that_is_ignored_is_taken_for_not_there():
    house = stray()
    before = house.manage.lines[11]
    chosen(house, ChoiceKind.IGNORE, 11, item="")
    assert house.manage.lines[11] == before
    assert [quantity for _, quantity in open_lines(house)] == [D(5), D(5)]
    house.sync(1)
    assert (house.kinds(1), list(house.state(1).choices)) == ([], ["addition/11"])


def copied_house() -> House:
    """A person has copied agreement 1001 as 1500, with its line of ours and its stamp."""
    house = House()
    house.rules(b.rules())
    house.company(1, [b.count(5)], [b.addition(11, 5)])
    house.sync(1)
    house.manage.agreements_[1500] = replace(house.manage.agreements_[1001], id=1500, name="The next year")
    house.manage.lines[511] = replace(house.manage.lines[11], id=511, agreement_id=1500)
    return house


def test_a_copied_agreement_is_told_of_within_a_week_and_its_lines_are_never_written():
    house = copied_house()
    copy = house.manage.lines[511]
    for night in range(8):
        next_day(house)
        counted(house, 5 + night)
        house.sync(1, run=f"night-{night}")
    assert house.manage.lines[511] == copy
    assert house.kinds(1) == ["stray"]
    assert house.manage.lines[11].quantity == D(12)


def test_when_the_copy_takes_over_from_an_agreement_that_ended_its_line_is_adopted_by_choice():
    house = copied_house()
    ended = replace(house.manage.agreements_[1001], agreement_status="Expired", end_date=date(2026, 11, 30))
    house.manage.agreements_[1001] = ended
    rules = house.ports.companies.company_rules(1)
    moved = LicenceLink(b.SOURCE, b.PREMIUM, agreement=1500)
    house.ports.companies.put_rules(replace(rules, licences=(moved,)))
    next_day(house)
    counted(house, 7)
    house.sync(1, run="night")
    assert house.kinds(1) == ["blocked-create", "stray"]

    chosen(house, ChoiceKind.ADOPT, 511)
    assert (house.manage.lines[511].quantity, house.manage.lines[11].quantity) == (D(7), D(5))
    assert house.manage.lines[511].serial_number != house.manage.lines[11].serial_number
    house.sync(1, run="next")
    assert house.kinds(1) == []
    assert sorted(line.id for line in house.manage.lines.values() if line.cancelled_date is None) == [11, 511]


# ---- what can be chosen, and by whom


def test_every_choice_stands_in_the_history_with_who_made_it(house):
    edit(house, quantity=D(7))
    house.sync(1)
    chosen(house, ChoiceKind.ACCEPT)
    (entry,) = [entry for entry in house.ports.company_state.history(1, 10) if "-choice-" in entry.run]
    assert (entry.actor, entry.signed.origin) == (PAT.name, PAT.origin)
    assert "accept" in entry.note


def test_only_what_an_open_finding_offers_can_be_chosen(house):
    for kind in ChoiceKind:
        with pytest.raises(Refused, match="cannot be chosen here"):
            chosen(house, kind, 11)
    edit(house, quantity=D(7))
    house.sync(1)
    with pytest.raises(Refused):
        chosen(house, ChoiceKind.STOP)
    with pytest.raises(Gone):
        choose(house.ports, 9, ChoiceKind.STOP, PAT, bill_item=ITEM)
    assert house.state(1).choices == {}
    edit(house, quantity=D(5))
    with pytest.raises(Refused, match="say what TrueUp wrote"):
        chosen(house, ChoiceKind.RESTORE)


def test_an_edit_of_the_product_is_left_to_a_person_also_where_edits_are_restored():
    house = a_house(drift=DriftRule.RESTORE)
    edit(house, product_id=89, product="M365-BS", quantity=D(7))
    writes = house.manage.writes
    house.sync(1)
    assert house.kinds(1) != []
    assert house.manage.writes == writes


def test_where_decreases_are_credited_an_edit_cannot_be_accepted_but_restored():
    house = House()
    credits_ = Proration(ProrationRule.COMPUTED, decrease=Decrease.CREDIT)
    house.rules(b.rules(b.profile(proration=credits_)))
    house.company(1, [b.count(5)], [b.addition(11, 5)])
    house.sync(1)
    edit(house, quantity=D(7))
    house.sync(1)
    chosen(house, ChoiceKind.ACCEPT)
    assert house.kinds(1) == ["drift"]
    chosen(house, ChoiceKind.RESTORE)
    assert (house.kinds(1), house.manage.lines[11].quantity) == ([], D(5))


# ---- an agreement in another currency


def bill_in(house: House, currency: str) -> None:
    house.manage.agreements_[1001] = replace(house.manage.agreements_[1001], currency=currency)


def test_an_agreement_in_another_currency_is_left_alone_until_somebody_confirms_it(house):
    bill_in(house, "USD")
    house.sync(1)
    bill_in(house, "CAD")
    counted(house, 6)
    for _ in range(2):
        next_day(house)
        writes = house.manage.writes
        assert house.sync(1).report.written == {}
        assert house.kinds(1) == ["currency"]
        assert house.manage.writes == writes
    assert undo(house.ports, 1, "run", PAT).refused == {
        ITEM: "agreement 1001 is left alone: it was billed in USD and now is in CAD"
    }

    synced = chosen(house, ChoiceKind.CONFIRM, item="agreement/1001")
    assert synced.report.written == {"created": 1, "updated": 1}
    assert (house.kinds(1), house.state(1).choices) == ([], {})
    assert house.state(1).invoiced[1001].currency == "CAD"
    notes = [entry.note for entry in house.ports.company_state.history(1, 20)]
    assert "chose confirm for agreement/1001 (CAD)" in notes

    next_day(house)
    assert house.sync(1).report.outcome is Outcome.UNCHANGED
    with pytest.raises(Refused):
        chosen(house, ChoiceKind.CONFIRM, item="agreement/1001")


def test_only_an_agreements_currency_can_be_confirmed_and_only_while_the_agreement_is_there(house):
    bill_in(house, "USD")
    house.sync(1)
    bill_in(house, "CAD")
    house.sync(1)
    assert offered(FindingKind.CURRENCY, "agreement/1001") == (ChoiceKind.CONFIRM,)
    assert offered(FindingKind.CURRENCY, ITEM) == ()

    del house.manage.agreements_[1001]
    with pytest.raises(Refused, match="the agreement is not there any more"):
        chosen(house, ChoiceKind.CONFIRM, item="agreement/1001")


def test_killed_anywhere_a_choice_is_carried_out_with_the_name_of_who_chose_or_was_never_made():
    def edited() -> House:
        house = a_house()
        next_day(house)
        edit(house, quantity=D(3))
        house.sync(1)
        return house

    house = edited()
    before = house.fate.steps
    chosen(house, ChoiceKind.RESTORE)
    for step in range(1, house.fate.steps - before + 1):
        house = edited()
        house.fate.die_at = house.fate.steps + step
        try:
            chosen(house, ChoiceKind.RESTORE)
        except Killed:
            house.revive()
        for _ in range(2):
            next_day(house)
            house.sync(1, run="later")
        notes = [entry.note for entry in house.ports.company_state.history(1, 10) if entry.actor == PAT.name]
        was_made = any(f"chose restore for {ITEM}" in note for note in notes)
        found = (open_lines(house), house.kinds(1), house.state(1).intents)
        assert found == (([(11, D(5))], [], {}) if was_made else ([(11, D(3))], ["drift"], {})), house.fate.log[-1]


# ---- usage that nothing bills any more


def test_usage_left_by_a_removed_link_is_told_until_a_person_has_settled_it():
    house = House()
    house.rules(b.rules(b.profile(arrears=Arrears.HIGHEST, price=PriceRule(PriceKind.CUSTOM, D("0.50")))))
    house.company(1, [b.count(30)])
    house.sync(1)
    rules, erased = house.ports.companies.get(1), Person("boss@msp.example", "203.0.113.9")
    links = tuple(replace(link, removed=True) for link in rules.links)
    for left in (links, ()):
        house.ports.companies.put_rules(CompanyRules(1, "Company 1", Mode.AUTO, left))
        next_day(house)
        house.sync(1)
        assert house.kinds(1) == ["unbilled"]
    with pytest.raises(Refused, match="what it used is not billed yet"):
        erase(house.ports, 1, erased)

    ((kind, key),) = house.state(1).findings
    assert offered(FindingKind(kind), key) == (ChoiceKind.SETTLE,)
    assert offered(FindingKind.UNBILLED, f"{ITEM}/2026-10-01") == ()
    assert offered(FindingKind.UNBILLED, subject_of_hand(ITEM)) == (ChoiceKind.SETTLE,)
    chosen(house, ChoiceKind.SETTLE, item=key)
    next_day(house)
    house.sync(1)
    assert (house.kinds(1), house.state(1).choices, house.manage.writes) == ([], {}, 0)
    erase(house.ports, 1, erased)
