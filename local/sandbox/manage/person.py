"""What a person does in Manage by hand, behind TrueUp's back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from local.sandbox.clock import Clock
from local.sandbox.manage import additions, agreements, tickets
from local.sandbox.manage.answers import not_found
from local.sandbox.manage.instance import Instance
from local.sandbox.manage.records import ManageRecords, Record
from shared.errors import Refused

_BY = "a person"


def act(records: ManageRecords, clock: Clock, body: dict[str, Any]) -> dict[str, Any]:
    """Does one thing and answers with what stands afterwards.

    * `{"do": "edit", "addition": 9001, "fields": {"quantity": 5}}`
    * `{"do": "end", "addition": 9001, "date": "2026-11-30"}`
    * `{"do": "delete", "addition": 9001}`
    * `{"do": "copy-agreement", "agreement": 501}` copies its additions too, serial numbers included
    * `{"do": "edit-ticket", "ticket": 1, "fields": {"status": {"name": "Closed"}}}`
    * `{"do": "edit-agreement", "agreement": 501, "fields": {"nextInvoiceDate": "2026-12-01"}}`, any field

    Raises Refused when the deed is unknown, its object is missing or Manage does not allow the values.
    """
    deed = _DEEDS.get(str(body.get("do")))
    if deed is None:
        raise Refused(
            f"nobody knows how to do {body.get('do')!r}", system="sandbox manage", remedy=f"Do {', '.join(_DEEDS)}."
        )
    return deed(Instance(records, clock), body)


def _edit(instance: Instance, body: dict[str, Any]) -> dict[str, Any]:
    addition = _named(instance, "additions", body)
    after = additions.changed(instance, addition, _replacing(body.get("fields", {})))
    stored = instance.records.replace("additions", after, now=instance.clock.now(), by=_BY)
    return {"addition": additions.view(instance, stored)}


def _end(instance: Instance, body: dict[str, Any]) -> dict[str, Any]:
    return _edit(instance, {**body, "fields": {"cancelledDate": body.get("date")}})


def _delete(instance: Instance, body: dict[str, Any]) -> dict[str, Any]:
    addition = _named(instance, "additions", body)
    instance.records.remove("additions", addition["id"])
    return {"deleted": addition["id"]}


def _copy_agreement(instance: Instance, body: dict[str, Any]) -> dict[str, Any]:
    records, now = instance.records, instance.clock.now()
    agreement = _named(instance, "agreements", body)
    name = f"{agreement['name'][:90]} (copy)"
    copy = records.add("agreements", {**agreement, "id": None, "name": name}, now=now, by=_BY)
    lines = [
        records.add("additions", {**addition, "id": None, "agreementId": copy["id"]}, now=now, by=_BY)
        for addition in records.of_parent("additions", agreement["id"])
    ]
    return {
        "agreement": agreements.view(instance, copy),
        "additions": [additions.view(instance, line) for line in lines],
    }


def _edit_agreement(instance: Instance, body: dict[str, Any]) -> dict[str, Any]:
    agreement = _named(instance, "agreements", body)
    after = agreements.change(agreement, _replacing(body.get("fields", {})), ignored=frozenset({"id"}))
    stored = instance.records.replace("agreements", after, now=instance.clock.now(), by=_BY)
    return {"agreement": agreements.view(instance, stored)}


def _edit_ticket(instance: Instance, body: dict[str, Any]) -> dict[str, Any]:
    ticket = _named(instance, "tickets", body)
    after = tickets.changed(instance, ticket, _replacing(body.get("fields", {})))
    return {"ticket": instance.records.replace("tickets", after, now=instance.clock.now(), by=_BY)}


_DEEDS: dict[str, Callable[[Instance, dict[str, Any]], dict[str, Any]]] = {
    "edit": _edit,
    "end": _end,
    "delete": _delete,
    "copy-agreement": _copy_agreement,
    "edit-agreement": _edit_agreement,
    "edit-ticket": _edit_ticket,
}


def _named(instance: Instance, collection: str, body: dict[str, Any]) -> Record:
    """The record that the deed is done to."""
    name = collection.removesuffix("s")
    record = instance.records.get(collection, body.get(name, 0))
    if record is None:
        raise not_found(name.capitalize(), body.get(name, 0))
    return record


def _replacing(fields: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"op": "replace", "path": name, "value": value} for name, value in fields.items()]
