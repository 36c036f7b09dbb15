"""All of one MSP's Manage data, as plain REST-shaped dicts by collection and id."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

Record = dict[str, Any]

COLLECTIONS = (
    "companies",
    "agreements",
    "additions",
    "catalog",
    "subcategories",
    "productTypes",
    "unitsOfMeasure",
    "billingCycles",
    "agreementTypes",
    "invoices",
    "callbacks",
    "members",
    "boards",
    "boardStatuses",
    "tickets",
    "ticketNotes",
    "contacts",
    "contactItems",
    "contactDepartments",
)

#: The field that names a record's parent, for the collections that are read by parent.
_PARENT = {
    "additions": "agreementId",
    "agreements": "company",
    "invoices": "agreement",
    "boardStatuses": "board",
    "ticketNotes": "ticketId",
    "contacts": "company",
}


def moment_text(moment: datetime) -> str:
    """A moment as Manage writes it: `2026-11-21T02:00:00Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def day_text(day: date) -> str:
    """A calendar date as Manage writes it: midnight UTC."""
    return f"{day.isoformat()}T00:00:00Z"


def day_of(record: Record, field: str) -> date | None:
    """A date field as a calendar date, None when unset."""
    text = record.get(field)
    return date.fromisoformat(text[:10]) if text else None


class ManageRecords:
    """The collections, each a dict of records by id. Every write moves the record's `_info.lastUpdated`.

    Write through these methods when a record's parent changes; other fields of a stored dict may be set directly.
    """

    def __init__(self) -> None:
        self.collections: dict[str, dict[int, Record]] = {name: {} for name in COLLECTIONS}
        #: Additions made after the start that no invoice run has come past yet, by id.
        self.uninvoiced: set[int] = set()
        #: What each invoice billed, by invoice id (see `invoices.run_invoices` for the shape).
        self.billed: dict[int, Record] = {}
        #: The additions that each invoice run came past for the first time, by invoice id.
        self.first_billed: dict[int, set[int]] = {}
        self._children: dict[str, dict[int, dict[int, Record]]] = {name: {} for name in _PARENT}
        self._last_id: dict[str, int] = dict.fromkeys(COLLECTIONS, 0)

    def next_id(self, collection: str) -> int:
        """An id that no record of the collection has had."""
        self._last_id[collection] += 1
        return self._last_id[collection]

    def add(self, collection: str, record: Record, *, now: datetime, by: str = "sandbox") -> Record:
        """Stores a record without its unset fields, with an id (a new one when it has none) and `_info`; returns it."""
        record_id = record.get("id")
        stored = {"id": self.next_id(collection) if record_id is None else record_id}
        stored |= {name: value for name, value in record.items() if value is not None}
        self._last_id[collection] = max(self._last_id[collection], stored["id"])
        moment = moment_text(now)
        stored["_info"] = {"lastUpdated": moment, "updatedBy": by, "dateEntered": moment, "enteredBy": by}
        self.collections[collection][stored["id"]] = stored
        self._enter(collection, stored)
        return stored

    def get(self, collection: str, record_id: int) -> Record | None:
        return self.collections[collection].get(record_id)

    def replace(self, collection: str, record: Record, *, now: datetime, by: str = "sandbox") -> Record:
        """Gives the stored record with this id the content of `record`, in place."""
        stored = self.collections[collection][record["id"]]
        self._leave(collection, stored)
        info = stored["_info"]
        stored.clear()
        stored.update({name: value for name, value in record.items() if value is not None}, _info=info)
        self._enter(collection, stored)
        self.touch(stored, now=now, by=by)
        return stored

    def touch(self, stored: Record, *, now: datetime | None = None, by: str = "sandbox") -> None:
        """Moves `lastUpdated` to `now`, and by a second at least, as the clock may stand still."""
        least = datetime.fromisoformat(stored["_info"]["lastUpdated"]) + timedelta(seconds=1)
        moved = least if now is None else max(now, least)
        stored["_info"] = {**stored["_info"], "lastUpdated": moment_text(moved), "updatedBy": by}

    def remove(self, collection: str, record_id: int) -> None:
        self._leave(collection, self.collections[collection].pop(record_id))

    def all(self, collection: str) -> list[Record]:
        """Every record of a collection, by id."""
        return _by_id(self.collections[collection].values())

    def of_parent(self, collection: str, parent_id: int) -> list[Record]:
        """The additions or invoices of an agreement, or the agreements of a company, by id."""
        return _by_id(self._children[collection].get(parent_id, {}).values())

    def _enter(self, collection: str, stored: Record) -> None:
        if collection in _PARENT:
            siblings = self._children[collection].setdefault(_parent_id(collection, stored), {})
            siblings[stored["id"]] = stored

    def _leave(self, collection: str, stored: Record) -> None:
        if collection in _PARENT:
            del self._children[collection][_parent_id(collection, stored)][stored["id"]]


def _parent_id(collection: str, record: Record) -> int:
    parent = record[_PARENT[collection]]
    return int(parent["id"]) if isinstance(parent, dict) else int(parent)


def _by_id(records: Iterable[Record]) -> list[Record]:
    return sorted(records, key=lambda record: record["id"])
