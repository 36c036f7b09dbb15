"""What is remembered of writes, above all of those that do not go as they should."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from shared.billing.findings import FindingKind
from shared.billing.lines import LedgerRow, LineKey, LineValues
from shared.billing.rules import Mode, SkuPolicy
from shared.errors import Busy, Gone, NoEffect, OutcomeUnknown, Retryable
from shared.state.company_state import Put, StateKind
from shared.state.records import Outcome
from shared.sync import lanes
from shared.sync.company import Order, sync_company
from tests import builders as b
from tests.fakes.house import House
from tests.flow.test_crash import busy_house

D = Decimal


@pytest.fixture
def house() -> House:
    house = House()
    house.rules(b.rules())
    house.company(1, [b.count(5)], [b.addition(11, 4)])
    house.company(2, [b.count(5)])
    return house


def recount(house: House, company: int, quantity: int) -> None:
    house.count(company, b.count(quantity, customer=f"tenant-{company}"))


def recorded(house: House, company: int = 1) -> list[tuple[int, Decimal]]:
    """The ledger: addition and quantity."""
    return [(row.addition_id, row.values.quantity) for row in house.state(company).ledger.values()]


def store_fails(house: House, after: str, times: int = 1) -> None:
    """The store refuses so many transactions once Manage was asked to do something one more time."""
    before, left = house.manage.calls[after], [times]

    def fault(moment: str, operation: str, table: str) -> None:
        due = house.manage.calls[after] > before and left[0] > 0
        if due and (moment, operation, table) == ("before", "transact", "CompanyState"):
            left[0] -= 1
            raise Retryable("the store is busy", system="storage")

    house.tables.fault = fault


# ---- a write that reached Manage and was not recorded


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_write_that_could_not_be_recorded_keeps_its_intent_and_is_found_done(house, times):
    house.sync(1)
    recount(house, 1, 4)
    store_fails(house, "update", times)

    synced = house.sync(1)
    assert synced.report.outcome is Outcome.FAILED
    assert synced.report.written == {"updated": 1}
    assert synced.again_in is not None
    assert len(house.state(1).intents) == 1
    assert recorded(house) == [(11, D(5))]

    house.tables.fault = None
    assert house.sync(1).report.outcome is Outcome.APPLIED
    assert recorded(house) == [(11, D(4))]
    assert len(house.ports.company_state.history(1, 10)) == 2
    recount(house, 1, 5)
    assert house.sync(1).report.outcome is Outcome.APPLIED
    assert house.kinds(1) == []


def test_after_a_record_that_failed_nothing_more_is_written(house):
    two_items(house)
    store_fails(house, "create")

    assert house.sync(2).report.written == {"created": 1}
    assert house.manage.writes == 1


def test_a_write_that_could_not_be_noted_first_is_not_sent(house):
    transactions = []

    def fault(moment: str, operation: str, table: str) -> None:
        if (moment, operation, table) == ("before", "transact", "CompanyState"):
            transactions.append(table)
            if len(transactions) == 2:  # the first one records the plan
                raise Retryable("the store is busy", system="storage")

    house.tables.fault = fault
    synced = house.sync(1)
    assert (synced.report.outcome, synced.report.written) == (Outcome.FAILED, {})
    assert synced.again_in is not None
    assert house.manage.writes == 0
    house.tables.fault = None
    assert house.sync(1).report.outcome is Outcome.APPLIED


def two_items(house: House) -> None:
    """Company 2 needs two lines."""
    policies = [SkuPolicy(b.SOURCE, b.PREMIUM, "premium"), SkuPolicy(b.SOURCE, b.STANDARD, "standard")]
    house.rules(b.rules(b.profile(), b.profile(id="standard", product="M365-BS"), policies=policies))
    house.company(2, [b.count(5), b.count(3, sku=b.STANDARD, name="Business Standard")])


# ---- a line that came about without a record


def told(house: House, company: int) -> list[tuple[int | None, str]]:
    """Addition and note of every entry of the history, oldest first."""
    return [(entry.addition, entry.note) for entry in reversed(house.ports.company_state.history(company, 10))]


def test_a_write_that_arrives_after_it_was_taken_for_never_having_happened_is_in_the_history(house):
    def nobody_knows(moment: str, method: str) -> None:
        if (moment, method) == ("before", "create"):
            raise OutcomeUnknown("no answer", system="Manage")

    house.manage.fault = nobody_knows
    house.sync(2)
    (intent,) = house.state(2).intents.values()
    house.clock.pass_by(seconds=house.ports.limits.settling)
    house.sync(2, Mode.OBSERVE)
    assert (house.state(2).intents, told(house, 2)) == ({}, [])

    house.manage.fault = lambda moment, method: None
    arrived = house.manage.create(1002, intent.change.fields())
    assert house.sync(2).report.outcome is Outcome.UNCHANGED
    assert [(number, "found by its stamp" in note) for number, note in told(house, 2)] == [(arrived.id, True)]
    house.sync(2)
    assert len(told(house, 2)) == 1, "it is told once"


@pytest.mark.parametrize("is_gone", [False, True])
def test_a_write_is_looked_for_on_an_agreement_that_is_another_companys_by_now(house, is_gone):
    def nobody_knows(moment: str, method: str) -> None:
        if (moment, method) == ("after", "create"):
            house.manage.fault = lambda *_: None
            raise OutcomeUnknown("no answer", system="Manage")

    house.manage.fault = nobody_knows
    house.sync(2)
    moved = house.manage.agreements_.pop(1002)
    house.manage.agreements_[1003] = b.agreement(1003, company_id=2)
    if not is_gone:
        house.manage.agreements_[1002] = replace(moved, company_id=9)
    house.clock.pass_by(seconds=house.ports.limits.settling)
    synced = house.sync(2)
    if is_gone:
        assert (house.state(2).intents, synced.report.written) == ({}, {"created": 1})
        return
    assert [row.key.agreement for row in house.state(2).ledger.values()] == [1002]
    assert (house.state(2).intents, house.kinds(2)) == ({}, ["agreement-not-active"] * 2)
    assert [line.agreement_id for line in house.manage.lines.values() if line.id != 11] == [1002]


# ---- a success that did something else


def keeps_tax(house: House) -> None:
    """From now on Manage ignores the taxable flag, and its client says so."""
    real = house.manage.update_addition

    def update(agreement: int, addition: int, fields):
        answered = real(agreement, addition, {name: value for name, value in fields.items() if name != "taxable_flag"})
        if "taxable_flag" in fields:
            raise NoEffect("taxable_flag (asked True, got None)", system="Manage", answered=answered)
        return answered

    house.manage.update_addition = update  # type: ignore[method-assign]


def test_what_manage_took_of_a_change_is_not_a_persons_edit_the_next_night(house):
    house.sync(2)
    (number,) = (line.id for line in house.manage.lines.values() if line.agreement_id == 1002)
    house.rules(b.rules(b.profile(taxable=True)))
    recount(house, 2, 4)
    keeps_tax(house)
    house.clock.pass_by(seconds=1)

    synced = house.sync(2)
    assert synced.report.outcome is Outcome.FAILED
    assert house.kinds(2) == ["write-failed"]
    assert recorded(house, 2) == [(number, D(4))]
    (newest, _) = house.ports.company_state.history(2, 10)
    assert newest.note.startswith("in part: Manage: taxable_flag")

    house.rules(b.rules())
    recount(house, 2, 5)
    assert house.sync(2).report.outcome is Outcome.APPLIED
    assert house.kinds(2) == []


def test_a_change_of_which_manage_took_nothing_leaves_no_trace_in_the_ledger(house):
    house.sync(2)
    house.rules(b.rules(b.profile(taxable=True)))
    keeps_tax(house)
    ledger = house.state(2).ledger

    synced = house.sync(2)
    assert (synced.report.outcome, synced.report.written) == (Outcome.FAILED, {})
    assert house.state(2).ledger == ledger
    assert house.state(2).intents == {}
    assert len(house.ports.company_state.history(2, 10)) == 1


def test_a_line_that_manage_answered_with_and_did_not_make_is_looked_for_and_made_later(house):
    def fault(moment: str, method: str) -> None:
        if (moment, method) == ("after", "create"):
            house.manage.fault = lambda *_: None
            house.manage.lines.popitem()

    house.manage.fault = fault
    synced = house.sync(2)
    assert synced.report.outcome is Outcome.FAILED
    assert "does not list it" in synced.report.note
    assert (house.manage.lines.keys(), recorded(house, 2)) == ({11}, [])

    house.clock.pass_by(seconds=house.ports.limits.settling)
    assert house.sync(2).report.written == {"created": 1}
    assert [quantity for _, quantity in recorded(house, 2)] == [D(5)]
    assert house.kinds(2) == []
    assert house.sync(2).report.outcome is Outcome.UNCHANGED


def test_a_delete_of_what_is_gone_is_done(house):
    house.sync(2)
    (line,) = (line for line in house.manage.lines.values() if line.agreement_id == 1002)
    house.manage.lines[99999] = replace(line, id=99999)

    def gone(agreement: int, addition: int) -> None:
        house.manage.lines.pop(addition)
        raise Gone("404", system="Manage")

    house.manage.delete_addition = gone  # type: ignore[method-assign]
    synced = house.sync(2)
    assert (synced.report.outcome, synced.report.written) == (Outcome.APPLIED, {"ended": 1})
    assert house.state(2).intents == {}
    assert len(house.ports.company_state.history(2, 10)) == 2


# ---- a person at work on the same line


def before_the_look(house: House, act) -> None:
    """Does something once when a line that is to be changed is looked at: the plan is made by then."""

    def fault(moment: str, method: str) -> None:
        if (moment, method) == ("before", "line"):
            house.manage.fault = lambda *_: None
            act()

    house.manage.fault = fault


def edits(house: House, number: int, **values: object) -> None:
    house.manage.lines[number] = replace(house.manage.lines[number], **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        ({"cancelled_date": date(2026, 11, 30)}, "paused"),
        ({"quantity": D(50)}, "drift"),
        ({"serial_number": "PO-7711"}, "blocked-create"),
    ],
)
def test_what_a_person_did_to_a_line_after_it_was_planned_is_not_overwritten_and_is_told(house, edit, told):
    house.sync(1)
    recount(house, 1, 6)
    before_the_look(house, lambda: edits(house, 11, **edit))
    synced = house.sync(1)
    assert (synced.report.outcome, synced.report.written.get("updated"), synced.again_in) == (Outcome.FAILED, None, 600)
    assert "addition 11 does not say any more" in synced.report.note
    as_the_person_left_it = house.manage.lines[11]

    house.clock.pass_by(days=1)
    house.sync(1)
    assert house.manage.lines[11] == as_the_person_left_it
    assert not [line for line in house.manage.lines.values() if line.id != 11 and line.cancelled_date is None]
    assert (house.kinds(1), house.state(1).intents) == ([told], {})


@pytest.mark.parametrize(("method", "company"), [("update", 1), ("create", 2)])
def test_a_line_that_a_person_ended_before_its_write_was_found_done_is_not_made_again(house, method, company):
    def nobody_knows(moment: str, called: str) -> None:
        if (moment, called) == ("after", method):
            house.manage.fault = lambda *_: None
            raise OutcomeUnknown("no answer", system="Manage")

    house.sync(1)
    recount(house, 1, 6)
    house.manage.fault = nobody_knows
    house.sync(company)
    (number,) = (
        line.id for line in house.manage.lines.values() if line.agreement_id == 1000 + company and is_open(line)
    )
    edits(house, number, cancelled_date=date(2026, 12, 31))
    house.clock.pass_by(days=1)
    assert house.sync(company).report.written
    house.clock.pass_by(days=1)
    assert house.sync(company).report.outcome is Outcome.UNCHANGED
    assert house.kinds(company) == ["paused"]
    assert not [line for line in house.manage.lines.values() if line.agreement_id == 1000 + company and is_open(line)]


def is_open(line) -> bool:
    return line.cancelled_date is None


def test_a_copy_of_ours_that_a_person_makes_another_line_after_it_was_planned_is_not_deleted(house):
    house.sync(2)
    (line,) = (line for line in house.manage.lines.values() if line.agreement_id == 1002)
    house.manage.lines[99999] = replace(line, id=99999)
    before_the_look(house, lambda: edits(house, 99999, serial_number="PO-7711", product="OTHER", product_id=77))
    assert house.sync(2).report.written == {}
    assert house.manage.lines.keys() == {11, line.id, 99999}
    assert (house.sync(2).report.outcome, house.kinds(2)) == (Outcome.UNCHANGED, [])


# ---- one addition, one ledger row


def test_a_line_whose_stamp_was_cleared_keeps_one_row_under_its_stamp(house):
    house.sync(1)
    (stamp,) = house.state(1).ledger
    house.manage.lines[11] = replace(house.manage.lines[11], serial_number="")

    house.sync(1)
    assert list(house.state(1).ledger) == [stamp]
    assert house.manage.lines[11].serial_number == stamp


def test_two_lines_whose_stamps_were_cleared_keep_a_row_each_while_nothing_is_written(house):
    two_items(house)
    house.sync(2)
    ledger = sorted((row.stamp, row.addition_id) for row in house.state(2).ledger.values())
    for number, line in list(house.manage.lines.items()):
        house.manage.lines[number] = replace(line, serial_number="")

    house.ports.companies.put_rules(replace(house.ports.companies.company_rules(2), mode=Mode.OBSERVE))
    house.sync(2)
    assert sorted((row.stamp, row.addition_id) for row in house.state(2).ledger.values()) == ledger
    house.ports.companies.put_rules(replace(house.ports.companies.company_rules(2), mode=Mode.AUTO))
    assert house.sync(2).report.written == {"updated": 2}
    assert house.sync(2).report.outcome is Outcome.UNCHANGED


def test_a_line_adopted_again_under_another_stamp_has_one_row(house):
    house.company(2, [b.count(5)], adopt_marked=True)
    house.sync(2)
    (number,) = (line.id for line in house.manage.lines.values() if line.agreement_id == 1002)
    house.manage.lines[number] = replace(house.manage.lines[number], serial_number="Unite-9")

    assert house.sync(2).report.written == {"updated": 1}
    assert recorded(house, 2) == [(number, D(5))]
    (row,) = house.state(2).ledger.values()
    assert row.stamp == house.manage.lines[number].serial_number
    recount(house, 2, 6)
    assert house.sync(2).report.outcome is Outcome.APPLIED


# ---- what the report says


def test_a_company_that_was_put_back_reports_all_that_its_run_wrote(house):
    two_items(house)
    throttled = [True]

    def fault(moment: str, method: str) -> None:
        if (moment, method) == ("before", "create") and house.manage.calls["create"] == 2 and throttled:
            throttled.clear()
            raise Retryable("429", system="Manage")

    house.manage.fault = fault
    lanes.start_run(house.ports, "run", "nightly", [2])
    house.work_until_done("run")

    assert not throttled
    report = house.ports.runs.row("run", 2).report
    assert (report.outcome, report.written) == (Outcome.APPLIED, {"created": 2})


def test_a_write_whose_outcome_was_unknown_is_reported_once_it_was_found(house):
    def fault(moment: str, method: str) -> None:
        if (moment, method) == ("after", "create"):
            raise OutcomeUnknown("reset", system="Manage")

    house.manage.fault = fault
    lanes.start_run(house.ports, "run", "nightly", [2])
    house.work_until_done("run")

    report = house.ports.runs.row("run", 2).report
    assert (report.outcome, report.written) == (Outcome.APPLIED, {"created": 1})


def test_the_writes_of_an_earlier_run_are_not_reported_again(house):
    house.sync(2, run="first")
    recount(house, 2, 4)
    again = sync_company(house.ports, Order(2, "second", "me", again=True))

    assert again.report.written == {"updated": 1}


# ---- what took effect, by its looks


def test_a_text_that_manage_trimmed_is_still_the_one_that_was_written(house):
    house.rules(b.rules(b.profile(invoice_text="{product}\r\nthis month\n")))
    house.sync(2)
    recount(house, 2, 4)

    def fault(moment: str, method: str) -> None:
        if (moment, method) == ("after", "update"):
            (line,) = (line for line in house.manage.lines.values() if line.agreement_id == 1002)
            text = line.invoice_description.replace("\r\n", "\n").strip()
            house.manage.lines[line.id] = replace(line, invoice_description=text)
            raise OutcomeUnknown("reset", system="Manage")

    house.rules(b.rules(b.profile(invoice_text="{product}\r\nfrom now on\n")))
    house.manage.fault = fault
    assert len(intents_after(house)) == 1
    house.manage.fault = lambda moment, method: None
    house.clock.pass_by(seconds=1)
    assert house.sync(2).report.written == {"updated": 1}
    assert house.state(2).intents == {}


def intents_after(house: House) -> dict:
    house.sync(2)
    return house.state(2).intents


def test_the_day_of_a_text_is_the_business_day_also_when_a_later_look_finds_it(house):
    def fault(moment: str, method: str) -> None:
        if (moment, method) == ("after", "create"):
            raise OutcomeUnknown("reset", system="Manage")

    house.manage.fault = fault
    house.clock.business_ahead = 1
    house.sync(2)
    house.sync(2)

    (row,) = house.state(2).ledger.values()
    assert row.text_written == date(2026, 11, 22)


# ---- a lease that ran out


def frozen(house: House, company: int, meanwhile) -> None:
    """The worker freezes once, past its lease, while it reads additions."""
    real, times = house.manage.additions, [1]

    def additions(agreement: int):
        lines = real(agreement)
        if agreement == company + 1000 and times:
            times.clear()
            house.clock.pass_by(seconds=house.ports.limits.lease + 1)
            meanwhile()
        return lines

    house.manage.additions = additions  # type: ignore[method-assign]


def test_a_worker_whose_lease_ran_out_records_nothing(house):
    frozen(house, 1, lambda: None)
    synced = house.sync(1)

    assert synced.report.outcome is Outcome.FAILED
    assert "ran out" in synced.report.note
    assert synced.again_in is not None
    assert house.manage.writes == 0
    assert (house.state(1).plan, house.state(1).findings) == (None, {})


def test_a_worker_that_wakes_after_another_one_took_over_changes_nothing_and_comes_back(house):
    frozen(house, 1, lambda: house.sync(1, run="other"))
    lanes.start_run(house.ports, "run", "nightly", [1])
    with house.queue.next_message() as (message, deliveries):
        lanes.work(house.ports, message, deliveries)

    assert recorded(house) == [(11, D(5))]
    assert len(house.queue) == 1
    house.work_until_done("run")
    assert house.ports.runs.row("run", 1).report.outcome is Outcome.UNCHANGED


def test_a_worker_that_freezes_at_its_last_look_before_its_plan_is_recorded_takes_nothing_back():
    house, looks = busy_house(), [0]

    def fault(moment: str, method: str) -> None:
        looks[0] += (moment, method) == ("after", "agreements")
        if looks[0] == 2:
            house.manage.fault = lambda *_: None
            house.clock.pass_by(seconds=house.ports.limits.lease + 1)
            house.sync(2, run="other")

    house.manage.fault = fault
    with pytest.raises(Busy):
        house.sync(2)
    ends = {row.addition_id: row.values.cancelled_date for row in house.state(2).ledger.values()}
    assert ends == {21: None, 23: date(2026, 11, 30)}


def test_a_lost_lease_is_busy(house):
    frozen(house, 1, lambda: house.sync(1, run="other"))
    with pytest.raises(Busy):
        house.sync(1)


# ---- which agreements are read


@pytest.mark.parametrize(
    ("status", "last_day", "reads"),
    [("Expired", date(2026, 10, 31), 1), ("Active", date(2026, 8, 31), 1), ("Active", date(2026, 10, 31), 2)],
)
def test_an_agreement_is_not_read_for_an_old_line_that_has_ended(house, status, last_day, reads):
    house.sync(1)
    house.manage.agreements_[2001] = b.agreement(2001, company_id=1, agreement_status=status, type="Backup")
    ended = replace(b.addition(77, 3, on=2001), cancelled_date=last_day)
    key = LineKey(1, 2001, f"{b.SOURCE}/{b.PREMIUM}")
    row = LedgerRow("TU1-S-250101-" + "a" * 26, key, ended.id, ended.product, LineValues.of(ended))
    house.ports.company_state.commit(1, [Put(StateKind.LEDGER, row.stamp, row)])
    house.manage.calls.clear()
    house.clock.pass_by(days=2)  # not the day of its weekly sweep
    house.sync(1)

    assert house.manage.calls["additions"] == reads


# ---- links that are gone


def unlink(house: House, company: int) -> None:
    rules = house.ports.companies.company_rules(company)
    house.ports.companies.put_rules(replace(rules, links=()))


def test_lines_of_a_company_without_links_are_left_alone_and_told(house):
    house.count(1, b.count(5, assigned=3, customer="tenant-1"))
    house.sync(1)
    assert house.kinds(1) == ["unassigned"]
    unlink(house, 1)
    writes = house.manage.writes

    synced = house.sync(1)
    assert synced.report.outcome is Outcome.UNCHANGED
    assert house.kinds(1) == [FindingKind.UNMAPPED.value]
    assert house.manage.writes == writes


def test_what_waited_and_was_open_goes_with_the_links_when_nothing_of_ours_stands(house):
    house.company(2, [b.count(5, assigned=3)], mode=Mode.OBSERVE)
    house.sync(2)
    unlink(house, 2)

    house.sync(2)
    assert house.state(2).findings == {}
    assert house.state(2).plan.groups == ()
    house.manage.calls.clear()
    assert house.sync(2).report.outcome is Outcome.SKIPPED
    assert house.manage.calls.total() == 0
