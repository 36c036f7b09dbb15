"""Customers' users, and the contacts made of them."""

from __future__ import annotations

from collections.abc import Mapping

from typing_extensions import TypedDict


class Account(TypedDict):
    name: str
    sign_in_name: str
    licences: list[str]
    enabled: bool
    guest: bool
    synced: bool
    password_never_expires: bool
    last_sign_in: str | None
    created: str | None


class Accounts(TypedDict):
    """The users of one customer; `problem` and `remedy` where they could not be read."""

    company: int
    name: str
    customer: str
    problem: str | None
    remedy: str | None
    sign_ins_told: bool
    accounts: list[Account]


class AccountsOfCompany(TypedDict):
    customers: list[Accounts]


class AccountsOfAll(AccountsOfCompany):
    """`next` is the `after` of the next part; null when this was the last."""

    next: int | None


class ContactField(TypedDict):
    field: str
    before: str
    after: str


class ContactChange(TypedDict):
    kind: str
    name: str
    contact: int | None
    fields: list[ContactField]


class ContactNote(TypedDict):
    name: str
    text: str
    contact: int | None


class Unread(TypedDict):
    customer: str
    problem: str
    remedy: str


class Contacts(TypedDict):
    """`held` says why deactivations wait, `leaving` is their mark for a release. `kept` counts contacts kept."""

    company: int
    name: str
    mode: str
    changes: list[ContactChange]
    notes: list[ContactNote]
    held: str
    leaving: str
    kept: int
    in_doubt: int
    unread: list[Unread]


class ContactsDone(TypedDict):
    outcome: str
    note: str
    written: Mapping[str, int]
    planned: Mapping[str, int]
