"""Choices: what a person says about a line that TrueUp leaves alone, and when that has been dealt with.

They are part of the facts. A choice about an edit holds for the values that were seen when it was made; one about other
lines for the additions it names. Whatever comes on top of that is a new matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum

from shared.billing.agreements import Addition, Agreement
from shared.billing.lines import LedgerRow, LineValues, canonical, names_standing_line
from shared.billing.planning.matching import Owned
from shared.billing.seats import SeatRecord


class ChoiceKind(StrEnum):
    """What can be said.

    Of an edited line: `restore` or `accept` it until the count or a rule changes. Of one that a person ended or
    deleted: `resume` billing or `stop`. Of lines that stand in the way of ours: `adopt` one, `end-other` where ours
    begins, `create-anyway` beside them. Of a stray: `adopt` or `ignore`. Of an agreement that is billed in another
    currency now: `confirm` it. Of usage that nothing bills any more, and of what a person is to bill: `settle` it, as
    it is billed by hand or not owed.
    """

    RESTORE = "restore"
    ACCEPT = "accept"
    RESUME = "resume"
    STOP = "stop"
    ADOPT = "adopt"
    END_OTHER = "end-other"
    CREATE_ANYWAY = "create-anyway"
    IGNORE = "ignore"
    CONFIRM = "confirm"
    SETTLE = "settle"


#: Choices about lines that stand in the way of a new one of ours.
ABOUT_OTHERS = frozenset({ChoiceKind.ADOPT, ChoiceKind.END_OTHER, ChoiceKind.CREATE_ANYWAY})
ABOUT_EDITS = frozenset({ChoiceKind.RESTORE, ChoiceKind.ACCEPT})


@dataclass(frozen=True, slots=True)
class Choice:
    """One choice. `subject` is a bill item's id, or `addition/N` for a stray that is ignored, `agreement/N` for a
    currency, `usage/` with a bill item's id for what it used, `by-hand/` for what a person is to bill of it.

    `additions` are the lines that it is about, `seen` what edited lines said when it was made, by addition. `wanted`
    is what TrueUp would have written over an accepted edit, empty until the planner has said so. `currency` is the one
    that is confirmed, empty where Manage tells none.
    """

    kind: ChoiceKind
    subject: str
    additions: tuple[int, ...] = ()
    seen: Mapping[int, LineValues] = field(default_factory=dict)
    wanted: str = ""
    currency: str = ""


Choices = Mapping[str, Choice]


def subject_of(bill_item: str) -> str:
    return canonical(bill_item)


def subject_of_stray(addition: int) -> str:
    return f"addition/{addition}"


def subject_of_agreement(agreement: int) -> str:
    return f"agreement/{agreement}"


def subject_of_usage(bill_item: str) -> str:
    return f"usage/{subject_of(bill_item)}"


def subject_of_hand(bill_item: str) -> str:
    return f"by-hand/{subject_of(bill_item)}"


def can_be_settled(subject: str) -> bool:
    """Whether it names what an item used, or what a person is to bill of it."""
    return subject.startswith((subject_of_usage(""), subject_of_hand("")))


def agreement_of_subject(subject: str) -> int | None:
    """The agreement that a subject names; None for a bill item or an addition."""
    kind, _, number = subject.partition("/")
    return int(number) if kind == "agreement" and number.isdecimal() else None


def is_confirmed(choices: Choices, agreement: Agreement) -> bool:
    """Whether a person confirmed the very currency that the agreement is billed in now."""
    choice = choices.get(subject_of_agreement(agreement.id))
    if choice is None or choice.kind is not ChoiceKind.CONFIRM:
        return False
    return choice.currency == (agreement.currency or "")


def chosen_about_others(choices: Choices, item: str, *kinds: ChoiceKind) -> frozenset[int]:
    """The additions that a choice of one of these kinds names for a bill item."""
    choice = choices.get(item)
    return frozenset(choice.additions) if choice is not None and choice.kind in kinds else frozenset()


def chosen_to_write(choices: Choices) -> frozenset[int]:
    """The additions that are not ours and may be written all the same: those to adopt and to end."""
    kinds = (ChoiceKind.ADOPT, ChoiceKind.END_OTHER)
    return frozenset(item for choice in choices.values() if choice.kind in kinds for item in choice.additions)


def ignored(choices: Choices) -> frozenset[int]:
    """Strays that are taken for not there."""
    return frozenset(
        addition for choice in choices.values() if choice.kind is ChoiceKind.IGNORE for addition in choice.additions
    )


def resumed(
    ledger: Iterable[LedgerRow],
    seats: Mapping[str, SeatRecord],
    additions: Mapping[int, tuple[Addition, ...]],
    choices: Choices,
    as_of: date,
) -> tuple[tuple[LedgerRow, ...], Mapping[str, SeatRecord]]:
    """Ledger and seat records once what a person ended or deleted is taken for settled where billing is to resume.

    The records begin anew: what was not billed meanwhile was not billed on purpose.
    """
    items = {choice.subject for choice in choices.values() if choice.kind is ChoiceKind.RESUME}
    if not items:
        return tuple(ledger), seats
    rows = [_as_it_is(row, additions, as_of) if canonical(row.key.bill_item) in items else row for row in ledger]
    anew = {line for line in seats if any(names_standing_line(line, item) for item in items)}
    left = {
        line: SeatRecord(line, unbilled=record.unbilled) if line in anew else record
        for line, record in seats.items()
        if line not in anew or record.unbilled
    }
    return tuple(row for row in rows if row is not None), left


def _as_it_is(row: LedgerRow, additions: Mapping[int, tuple[Addition, ...]], as_of: date) -> LedgerRow | None:
    """The row of a line that a person ended, with that end; None for a line that is gone, or another one by now."""
    lines = additions.get(row.key.agreement)
    over = row.values.cancelled_date is not None and row.values.cancelled_date < as_of
    if lines is None or over or not row.key.is_standing:
        return row
    line = next((line for line in lines if line.id == row.addition_id), None)
    if line is None or row.was_made_another(line):
        return None
    if line.cancelled_date == row.values.cancelled_date or row.is_outlasted_by(line):
        return row
    return replace(row, values=LineValues.of(line))


def spent(
    choices: Choices,
    owned: Mapping[str, Owned],
    paused: Mapping[str, bool | None],
    additions: Mapping[int, tuple[Addition, ...]],
    *,
    everything_read: bool,
) -> frozenset[str]:
    """The subjects of choices that have been dealt with, or whose matter is no longer what was chosen about.

    `paused` says of each bill item whether a person ended or deleted a line of it, None where that was not looked at.
    """
    lines = {line.id: line for found in additions.values() for line in found}
    over: set[str] = set()
    for subject, choice in choices.items():
        if choice.kind in ABOUT_EDITS:
            done = any(number in lines and LineValues.of(lines[number]) != seen for number, seen in choice.seen.items())
        elif choice.kind in ABOUT_OTHERS:
            mine = owned[subject].standing_lines if subject in owned else ()
            done = any(line.addition.cancelled_date is None for line in mine)
        elif choice.kind is ChoiceKind.STOP:
            done = paused.get(subject) is False
        elif choice.kind is ChoiceKind.IGNORE:
            done = everything_read and not any(number in lines for number in choice.additions)
        else:
            done = True
        if done:
            over.add(subject)
    return frozenset(over)
