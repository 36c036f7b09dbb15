"""Whatever people see and do on the pages, programs get and do as JSON: a page without an entry here fails."""

from __future__ import annotations

import pytest

from shared.web.app import API
from tests.flow.test_access import WAYS

COMPANY = "/console/companies/{company}"
MAPPING = "/console/mapping"
OF_COMPANY = "/companies/{company}"

#: What each page shows, and each form does, by the JSON routes that tell or do the same. None: it only leads to a page.
ROUTES: dict[tuple[str, str], tuple[str, ...] | None] = {
    ("GET", "/console"): None,
    ("GET", "/console/"): None,
    ("GET", "/console/setup"): ("GET /setup",),
    ("POST", "/console/setup/{connection}/test"): ("POST /setup/{connection}/test",),
    ("POST", "/console/setup/consent/{company}/test"): (f"POST {OF_COMPANY}/links/test",),
    ("GET", "/console/companies"): ("GET /companies",),
    ("GET", COMPANY): (f"GET {OF_COMPANY}", f"GET {OF_COMPANY}/users", f"GET {OF_COMPANY}/history"),
    ("GET", f"{COMPANY}/history"): (f"GET {OF_COMPANY}/history",),
    ("GET", f"{COMPANY}/accounts"): (f"GET {OF_COMPANY}/accounts",),
    ("GET", f"{COMPANY}/contacts"): (f"GET {OF_COMPANY}/contacts",),
    ("GET", f"{COMPANY}/licence"): (f"GET {OF_COMPANY}/licence",),
    ("GET", f"{COMPANY}/rules"): (f"GET {OF_COMPANY}/rules",),
    ("POST", f"{COMPANY}/sync"): (f"POST {OF_COMPANY}/sync",),
    ("POST", f"{COMPANY}/decide"): ("POST /approve", "POST /reject"),
    ("POST", f"{COMPANY}/choose"): ("POST /choices",),
    ("POST", f"{COMPANY}/undo"): ("POST /undo",),
    ("POST", f"{COMPANY}/billing"): (f"POST {OF_COMPANY}/billing",),
    ("POST", f"{COMPANY}/mode"): (f"POST {OF_COMPANY}/mode",),
    ("POST", f"{COMPANY}/guards"): (f"POST {OF_COMPANY}/guards",),
    ("POST", f"{COMPANY}/rules"): (f"POST {OF_COMPANY}/rules",),
    ("POST", f"{COMPANY}/erase"): (f"POST {OF_COMPANY}/erase",),
    ("POST", f"{COMPANY}/licence"): (f"POST {OF_COMPANY}/licence",),
    ("POST", f"{COMPANY}/licence/drop"): (f"POST {OF_COMPANY}/licence/drop",),
    ("POST", f"{COMPANY}/links/test"): (f"POST {OF_COMPANY}/links/test",),
    ("POST", f"{COMPANY}/contacts/sync"): (f"POST {OF_COMPANY}/contacts/sync",),
    ("POST", f"{COMPANY}/contacts/release"): (f"POST {OF_COMPANY}/contacts/release",),
    ("GET", "/console/approvals"): ("GET /waiting", "GET /questions"),
    ("POST", "/console/approvals/decide"): ("POST /approve", "POST /reject"),
    ("POST", "/console/approvals/kind"): ("POST /approve",),
    ("GET", MAPPING): ("GET /mapping/links",),
    ("POST", f"{MAPPING}/look"): ("POST /mapping/look",),
    ("POST", f"{MAPPING}/accept"): ("POST /mapping/links",),
    ("POST", f"{MAPPING}/link"): ("POST /mapping/links",),
    ("POST", f"{MAPPING}/sure"): ("POST /mapping/links/sure",),
    ("POST", f"{MAPPING}/ignore"): ("POST /mapping/links/ignore",),
    ("POST", f"{MAPPING}/restore"): ("POST /mapping/links/restore",),
    ("GET", f"{MAPPING}/skus"): ("GET /mapping/skus",),
    ("POST", f"{MAPPING}/skus"): ("POST /mapping/skus",),
    ("POST", f"{MAPPING}/skus/drop"): ("POST /mapping/skus",),
    ("GET", f"{MAPPING}/unmapped"): ("GET /mapping/unmapped",),
    ("POST", f"{MAPPING}/unmapped"): ("POST /mapping/unmapped",),
    ("POST", f"{MAPPING}/unmapped/everywhere"): ("POST /mapping/skus",),
    ("POST", f"{MAPPING}/unmapped/ignore"): ("POST /mapping/unmapped/ignore",),
    ("POST", f"{MAPPING}/unmapped/restore"): ("POST /mapping/unmapped/restore",),
    ("GET", f"{MAPPING}/changes"): ("GET /rules/history",),
    ("GET", f"{MAPPING}/exchange"): ("GET /mapping/export.xlsx", "GET /mapping/tables/{table}.csv"),
    ("POST", f"{MAPPING}/exchange"): ("POST /mapping/import",),
    ("POST", f"{MAPPING}/exchange/confirm"): ("POST /mapping/import/confirm",),
    ("GET", f"{MAPPING}/products"): ("GET /sources/{source}/products",),
    ("GET", f"{MAPPING}/products/new"): ("GET /catalog/choices", "GET /catalog/proposal"),
    ("POST", f"{MAPPING}/products/preview"): ("POST /catalog/products",),
    ("POST", f"{MAPPING}/products/create"): ("POST /catalog/products",),
    ("GET", "/console/profiles"): ("GET /profiles",),
    ("GET", "/console/profiles/edit"): ("GET /profiles/fields",),
    ("GET", "/console/profiles/guards"): ("GET /rules/guards",),
    ("POST", "/console/profiles/example"): ("POST /profiles/example",),
    ("POST", "/console/profiles/save"): ("POST /rules/edits",),
    ("POST", "/console/profiles/guards"): ("POST /rules/edits",),
    ("GET", "/console/reports"): ("GET /reconciliation",),
    ("GET", "/console/reports/shadow"): ("GET /shadow",),
    ("GET", "/console/reports/companies/{company}"): (f"GET {OF_COMPANY}/course",),
    ("GET", "/console/reports/costs"): ("GET /sources/{source}/costs",),
    ("GET", "/console/runs"): ("GET /runs",),
    ("POST", "/console/runs"): ("POST /companies/sync",),
    ("GET", "/console/runs/{run}"): ("GET /runs/{run}",),
    ("GET", "/console/users"): ("GET /accounts",),
}
PAGES = [way for way in WAYS if not way[1].startswith(f"{API}/")]


def json_way(route: str) -> tuple[str, str]:
    method, path = route.split(" ")
    return method, f"{API}{path}"


def test_everything_that_the_pages_show_and_do_is_told_and_done_as_json():
    assert set(ROUTES) == set(PAGES)
    assert {way for routes in ROUTES.values() for way in map(json_way, routes or ())} - set(WAYS) == set()


@pytest.mark.parametrize("way", [way for way in PAGES if way[0] == "POST"], ids=" ".join)
def test_a_program_needs_the_role_that_a_person_needs(way):
    assert {WAYS[json_way(route)].role for route in ROUTES[way] or ()} == {WAYS[way].role}


def test_what_json_does_can_be_done_on_a_page():
    """Nothing that changes anything is left to programs alone."""
    by_pages = {route for routes in ROUTES.values() for route in routes or ()}
    acting = {f"{method} {path.removeprefix(API)}" for method, path in WAYS if path.startswith(API) and method != "GET"}
    assert acting - by_pages == set()
