"""`service/boards` and `service/tickets` with their notes."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from local.sandbox.manage import tickets
from local.sandbox.manage.api import Api, body_of, one
from local.sandbox.manage.fields import BOARD, BOARD_STATUS, TICKET, TICKET_NOTE, FieldSet
from local.sandbox.manage.listing import Source, count_answer, list_answer
from local.sandbox.manage.records import Record

_TICKETS = "service/tickets"
_TICKET = _TICKETS + r"/{id:\d+}"
_NOTES = _TICKETS + r"/{ticket:\d+}/notes"
_STATUSES = r"service/boards/{board:\d+}/statuses"


class TicketApi(Api):
    """Boards with their statuses are read; tickets and notes are read and written."""

    def routes(self) -> list[web.RouteDef]:
        return [
            self.route("GET", "service/boards", self._boards),
            self.route("GET", _STATUSES, self._statuses),
            self.route("GET", _TICKETS, self._tickets),
            self.route("GET", _TICKETS + "/count", self._count),
            self.route("POST", _TICKETS, self._post),
            self.route("GET", _TICKET, self._get),
            self.route("PATCH", _TICKET, self._patch),
            self.route("GET", _NOTES, self._notes),
            self.route("POST", _NOTES, self._post_note),
        ]

    async def _boards(self, request: web.Request) -> web.Response:
        return list_answer(request, _source(BOARD, self.records.all("boards")))

    async def _statuses(self, request: web.Request) -> web.Response:
        board = self.found("boards", "Board", request.match_info["board"])
        return list_answer(request, _source(BOARD_STATUS, self.records.of_parent("boardStatuses", board["id"])))

    async def _tickets(self, request: web.Request) -> web.Response:
        return list_answer(request, _source(TICKET, self.records.all("tickets")))

    async def _count(self, request: web.Request) -> web.Response:
        return count_answer(request, _source(TICKET, self.records.all("tickets")))

    async def _post(self, request: web.Request) -> web.Response:
        record = tickets.new(self.instance, await body_of(request))
        return web.json_response(self.create(request, "tickets", record), status=201)

    async def _get(self, request: web.Request) -> web.Response:
        return one(request, self.found("tickets", "Ticket", request.match_info["id"]))

    async def _patch(self, request: web.Request) -> web.Response:
        operations = await body_of(request)
        ticket = self.found("tickets", "Ticket", request.match_info["id"])
        after = tickets.changed(self.instance, ticket, operations)
        return web.json_response(self.replace(request, "tickets", ticket, after))

    async def _notes(self, request: web.Request) -> web.Response:
        ticket = self.found("tickets", "Ticket", request.match_info["ticket"])
        return list_answer(request, _source(TICKET_NOTE, self.records.of_parent("ticketNotes", ticket["id"])))

    async def _post_note(self, request: web.Request) -> web.Response:
        body: Any = await body_of(request)
        ticket = self.found("tickets", "Ticket", request.match_info["ticket"])
        return web.json_response(self.create(request, "ticketNotes", tickets.new_note(ticket, body)), status=201)


def _source(fields: FieldSet, rows: list[Record]) -> Source:
    return Source(fields, lambda _: rows, lambda record: record)
