"""Undo: what a run wrote is taken back exactly, once, or not at all where something has come on top of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from shared.billing.profiles import Proration, ProrationRule
from shared.billing.rules import Mode, SkuPolicy
from shared.errors import Gone, OutcomeUnknown, Refused
from shared.state.company_state import AddHistory, Put, StateKind
from shared.state.records import HistoryEntry, Outcome, Signature, UndoAsked
from shared.sync import due, inbox, views
from shared.sync.approvals import Person, approve
from shared.sync.rulebook import export_rules, import_rules
from shared.sync.undo import undo
from shared.sync.undoing import Undone
from tests import builders as b
from tests.fakes.house import House, Killed

D = Decimal
PAT = Person("pat@birchline.example", "203.0.113.7")
ITEM = f"{b.SOURCE}/{b.PREMIUM}"
OTHER = f"{b.SOURCE}/{b.STANDARD}"


def a_house(*, always_split: bool = False) -> House:
    """Run "second" raised a line, charged what November owes, and made a line of another product."""
    house = House()
    policies = [SkuPolicy(b.SOURCE, b.PREMIUM, "premium"), SkuPolicy(b.SOURCE, b.STANDARD, "standard")]
    computed = Proration(ProrationRule.COMPUTED, always_split=always_split)
    profiles = (b.profile(proration=computed), b.profile(id="standard", product="M365-BS", proration=computed))
    house.rules(b.rules(*profiles, policies=policies))
    house.company(1, [b.count(5)], [b.addition(11, 4)])
    house.sync(1, run="first")
    house.clock.pass_by(days=1)
    counted(house, premium=8, standard=3)
    return house


@pytest.fixture
def house() -> House:
    house = a_house()
    house.sync(1, run="second")
    return house


def counted(house: House, *, premium: int, standard: int = 0) -> None:
    counts = [b.count(premium, customer="tenant-1")]
    if standard:
        counts.append(b.count(standard, sku=b.STANDARD, name="Business Standard", customer="tenant-1"))
    house.count(1, *counts)


def undone(house: House, run: str = "second", **how: object) -> Undone:
    return undo(house.ports, 1, run, PAT, **how)


def confirmed(house: House, run: str = "second") -> Undone:
    """Undone also where a guard holds it: counts were higher within the last 30 days."""
    held = undone(house, run).held
    return undone(house, run, confirmed=[group.hash for group in held])


def invoiced(house: House, day: date) -> None:
    house.manage.agreements_[1001] = replace(house.manage.agreements_[1001], next_invoice_date=day)


def mode(house: House) -> Mode:
    return house.ports.companies.get(1).mode


def ledger(house: House) -> list[int]:
    return sorted(row.addition_id for row in house.state(1).ledger.values())


# ---- what is taken back


def test_what_a_run_wrote_is_taken_back_exactly_and_the_company_asks_from_then_on():
    house = a_house()
    before = house.manage.said()
    house.sync(1, run="second")
    assert house.manage.said() != before

    done = undone(house)
    assert [group.bill_item for group in done.groups] == [ITEM, OTHER]
    assert (done.refused, done.held, done.failures) == ({}, (), ())
    assert house.manage.said() == before
    assert (mode(house), ledger(house)) == (Mode.APPROVE, [11])


def test_the_night_after_plans_the_same_again_and_waits_and_an_approval_writes_it(house):
    said = house.manage.said()
    undone(house)
    writes = house.manage.writes
    night = house.sync(1, run="night")
    assert (night.report.outcome, night.report.waiting, house.manage.writes) == (Outcome.PLANNED, 2, writes)
    assert house.kinds(1) == []

    approve(house.ports, 1, list(house.state(1).waiting), PAT)
    assert house.manage.said() == said


def test_an_import_of_the_same_rules_does_not_end_what_an_undo_began_but_another_mode_does(house):
    document = export_rules(house.ports)
    undone(house)
    imported = import_rules(house.ports, document)
    assert (imported.careful, mode(house)) == ((1,), Mode.APPROVE)
    writes = house.manage.writes
    house.sync(1, run="night")
    assert house.manage.writes == writes

    asking = document.replace("mode: auto", "mode: approve")
    assert (import_rules(house.ports, asking).careful, mode(house)) == ((), Mode.APPROVE)
    assert (import_rules(house.ports, document).careful, mode(house)) == ((), Mode.AUTO)


def test_undone_once_it_is_not_undone_again(house):
    undone(house)
    said, writes = house.manage.said(), house.manage.writes
    again = undone(house)
    assert (again.nothing, again.groups, again.refused) == (True, (), {})
    assert (house.manage.said(), house.manage.writes) == (said, writes)


def test_the_history_says_who_undid_which_run(house):
    own = undone(house).run
    entries = [entry for entry in house.ports.company_state.history(1, 50) if entry.run == own]
    assert {entry.actor for entry in entries} == {PAT.name}
    assert {entry.signed.origin for entry in entries} == {PAT.origin}
    assert all("undo of run second" in entry.note for entry in entries)
    ids = {entry.id for entry in house.ports.company_state.history(1, 50) if entry.run == "second"}
    assert {each for entry in entries for each in entry.undoes} == ids


def test_one_bill_item_is_undone_alone(house):
    done = undone(house, bill_item=OTHER)
    assert [group.bill_item for group in done.groups] == [OTHER]
    assert sorted(line[1] for line in house.manage.said()) == ["M365-BP", "M365-BP"]


def test_an_adopted_line_is_given_back_to_people(house):
    undone(house)
    done = confirmed(house, "first")
    assert [group.bill_item for group in done.groups] == [ITEM]
    line = house.manage.lines[11]
    assert (line.serial_number, line.quantity, ledger(house)) == ("", D(4), [])
    assert house.sync(1).report.planned["updated"] == 1


def test_an_end_is_taken_back(house):
    house.clock.pass_by(days=15)
    invoiced(house, date(2027, 1, 1))
    house.sync(1, run="quiet")
    before = house.manage.said()
    counted(house, premium=8)
    house.sync(1, run="third")
    assert [line[5] for line in house.manage.said() if line[1:3] == ("M365-BS", D(3)) and "TU1-S" in line[6]] == [
        "2026-12-31"
    ]
    undone(house, "third")
    assert house.manage.said() == before


def test_a_split_line_is_whole_again():
    house = a_house(always_split=True)
    house.clock.pass_by(days=40)
    invoiced(house, date(2027, 1, 1))
    house.sync(1, run="before")
    house.clock.pass_by(days=31)
    invoiced(house, date(2027, 2, 1))
    house.sync(1, run="quiet")
    before = house.manage.said()
    counted(house, premium=12, standard=3)
    house.sync(1, run="second")
    assert len(house.manage.said()) > len(before)

    assert confirmed(house).refused == {}
    assert house.manage.said() == before
    assert house.sync(1).report.outcome is Outcome.PLANNED


# ---- what is not


def test_what_was_invoiced_since_stays(house):
    invoiced(house, date(2027, 1, 1))
    said = house.manage.said()
    refused = undone(house).refused
    assert "was invoiced since" in refused[ITEM]
    assert house.manage.said() == said
    assert mode(house) is Mode.AUTO


def test_what_a_person_has_changed_since_stays_and_the_rest_of_its_item_with_it(house):
    line = next(line for line in house.manage.lines.values() if line.id == 11)
    house.manage.lines[11] = replace(line, quantity=D(7))
    done = undone(house)
    assert "quantity is 7, TrueUp wrote 8" in done.refused[ITEM]
    assert [group.bill_item for group in done.groups] == [OTHER]
    assert house.manage.lines[11].quantity == D(7)
    assert len([line for line in house.manage.lines.values() if "TU1-O" in line.serial_number]) == 1


def test_what_a_person_has_deleted_since_is_not_made_again(house):
    created = next(line.id for line in house.manage.lines.values() if line.product == "M365-BS")
    del house.manage.lines[created]
    assert "not on agreement" in undone(house).refused[OTHER]


def test_what_a_later_run_has_changed_stays_until_that_is_undone(house):
    house.clock.pass_by(days=1)
    counted(house, premium=9, standard=3)
    house.sync(1, run="third")
    assert "run third" in undone(house).refused[ITEM]
    assert undone(house, "third").refused == {}
    assert confirmed(house).refused == {}
    assert house.manage.lines[11].quantity == D(5)


def test_a_line_of_which_an_invoice_covers_days_is_set_to_nothing_instead_of_deleted():
    house = a_house()
    full = Proration(ProrationRule.FULL)
    house.rules(b.rules(b.profile(proration=full)))
    invoiced(house, date(2026, 11, 1))
    house.company(3, [b.count(2)])
    house.manage.agreements_[1003] = replace(house.manage.agreements_[1003], next_invoice_date=date(2026, 11, 1))
    house.sync(3, run="new")
    (line,) = [line for line in house.manage.lines.values() if line.agreement_id == 1003]
    moved = replace(line, effective_date=date(2026, 10, 1))
    house.manage.lines[line.id] = moved
    row = next(iter(house.state(3).ledger.values()))
    house.ports.company_state.commit(
        3, [Put(StateKind.LEDGER, row.stamp, replace(row, values=row.values.changed(effective_date=date(2026, 10, 1))))]
    )
    assert undo(house.ports, 3, "new", PAT).refused == {}
    after = house.manage.lines[line.id]
    assert (after.quantity, after.cancelled_date) == (D(0), date(2026, 10, 1))


def test_an_ended_line_does_not_come_back_beside_one_that_a_later_run_made(house):
    house.clock.pass_by(days=15)
    invoiced(house, date(2027, 1, 1))
    house.sync(1, run="quiet")
    counted(house, premium=8)
    house.sync(1, run="third")
    house.clock.pass_by(days=1)
    counted(house, premium=8, standard=2)
    house.sync(1, run="fourth")
    said = house.manage.said()

    done = undone(house, "third")
    assert "two lines would bill the same days" in done.refused[OTHER]
    assert (done.groups, house.manage.said(), mode(house)) == ((), said, Mode.AUTO)


def test_while_nobody_knows_what_was_billed_nothing_is_undone():
    house = a_house()
    house.sync(1, run="second")
    invoiced(house, date(2027, 1, 1))
    house.clock.pass_by(days=15)
    house.sync(1, run="quiet")
    invoiced(house, date(2026, 12, 1))
    house.sync(1, run="doubtful")
    assert house.kinds(1) == ["period-moved"]

    writes = house.manage.writes
    refused = undone(house).refused
    assert "invoices were undone" in refused[ITEM]
    assert (set(refused), house.manage.writes) == ({ITEM, OTHER}, writes)


def test_a_run_whose_undo_was_undone_counts_again_as_a_later_one():
    house = a_house()
    for count, run in ((4, "second"), (3, "third")):
        house.clock.pass_by(days=1)
        counted(house, premium=count)
        house.sync(1, run=run)
    house.clock.pass_by(minutes=1)
    own = undone(house, "third").run
    house.clock.pass_by(minutes=1)
    assert undone(house, own).refused == {}
    assert house.manage.lines[11].quantity == D(3)

    house.clock.pass_by(minutes=1)
    assert "run third" in undone(house, "second").refused[ITEM]
    assert [group.bill_item for group in undone(house, "third").groups] == [ITEM]
    assert house.manage.lines[11].quantity == D(4)


def test_a_run_is_not_undone_when_what_came_after_it_may_be_forgotten(house):
    house.clock.pass_by(days=731)
    with pytest.raises(Refused, match="not all that came after it"):
        undone(house)


def test_what_a_guard_holds_is_undone_only_when_it_is_confirmed():
    house = a_house()
    counted(house, premium=5)
    house.sync(1, run="quiet")
    counted(house, premium=25)
    house.sync(1, run="second")
    held = undone(house)
    assert ([group.bill_item for group in held.held], held.groups) == ([ITEM], ())
    assert mode(house) is Mode.AUTO
    done = undone(house, confirmed=[held.held[0].hash])
    assert [group.bill_item for group in done.groups] == [ITEM]
    assert house.manage.lines[11].quantity == D(5)


def test_only_what_a_run_wrote_can_be_undone_and_only_where_writing_is_allowed(house):
    with pytest.raises(Gone, match="wrote nothing"):
        undone(house, "another")
    with pytest.raises(Gone):
        undo(house.ports, 9, "second", PAT)
    rules = house.ports.companies.company_rules(1)
    house.ports.companies.put_rules(replace(rules, mode=Mode.OBSERVE))
    with pytest.raises(Refused, match="only observed"):
        undone(house)


def test_a_company_that_is_put_into_observe_at_the_last_moment_keeps_its_lines(house):
    taken = house.ports.companies.take_lease

    def take_lease(*args: object, **how: object) -> object:
        rules = house.ports.companies.company_rules(1)
        house.ports.companies.put_rules(replace(rules, mode=Mode.OBSERVE))
        return taken(*args, **how)

    house.ports.companies.take_lease = take_lease
    writes = house.manage.writes
    with pytest.raises(Refused, match="only observed"):
        undone(house)
    assert house.manage.writes == writes
    assert house.ports.companies.get(1).lease_until is None


# ---- killed anywhere


def test_killed_anywhere_and_asked_again_it_ends_as_if_undisturbed():
    def prepared() -> House:
        house = a_house()
        house.sync(1, run="second")
        return house

    undisturbed = prepared()
    before = undisturbed.fate.steps
    undone(undisturbed)
    steps = undisturbed.fate.steps - before
    expected = undisturbed.manage.said(), ledger(undisturbed)
    for step in range(1, steps + 1):
        house = prepared()
        house.fate.die_at = house.fate.steps + step
        with pytest.raises(Killed):
            undone(house)
        place = f"killed before step {step}: {house.fate.log[-1]}"
        house.revive()
        for _ in range(2):
            house.clock.pass_by(minutes=11)
            undone(house)
        assert (house.manage.said(), ledger(house)) == expected, place
        assert house.state(1).intents == {}, place
        assert house.sync(1).report.outcome is Outcome.PLANNED, place


def killed_at(step: int) -> House:
    """A house in which the undo's worker died before its outside effect of this number."""
    house = a_house()
    house.sync(1, run="second")
    house.fate.die_at = house.fate.steps + step
    with pytest.raises(Killed):
        undone(house)
    house.revive()
    return house


def steps_of_an_undo() -> int:
    house = a_house()
    house.sync(1, run="second")
    before = house.fate.steps
    undone(house)
    return house.fate.steps - before


def test_killed_anywhere_an_undo_that_had_begun_goes_on_by_itself_and_another_writes_nothing():
    before = killed_at(1).manage.said()
    undisturbed = a_house()
    undisturbed.sync(1, run="second")
    undone(undisturbed)
    expected = undisturbed.manage.said(), ledger(undisturbed), Mode.APPROVE
    gone_on = 0
    for step in range(1, steps_of_an_undo() + 1):
        house = killed_at(step)
        place = f"killed before step {step}: {house.fate.log[-1]}"
        begun = bool(house.state(1).undoes)
        gone_on += begun
        shown = inbox.waiting(house.ports)["undoes"]
        assert [(each["run"], each["by"]) for each in shown] == [("second", PAT.name)] * begun, place
        house.clock.pass_by(minutes=6)
        looked = due.look(house.ports)
        if looked is not None:
            house.work_until_done(looked)
        assert (looked is not None) or not begun, place
        for night in ("night", "next"):
            house.clock.pass_by(minutes=11)
            house.sync(1, run=night)
        # It had not begun before anything was written, or it had ended already.
        if begun or house.manage.said() != before:
            assert (house.manage.said(), ledger(house), mode(house)) == expected, place
        assert (house.state(1).undoes, house.state(1).intents) == ({}, {}), place
    assert gone_on > 10


def test_an_undo_whose_writes_are_not_known_yet_is_shown_and_nothing_is_planned_before_it_has_ended(house):
    def lost(moment: str, method: str) -> None:
        if (moment, method) == ("after", "delete"):
            house.manage.fault = lambda moment, method: None
            raise OutcomeUnknown("the answer got lost", system="Manage")

    house.manage.fault = lost
    first = undone(house)
    assert first.again_in == house.ports.limits.settling
    assert views.company(house.ports, 1)["undoes"][0]["run"] == "second"
    assert house.ports.companies.get(1).decided == 1

    house.clock.pass_by(seconds=house.ports.limits.settling + 1)
    night = house.sync(1, run="night")
    assert (night.report.outcome, night.report.waiting) == (Outcome.PLANNED, 2)
    assert (house.state(1).undoes, house.state(1).intents) == ({}, {})
    assert undone(house).nothing


def test_an_undo_does_not_go_on_in_a_company_that_is_only_observed_nor_after_weeks(house):
    asked = UndoAsked("second", "undo-run", Signature(PAT.name, house.clock.now()))
    house.ports.company_state.commit(1, [Put(StateKind.UNDO, asked.key, asked)])
    said = house.manage.said()
    house.sync(1, Mode.OBSERVE, run="looked")
    assert list(house.state(1).undoes.values()) == [asked]

    house.clock.pass_by(days=house.ports.rules.load().approvals.expire_days)
    house.sync(1, run="night")
    assert (house.manage.said(), house.state(1).undoes) == (said, {})
    (told,) = [each for each in house.ports.company_state.history(1, 50) if each.id == "undo-run/end"]
    assert "could not be ended since" in told.note


def test_what_a_begun_undo_could_not_take_back_stands_in_the_history(house):
    asked = UndoAsked("second", "undo-run", Signature(PAT.name, house.clock.now()))
    house.ports.company_state.commit(1, [Put(StateKind.UNDO, asked.key, asked)])
    house.manage.lines[11] = replace(house.manage.lines[11], quantity=D(7))
    house.sync(1, run="night")
    (told,) = [each for each in house.ports.company_state.history(1, 50) if each.id == "undo-run/end"]
    assert "undo of run second, not undone" in told.note
    assert "quantity is 7, TrueUp wrote 8" in told.note


def test_a_run_is_found_however_much_came_after_it(house):
    later = house.clock.now()
    entries = [
        HistoryEntry(f"n{number:06d}", later + timedelta(microseconds=number), "other", "k", None, None)
        for number in range(1, 20_501)
    ]
    house.ports.company_state.commit(1, [AddHistory(entry) for entry in entries])
    house.clock.pass_by(minutes=1)
    assert [group.bill_item for group in undone(house).groups] == [ITEM, OTHER]
