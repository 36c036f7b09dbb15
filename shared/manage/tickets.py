"""Tickets on the service boards: found by their stamp, opened once, noted, closed and opened again."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from shared.errors import NoEffect
from shared.manage import conditions
from shared.manage.call import Call
from shared.manage.failures import SYSTEM
from shared.manage.paging import read_all
from shared.manage.rows import Flag, Id, Row, Text, Unreadable
from shared.manage.session import Session
from shared.tickets import NewTicket, Ticket

TICKETS = "/service/tickets"
TICKET = "/service/tickets/{ticket}"
NOTES = "/service/tickets/{ticket}/notes"


class ManageTickets:
    """The tickets of one Manage; raises what the client does."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def stamped(self, stamp: str) -> list[Ticket]:
        """The tickets with this external reference, on whatever board, the oldest first."""
        call = Call("GET", TICKETS, params={"conditions": conditions.equals("externalXRef", stamp)})
        found = [ticket for ticket in read_all(self._session, call, _ticket) if ticket.stamp == stamp]
        return sorted(found, key=lambda ticket: ticket.id)

    def ticket(self, ticket_id: int) -> Ticket:
        """One ticket. `Gone` when it is not there (any more)."""
        return self._session.read(Call("GET", TICKET, {"ticket": ticket_id}), _ticket)

    def open(self, new: NewTicket) -> Ticket:
        """Opens a ticket. Never sent twice: after `OutcomeUnknown` look for it before doing anything again."""
        return self._session.read(Call("POST", TICKETS, body=_body(new)), _ticket)

    def notes(self, ticket_id: int) -> list[str]:
        """The texts of a ticket's notes."""
        return [note.text for note in read_all(self._session, Call("GET", NOTES, {"ticket": ticket_id}), _note)]

    def add_note(self, ticket_id: int, text: str) -> None:
        """Adds an internal note, which no customer is mailed. Never sent twice."""
        body = {
            "text": text,
            "detailDescriptionFlag": False,
            "internalAnalysisFlag": True,
            "resolutionFlag": False,
            "processNotifications": False,
        }
        self._session.send(Call("POST", NOTES, {"ticket": ticket_id}, body=body))

    def set_status(self, ticket_id: int, status: str, *, closed: bool) -> None:
        """Gives a ticket a status of its board. `NoEffect` where it is not `closed` then, or not open. Repeatable."""
        body = [{"op": "replace", "path": "status", "value": {"name": status}}]
        call = Call("PATCH", TICKET, {"ticket": ticket_id}, body=body)
        answered = self._session.read(call, _ticket)
        if answered.closed is not closed:
            raise NoEffect(
                f"{call}: with status {status} the ticket is {'closed' if answered.closed else 'open'}",
                system=SYSTEM,
                request_id=self._session.last_request_id,
                remedy="Name statuses of the board in the rules: one that is open, and one that closes tickets.",
                answered=answered,
            )


class _TicketRow(Row):
    id: Id
    external_x_ref: Text = ""
    closed_flag: Flag = False


class _NoteRow(Row):
    id: Id
    text: Text = ""


def _ticket(row: Any) -> Ticket:
    try:
        it = _TicketRow.model_validate(row)
    except ValidationError:
        raise Unreadable("a ticket cannot be read") from None
    return Ticket(it.id, it.external_x_ref.strip(), it.closed_flag)


def _note(row: Any) -> _NoteRow:
    try:
        return _NoteRow.model_validate(row)
    except ValidationError:
        raise Unreadable("a note of a ticket cannot be read") from None


def _body(new: NewTicket) -> dict[str, Any]:
    named = {"status": new.status, "type": new.type, "priority": new.priority}
    return {
        "summary": new.summary,
        "company": {"id": new.company},
        "board": {"name": new.board},
        **{field: {"name": name} for field, name in named.items() if name},
        "externalXRef": new.stamp,
        "initialInternalAnalysis": new.text,
        "automaticEmailContactFlag": False,
        "automaticEmailResourceFlag": False,
        "automaticEmailCcFlag": False,
    }
