"""Pax8 over HTTP."""

from __future__ import annotations

import json

from aiohttp import web

from local.sandbox.pax8.api import Ask, Pax8

PREFIX = "/pax8/v1"

_READS = (
    "/companies",
    "/companies/{company}",
    "/subscriptions",
    "/subscriptions/{subscription}",
    "/subscriptions/{subscription}/history",
    "/subscriptions/{subscription}/usage-summaries",
    "/products/{product}",
    "/products/{product}/pricing",
    "/invoices",
    "/invoices/draftItems",
    "/invoices/{invoice}/items",
)


def pax8_routes(pax8: Pax8) -> list[web.RouteDef]:
    """The routes below /pax8/v1."""

    async def answer(request: web.Request) -> web.Response:
        ask = Ask(
            request.method,
            request.path.removeprefix(PREFIX),
            dict(request.query),
            request.headers.get("Authorization", ""),
            await _json(request),
            request.get("fault"),
        )
        status, body = pax8.answer(ask)
        return web.json_response(body, status=status)

    return [web.post(f"{PREFIX}/token", answer), *(web.get(PREFIX + path, answer) for path in _READS)]


async def _json(request: web.Request) -> object:
    try:
        return json.loads(await request.text())
    except ValueError:
        return None
