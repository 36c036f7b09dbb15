"""The host's own routes: its status, and running a timer or a queue function by hand."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from http import HTTPStatus

from aiohttp import web
from azure.functions.meta import Datum

from local.host.functions import Function
from local.host.invoke import Invoker
from local.host.timers import tick

log = logging.getLogger("host.admin")


class Admin:
    """`/admin/host/status` and `/admin/functions/NAME`, at the paths that the platform's host has."""

    def __init__(self, functions: Iterable[Function], invoker: Invoker) -> None:
        self._functions = {function.name.lower(): function for function in functions}
        self._invoker = invoker
        self._running: set[asyncio.Task[None]] = set()

    async def answer(self, request: web.Request, *, authorised: bool) -> web.Response:
        if not authorised:
            return web.Response(status=HTTPStatus.UNAUTHORIZED)
        path = request.path.rstrip("/").lower()
        if path == "/admin/host/status" and request.method == "GET":
            return web.json_response({"state": "Running"})
        named = re.fullmatch(r"/admin/functions/([^/]+)", path)
        function = self._functions.get(named[1]) if named else None
        if function is None or request.method != "POST":
            return web.Response(status=HTTPStatus.NOT_FOUND)
        return await self._start(function, request)

    async def drained(self) -> None:
        """Returns when no run by hand is under way."""
        while self._running:
            await asyncio.wait(self._running)

    async def _start(self, function: Function, request: web.Request) -> web.Response:
        """Begin a run with `{"input": "…"}` and answer at once. It may overlap a scheduled run, as on the platform."""
        if function.kind == "httpTrigger":
            return web.Response(status=HTTPStatus.BAD_REQUEST, text=f"call {function.name} by its own route")
        try:
            text = json.loads(await request.read() or b"{}").get("input", "")
        except (ValueError, AttributeError):
            return web.Response(status=HTTPStatus.BAD_REQUEST, text='the body must be {"input": "text"}')
        task = asyncio.create_task(self._run(function, text if isinstance(text, str) else json.dumps(text)))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return web.Response(status=HTTPStatus.ACCEPTED)

    async def _run(self, function: Function, text: str) -> None:
        now = datetime.now(UTC)
        datum = tick(now, now) if function.kind == "timerTrigger" else Datum(text, "string")
        metadata = {"Id": Datum(str(uuid.uuid4()), "string"), "DequeueCount": Datum("1", "string")}
        try:
            await self._invoker.invoke(function, datum, metadata)
        except Exception:
            log.exception("%s failed when run by hand", function.name)
