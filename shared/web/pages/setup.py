"""First steps: what is connected, and whether it answers."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from shared.sync.checkup import check_connection, connections
from shared.web.pages.frame import acts, render
from shared.web.principal import Role
from shared.web.requests import House, allows

router = APIRouter(include_in_schema=False, dependencies=[Depends(allows(Role.READER))])

_PATH = "/console/setup"


@router.get("/console")
@router.get("/console/")
def home() -> Response:
    """Where everybody begins."""
    return RedirectResponse(_PATH, 302)


@router.get(_PATH)
def first_steps(request: Request, ports: House) -> Response:
    """Every connection that the settings make."""
    return render(request, "setup.html", connections=connections(ports), tested=None)


@router.post(_PATH + "/{connection}/test", dependencies=acts)
def test(request: Request, ports: House, connection: str) -> Response:
    """Asks one of them something small, and shows what it said. Nothing is changed by it, so the page is the answer."""
    check = check_connection(ports, connection)
    return render(request, "setup.html", connections=connections(ports), tested=connection, problems=check.problems)
