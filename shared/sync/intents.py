"""Intents left behind by a worker that died or could not learn what its write did: look, then decide.

The stamp answers for a line that was being created, the line's own fields for one that was being changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import ceil

from shared.billing.agreements import Addition
from shared.billing.lines import LedgerRow, LineValues, canonical
from shared.billing.plan import Change, ChangeKind
from shared.state.company_state import CompanyState
from shared.state.records import HistoryEntry, Intent


@dataclass(frozen=True, slots=True)
class Resolution:
    """What became of the intents: those done, those that never happened, and bill items still in doubt.

    `again_in` is the time in seconds after which the doubt can be resolved.
    """

    ledger: tuple[LedgerRow, ...]
    done: tuple[HistoryEntry, ...] = ()
    new_rows: tuple[LedgerRow, ...] = ()
    closed: tuple[str, ...] = ()
    in_doubt: frozenset[str] = frozenset()
    again_in: int | None = None


def resolve_intents(
    state: CompanyState, additions: Mapping[int, tuple[Addition, ...]], now: datetime, settling: int
) -> Resolution:
    """What to do about each intent, given the additions as they are now. `settling` is in seconds.

    A write whose effect is not to be seen may still arrive: until it has settled its bill item is left alone.
    """
    ledger = dict(state.ledger)
    done: list[HistoryEntry] = []
    new_rows: list[LedgerRow] = []
    closed: list[str] = []
    in_doubt: set[str] = set()
    waits: list[int] = []
    for intent in sorted(state.intents.values(), key=lambda intent: (intent.at, intent.id)):
        change = intent.change
        found = effect_of(change, additions.get(change.key.agreement, ()))
        if found is not None or _is_deleted(change, additions):
            done.append(_entry(intent, found))
            closed.append(intent.id)
            if found is not None and not change.is_of_copy:
                row = written_row(change, found, intent.at.date())
                ledger[row.stamp] = row
                new_rows.append(row)
        elif (left := _still_settling(intent, now, settling)) > 0:
            in_doubt.add(canonical(change.key.bill_item))
            waits.append(left)
        else:
            closed.append(intent.id)
    return Resolution(
        tuple(ledger.values()),
        tuple(done),
        tuple(new_rows),
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
    values = LineValues.of(target)
    return target if all(getattr(values, name) == value for name, value in change.fields().items()) else None


def written_row(change: Change, addition: Addition, day: date) -> LedgerRow:
    """What the ledger remembers of a line after a change: what Manage now says it is."""
    values = LineValues.of(addition)
    return LedgerRow(
        addition.serial_number.strip(), change.key, addition.id, addition.product, values, change.keeps_price, day
    )


def _is_deleted(change: Change, additions: Mapping[int, tuple[Addition, ...]]) -> bool:
    lines = additions.get(change.key.agreement)
    return change.kind is ChangeKind.DELETE and lines is not None and all(line.id != change.addition for line in lines)


def _still_settling(intent: Intent, now: datetime, settling: int) -> int:
    """Seconds until an effect that is not to be seen can be taken for never coming; 0 when that time has passed."""
    settled = (intent.unknown_since or intent.at) + timedelta(seconds=settling)
    return ceil(max((settled - now).total_seconds(), 0))


def _entry(intent: Intent, found: Addition | None) -> HistoryEntry:
    addition = found.id if found is not None else intent.change.addition
    return HistoryEntry(
        intent.id, intent.at, intent.run, "trueup", addition, intent.change, note="found done by a later look"
    )
