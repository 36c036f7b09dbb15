"""HTTP triggers: aiohttp receives, the route table picks the function, the SDK's converters translate."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from http import HTTPStatus

from aiohttp import web
from azure.functions.meta import Datum

from local.host.admin import Admin
from local.host.invoke import Invoker
from local.host.keys import Keys
from local.host.routes import Match, RouteTable, is_reserved

log = logging.getLogger("host.http")

#: The platform's load balancer gives up after this many seconds; the function runs on.
LONGEST_ANSWER = 230.0

LARGEST_BODY = 100 * 1024 * 1024


class HttpFront:
    """Answers every request. `keys` None leaves authorisation levels unchecked; `longest` is in seconds."""

    def __init__(
        self, table: RouteTable, *, invoker: Invoker, admin: Admin, keys: Keys | None, longest: float = LONGEST_ANSWER
    ) -> None:
        self._table = table
        self._invoker = invoker
        self._admin = admin
        self._keys = keys
        self._longest = longest
        self._running: set[asyncio.Task[web.Response]] = set()

    def application(self) -> web.Application:
        application = web.Application(client_max_size=LARGEST_BODY)
        application.router.add_route("*", "/{path:.*}", self.answer)
        return application

    async def answer(self, request: web.Request) -> web.Response:
        path = request.rel_url.raw_path
        if is_reserved(path):
            return await self._admin.answer(request, authorised=self._allows(request, "admin"))
        match = self._table.match(request.method, path)
        if not isinstance(match, Match):
            return web.Response(status=match)
        if not self._allows(request, match.function.trigger.get("authLevel") or "function"):
            return web.Response(status=HTTPStatus.UNAUTHORIZED)
        datum = await _request_datum(request, match.parameters)
        task = asyncio.create_task(self._invoke(match, datum))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        done, _ = await asyncio.wait({task}, timeout=self._longest)
        return task.result() if done else web.Response(status=HTTPStatus.GATEWAY_TIMEOUT)

    def _allows(self, request: web.Request, level: str) -> bool:
        presented = request.headers.get("x-functions-key") or request.query.get("code") or ""
        return self._keys is None or self._keys.allow(level, presented)

    async def _invoke(self, match: Match, datum: Datum) -> web.Response:
        try:
            return _response(await self._invoker.invoke(match.function, datum))
        except Exception:
            log.exception("%s failed", match.function.name)
            return web.Response(status=HTTPStatus.INTERNAL_SERVER_ERROR)


async def _request_datum(request: web.Request, parameters: Mapping[str, str]) -> Datum:
    """Header names in lower case and repeated values joined by commas, as the platform hands them over."""
    return Datum(
        {
            "method": Datum(request.method, "string"),
            "url": Datum(str(request.url), "string"),
            "headers": _joined((name.lower(), value) for name, value in request.headers.items()),
            "params": _joined(parameters.items()),
            "query": _joined(request.query.items()),
            "body": Datum(await request.read(), "bytes"),
        },
        "http",
    )


def _joined(items: Iterable[tuple[str, str]]) -> dict[str, Datum]:
    values: dict[str, list[str]] = {}
    for name, value in items:
        values.setdefault(name, []).append(value)
    return {name: Datum(",".join(several), "string") for name, several in values.items()}


def _response(answer: Datum | None) -> web.Response:
    if answer is None:
        return web.Response(status=HTTPStatus.NO_CONTENT)
    if answer.type == "string":
        return web.Response(text=answer.value)
    value = answer.value
    response = web.Response(
        status=int(value["status_code"].value),
        headers={name: header.value for name, header in value["headers"].items()},
        body=value["body"].value,
    )
    for cookie in value.get("cookies") or ():
        for morsel in cookie.values():
            response.headers.add("Set-Cookie", morsel.OutputString())
    return response
