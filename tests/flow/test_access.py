"""Who may do what, for every route there is: a route without an entry here fails."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from shared.billing.rules import Mode, Remit
from shared.sync.lanes import start_run
from shared.web.app import API, API_ROUTERS, PAGE_ROUTERS
from shared.web.principal import Role
from tests import builders as b
from tests.fakes.app import app_for
from tests.fakes.browser import Answer, Browser
from tests.fakes.house import House
from tests.flow.test_console import PLATFORM, signed_in

READER, BILLER, ADMIN = Role
MINE, OTHER = 1, 2
KIM = "kim@birchline.example"
#: What nobody may see who does not see the company.
TRACES = (re.compile(r"\bCompany 2\b"), re.compile(r"\btenant-2\b"))


@dataclass(frozen=True)
class Way:
    """Who may go it. A POST with `body` sends JSON, with `form` a form; `{company}` and `{hash}` in them are filled."""

    role: Role
    body: Mapping[str, Any] | None = None
    form: Mapping[str, Any] | None = None
    file: bytes | None = None
    query: str = ""
    path: Mapping[str, str] = field(default_factory=dict)


CUSTOMER = {"source": b.SOURCE, "customer": "t-9"}
SKU = {"source": b.SOURCE, "sku": "x"}
MAPPING = "/console/mapping"
SKU_FORM = {"edition": "1", "pick": '["microsoft365","x"]'}
HERE_FORM = {"edition": "1", "pick": '["{company}","microsoft365","x"]'}
CHOSEN = {"company": "{company}", "groups": ["{hash}"]}
SOLD = {"source": b.SOURCE, "sku": b.STANDARD}
LINK = {"source": b.SOURCE, "customer": "tenant-{company}"}
NOT_BILLED = {**SOLD, "bill": False}
OWN = {"source": b.SOURCE, "sku": b.PREMIUM, "edition": "1"}

EXAMPLE = {
    "profile": {"id": "a", "name": "A", "product": "M365-BP"},
    "scene": {"day": "2026-11-10", "before": "8", "after": "10", "price": "25"},
}
PROFILE = {
    "id": "fresh",
    "name": "Fresh",
    "product": "M365-BP",
    "edition": "1",
    "scene.day": "2026-11-10",
    "scene.before": "8",
    "scene.after": "10",
    "scene.price": "25",
    "scene.cycle": "Monthly",
}

PRODUCT = {
    "identifier": "NEW-1",
    "description": "New",
    "text": "New",
    "subcategory": "1",
    "type": "1",
    "product_class": "Service",
    "price": "25.00",
}

WAYS: dict[tuple[str, str], Way] = {
    ("GET", "/console"): Way(READER),
    ("GET", "/console/"): Way(READER),
    ("GET", "/console/setup"): Way(READER),
    ("POST", "/console/setup/{connection}/test"): Way(READER, form={}, path={"connection": "manage"}),
    ("GET", f"{API}/openapi.json"): Way(READER),
    ("GET", f"{API}/setup"): Way(READER),
    ("POST", f"{API}/setup/{{connection}}/test"): Way(READER, body={}, path={"connection": "manage"}),
    ("GET", f"{API}/waiting"): Way(READER),
    ("GET", f"{API}/questions"): Way(READER),
    ("GET", "/console/companies"): Way(READER),
    ("GET", "/console/companies/{company}"): Way(READER),
    ("GET", "/console/companies/{company}/history"): Way(READER),
    ("POST", "/console/companies/{company}/sync"): Way(BILLER, form={}),
    ("POST", "/console/companies/{company}/decide"): Way(BILLER, form={"groups": "{hash}", "verdict": "approve"}),
    ("POST", "/console/companies/{company}/choose"): Way(BILLER, form={"choice": "accept", "bill_item": "x"}),
    ("POST", "/console/companies/{company}/undo"): Way(BILLER, form={"run": "run"}),
    ("POST", "/console/companies/{company}/billing"): Way(BILLER, form={**SOLD, "how": "never"}),
    ("POST", "/console/companies/{company}/mode"): Way(ADMIN, form={"mode": "approve"}),
    ("GET", "/console/companies/{company}/licence"): Way(BILLER, query=f"source={b.SOURCE}&sku={b.PREMIUM}"),
    ("POST", "/console/companies/{company}/licence"): Way(BILLER, form={**OWN, "price": "12.50"}),
    ("POST", "/console/companies/{company}/licence/drop"): Way(BILLER, form=OWN),
    ("GET", "/console/companies/{company}/rules"): Way(READER),
    ("POST", "/console/companies/{company}/rules"): Way(BILLER, form={"edition": "1"}),
    ("POST", "/console/companies/{company}/erase"): Way(ADMIN, form={"sure": "true"}),
    ("POST", "/console/companies/{company}/guards"): Way(ADMIN, form={"edition": "1"}),
    ("GET", "/console/profiles/guards"): Way(READER),
    ("POST", "/console/profiles/guards"): Way(ADMIN, form={"edition": "1"}),
    ("GET", f"{API}/rules/guards"): Way(READER),
    ("GET", f"{API}/companies/{{company}}/licence"): Way(BILLER, query=f"source={b.SOURCE}&sku={b.PREMIUM}"),
    ("POST", f"{API}/companies/{{company}}/licence"): Way(BILLER, body={**SOLD, "fields": {"price": "12.50"}}),
    ("POST", f"{API}/companies/{{company}}/licence/drop"): Way(BILLER, body=SOLD),
    ("GET", f"{API}/companies/{{company}}/rules"): Way(READER),
    ("POST", f"{API}/companies/{{company}}/rules"): Way(BILLER, body={"adopt_marked": True}),
    ("POST", f"{API}/companies/{{company}}/guards"): Way(ADMIN, body={"guards": {"changes_per_day": 5}}),
    ("POST", "/console/setup/consent/{company}/test"): Way(READER, form={"tenant": "tenant-{company}"}),
    ("POST", "/console/companies/{company}/links/test"): Way(READER, form=LINK),
    ("POST", f"{API}/companies/{{company}}/links/test"): Way(READER, body=LINK),
    ("GET", "/console/approvals"): Way(READER),
    ("POST", "/console/approvals/decide"): Way(BILLER, form={"chosen": "{company}:{hash}", "verdict": "reject"}),
    ("POST", "/console/approvals/kind"): Way(BILLER, form={"kind": "adoption", "held": "false", "seen": "0" * 16}),
    ("GET", f"{API}/companies"): Way(READER),
    ("GET", f"{API}/companies/{{company}}"): Way(READER),
    ("GET", f"{API}/companies/{{company}}/history"): Way(READER),
    ("GET", f"{API}/companies/{{company}}/history.csv"): Way(READER),
    ("GET", f"{API}/companies/{{company}}/users"): Way(BILLER, query=f"source={b.SOURCE}&customer=tenant-1&sku=x"),
    ("POST", f"{API}/companies/sync"): Way(BILLER, body={}),
    ("POST", f"{API}/companies/{{company}}/sync"): Way(BILLER, body={}),
    ("POST", f"{API}/companies/{{company}}/billing"): Way(BILLER, body=NOT_BILLED),
    ("POST", f"{API}/companies/{{company}}/erase"): Way(ADMIN, body={}),
    ("POST", f"{API}/companies/{{company}}/mode"): Way(ADMIN, body={"mode": "approve"}),
    ("POST", f"{API}/approve"): Way(BILLER, body=CHOSEN),
    ("POST", f"{API}/reject"): Way(BILLER, body=CHOSEN),
    ("POST", f"{API}/undo"): Way(BILLER, body={"company": "{company}", "run": "run"}),
    ("POST", f"{API}/choices"): Way(BILLER, body={"company": "{company}", "choice": "accept", "bill_item": "x"}),
    ("GET", f"{API}/mapping/links"): Way(READER),
    ("POST", f"{API}/mapping/look"): Way(ADMIN, body={}),
    ("POST", f"{API}/mapping/links"): Way(ADMIN, body={"links": [{**CUSTOMER, "company": 7}]}),
    ("POST", f"{API}/mapping/links/sure"): Way(ADMIN, body={"confidence": 50, "seen": "0" * 16}),
    ("POST", f"{API}/mapping/links/ignore"): Way(ADMIN, body=CUSTOMER),
    ("POST", f"{API}/mapping/links/restore"): Way(ADMIN, body=CUSTOMER),
    ("GET", f"{API}/mapping/skus"): Way(READER),
    ("POST", f"{API}/mapping/skus"): Way(ADMIN, body={"skus": [SKU]}),
    ("GET", f"{API}/mapping/unmapped"): Way(READER),
    ("POST", f"{API}/mapping/unmapped"): Way(ADMIN, body={**SKU, "company": "{company}", "profile": None}),
    ("POST", f"{API}/mapping/unmapped/ignore"): Way(ADMIN, body={**SKU, "company": "{company}"}),
    ("POST", f"{API}/mapping/unmapped/restore"): Way(ADMIN, body={**SKU, "company": "{company}"}),
    ("GET", f"{API}/mapping/export.xlsx"): Way(READER),
    ("GET", f"{API}/mapping/tables/{{table}}.csv"): Way(READER, path={"table": "links"}),
    ("POST", f"{API}/mapping/import"): Way(ADMIN, body={"content": "c291cmNlLHNrdQo="}),
    ("POST", f"{API}/mapping/import/confirm"): Way(ADMIN, body={"hash": "0" * 16, "edition": 1}),
    ("GET", f"{MAPPING}/exchange"): Way(READER),
    ("POST", f"{MAPPING}/exchange"): Way(ADMIN, file=b"source,sku\n"),
    ("POST", f"{MAPPING}/exchange/confirm"): Way(ADMIN, form={"hash": "0" * 16, "edition": "1"}),
    ("POST", f"{API}/rules/edits"): Way(
        ADMIN, body={"edits": [{"section": "policies", "fields": {**SKU, "do_not_bill": True}}]}
    ),
    ("GET", f"{API}/rules/history"): Way(READER),
    ("GET", f"{API}/rules/history.csv"): Way(READER),
    ("GET", MAPPING): Way(READER),
    ("POST", f"{MAPPING}/look"): Way(ADMIN, form={}),
    ("POST", f"{MAPPING}/accept"): Way(ADMIN, form={"pick": '["microsoft365","t-9",7]'}),
    ("POST", f"{MAPPING}/link"): Way(ADMIN, form={"customer": '["microsoft365","t-9",0]', "company": "7"}),
    ("POST", f"{MAPPING}/sure"): Way(ADMIN, form={"confidence": "50", "seen": "0" * 16}),
    ("POST", f"{MAPPING}/ignore"): Way(ADMIN, form={"pick": '["microsoft365","t-9",0]'}),
    ("POST", f"{MAPPING}/restore"): Way(ADMIN, form={"pick": '["microsoft365","t-9",0]'}),
    ("GET", f"{MAPPING}/skus"): Way(READER),
    ("POST", f"{MAPPING}/skus"): Way(ADMIN, form={**SKU_FORM, "profile": "none"}),
    ("POST", f"{MAPPING}/skus/drop"): Way(ADMIN, form=SKU_FORM),
    ("GET", f"{MAPPING}/unmapped"): Way(READER),
    ("POST", f"{MAPPING}/unmapped"): Way(ADMIN, form={**HERE_FORM, "profile": "none"}),
    ("POST", f"{MAPPING}/unmapped/everywhere"): Way(ADMIN, form={**HERE_FORM, "profile": "none"}),
    ("POST", f"{MAPPING}/unmapped/ignore"): Way(ADMIN, form=HERE_FORM),
    ("POST", f"{MAPPING}/unmapped/restore"): Way(ADMIN, form=HERE_FORM),
    ("GET", f"{MAPPING}/changes"): Way(READER),
    ("GET", f"{API}/runs"): Way(READER),
    ("GET", f"{API}/runs.csv"): Way(READER),
    ("GET", f"{API}/runs/{{run}}"): Way(READER, path={"run": "{run}"}),
    ("GET", f"{API}/runs/{{run}}/rows.csv"): Way(READER, path={"run": "{run}"}),
    ("GET", f"{API}/reconciliation"): Way(READER, query="every=true"),
    ("GET", f"{API}/reconciliation.{{kind}}"): Way(READER, query="every=true", path={"kind": "csv"}),
    ("GET", f"{API}/shadow"): Way(READER),
    ("GET", f"{API}/shadow.csv"): Way(READER),
    ("GET", f"{API}/companies/{{company}}/course"): Way(READER),
    ("GET", f"{API}/companies/{{company}}/course.csv"): Way(READER),
    ("GET", f"{API}/profiles"): Way(READER),
    ("GET", f"{API}/profiles/fields"): Way(READER, query="id=premium"),
    ("POST", f"{API}/profiles/example"): Way(READER, body=EXAMPLE),
    ("GET", "/console/profiles"): Way(READER),
    ("GET", "/console/profiles/edit"): Way(READER, query="id=premium"),
    ("POST", "/console/profiles/example"): Way(READER, form=PROFILE),
    ("POST", "/console/profiles/save"): Way(ADMIN, form=PROFILE),
    ("GET", "/console/runs"): Way(READER),
    ("POST", "/console/runs"): Way(BILLER, form={}),
    ("GET", "/console/runs/{run}"): Way(READER, path={"run": "{run}"}),
    ("GET", "/console/reports"): Way(READER, query="every=true"),
    ("GET", "/console/reports/shadow"): Way(READER),
    ("GET", "/console/reports/companies/{company}"): Way(READER),
    ("GET", "/console/reports/costs"): Way(BILLER),
    ("GET", f"{MAPPING}/products"): Way(BILLER),
    ("GET", f"{MAPPING}/products/new"): Way(ADMIN, query=f"source={b.SOURCE}&sku={b.PREMIUM}"),
    ("POST", f"{MAPPING}/products/preview"): Way(ADMIN, form=PRODUCT),
    ("POST", f"{MAPPING}/products/create"): Way(ADMIN, form=PRODUCT),
    ("GET", f"{API}/catalog/choices"): Way(ADMIN),
    ("GET", f"{API}/catalog/proposal"): Way(ADMIN, query=f"source={b.SOURCE}&sku={b.PREMIUM}"),
    ("POST", f"{API}/catalog/products"): Way(ADMIN, body=PRODUCT),
    ("GET", f"{API}/sources/{{source}}/products"): Way(BILLER, path={"source": b.SOURCE}),
    ("GET", f"{API}/sources/{{source}}/costs"): Way(BILLER, path={"source": b.SOURCE}),
    ("GET", f"{API}/sources/{{source}}/costs.{{kind}}"): Way(BILLER, path={"source": b.SOURCE, "kind": "csv"}),
    ("GET", f"{API}/accounts"): Way(BILLER),
    ("GET", f"{API}/accounts/users.{{kind}}"): Way(BILLER, path={"kind": "csv"}),
    ("GET", f"{API}/companies/{{company}}/accounts"): Way(BILLER),
    ("GET", f"{API}/companies/{{company}}/accounts/users.{{kind}}"): Way(BILLER, path={"kind": "csv"}),
    ("GET", "/console/users"): Way(BILLER),
    ("GET", f"{API}/companies/{{company}}/contacts"): Way(BILLER),
    ("POST", f"{API}/companies/{{company}}/contacts/sync"): Way(BILLER, body={}),
    ("POST", f"{API}/companies/{{company}}/contacts/release"): Way(BILLER, body={"leaving": "0" * 16}),
    ("GET", "/console/companies/{company}/contacts"): Way(BILLER),
    ("POST", "/console/companies/{company}/contacts/sync"): Way(BILLER, form={}),
    ("POST", "/console/companies/{company}/contacts/release"): Way(BILLER, form={"leaving": "0" * 16}),
    ("GET", "/console/companies/{company}/accounts"): Way(BILLER),
}
#: The ways that name a company.
ABOUT_ONE = [way for way in WAYS if "{company}" in f"{way[1]} {WAYS[way].body} {WAYS[way].form}"]


@pytest.fixture
def house() -> House:
    return house_of_two()


def house_of_two() -> House:
    """Two companies of which something waits and which a run has seen; Kim sees the first one only."""
    house = House()
    house.rules(replace(b.rules(), people=(Remit(KIM, only=(MINE,)),)))
    house.ports = replace(house.ports, consent_url=lambda tenant: f"https://login.example/{tenant}/adminconsent")
    for company in (MINE, OTHER):
        house.company(company, [b.count(8)], [b.addition(company * 10 + 1, 5)], mode=Mode.APPROVE)
    start_run(house.ports, "run", "nightly", [MINE, OTHER])
    house.work_until_done("run")
    return house


@dataclass(frozen=True)
class Caller:
    house: House
    browser: Browser

    def go(self, method: str, template: str, company: int = MINE, headers: dict[str, str] | None = None) -> Answer:
        way = WAYS[method, template]
        known = {"company": str(company), "run": "run", "hash": self._hash(company)}
        path = template.format(**known | {name: _filled(value, known) for name, value in way.path.items()})
        if method == "GET":
            return self.browser.get(f"{path}?{way.query}" if way.query else path)
        if way.file is not None:
            return self.browser.send_file(path, "file", "table.csv", way.file, headers=headers)
        if way.form is not None:
            return self.browser.send_form(path, _filled(dict(way.form), known), headers=headers)
        return self.browser.post(path, json=_filled(dict(way.body or {}), known), headers=headers)

    def _hash(self, company: int) -> str:
        plan = self.house.state(company).plan
        return plan.groups[0].hash if plan is not None and plan.groups else "0" * 16


def caller(house: House, *roles: Role, name: str = "pat@birchline.example") -> Caller:
    """Somebody with these roles who has seen a page before, so that forms of theirs are ours."""
    browser = Browser(app_for(house.ports, PLATFORM), signed_in(READER, name=name))
    browser.get("/console/setup")
    browser.headers = signed_in(*roles, name=name)
    return Caller(house, browser)


def routes() -> Iterator[tuple[str, str]]:
    yield "GET", f"{API}/openapi.json"
    for prefix, routers in ((API, API_ROUTERS), ("", PAGE_ROUTERS)):
        for route in (route for router in routers for route in router.routes):
            for method in route.methods - {"HEAD"}:
                yield method, prefix + route.path


def test_every_route_says_here_who_may_go_it():
    assert set(routes()) == set(WAYS)


@pytest.mark.parametrize("way", WAYS, ids=" ".join)
def test_nobody_goes_a_way_without_being_signed_in_and_having_its_role(house, way):
    method, _ = way
    nobody = Caller(house, Browser(app_for(house.ports, PLATFORM)))
    assert nobody.go(*way).status_code in ((302, 401) if method == "GET" else (401,))
    before = house.manage.calls.copy()
    for role in (role for role in Role if list(Role).index(role) < list(Role).index(WAYS[way].role)):
        assert caller(house, role).go(*way).status_code == 403
    assert caller(house).go(*way).status_code == 403
    assert house.manage.calls == before


@pytest.mark.parametrize("way", WAYS, ids=" ".join)
def test_whoever_has_the_role_goes_the_way(house, way):
    answer = caller(house, WAYS[way].role).go(*way)
    assert answer.status_code not in (401, 403, 405, 422, 500)
    assert b"Not Found" not in answer.content


@pytest.mark.parametrize("way", [way for way in WAYS if way[0] == "GET"], ids=" ".join)
def test_what_somebody_is_shown_leaves_out_companies_that_are_not_theirs(house, way):
    kim = caller(house, BILLER, name=KIM)
    shown = kim.go(*way)
    assert shown.status_code in (200, 302, 403, 404)
    assert [trace.pattern for trace in TRACES if trace.search(shown.content.decode(errors="replace"))] == []


@pytest.mark.parametrize("way", [way for way in WAYS if way[0] == "POST"], ids=" ".join)
def test_what_somebody_is_told_after_an_act_leaves_out_companies_that_are_not_theirs(house, way):
    kim = caller(house, BILLER, name=KIM)
    told = kim.go(*way)
    page = kim.browser.follow(told) if told.status_code == 303 else told
    assert [trace.pattern for trace in TRACES if trace.search(page.content.decode(errors="replace"))] == []


PAGES = [way for way in WAYS if way[0] == "GET" and not way[1].startswith(API)]


@pytest.mark.parametrize("way", PAGES, ids=" ".join)
@pytest.mark.parametrize("role", [READER, BILLER])
def test_no_page_leads_somebody_to_one_that_is_not_for_them(house, role, way):
    kim = caller(house, role, name=KIM)
    page = kim.go(*way)
    if page.status_code != 200:
        return
    links = set(re.findall(r'href="(/console[^"#?]*)', page.text))
    assert [link for link in sorted(links) if kim.browser.get(link).status_code == 403] == []


@pytest.mark.parametrize("path", ["waiting", "companies", "runs/{run}", "runs/{run}/rows.csv"])
def test_whoever_sees_all_companies_is_shown_them(house, path):
    shown = caller(house, BILLER).go("GET", f"{API}/{path}")
    assert [trace.pattern for trace in TRACES[:1] if trace.search(shown.content.decode(errors="replace"))] != []


@pytest.mark.parametrize("way", ABOUT_ONE, ids=" ".join)
def test_about_a_company_that_is_not_theirs_nobody_reads_or_decides(house, way):
    kim = caller(house, BILLER, name=KIM.upper())
    before = house.manage.calls.copy()
    assert kim.go(*way, company=OTHER).status_code == 403
    assert house.manage.calls == before
    assert house.state(OTHER).decisions == {}


def test_an_administrator_sees_and_decides_about_all_companies(house):
    kim = caller(house, ADMIN, name=KIM)
    assert kim.go("GET", f"{API}/companies/{{company}}", company=OTHER).status_code == 200
    assert kim.go("POST", f"{API}/reject", company=OTHER).json()["unknown"] == []


def test_all_companies_are_those_that_somebody_decides_about(house):
    kim = caller(house, BILLER, name=KIM)
    body = {"companies": "all", "kind": "all"}
    answer = kim.browser.post(f"{API}/approve", json=body)
    assert answer.status_code == 202
    house.work_until_done(answer.json()["run"])
    assert [row.company for row in house.ports.runs.rows(answer.json()["run"])] == [MINE]


@pytest.mark.parametrize(
    "body",
    [
        {"company": "2", "groups": ["0" * 16]},
        {"company": 2.0, "groups": ["0" * 16]},
        {"companies": [1, 2], "kind": "all"},
        {"chosen": [{"company": 1, "groups": ["0" * 16]}, {"company": 2, "groups": ["0" * 16]}]},
    ],
)
def test_however_a_company_is_named_it_is_seen(house, body):
    assert caller(house, BILLER, name=KIM).browser.post(f"{API}/approve", json=body).status_code == 403


def _filled(value: Any, known: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        filled = value.format(**known)
        return int(filled) if value == "{company}" else filled
    if isinstance(value, Mapping):
        return {name: _filled(part, known) for name, part in value.items()}
    if isinstance(value, list):
        return [_filled(part, known) for part in value]
    return value


def test_totals_of_a_run_are_of_the_companies_that_somebody_sees(house):
    kim, everybody = caller(house, BILLER, name=KIM), caller(house, BILLER)
    told = kim.go("GET", f"{API}/runs/{{run}}").json()
    assert (told["companies"], sum(told["outcomes"].values())) == (1, 1)
    assert told["calls"] < everybody.go("GET", f"{API}/runs/{{run}}").json()["calls"]
    (listed,) = kim.go("GET", f"{API}/runs").json()["runs"]
    assert (listed["companies"], listed["outcomes"], listed["calls"]) == (None, None, None)
    assert kim.go("GET", f"{API}/runs.csv").status_code == 200
