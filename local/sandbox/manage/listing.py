"""Reading lists the Manage way: conditions, order, projection, and the two kinds of paging."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from local.sandbox.manage.answers import ApiError
from local.sandbox.manage.conditions import ConditionError, Expression, read_conditions, value_of
from local.sandbox.manage.fields import FieldSet
from local.sandbox.manage.records import Record

DEFAULT_PAGE_SIZE = 25
LARGEST_PAGE_SIZE = 1000


@dataclass(frozen=True)
class Source:
    """What a list is read from.

    `rows` yields the stored records by id, all of them or those that can match the condition; `view` gives a record as
    it is answered.
    """

    fields: FieldSet
    rows: Callable[[Expression | None], list[Record]]
    view: Callable[[Record], Record]


def list_answer(request: web.Request, source: Source) -> web.Response:
    """One page of a list. A fault that needs the list's co-operation is read from `request["fault"]`."""
    query = _query(request)
    rows = _ordered(query.get("orderby", ""), _selected(query, source), source)
    chosen, link = _forward_page(request, rows) if _is_forward_only(request) else _navigable_page(request, rows)
    answer = [projected(source.view(row), query.get("fields", "")) for row in chosen]
    return web.json_response(answer, headers={} if link is None else {"Link": link})


def count_answer(request: web.Request, source: Source) -> web.Response:
    return web.json_response({"count": len(_selected(_query(request), source))})


def projected(view: Record, fields: str) -> Record:
    """The named fields only (`id,company/id`), or all of them when none is named. Unknown ones are ignored."""
    if not fields.strip():
        return view
    answer: Record = {}
    for path in fields.split(","):
        name, _, part = path.strip().partition("/")
        value = view.get(name)
        if value is None:
            continue
        if not part:
            answer[name] = value
        elif isinstance(value, dict) and part in value:
            answer.setdefault(name, {})[part] = value[part]
    return answer


def fields_wanted(request: web.Request) -> str:
    return _query(request).get("fields", "")


def _query(request: web.Request) -> dict[str, str]:
    """The query parameters; their names are read in any case."""
    return {name.casefold(): value for name, value in request.query.items()}


def _selected(query: dict[str, str], source: Source) -> list[Record]:
    for name in ("childconditions", "customfieldconditions"):
        if query.get(name, "").strip():
            raise ApiError(400, "ApiFindCondition", f"{name} are not supported here.")
    text = query.get("conditions", "").strip()
    if not text:
        return source.rows(None)
    try:
        expression = read_conditions(text, source.fields)
    except ConditionError as error:
        raise ApiError(400, "ApiFindCondition", str(error)) from None
    return [row for row in source.rows(expression) if expression.matches(source.view(row))]


def _ordered(order: str, rows: list[Record], source: Source) -> list[Record]:
    """The rows in the asked order (`company/name desc,id`), unset values first; by id when none is asked."""
    for part in reversed([part.split() for part in order.split(",") if part.strip()]):
        field = source.fields.find(part[0])
        if field is None:
            raise ApiError(400, "ApiFindCondition", f"{part[0]} is not a recognized name.")

        def key(row: Record, field: Any = field) -> tuple[bool, Any]:
            value = value_of(source.view(row), field)
            return (value is not None, value if value is not None else 0)

        rows = sorted(rows, key=key, reverse=part[1:] == ["desc"])
    return rows


def _is_forward_only(request: web.Request) -> bool:
    return request.headers.get("pagination-type", "").casefold() == "forward-only"


def _number(request: web.Request, name: str, default: int) -> int:
    text = _query(request).get(name, "")
    if not text:
        return default
    if not text.isdigit():
        raise ApiError(400, "InvalidArgument", f"{name} must be a whole number.")
    return int(text)


def _page_size(request: web.Request, rows: int) -> int:
    """The rows of one page. Two faults make it half of what is left, so that the list goes on after a short page."""
    size = min(max(_number(request, "pagesize", DEFAULT_PAGE_SIZE), 1), LARGEST_PAGE_SIZE)
    return min(size, max(1, (rows + 1) // 2)) if request.get("fault") in ("short-page", "empty-page") else size


def _navigable_page(request: web.Request, rows: list[Record]) -> tuple[list[Record], str | None]:
    fault = request.get("fault")
    size, page = _page_size(request, len(rows)), max(_number(request, "page", 1), 1)
    last = max(1, -(-len(rows) // size))
    start = (page - 1) * size
    if fault == "empty-page":
        # Page 2 is the empty one; what should have been on it comes after.
        last += 1
        if page > 1:
            start = len(rows) if page == 2 else start - size
    links = []
    if page < last or fault == "endless":
        links += [_link(request, "page", page + 1, "next"), _link(request, "page", max(last, page + 1), "last")]
    if page > 1:
        links += [_link(request, "page", page - 1, "prev"), _link(request, "page", 1, "first")]
    return rows[start : start + size], ", ".join(links) or None


def _forward_page(request: web.Request, rows: list[Record]) -> tuple[list[Record], str]:
    """The rows with the next higher ids. The link of the last page is there, but empty."""
    fault, after = request.get("fault"), _number(request, "pageid", 0)
    left = [row for row in rows if row["id"] > after]
    if fault == "empty-page" and after and "resume" not in request.query:
        return [], _link(request, "pageId", after, "next", resume="1")
    chosen = left[: _page_size(request, len(left))]
    if len(chosen) == len(left) and fault != "endless":
        return chosen, ""
    return chosen, _link(request, "pageId", chosen[-1]["id"] if chosen else after, "next")


def _link(request: web.Request, name: str, value: int, relation: str, **more: str) -> str:
    """A link to another page of the same list; the page is the last parameter, as published clients expect."""
    kept = [(key, text) for key, text in request.query.items() if key.casefold() not in ("page", "pageid", "resume")]
    url = request.url.with_query([*kept, *more.items(), (name, str(value))])
    return f'<{url}>; rel="{relation}"'
