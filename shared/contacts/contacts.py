"""Contacts as Manage has them, and what one should say of a user."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from shared.billing.contact_rules import ContactRules
from shared.contacts.accounts import Account


class Field(StrEnum):
    """What of a contact is kept; a user's field that is empty says nothing about it."""

    FIRST_NAME = "first name"
    LAST_NAME = "last name"
    TITLE = "title"
    DEPARTMENT = "department"
    MAIL = "mail"
    PHONE = "phone"
    MOBILE = "mobile"


#: What a field says, by field; fields that say nothing are left out.
Said = Mapping[Field, str]
#: Manage's kinds of communication items.
MAIL_KIND, PHONE_KIND = "Email", "Phone"
_PHONES = frozenset({Field.PHONE, Field.MOBILE})


@dataclass(frozen=True, slots=True)
class Item:
    """One address or number of a contact. `kind` is Email, Phone or Fax, `type` what this Manage calls it."""

    kind: str
    type: str
    value: str = field(repr=False)
    default: bool = False


@dataclass(frozen=True, slots=True)
class Contact:
    """A contact of a company. `default`: it is the one whom Manage takes where nobody is named."""

    id: int
    company: int
    first_name: str = field(default="", repr=False)
    last_name: str = field(default="", repr=False)
    title: str = field(default="", repr=False)
    department: str = field(default="", repr=False)
    items: tuple[Item, ...] = field(default=(), repr=False)
    inactive: bool = False
    default: bool = False

    @property
    def mails(self) -> frozenset[str]:
        """Every mail address, to be compared."""
        return frozenset(plain(Field.MAIL, item.value) for item in self.items if item.kind == MAIL_KIND)

    def place_of(self, field: Field, rules: ContactRules) -> int | None:
        """Which of the items is the one that a field is written to, None where there is none yet.

        The mail address is the default one, or the first; a number has the type that the rules name.
        """
        if field is Field.MAIL:
            mails = [place for place, item in enumerate(self.items) if item.kind == MAIL_KIND]
            return next((place for place in mails if self.items[place].default), mails[0] if mails else None)
        wanted = type_of(field, rules).casefold()
        return next((place for place, item in enumerate(self.items) if item.type.casefold() == wanted), None)

    def says(self, rules: ContactRules) -> dict[Field, str]:
        """What it says, by field."""
        own = {
            Field.FIRST_NAME: self.first_name,
            Field.LAST_NAME: self.last_name,
            Field.TITLE: self.title,
            Field.DEPARTMENT: self.department,
        }
        for each in (Field.MAIL, Field.PHONE, Field.MOBILE):
            place = self.place_of(each, rules)
            own[each] = "" if place is None else self.items[place].value
        return {name: value.strip() for name, value in own.items() if value.strip()}


def type_of(field: Field, rules: ContactRules) -> str:
    """What this Manage calls the kind of address or number that a field is written to."""
    return {Field.MAIL: rules.mail_type, Field.PHONE: rules.phone_type, Field.MOBILE: rules.mobile_type}[field]


def wanted_of(account: Account, rules: ContactRules, departments: Collection[str]) -> dict[Field, str]:
    """What the contact of a user should say. A department that Manage does not have is left out."""
    first, _, rest = account.user.name.strip().partition(" ")
    known = {name.casefold(): name for name in departments}
    whole = {
        Field.FIRST_NAME: account.given_name or first,
        Field.LAST_NAME: account.surname or ("" if account.given_name else rest.strip()),
        Field.TITLE: account.title,
        Field.DEPARTMENT: known.get((account.user.department or "").casefold(), ""),
        Field.MAIL: account.mail,
        Field.PHONE: account.business_phone,
        Field.MOBILE: account.mobile_phone,
    }
    if rules.phone_type.casefold() == rules.mobile_type.casefold():
        del whole[Field.MOBILE]
    return {name: value.strip() for name, value in whole.items() if value.strip()}


def plain(field: Field, value: str) -> str:
    """A value as it is compared: addresses in any case, numbers by their digits, which Manage may space otherwise."""
    if field in _PHONES:
        return "".join(character for character in value if character.isdigit())
    text = " ".join(value.split())
    return text.casefold() if field is Field.MAIL else text


def same(field: Field, one: str, other: str) -> bool:
    return plain(field, one) == plain(field, other)


def digest(account: str, field: Field, value: str) -> str:
    """What is remembered of a value that was written: enough to see that it still stands, and not the value."""
    text = "\0".join((account, field.value, plain(field, value)))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def digests(account: str, said: Said) -> dict[str, str]:
    return {name.value: digest(account, name, value) for name, value in said.items()}
