"""What rings, what is recorded and what a deployment costs, as the templates have it."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

from shared.billing.findings import Finding, FindingKind
from shared.sync import poison
from shared.sync.msp import settle
from tests.fakes.house import House
from tests.unit.templates import INFRA, ROOT, app_settings, parsed, resources, text_of


def test_telemetry_is_taken_from_identities_only():
    made = resources("monitoring.bicep")

    assert made["insights"]["properties"]["DisableLocalAuth"] is True
    assert made["workspace"]["properties"]["features"]["disableLocalAuth"] is True
    assert app_settings()["APPLICATIONINSIGHTS_AUTHENTICATION_STRING"].endswith(";Authorization=AAD'")


def test_the_workbook_is_one_and_who_deletes_backups_or_uses_secrets_is_kept():
    workbook = resources("monitoring.bicep")["workbook"]["properties"]
    text = (INFRA / "workbook.json").read_text(encoding="utf-8")

    assert "replace(loadTextContent('workbook.json'), '{insights}', insights.id)" in text_of("monitoring.bicep")
    assert workbook["category"] == "workbook"
    assert json.loads(text)["fallbackResourceIds"] == ["{insights}"]
    audits = {name: resources(name)["audit"] for name in ("storage.bicep", "vault.bicep")}
    assert {name: each["scope"] for name, each in audits.items()} == {"storage.bicep": "blobs", "vault.bicep": "vault"}
    assert all(each["properties"]["logs"][0]["enabled"] is True for each in audits.values())


def test_the_alert_on_failures_asks_for_all_functions_that_nobody_calls_over_http():
    triggers = {name for module in ("timers", "workers") for name in functions_in(ROOT / f"functions/{module}.py")}
    query, _ = re.findall(r"query: '(requests .*)'", text_of("alerts.bicep"))

    assert set(re.findall(r'"([^"]+)"', query)) == triggers
    assert "isempty(url)" in query


def test_the_alert_on_requests_asks_for_all_others_that_ended_with_our_own_fault():
    _, query = re.findall(r"query: '(requests .*)'", text_of("alerts.bicep"))

    assert query == "requests | where isnotempty(url) and toint(resultCode) >= 500"


def test_an_alert_looks_as_often_and_as_far_back_as_azure_takes():
    times = re.findall(r"window: '(\w+)'\n    frequency: '(\w+)'", text_of("alerts.bicep"))
    minutes = {"PT15M": 15, "PT1H": 60, "P2D": 2880}  # of those that Azure takes, those in use

    assert len(times) == len(re.findall(r"query: '", text_of("alerts.bicep")))
    # Not seldomer than it looks back, or something would be seen by nobody; 48 hours are the most.
    assert all(minutes[frequency] <= minutes[window] <= 2880 for window, frequency in times)


def test_an_alert_on_a_finding_asks_for_the_line_that_is_written_when_it_opens(caplog):
    queries = re.findall(r"""query: 'traces \| where message startswith "(finding .*)"'""", text_of("alerts.bicep"))
    house = House()

    settle(house.ports, lambda key: False, [Finding(FindingKind.REFUSED, "manage", "Manage answered 401.", "Correct.")])
    poison.note(house.ports, "not a message")

    assert [[line.startswith(query) for line in caplog.messages] for query in queries] == [[False, True], [True, False]]


def test_the_budget_is_there_where_an_amount_is_given_and_tells_before_it_is_spent():
    budget = resources("budget.bicep")["budget"]["properties"]

    guide = (ROOT / "docs/deploy.md").read_text(encoding="utf-8")

    assert "module budget 'budget.bicep' = if (!empty(budgetAmount))" in text_of("main.bicep")
    # Without its first day Azure refuses it, so that nobody is to be told of one without the other.
    assert re.search(r"^azd env set BUDGET_AMOUNT \d+\nazd env set BUDGET_START \d{4}-\d{2}-01$", guide, re.M)
    assert "Needs budgetStart." in text_of("main.bicep").partition("param budgetAmount")[0].splitlines()[-1]
    assert budget["timeGrain"] == "Monthly"
    assert {(each["thresholdType"], each["threshold"]) for each in budget["notifications"].values()} == {
        ("Actual", 80),
        ("Forecasted", 100),
    }


def functions_in(module: Path) -> Iterator[str]:
    """The names of the functions that a module registers."""
    for node in ast.parse(module.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.decorator_list:
            yield node.name


def test_what_the_alerts_count_is_never_sampled_whatever_the_mode_of_telemetry():
    host = json.loads((ROOT / "host.json").read_text(encoding="utf-8"))
    kept = host["logging"]["applicationInsights"]["samplingSettings"]["excludedTypes"].split(";")
    mode = parsed("main.bicep")["parameters"]["telemetryMode"]

    assert mode["default"] == "OpenTelemetry"
    assert app_settings()["AzureFunctionsJobHost__telemetryMode"] == "telemetryMode"
    assert {"Request", "Trace"} <= set(kept)
    assert app_settings()["OTEL_TRACES_SAMPLER"] == "'microsoft.fixed_percentage'"
    assert app_settings()["OTEL_TRACES_SAMPLER_ARG"] == "'1.0'"
    # The worker's own would send what it calls, by address, beside what the host sends of it already.
    assert [name for name in app_settings() if "ENABLE_TELEMETRY" in name or "ENABLE_OPENTELEMETRY" in name] == []
