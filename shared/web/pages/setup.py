"""First steps: what is connected, whether it answers, and what comes next."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response

from shared.sync import consents, setup
from shared.sync.ports import Ports
from shared.sync.shapes.setup import Tested, TestedCustomer
from shared.web.api.companies import InPath
from shared.web.pages.frame import acts, render
from shared.web.principal import Principal, Role
from shared.web.requests import House, Reader, Sees, allows

router = APIRouter(include_in_schema=False, dependencies=[Depends(allows(Role.READER))])

_PATH = "/console/setup"
Tenant = Annotated[str, Form(max_length=200)]
#: What the checks of the night are called, by their names for `doctor`.
CHECKS = {
    "store's Manage": "The Manage that the store belongs to",
    "rules": "Rules",
    "schedules": "Schedules",
    "last night": "The last night",
    "poison": "Messages that could not be worked on",
    "last backup": "The last backup",
    "alarms": "Who hears alarms",
}


@router.get("/console")
@router.get("/console/")
def home() -> Response:
    """Where everybody begins."""
    return RedirectResponse(_PATH, 302)


@router.get(_PATH)
def first_steps(request: Request, ports: House, who: Reader) -> Response:
    """Every connection, and the way to the first true invoice."""
    return _page(request, ports, who, None)


@router.post(_PATH + "/{connection}/test", dependencies=acts)
def test(request: Request, ports: House, who: Reader, sees: Sees, connection: str) -> Response:
    """Asks one of them something small, and shows what it said. Nothing is changed by it, so the page is the answer."""
    return _page(request, ports.within(sees), who, setup.tested(ports, connection))


@router.post(_PATH + "/consent/{company}/test", dependencies=acts)
def test_consent(
    request: Request,
    ports: House,
    who: Reader,
    sees: Sees,
    number: InPath,
    tenant: Tenant,
) -> Response:
    """Reads one tenant, and shows whether it lets us in. Nothing of it is kept, so the page is the answer."""
    return _page(request, ports.within(sees), who, consents.tested_customer(ports, number, "microsoft365", tenant))


def _page(request: Request, ports: Ports, who: Principal, tested: Tested | TestedCustomer | None) -> Response:
    shown = setup.first_steps(ports, settings=who.may(Role.ADMIN))
    admin = who.may(Role.ADMIN)
    return render(request, "setup.html", tested=tested, admin=admin, check_names=CHECKS, **shown)
