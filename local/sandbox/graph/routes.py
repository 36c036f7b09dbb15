"""Graph over HTTP: every read as a route of its own, and up to twenty of them in a batch."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

from aiohttp import web

from local.sandbox.graph.mail import PostOffice
from local.sandbox.graph.reads import Ask, Graph, GraphProblem
from local.sandbox.graph.rows import Row
from local.sandbox.world import Tenant

PREFIX = "/graph/v1.0"
_BATCH_LIMIT = 20
_JSON = {"Content-Type": "application/json"}

#: Names the fault for one item of a batch, by its method and path; None for most.
ItemFault = Callable[[str, str], str | None]

#: What a fault of status means for one item of a batch.
_ITEM_PROBLEMS = {
    "429": (429, "TooManyRequests", "Too many requests."),
    "429-no-retry-after": (429, "TooManyRequests", "Too many requests."),
    "500-timeout": (504, "timeout", "The request timed out."),
    "502-html": (502, "BadGateway", "Bad gateway."),
    "503-html": (503, "serviceNotAvailable", "The service is temporarily unavailable."),
}


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: Row


def graph_routes(graph: Graph, post_office: PostOffice, item_fault: ItemFault) -> list[web.RouteDef]:
    """The routes below /graph/v1.0."""

    async def single(request: web.Request) -> web.Response:
        return _response(request, _answered(request, lambda: graph.read(_caller(graph, request), _ask(request))))

    async def batch(request: web.Request) -> web.Response:
        content = await request.text()

        def work() -> Row:
            tenant = _caller(graph, request)
            items = _batch_items(content)
            # Backwards, because Microsoft promises no order.
            return {"responses": [_item(graph, tenant, request, item, item_fault) for item in reversed(items)]}

        return _response(request, _answered(request, work))

    async def send_mail(request: web.Request) -> web.Response:
        content = await request.text()

        def work() -> Row:
            caller, mailbox = _caller(graph, request), request.match_info["mailbox"]
            post_office.send(caller, mailbox, request.content_type, content)
            return {}

        answer = _answered(request, work)
        return web.Response(status=202) if answer.status == 200 else _response(request, answer)

    return [
        *(web.get(PREFIX + path, single) for path in graph.reads),
        web.post(f"{PREFIX}/$batch", batch),
        web.post(f"{PREFIX}/users/{{mailbox}}/sendMail", send_mail),
    ]


def error_body(code: str, message: str, client_request_id: str | None = None) -> Row:
    """Graph's error body, with ids as they also stand in the headers."""
    request_id = str(uuid.uuid4())
    inner = {
        "date": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}",
        "request-id": request_id,
        "client-request-id": client_request_id or request_id,
    }
    return {"error": {"code": code, "message": message, "innerError": inner}}


def _caller(graph: Graph, request: web.Request) -> Tenant:
    return graph.caller(request.headers.get("Authorization", ""))


def _ask(request: web.Request) -> Ask:
    headers = {name.casefold(): value for name, value in request.headers.items()}
    return Ask(
        request.path.removeprefix(PREFIX), _query(request.query.items()), headers, _root(request), _fault(request)
    )


def _query(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    return {name.removeprefix("$").casefold(): value for name, value in pairs}


def _root(request: web.Request) -> str:
    return f"{request.scheme}://{request.host}{PREFIX}"


def _fault(request: web.Request) -> str | None:
    return request.get("fault")


def _batch_items(content: str) -> list[Row]:
    try:
        items = list(json.loads(content)["requests"])
        well_formed = all(isinstance(item["url"], str) and isinstance(item["method"], str) for item in items)
        distinct = len({item["id"] for item in items}) == len(items)
    except (ValueError, TypeError, KeyError):
        well_formed = distinct = False
        items = []
    if not well_formed or not distinct:
        raise GraphProblem(400, "BadRequest", "Every request needs its own id, a method and a relative url.")
    if len(items) > _BATCH_LIMIT:
        raise GraphProblem(400, "BadRequest", f"A batch has at most {_BATCH_LIMIT} requests.")
    return items


def _item(graph: Graph, tenant: Tenant, request: web.Request, item: Row, item_fault: ItemFault) -> Row:
    """One item's answer: it may fail while the batch as a whole succeeds."""
    parts = urlsplit(item["url"])
    path, method = "/" + parts.path.lstrip("/"), item["method"].upper()
    fault = item_fault(method, path) or _fault(request)
    headers = {name.casefold(): str(value) for name, value in item.get("headers", {}).items()}
    ask = Ask(path, _query(parse_qsl(parts.query, keep_blank_values=True)), headers, _root(request), fault)

    def work() -> Row:
        if method != "GET":
            raise GraphProblem(405, "Request_BadRequest", "The HTTP method is not allowed for the request target.")
        if fault in _ITEM_PROBLEMS:
            raise GraphProblem(*_ITEM_PROBLEMS[fault])
        return graph.read(tenant, ask)

    answer = _answered(request, work)
    wait = {"Retry-After": "1"} if fault == "429" else {}
    return {"id": item["id"], "status": answer.status, "headers": {**_JSON, **wait}, "body": answer.body}


def _answered(request: web.Request, work: Callable[[], Row]) -> Answer:
    try:
        return Answer(200, work())
    except GraphProblem as problem:
        return Answer(problem.status, error_body(problem.code, problem.message, _client_request_id(request)))


def _client_request_id(request: web.Request) -> str | None:
    return request.headers.get("client-request-id")


def _response(request: web.Request, answer: Answer) -> web.Response:
    inner = answer.body.get("error", {}).get("innerError", {})
    request_id = inner.get("request-id") or str(uuid.uuid4())
    headers = {"request-id": request_id, "client-request-id": _client_request_id(request) or request_id}
    return web.json_response(answer.body, status=answer.status, headers=headers)
