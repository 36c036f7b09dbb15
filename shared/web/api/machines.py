"""The routes of machines in the OpenAPI document: functions of their own below /api, which answer what flows tell."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import TypeAdapter

from shared.sync.shapes import machines, plans, runs

_REFERENCE = "#/components/schemas/{model}"
_KEYS = {
    "key": {"type": "apiKey", "in": "header", "name": "x-functions-key"},
    "source": {"type": "apiKey", "in": "header", "name": "x-trueup-key"},
}


class Machine(NamedTuple):
    """One route: what it does, what it answers in JSON by status, and which key it takes (empty: none)."""

    method: str
    path: str
    does: str
    answers: Mapping[int, Any]
    key: str = "key"


#: All of them but what Manage calls itself, and the history as a table.
MACHINES = (
    Machine("POST", "/api/sync", "Syncs one company, or several in a run.", {200: plans.Synced, 202: runs.Started}),
    Machine("GET", "/api/status", "How the whole stands.", {200: runs.Status}),
    Machine("GET", "/api/runs", "The newest runs.", {200: runs.Runs}),
    Machine("GET", "/api/runs/{id}", "One run with a row per company.", {200: runs.RunWithRows}),
    Machine("GET", "/api/companies/{id}", "A company with its plan and findings.", {200: plans.CompanyPlan}),
    Machine("GET", "/api/companies/{id}/history", "What was ever done to it.", {200: plans.History}),
    Machine("GET", "/api/poison", "Messages that nobody could work on.", {200: machines.PoisonMessages}),
    Machine("POST", "/api/poison/{id}/retry", "Tries one again.", {202: runs.Started}),
    Machine("DELETE", "/api/poison/{id}", "Forgets one.", {200: machines.Dismissed}),
    Machine("DELETE", "/api/callbacks/manage", "Ends our registration in Manage.", {200: machines.Removed}),
    Machine("GET", "/api/health", "Whether it runs.", {200: machines.Health, 503: machines.Health}, ""),
    Machine("PUT", "/api/counts/{source}", "Takes a file of counts.", {200: machines.AcceptedFile}, "source"),
    Machine("PUT", "/api/counts/{source}/{customer}", "Takes counts.", {200: machines.AcceptedCounts}, "source"),
)


def with_machines(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document of the console's JSON routes, and the routes of machines."""
    adapters = [
        ((route.method, route.path, status), "serialization", TypeAdapter[Any](type_))
        for route in MACHINES
        for status, type_ in route.answers.items()
    ]
    schemas, told = TypeAdapter.json_schemas(adapters, ref_template=_REFERENCE)  # type: ignore[arg-type]
    paths: dict[str, Any] = {**document["paths"]}
    for route in MACHINES:
        answers = {
            str(status): {
                "description": route.does,
                "content": {
                    "application/json": {"schema": schemas[(route.method, route.path, status), "serialization"]}
                },
            }
            for status in route.answers
        }
        paths[route.path] = {**paths.get(route.path, {}), route.method.lower(): _operation(route, answers)}
    components = document["components"]
    merged = {**told.get("$defs", {}), **components["schemas"]}
    return {**document, "paths": paths, "components": {**components, "schemas": merged, "securitySchemes": _KEYS}}


def _operation(route: Machine, answers: Mapping[str, Any]) -> dict[str, Any]:
    names = re.findall(r"{(\w+)}", route.path)
    parameters = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]
    security: list[dict[str, list[str]]] = [{route.key: []}] if route.key else []
    return {"summary": route.does, "parameters": parameters, "responses": answers, "security": security}
