"""Intents left behind by a worker that died or could not learn what its write did: look, then decide.

The stamp answers for a line that was being created, the line's own fields for one that was being changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from math import ceil

from shared.billing.agreements import Addition, FieldValue
from shared.billing.lines import LedgerRow, LineValues, canonical
from shared.billing.planning.plan import Change, ChangeKind
from shared.state.company_state import CompanyState
from shared.state.records import Decision, HistoryEntry, Intent

#: Fields of a line that Manage does not change by itself when others are written.
_BILLED = frozenset({"quantity", "bill_customer", "cancelled_date"})


@dataclass(frozen=True, slots=True)
class Resolution:
    """What became of the intents: those done, those that never happened, and bill items still in doubt.

    `ledger` is the whole of it, with the lines found done, `decisions` all of them with what was found done of each.
    `again_in` is the time in seconds after which the doubt can be resolved.
    """

    ledger: tuple[LedgerRow, ...]
    decisions: Mapping[str, Decision] = field(default_factory=dict)
    done: tuple[HistoryEntry, ...] = ()
    closed: tuple[str, ...] = ()
    in_doubt: frozenset[str] = frozenset()
    again_in: int | None = None


def resolve_intents(
    state: CompanyState, additions: Mapping[int, tuple[Addition, ...]], now: datetime, settling: int, as_of: date
) -> Resolution:
    """What to do about each intent, given the additions as they are now. `settling` is in seconds, `as_of` the business
    date.

    A write whose effect is not to be seen may still arrive: until it has settled its bill item is left alone.
    """
    ledger = dict(state.ledger)
    decisions = dict(state.decisions)
    done: list[HistoryEntry] = []
    closed: list[str] = []
    in_doubt: set[str] = set()
    waits: list[int] = []
    for intent in sorted(state.intents.values(), key=lambda intent: (intent.at, intent.id)):
        change = intent.change
        found = effect_of(change, additions.get(change.key.agreement, ()))
        if found is not None or _is_deleted(change, additions):
            done.append(_entry(intent, found, as_of))
            closed.append(intent.id)
            if intent.approved in decisions:
                decisions[intent.approved] = decisions[intent.approved].having_written(change)
            ledger = after_write(ledger, change, found, as_of)
        elif (left := _still_settling(intent, now, settling)) > 0:
            in_doubt.add(canonical(change.key.bill_item))
            waits.append(left)
        else:
            closed.append(intent.id)
    return Resolution(
        tuple(ledger.values()),
        decisions,
        tuple(done),
        tuple(closed),
        frozenset(in_doubt),
        max(waits, default=None),
    )


def effect_of(change: Change, additions: tuple[Addition, ...]) -> Addition | None:
    """The addition that shows that the change took effect, or None."""
    if change.after is None:
        return None
    if change.kind is ChangeKind.CREATE:
        stamped = [line for line in additions if line.serial_number.strip() == change.after.serial_number]
        return min(stamped, key=lambda line: line.id, default=None)
    target = next((line for line in additions if line.id == change.addition), None)
    if target is None:
        return None
    return target if all(_says(target, name, value) for name, value in change.fields().items()) else None


def after_write(
    ledger: Mapping[str, LedgerRow], change: Change, addition: Addition | None, day: date
) -> dict[str, LedgerRow]:
    """The ledger by stamp after a change: `addition` is the line as Manage now has it, None where it is gone."""
    if change.lets_go:
        target = change.key.agreement, change.addition
        return {stamp: row for stamp, row in ledger.items() if (row.key.agreement, row.addition_id) != target}
    if addition is None or change.is_of_copy or not _is_ours(ledger, change):
        return dict(ledger)
    return one_row_each(ledger.values(), [written_row(change, addition, day)])


def _is_ours(ledger: Mapping[str, LedgerRow], change: Change) -> bool:
    """Whether the line is ours once it is written: by its stamp, or by a row of it although somebody cleared that."""
    known = {(row.key.agreement, row.addition_id) for row in ledger.values()}
    return change.after is not None and (change.after.is_ours or (change.key.agreement, change.addition) in known)


def written_row(change: Change, addition: Addition, day: date) -> LedgerRow:
    """What the ledger remembers of a line after a change: what Manage now says it is, and the stamp it should have.

    What says how much is billed, and until when, is what it was planned to be where the change did not send it: if it
    reads otherwise by now, a person has said so since, and that is told.
    """
    values, stamp = LineValues.of(addition), ""
    if change.after is not None:
        unsent = _BILLED - change.fields().keys()
        values = values.changed(**{name: getattr(change.after, name) for name in unsent})
        stamp = change.after.serial_number.strip()
    return LedgerRow(stamp, change.key, addition.id, addition.product, values, change.keeps_price, day)


def one_row_each(standing: Iterable[LedgerRow], rows: Iterable[LedgerRow]) -> dict[str, LedgerRow]:
    """The ledger by stamp with these rows in it: an addition has one row, the last one.

    A row of a line whose stamp somebody cleared keeps the stamp that it had.
    """
    by_addition = {(row.key.agreement, row.addition_id): row for row in standing}
    for row in rows:
        before = by_addition.pop((row.key.agreement, row.addition_id), None)
        stamp = row.stamp.strip() or (before.stamp if before is not None else "")
        by_addition[row.key.agreement, row.addition_id] = replace(row, stamp=stamp)
    return {row.stamp: row for row in by_addition.values()}


def _says(addition: Addition, name: str, value: FieldValue) -> bool:
    """Whether a field has the value that was sent; Manage may trim the text and change its line ends."""
    if name == "invoice_description":
        return _plain(addition.invoice_description) == _plain(str(value or ""))
    return bool(getattr(addition, name) == value)


def _plain(text: str) -> str:
    return "\n".join(text.split("\r\n")).strip()


def _is_deleted(change: Change, additions: Mapping[int, tuple[Addition, ...]]) -> bool:
    lines = additions.get(change.key.agreement)
    return change.kind is ChangeKind.DELETE and lines is not None and all(line.id != change.addition for line in lines)


def _still_settling(intent: Intent, now: datetime, settling: int) -> int:
    """Seconds until an effect that is not to be seen can be taken for never coming; 0 when that time has passed."""
    settled = (intent.unknown_since or intent.at) + timedelta(seconds=settling)
    return ceil(max((settled - now).total_seconds(), 0))


def _entry(intent: Intent, found: Addition | None, as_of: date) -> HistoryEntry:
    addition = found.id if found is not None else intent.change.addition
    return HistoryEntry(
        intent.id,
        intent.at,
        intent.run,
        intent.signed.by if intent.signed is not None else "trueup",
        addition,
        intent.change,
        note="; ".join(part for part in (intent.note, "found done by a later look") if part),
        day=as_of,
        signed=intent.signed,
        uninvoiced_from=intent.uninvoiced_from,
        undoes=intent.undoes,
    )
