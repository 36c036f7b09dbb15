"""Undo, planned from facts alone: what is given back, and every reason to leave it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from shared.billing.agreements import Addition
from shared.billing.lines import LineValues
from shared.billing.planning.invoiced import Invoiced
from shared.billing.planning.plan import OWN_COPY, Change, ChangeKind
from shared.billing.planning.undo import Done, UndoPlan, plan_undo
from tests import builders as b

D = Decimal
ITEM = f"{b.SOURCE}/{b.PREMIUM}"
LINE = b.our_addition(11, 8)
WAS = LineValues.of(b.our_addition(11, 5))


ENDED = b.our_addition(11, 8, cancelled_date=date(2026, 11, 30))
OPEN = LineValues.of(LINE)
NEXT = b.our_addition(12, 3, effective_date=b.NEXT_PERIOD)


def change(
    before: LineValues | None, after: LineValues | None, kind: ChangeKind = ChangeKind.UPDATE, **values: object
) -> Change:
    plain = Change(kind, b.key(), 11, "M365-BP", before, after, "counted", "5 became 8.", D(0))
    return replace(plain, **values)  # type: ignore[arg-type]


RAISED = change(WAS, LineValues.of(LINE))


def done(what: Change = RAISED, uninvoiced_from: date | None = b.NEXT_PERIOD, **values: object) -> Done:
    return replace(Done("h1", what, 11, uninvoiced_from), **values)  # type: ignore[arg-type]


def planned(*writes: Done, lines: tuple[Addition, ...] = (LINE,), **facts: object) -> UndoPlan:
    recorded = [b.recorded(line) for line in lines]
    return plan_undo("night", writes, b.facts(additions=lines, **{"ledger": recorded, **facts}))


def test_the_values_before_come_back_with_their_money_and_say_why():
    plan = planned(done())
    (group,) = plan.groups
    (back,) = group.changes
    assert (back.fields(), back.monthly) == ({"quantity": D(5)}, D(-75))
    assert plan.undoes == {back.fingerprint: ("h1",)}
    assert "quantity 5 instead of 8, as before run night: -75.00 an invoice." in back.sentence


def test_several_writes_to_one_line_are_undone_by_one():
    between = LineValues.of(b.our_addition(11, 6))
    plan = planned(done(change(WAS, between)), done(change(between, LineValues.of(LINE)), id="h2"))
    (back,) = plan.groups[0].changes
    assert (back.fields(), plan.undoes[back.fingerprint]) == ({"quantity": D(5)}, ("h1", "h2"))


def test_a_line_that_begins_later_is_deleted_although_an_invoice_was_made_since():
    later = b.our_addition(11, 8, effective_date=date(2027, 1, 1))
    created = change(None, LineValues.of(later), ChangeKind.CREATE)
    plan = planned(done(created), lines=(later,), agreements=[b.agreement(next_invoice_date=date(2027, 1, 1))])
    assert [back.kind for back in plan.groups[0].changes] == [ChangeKind.DELETE]


def test_a_change_of_a_line_that_begins_later_is_taken_back_although_an_invoice_was_made_since():
    later = b.our_addition(11, 8, effective_date=date(2027, 1, 1))
    raised = change(LineValues.of(later).changed(quantity=D(5)), LineValues.of(later))
    plan = planned(done(raised), lines=(later,), agreements=[b.agreement(next_invoice_date=date(2027, 1, 1))])
    assert plan.groups[0].changes[0].fields() == {"quantity": D(5)}


def test_an_end_that_a_run_took_back_is_ended_again():
    ended = LineValues.of(LINE).changed(cancelled_date=date(2026, 11, 30))
    (back,) = planned(done(change(ended, LineValues.of(LINE)))).groups[0].changes
    assert (back.fields(), back.monthly) == ({"cancelled_date": date(2026, 11, 30)}, D(-200))


def test_only_the_text_is_told_without_the_text():
    named = replace(LINE, invoice_description="somebody's name")
    renamed = change(LineValues.of(LINE), LineValues.of(named))
    (back,) = planned(done(renamed), lines=(named,)).groups[0].changes
    assert back.fields() == {"invoice_description": ""}
    assert "somebody" not in back.sentence


def test_a_copy_that_was_removed_does_not_come_back():
    copy = change(LineValues.of(LINE), None, ChangeKind.DELETE, reason=OWN_COPY)
    assert planned(done(copy)) == UndoPlan(())


def test_an_invoice_is_no_riddle_where_a_person_says_how_far_is_billed():
    seen = {b.AGREEMENT: Invoiced(b.AGREEMENT, date(2027, 1, 1))}
    told = b.company(billed_through={b.AGREEMENT: date(2026, 11, 30)})
    assert planned(done(), company=told, invoiced=seen).refused == {}


@pytest.mark.parametrize(
    ("writes", "facts", "reason"),
    [
        ([done(later="day-after")], {}, "run day-after has changed addition 11 since"),
        ([done(uninvoiced_from=None)], {}, "it is not known how far agreement 501 was invoiced at the time"),
        ([done(uninvoiced_from=date(2026, 11, 1))], {}, "was invoiced since"),
        ([done(uninvoiced_from=date(2027, 1, 1))], {}, "was invoiced since"),
        ([done()], {"in_doubt": frozenset({ITEM})}, "what an earlier write did is not known yet"),
        ([done()], {"lines": ()}, "addition 11 is not on agreement 501 any more"),
        ([done()], {"agreements": []}, "agreement 501 is not active any more"),
        ([done()], {"agreements": [b.agreement(agreement_status="Expired")]}, "agreement 501 is not active any more"),
        ([done()], {"agreements": [b.agreement(billing_cycle="Weekly")]}, "is billed Weekly"),
        ([done()], {"ledger": [replace(b.recorded(LINE), values=WAS)]}, "quantity is 8, TrueUp wrote 5"),
        ([done()], {"invoiced": {b.AGREEMENT: Invoiced(b.AGREEMENT, date(2027, 1, 1))}}, "invoices were undone"),
        ([done()], {"ledger": [], "lines": (replace(LINE, unit_price=D(9)),)}, "unit_price is 9, TrueUp wrote 25"),
        ([done(change(OPEN, LineValues.of(ENDED)))], {"lines": (ENDED, NEXT)}, "two lines would bill the same days"),
    ],
)
def test_what_cannot_be_undone_says_why(writes, facts, reason):
    plan = planned_with(writes, facts.get("lines", (LINE,)), {name: facts[name] for name in facts if name != "lines"})
    assert plan.groups == ()
    assert reason in plan.refused[ITEM]


def planned_with(writes: list[Done], lines: tuple[Addition, ...], facts: dict[str, object]) -> UndoPlan:
    """The lines stay readable although their agreement is not active, or not there."""
    given = b.facts(additions=lines, **{"ledger": [b.recorded(line) for line in lines], **facts})
    return plan_undo("night", writes, replace(given, additions={b.AGREEMENT: lines}))


def test_one_reason_keeps_the_whole_item_and_no_other():
    other = replace(b.key("other-sku"), bill_item="microsoft365/other")
    second = replace(b.our_addition(12, 3), serial_number="TU1-S-250101-x")
    row = replace(b.recorded(second), key=other)
    raised = change(LineValues.of(second).changed(quantity=D(1)), LineValues.of(second), key=other)
    writes = [done(), done(later="x", id="h2"), Done("h3", raised, 12, b.NEXT_PERIOD)]
    plan = plan_undo("night", writes, b.facts(additions=[LINE, second], ledger=[b.recorded(LINE), row]))
    assert [group.bill_item for group in plan.groups] == ["microsoft365/other"]
    assert list(plan.refused) == [ITEM]


def test_a_text_that_somebody_changed_keeps_the_line_from_being_undone_and_is_not_shown():
    texted = replace(LINE, invoice_description="for somebody's desk")
    plan = planned_with([done()], (texted,), {"ledger": [b.recorded(LINE)]})
    assert plan.groups == ()
    assert "invoice_description is another text" in plan.refused[ITEM]
    assert "somebody's desk" not in plan.refused[ITEM]
