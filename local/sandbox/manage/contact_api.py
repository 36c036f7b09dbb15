"""`company/contacts` with their communication items, and the table of their departments."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from local.sandbox.manage import contacts
from local.sandbox.manage.api import Api, body_of, one
from local.sandbox.manage.conditions import Expression
from local.sandbox.manage.fields import CONTACT, CONTACT_DEPARTMENT
from local.sandbox.manage.listing import Source, count_answer, list_answer
from local.sandbox.manage.records import Record

_CONTACTS = "company/contacts"
_CONTACT = _CONTACTS + r"/{id:\d+}"


class ContactApi(Api):
    """Contacts are read and written, their departments read."""

    def routes(self) -> list[web.RouteDef]:
        return [
            self.route("GET", _CONTACTS, self._list),
            self.route("GET", _CONTACTS + "/count", self._count),
            self.route("GET", _CONTACTS + "/departments", self._departments),
            self.route("POST", _CONTACTS, self._post),
            self.route("GET", _CONTACT, self._get),
            self.route("PATCH", _CONTACT, self._patch),
            self.route("POST", _CONTACT + "/communications", self._post_item),
        ]

    @property
    def _source(self) -> Source:
        return Source(CONTACT, self._rows, lambda record: record)

    def _rows(self, condition: Expression | None) -> list[Record]:
        company = condition.pinned(("company", "id")) if condition else None
        return self.records.all("contacts") if company is None else self.records.of_parent("contacts", int(company))

    async def _list(self, request: web.Request) -> web.Response:
        return list_answer(request, self._source)

    async def _count(self, request: web.Request) -> web.Response:
        return count_answer(request, self._source)

    async def _departments(self, request: web.Request) -> web.Response:
        rows = self.records.all("contactDepartments")
        return list_answer(request, Source(CONTACT_DEPARTMENT, lambda _: rows, lambda record: record))

    async def _post(self, request: web.Request) -> web.Response:
        record = contacts.new(self.instance, await body_of(request))
        return web.json_response(self.create(request, "contacts", record), status=201)

    async def _get(self, request: web.Request) -> web.Response:
        return one(request, self.found("contacts", "Contact", request.match_info["id"]))

    async def _patch(self, request: web.Request) -> web.Response:
        operations = await body_of(request)
        contact = self.found("contacts", "Contact", request.match_info["id"])
        after = contacts.changed(self.instance, contact, operations)
        return web.json_response(self.replace(request, "contacts", contact, after))

    async def _post_item(self, request: web.Request) -> web.Response:
        body: Any = await body_of(request)
        contact = self.found("contacts", "Contact", request.match_info["id"])
        items = contacts.with_item(self.instance, contact.get("communicationItems", []), body)
        self.replace(request, "contacts", contact, {**contact, "communicationItems": items})
        return web.json_response(items[-1], status=201)
