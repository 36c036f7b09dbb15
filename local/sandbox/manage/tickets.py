"""Tickets: what a POST and a PATCH make of them. A status belongs to one board; whether it closes follows from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from local.sandbox.manage.answers import invalid_field
from local.sandbox.manage.fields import TICKET, TICKET_NOTE
from local.sandbox.manage.instance import Instance
from local.sandbox.manage.records import Record
from local.sandbox.manage.writing import check, patched, read_values

_REQUIRED = ("summary", "company")
_LIMITS = {"summary": 100}


def add_service_board(add: Callable[[str, Record], Record]) -> None:
    """A service board as a new Manage has it."""
    board = add("boards", {"name": "Service Desk", "inactiveFlag": False})
    board_reference = {"id": board["id"], "name": board["name"]}
    for name, closed in (("New", False), ("In Progress", False), ("Closed", True)):
        add(
            "boardStatuses",
            {"name": name, "closedStatus": closed, "defaultFlag": name == "New", "board": board_reference},
        )


def new(instance: Instance, body: Any) -> Record:
    """The ticket that a POST asks for, not stored yet. Without a board and a status it gets the first ones."""
    sent = read_values("ticket", TICKET, body)
    check("ticket", sent, required=_REQUIRED, limits=_LIMITS)
    company = instance.records.get("companies", int(sent["company"].get("id", 0)))
    if company is None:
        raise invalid_field("ticket", "company", "The company does not exist.")
    boards = instance.records.all("boards")
    wanted = sent.get("board", {})
    board = next((each for each in boards if not wanted or _is(each, wanted)), None)
    if board is None:
        raise invalid_field("ticket", "board", "The board does not exist.")
    sent["board"] = {"id": board["id"], "name": board["name"]}
    return _with_status(instance, {**sent, "recordType": "ServiceTicket"})


def changed(instance: Instance, ticket: Record, operations: Any) -> Record:
    """The ticket after PATCH operations, not stored yet."""
    after, written = patched("ticket", TICKET, ticket, operations)
    for name in written & {"closedFlag", "closedDate", "closedBy"}:
        after[name] = ticket.get(name)
    check("ticket", after, required=_REQUIRED, limits=_LIMITS)
    return _with_status(instance, after)


def new_note(ticket: Record, body: Any) -> Record:
    """The note that a POST asks for, not stored yet."""
    sent = read_values("note", TICKET_NOTE, body)
    check("note", sent, required=("text",), limits={})
    return {**sent, "ticketId": ticket["id"]}


def _with_status(instance: Instance, ticket: Record) -> Record:
    statuses = instance.records.of_parent("boardStatuses", ticket["board"]["id"])
    wanted = ticket.get("status", {})
    status = next((each for each in statuses if _is(each, wanted) or (not wanted and each["defaultFlag"])), None)
    if status is None:
        raise invalid_field("ticket", "status", "The status does not exist on this board.")
    return {
        **ticket,
        "status": {"id": status["id"], "name": status["name"]},
        "closedFlag": status["closedStatus"],
    }


def _is(record: Record, reference: Record) -> bool:
    """Whether a reference names the record, by id or name."""
    by_id = "id" in reference and reference["id"] == record["id"]
    return by_id or ("id" not in reference and str(reference.get("name", "")).casefold() == record["name"].casefold())
