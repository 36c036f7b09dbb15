"""How flows' answers and errors become HTTP."""

from __future__ import annotations

import functools
import json
import logging
from collections.abc import Callable, Mapping

import azure.functions as func

from shared.errors import TrueUpError
from shared.web.answers import told

log = logging.getLogger(__name__)


def answer(body: Mapping[str, object], status: int = 200) -> func.HttpResponse:
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
            return failed(error)

    return handled


def failed(error: TrueUpError) -> func.HttpResponse:
    """An answer that says what went wrong and what to do."""
    status, body, headers = told(error)
    response = answer(body, status)
    for name, value in headers.items():
        response.headers[name] = value
    return response
