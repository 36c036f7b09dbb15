"""What is remembered of contacts that are kept, and of writes of which nobody knows yet what became."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from shared.billing.contact_rules import ContactRules
from shared.contacts.contacts import Contact, digests


class Kind(StrEnum):
    """`adopt` is an update of a contact that a person made; it may write nothing at all."""

    CREATE = "create"
    ADOPT = "adopt"
    UPDATE = "update"
    REACTIVATE = "reactivate"
    DEACTIVATE = "deactivate"


@dataclass(frozen=True, slots=True)
class Written:
    """A write that was begun, and of which nobody knows yet what became. `wrote` are digests by field."""

    kind: Kind
    at: datetime
    wrote: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Kept:
    """What is remembered of a user's contact: ids, and digests of what was last written by field, no names.

    `contact` is None before it is known, `made` False where it was adopted. `deactivated`: by us. `gone` is the day on
    which the user was first seen to be in the directory no more, None while he or she is.
    """

    account: str
    source: str
    customer: str
    contact: int | None = None
    made: bool = False
    wrote: Mapping[str, str] = field(default_factory=dict)
    deactivated: bool = False
    begun: Written | None = None
    gone: date | None = None


def ageing(kept: Iterable[Kept], there: Collection[str], today: date, days: int) -> tuple[list[Kept], list[str]]:
    """Rows that change because a user went or came back, and the accounts to be forgotten, gone for more than `days`.

    `kept` are rows of customers that were read whole, `there` all the accounts that these have.
    """
    changed, forgotten = [], []
    for row in kept:
        if row.account in there:
            changed += [replace(row, gone=None)] if row.gone is not None else []
        elif row.gone is None:
            changed.append(replace(row, gone=today))
        elif today - row.gone > timedelta(days=days):
            forgotten.append(row.account)
    return changed, forgotten


@dataclass(frozen=True, slots=True)
class Resolved:
    """What became of writes that were begun: rows to store, and accounts still in doubt for so many seconds."""

    rows: tuple[Kept, ...] = ()
    in_doubt: frozenset[str] = frozenset()
    wait: float = 0


def after(row: Kept, contact: int) -> Kept:
    """What is remembered once the write that was begun has happened, to the contact with this id."""
    assert row.begun is not None
    kind = row.begun.kind
    return replace(
        row,
        contact=contact,
        made=row.made or kind is Kind.CREATE,
        wrote={**row.wrote, **row.begun.wrote},
        deactivated=kind is Kind.DEACTIVATE,
        begun=None,
    )


def otherwise(row: Kept, contact: Contact, rules: ContactRules) -> Kept:
    """What is remembered of a contact that was made, but does not say all that was asked."""
    made = replace(row, contact=contact.id, made=True)
    return replace(made, wrote=_partly([contact], made, rules), begun=None)


def resolve(
    kept: Mapping[str, Kept],
    contacts: Sequence[Contact],
    rules: ContactRules,
    settles_in: Callable[[datetime], float],
) -> Resolved:
    """Looks for the effect of every write that was begun; `settles_in`: for how many seconds more it may still come.

    A create shows in a contact that says what was written; one of which nothing is to be seen when it has settled
    never happened.
    """
    rows: list[Kept] = []
    doubt: dict[str, float] = {}
    known = {row.contact for row in kept.values() if row.contact is not None}
    for row in sorted(kept.values(), key=lambda one: one.account):
        if row.begun is None:
            continue
        found = next((one for one in contacts if _shows(one, row, rules, known)), None)
        if found is not None:
            rows.append(after(row, found.id))
        elif (left := settles_in(row.begun.at)) > 0:
            doubt[row.account] = left
        else:
            rows.append(replace(row, wrote={**row.wrote, **_partly(contacts, row, rules)}, begun=None))
    return Resolved(tuple(rows), frozenset(doubt), max(doubt.values(), default=0))


def _partly(contacts: Sequence[Contact], row: Kept, rules: ContactRules) -> dict[str, str]:
    """What of a write has happened that did not happen whole."""
    assert row.begun is not None
    contact = next((one for one in contacts if one.id == row.contact), None)
    said = {} if contact is None else digests(row.account, contact.says(rules))
    return {name: wrote for name, wrote in row.begun.wrote.items() if said.get(name) == wrote}


def _shows(contact: Contact, row: Kept, rules: ContactRules, known: Collection[int]) -> bool:
    """Whether a contact shows that the write that was begun has happened."""
    assert row.begun is not None
    if row.begun.kind is Kind.DEACTIVATE:
        return contact.id == row.contact and contact.inactive
    if row.begun.kind is Kind.CREATE and contact.id in known:
        return False
    if row.begun.kind is not Kind.CREATE and contact.id != row.contact:
        return False
    said = digests(row.account, contact.says(rules))
    return not contact.inactive and all(said.get(name) == wrote for name, wrote in row.begun.wrote.items())
