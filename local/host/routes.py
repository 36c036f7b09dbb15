"""Which function answers a path: ASP.NET route templates, tried in the order of the function names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import unquote

from local.host.functions import Function
from shared.errors import Misconfigured

#: First path segments that the platform's host keeps for itself.
RESERVED = frozenset({"admin", "runtime"})

CONSTRAINTS = {
    None: r"[^/]+",
    "int": r"-?\d+",
    "guid": r"[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}",
}

PARAMETER = re.compile(r"\{(?P<rest>\*{0,2})(?P<name>\w+)(?::(?P<constraint>\w+))?(?P<optional>\?)?\}")


@dataclass(frozen=True, slots=True)
class Match:
    """A function and what the path says for its route parameters; those that the path leaves out are absent."""

    function: Function
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Route:
    """`methods` empty allows every method."""

    function: Function
    pattern: re.Pattern[str]
    methods: frozenset[str]


class RouteTable:
    """The HTTP functions of an app below its route prefix."""

    def __init__(self, functions: Iterable[Function], prefix: str) -> None:
        http = [function for function in functions if function.kind == "httpTrigger"]
        ordered = sorted(http, key=lambda function: function.name.lower())
        self.routes = [_route(function, prefix) for function in ordered]

    def match(self, method: str, raw_path: str) -> Match | HTTPStatus:
        """The first route that fits, or NOT_FOUND, or METHOD_NOT_ALLOWED when only the method did not fit."""
        path = _decoded(raw_path)
        answer = HTTPStatus.NOT_FOUND
        for route in self.routes:
            found = route.pattern.fullmatch(path)
            if found is None:
                continue
            if not route.methods or method in route.methods:
                given = {name: value for name, value in found.groupdict().items() if value is not None}
                return Match(route.function, given)
            answer = HTTPStatus.METHOD_NOT_ALLOWED
        return answer


def is_reserved(raw_path: str) -> bool:
    """Whether the host itself answers this path."""
    return raw_path.strip("/").split("/")[0].lower() in RESERVED


def _route(function: Function, prefix: str) -> Route:
    route = function.trigger.get("route")
    template = f"{prefix}/{function.name if route is None else route.strip('/')}".strip("/")
    if is_reserved(template):
        raise Misconfigured([f"function {function.name}: the host keeps /{template} for itself, choose another route"])
    return Route(function, _pattern(function.name, template), frozenset(function.trigger.get("methods") or ()))


def _pattern(name: str, template: str) -> re.Pattern[str]:
    segments = [segment for segment in template.split("/") if segment]
    parts = [_part(name, segment, last=number == len(segments)) for number, segment in enumerate(segments, 1)]
    return re.compile("".join(parts), re.IGNORECASE | re.DOTALL)


def _part(name: str, segment: str, *, last: bool) -> str:
    if "{" not in segment:
        return "/" + re.escape(segment)
    parameter = PARAMETER.fullmatch(segment)
    if parameter is None or parameter["constraint"] not in CONSTRAINTS:
        raise Misconfigured([f"function {name}: this host does not know the route segment {segment}"])
    if (parameter["rest"] or parameter["optional"]) and not last:
        raise Misconfigured([f"function {name}: {segment} must be the last segment of its route"])
    if parameter["rest"]:
        return f"(?:/(?P<{parameter['name']}>.*))?"
    value = f"/(?P<{parameter['name']}>{CONSTRAINTS[parameter['constraint']]})"
    return f"(?:{value})?" if parameter["optional"] else value


def _decoded(raw_path: str) -> str:
    """The path without its last slash, decoded; an encoded slash stays encoded, as on the platform."""
    parts = re.split("(%2f)", raw_path.rstrip("/"), flags=re.IGNORECASE)
    return "".join(part if part.lower() == "%2f" else unquote(part) for part in parts)
