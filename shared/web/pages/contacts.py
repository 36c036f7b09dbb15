"""The page of a company's contacts: what would be done, and the buttons that do it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import Response

from shared.sync.company import Synced
from shared.sync.contacts.demand import release, sync_now
from shared.sync.contacts.look import look_at
from shared.sync.contacts.shown import done, shown
from shared.web.api.companies import InPath
from shared.web.pages.acting import NotDone, acted
from shared.web.pages.frame import acts, render
from shared.web.principal import Role
from shared.web.requests import Biller, House, allows, person

router = APIRouter(include_in_schema=False, dependencies=[Depends(allows(Role.BILLER))])

_PATH = "/console/companies/{company}/contacts"
_KINDS = {
    "create": "Make",
    "adopt": "Keep from now on",
    "update": "Change",
    "reactivate": "Make active again",
    "deactivate": "Deactivate",
}


@router.get(_PATH)
def of_company(request: Request, ports: House, number: InPath) -> Response:
    """What would be made, changed and deactivated, read now."""
    return render(request, "contacts.html", look=shown(look_at(ports, number)), kinds=_KINDS)


@router.post(f"{_PATH}/sync", dependencies=acts)
def sync(request: Request, ports: House, who: Biller, number: InPath) -> Response:
    """Does it now."""
    return acted(request, _of(number), lambda: _told(sync_now(ports, number, person(who, request))))


@router.post(f"{_PATH}/release", dependencies=acts)
def release_held(
    request: Request,
    ports: House,
    who: Biller,
    number: InPath,
    leaving: Annotated[str, Form(pattern="^[0-9a-f]{16}$")],
) -> Response:
    """Carries out exactly the deactivations that were shown."""
    return acted(request, _of(number), lambda: _told(release(ports, number, leaving, person(who, request))))


def _of(number: int) -> str:
    return _PATH.format(company=number)


def _told(synced: Synced) -> str:
    told = done(synced)
    if told["outcome"] == "skipped":
        raise NotDone("The rules have no contacts kept here. Give the company a mode under contacts in the rules.")
    if told["outcome"] == "failed":
        raise NotDone(f"Not everything could be done: {told['note']}.")
    written = ", ".join(f"{count} {word}" for word, count in told["written"].items()) or "nothing was written"
    note = f" {told['note']}." if told["note"] else ""
    return f"Contacts: {written}.{note}"
