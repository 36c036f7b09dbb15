"""The page of export and import: an edited file is shown as what it would change, and confirmed."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, UploadFile
from fastapi.responses import Response

from shared.errors import Gone, Refused
from shared.sync.mapping import exchange, shown
from shared.web.pages.frame import acts, next_page, render
from shared.web.pages.words import counted
from shared.web.principal import Role
from shared.web.requests import Admin, House, Reader, allows, person, sees_all

router = APIRouter(include_in_schema=False, dependencies=[Depends(allows(Role.READER)), Depends(sees_all)])

_PATH = "/console/mapping/exchange"


@router.get(_PATH)
def export_and_import(request: Request, who: Reader) -> Response:
    """Where the tables go out and come in."""
    return render(request, "mapping_exchange.html", shown=None, problems=(), may=who.may(Role.ADMIN))


@router.post(_PATH, dependencies=acts)
def upload(request: Request, ports: House, who: Admin, file: UploadFile) -> Response:
    """Shows what a file would change, or what is wrong with it by row. It changes nothing."""
    content = file.file.read(exchange.LARGEST + 1)
    try:
        found = shown.uploaded(exchange.upload(ports, content, person(who, request)))
    except Refused as error:
        problems = getattr(error, "problems", None) or [f"{error.message}. {error.remedy}"]
        return render(request, "mapping_exchange.html", 400, shown=None, problems=problems, may=True)
    return render(request, "mapping_exchange.html", shown=found, problems=(), may=True)


@router.post(f"{_PATH}/confirm", dependencies=acts)
def confirm(
    request: Request,
    ports: House,
    who: Admin,
    hash: Annotated[str, Form(pattern="^[0-9a-f]{16}$")],
    edition: Annotated[int, Form(ge=0, lt=10**10)],
) -> Response:
    """Makes the changes that were shown."""
    try:
        done = exchange.confirm(ports, hash, edition, person(who, request))
    except (Refused, Gone) as error:
        return next_page(request, _PATH, f"{error.message}. {error.remedy}", "problem")
    return next_page(request, "/console/mapping/changes", f"{counted(len(done.what), 'change')} made.")
