"""What every request of a person goes through: signed in, allowed, and sent by our own pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, HTTPException, Request

from shared.billing.rules import EVERYTHING, Remit
from shared.sync.approvals import Person
from shared.sync.ports import Ports
from shared.web.principal import Access, Principal, Role

#: What browsers say of a request that no other site started.
_OUR_OWN = {"same-origin", "none"}


def signed_in(request: Request) -> Principal:
    """Who sends this request. Raises 401 for nobody."""
    access: Access = request.app.state.access
    principal = access.principal(request.headers)
    if principal is None:
        raise HTTPException(401, "nobody is signed in; sign in and try again")
    return principal


def allows(role: Role) -> Callable[[Request], Principal]:
    """A dependency: the signed-in person who has this role. 401 for nobody, 403 for somebody without it."""

    def allowed(request: Request) -> Principal:
        principal = signed_in(request)
        if not principal.may(role):
            raise HTTPException(403, f"{principal.name} does not have the role {role.value}")
        return principal

    return allowed


def remit_of(request: Request) -> Remit:
    """The companies of the person who sends this request, as the rules in force say; all of them for an Admin."""
    if (known := known_remit(request)) is not None:
        return known
    principal, ports = signed_in(request), _ports(request)
    remit = EVERYTHING if principal.may(Role.ADMIN) else ports.rules.load().remit_of(principal.name)
    request.state.remit = remit
    return remit


def known_remit(request: Request) -> Remit | None:
    """The same where this request has asked for it already: what shows an error asks the store nothing."""
    known: Remit | None = getattr(request.state, "remit", None)
    return known


def sees_all(request: Request) -> None:
    """A dependency of what is about all companies at once. 403 for a person whom the rules limit to some."""
    if remit_of(request).is_limited:
        raise HTTPException(403, "this is about all companies, and the rules limit you to some of them")


def ports_of(request: Request) -> Ports:
    """What is read is narrowed to the person's companies. What is done sees all: its guards look across companies."""
    return _ports(request).within(remit_of(request)) if request.method == "GET" else _ports(request)


def _ports(request: Request) -> Ports:
    found: Ports = request.app.state.ports
    return found


def our_own(request: Request) -> None:
    """A dependency of JSON that changes something: no other site's form or script is behind it."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "send application/json")
    same_site(request)


def same_site(request: Request) -> None:
    """A dependency of everything that changes something: what browsers say of where a request was started."""
    origin = request.headers.get("origin")
    if origin is not None and _host_of(origin) not in _hosts(request):
        raise HTTPException(403, "the request comes from another site")
    if request.headers.get("sec-fetch-site", "none") not in _OUR_OWN:
        raise HTTPException(403, "the request comes from another site")


def person(principal: Principal, request: Request) -> Person:
    """Who decides and from where: the last address that the platform's front end has added."""
    forwarded = request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
    return Person(principal.name, forwarded[:64], remit_of(request))


def _host_of(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None


def _hosts(request: Request) -> set[str]:
    """The names under which this request reached us: an absent port is the scheme's own."""
    return {request.headers.get("host", "").lower(), request.url.netloc.lower()}


Sees = Annotated[Remit, Depends(remit_of)]
Reader = Annotated[Principal, Depends(allows(Role.READER))]
Admin = Annotated[Principal, Depends(allows(Role.ADMIN))]
Biller = Annotated[Principal, Depends(allows(Role.BILLER))]
House = Annotated[Ports, Depends(ports_of)]
