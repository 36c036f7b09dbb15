"""Undo: the changes that give additions back the values which they had before a run.

What an invoice has covered since, what a person or a later run has changed since, and what nobody can be sure of stays
as it is, with the reason. A bill item is undone whole or not at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from shared.billing.agreements import Addition, FieldValue
from shared.billing.calendar import BillingCalendar, Unsupported, calendar_of
from shared.billing.lines import LineValues, canonical
from shared.billing.planning.invariants import Standing, sound
from shared.billing.planning.invoiced import is_watched, why_in_doubt, why_other_currency
from shared.billing.planning.matching import OwnLine
from shared.billing.planning.plan import Change, ChangeKind, Group, Plan
from shared.billing.planning.planner import Facts
from shared.billing.wording import number, signed, spoken


@dataclass(frozen=True, slots=True)
class Done:
    """One write of the run to undo, by the id of its history entry.

    `uninvoiced_from` began the first period that was not invoiced when it was written, None where that is not known.
    `later` is the run that changed the same addition afterwards, None where none did.
    """

    id: str
    change: Change
    addition: int | None
    uninvoiced_from: date | None
    later: str | None = None


@dataclass(frozen=True, slots=True)
class UndoPlan:
    """What to write, which history entries each change undoes (by the change's fingerprint), and why not, by item."""

    groups: tuple[Group, ...]
    undoes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)


def plan_undo(run: str, done: Sequence[Done], facts: Facts) -> UndoPlan:
    """The changes that undo these writes of one run, oldest first; those of a bill item together."""
    groups: list[Group] = []
    undoes: dict[str, tuple[str, ...]] = {}
    refused: dict[str, str] = {}
    for item in sorted({canonical(each.change.key.bill_item) for each in done}):
        changes: list[Change] = []
        try:
            if item in facts.in_doubt:
                raise _Refusal("what an earlier write did is not known yet; try again later")
            for writes in _by_addition(item, done):
                change = _undone(run, writes, facts)
                changes.append(change)
                undoes[change.fingerprint] = tuple(each.id for each in writes)
        except _Refusal as refusal:
            refused[item] = str(refusal)
            continue
        # A line that goes goes first: were the worker to die in between, nothing would be billed twice.
        changes.reverse()
        ordered = sorted(changes, key=lambda change: change.kind is not ChangeKind.DELETE)
        if ordered:
            groups.append(Group(item, tuple(ordered)))
    checked = sound(Plan(facts.company.company, tuple(groups)), _what_stands(done, facts))
    refused |= {group.bill_item: f"afterwards {group.held}" for group in checked.groups if group.held is not None}
    return UndoPlan(checked.applicable, undoes, refused)


def _what_stands(done: Iterable[Done], facts: Facts) -> Standing:
    """What the result is checked against: our lines by the ledger; beside them only what the run wrote is written."""
    rows = {(row.key.agreement, row.addition_id): row for row in facts.ledger}
    lines = (line for additions in facts.additions.values() for line in additions)
    known = ((line, rows.get((line.agreement_id, line.id))) for line in lines)
    return Standing(
        tuple(OwnLine(line, row.key, row) for line, row in known if row is not None),
        facts.ledger,
        {agreement.id: agreement for agreement in facts.agreements},
        {},
        frozenset(each.addition for each in done if each.addition is not None),
    )


class _Refusal(Exception):
    """Why a bill item is not undone."""


def _by_addition(item: str, done: Iterable[Done]) -> list[list[Done]]:
    """The run's writes to one item by addition, in the order of the last one; removed copies do not come back."""
    found: dict[int | None, list[Done]] = {}
    for each in done:
        if canonical(each.change.key.bill_item) == item and not each.change.is_of_copy:
            found[each.addition] = [*found.pop(each.addition, []), each]
    return list(found.values())


def _undone(run: str, writes: Sequence[Done], facts: Facts) -> Change:
    """One change for all that the run did to one addition."""
    first, last = writes[0], writes[-1]
    if last.later is not None:
        raise _Refusal(f"run {last.later} has changed addition {last.addition} since")
    addition = _standing(last, facts)
    calendar = _calendar(last, facts)
    now = LineValues.of(addition)
    before = first.change.before
    if before is not None:
        fields: dict[str, FieldValue] = {}
        for write in reversed(writes):
            assert write.change.before is not None
            fields.update({name: getattr(write.change.before, name) for name in write.change.fields()})
        _refuse_invoiced(first, addition, calendar)
        return _change(run, last, ChangeKind.UPDATE, now, now.changed(**fields))
    begins = addition.effective_date
    if begins is not None and begins >= calendar.first_uninvoiced.start:
        return _change(run, last, ChangeKind.DELETE, now, None)
    _refuse_invoiced(first, addition, calendar)
    last_day = begins or calendar.first_uninvoiced.day_before
    return _change(run, last, ChangeKind.END, now, now.changed(quantity=Decimal(0), cancelled_date=last_day))


def _standing(write: Done, facts: Facts) -> Addition:
    """The addition as it is, if it still is as the run left it."""
    agreement = write.change.key.agreement
    lines = facts.additions.get(agreement, ())
    addition = next((line for line in lines if line.id == write.addition), None)
    if addition is None:
        raise _Refusal(f"addition {write.addition} is not on agreement {agreement} any more")
    row = next((row for row in facts.ledger if (row.key.agreement, row.addition_id) == (agreement, addition.id)), None)
    now = LineValues.of(addition)
    wrote = row.values if row is not None else write.change.after or now
    edits = [name for name in LineValues.__slots__ if getattr(now, name) != getattr(wrote, name)]
    if edits:
        told = "; ".join(f"{name} is {_said(now, name)}, TrueUp wrote {_said(wrote, name)}" for name in edits)
        raise _Refusal(f"somebody has changed addition {addition.id} since: {told}")
    return addition


def _calendar(write: Done, facts: Facts) -> BillingCalendar:
    number_ = write.change.key.agreement
    agreement = next((agreement for agreement in facts.agreements if agreement.id == number_), None)
    if agreement is None or agreement.agreement_status != "Active":
        raise _Refusal(f"agreement {number_} is not active any more")
    odd = why_other_currency(agreement, facts.invoiced.get(agreement.id), facts.company, facts.choices)
    if odd is not None:
        raise _Refusal(f"agreement {agreement.id} is left alone: {odd}")
    calendar = calendar_of(agreement, facts.as_of, facts.company.billed_through.get(agreement.id))
    if isinstance(calendar, Unsupported):
        raise _Refusal(f"agreement {number_} {calendar.reason}")
    if is_watched(facts.company, number_):
        odd = why_in_doubt(calendar, facts.invoiced.get(number_), facts.guards.invoiced_at_once)
        if odd is not None:
            raise _Refusal(f"agreement {number_} is left alone until somebody says what was billed, because {odd}")
    return calendar


def _refuse_invoiced(first: Done, addition: Addition, calendar: BillingCalendar) -> None:
    """Nothing that an invoice may have taken from the line since it was written is taken back."""
    now = calendar.first_uninvoiced.start
    if first.uninvoiced_from is None:
        raise _Refusal(f"it is not known how far agreement {first.change.key.agreement} was invoiced at the time")
    if first.uninvoiced_from == now:
        return
    begins_later = addition.effective_date is not None and addition.effective_date >= max(now, first.uninvoiced_from)
    if not begins_later:
        raise _Refusal(
            f"agreement {addition.agreement_id} was invoiced since: then up to {spoken(first.uninvoiced_from)}, "
            f"now up to {spoken(now)}, both not included"
        )


def _change(run: str, write: Done, kind: ChangeKind, before: LineValues, after: LineValues | None) -> Change:
    change = write.change
    assert write.addition is not None
    effect = (_billed(after) if change.key.is_standing else _once(after)) - (
        _billed(before) if change.key.is_standing else _once(before)
    )
    monthly, once = (effect, Decimal(0)) if change.key.is_standing else (Decimal(0), effect)
    told = _told(kind, before, after)
    sentence = f"{change.product}: {told}, as before run {run}: {signed(effect)} {_how_often(change)}."
    return Change(
        kind,
        change.key,
        write.addition,
        change.product,
        before,
        after,
        f"undo of run {run}",
        sentence,
        monthly,
        once,
        keeps_price=change.keeps_price,
    )


def _how_often(change: Change) -> str:
    return "an invoice" if change.key.is_standing else "once"


def _told(kind: ChangeKind, before: LineValues, after: LineValues | None) -> str:
    if after is None:
        return f"the line of {number(before.quantity)} goes"
    if kind is ChangeKind.END:
        return f"the line of {number(before.quantity)} bills nothing any more"
    names = [name for name in LineValues.__slots__ if getattr(before, name) != getattr(after, name)]
    parts = [
        f"{name} {_said(after, name)} instead of {_said(before, name)}"
        for name in names
        if name != "invoice_description"
    ]
    return "; ".join(parts) or "the text on the invoice"


def _billed(values: LineValues | None) -> Decimal:
    """What a standing line adds to each invoice; one that ends adds nothing to those after it."""
    return values.monthly() if values is not None and values.cancelled_date is None else Decimal(0)


def _once(values: LineValues | None) -> Decimal:
    return values.monthly() if values is not None else Decimal(0)


def _said(values: LineValues, name: str) -> str:
    value = getattr(values, name)
    if name == "invoice_description":
        return "another text"
    if isinstance(value, date):
        return spoken(value)
    return number(value) if isinstance(value, Decimal) else str(value or "nothing")
