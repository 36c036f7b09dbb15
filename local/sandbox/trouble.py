"""The middleware that makes faults happen: delays, refusals, lost connections and damaged answers."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import warnings
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from local.sandbox.calls import Handler
from local.sandbox.faults import CO_OPERATIVE, INSTEAD, Fault, FaultBook
from local.sandbox.graph import error_body
from local.sandbox.pax8.api import problem_body
from local.sandbox.systems import route_of, system_of

_HTML = "<html><head><title>{title}</title></head><body><h1>{title}</h1><hr>cloudfront</body></html>"


class Trouble:
    """Applies the fault book and each system's usual latency (seconds) to every request that is not a control."""

    def __init__(self, faults: FaultBook, latency: Mapping[str, float]) -> None:
        self._faults = faults
        self._latency = latency
        self._late: set[asyncio.Task[None]] = set()

    @property
    def middleware(self) -> Any:
        @web.middleware
        async def apply(request: web.Request, handler: Handler) -> web.StreamResponse:
            system = system_of(request.path)
            if system is None:
                return await handler(request)
            hits = self._faults.hits(system, request.method, route_of(request), request.path)
            await _wait(self._latency.get(system, 0) + sum(f.number for f in hits if f.word == "latency") / 1000)
            fault = next((fault for fault in hits if fault.word != "latency"), None)
            return await (handler(request) if fault is None else self._faulty(system, fault, request, handler))

        return apply

    async def close(self) -> None:
        """Forgets writes that have not been committed yet."""
        for task in self._late:
            task.cancel()
        await asyncio.gather(*self._late, return_exceptions=True)

    async def _faulty(self, system: str, fault: Fault, request: web.Request, handler: Handler) -> web.StreamResponse:
        if fault.word in INSTEAD:
            await request.read()
            return _reset(request) if fault.word == "reset-before" else _refusal(system, fault)
        if fault.word in CO_OPERATIVE:
            _tell(request, fault.word)
            return await handler(request)
        if fault.word == "late-commit":
            await request.read()
            task = asyncio.create_task(self._later(fault.number / 1000, request, handler))
            self._late.add(task)
            task.add_done_callback(self._late.discard)
            return _reset(request)
        response = await handler(request)
        return _reset(request) if fault.word == "reset-after" else _damaged(fault, response)

    @staticmethod
    async def _later(delay: float, request: web.Request, handler: Handler) -> None:
        await asyncio.sleep(delay)
        with contextlib.suppress(web.HTTPException):
            await handler(request)


def _tell(request: web.Request, word: str) -> None:
    """Leaves the fault's word with the request, for handlers that know no more than its name."""
    with warnings.catch_warnings():
        # aiohttp would like a typed key; the handlers are written against the plain string.
        warnings.simplefilter("ignore", web.NotAppKeyWarning)
        request["fault"] = word


async def _wait(seconds: float) -> None:
    if seconds > 0:
        await asyncio.sleep(seconds)


def _reset(request: web.Request) -> web.Response:
    """Drops the connection with a TCP reset; the response returned is never sent."""
    transport = request.transport
    if transport is not None:
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response(status=500)


def _refusal(system: str, fault: Fault) -> web.Response:
    match fault.word:
        case "429":
            headers = {"Retry-After": str(fault.number)}
            return web.json_response(_too_many(system), status=429, headers=headers)
        case "429-no-retry-after":
            return web.json_response(_too_many(system), status=429)
        case "500-timeout":
            return web.json_response(_timed_out(system), status=500)
        case "502-html":
            return _html("502 Bad Gateway", 502)
        case _:
            return _html("503 Service Temporarily Unavailable", 503)


def _too_many(system: str) -> dict[str, Any]:
    match system:
        case "graph":
            return error_body("TooManyRequests", "Too many requests.")
        case "entra":
            text = "AADSTS90055: The server has received too many requests."
            return {"error": "temporarily_unavailable", "error_description": text, "error_codes": [90055]}
        case "huntress" | "cove" | "partnercenter" | "teams":
            return {"message": "Too many requests"}
        case "pax8":
            return problem_body(429, "TOO_MANY_REQUESTS", "Too many requests.")
        case _:
            return {"error": "ConnectWiseAPI", "message": "Too many requests."}


def _timed_out(system: str) -> dict[str, Any]:
    match system:
        case "graph":
            return error_body("InternalServerError", "The operation has timed out.")
        case "entra":
            text = "AADSTS90033: A transient error has occurred. Please try again."
            return {"error": "temporarily_unavailable", "error_description": text, "error_codes": [90033]}
        case "huntress" | "cove" | "partnercenter" | "teams":
            return {"message": "Internal server error"}
        case "pax8":
            return problem_body(500, "INTERNAL_SERVER_ERROR", "The request timed out.")
        case _:
            text = "Execution Timeout Expired.\r\nThe timeout period elapsed prior to completion of the operation."
            return {"code": "ConnectWiseApi", "message": text, "errors": None}


def _damaged(fault: Fault, response: web.StreamResponse) -> web.Response:
    """The answer to something that did happen: cut in half, replaced by a web page, or empty."""
    if fault.word == "html-200":
        return _html("Please wait", 200)
    if fault.word == "empty-body":
        return web.Response(status=response.status, content_type="application/json")
    body = response.body if isinstance(response, web.Response) and isinstance(response.body, bytes) else b""
    return web.Response(body=body[: len(body) // 2], status=response.status, content_type="application/json")


def _html(title: str, status: int) -> web.Response:
    return web.Response(text=_HTML.format(title=title), status=status, content_type="text/html")
