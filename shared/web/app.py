"""The ASGI app below /console: its JSON routes and their OpenAPI document."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from shared.errors import TrueUpError
from shared.sync.ports import Ports
from shared.web import approvals
from shared.web.answers import told
from shared.web.api import reports
from shared.web.principal import Access
from shared.web.requests import Reader

log = logging.getLogger(__name__)


def make_app(ports: Ports, access: Access) -> FastAPI:
    """Every route needs a signed-in person with a role; FastAPI's own pages are off for that reason."""
    app = FastAPI(title="TrueUp", openapi_url=None, docs_url=None, redoc_url=None)
    app.state.ports = ports
    app.state.access = access
    app.include_router(approvals.router, prefix="/console/api")
    app.include_router(reports.router, prefix="/console/api")
    app.add_api_route("/console/api/openapi.json", _openapi, methods=["GET"], include_in_schema=False)
    app.add_exception_handler(TrueUpError, _failed)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    return app


def _openapi(request: Request, who: Reader) -> dict[str, Any]:
    document: dict[str, Any] = request.app.openapi()
    return document


def _failed(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, TrueUpError)
    log.warning("%s %s: %s", request.method, request.url.path, error)
    status, body, headers = told(error)
    return JSONResponse(body, status, headers)


def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail, "remedy": ""}, error.status_code)


def _invalid(request: Request, error: Exception) -> JSONResponse:
    """Where the body or the query is wrong, without repeating what was sent."""
    assert isinstance(error, RequestValidationError)
    problems = [f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors()]
    return JSONResponse({"error": "; ".join(problems), "remedy": "GET /console/api/openapi.json says how."}, 422)
