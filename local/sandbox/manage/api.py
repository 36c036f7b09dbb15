"""What all REST calls have in common: the way in, what is on every answer, and how records are written."""

from __future__ import annotations

import json
import uuid
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from aiohttp import web

from local.sandbox.manage.account import Account
from local.sandbox.manage.answers import ApiError, not_found
from local.sandbox.manage.instance import Instance
from local.sandbox.manage.listing import fields_wanted, projected
from local.sandbox.manage.records import Record

Handler = Callable[[web.Request], Awaitable[web.Response]]

VERSION = "2026.1"

#: Longer addresses are refused with 414.
LONGEST_URL = 2000

#: `v4_6_release` routes to the current release; doubled slashes occur in links that Manage makes itself.
BASE = r"/{codebase:v\d[^/]*}{_a:/+}apis{_b:/+}3.0{_c:/+}"


class Api:
    """A part of the REST API of one Manage. Its handlers raise ApiError to refuse."""

    def __init__(self, instance: Instance, account: Account) -> None:
        self.instance = instance
        self.records = instance.records
        self.account = account

    def route(self, method: str, path: str, handler: Handler) -> web.RouteDef:
        """A route below the base path, open to this account only."""
        return web.route(method, BASE + path, partial(self._answer, handler))

    async def _answer(self, handler: Handler, request: web.Request) -> web.Response:
        try:
            self._admit(request)
            response = await handler(request)
        except ApiError as refusal:
            response = web.json_response(refusal.body, status=refusal.status or 500)
        response.headers["x-cw-request-id"] = str(uuid.uuid4())
        response.headers["api-current-version"] = VERSION
        response.headers["Cache-Control"] = "no-cache"
        return response

    def _admit(self, request: web.Request) -> None:
        if len(request.raw_path) > LONGEST_URL:
            raise ApiError(414, "ConnectWiseApi", "The request URL is too long.")
        authorization = request.headers.get("Authorization")
        if authorization is None:
            raise ApiError(401, "UserNotAuthenticated", "Authentication is required.")
        if authorization != self.account.authorization:
            raise ApiError(401, "Unauthorized", "Incorrect public/private key.")
        if request.headers.get("clientId") != self.account.client_id:
            raise ApiError(403, "Security", "A valid clientId is required.")

    def found(self, collection: str, name: str, record_id: str) -> Record:
        """The record that an address names."""
        record = self.records.get(collection, int(record_id))
        if record is None:
            raise not_found(name, int(record_id))
        return record

    def create(self, request: web.Request, collection: str, record: Record) -> Record:
        """Stores a new record, unless the fault is that nothing happens: then its id is that of no record."""
        if request.get("fault") == "no-effect":
            return {**record, "id": self.records.next_id(collection)}
        return self.records.add(collection, record, now=self.instance.clock.now(), by=self.account.public_key)

    def replace(self, request: web.Request, collection: str, before: Record, after: Record) -> Record:
        """Stores a changed record, unless the fault is that nothing happens: then it is what it was."""
        if request.get("fault") == "no-effect":
            return before
        return self.records.replace(collection, after, now=self.instance.clock.now(), by=self.account.public_key)

    def delete(self, request: web.Request, collection: str, record_id: int) -> web.Response:
        if request.get("fault") != "no-effect":
            self.records.remove(collection, record_id)
        return web.Response(status=204)


def one(request: web.Request, view: Record) -> web.Response:
    """The answer to a GET of one record."""
    return web.json_response(projected(view, fields_wanted(request)))


async def body_of(request: web.Request) -> Any:
    """The JSON body of a write."""
    try:
        return await request.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise ApiError(400, "InvalidObject", "The request body is not valid JSON.") from None
