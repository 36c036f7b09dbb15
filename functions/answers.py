"""How flows' answers and errors become HTTP."""

from __future__ import annotations

import functools
import json
import logging
from collections.abc import Callable
from typing import Any

import azure.functions as func

from shared.errors import (
    Busy,
    Gone,
    Incomplete,
    Misconfigured,
    NotPermitted,
    Refused,
    Retryable,
    TrueUpError,
)

log = logging.getLogger(__name__)

#: The first class that fits decides; 502 says that the fault lies behind us.
_STATUS: tuple[tuple[type[TrueUpError], int], ...] = (
    (Busy, 409),
    (Gone, 404),
    (Misconfigured, 503),
    (Refused, 400),
    (NotPermitted, 502),
    (Incomplete, 502),
    (Retryable, 503),
)


def answer(body: dict[str, Any], status: int = 200) -> func.HttpResponse:
    return func.HttpResponse(json.dumps(body), status_code=status, mimetype="application/json")


def answers_errors(
    handler: Callable[[func.HttpRequest], func.HttpResponse],
) -> Callable[[func.HttpRequest], func.HttpResponse]:
    """Turns the errors of the tree into an answer that says what to do."""

    @functools.wraps(handler)
    def handled(request: func.HttpRequest) -> func.HttpResponse:
        try:
            return handler(request)
        except TrueUpError as error:
            log.warning("%s %s: %s", request.method, handler.__name__, error)
            return _told(error)

    return handled


def _told(error: TrueUpError) -> func.HttpResponse:
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    body: dict[str, Any] = {"error": str(error), "remedy": error.remedy}
    if isinstance(error, Misconfigured):
        body["problems"] = error.problems
    response = answer(body, status)
    if isinstance(error, Retryable) and error.retry_after is not None:
        response.headers["Retry-After"] = str(round(error.retry_after))
    return response
