"""The functions host: route templates and keys."""

from __future__ import annotations

from http import HTTPStatus

import pytest

from local.host.functions import Function
from local.host.keys import Keys, read_keys
from local.host.routes import Match, RouteTable, is_reserved
from shared.errors import Misconfigured


def http(name: str, route: str | None, *methods: str) -> Function:
    trigger = {"type": "httpTrigger", "name": "req", "route": route, "methods": list(methods) or None}
    return Function(name, lambda req: None, trigger)


def asked(table: RouteTable, path: str, method: str = "GET") -> tuple[str, dict[str, str]] | HTTPStatus:
    match = table.match(method, path)
    return (match.function.name, dict(match.parameters)) if isinstance(match, Match) else match


def test_the_first_function_by_name_wins_even_over_a_more_exact_route() -> None:
    table = RouteTable([http("exact", "things/one"), http("Everything", "{*rest}")], "api")
    assert asked(table, "/api/things/one") == ("Everything", {"rest": "things/one"})


def test_a_function_without_a_route_is_reached_by_its_name() -> None:
    table = RouteTable([http("Status", None), http("root", "")], "api")
    assert asked(table, "/api/status") == ("Status", {})
    assert asked(table, "/api") == ("root", {})


def test_without_a_prefix_routes_begin_at_the_root() -> None:
    table = RouteTable([http("console", "console/{*path}")], "")
    assert asked(table, "/console") == ("console", {})
    assert asked(table, "/console/companies/5/") == ("console", {"path": "companies/5"})
    assert asked(table, "/consoles") == HTTPStatus.NOT_FOUND


def test_constraints_decide_between_routes() -> None:
    table = RouteTable([http("a", "x/{id:int}"), http("b", "x/{id:guid}"), http("c", "x/{id}")], "")
    assert asked(table, "/x/12") == ("a", {"id": "12"})
    assert asked(table, "/x/6f9619ff-8b86-d011-b42d-00cf4fc964ff") == (
        "b",
        {"id": "6f9619ff-8b86-d011-b42d-00cf4fc964ff"},
    )
    assert asked(table, "/x/other") == ("c", {"id": "other"})
    assert asked(table, "/x/two/segments") == HTTPStatus.NOT_FOUND


def test_a_parameter_is_decoded_but_an_encoded_slash_stays() -> None:
    table = RouteTable([http("a", "x/{id}")], "")
    assert asked(table, "/x/M%C3%BCller%20KG") == ("a", {"id": "Müller KG"})
    assert asked(table, "/x/a%2Fb") == ("a", {"id": "a%2Fb"})


def test_another_method_finds_a_later_route_and_is_refused_only_at_the_end() -> None:
    table = RouteTable([http("a", "x", "GET"), http("b", "{*rest}", "POST")], "")
    assert asked(table, "/x", "POST") == ("b", {"rest": "x"})
    assert asked(table, "/x", "DELETE") == HTTPStatus.METHOD_NOT_ALLOWED
    assert asked(RouteTable([http("a", "x", "GET")], ""), "/y", "POST") == HTTPStatus.NOT_FOUND


@pytest.mark.parametrize(
    ("route", "complaint"),
    [
        ("x/{id:regex}", "does not know"),
        ("x/{id}.json", "does not know"),
        ("{*rest}/x", "last segment"),
        ("{id?}/x", "last segment"),
        ("admin/x", "keeps /admin/x"),
        ("Runtime", "keeps /Runtime"),
    ],
)
def test_a_route_that_the_platform_or_this_host_cannot_serve_is_refused(route: str, complaint: str) -> None:
    with pytest.raises(Misconfigured, match=f"function wrong: .*{complaint}"):
        RouteTable([http("wrong", route)], "")


def test_admin_and_runtime_are_reserved_at_the_root_only() -> None:
    assert is_reserved("/admin")
    assert is_reserved("/Admin/host/status")
    assert is_reserved("/runtime/x")
    assert not is_reserved("/administration")
    assert not is_reserved("/api/admin")


def test_keys_open_their_level_and_the_master_key_opens_all() -> None:
    keys = Keys(master="m", default="d")
    opened = {level: [key for key in ("", "x", "d", "m", "é") if keys.allow(level, key)] for level in LEVELS}
    assert opened == {"ANONYMOUS": ["", "x", "d", "m", "é"], "function": ["d", "m"], "admin": ["m"]}


LEVELS = ("ANONYMOUS", "function", "admin")


def test_keys_that_are_not_set_are_named() -> None:
    assert read_keys({"HOST_MASTER_KEY": "m", "HOST_DEFAULT_KEY": "d"}) == Keys("m", "d")
    with pytest.raises(Misconfigured, match=r"HOST_MASTER_KEY; .*HOST_DEFAULT_KEY"):
        read_keys({"HOST_MASTER_KEY": ""})
