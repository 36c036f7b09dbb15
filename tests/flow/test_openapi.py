"""Whatever is sent to the JSON routes, they answer as their OpenAPI document says, and never with an error of ours."""

from __future__ import annotations

import re

import azure.functions as func
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from pydantic import TypeAdapter
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from functions import api as api_functions
from functions import callbacks, counts, poison, records
from shared.billing.rules import Mode
from shared.sync.lanes import start_run
from shared.sync.shapes import plans
from shared.web.api.machines import MACHINES, with_machines
from shared.web.app import API
from shared.web.principal import Access, Principal, Role
from tests import builders as b
from tests.fakes.app import app_for
from tests.fakes.house import House
from tests.flow.test_access import routes

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


def documented() -> set[str]:
    return set(app_for(House().ports, Access()).openapi()["paths"])


@pytest.fixture(scope="module")
def api() -> schemathesis.BaseSchema:
    """The document of the app over two companies of which something waits, for an administrator."""
    house = House()
    house.rules(b.rules())
    for company in (1, 2):
        house.company(company, [b.count(8)], [b.addition(company * 10 + 1, 5)], mode=Mode.APPROVE)
    start_run(house.ports, "run", "nightly", [1, 2])
    house.work_until_done("run")
    admin = Principal("pat@birchline.example", frozenset({Role.ADMIN}))
    return schemathesis.openapi.from_asgi(f"{API}/openapi.json", app_for(house.ports, Access(stand_in=admin)))


@pytest.mark.parametrize(("method", "path"), sorted(way for way in routes() if way[1] in documented()))
def test_a_route_answers_as_its_document_says(api: schemathesis.BaseSchema, method: str, path: str) -> None:
    sound = api[path][method].as_strategy()
    malformed = api[path][method].as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE)

    @given(case=sound | malformed)
    @settings(max_examples=8, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    def holds(case: schemathesis.Case) -> None:
        # Forms of other sites cannot send this type, so what changes something asks for it, with or without a body.
        case.call_and_validate(
            checks=CHECKS, headers={"content-type": "application/json"} if method == "POST" else None
        )

    holds()


def test_every_json_route_is_in_the_document() -> None:
    assert {path for _, path in routes() if path.startswith(f"{API}/")} == {*documented(), f"{API}/openapi.json"}


def test_every_answer_in_json_has_fields_of_its_own() -> None:
    document = app_for(House().ports, Access()).openapi()
    answers = {
        (way, status): answer["content"]["application/json"]["schema"]
        for path, ways in document["paths"].items()
        for way, operation in ((f"{method} {path}", operation) for method, operation in ways.items())
        for status, answer in operation["responses"].items()
        if status < "300" and "application/json" in answer.get("content", {})
    }
    named = {way: re.findall(r"#/components/schemas/(\w+)", str(schema)) for way, schema in answers.items()}
    schemas = document["components"]["schemas"]
    assert [way for way, names in named.items() if not all(names) or not names] == []
    assert [way for way, names in named.items() if not all(schemas[name]["properties"] for name in names)] == []


def test_the_document_has_every_route_of_machines_that_answers_in_json() -> None:
    app = func.FunctionApp()
    for blueprint in (
        api_functions.blueprint,
        callbacks.blueprint,
        counts.blueprint,
        poison.blueprint,
        records.blueprint,
    ):
        app.register_functions(blueprint)
    triggers = [function.get_trigger().get_dict_repr() for function in app.get_functions()]
    there = {(method.value, f"/{each['route']}") for each in triggers for method in each["methods"]}
    by_manage = {("POST", "/api/callbacks/manage"), ("GET", "/api/companies/{id}/history.csv")}
    assert {(route.method, route.path) for route in MACHINES} == there - by_manage


def test_the_document_is_one_and_both_parts_mean_the_same_by_a_name(api: schemathesis.BaseSchema) -> None:
    alone = app_for(House().ports, Access()).openapi()
    whole = with_machines(alone)
    assert whole["components"]["schemas"].items() >= alone["components"]["schemas"].items()
    assert set(re.findall(r"#/components/schemas/([^']+)'", str(whole))) <= set(whole["components"]["schemas"])
    told = TypeAdapter.json_schemas(
        [("x", "serialization", TypeAdapter(plans.CompanyPlan))], ref_template="#/components/schemas/{model}"
    )[1]
    same = {name: schema for name, schema in told["$defs"].items() if name in alone["components"]["schemas"]}
    assert same
    assert same.items() <= alone["components"]["schemas"].items()
