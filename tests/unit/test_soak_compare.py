"""What the soak calls a difference: every harm that it is there to find."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from local.soak.compare import WRITTEN, Left, differences
from shared.billing.lines import LineValues
from shared.billing.planning.plan import Change, ChangeKind
from shared.manage.writing import create_body
from shared.state.company_state import CompanyState
from shared.state.records import HistoryEntry, Intent
from tests import builders as b

Json = dict[str, Any]

LINE = b.our_addition(9001, 5)
OURS: Json = {
    "id": LINE.id,
    "agreementId": b.AGREEMENT,
    "product": {"id": 88, "identifier": "M365-BP"},
    "quantity": 5.0,
    "unitPrice": 25.0,
    "serialNumber": LINE.serial_number,
}
THEIRS: Json = {"id": 7, "agreementId": b.AGREEMENT, "product": {"id": 9, "identifier": "BACKUP"}, "quantity": 50.0}
CREATE = Change(
    ChangeKind.CREATE, b.key(), None, "M365-BP", None, LineValues.of(LINE), "new", "5 from 1 Dec.", Decimal(125)
)
MADE = HistoryEntry("one", datetime(2026, 11, 21, 2, tzinfo=UTC), "night", "night", LINE.id, CREATE)
LEDGER = {LINE.serial_number: b.recorded(LINE)}


def left(*lines: Json, state: CompanyState | None = None, history: tuple[HistoryEntry, ...] = (MADE,)) -> Left:
    known = state or CompanyState(ledger=LEDGER)
    additions: Mapping[int, Json] = {line["id"]: line for line in (lines or (OURS, THEIRS))}
    return Left(additions, {b.COMPANY: known}, {b.COMPANY: history})


def test_every_field_that_a_line_can_be_made_with_is_compared() -> None:
    everything = LineValues(
        88,
        Decimal(5),
        Decimal("25.00"),
        date(2026, 12, 1),
        date(2026, 12, 31),
        LINE.serial_number,
        "DoNotBill",
        taxable_flag=True,
        invoice_description="5 seats",
        unit_cost=Decimal("20.00"),
    )
    fields = replace(CREATE, after=everything).fields()
    assert len(fields) >= len(dataclasses.fields(everything))
    assert set(WRITTEN) >= create_body(fields).keys()


def test_worlds_that_say_the_same_do_not_differ_whatever_numbers_our_lines_have() -> None:
    other = {**OURS, "id": 9100}
    ledger = {LINE.serial_number: replace(LEDGER[LINE.serial_number], addition_id=9100)}
    disturbed = left(other, THEIRS, state=CompanyState(ledger=ledger), history=(replace(MADE, addition=9100),))
    assert differences(left(), disturbed) == []


def test_a_line_that_stands_twice_is_told_with_both_numbers() -> None:
    told = differences(left(), left(OURS, {**OURS, "id": 9002}, THEIRS))
    assert f"stamp {LINE.serial_number} stands on additions 9001, 9002" in told
    assert "addition 9002 carries our stamp, but no ledger knows it" in told


@pytest.mark.parametrize("name", sorted(set(WRITTEN) - {"serialNumber", "agreementId", "product"}))
def test_every_field_that_is_written_counts(name: str) -> None:
    (told,) = differences(left(), left({**OURS, name: "something else"}, THEIRS))
    assert f"{name} is 'something else' instead of" in told


def test_a_line_of_ours_that_is_missing_or_too_much_is_told() -> None:
    assert f"the line {LINE.serial_number} is missing: agreement 501, M365-BP, 5" in differences(left(), left(THEIRS))
    assert any("should not be there" in told for told in differences(left(THEIRS), left()))


def test_whatever_happens_to_a_line_that_is_not_ours_is_told() -> None:
    touched = differences(left(), left(OURS, {**THEIRS, "quantity": 51.0}))
    assert touched == ["addition 7, which is not ours: quantity is 51.0 instead of 50.0"]
    assert len(differences(left(), left(OURS))) == 1
    assert len(differences(left(), left(OURS, THEIRS, {**THEIRS, "id": 8}))) == 1


def test_a_line_that_the_ledger_does_not_know_or_that_is_gone_from_manage_is_told() -> None:
    assert differences(left(), left(state=CompanyState())) == [
        "addition 9001 carries our stamp, but no ledger knows it"
    ]
    assert "the ledger knows addition 9001, which is not there" in differences(left(), left(THEIRS))


def test_a_write_that_is_left_open_recorded_twice_or_not_at_all_is_told() -> None:
    intent = Intent("two", "night", MADE.at, CREATE)
    open_ = left(state=CompanyState(ledger=LEDGER, intents={"two": intent}))
    assert differences(left(), open_) == ["company 250: the intent two of run night is still open"]
    twice = left(history=(MADE, replace(MADE, id="two")))
    assert differences(left(), twice) == [f"the history tells 2 times that the line {LINE.serial_number} was made"]
    assert differences(left(), left(history=())) == ["addition 9001 carries our stamp, but no history tells of it"]
