"""Contacts of companies: read whole, made, changed field by field, deactivated; never deleted."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, ValidationError

from shared.billing.contact_rules import ContactRules
from shared.contacts.contacts import MAIL_KIND, PHONE_KIND, Contact, Field, Item, Said, plain, same, type_of
from shared.errors import NoEffect
from shared.manage import conditions
from shared.manage.cache import Cache
from shared.manage.call import Call
from shared.manage.failures import SYSTEM
from shared.manage.paging import read_all
from shared.manage.rows import Flag, Id, Reference, Row, Text, Unreadable
from shared.manage.session import Session

CONTACTS = "/company/contacts"
CONTACT = "/company/contacts/{contact}"
COMMUNICATIONS = "/company/contacts/{contact}/communications"
DEPARTMENTS = "/company/contacts/departments"

#: Manage's name of each field that is not an address or number.
_NAMES = {Field.FIRST_NAME: "firstName", Field.LAST_NAME: "lastName", Field.TITLE: "title"}
_ITEMS = {Field.MAIL: MAIL_KIND, Field.PHONE: PHONE_KIND, Field.MOBILE: PHONE_KIND}
#: The table of departments changes seldom.
_KEPT_SECONDS = 600.0


class ManageContacts:
    """The contacts of one Manage; raises what the client does. No error holds what a contact says."""

    def __init__(self, session: Session, clock: Callable[[], float] = time.monotonic) -> None:
        self._session = session
        self._departments: Cache[str, dict[str, int]] = Cache(_KEPT_SECONDS, clock)

    @property
    def last_request_id(self) -> str | None:
        return self._session.last_request_id

    def of_company(self, company: int) -> list[Contact]:
        """Every contact of a company, inactive ones too."""
        call = Call("GET", CONTACTS, params={"conditions": conditions.equals("company/id", company)})
        return read_all(self._session, call, lambda row: _contact_of(company, row))

    def contact(self, contact_id: int) -> Contact:
        """One contact. `Gone` when it is not there (any more)."""
        return self._session.read(Call("GET", CONTACT, {"contact": contact_id}), _contact)

    def mail_domains(self) -> dict[int, tuple[str, ...]]:
        """The domains of the addresses of active contacts by company, each once: all companies in a few calls."""
        wanted = {"conditions": "inactiveFlag=false", "fields": "id,company/id,communicationItems"}
        found: dict[int, set[str]] = {}
        for contact in read_all(self._session, Call("GET", CONTACTS, params=wanted), _contact):
            domains = {mail.rpartition("@")[2].casefold() for mail in contact.mails if "@" in mail}
            found.setdefault(contact.company, set()).update(domains - {""})
        return {company: tuple(sorted(domains)) for company, domains in sorted(found.items()) if domains}

    def departments(self) -> list[str]:
        """What the table of contacts' departments names; kept for ten minutes."""
        return list(self._known_departments())

    def create(self, company: int, said: Said, rules: ContactRules) -> Contact:
        """Makes a contact. Never sent twice: after `OutcomeUnknown` look for it before doing anything again."""
        items = [self._item(name, said[name], rules, first=True) for name in _ITEMS if name in said]
        body = {
            **{_NAMES[name]: value for name, value in said.items() if name in _NAMES},
            **({"department": self._department(said[Field.DEPARTMENT])} if Field.DEPARTMENT in said else {}),
            "company": {"id": company},
            "communicationItems": _one_default_each(items),
        }
        call = Call("POST", CONTACTS, body=body)
        return self._like(call, self._session.read(call, _contact), said, rules, inactive=False)

    def change(self, contact: Contact, said: Said, rules: ContactRules, *, inactive: bool) -> Contact:
        """Sets fields of a contact as it stands, and whether it is inactive. Gives it as it is then.

        What is replaced is safe to repeat; an address or number that is new to the contact is never sent twice.
        """
        places = {name: contact.place_of(name, rules) for name in _ITEMS if name in said}
        operations = [_replaced(_NAMES[name], value) for name, value in said.items() if name in _NAMES]
        if Field.DEPARTMENT in said:
            operations.append(_replaced("department", self._department(said[Field.DEPARTMENT])))
        for name, place in places.items():
            if place is not None:
                operations.append(_replaced(f"/communicationItems/{place}/value", said[name]))
        if inactive is not contact.inactive:
            operations.append(_replaced("inactiveFlag", inactive))
        call = Call("PATCH", CONTACT, {"contact": contact.id}, body=operations)
        if operations:
            self._session.send(call)
        for name in (name for name, place in places.items() if place is None):
            first = all(item.kind != _ITEMS[name] for item in contact.items)
            body = self._item(name, said[name], rules, first=first)
            self._session.send(Call("POST", COMMUNICATIONS, {"contact": contact.id}, body=body))
        return self._like(call, self.contact(contact.id), said, rules, inactive=inactive)

    def _item(self, name: Field, value: str, rules: ContactRules, *, first: bool) -> dict[str, Any]:
        return {
            "type": {"name": type_of(name, rules)},
            "value": value,
            "defaultFlag": first,
            "communicationType": _ITEMS[name],
        }

    def _department(self, name: str) -> dict[str, int]:
        return {"id": self._known_departments()[name]}

    def _known_departments(self) -> Mapping[str, int]:
        known = self._departments.fresh([DEPARTMENTS])
        if not known:
            rows = read_all(self._session, Call("GET", DEPARTMENTS), _named)
            known = self._departments.keep({DEPARTMENTS: {row.name: row.id for row in rows}})
        return known[DEPARTMENTS]

    def _like(self, call: Call, answered: Contact, said: Said, rules: ContactRules, *, inactive: bool) -> Contact:
        """The contact, which says what was asked. The error names fields, and no value."""
        says = answered.says(rules)
        differing = [
            name.value
            for name, value in said.items()
            if not same(name, says.get(name, ""), value)
            and not (name is Field.MAIL and plain(name, value) in answered.mails)
        ]
        if answered.inactive is not inactive:
            differing.append("active")
        if differing:
            raise NoEffect(
                f"{call}: contact {answered.id} does not say what was asked: {', '.join(differing)}",
                system=SYSTEM,
                request_id=self.last_request_id,
                remedy="Look at the contact in ConnectWise Manage: something there keeps or changes these fields.",
                answered=answered,
            )
        return answered


class _Named(Row):
    id: Id
    name: Text = ""


class _ItemRow(Row):
    type: Reference = None
    value: Text = ""
    default_flag: Flag = False
    communication_type: Text = ""


def _list(value: Any) -> Any:
    return [] if value in (None, "") else value


class _ContactRow(Row):
    id: Id
    first_name: Text = ""
    last_name: Text = ""
    company: Reference = None
    title: Text = ""
    department: Reference = None
    inactive_flag: Flag = False
    default_flag: Flag = False
    communication_items: Annotated[tuple[_ItemRow, ...], BeforeValidator(_list)] = ()


def _contact(row: Any) -> Contact:
    try:
        it = _ContactRow.model_validate(row)
    except ValidationError:
        raise Unreadable("a contact cannot be read") from None
    return Contact(
        id=it.id,
        company=it.company.id if it.company is not None else 0,
        first_name=it.first_name,
        last_name=it.last_name,
        title=it.title,
        department=it.department.name if it.department is not None else "",
        items=tuple(
            Item(item.communication_type, item.type.name if item.type else "", item.value, item.default_flag)
            for item in it.communication_items
        ),
        inactive=it.inactive_flag,
        default=it.default_flag,
    )


def _contact_of(company: int, row: Any) -> Contact:
    contact = _contact(row)
    if contact.company != company:
        # A filter that was lost on the way would make one company's people another's.
        raise Unreadable(f"contact {contact.id} in the answer is not of company {company}")
    return contact


def _named(row: Any) -> _Named:
    try:
        return _Named.model_validate(row)
    except ValidationError:
        raise Unreadable("a department of contacts cannot be read") from None


def _replaced(path: str, value: Any) -> dict[str, Any]:
    return {"op": "replace", "path": path, "value": value}


def _one_default_each(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of each kind the first is the default."""
    seen: set[str] = set()
    for item in items:
        item["defaultFlag"] = item["communicationType"] not in seen
        seen.add(item["communicationType"])
    return items
