"""Contacts kept with the real adapters against the sandbox's Graph and Manage, answers lost on the way included."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests

from local.sandbox.running import SandboxThread
from local.sandbox.server import Options
from local.sandbox.world import Consent, Tenant
from local.sandbox.world.model import LinkedCompany
from shared.billing.contact_rules import ContactMode, ContactRules, Left
from shared.billing.rules import CompanyLink, CompanyRules, Mode
from shared.bootstrap import make_ports
from shared.contacts.contacts import Contact
from shared.manage.client import ManageClient
from shared.settings import load_settings
from shared.sheets.reading import read_tables
from shared.state.records import Outcome
from shared.sync import night
from shared.sync.approvals import Person
from shared.sync.company import Order
from shared.sync.contacts.sync import sync_contacts
from shared.sync.desk.accounts import export_company, users_csv, users_workbook
from tests import builders as b
from tests.fakes.house import House
from tests.integration.house import a_house
from tests.integration.waiting import eventually

RUN = "2026-11-21-contacts"
NOW = datetime(2026, 11, 21, 2, tzinfo=UTC)
RULES = ContactRules(mode=ContactMode.AUTO, left=Left.DEACTIVATE, left_percent=50)
STORAGE = {"AzureWebJobsStorage": "UseDevelopmentStorage=true"}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxThread]:
    with SandboxThread(Options(companies=12, seed=7, now=NOW)) as thread:
        yield thread


@pytest.fixture
def house(sandbox: SandboxThread) -> House:
    """The stores of a house before the sandbox's Manage and Graph."""
    settings = load_settings(sandbox.settings() | STORAGE)
    manage, sources = ManageClient(settings.manage), make_ports(settings).sources
    house = House()
    house.ports = replace(house.ports, manage=manage, contacts=manage.contacts, sources=sources)
    house.rules(replace(b.rules(), contacts=RULES))
    return house


def a_company(sandbox: SandboxThread, house: House, number: int) -> tuple[LinkedCompany, Tenant]:
    """One that can be read, with some users."""
    tenants = sandbox.msp.tenants
    fit = [
        each
        for each in sandbox.msp.linked
        if tenants[each.tenant].consent is Consent.GRANTED and not tenants[each.tenant].answers_empty
    ]
    linked = [each for each in fit if 4 <= len(expected(tenants[each.tenant])) <= 60][number]
    links = (CompanyLink("microsoft365", linked.tenant),)
    house.ports.companies.put_rules(CompanyRules(linked.company, linked.name, Mode.OBSERVE, links))
    return linked, tenants[linked.tenant]


def sync(house: House, company: int):
    return sync_contacts(house.ports, Order(company, "run-contacts", "me")).report


def mails(contacts: list[Contact], *, active: bool = True) -> list[str]:
    return sorted(mail for one in contacts if one.inactive is not active for mail in one.mails)


def expected(tenant: Tenant) -> list[str]:
    """The addresses of everybody whom the rules make a contact."""
    free = {"f30db892-07e9-47e9-837c-80727f46fd3d", "a403ebcc-fae0-4ca2-8c8c-7a907fd6c235"}
    people = [one for one in tenant.users if one.enabled and not one.guest and one.skus - free]
    return sorted(one.mails[0].casefold() for one in people if one.mails)


def faults(sandbox: SandboxThread, *wanted: dict[str, object]) -> None:
    requests.put(f"{sandbox.url}/_sandbox/faults", json=list(wanted), timeout=10).raise_for_status()


def test_users_become_contacts_and_stay_so(sandbox: SandboxThread, house: House) -> None:
    linked, tenant = a_company(sandbox, house, 0)
    report = sync(house, linked.company)
    assert (report.outcome, report.note) == (Outcome.APPLIED, "")
    contacts = house.ports.contacts.of_company(linked.company)
    assert mails(contacts) == expected(tenant)

    assert sync(house, linked.company).outcome is Outcome.UNCHANGED

    default = next(mail for one in contacts if one.default for mail in one.mails)
    staying = [one for one in tenant.users if one.mails and one.mails[0].casefold() in expected(tenant)]
    leaving = next(one for one in staying if one.mails[0].casefold() != default)
    changing = next(one for one in staying if one is not leaving)
    leaving.enabled = False
    changing.mails.insert(0, f"new.{changing.mails[0]}")
    changing.title = "Owner"
    assert sync(house, linked.company).written == {"ended": 1, "updated": 1}
    after = house.ports.contacts.of_company(linked.company)
    assert mails(after) == expected(tenant)
    assert mails(after, active=False) == [leaving.mails[0].casefold()]
    assert sync(house, linked.company).outcome is Outcome.UNCHANGED


def test_an_export_has_every_user_with_readable_licences_and_sign_ins_in_both_kinds_of_file(
    sandbox: SandboxThread, house: House
) -> None:
    linked, tenant = a_company(sandbox, house, 2)
    export = export_company(house.ports, linked.company, Person("pat@birchline.example"))
    (in_csv,), (in_workbook,) = read_tables(users_csv(export)), read_tables(users_workbook(export))
    rows = [line.cells for line in in_csv.lines]
    assert sorted(row["sign-in name"] for row in rows) == sorted(user.upn for user in tenant.users)
    assert any("Microsoft 365" in row["licences"] for row in rows)
    assert any(re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d", row["last sign-in (utc)"]) for row in rows)
    # A workbook does not keep the empty cells at the end of a row.
    assert [filled(row) for row in rows] == [filled(line.cells) for line in in_workbook.lines]


def filled(row: Mapping[str, str]) -> dict[str, str]:
    return {column: cell for column, cell in row.items() if cell}


def test_answers_that_get_lost_double_nobody(sandbox: SandboxThread, house: House) -> None:
    linked, tenant = a_company(sandbox, house, 1)
    fault = {"system": "manage", "method": "POST", "route": "/company/contacts", "fault": "reset-after"}
    faults(sandbox, fault | {"count": 2})
    lost = 0
    for _ in range(30):
        report = sync(house, linked.company)
        lost += report.outcome is Outcome.FAILED
        house.clock.pass_by(seconds=house.ports.limits.settling)
        if report.outcome is Outcome.UNCHANGED:
            break
    faults(sandbox)
    assert lost == 2
    assert report.outcome is Outcome.UNCHANGED
    assert mails(house.ports.contacts.of_company(linked.company)) == expected(tenant)


def test_a_run_whose_hosts_are_killed_doubles_and_misses_nobody(tmp_path: Path) -> None:
    with a_house(tmp_path, companies=6, TRUEUP_LEASE_SECONDS="6") as house:
        house.import_rules("observe", contacts={"mode": "auto"})
        house.faults({"system": "manage", "fault": "latency:50"})
        records = house.sandbox.msp.records
        host = house.host()
        house.clock(NOW)
        assert night.contacts(house.ports).startswith(f"{RUN}: started")
        for made in (3, 9):
            eventually(lambda made=made: len(records.all("contacts")) >= made, every=0.01)
            host.kill()
            host = house.host()

        def ended() -> bool:
            house.fire("watchdog")
            header = house.ports.runs.header(RUN)
            return header is not None and header.ended is not None

        eventually(ended, within=90, every=0.5)
        tenants = house.sandbox.msp.tenants
        for linked in house.sandbox.msp.linked:
            tenant = tenants[linked.tenant]
            readable = tenant.consent is Consent.GRANTED and not tenant.answers_empty
            found = [one for one in records.all("contacts") if one["company"]["id"] == linked.company]
            mails = sorted(item["value"] for one in found for item in one["communicationItems"] if "@" in item["value"])
            assert mails == (expected(tenant) if readable else [])
