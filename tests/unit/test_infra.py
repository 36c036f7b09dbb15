"""The templates, held to their rules without Azure. Names and references are checked; types are not: no compiler runs.

The parser does not tell the string 'x' from the name x, so what depends on it is read from the text.
"""

from __future__ import annotations

import json
import re

import pytest
from ruamel.yaml import YAML

from shared.environment import SETTINGS
from shared.errors import Misconfigured
from shared.settings import load_settings, setting_names
from shared.state.backups import CONTAINER
from tests.unit.templates import (
    INFRA,
    PLATFORM_SETTINGS,
    ROOT,
    TEMPLATES,
    app_settings,
    deployed_settings,
    parameters_file,
    parsed,
    passed_on,
    resources,
    settings_groups,
    text_of,
)

#: What uniqueString() answers: 13 lower-case letters and digits.
TOKEN = "abcdefghijk2m"

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
