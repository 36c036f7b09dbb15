"""The JSON routes of a company's contacts: what would be done, doing it, and releasing what a guard holds."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import Field

from shared.sync.contacts.demand import release, sync_now
from shared.sync.contacts.look import look_at
from shared.sync.contacts.shown import done, shown
from shared.sync.shapes.people import Contacts, ContactsDone
from shared.web.api.companies import Asked, InPath
from shared.web.principal import Role
from shared.web.requests import Biller, House, allows, our_own, person

router = APIRouter(dependencies=[Depends(allows(Role.BILLER))])
acts = [Depends(our_own)]


class Release(Asked):
    """The deactivations that were shown, by their `leaving`."""

    leaving: Annotated[str, Field(pattern="^[0-9a-f]{16}$")]


@router.get("/companies/{company}/contacts")
def contacts(ports: House, number: InPath) -> Contacts:
    """What would be made, changed and deactivated, read now; `held` says why deactivations wait for a person."""
    return shown(look_at(ports, number))


@router.post("/companies/{company}/contacts/sync", dependencies=acts)
def sync(request: Request, ports: House, who: Biller, number: InPath) -> ContactsDone:
    """Does it now, where the rules have the company's contacts in mode auto; deactivations that are held stay so."""
    return done(sync_now(ports, number, person(who, request)))


@router.post("/companies/{company}/contacts/release", dependencies=acts)
def release_held(request: Request, ports: House, who: Biller, number: InPath, asked: Release) -> ContactsDone:
    """Carries out exactly the deactivations that were shown."""
    return done(release(ports, number, asked.leaving, person(who, request)))
