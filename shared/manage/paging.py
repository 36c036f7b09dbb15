"""Lists that are complete, or an error."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from shared.http.wire import Answer
from shared.manage.call import Call
from shared.manage.conditions import beyond
from shared.manage.failures import unreadable
from shared.manage.rows import Unreadable
from shared.manage.session import Session, understood

#: Manage's hard limit; its default is 25.
PAGE_SIZE = 1000

#: A list longer than this is a server that repeats itself.
MOST_PAGES = 1000

#: ConnectWise advises to stay below 2,000 characters a URL; longer ones are answered with 414.
LONGEST_URL = 1949

_LARGEST_ID = 2**31 - 1


class _Identified(Protocol):
    @property
    def id(self) -> int: ...


RowT = TypeVar("RowT", bound=_Identified)


def read_all(session: Session, call: Call, read: Callable[[Any], RowT]) -> list[RowT]:
    """Every row of a list, asked for in the order of the ids.

    Manage's pages are not a snapshot: a row deleted between two of them moves the rest, and one row is never seen. So
    each further page is asked for as the rows after the last id, whatever was deleted or however short the page was.

    Raises `Incomplete` when the pages do not add up to one list: a body that is no list, a row seen before, no end.
    """
    rows: list[RowT] = []
    seen: set[int] = set()
    after, number = None, 1
    for _ in range(MOST_PAGES):
        page_call = _page(call, after, number)
        answer = session.send(page_call)
        page = understood(page_call, answer, lambda body: _rows(body, read))
        ids = [row.id for row in page]
        if len(set(ids)) < len(ids) or seen.intersection(ids):
            raise unreadable(page_call, answer, "the list repeats rows, so it is not complete")
        rows += page
        seen.update(ids)
        if len(page) < PAGE_SIZE and not _has_next(answer):
            return rows
        if ids != sorted(ids):
            raise unreadable(page_call, answer, "the list is not in the order of the ids, so its rest cannot be found")
        after, number = (ids[-1], 1) if ids else (after, number + 1)
    raise unreadable(call, answer, f"the list does not end after {MOST_PAGES} pages")


def room_for_condition(session: Session, call: Call) -> int:
    """How many characters a percent-encoded condition may take in this call's address, on any page."""
    return LONGEST_URL - len(session.url(_page(call.with_params(conditions=" "), _LARGEST_ID, MOST_PAGES)))


def _page(call: Call, after: int | None, number: int) -> Call:
    paged = call.with_params(orderBy="id asc", pageSize=str(PAGE_SIZE), page=str(number))
    return paged if after is None else paged.with_params(conditions=beyond(call.params.get("conditions"), after))


def _rows(body: Any, read: Callable[[Any], RowT]) -> list[RowT]:
    if not isinstance(body, list):
        raise Unreadable("the answer is not a list")
    return [read(row) for row in body]


def _has_next(answer: Answer) -> bool:
    """Whether Manage says that the list goes on. The address it names is not used: it may have lost our conditions, or
    name another host, which must not get our credentials.
    """
    relations = re.findall(r">([^<]*)", answer.header("link") or "")
    return any(re.search(r'\brel\s*=\s*"?next\b', relation, re.IGNORECASE) for relation in relations)
