"""Which of the sandbox's systems a request is for, and how its route is named in counts and faults."""

from __future__ import annotations

import re

from aiohttp import web

from local.sandbox.cove import PATH as COVE_PATH
from local.sandbox.graph.routes import PREFIX as GRAPH_PREFIX
from local.sandbox.huntress import PREFIX as HUNTRESS_PREFIX
from local.sandbox.manage.app import route_template
from local.sandbox.partner_center import PREFIX as PARTNER_CENTER_PREFIX
from local.sandbox.pax8.routes import PREFIX as PAX8_PREFIX
from local.sandbox.teams import PREFIX as TEAMS_PREFIX

SYSTEMS = ("manage", "graph", "entra", "partnercenter", "pax8", "huntress", "cove", "teams")

_PATHS = (
    ("graph", re.compile(r"/graph/")),
    ("partnercenter", re.compile(PARTNER_CENTER_PREFIX + "/")),
    ("pax8", re.compile(PAX8_PREFIX + "/")),
    ("huntress", re.compile(HUNTRESS_PREFIX + "/")),
    ("cove", re.compile(COVE_PATH)),
    ("teams", re.compile(TEAMS_PREFIX + "/")),
    ("entra", re.compile(r"/[^/]+/(oauth2/)?v2\.0/")),
    ("manage", re.compile(r"/+([^/]+/+apis/+3\.0/|login/companyinfo/|system/callbackkey)", re.IGNORECASE)),
)


def system_of(path: str) -> str | None:
    """One of SYSTEMS; None for the sandbox's own controls."""
    return next((system for system, pattern in _PATHS if pattern.match(path)), None)


def route_of(request: web.Request) -> str:
    """The route's template without its base, such as `/users` or `/finance/agreements/{agreement}/additions`.

    Entra's keeps the tenant's place: `/{tenant}/oauth2/v2.0/token`. A path that fits no route stands for itself.
    """
    if request.match_info.route.resource is None:
        return request.path
    template = route_template(request)
    for prefix in (GRAPH_PREFIX, PARTNER_CENTER_PREFIX, PAX8_PREFIX, HUNTRESS_PREFIX, TEAMS_PREFIX):
        template = template.removeprefix(prefix)
    return "/" + template.lstrip("/")
