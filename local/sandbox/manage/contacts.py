"""Contacts: what a POST and a PATCH make of them, and of their communication items.

An item's kind follows from its type; of each kind one item is the default. Numbers are kept as their digits. A
company's first contact is its default one, which cannot be made inactive.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from local.sandbox.manage.answers import invalid_field
from local.sandbox.manage.fields import CONTACT, CONTACT_ITEM
from local.sandbox.manage.instance import Instance
from local.sandbox.manage.records import Record
from local.sandbox.manage.writing import check, patched, read_values

#: Kinds of communication items by what this Manage calls them.
TYPES = {"Email": "Email", "Direct": "Phone", "Cell": "Phone", "Fax": "Fax"}
_LIMITS = {"firstName": 30, "lastName": 30, "title": 100}
_ITEM_PATH = re.compile(r"/?communicationItems/(\d+)/value")


def add_contact_departments(add: Callable[[str, Record], Record]) -> None:
    """The table of departments as a new Manage has it."""
    for name in ("Sales", "Finance", "Service"):
        add("contactDepartments", {"name": name})


def new(instance: Instance, body: Any) -> Record:
    """The contact that a POST asks for, not stored yet."""
    sent = read_values("contact", CONTACT, body)
    check("contact", sent, required=("firstName", "company"), limits=_LIMITS)
    company = instance.records.get("companies", int(sent["company"].get("id", 0)))
    if company is None:
        raise invalid_field("contact", "company/id", "The company does not exist.")
    sent["company"] = {name: company[name] for name in ("id", "identifier", "name") if name in company}
    sent["defaultFlag"] = not instance.records.of_parent("contacts", company["id"])
    items: list[Record] = []
    for item in sent.get("communicationItems", []):
        items = with_item(instance, items, item)
    return _with_department(instance, {"inactiveFlag": False, **sent, "communicationItems": items})


def changed(instance: Instance, contact: Record, operations: Any) -> Record:
    """The contact after PATCH operations, not stored yet."""
    after, written = patched("contact", CONTACT, contact, operations)
    after["communicationItems"] = [dict(item) for item in contact.get("communicationItems", [])]
    for operation in operations:
        place = _ITEM_PATH.fullmatch(str(operation.get("path", "")))
        if place is not None and operation.get("op") == "replace":
            items = after["communicationItems"]
            if int(place[1]) >= len(items):
                raise invalid_field("contact", "communicationItems", "There is no such item.")
            item = items[int(place[1])]
            item["value"] = _value(item["communicationType"], operation.get("value"))
    if after.get("inactiveFlag") and contact.get("defaultFlag"):
        raise invalid_field("contact", "inactiveFlag", "The default contact of a company cannot be inactive.")
    for name in written & {"company", "defaultFlag"}:
        after[name] = contact.get(name)
    check("contact", after, required=("firstName",), limits=_LIMITS)
    return _with_department(instance, after)


def with_item(instance: Instance, items: list[Record], body: Any) -> list[Record]:
    """The items with one more, the only default of its kind if it asks for that, or is the first."""
    sent = read_values("communication", CONTACT_ITEM, body)
    check("communication", sent, required=("type", "value"), limits={"value": 250})
    wanted = str(sent["type"].get("name", "")).casefold()
    name = next((each for each in TYPES if each.casefold() == wanted), None)
    if name is None:
        raise invalid_field("communication", "type", "The communication type does not exist.")
    kind = TYPES[name]
    same_kind = [item for item in items if item["communicationType"] == kind]
    default = bool(sent.get("defaultFlag")) or not same_kind
    kept = [{**item, "defaultFlag": False} if default and item in same_kind else item for item in items]
    made = {
        "id": instance.records.next_id("contactItems"),
        "type": {"id": list(TYPES).index(name) + 1, "name": name},
        "value": _value(kind, sent["value"]),
        "defaultFlag": default,
        "communicationType": kind,
    }
    return [*kept, made]


def _value(kind: str, value: Any) -> str:
    text = str(value or "").strip()
    if kind == "Email":
        if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", text):
            raise invalid_field("communication", "value", "The email address is not valid.")
        return text
    return re.sub(r"\D", "", text)


def _with_department(instance: Instance, contact: Record) -> Record:
    wanted = contact.get("department")
    if not wanted:
        return contact
    department = instance.records.get("contactDepartments", int(wanted.get("id", 0)))
    if department is None:
        raise invalid_field("contact", "department/id", "The department does not exist.")
    return {**contact, "department": {"id": department["id"], "name": department["name"]}}
