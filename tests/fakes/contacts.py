"""The contacts of companies, in memory beside the fake Manage, whose faults, counts and kills they share."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from shared.billing.contact_rules import ContactRules
from shared.contacts.contacts import MAIL_KIND, PHONE_KIND, Contact, Field, Item, Said, type_of
from shared.errors import Gone, NoEffect

if TYPE_CHECKING:
    from tests.fakes.house import FakeManage

_PLAIN = {
    Field.FIRST_NAME: "first_name",
    Field.LAST_NAME: "last_name",
    Field.TITLE: "title",
    Field.DEPARTMENT: "department",
}


class FakeContacts:
    """Manage knows no uniqueness: a contact that is made twice is there twice."""

    def __init__(self, manage: FakeManage) -> None:
        self._manage = manage
        self.rows: dict[int, Contact] = {}
        self.departments_ = ["Sales"]
        #: Fields that this Manage does not take, although it says yes.
        self.drops: frozenset[Field] = frozenset()

    @property
    def writes(self) -> int:
        return self._manage.calls["make contact"] + self._manage.calls["change contact"]

    def add(self, company: int, **values) -> Contact:
        """As a person adds one. `mail`, `phone` and `mobile` stand among its items."""
        items = [
            Item(MAIL_KIND if name == "mail" else PHONE_KIND, kind, values.pop(name), name != "mobile")
            for name, kind in (("mail", "Email"), ("phone", "Direct"), ("mobile", "Cell"))
            if name in values
        ]
        number = max(self.rows, default=500) + 1
        self.rows[number] = Contact(number, company, items=tuple(items), **values)
        return self.rows[number]

    def edit(self, contact: int, **values) -> None:
        """As a person edits one."""
        self.rows[contact] = replace(self.rows[contact], **values)

    def said(self, company: int) -> list[tuple]:
        """What all contacts of a company say, without Manage's ids."""
        rules = ContactRules()
        found = [one for one in self.rows.values() if one.company == company]
        return sorted((*(one.says(rules).get(name, "") for name in Field), one.inactive) for one in found)

    def mail_domains(self) -> dict[int, tuple[str, ...]]:
        found: dict[int, set[str]] = {}
        for row in self._manage._call("mail domains", lambda: list(self.rows.values())):
            if not row.inactive:
                found.setdefault(row.company, set()).update(mail.partition("@")[2] for mail in row.mails)
        return {company: tuple(sorted(domains)) for company, domains in found.items()}

    def of_company(self, company: int) -> list[Contact]:
        return self._manage._call("contacts", lambda: [one for one in self.rows.values() if one.company == company])

    def contact(self, contact_id: int) -> Contact:
        def found() -> Contact:
            if contact_id not in self.rows:
                raise Gone("the contact is not there")
            return self.rows[contact_id]

        return self._manage._call("contact", found)

    def departments(self) -> list[str]:
        return self._manage._call("departments", lambda: list(self.departments_))

    def create(self, company: int, said: Said, rules: ContactRules) -> Contact:
        made = self._manage._write("make contact", lambda: self._filled(self.add(company), said, rules))
        return self._like(made, said)

    def change(self, contact: Contact, said: Said, rules: ContactRules, *, inactive: bool) -> Contact:
        def changed() -> Contact:
            standing = replace(self.rows[contact.id], inactive=inactive)
            return self._filled(standing, said, rules)

        return self._like(self._manage._write("change contact", changed), said)

    def _like(self, answered: Contact, said: Said) -> Contact:
        if self.drops & set(said):
            raise NoEffect("the contact does not say what was asked", answered=answered)
        return answered

    def _filled(self, contact: Contact, said: Said, rules: ContactRules) -> Contact:
        for name, value in said.items():
            if name in self.drops:
                continue
            if name in _PLAIN:
                contact = replace(contact, **{_PLAIN[name]: value})
                continue
            items, place = list(contact.items), contact.place_of(name, rules)
            kind = MAIL_KIND if name is Field.MAIL else PHONE_KIND
            if place is None:
                items.append(Item(kind, type_of(name, rules), value, default=all(one.kind != kind for one in items)))
            else:
                items[place] = replace(items[place], value=value)
            contact = replace(contact, items=tuple(items))
        self.rows[contact.id] = contact
        return contact
