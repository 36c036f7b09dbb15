"""The templates, held to their rules without Azure. Names and references are checked; types are not: no compiler runs.

The parser does not tell the string 'x' from the name x, so what depends on it is read from the text.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from croniter import croniter
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from pycep import BicepParser
from ruamel.yaml import YAML

from local.cli import _parser
from local.package.build import is_shipped
from local.package.lock import LOCK
from shared.billing.findings import Finding, FindingKind
from shared.environment import SETTINGS
from shared.errors import Misconfigured
from shared.settings import load_settings, setting_names
from shared.state.backups import CONTAINER
from shared.sync import poison
from shared.sync.msp import settle
from shared.web.principal import Role
from tests.fakes.house import House

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"
TEMPLATES = sorted(path.name for path in INFRA.glob("*.bicep"))

#: What uniqueString() answers: 13 lower-case letters and digits.
TOKEN = "abcdefghijk2m"

#: App settings of the platform that have a meaning on Flex Consumption.
PLATFORM_SETTINGS = {
    "AzureWebJobsStorage__credential",
    "APPLICATIONINSIGHTS_CONNECTION_STRING",
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
    "AzureFunctionsJobHost__telemetryMode",
    "OTEL_TRACES_SAMPLER",
    "OTEL_TRACES_SAMPLER_ARG",
    "PYTHON_THREADPOOL_THREAD_COUNT",
    "OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID",
}

#: What the code reads and a deployment is never told, and why.
NOT_DEPLOYED = {
    "AzureWebJobsStorage": "a connection string holds a key",
    "AzureWebJobsStorage__tableServiceUri": "the account's name gives it",
    "AzureWebJobsStorage__blobServiceUri": "the account's name gives it",
    "AzureWebJobsStorage__queueServiceUri": "the account's name gives it",
    "MICROSOFT_CERTIFICATE_FILE": "the identity stands for the registration",
    "MICROSOFT_CERTIFICATE": "the identity stands for the registration",
    "MICROSOFT_CLIENT_SECRET": "the identity stands for the registration",
    "TRUEUP_LOCAL_PERSON": "refused on Azure",
    "TRUEUP_CLOCK_URL": "refused on Azure",
}

#: A group of settings that is there while its vendor is connected: what says so, and its secret in the vault.
GROUPS = {
    "always": (None, {"manage-public-key", "manage-private-key"}),
    "microsoft": ("empty(microsoftClientId)", set()),
    "pax8": ("empty(pax8ClientId)", {"pax8-client-secret"}),
    "huntress": ("empty(huntressPublicKey)", {"huntress-private-key"}),
    "cove": ("empty(coveUsername)", {"cove-token"}),
    "pushed": ("pushedCounts == 'no'", {"pushed-keys"}),
    "smtp": ("empty(noticeSmtp)", set()),
    "smtpLogin": ("empty(noticeSmtp) || empty(noticeSmtpUsername)", {"notice-smtp-password"}),
    "teams": ("noticeTeams == 'no'", {"notice-teams"}),
    "alerts": ("empty(noticeAlerts)", set()),
    "signIn": ("empty(consoleClientId)", set()),
}

#: Built-in roles, by template: what the identity may do, on the resource that the template makes.
ROLES = {
    "storage.bicep": {
        "b7e6dc6d-f1e8-4753-8033-0f276bb0955b": "Storage Blob Data Owner",
        "974c5e8b-45b9-4653-ba55-5f855dd0fb88": "Storage Queue Data Contributor",
        "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3": "Storage Table Data Contributor",
    },
    "vault.bicep": {"4633458b-17de-408a-b874-0445c86b69e6": "Key Vault Secrets User"},
    "monitoring.bicep": {"3913510d-42f4-4e42-8a64-420c390055eb": "Monitoring Metrics Publisher"},
}

UNTAGGED = (
    "Microsoft.Consumption/budgets",
    "Microsoft.Authorization/roleAssignments",
    "Microsoft.Insights/diagnosticSettings",
    "Microsoft.Storage/storageAccounts/",
    "Microsoft.Web/sites/",
)


def text_of(template: str) -> str:
    return (INFRA / template).read_text(encoding="utf-8")


def parsed(template: str) -> dict[str, Any]:
    return BicepParser().parse(text=text_of(template))


def resources(template: str) -> dict[str, dict[str, Any]]:
    """The resources a template makes, by symbolic name: type and properties; of a loop those of each turn."""
    made = {}
    for symbol, resource in parsed(template).get("resources", {}).items():
        if not resource["existing"]:
            config = resource["config"]
            made[symbol] = {"type": resource["type"], **(config.get("config", config))}
    return made


def names_used_in(template: str) -> set[str]:
    """The names that expressions begin with: not what is declared, keys, functions, properties, strings or comments."""
    code = "\n".join(line for line in text_of(template).splitlines() if not line.startswith(("@", "targetScope")))
    code = re.sub(r"(^|\s)//.*", "", code, flags=re.MULTILINE)
    code = re.sub(
        r"^(resource|module) \w+ '[^']*'( existing)? =|^(param|output) \w+ \w+|^var \w+ =", "", code, flags=re.M
    )
    code = re.sub(r"\[for \w+ in (\w+):", r"[\1,", code)
    code = re.sub(r"'((?:\\'|[^'])*)'", _interpolated, code)
    return set(re.findall(r"(?<![.\w])([A-Za-z]\w*)\b(?![:(\w])", code)) - {"true", "false", "if"}


def _interpolated(string: re.Match[str]) -> str:
    return " ".join(re.findall(r"\$\{([^}]*)\}", string[1])) or "0"


def settings_groups() -> dict[str, tuple[str | None, dict[str, str]]]:
    """The groups of app settings of the template: what leaves a group out, and its names and expressions."""
    found = re.findall(r"^var (\w+) = (?:([^\n]+) \? {} : )?{\n(.*?)^}", text_of("settings.bicep"), re.M | re.S)
    return {name: (unless or None, dict(re.findall(r"^  (\w+): (.+)$", block, re.M))) for name, unless, block in found}


def app_settings(*groups: str) -> dict[str, str]:
    """The app settings of some groups, of all when none is named: name and expression."""
    return {
        name: value
        for group, (_, settings) in settings_groups().items()
        if not groups or group in groups
        for name, value in settings.items()
    }


def deployed_settings(*groups: str) -> dict[str, str]:
    """The settings as an instance would see them, with the examples of the code where a person or Azure decides."""
    examples = {setting.name: setting.example for setting in SETTINGS} | {
        "MANAGE_BASE_URL": "",
        "MANAGE_CA_FILE": "",
        "MICROSOFT_CA_FILE": "",
        "MICROSOFT_SKU_NAMES": "https://names.example/skus.csv",
    }
    secrets = {"NOTICE_TEAMS": "desk=https://prod-1.westus.logic.azure.com/workflows/1?sig=a"}
    return {
        name: secrets.get(name, "a=key-of-24-characters-or-more")
        if "KeyVault" in value
        else value[1:-1]
        if value.startswith("'")
        else examples[name]
        for name, value in app_settings(*groups).items()
        if name not in PLATFORM_SETTINGS
    }


def parameters_file() -> dict[str, str]:
    """Parameter and azd variable, as main.parameters.json puts them together."""
    given = json.loads((INFRA / "main.parameters.json").read_text(encoding="utf-8"))["parameters"]
    return {name: re.fullmatch(r"\$\{(\w+)(=[\w-]+)?\}", each["value"])[1] for name, each in given.items()}


def passed_on() -> dict[str, str]:
    """App setting and the parameter of settings.bicep that it is, alone or as text."""
    found = {name: re.fullmatch(r"(?:string\()?(\w+)\)?", value) for name, value in app_settings().items()}
    return {name: each[1] for name, each in found.items() if each}


# --- The templates are whole ---


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_template_parses_and_every_parameter_and_variable_of_it_is_used(template):
    tree = parsed(template)

    assert {*tree.get("parameters", {}), *tree.get("variables", {})} - names_used_in(template) == set()


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_template_refers_to_nothing_that_it_does_not_declare(template):
    tree = parsed(template)
    declared = {name for kind in ("parameters", "variables", "resources", "modules") for name in tree.get(kind, {})}
    turns = set(re.findall(r"\[for (\w+) in ", text_of(template)))

    assert names_used_in(template) - declared - turns == set()


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_parameter_says_what_it_is(template):
    described = {
        name: [decorator["argument"] for decorator in parameter["decorators"] if decorator["type"] == "description"]
        for name, parameter in parsed(template)["parameters"].items()
    }

    assert [name for name, sentences in described.items() if not any(sentences)] == []


def test_main_gives_every_module_its_parameters_and_uses_outputs_that_exist():
    modules = parsed("main.bicep")["modules"]

    assert {module["type"] for module in modules.values()} == {"local"}
    assert sorted(module["detail"]["path"] for module in modules.values()) == sorted({*TEMPLATES} - {"main.bicep"})
    for module in modules.values():
        config = module["config"].get("config", module["config"])
        assert set(config["params"]) == set(parsed(module["detail"]["path"])["parameters"])
    for module, output in re.findall(r"(\w+)\.outputs\.(\w+)", text_of("main.bicep")):
        assert output in parsed(modules[module]["detail"]["path"])["outputs"]


def test_azd_can_set_every_parameter_of_main_and_leaves_its_default_where_it_does_not():
    given = json.loads((INFRA / "main.parameters.json").read_text(encoding="utf-8"))["parameters"]
    defaults = {name: each["default"] for name, each in parsed("main.bicep")["parameters"].items()}
    left = {name: re.fullmatch(r"\$\{\w+=?(.*)\}", each["value"])[1] for name, each in given.items()}

    assert left == {name: "" if default is None else str(default) for name, default in defaults.items()}


# --- The app is told what it reads ---


def test_a_deployed_app_finds_its_settings_sound():
    settings = load_settings(deployed_settings() | {"WEBSITE_SITE_NAME": "func-trueup"})

    assert settings.storage.connection_string is None
    assert settings.storage.client_id is not None
    assert settings.microsoft is not None
    assert settings.microsoft.credential == "managed-identity"


@pytest.mark.parametrize(
    "name",
    [
        "AzureWebJobsStorage__accountName",
        "MANAGE_SITE",
        "MANAGE_COMPANY",
        "MANAGE_PUBLIC_KEY",
        "MANAGE_PRIVATE_KEY",
        "MANAGE_CLIENT_ID",
        "MICROSOFT_CLIENT_ID",
        "MICROSOFT_CREDENTIAL",
        "MICROSOFT_IDENTITY_CLIENT_ID",
    ],
)
def test_what_the_app_cannot_do_without_is_set(name):
    without = {key: value for key, value in deployed_settings().items() if key != name}

    assert name in app_settings()
    with pytest.raises(Misconfigured):
        load_settings(without)


def test_every_setting_that_the_code_reads_can_be_given_and_none_else():
    assert set(app_settings()) == set(setting_names()) - set(NOT_DEPLOYED) | PLATFORM_SETTINGS


def test_the_whole_list_is_written_group_by_group():
    written = re.search(r"properties: union\((.*)\)", text_of("settings.bicep"))

    assert written is not None
    assert written[1].split(", ") == list(settings_groups()) == list(GROUPS)


@pytest.mark.parametrize("group", GROUPS)
def test_a_vendor_that_is_not_connected_leaves_no_setting_and_no_reference_behind(group):
    unless, settings = settings_groups()[group]
    secrets = set(re.findall(r"secrets/([\w-]+)\)", " ".join(settings.values())))

    assert (unless, secrets) == GROUPS[group]


@pytest.mark.parametrize("group", sorted(set(GROUPS) - {"always", "smtpLogin", "alerts", "signIn"}))
def test_one_connected_vendor_is_sound_by_itself(group):
    settings = load_settings(deployed_settings("always", group) | {"WEBSITE_SITE_NAME": "func-trueup"})
    connected = {
        "microsoft": settings.microsoft,
        "pax8": settings.pax8,
        "huntress": settings.huntress,
        "cove": settings.cove,
        "pushed": settings.pushed.keys,
        "smtp": settings.notices.smtp,
        "teams": settings.notices.teams,
    }

    assert [name for name, found in connected.items() if found] == [group]


def test_a_mail_server_that_asks_for_a_name_is_sound_with_its_password():
    settings = load_settings(deployed_settings("always", "smtp", "smtpLogin") | {"WEBSITE_SITE_NAME": "func-trueup"})

    assert settings.notices.smtp is not None
    assert (settings.notices.smtp.username, settings.notices.smtp.password) == (
        "trueup",
        "a=key-of-24-characters-or-more",
    )


def test_a_number_or_choice_of_the_templates_is_one_that_the_app_takes():
    parameters = parsed("main.bicep")["parameters"]
    tried = 0
    for setting, parameter in passed_on().items():
        if parameter not in parameters or setting in PLATFORM_SETTINGS:
            continue
        for decorator in parameters[parameter]["decorators"]:
            if decorator["type"] in ("min_value", "max_value", "allowed"):
                argument = decorator["argument"]
                for value in argument if isinstance(argument, list) else [argument]:
                    load_settings(deployed_settings() | {setting: str(value)})
                    tried += 1

    assert tried == 5 * 2 + 4 * 2


def test_a_setting_is_given_by_the_variable_of_azd_of_the_same_name():
    variables, passed = parameters_file(), parsed("main.bicep")["modules"]["settings"]["config"]["params"]
    told = {name: passed[parameter] for name, parameter in passed_on().items() if name not in PLATFORM_SETTINGS}

    assert len(told) == 47
    assert {name: variables[parameter] for name, parameter in told.items()} == {name: name for name in told}


def test_secrets_are_references_to_the_vault():
    secrets = {setting.name for setting in SETTINGS if "(secret)" in setting.meaning} - set(NOT_DEPLOYED)
    references = {name for name, value in app_settings().items() if "KeyVault" in value}

    assert references == secrets | {"MANAGE_PUBLIC_KEY"}
    assert all(app_settings()[name].startswith("'@Microsoft.KeyVault(SecretUri=${vault.") for name in references)


def test_people_sign_in_with_an_account_of_this_tenant_and_everybody_else_comes_through():
    sign_in = resources("app.bicep")["signIn"]["properties"]
    entra = sign_in["identityProviders"]["azureActiveDirectory"]

    assert sign_in["platform"]["enabled"] is True
    assert sign_in["globalValidation"] == {
        "requireAuthentication": False,
        "unauthenticatedClientAction": "AllowAnonymous",
    }
    assert sign_in["httpSettings"]["requireHttps"] is True
    assert sign_in["login"]["tokenStore"]["enabled"] is False
    assert "${tenant().tenantId}/v2.0" in entra["registration"]["openIdIssuer"]
    assert entra["registration"]["clientSecretSettingName"] in app_settings("signIn")
    assert app_settings("signIn") == {"OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID": "identity.properties.clientId"}


# --- Nothing opens with a key ---


@pytest.mark.parametrize("template", TEMPLATES)
def test_no_key_is_read_passed_or_put_out(template):
    text = text_of(template)
    outputs = [line for line in text.splitlines() if line.startswith("output ")]

    assert not re.search(r"list(Account)?(Keys|Secrets|Sas)|getSecret|AccountKey|SharedAccess|@secure", text, re.I)
    assert not [line for line in outputs if re.search(r"connection|instrumentation|secret|\bkeys?\b", line, re.I)]


def test_the_store_lets_in_identities_only_over_https_with_tls_1_2():
    account = resources("storage.bicep")["account"]["properties"]

    assert account["allowSharedKeyAccess"] is False
    assert account["allowBlobPublicAccess"] is False
    assert account["supportsHttpsTrafficOnly"] is True
    assert account["minimumTlsVersion"] == "TLS1_2"
    for container in ("packages", "backups"):
        assert resources("storage.bicep")[container]["properties"]["publicAccess"] == "None"


def test_the_container_of_the_backups_is_there_and_what_is_deleted_can_be_had_back():
    made = resources("storage.bicep")

    assert made["backups"]["name"] == CONTAINER
    for kind in ("deleteRetentionPolicy", "containerDeleteRetentionPolicy"):
        assert made["blobs"]["properties"][kind] == {"enabled": True, "days": 7}


def test_the_app_speaks_https_with_tls_1_2_and_knows_no_publishing_password():
    made = resources("app.bicep")
    policies = {
        each["name"]: each["properties"]["allow"]
        for each in made.values()
        if each["type"].endswith("/basicPublishingCredentialsPolicies")
    }

    assert made["app"]["properties"]["httpsOnly"] is True
    assert made["app"]["properties"]["siteConfig"]["minTlsVersion"] == "1.2"
    assert policies == {"ftp": False, "scm": False}


def test_the_vault_goes_by_roles_and_keeps_what_is_deleted():
    vault = resources("vault.bicep")["vault"]["properties"]

    assert vault["enableRbacAuthorization"] is True
    assert vault["enableSoftDelete"] is True
    assert vault["enablePurgeProtection"] is True
    assert 7 <= vault["softDeleteRetentionInDays"] <= 90
    assert "accessPolicies" not in vault


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


@pytest.mark.parametrize("template", TEMPLATES)
def test_roles_are_those_in_use_each_on_its_own_resource(template):
    assigned = [each for each in resources(template).values() if each["type"].endswith("/roleAssignments")]
    own = {"storage.bicep": "account", "vault.bicep": "vault", "monitoring.bicep": "insights"}
    found = re.findall(r"'([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})'", text_of(template))

    assert sorted(found) == sorted(ROLES.get(template, {}))
    assert {each["scope"] for each in assigned} == ({own[template]} if template in own else set())


# --- Names, tags and limits ---


@pytest.mark.parametrize(
    ("module", "parameter", "form"),
    [
        ("storage", "name", r"[a-z0-9]{3,24}"),
        ("vault", "name", r"[a-z][a-z0-9-]{1,22}[a-z0-9]"),
        ("app", "name", r"[a-z0-9][a-z0-9-]{0,30}[a-z0-9]"),
    ],
)
def test_a_name_stays_within_its_limits(module, parameter, form):
    name = parsed("main.bicep")["modules"][module]["config"]["params"][parameter]

    assert re.fullmatch(form, name.replace("${token}", TOKEN))


@pytest.mark.parametrize("template", TEMPLATES)
def test_everything_that_can_carry_tags_does(template):
    untagged = [
        symbol
        for symbol, each in resources(template).items()
        if "tags" not in each and not each["type"].startswith(UNTAGGED)
    ]

    assert untagged == []


def test_azd_finds_the_app_by_its_tag():
    services = YAML(typ="safe").load((ROOT / "azure.yaml").read_text(encoding="utf-8"))["services"]
    tag = resources("app.bicep")["app"]["tags"]["function"]["parameters"]["arg_2"]["'azd-service-name'"]

    assert list(services) == [tag]
    assert services[tag] == {"project": ".", "language": "python", "host": "function"}


def test_the_app_is_python_3_13_on_flex_consumption_with_limits_set_on_purpose():
    made, parameters = resources("app.bicep"), parsed("main.bicep")["parameters"]
    config = made["app"]["properties"]["functionAppConfig"]
    scale = config["scaleAndConcurrency"]

    assert made["plan"]["sku"] == {"tier": "FlexConsumption", "name": "FC1"}
    assert config["runtime"] == {"name": "python", "version": "3.13"}
    assert config["deployment"]["storage"]["authentication"]["type"] == "UserAssignedIdentity"
    assert scale["triggers"]["http"]["perInstanceConcurrency"] == "httpConcurrency"
    assert app_settings()["PYTHON_THREADPOOL_THREAD_COUNT"] == "string(httpConcurrency)"
    defaults = {name: parameters[name]["default"] for name in scale if name in parameters}
    assert defaults == {"instanceMemoryMB": 2048, "maximumInstanceCount": 40}
    assert parameters["lanes"]["default"] <= parameters["maximumInstanceCount"]["default"]


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


# --- What is shipped ---


def test_host_json_stays_within_what_flex_consumption_takes():
    host = json.loads((ROOT / "host.json").read_text(encoding="utf-8"))
    queues = host["extensions"]["queues"]
    hours, minutes, seconds = map(int, host["functionTimeout"].split(":"))

    assert host["version"] == "2.0"
    assert host["extensionBundle"]["version"] == "[4.0.0, 5.0.0)"
    # Longer than a lease, so that no worker is cut off that may still write; shorter than the grace of a scale-in.
    assert load_settings(deployed_settings()).lease_seconds < hours * 3600 + minutes * 60 + seconds <= 3600
    assert (queues["batchSize"], queues["newBatchThreshold"]) == (1, 0)
    assert 1 <= queues["maxDequeueCount"] <= 100


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


@pytest.mark.parametrize(
    ("path", "shipped"),
    [
        ("function_app.py", True),
        ("host.json", True),
        ("requirements.txt", True),
        ("functions/workers.py", True),
        ("shared/bootstrap.py", True),
        ("shared/sources/microsoft365/source.py", True),
        ("tests/unit/test_infra.py", False),
        ("local/cli.py", False),
        ("docs/deploy.md", False),
        ("infra/main.bicep", False),
        ("dev.py", False),
        ("azure.yaml", False),
        ("package-lock.json", False),
        (".azure/config.json", False),
        (".coverage", False),
        ("requirements-dev.txt", False),
        ("requirements.lock", False),
        ("local.settings.json", False),
        ("cloud.settings.json", False),
        ("my-rules.yaml", False),
        ("store-2026-11-21.jsonl.gz", False),
        (".venv/bin/python", False),
        ("node_modules/azurite/package.json", False),
        (".git/config", False),
        ("shared/__pycache__/errors.cpython-313.pyc", False),
    ],
)
def test_the_package_holds_what_runs_and_nothing_else(path, shipped):
    assert is_shipped(path) is shipped


def test_no_module_template_or_stylesheet_of_the_app_is_left_out_of_the_package():
    files = [path for room in ("functions", "shared") for path in (ROOT / room).rglob("*.*") if path.suffix != ".pyc"]

    assert {".py", ".html", ".txt", ".css", ".js"} == {path.suffix for path in files if path.is_file()}
    assert [path for path in files if not is_shipped(path.relative_to(ROOT).as_posix())] == []


def locked() -> dict[str, str]:
    """Version by package of requirements.lock."""
    lines = [line for line in LOCK.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    found = [re.fullmatch(r"([\w.-]+)==([\w.]+) --hash=sha256:[0-9a-f]{64}", line) for line in lines]
    assert all(found)
    return {canonicalize_name(each[1]): each[2] for each in found if each}


def test_every_deployed_package_is_pinned_by_its_hash_in_a_version_that_the_requirements_allow():
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    required = [Requirement(line) for line in text.splitlines() if line and not line.startswith("#")]
    deployed = [each for each in required if each.marker is None or each.marker.evaluate({"python_version": "3.13"})]

    assert len(deployed) > 10
    assert [
        str(each) for each in deployed if not each.specifier.contains(locked().get(canonicalize_name(each.name), "0"))
    ] == []


def test_the_lock_names_no_address():
    assert "://" not in LOCK.read_text(encoding="utf-8")


# --- What runs on GitHub ---

#: Each workflow: what starts it, and what each job may do there beyond nothing.
WORKFLOWS = {
    "tests.yml": ({"push", "pull_request", "workflow_call"}, {"tests": {"contents": "read"}}),
    "audit.yml": ({"push", "pull_request", "schedule"}, {"audit": {"contents": "read"}}),
    "deploy.yml": (
        {"workflow_dispatch"},
        {"tests": {"contents": "read"}, "deploy": {"contents": "read", "id-token": "write"}},
    ),
    "release.yml": ({"push"}, {"tests": {"contents": "read"}, "release": {"contents": "write"}}),
}


def workflow(name: str) -> dict[str, Any]:
    return YAML(typ="safe").load((ROOT / ".github/workflows" / name).read_text(encoding="utf-8"))


def steps_of(name: str) -> list[dict[str, Any]]:
    return [step for job in workflow(name)["jobs"].values() for step in job.get("steps", ())]


def test_every_workflow_is_held_to_these_rules():
    assert {path.name for path in (ROOT / ".github/workflows").iterdir()} == set(WORKFLOWS)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_may_do_what_it_needs_and_nothing_else(name):
    starts, rights = WORKFLOWS[name]
    made = workflow(name)

    assert set(made["on"]) == starts
    assert {job: each.get("permissions", made["permissions"]) for job, each in made["jobs"].items()} == rights
    assert all(job["timeout-minutes"] <= 60 for job in made["jobs"].values() if "uses" not in job)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_an_action_is_pinned_by_its_commit_and_leaves_no_token_behind(name):
    used = [step for step in steps_of(name) if "uses" in step]

    assert [step["uses"] for step in used if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", step["uses"])] == []
    assert all(
        step["with"]["persist-credentials"] is False for step in used if step["uses"].startswith("actions/checkout@")
    )


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_knows_no_secret_and_runs_nothing_that_others_can_write(name):
    expressions = [
        expression
        for step in steps_of(name)
        for expression in re.findall(r"\$\{\{\s*(.*?)\s*\}\}", step.get("run", ""))
    ]

    assert expressions == []
    assert "secrets." not in (ROOT / ".github/workflows" / name).read_text(encoding="utf-8")


def test_what_every_submission_must_pass_runs_on_every_push():
    tests = workflow("tests.yml")["jobs"]["tests"]

    assert [step["run"] for step in tests["steps"] if "run" in step] == [".ci/run"]
    # Tests and the package ask git, which trusts no checkout of another user than the container's.
    git = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
    assert ("container" in tests, tests["env"]) == (True, git)


@pytest.mark.parametrize(("name", "job"), [("deploy.yml", "deploy"), ("release.yml", "release")])
def test_nothing_is_deployed_or_released_that_does_not_pass_the_tests(name, job):
    jobs = workflow(name)["jobs"]

    assert jobs["tests"]["uses"] == "./.github/workflows/tests.yml"
    assert jobs[job]["needs"] == "tests"
    assert "if" not in jobs[job]


def test_only_the_tag_of_this_version_becomes_a_release_with_the_built_package():
    runs = [step["run"] for step in steps_of("release.yml") if "run" in step]
    checked, built, made = runs

    assert workflow("release.yml")["on"]["push"] == {"tags": ["v*"]}
    assert checked.endswith('python3 dev.py release "$TAG" > .local/notes.md')
    assert built.endswith("python3 dev.py package")
    assert made.startswith('gh release create "$TAG" .local/package.zip --verify-tag')


def test_known_weaknesses_are_looked_for_without_a_push_too_and_nothing_waits_for_it():
    made = workflow("audit.yml")
    uses = [job.get("uses", "") for name in WORKFLOWS for job in workflow(name)["jobs"].values()]

    assert [croniter.is_valid(each["cron"]) for each in made["on"]["schedule"]] == [True]
    assert [each for each in uses if "audit" in each] == []


@pytest.mark.parametrize(
    ("says", "fails", "warns"),
    [
        ("echo No known vulnerabilities found >&2", False, False),
        ("echo Found 1 known vulnerability in 1 package >&2; echo 'requests 1.0 PYSEC-1'; exit 1", True, False),
        ("echo Found 12 known vulnerabilities, ignored 1 in 3 packages >&2; exit 1", True, False),
        ("echo 'ERROR: Could not connect to the vulnerability feed' >&2; exit 1", False, True),
    ],
)
def test_a_known_weakness_is_told_by_a_failure_and_a_list_out_of_reach_by_a_warning(tmp_path, says, fails, warns):
    (look,) = [step["run"] for step in steps_of("audit.yml") if "run" in step]
    for name, does in (("pip", "true"), ("pip-audit", f'echo "$@" > asked; {says}')):
        (tmp_path / name).write_text(f"#!/bin/sh\n{does}\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    path = {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}

    # As GitHub runs it, which stops at the first command that fails.
    ran = subprocess.run(
        ["sh", "-e", "-c", look], cwd=tmp_path, env=path, capture_output=True, text=True, timeout=60, check=False
    )

    assert (tmp_path / "asked").read_text("utf-8") == "--disable-pip --require-hashes --requirement requirements.lock\n"
    assert (ran.returncode != 0, "::warning::" in ran.stdout) == (fails, warns)
    assert says.split(" >&2")[0].removeprefix("echo ").strip("'") in ran.stdout


def test_github_deploys_the_package_that_dev_py_makes_and_has_azure_build_nothing():
    runs = [step.get("run", "") for step in steps_of("deploy.yml")]
    made = next(number for number, run in enumerate(runs) if run.endswith("python3 dev.py package"))
    sent = next(number for number, run in enumerate(runs) if "config-zip" in run)
    options = _parser().parse_args(["package"])

    assert made < sent
    assert f"--src {options.into.relative_to(ROOT)}.zip --build-remote false" in runs[sent]


# --- The way there, as it is told ---


def test_the_guide_sets_variables_and_secrets_that_the_templates_know():
    guide = (ROOT / "docs/deploy.md").read_text(encoding="utf-8")
    variables = set(re.findall(r"azd env set (\w+)", guide))
    secrets = set(re.findall(r"secret set .*--name ([\w-]+)", guide))
    outputs = set(parsed("main.bicep")["outputs"])

    required = {"ALERT_EMAIL", "MANAGE_SITE", "MANAGE_COMPANY", "MANAGE_CLIENT_ID", "MICROSOFT_CLIENT_ID"}
    assert required <= variables <= set(parameters_file().values())
    assert secrets == set(re.findall(r"secrets/([\w-]+)\)", text_of("settings.bicep")))
    assert set(re.findall(r"azd env get-value (\w+)", guide)) <= outputs


def test_the_guide_makes_the_roles_that_the_console_knows_each_with_an_id_of_its_own():
    guide = (ROOT / "docs/deploy.md").read_text(encoding="utf-8")
    made = re.search(r"--app-roles '(\[.*?\])'", guide, re.DOTALL)

    assert made is not None
    roles = json.loads(made[1])
    assert [role["value"] for role in roles] == list(Role)
    assert len({role["id"] for role in roles}) == len(Role)


def test_the_guide_has_each_registration_trust_one_identity_as_entra_takes_it():
    """A wrong word is taken by Entra and fails only when the first token is asked for."""
    guide = (ROOT / "docs/deploy.md").read_text(encoding="utf-8")
    written = re.findall(r'federated-credential create --id "\$(\w+)" --parameters "(\{.*?\})"$', guide, re.S | re.M)
    made = {name: json.loads(re.sub(r"\\?\n *", "", text).replace('\\"', '"')) for name, text in written}

    entra = "https://login.microsoftonline.com/$(az account show --query tenantId -o tsv)/v2.0"
    identity = (entra, "$(azd env get-value IDENTITY_PRINCIPAL_ID)")
    github = ("https://token.actions.githubusercontent.com", "repo:$REPOSITORY:environment:production")
    assert {name: (each["issuer"], each["subject"]) for name, each in made.items()} == {
        "CLIENT_ID": identity,
        "CONSOLE": identity,
        "DEPLOYER": github,
    }
    assert all(each["audiences"] == ["api://AzureADTokenExchange"] for each in made.values())
    # The subject is the identity's object id, never its client id; the environment is that of the workflow.
    assert "output IDENTITY_PRINCIPAL_ID string = identity.outputs.principalId" in text_of("main.bicep")
    assert "output principalId string = identity.properties.principalId" in text_of("identity.bicep")
    assert workflow("deploy.yml")["jobs"]["deploy"]["environment"] == "production"


def test_the_operators_guide_says_of_every_finding_what_it_means_and_where_to_begin():
    guide = (ROOT / "docs/operate.md").read_text(encoding="utf-8").split("## Findings")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `([\w-]+)` \| (.+) \| (.+) \|$", guide, re.M)

    assert [kind for kind, _, _ in rows] == [kind.value for kind in FindingKind]


def test_the_operators_guide_has_a_row_for_every_alert():
    guide = (ROOT / "docs/operate.md").read_text(encoding="utf-8").split("## Alerts")[1].split("\n## ")[0]
    titles = re.findall(r"title: 'TrueUp: (.+)'", text_of("alerts.bicep"))

    told = [alert.casefold() for alert in re.findall(r"^\| ([^|]+) \| [^|]+ \| [^|]+ \|$", guide, re.M)[1:]]
    assert [alert for alert in told if not alert.startswith("---")] == [title.casefold() for title in titles]


def test_links_of_the_guides_lead_somewhere():
    guides = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md")}
    headings = {
        name: {
            re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in re.findall(r"^#+ (.+)$", text, re.M)
        }
        for name, text in guides.items()
    }
    links = [
        (name, page or name, anchor)
        for name, text in guides.items()
        for page, anchor in re.findall(r"\]\(([\w-]*\.md)?#?([\w-]*)\)", text)
    ]

    assert len(links) > 20
    assert [
        (name, page, anchor)
        for name, page, anchor in links
        if page not in guides or (anchor and anchor not in headings[page])
    ] == []
