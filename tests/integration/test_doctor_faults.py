"""What the doctor says of each fault of each system: what is wrong, in plain words, and what to do about it.

Real adapters against the sandbox, on a store in memory; the pauses between their attempts take no time.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest
import requests

from local.sandbox.faults import FAULTS
from local.sandbox.running import SandboxThread
from local.sandbox.server import Options
from shared.bootstrap import make_ports
from shared.errors import Misconfigured
from shared.manage.client import ManageClient
from shared.settings import Settings, load_settings
from shared.sources.azure import AzureSource
from shared.sources.cove.source import CoveSource
from shared.sources.huntress.source import HuntressSource
from shared.sources.microsoft365.source import Microsoft365Source
from shared.sources.pax8.source import Pax8Source
from shared.sources.protocol import Source
from shared.state.usage import UsageStore
from shared.sync.checkup import check_connection
from tests.fakes.house import House

NUMBERS = {"latency": "latency:20", "429": "429:120", "late-commit": "late-commit:50"}
#: What cannot spoil so small a question: only writes, figures or long lists.
HARMLESS = {"latency", "no-effect", "short-page", "empty-page", "endless", "wrong-counts", "expired-visa"}
#: Where one of these spoils it after all.
HARMFUL = {
    "manage": {"endless": "does not end"},
    "graph": {"endless": "do not end", "empty-page": "do not end"},
    "cove": {"expired-visa": "refused the list of devices"},
}
#: What is told of each other fault; where a system has its own words for it, those.
SAID = {
    "429": "answered 429",
    "429-no-retry-after": "answered 429",
    "500-timeout": "answered 500",
    "502-html": "answered 502",
    "503-html": "answered 503",
    "reset-before": "broke",
    "reset-after": "broke",
    "late-commit": "broke",
    "truncated": "not JSON",
    "empty-body": "not JSON",
    "html-200": "web page",
}
NO_TOKEN = "Entra gave no usable answer"
SAID_BY = {
    "entra": dict.fromkeys(SAID, NO_TOKEN) | dict.fromkeys(("429", "429-no-retry-after"), "Entra was busy"),
    "graph": dict.fromkeys(("truncated", "empty-body", "html-200"), "check what answers at the Graph address"),
    "azure": dict.fromkeys(("truncated", "empty-body", "html-200"), "it is not Graph that answers"),
}
#: The systems and whose check asks them.
ASKED = [
    ("manage", "manage"),
    ("entra", "azure"),
    ("graph", "microsoft365"),
    ("graph", "azure"),
    ("pax8", "pax8"),
    ("huntress", "huntress"),
    ("cove", "cove"),
]
NOW = datetime(2026, 11, 21, 2, tzinfo=UTC)


@dataclass(frozen=True)
class Doctor:
    """The doctor of a deployment whose systems the sandbox plays."""

    sandbox: SandboxThread

    def says(self, connection: str, **settings: str) -> str:
        """Of one connection; empty when it is in order. `settings` differ from the right ones."""
        given = {
            **self.sandbox.settings(),
            "AzureWebJobsStorage": "UseDevelopmentStorage=true",
            "MICROSOFT_AZURE_CURRENCY": "USD",
        }
        loaded, house = load_settings(given | settings), House()
        ports = replace(
            house.ports, manage=ManageClient(loaded.manage, pause=_at_once), sources=_sources(loaded, house)
        )
        if connection == "storage":
            real = make_ports(loaded)
            ports = replace(ports, companies=real.companies, queue=real.queue)
        return " ".join(check_connection(ports, connection).problems)

    def faults(self, *faults: dict[str, str]) -> None:
        requests.put(f"{self.sandbox.url}/_sandbox/faults", json=faults, timeout=10).raise_for_status()

    def writes(self) -> int:
        """Requests that could have changed something: reading takes none but for tokens, and Cove's one address."""
        calls = requests.get(f"{self.sandbox.url}/_sandbox/calls", timeout=10).json()["calls"]
        changing = [call for call in calls if call["method"] != "GET" and "token" not in call["route"]]
        return sum(call["count"] for call in changing if call["system"] != "cove")


def _at_once(seconds: float) -> None:
    """A pause that takes no time."""


def _sources(settings: Settings, house: House) -> dict[str, Source]:
    assert settings.microsoft is not None
    assert settings.azure is not None
    assert settings.pax8 is not None
    assert settings.huntress is not None
    assert settings.cove is not None
    sources: list[Source] = [
        Microsoft365Source(settings.microsoft, sleep=_at_once),
        AzureSource(settings.azure, UsageStore(house.tables), house.clock.business_now, sleep=_at_once),
        Pax8Source(settings.pax8, sleep=_at_once),
        HuntressSource(settings.huntress, sleep=_at_once),
        CoveSource(settings.cove, sleep=_at_once),
    ]
    return {source.name: source for source in sources}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxThread]:
    with SandboxThread(Options(companies=3, seed=7, now=NOW)) as thread:
        yield thread


@pytest.fixture
def doctor(sandbox: SandboxThread, monkeypatch: pytest.MonkeyPatch) -> Doctor:
    monkeypatch.setattr(time, "sleep", _at_once)  # the vendors' own libraries pause too
    monkeypatch.setattr("shared.manage.paging.MOST_PAGES", 20)
    made = Doctor(sandbox)
    made.faults()
    return made


@pytest.mark.parametrize("connection", sorted({connection for _, connection in ASKED}))
def test_where_nothing_is_wrong_nothing_is_said(doctor: Doctor, connection: str) -> None:
    assert doctor.says(connection) == ""
    assert doctor.writes() == 0


@pytest.mark.parametrize("fault", sorted(FAULTS))
@pytest.mark.parametrize(("system", "connection"), ASKED)
def test_of_each_fault_it_is_said_what_is_wrong_and_what_to_do(
    doctor: Doctor, system: str, connection: str, fault: str
) -> None:
    doctor.faults({"system": system, "fault": NUMBERS.get(fault, fault)})

    said = doctor.says(connection)

    expected = HARMFUL.get(connection if connection == "azure" else system, {}).get(fault)
    if expected is None and fault in HARMLESS:
        assert said == ""
        return
    own = SAID_BY.get(connection if system == "graph" and connection == "azure" else system, {})
    assert (expected or own.get(fault, SAID.get(fault, ""))).casefold() in said.casefold()
    assert "otherwise" in said or "If it stays so" in said or "check the address" in said
    assert doctor.writes() == 0


@pytest.mark.parametrize(
    ("connection", "settings", "advice"),
    [
        ("manage", {"MANAGE_PRIVATE_KEY": "wrong"}, "Check company, public key and private key"),
        ("microsoft365", {"MICROSOFT_CLIENT_SECRET": "wrong"}, "Set the current secret value"),
        ("azure", {"MICROSOFT_CLIENT_SECRET": "wrong"}, "Set the current secret value"),
        ("pax8", {"PAX8_CLIENT_SECRET": "wrong"}, "Check client id and client secret"),
        ("huntress", {"HUNTRESS_PRIVATE_KEY": "wrong"}, "Check HUNTRESS_PUBLIC_KEY"),
        ("cove", {"COVE_TOKEN": "wrong"}, "Check COVE_PARTNER"),
    ],
)
def test_of_a_wrong_key_it_is_said_which_one_to_correct_and_the_key_is_not_shown(
    doctor: Doctor, connection: str, settings: dict[str, str], advice: str
) -> None:
    said = doctor.says(connection, **settings)

    assert advice in said
    assert "wrong" not in said.replace("is wrong", "")


@pytest.mark.parametrize(
    ("connection", "setting", "advice"),
    [
        ("manage", "MANAGE_BASE_URL", "MANAGE_SITE or MANAGE_BASE_URL"),
        ("microsoft365", "MICROSOFT_GRAPH_URL", "the Graph address"),
        ("microsoft365", "MICROSOFT_AUTHORITY", "the authority's address"),
        ("pax8", "PAX8_URL", "its address in the settings"),
        ("huntress", "HUNTRESS_URL", "its address in the settings"),
        ("cove", "COVE_URL", "its address in the settings"),
        ("storage", "AzureWebJobsStorage", "check the account's name"),
    ],
)
def test_of_an_address_where_nobody_answers_it_is_said_where_to_correct_it(
    doctor: Doctor, connection: str, setting: str, advice: str
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = (
            f"http{'s' if setting.endswith('AUTHORITY') else ''}://127.0.0.1:{nobody.getsockname()[1]}/release/apis/3.0"
        )
        if connection == "storage":
            parts = [f"{kind}Endpoint={address}" for kind in ("Table", "Queue", "Blob")]
            address = ";".join(["AccountName=acc", "AccountKey=a2V5", *parts])
        said = doctor.says(connection, **{setting: address})

    assert advice in said


def test_a_manage_address_that_shows_its_sign_in_page_is_told_apart_from_one_that_is_being_maintained(
    doctor: Doctor,
) -> None:
    doctor.faults({"system": "manage", "fault": "html-200"})

    said = doctor.says("manage")

    assert "HTML page" in said
    assert "MANAGE_BASE_URL ends with the release and /apis/3.0" in said
    assert "a sign-in page, a proxy or a firewall" in said


def test_a_reference_to_the_key_vault_that_was_not_resolved_names_the_setting_and_the_role(doctor: Doctor) -> None:
    reference = "@Microsoft.KeyVault(SecretUri=https://kv.example/secrets/manage-private-key)"

    with pytest.raises(Misconfigured) as refused:
        doctor.says("manage", MANAGE_PRIVATE_KEY=reference)

    (problem,) = refused.value.problems
    assert problem.startswith("MANAGE_PRIVATE_KEY: its Key Vault reference was not resolved")
    assert "Key Vault Secrets User" in problem
