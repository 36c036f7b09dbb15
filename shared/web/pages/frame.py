"""What every page has: its place in the navigation, who is signed in, a notice, and the token of its forms."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from shared.sync.ports import Ports
from shared.version import running_version
from shared.web import formats
from shared.web.assets import url_of
from shared.web.cookies import Notice, drop_notice, from_our_form, keep_notice, keep_token, take_notice, token_of
from shared.web.principal import Access
from shared.web.requests import known_remit, same_site

#: Dependencies of every page that a form is sent to.
acts = [Depends(same_site), Depends(from_our_form)]


class Place(NamedTuple):
    """One entry of the navigation. `about_all`: it is shown to nobody whom the rules limit to some companies."""

    title: str
    path: str
    about_all: bool = False


#: In the order in which a clerk needs them.
_PLACES = (
    Place("First steps", "/console/setup"),
    Place("Companies", "/console/companies"),
    Place("Approvals", "/console/approvals"),
    Place("Mapping", "/console/mapping", about_all=True),
    Place("Profiles", "/console/profiles"),
    Place("Reports", "/console/reports"),
    Place("Runs", "/console/runs"),
)


def render(request: Request, template: str, status: int = 200, **shown: object) -> HTMLResponse:
    """A page from a template. `shown` are the template's own names beside those of the frame (see `_frame`)."""
    page = environment().get_template(template).render(**_frame(request), **shown)
    response = HTMLResponse(page, status)
    keep_token(request, response)
    drop_notice(request, response)
    return response


def next_page(request: Request, path: str, notice: str, kind: str = "done") -> RedirectResponse:
    """What follows a form that acted: the page at this path of ours, with a notice about what was done."""
    response = RedirectResponse(path, 303)
    keep_notice(request, response, Notice(notice, "problem" if kind == "problem" else "done"))
    return response


def _frame(request: Request) -> dict[str, object]:
    ports: Ports = request.app.state.ports
    access: Access = request.app.state.access
    person = access.principal(request.headers)
    remit = known_remit(request)
    sees_all = remit is None or not remit.is_limited
    places = request.app.state.places if person is not None else ()
    token = Markup('<input type="hidden" name="token" value="{}">').format(token_of(request))
    return {
        "person": person,
        "platform": access.platform,
        "places": [place for place in places if sees_all or not place.about_all],
        "sees_all": sees_all,
        "here": request.url.path,
        "notice": take_notice(request),
        "token": token,
        "moment": partial(formats.moment, zone=ports.time_zone),
        "zone": ports.time_zone.key,
        "version": running_version() if person is not None else "",
    }


def places(routers: Iterable[APIRouter]) -> tuple[Place, ...]:
    """The entries of the navigation to which these routers have a page."""
    there = {getattr(route, "path", "") for router in routers for route in router.routes}
    return tuple(place for place in _PLACES if place.path in there)


@cache
def environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parents[1] / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(number=formats.number, units=formats.units, money=formats.money, linked=formats.linked)
    made.filters.update(day=formats.day, month=formats.month, term=formats.term)
    made.filters.update(capital=formats.capital, source=formats.source)
    made.globals.update(asset=url_of)
    return made
