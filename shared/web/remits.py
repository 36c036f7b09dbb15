"""Refuses every request about a company that is not among the person's own.

It looks at what a request says itself, wherever it names a company, so that a new route cannot forget it: in its path,
its query, its form or its JSON, under the names `company` and `companies`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from fastapi import HTTPException, Request
from pydantic import TypeAdapter, ValidationError
from starlette.concurrency import run_in_threadpool

from shared.web.requests import remit_of

_NAMES = ("company", "companies")
#: As the routes themselves read a number, lest the two differ.
_NUMBER = TypeAdapter(int)


async def in_remit(request: Request) -> None:
    """A dependency of every route. Raises 403 for a company that somebody else decides about."""
    named = set(_numbers(await _named(request)))
    if not named:
        return
    remit = await run_in_threadpool(remit_of, request)
    for company in sorted(named):
        if not remit.covers(company):
            raise HTTPException(403, f"company {company} is not among yours")


async def _named(request: Request) -> list[Any]:
    """Everything that stands under one of the names."""
    found: list[Any] = [request.path_params.get(name) for name in _NAMES]
    found += [value for name in _NAMES for value in request.query_params.getlist(name)]
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json":
        return found + list(_in_json(await request.body()))
    form = await request.form()
    return found + [value for name in _NAMES for value in form.getlist(name)]


def _in_json(body: bytes) -> Iterator[Any]:
    """What is no JSON names nothing: the route refuses it."""
    try:
        waiting = [json.loads(body)]
    except (ValueError, RecursionError):
        return
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            yield from (value[name] for name in _NAMES if name in value)
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def _numbers(values: list[Any]) -> Iterator[int]:
    for value in values:
        for each in value if isinstance(value, list) else [value]:
            try:
                yield _NUMBER.validate_python(each)
            except ValidationError:
                continue  # a word such as `all`, or what the route refuses
