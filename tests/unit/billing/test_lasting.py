"""A line of ours that a person has bill longer than we left it is told with what it bills, and nothing is written."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from shared.billing.findings import FindingKind
from shared.billing.lines import one_off_stamp
from shared.billing.planning.choices import Choice, ChoiceKind, resumed
from shared.billing.planning.planner import plan_company
from shared.billing.profiles import DriftRule
from shared.billing.rules import LicenceLink
from tests import builders as b
from tests.unit.billing.plans import kinds, only_change

D = Decimal
OCTOBER_ENDS, NOVEMBER_ENDS = date(2026, 10, 31), date(2026, 11, 30)
OLD = b.our_addition(9, 10, cancelled_date=OCTOBER_ENDS)
NEW = b.our_addition(10, 12, effective_date=date(2026, 11, 1))
ONCE = b.addition(
    11,
    2,
    effective_date=date(2026, 11, 1),
    cancelled_date=NOVEMBER_ENDS,
    serial_number=one_off_stamp(b.key(), 88, date(2026, 11, 10), 1),
)
ONCE_WRITTEN = replace(b.recorded(ONCE), key=b.key().for_one_off())


def plan(line, *others, ledger, count=12, **values):
    return plan_company(b.facts(b.reading(b.count(count)), additions=[line, *others], ledger=ledger, **values))


@pytest.mark.parametrize("counted", [12, 13, 0])
@pytest.mark.parametrize(("ends", "told"), [(NOVEMBER_ENDS, "on 30 Nov 2026"), (None, "never")])
def test_a_line_that_was_taken_over_and_whose_end_was_moved_is_told_with_its_amount(ends, told, counted):
    lasting = replace(OLD, cancelled_date=ends)
    found = plan(lasting, NEW, ledger=[b.recorded(OLD), b.recorded(NEW)], count=counted)

    assert (found.groups, kinds(found)) == ((), ["drift"])
    assert f"ends: {told}, TrueUp wrote 31 Oct 2026. It bills 250.00 an invoice" in found.findings[0].text


@pytest.mark.parametrize("ends", [date(2026, 12, 31), None])
def test_a_one_off_line_that_would_bill_again_is_told_with_its_amount(ends):
    found = plan(replace(ONCE, cancelled_date=ends), NEW, ledger=[ONCE_WRITTEN, b.recorded(NEW)])

    assert (found.groups, kinds(found)) == ((), ["drift"])
    assert "TrueUp wrote 30 Nov 2026. It bills 50.00 an invoice" in found.findings[0].text


@pytest.mark.parametrize("licence", [(), (LicenceLink(b.SOURCE, b.PREMIUM, do_not_bill=True),)])
def test_a_line_that_ended_for_good_and_was_made_to_bill_on_is_told(licence):
    lasting = replace(OLD, cancelled_date=NOVEMBER_ENDS)
    found = plan(lasting, ledger=[b.recorded(OLD)], count=0 if not licence else 10, company=b.company(licences=licence))

    assert (found.groups, kinds(found)) == ((), ["drift"])


@pytest.mark.parametrize(
    ("line", "row", "values"),
    [
        (replace(OLD, cancelled_date=date(2026, 11, 10)), OLD, {}),
        (replace(OLD, cancelled_date=NOVEMBER_ENDS, quantity=D(0)), OLD, {}),
        (replace(OLD, cancelled_date=NOVEMBER_ENDS), replace(OLD, cancelled_date=NOVEMBER_ENDS), {}),
    ],
    ids=["over", "of nothing", "accepted before"],
)
def test_what_bills_nothing_beside_others_any_more_is_not_told(line, row, values):
    found = plan(line, ledger=[b.recorded(row)], count=0, **values)

    assert (found.groups, found.findings) == ((), ())


def test_a_one_off_line_that_was_moved_as_a_whole_bills_once_all_the_same():
    moved = replace(ONCE, effective_date=date(2026, 12, 1), cancelled_date=date(2026, 12, 31))
    found = plan(moved, NEW, ledger=[ONCE_WRITTEN, b.recorded(NEW)])

    assert (found.groups, found.findings) == ((), ())


def test_a_line_that_ends_later_before_another_goes_on_is_a_persons_to_end():
    """What is counted again goes on after the later end: nothing is billed twice."""
    lasting = replace(OLD, cancelled_date=NOVEMBER_ENDS)
    found = plan(lasting, ledger=[b.recorded(OLD)])

    assert found.findings == ()
    assert {change.after.effective_date for change in found.changes if change.key.is_standing} == {b.NEXT_PERIOD}


def test_on_an_agreement_that_is_over_nothing_is_billed_and_nothing_told():
    over = b.agreement(501, agreement_status="Expired")
    lasting = replace(OLD, cancelled_date=None)
    found = plan(lasting, ledger=[b.recorded(OLD)], count=0, agreements=[over, b.agreement(502)])

    assert "drift" not in kinds(found)


def test_it_is_told_also_where_the_calendar_cannot_be_read():
    odd = b.agreement(501, billing_cycle="Weekly")
    found = plan(replace(OLD, cancelled_date=None), ledger=[b.recorded(OLD)], count=0, agreements=[odd])

    assert "drift" in kinds(found)


def test_an_edit_that_bills_twice_is_restored_where_the_profile_says_so_and_never_accepted():
    lasting, ledger = replace(OLD, cancelled_date=None), [b.recorded(OLD), b.recorded(NEW)]
    restores, accepts = (b.rules(b.profile(drift=rule)) for rule in (DriftRule.RESTORE, DriftRule.ACCEPT))
    back = only_change(plan(lasting, NEW, ledger=ledger, rules=restores))
    chosen = Choice(ChoiceKind.ACCEPT, b.key().bill_item, seen={9: b.recorded(lasting).values})

    assert (back.addition, back.after.cancelled_date) == (9, OCTOBER_ENDS)
    assert kinds(plan(lasting, NEW, ledger=ledger, rules=accepts)) == ["drift"]
    assert kinds(plan(lasting, NEW, ledger=ledger, choices={chosen.subject: chosen})) == ["drift"]


def test_an_end_to_come_that_was_moved_later_is_no_pause_and_resuming_makes_it_not_ours():
    written = b.our_addition(9, 10, cancelled_date=NOVEMBER_ENDS)
    lasting, new = (
        replace(written, cancelled_date=date(2026, 12, 31)),
        b.our_addition(10, 12, effective_date=b.NEXT_PERIOD),
    )
    ledger = [b.recorded(written), b.recorded(new)]
    found = plan(lasting, new, ledger=ledger)
    resume = Choice(ChoiceKind.RESUME, b.key().bill_item)
    rows, _ = resumed(ledger, {}, {501: (lasting, new)}, {resume.subject: resume}, b.TODAY)

    assert (found.groups, kinds(found)) == ((), ["drift"])
    assert [row.values.cancelled_date for row in rows] == [NOVEMBER_ENDS, None]


def moved(old, new, *, counted=10, elsewhere=502, **values):
    """An item that moves from agreement 501 to 502, of which the worker died before it ended the old line."""
    known = {"ledger": [b.recorded(old), b.recorded(new)], "agreements": [b.agreement(501), b.agreement(502)], **values}
    company = b.company(licences=(LicenceLink(b.SOURCE, b.PREMIUM, agreement=elsewhere),))
    return plan_company(b.facts(b.reading(b.count(counted)), additions=[old, new], company=company, **known))


OPEN = b.our_addition(9, 10)
FOLLOWER = b.our_addition(10, 10, on=502, effective_date=date(2026, 11, 1))
TO_COME = b.our_addition(10, 10, on=502, effective_date=b.NEXT_PERIOD)
NEW_YEARS_EVE = date(2026, 12, 31)


@pytest.mark.parametrize("counted", [10, 12])
def test_two_lines_of_which_a_person_had_the_older_end_too_late_are_told_every_night_with_their_amounts(counted):
    found = moved(replace(OPEN, cancelled_date=NEW_YEARS_EVE), FOLLOWER, counted=counted)

    assert (found.groups, found.frozen) == ((), {b.key().bill_item})
    assert [finding.text for finding in found.findings if finding.kind is FindingKind.DRIFT] == [
        "Business Premium: our lines 9 on agreement 501 (250.00 an invoice) and 10 on agreement 502 "
        "(250.00 an invoice) bill the same days from 1 Nov 2026 until 31 Dec 2026. Nothing of this item is written."
    ]
    later = replace(OPEN, cancelled_date=NEW_YEARS_EVE)
    assert kinds(moved(later, FOLLOWER, as_of=date(2026, 12, 31))) == ["drift"]
    assert kinds(moved(later, FOLLOWER, as_of=date(2027, 1, 2), agreements=[_invoiced(501), _invoiced(502)])) == []


def test_it_is_told_already_before_billing_is_resumed():
    late = replace(OPEN, cancelled_date=NEW_YEARS_EVE)
    found = moved(late, FOLLOWER, ledger=[b.recorded(OPEN), b.recorded(FOLLOWER)])

    assert (found.groups, kinds(found)) == ((), ["drift", "paused"])


def _invoiced(number):
    return b.agreement(number, next_invoice_date=date(2027, 2, 1))


def test_a_handover_that_was_cut_short_before_its_period_began_goes_on_untold():
    found = moved(OPEN, TO_COME)

    assert "drift" not in kinds(found)
    assert [(change.addition, change.after.cancelled_date) for change in found.changes] == [(9, NOVEMBER_ENDS)]
    assert moved(replace(OPEN, cancelled_date=NOVEMBER_ENDS), TO_COME).findings == ()


def test_a_handover_that_was_cut_short_and_can_no_longer_be_mended_is_told():
    found = moved(OPEN, FOLLOWER)

    assert (found.groups, kinds(found)) == ((), ["drift"])
    assert "bill the same days from 1 Nov 2026, without an end." in found.findings[0].text


def test_two_lines_without_a_first_day_are_told_too():
    old, new = (replace(line, effective_date=None) for line in (OPEN, FOLLOWER))
    found = moved(replace(old, cancelled_date=NEW_YEARS_EVE), new)

    assert "bill the same days until 31 Dec 2026." in found.findings[0].text


def test_a_handover_whose_last_write_is_not_known_yet_is_not_told():
    assert moved(OPEN, FOLLOWER, in_doubt=frozenset({b.key().bill_item})).findings == ()


@pytest.mark.parametrize(
    "values",
    [{"quantity": D(0)}, {"unit_price": D(0)}, {"bill_customer": "DoNotBill"}, {"cancelled_date": date(2026, 10, 31)}],
    ids=["of nothing", "free", "not billed", "ended before"],
)
def test_a_line_that_bills_nothing_beside_another_is_not_told(values):
    old = replace(OPEN, **{"cancelled_date": NEW_YEARS_EVE, **values})

    assert "drift" not in kinds(moved(old, FOLLOWER))


def test_a_line_on_an_agreement_that_is_over_bills_nothing_beside_another():
    over = b.agreement(501, agreement_status="Expired")
    found = moved(replace(OPEN, cancelled_date=NEW_YEARS_EVE), FOLLOWER, agreements=[over, b.agreement(502)])

    assert "drift" not in kinds(found)


def test_what_a_person_edited_of_two_such_lines_is_told_beside_it():
    old = replace(OPEN, cancelled_date=NEW_YEARS_EVE)
    edited = replace(FOLLOWER, quantity=D(11))
    found = moved(old, edited, ledger=[b.recorded(old), b.recorded(FOLLOWER)], counted=12)

    assert (found.groups, kinds(found)) == ((), ["drift"])
    assert "bill the same days" in found.findings[0].text
    assert "quantity is 11, TrueUp wrote 10" in found.findings[0].text
    assert "Restore what TrueUp wrote" in found.findings[0].remedy


def test_a_copy_of_our_line_goes_and_nothing_is_told():
    copy = replace(OPEN, id=12)
    found = plan(OPEN, copy, ledger=[b.recorded(OPEN)], count=10)

    assert found.findings == ()
    assert found.changes != ()


def test_three_lines_that_bill_the_same_days_are_all_named_in_one_finding():
    third = b.our_addition(11, 4, on=502, effective_date=b.NEXT_PERIOD)
    lines = (replace(OPEN, cancelled_date=NEW_YEARS_EVE), replace(FOLLOWER, cancelled_date=NEW_YEARS_EVE), third)
    found = plan(*lines, ledger=map(b.recorded, lines), agreements=[b.agreement(501), b.agreement(502)], count=4)

    (told,) = (finding.text for finding in found.findings if finding.kind is FindingKind.DRIFT)
    assert told.count("bill the same days") == 3
    assert "11 on agreement 502 (100.00 an invoice) bill the same days from 1 Dec 2026 until 31 Dec 2026" in told
