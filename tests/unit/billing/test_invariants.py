"""What must hold of every result: each way to break it is seen, held, and nobody can approve it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from shared.billing.agreements import Addition
from shared.billing.calendar import BillingCalendar, calendar_of
from shared.billing.limits import Guards
from shared.billing.lines import LineKind, LineValues, one_off_stamp
from shared.billing.planning.guards import guarded
from shared.billing.planning.invariants import Standing, sound
from shared.billing.planning.matching import OwnLine
from shared.billing.planning.plan import Change, ChangeKind, Group, Guard, Plan
from shared.billing.planning.planner import plan_company
from shared.billing.seats import SeatDay, SeatRecord, Settled
from tests import builders as b

D = Decimal
ITEM = b.key().bill_item
DECEMBER = (date(2026, 12, 1), date(2026, 12, 31))


def standing(*lines: Addition, ledger=(), **agreement: object) -> Standing:
    on = [b.agreement(**agreement), b.agreement(502)]
    calendars = {one.id: calendar_of(one, b.TODAY) for one in on}
    readable = {number: found for number, found in calendars.items() if isinstance(found, BillingCalendar)}
    own = tuple(OwnLine(line, key_of(line), None) for line in lines)
    return Standing(own, tuple(ledger), {one.id: one for one in on}, readable)


def key_of(line: Addition):
    key = b.key(on=line.agreement_id)
    return key.for_one_off() if line.serial_number.startswith("TU1-O") else key


def change(kind: ChangeKind, before: Addition | None, after: Addition | None) -> Change:
    line = after or before
    assert line is not None
    was = LineValues.of(before) if before is not None else None
    will = LineValues.of(after) if after is not None else None
    number = before.id if before is not None else None
    return Change(kind, key_of(line), number, line.product, was, will, "counted", "A sentence.", D(0))


def created(line: Addition) -> Change:
    return change(ChangeKind.CREATE, None, line)


def told(known: Standing, *changes: Change, seats: tuple[SeatRecord, ...] = ()) -> str | None:
    plan = sound(Plan(b.COMPANY, (Group(ITEM, changes),), seats=seats), known)
    (group,) = plan.groups
    assert group.unsound is (group.held is not None) is (group.guard is Guard.UNSOUND)
    return group.held


def once(quantity: int, day: date = date(2026, 11, 21), number: int = 1, price: str = "8.33", **values) -> Addition:
    stamp = one_off_stamp(b.key(), 88, day, number)
    dates = {"effective_date": DECEMBER[0], "cancelled_date": DECEMBER[1], **values}
    return b.addition(0, quantity, serial_number=stamp, unit_price=D(price), **dates)


def november(quantity: int, highest: int) -> SeatRecord:
    """A record of November, invoiced with a quantity, in which there were so many seats at most."""
    settled = Settled(date(2026, 11, 1), date(2026, 11, 30), D(quantity))
    days = (SeatDay(date(2026, 11, 1), D(quantity), None), SeatDay(date(2026, 11, 21), D(highest), None))
    return SeatRecord(str(b.key()), days, b.TODAY, (settled,))


def test_a_raise_in_place_and_a_split_are_sound():
    line = b.our_addition(9, 5)
    raised = replace(line, quantity=D(7))
    new = b.our_addition(0, 7, effective_date=date(2026, 12, 1))
    ended = replace(line, cancelled_date=date(2026, 11, 30))

    assert told(standing(line), change(ChangeKind.UPDATE, line, raised)) is None
    assert told(standing(line), created(new), change(ChangeKind.END, line, ended)) is None


def test_two_standing_lines_that_bill_the_same_days_are_not():
    line = b.our_addition(9, 5)
    new = b.our_addition(0, 7, effective_date=date(2026, 12, 1))

    assert (
        told(standing(line), created(new))
        == "two lines would bill the same days: 5 from 1 Jan 2025, and 7 from 1 Dec 2026"
    )
    late = replace(line, cancelled_date=date(2026, 12, 1))
    assert told(standing(line), created(new), change(ChangeKind.END, line, late)) == (
        "two lines would bill the same days: 5 from 1 Jan 2025 to 1 Dec 2026, and 7 from 1 Dec 2026"
    )


def test_a_line_that_bills_on_another_agreement_already_counts_unless_that_one_is_over():
    line = b.our_addition(9, 5, on=502)
    new = b.our_addition(0, 7, effective_date=date(2026, 12, 1))
    known = standing(line)
    assert told(known, created(new)) is not None

    over = replace(known, agreements={**known.agreements, 502: b.agreement(502, agreement_status="Cancelled")})
    assert told(over, created(new)) is None


def test_lines_that_bill_nothing_or_other_bands_do_not_overlap():
    nothing = b.our_addition(9, 0)
    new = b.our_addition(0, 7, effective_date=date(2026, 12, 1))
    assert told(standing(nothing), created(new)) is None

    banded = replace(created(new), key=replace(b.key(), band="0-3"))
    assert told(standing(b.our_addition(9, 5)), banded) is None


@pytest.mark.parametrize(("already", "more", "holds"), [(0, 2, False), (0, 3, True), (1, 1, False), (1, 2, True)])
def test_a_period_is_charged_for_no_more_seats_than_were_in_it(already, more, holds):
    known = [replace(once(already), id=20)] if already else []
    held = told(standing(*known), created(once(more, number=2)), seats=(november(5, 7),))

    assert (held is not None) is holds
    if held:
        assert (
            held
            == f"{5 + already + more} would be charged for 1 Nov 2026 to 30 Nov 2026, in which there were 7 at most"
        )


def test_a_one_off_line_that_somebody_deleted_still_counts_and_a_credit_frees_its_seats():
    written = b.recorded(replace(once(2), id=20))
    written = replace(written, key=b.key().for_one_off())
    assert told(standing(ledger=[written]), created(once(1, number=2)), seats=(november(5, 7),)) is not None

    credit = replace(once(1, number=3, price="-8.33"), id=21)
    assert told(standing(credit, ledger=[written]), created(once(1, number=2)), seats=(november(5, 7),)) is None


def test_a_period_not_invoiced_yet_counts_what_the_standing_line_will_say():
    line = b.our_addition(9, 5)
    record = SeatRecord(str(b.key()), (SeatDay(date(2026, 12, 1), D(6), None),), b.TODAY)
    late = once(1, day=date(2026, 12, 10))
    raised = change(ChangeKind.UPDATE, line, replace(line, quantity=D(6)))

    assert told(standing(line), created(late), seats=(record,)) is None
    assert told(standing(line), created(late), raised, seats=(record,)) is not None


def test_without_a_record_or_a_calendar_nothing_is_said_about_periods():
    assert told(standing(), created(once(50))) is None
    assert told(standing(billing_cycle="Weekly"), created(once(50)), seats=(november(5, 7),)) is None
    strange = replace(once(50), serial_number="TU1-O-269999-aaaaaaaaaaaaaaaaaaaaaaaaaa")
    assert told(standing(strange), created(once(1)), seats=(november(5, 7),)) is None
    assert told(standing(), created(strange), seats=(november(5, 7),)) is None


@pytest.mark.parametrize(
    ("agreement", "sound_there"),
    [
        ({}, True),
        ({"end_date": date(2026, 12, 31)}, True),
        ({"end_date": date(2026, 11, 30)}, False),
        ({"bill_start_date": date(2027, 1, 1)}, False),
        ({"agreement_status": "Cancelled"}, False),
    ],
)
def test_a_new_line_bills_inside_an_active_agreement(agreement, sound_there):
    assert (told(standing(**agreement), created(once(1))) is None) is sound_there


def test_a_line_on_no_agreement_of_the_company_is_not_sound():
    stranger = b.our_addition(0, 1, on=777)

    assert told(standing(), created(stranger)) == "agreement 777 is not an active one of the company"


def test_only_lines_of_ours_are_written_or_taken_over():
    theirs = b.addition(9, 5)
    raised = change(ChangeKind.UPDATE, theirs, replace(theirs, quantity=D(6)))
    taken = change(ChangeKind.UPDATE, theirs, b.our_addition(9, 6, kind=LineKind.ADOPTED))
    removed = change(ChangeKind.DELETE, theirs, None)

    assert told(standing(), raised) == "addition 9 is not a line of ours"
    assert told(standing(), removed) == "addition 9 is not a line of ours"
    assert told(standing(), taken) is None
    ended = [replace(theirs, id=number, cancelled_date=date(2026, 11, 30)) for number in (9, 10)]
    ends = [change(ChangeKind.END, replace(line, cancelled_date=None), line) for line in ended]
    assert told(replace(standing(), chosen=frozenset({9, 10})), *ends) is None, "a person chose them; they are not ours"
    ours = b.our_addition(9, 5)
    assert told(standing(ours), change(ChangeKind.DELETE, ours, None)) is None


def test_a_new_line_has_a_stamp_that_no_other_has():
    line = b.our_addition(9, 0, effective_date=date(2026, 12, 1))
    twin = b.our_addition(0, 7, effective_date=date(2026, 12, 1))

    assert "another line has it" in str(told(standing(line), created(twin)))
    assert "is missing" in str(told(standing(), created(replace(twin, serial_number=""))))


def test_a_line_that_ended_before_it_began_is_named_and_once_deleted_is_created_again():
    """So it is where a person ended a line ahead of its first day, and then had its billing resumed."""
    ended = b.our_addition(9, 10, effective_date=date(2026, 12, 1), cancelled_date=date(2026, 11, 20))
    facts = b.facts(b.reading(b.count(10)), ledger=[b.recorded(ended)])
    held = plan_company(replace(facts, additions={b.AGREEMENT: (ended,)}))
    (finding,) = held.findings
    freed = plan_company(facts)

    assert [group.unsound for group in held.groups] == [True]
    assert "another line has it: addition 9" in finding.text
    assert "delete in Manage the line that it names" in finding.remedy
    assert [(change.kind, change.after.effective_date) for change in freed.applicable[0].changes] == [
        (ChangeKind.CREATE, date(2026, 12, 1))
    ]


def test_what_is_not_sound_is_held_with_a_finding_that_says_that_nobody_can_approve_it():
    planned = Plan(b.COMPANY, (Group(ITEM, (created(once(1)),)),), sources={ITEM: (b.SOURCE,)})
    plan = sound(planned, standing(agreement_status="Cancelled"))
    plan = guarded(plan, Guards(), (), {}, b.TODAY)

    assert [group.unsound for group in plan.held] == [True]
    (finding,) = plan.findings
    assert finding.kind.value == "held"
    assert "nobody can approve it" in finding.remedy
