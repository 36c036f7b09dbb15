"""`finance/agreements/{agreement}/additions`."""

from __future__ import annotations

from aiohttp import web

from local.sandbox.manage import additions
from local.sandbox.manage.answers import ApiError, detail, invalid, not_found
from local.sandbox.manage.api import Api, body_of, one
from local.sandbox.manage.fields import ADDITION
from local.sandbox.manage.listing import Source, count_answer, list_answer
from local.sandbox.manage.records import Record

_ALL = r"finance/agreements/{agreement:\d+}/additions"
_ONE = _ALL + r"/{id:\d+}"


class AdditionApi(Api):
    """The additions of each agreement. An addition is found under its own agreement only."""

    def routes(self) -> list[web.RouteDef]:
        return [
            self.route("GET", _ALL, self._list),
            self.route("GET", _ALL + "/count", self._count),
            self.route("POST", _ALL, self._post),
            self.route("GET", _ONE, self._get),
            self.route("PATCH", _ONE, self._patch),
            self.route("PUT", _ONE, self._put),
            self.route("DELETE", _ONE, self._delete),
        ]

    async def _list(self, request: web.Request) -> web.Response:
        return list_answer(request, self._source(request))

    async def _count(self, request: web.Request) -> web.Response:
        return count_answer(request, self._source(request))

    async def _get(self, request: web.Request) -> web.Response:
        return one(request, self._view(self._addition(request)))

    async def _post(self, request: web.Request) -> web.Response:
        record = additions.new(self.instance, self._agreement(request), await body_of(request))
        created = self.create(request, "additions", record)
        self.records.uninvoiced.add(created["id"])
        return web.json_response(self._view(created), status=201)

    async def _patch(self, request: web.Request) -> web.Response:
        operations = await body_of(request)
        addition = self._addition(request)
        after = additions.changed(self.instance, addition, operations)
        return web.json_response(self._view(self.replace(request, "additions", addition, after)))

    async def _put(self, request: web.Request) -> web.Response:
        body = await body_of(request)
        addition = self._addition(request)
        after = additions.replaced(self.instance, self._agreement(request), addition, body)
        return web.json_response(self._view(self.replace(request, "additions", addition, after)))

    async def _delete(self, request: web.Request) -> web.Response:
        addition_id = self._addition(request)["id"]
        if not self.account.may_delete_additions:
            raise ApiError(403, "Security", "You do not have security permission to perform this action.")
        if self.instance.switches.invoiced_delete_refused and self._is_invoiced(addition_id):
            message = "The addition has been invoiced."
            raise invalid("addition", [detail("InvalidObject", message, "addition", "id")])
        return self.delete(request, "additions", addition_id)

    def _agreement(self, request: web.Request) -> Record:
        return self.found("agreements", "Agreement", request.match_info["agreement"])

    def _addition(self, request: web.Request) -> Record:
        agreement = self._agreement(request)
        addition = self.found("additions", "Addition", request.match_info["id"])
        if addition["agreementId"] != agreement["id"]:
            raise not_found("Addition", addition["id"])
        return addition

    def _source(self, request: web.Request) -> Source:
        agreement = self._agreement(request)
        refused = self.instance.switches.product_id_filter_refused
        fields = ADDITION.without("product/id") if refused else ADDITION
        return Source(fields, lambda _: self.records.of_parent("additions", agreement["id"]), self._view)

    def _view(self, addition: Record) -> Record:
        return additions.view(self.instance, addition)

    def _is_invoiced(self, addition_id: int) -> bool:
        return any(line["addition"] == addition_id for bill in self.records.billed.values() for line in bill["lines"])
