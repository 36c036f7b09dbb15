"""Settings: what is asked for, what is refused, and that the documents tell the same story."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from shared.billing.profiles import StartDay
from shared.environment import SETTINGS
from shared.errors import Misconfigured
from shared.manage.settings import CancelledDay
from shared.settings import ChangedLine, load_settings, setting_names
from shared.web.principal import Role

ROOT = Path(__file__).parents[2]

PARTNER = "c2f0a6de-91b5-4d3e-8f27-6a40be1d7c93"
OTHER = "58e1b3f4-0c7d-4b62-a9f8-1d25e6c73a0b"
APP = "e94d7a01-62c8-4f3b-b1d5-07f9a8c2e6d4"

STORAGE = {"AzureWebJobsStorage": "UseDevelopmentStorage=true"}
MANAGE = {
    "MANAGE_SITE": "na.myconnectwise.net",
    "MANAGE_COMPANY": "birchline",
    "MANAGE_PUBLIC_KEY": "public-key",
    "MANAGE_PRIVATE_KEY": "private-key",
    "MANAGE_CLIENT_ID": "0f6d2c9e-3b41-4a57-8e0d-c5a1b7e92d34",
}
MICROSOFT = {
    "MICROSOFT_PARTNER_TENANTS": PARTNER,
    "MICROSOFT_CLIENT_ID": APP,
    "MICROSOFT_CREDENTIAL": "managed-identity",
    "MICROSOFT_IDENTITY_CLIENT_ID": OTHER,
}
CLOCK = {"TRUEUP_CLOCK_URL": "http://127.0.0.1:8700/_sandbox/clock"}


def problems(environment: dict[str, str]) -> list[str]:
    """What is wrong with these settings; empty when nothing is."""
    try:
        load_settings(environment)
    except Misconfigured as error:
        return error.problems
    return []


def settings_with_problems(environment: dict[str, str]) -> list[str]:
    return [problem.partition(":")[0] for problem in problems(environment)]


def test_the_least_that_is_needed_gives_the_defaults():
    settings = load_settings(STORAGE | MANAGE)

    assert settings.storage.connection_string == "UseDevelopmentStorage=true"
    assert settings.manage.site == "na.myconnectwise.net"
    assert settings.manage.base_url is None
    assert settings.manage.calls_in_flight == 4
    assert settings.manage.cancelled_day is CancelledDay.BILLED
    assert settings.changed_line is ChangedLine.NEXT_INVOICE
    assert settings.prorate_start_day is StartDay.INCLUDED
    assert settings.microsoft is None
    assert settings.time_zone.key == "UTC"
    assert (settings.lanes, settings.lease_seconds, settings.clock_url) == (8, 300, None)
    assert settings.callback_url is None


def test_everything_set_arrives_where_it_belongs(tmp_path):
    file = tmp_path / "ca.pem"
    file.write_text("certificates")
    environment = (
        {
            "AzureWebJobsStorage__accountName": "sttrueup",
            "AzureWebJobsStorage__queueServiceUri": "https://queues.example/",
            "AzureWebJobsStorage__blobServiceUri": "https://blobs.example",
            "AzureWebJobsStorage__clientId": OTHER.upper(),
        }
        | MANAGE
        | MICROSOFT
        | {
            "MANAGE_API_VERSION": "2025.16",
            "MANAGE_CALLS_IN_FLIGHT": "7",
            "MANAGE_CA_FILE": str(file),
            "MICROSOFT_PARTNER_TENANTS": f" {PARTNER.upper()} , {OTHER},{PARTNER}",
            "MICROSOFT_DIRECT_TENANTS": APP,
            "MICROSOFT_CREDENTIAL": "certificate",
            "MICROSOFT_CERTIFICATE": base64.b64encode(b"-----BEGIN").decode(),
            "MICROSOFT_AUTHORITY": "https://localhost:8743",
            "MICROSOFT_GRAPH_URL": "http://127.0.0.1:8700/graph/v1.0",
            "MICROSOFT_CA_FILE": str(file),
            "MICROSOFT_SKU_NAMES": "https://names.example/skus.csv",
            "TRUEUP_TIME_ZONE": "America/Chicago",
            "TRUEUP_LANES": "64",
            "TRUEUP_LEASE_SECONDS": "3600",
            "TRUEUP_BACKUP_DAYS": "0",
            "TRUEUP_MANAGE_CANCELLED_DAY": "Free",
            "TRUEUP_CALLBACK_URL": "https://trueup.example/api/callbacks/manage",
            "TRUEUP_MANAGE_CHANGED_LINE": "retroactive",
            "TRUEUP_MANAGE_PRORATE_START_DAY": "excluded",
        }
    )

    settings = load_settings(environment)

    assert settings.storage.connection_string is None
    assert settings.storage.table_url == "https://sttrueup.table.core.windows.net"
    assert settings.storage.queue_url == "https://queues.example"
    assert settings.storage.blob_url == "https://blobs.example"
    assert settings.storage.client_id == OTHER
    assert (settings.manage.api_version, settings.manage.calls_in_flight) == ("2025.16", 7)
    assert settings.manage.ca_file == str(file)
    assert settings.manage.cancelled_day is CancelledDay.FREE
    assert settings.changed_line is ChangedLine.RETROACTIVE
    assert settings.prorate_start_day is StartDay.EXCLUDED
    assert settings.microsoft is not None
    assert settings.microsoft.partner_tenants == (PARTNER, OTHER)
    assert settings.microsoft.direct_tenants == (APP,)
    assert settings.microsoft.credential == "certificate"
    assert settings.microsoft.certificate_data == environment["MICROSOFT_CERTIFICATE"]
    assert settings.microsoft.authority == "https://localhost:8743"
    assert settings.microsoft.graph_url == "http://127.0.0.1:8700/graph/v1.0"
    assert settings.microsoft.ca_file == str(file)
    assert settings.microsoft.sku_names == "https://names.example/skus.csv"
    assert settings.time_zone.key == "America/Chicago"
    assert (settings.lanes, settings.lease_seconds, settings.backup_days) == (64, 3600, 0)
    assert settings.callback_url == "https://trueup.example/api/callbacks/manage"


def test_the_public_cloud_is_the_default_of_microsoft():
    microsoft = load_settings(STORAGE | MANAGE | MICROSOFT).microsoft

    assert microsoft is not None
    assert microsoft.problems() == []
    assert microsoft.authority == "https://login.microsoftonline.com"
    assert microsoft.graph_url == "https://graph.microsoft.com/v1.0"
    assert microsoft.identity_client_id == OTHER


def test_an_empty_environment_names_everything_that_is_needed_at_once():
    assert settings_with_problems({}) == [
        "AzureWebJobsStorage__accountName",
        "MANAGE_BASE_URL",
        "MANAGE_COMPANY",
        "MANAGE_PUBLIC_KEY",
        "MANAGE_PRIVATE_KEY",
        "MANAGE_CLIENT_ID",
    ]


def test_an_empty_setting_counts_as_left_out():
    settings = load_settings(
        STORAGE | MANAGE | {"MICROSOFT_CLIENT_ID": "  ", "MANAGE_BASE_URL": "", "TRUEUP_LANES": ""}
    )

    assert settings.microsoft is None
    assert settings.lanes == 8


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"AzureWebJobsStorage": "nonsense"}, "AzureWebJobsStorage"),
        ({"AzureWebJobsStorage__accountName": "sttrueup"}, "AzureWebJobsStorage"),
        (
            {"AzureWebJobsStorage": "", "AzureWebJobsStorage__accountName": "St_TrueUp"},
            "AzureWebJobsStorage__accountName",
        ),
        (
            {
                "AzureWebJobsStorage": "",
                "AzureWebJobsStorage__tableServiceUri": "https://tables.example",
                "AzureWebJobsStorage__blobServiceUri": "https://blobs.example",
            },
            "AzureWebJobsStorage__queueServiceUri",
        ),
        (
            {
                "AzureWebJobsStorage": "",
                "AzureWebJobsStorage__accountName": "sttrueup",
                "AzureWebJobsStorage__tableServiceUri": "http://tables.example",
            },
            "AzureWebJobsStorage__tableServiceUri",
        ),
        (
            {
                "AzureWebJobsStorage": "",
                "AzureWebJobsStorage__accountName": "sttrueup",
                "AzureWebJobsStorage__clientId": "mine",
            },
            "AzureWebJobsStorage__clientId",
        ),
        ({"MANAGE_BASE_URL": "https://api-na.myconnectwise.net/v4_6_release/apis/3.0"}, "MANAGE_BASE_URL"),
        ({"MANAGE_SITE": "", "MANAGE_BASE_URL": "https://api-na.myconnectwise.net"}, "MANAGE_BASE_URL"),
        ({"MANAGE_SITE": "", "MANAGE_BASE_URL": "http://manage.example/v4_6_release/apis/3.0"}, "MANAGE_BASE_URL"),
        ({"MANAGE_SITE": "", "MANAGE_BASE_URL": "https://[/v4_6_release/apis/3.0"}, "MANAGE_BASE_URL"),
        ({"MANAGE_SITE": "", "MANAGE_BASE_URL": "https://me@manage.example/apis/3.0"}, "MANAGE_BASE_URL"),
        ({"MANAGE_SITE": "", "MANAGE_BASE_URL": "api-na.myconnectwise.net/apis/3.0"}, "MANAGE_BASE_URL"),
        ({"MANAGE_SITE": "https://na.myconnectwise.net"}, "MANAGE_SITE"),
        ({"MANAGE_API_VERSION": "v2025"}, "MANAGE_API_VERSION"),
        ({"MANAGE_CALLS_IN_FLIGHT": "0"}, "MANAGE_CALLS_IN_FLIGHT"),
        ({"MANAGE_CA_FILE": "/there/is/no/such.pem"}, "MANAGE_CA_FILE"),
        ({"MICROSOFT_PARTNER_TENANTS": "birchline.example"}, "MICROSOFT_PARTNER_TENANTS"),
        ({"MICROSOFT_PARTNER_TENANTS": ""}, "MICROSOFT_PARTNER_TENANTS"),
        ({"MICROSOFT_CLIENT_ID": ""}, "MICROSOFT_CLIENT_ID"),
        ({"MICROSOFT_CLIENT_ID": f"{APP},{OTHER}"}, "MICROSOFT_CLIENT_ID"),
        ({"MICROSOFT_CREDENTIAL": ""}, "MICROSOFT_CREDENTIAL"),
        ({"MICROSOFT_CREDENTIAL": "password"}, "MICROSOFT_CREDENTIAL"),
        ({"MICROSOFT_IDENTITY_CLIENT_ID": ""}, "MICROSOFT_IDENTITY_CLIENT_ID"),
        ({"MICROSOFT_CREDENTIAL": "secret"}, "MICROSOFT_CLIENT_SECRET"),
        ({"MICROSOFT_CREDENTIAL": "certificate"}, "MICROSOFT_CERTIFICATE_FILE"),
        (
            {
                "MICROSOFT_CREDENTIAL": "certificate",
                "MICROSOFT_CERTIFICATE": "QUJD",
                "MICROSOFT_CERTIFICATE_FILE": __file__,
            },
            "MICROSOFT_CERTIFICATE_FILE",
        ),
        ({"MICROSOFT_CREDENTIAL": "certificate", "MICROSOFT_CERTIFICATE": "-----BEGIN"}, "MICROSOFT_CERTIFICATE"),
        ({"MICROSOFT_AUTHORITY": "http://127.0.0.1:8700"}, "MICROSOFT_AUTHORITY"),
        ({"MICROSOFT_GRAPH_URL": "http://graph.example/v1.0"}, "MICROSOFT_GRAPH_URL"),
        ({"MICROSOFT_SKU_NAMES": "http://names.example/skus.csv"}, "MICROSOFT_SKU_NAMES"),
        ({"MICROSOFT_SKU_NAMES": "/there/is/no/such.csv"}, "MICROSOFT_SKU_NAMES"),
        ({"TRUEUP_TIME_ZONE": "Central Standard Time"}, "TRUEUP_TIME_ZONE"),
        ({"TRUEUP_TIME_ZONE": "../etc/passwd"}, "TRUEUP_TIME_ZONE"),
        ({"TRUEUP_TIME_ZONE": "America"}, "TRUEUP_TIME_ZONE"),
        ({"TRUEUP_LANES": "65"}, "TRUEUP_LANES"),
        ({"TRUEUP_LANES": "eight"}, "TRUEUP_LANES"),
        ({"TRUEUP_MANAGE_CHANGED_LINE": "yes"}, "TRUEUP_MANAGE_CHANGED_LINE"),
        ({"TRUEUP_MANAGE_CANCELLED_DAY": "excluded"}, "TRUEUP_MANAGE_CANCELLED_DAY"),
        ({"TRUEUP_LEASE_SECONDS": "29"}, "TRUEUP_LEASE_SECONDS"),
        ({"TRUEUP_LEASE_SECONDS": "3601"}, "TRUEUP_LEASE_SECONDS"),
        (CLOCK | {"TRUEUP_LEASE_SECONDS": "1"}, "TRUEUP_LEASE_SECONDS"),
        ({"TRUEUP_LOCAL_PERSON": "pat@birchline.example"}, "TRUEUP_LOCAL_PERSON"),
        ({"TRUEUP_LOCAL_PERSON": "pat@birchline.example: TrueUp.Owner"}, "TRUEUP_LOCAL_PERSON"),
        ({"TRUEUP_LOCAL_PERSON": ": TrueUp.Reader"}, "TRUEUP_LOCAL_PERSON"),
        ({"TRUEUP_CLOCK_URL": "https://clock.example/now"}, "TRUEUP_CLOCK_URL"),
        ({"TRUEUP_CLOCK_URL": "http://clock.example/now"}, "TRUEUP_CLOCK_URL"),
    ],
)
def test_one_wrong_setting_is_one_problem_that_names_it(change, named):
    assert settings_with_problems(STORAGE | MANAGE | MICROSOFT | change) == [named]


@pytest.mark.parametrize("mark", ["WEBSITE_INSTANCE_ID", "WEBSITE_SITE_NAME"])
def test_the_sandbox_clock_is_refused_where_azure_runs_us(mark):
    assert load_settings(STORAGE | MANAGE | CLOCK).clock_url == CLOCK["TRUEUP_CLOCK_URL"]
    assert settings_with_problems(STORAGE | MANAGE | CLOCK | {mark: "x"}) == ["TRUEUP_CLOCK_URL"]


@pytest.mark.parametrize("mark", ["WEBSITE_INSTANCE_ID", "WEBSITE_SITE_NAME", "WEBSITE_AUTH_ENABLED"])
def test_a_made_up_person_is_signed_in_on_this_machine_only(mark):
    person = {"TRUEUP_LOCAL_PERSON": "pat@birchline.example: TrueUp.Biller"}
    principal = load_settings(STORAGE | MANAGE | person).access.principal({})
    assert (principal.name, principal.may(Role.BILLER)) == ("pat@birchline.example", True)
    assert not principal.may(Role.ADMIN)
    assert settings_with_problems(STORAGE | MANAGE | person | {mark: "True"}) == ["TRUEUP_LOCAL_PERSON"]


def test_nobody_is_signed_in_unless_the_platform_says_so():
    assert load_settings(STORAGE | MANAGE).access.principal({}) is None
    assert load_settings(STORAGE | MANAGE | {"WEBSITE_AUTH_ENABLED": "True"}).access.platform
    assert not load_settings(STORAGE | MANAGE | {"WEBSITE_AUTH_ENABLED": "False"}).access.platform


def test_short_leases_are_for_the_sandbox_only():
    assert load_settings(STORAGE | MANAGE | CLOCK | {"TRUEUP_LEASE_SECONDS": "2"}).lease_seconds == 2
    assert settings_with_problems(STORAGE | MANAGE | {"TRUEUP_LEASE_SECONDS": "2"}) == ["TRUEUP_LEASE_SECONDS"]


def test_a_connection_string_of_a_real_account_is_accepted():
    text = (
        "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=a2V5;TableEndpoint=http://127.0.0.1:1/a;"
    )

    assert load_settings(MANAGE | {"AzureWebJobsStorage": text}).storage.connection_string == text


def test_an_unresolved_key_vault_reference_is_told_apart_from_a_key():
    reference = "@Microsoft.KeyVault(SecretUri=https://kv.example/secrets/private-key)"

    found = problems(STORAGE | MANAGE | {"MANAGE_PRIVATE_KEY": reference})

    assert len(found) == 1
    assert found[0].startswith("MANAGE_PRIVATE_KEY: its Key Vault reference was not resolved")


PAX8 = {"PAX8_CLIENT_ID": "client", "PAX8_CLIENT_SECRET": "a secret"}


def test_terms_are_asked_for_where_the_address_of_partner_center_is_set_and_a_partner_tenant_is():
    url, scope = "https://api.partnercenter.microsoft.com/v1", "https://graph.windows.net/.default"
    asked = {"MICROSOFT_PARTNER_CENTER_URL": url}
    quiet, usual = load_settings(STORAGE | MANAGE | MICROSOFT), load_settings(STORAGE | MANAGE | MICROSOFT | asked)
    other = load_settings(STORAGE | MANAGE | MICROSOFT | asked | {"MICROSOFT_PARTNER_CENTER_SCOPE": scope})

    assert quiet.microsoft.partner_center_url is None
    assert usual.microsoft.partner_center_url == url
    assert usual.microsoft.partner_center_scope == "https://api.partnercenter.microsoft.com/.default"
    assert other.microsoft.partner_center_scope == scope
    direct = MICROSOFT | {"MICROSOFT_PARTNER_TENANTS": "", "MICROSOFT_DIRECT_TENANTS": OTHER}
    assert settings_with_problems(STORAGE | MANAGE | direct | asked) == ["MICROSOFT_PARTNER_TENANTS"]
    without = STORAGE | MANAGE | MICROSOFT | {"MICROSOFT_PARTNER_CENTER_SCOPE": scope}
    assert settings_with_problems(without) == ["MICROSOFT_PARTNER_CENTER_URL"]


def test_pax8_needs_its_two_credentials_and_nothing_else():
    pax8 = load_settings(STORAGE | MANAGE | PAX8).pax8

    assert load_settings(STORAGE | MANAGE).pax8 is None
    assert pax8 is not None
    assert (pax8.url, pax8.token_url, pax8.audience) == (
        "https://api.pax8.com/v1",
        "https://api.pax8.com/v1/token",
        "https://api.pax8.com",
    )
    assert pax8.billable == {"active", "converted", "pendingmanual", "pendingautomated", "pendingcancel"}
    assert settings_with_problems(STORAGE | MANAGE | {"PAX8_URL": "https://api.pax8.com/v1"}) == [
        "PAX8_CLIENT_ID",
        "PAX8_CLIENT_SECRET",
    ]


def test_the_statuses_that_count_are_pax8s_own_words():
    told = load_settings(STORAGE | MANAGE | PAX8 | {"PAX8_BILLABLE_STATUSES": "Active, PendingCancel,"}).pax8

    assert told is not None
    assert told.billable == {"active", "pendingcancel"}
    wrong = PAX8 | {"PAX8_BILLABLE_STATUSES": "Active,Running"}
    assert settings_with_problems(STORAGE | MANAGE | wrong) == ["PAX8_BILLABLE_STATUSES"]


@pytest.mark.parametrize(("word", "counted"), [(None, False), ("none", False), ("Invoices", True)])
def test_usage_at_pax8_is_counted_by_its_invoices_only_where_that_is_wanted(word, counted):
    told = load_settings(STORAGE | MANAGE | PAX8 | ({"PAX8_USAGE": word} if word else {})).pax8
    assert told is not None
    assert told.usage is counted
    assert settings_with_problems(STORAGE | MANAGE | PAX8 | {"PAX8_USAGE": "yes"}) == ["PAX8_USAGE"]


def test_pushed_sources_have_names_and_keys_of_their_own():
    one, two, three = "k" * 24, "another=key-with-24-characters", "p" * 24
    pushed = load_settings(STORAGE | MANAGE | {"PUSHED_KEYS": f"rmm={one}, phones={three},rmm={two}"}).pushed

    assert pushed.keys == {"rmm": (one, two), "phones": (three,)}
    assert pushed.age == timedelta(hours=26)
    assert not load_settings(STORAGE | MANAGE).pushed.keys
    assert load_settings(STORAGE | MANAGE | {"PUSHED_HOURS": "744"}).pushed.age == timedelta(days=31)


@pytest.mark.parametrize(
    "keys", ["rmm", "rmm=", "rmm=short", f"={'k' * 24}", f"RMM={'k' * 24}", f"a/b={'k' * 24}", f"rmm={'k ' * 24}"]
)
def test_a_name_without_a_strong_key_is_refused(keys):
    assert settings_with_problems(STORAGE | MANAGE | {"PUSHED_KEYS": keys}) == ["PUSHED_KEYS"]


def test_one_key_under_two_names_is_refused_and_not_shown():
    key = "k" * 24
    (problem,) = problems(STORAGE | MANAGE | {"PUSHED_KEYS": f"rmm={key},phones={'p' * 24},backup={key}"})

    assert problem == "PUSHED_KEYS: must give every name a key of its own: one key stands under two names"


def test_no_pushed_source_is_called_what_lines_of_several_skus_are_called():
    (problem,) = problems(STORAGE | MANAGE | {"PUSHED_KEYS": f"combined={'k' * 24}"})

    assert problem.startswith("PUSHED_KEYS: must name no source combined")


def test_no_problem_and_no_representation_shows_a_value():
    marked = "s3cretVALUE"
    everything = dict.fromkeys(setting_names(), f"{marked} \x00 not an id, number, address or file")

    shown = problems(everything)
    settings = load_settings(
        {"AzureWebJobsStorage": f"AccountName=a;AccountKey={marked}"}
        | MANAGE
        | MICROSOFT
        | {
            "MANAGE_PRIVATE_KEY": marked,
            "MICROSOFT_CLIENT_SECRET": marked,
            "PAX8_CLIENT_ID": "client",
            "PAX8_CLIENT_SECRET": marked,
            "PUSHED_KEYS": f"rmm={marked}{marked}{marked}",
            "MICROSOFT_CERTIFICATE": base64.b64encode(marked.encode()).decode(),
        }
    )

    assert len(shown) > 15
    assert marked not in " ".join(shown)
    assert marked not in repr(settings)
    assert base64.b64encode(marked.encode()).decode() not in repr(settings)


def test_every_name_is_listed_once_with_a_line_and_an_example():
    names = setting_names()

    assert len(set(names)) == len(names)
    assert all(setting.meaning and setting.example and "\n" not in setting.meaning for setting in SETTINGS)


def test_settings_md_holds_exactly_the_list_of_the_code():
    text = (ROOT / "docs/settings.md").read_text(encoding="utf-8")
    section = text.partition("## What TrueUp reads")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]

    assert rows == [f"| `{name}` | {meaning} | `{example}` |" for name, meaning, example in SETTINGS]


def test_the_code_reads_no_name_that_is_not_listed():
    files = ("shared/settings.py", "shared/vendor_settings.py", "shared/notice_settings.py")
    source = "".join((ROOT / file).read_text(encoding="utf-8") for file in files)
    used = set(re.findall(r'"((?:MANAGE|MICROSOFT|PAX8|HUNTRESS|COVE|PUSHED|NOTICE|TRUEUP)_[A-Z_]*[A-Z])"', source))

    assert used - set(setting_names()) == set()
    assert {name for name in setting_names() if not name.startswith("AzureWebJobsStorage")} - used == set()


def test_the_example_of_local_settings_holds_only_known_names():
    example = json.loads((ROOT / "local.settings.example.json").read_text(encoding="utf-8"))
    platform = (ROOT / "docs/settings.md").read_text(encoding="utf-8").partition("## What the platform reads")[2]
    known = set(setting_names()) | set(re.findall(r"^\| `(\w+)` \|", platform, flags=re.MULTILINE))

    assert example["IsEncrypted"] is False
    assert set(example["Values"]) - known == set()


def test_what_is_left_unfilled_in_the_example_is_named_and_nothing_else():
    values = json.loads((ROOT / "local.settings.example.json").read_text(encoding="utf-8"))["Values"]

    found = problems(values)

    unfilled = [name for name, value in values.items() if value.startswith("<")]
    assert sorted(problem.partition(":")[0] for problem in found) == sorted(unfilled)
    assert all("still holds a <placeholder>" in problem for problem in found)


def test_the_example_of_local_settings_works_once_it_is_filled_in():
    values = json.loads((ROOT / "local.settings.example.json").read_text(encoding="utf-8"))["Values"]
    examples = {setting.name: setting.example for setting in SETTINGS}
    examples |= {"MANAGE_PRIVATE_KEY": "a-private-key", "MICROSOFT_CLIENT_SECRET": "a-client-secret"}

    filled = {name: examples[name] if value.startswith("<") else value for name, value in values.items()}

    assert load_settings(filled).microsoft is not None


def test_reading_settings_imports_no_vendor_library():
    heavy = ["azure.data", "azure.identity", "azure.core", "msgraph", "kiota_abstractions", "httpx", "fastapi"]
    code = f"import sys, shared.settings; print([name for name in {heavy} if name in sys.modules])"

    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )

    assert answer.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "url",
    [
        "http://trueup.example/api/callbacks/manage",
        "https://trueup.example",
        "https://trueup.example/api/callbacks/manage?code=secret",
        "trueup.example/api/callbacks/manage",
    ],
)
def test_manage_is_only_told_an_address_that_the_app_has(url):
    assert settings_with_problems(STORAGE | MANAGE | {"TRUEUP_CALLBACK_URL": url}) == ["TRUEUP_CALLBACK_URL"]
