"""The ASGI app below /console: its pages, its JSON routes and their OpenAPI document."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException as RoutingError

from shared.errors import TrueUpError
from shared.sync.ports import Ports
from shared.web import assets
from shared.web.answers import told
from shared.web.api import accounts, approvals, catalog, companies, contacts, mapping, own, profiles, reports, vendors
from shared.web.api import setup as setup_routes
from shared.web.api.failures import FAILURES
from shared.web.api.machines import with_machines
from shared.web.envelope import Envelope, Message, Receive, Send
from shared.web.pages import accounts as account_pages
from shared.web.pages import approvals as approval_pages
from shared.web.pages import companies as company_pages
from shared.web.pages import contacts as contact_pages
from shared.web.pages import exchange, guards, products, runs, setup
from shared.web.pages import mapping as mapping_pages
from shared.web.pages import own as own_pages
from shared.web.pages import profiles as profile_pages
from shared.web.pages import reports as report_pages
from shared.web.pages.errors import error_page
from shared.web.pages.frame import places
from shared.web.principal import Access
from shared.web.remits import in_remit
from shared.web.requests import Reader

log = logging.getLogger(__name__)

API = "/console/api"

API_ROUTERS = (
    setup_routes.router,
    companies.router,
    own.router,
    approvals.router,
    mapping.router,
    profiles.router,
    reports.router,
    vendors.router,
    accounts.router,
    catalog.router,
    contacts.router,
)
PAGE_ROUTERS = (
    setup.router,
    profile_pages.router,
    guards.router,
    company_pages.router,
    own_pages.router,
    approval_pages.router,
    report_pages.router,
    runs.router,
    mapping_pages.router,
    exchange.router,
    account_pages.router,
    products.router,
    contact_pages.router,
)


def make_app(ports: Ports, access: Access) -> FastAPI:
    """Every route but the stylesheet's needs a signed-in person with a role; FastAPI's own pages are off therefore."""
    app = FastAPI(title="TrueUp", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.ports = ports
    app.state.access = access
    for router in API_ROUTERS:
        app.include_router(router, prefix=API, dependencies=[Depends(in_remit)], responses=FAILURES)
    app.add_api_route(f"{API}/openapi.json", _openapi, methods=["GET"], include_in_schema=False)
    app.include_router(assets.router)
    for router in PAGE_ROUTERS:
        app.include_router(router, dependencies=[Depends(in_remit)])
    app.state.places = places(PAGE_ROUTERS)
    app.add_exception_handler(TrueUpError, _failed)
    app.add_exception_handler(RoutingError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_middleware(Envelope, broken=_broken)
    return app


def _openapi(request: Request, who: Reader) -> dict[str, Any]:
    return with_machines(request.app.openapi())


def _failed(request: Request, error: Exception) -> Response:
    assert isinstance(error, TrueUpError)
    log.warning("%s %s: %s", request.method, request.url.path, error)
    status, body, headers = told(error)
    return _answer(request, status, body, headers)


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RoutingError)
    return _answer(request, error.status_code, {"error": error.detail, "remedy": ""})


def _invalid(request: Request, error: Exception) -> Response:
    """Where the body or the query is wrong, without repeating what was sent."""
    assert isinstance(error, RequestValidationError)
    problems = [f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors()]
    remedy = f"GET {API}/openapi.json says how." if _is_api(request) else "Go back and correct it."
    return _answer(request, 422, {"error": "; ".join(problems), "remedy": remedy})


async def _broken(scope: Message, receive: Receive, send: Send) -> None:
    """For an error that is ours: it stands in the log, and nothing of it goes out."""
    request = Request(scope, receive)
    error, remedy = "TrueUp itself failed at this; the log says where", "Try it again; if it stays, report it."
    await _answer(request, 500, {"error": error, "remedy": remedy})(scope, receive, send)


def _answer(request: Request, status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    """An error as its caller reads it: a program JSON, a person a page."""
    if _is_api(request):
        return JSONResponse(body, status, headers)
    return error_page(request, status, body["error"], body["remedy"], body.get("problems", ()), headers)


def _is_api(request: Request) -> bool:
    return request.url.path.startswith(f"{API}/")
