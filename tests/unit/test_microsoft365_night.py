"""Users told apart in every way the rules know, from the sandbox's Microsoft 365 to the lines of a company."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from local.sandbox.running import SandboxThread
from local.sandbox.server import Options
from local.sandbox.world import Consent, Tenant
from local.sandbox.world.tenants import FREE_SKUS
from shared.settings import load_settings
from shared.sources.microsoft365.source import Microsoft365Source
from shared.state.records import Outcome
from shared.sync import rulebook
from tests import builders as b
from tests.fakes.house import House

NOW = datetime(2026, 11, 21, 2, tzinfo=UTC)
#: Bill item by what tells its users apart, each a product of its own.
FILTERS = {
    "FRONT": "only: {groups: [Front office]}",
    "NO-SALES": "without: {groups: [sales]}",
    "BY-DEPT": "only: {departments: [Finance, Operations]}",
    "BY-OFFICE": "only: {offices: [Mill Road]}",
    "BY-DOMAIN": "only: {domains: [elsewhere.example]}",
}
FREE = {sku.id for sku in FREE_SKUS}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxThread]:
    with SandboxThread(Options(companies=12, seed=7, now=NOW)) as thread:
        yield thread


@pytest.fixture
def tenant(sandbox: SandboxThread) -> Tenant:
    tenants = sandbox.msp.customers_of(sandbox.msp.partners[0].id)
    usual = [t for t in tenants if t.consent is Consent.GRANTED and not t.answers_empty and len(t.users) < 200]
    found = max(usual, key=lambda each: len(each.users))
    found.users[0].upn = "ada@elsewhere.example"
    found.users[1].enabled = False
    found.users[2].guest = True
    return found


def house(sandbox: SandboxThread, rules: str, *products: str) -> House:
    made = House()
    microsoft = load_settings({**sandbox.settings(), "AzureWebJobsStorage": "UseDevelopmentStorage=true"}).microsoft
    assert microsoft is not None
    made.ports = replace(made.ports, sources={b.SOURCE: Microsoft365Source(microsoft)})
    made.manage.catalog = {name: b.product(name, 100 + at) for at, name in enumerate(products)}
    rulebook.import_rules(made.ports, rules)
    made.manage.agreements_[1001] = b.agreement(1001, company_id=1)
    return made


def billed(made: House) -> dict[str, int]:
    return {line.product: int(line.quantity) for line in made.manage.lines.values()}


def most_held(tenant: Tenant) -> str:
    return Counter(sku for user in tenant.users for sku in user.skus).most_common(1)[0][0]


def by_filter(tenant: Tenant, name: str) -> str:
    return f"""\
profiles:
  - {{id: some, name: Some users, product: {name}, quantity: {{basis: assigned, users: {{{FILTERS[name]}}}}}}}
policies:
  - {{source: microsoft365, sku: {most_held(tenant)}, profile: some}}
companies:
  - {{company: 1, name: One, mode: auto, links: [{{source: microsoft365, customer: {tenant.id}}}]}}
"""


def test_users_are_told_apart_by_groups_departments_offices_and_domains(sandbox: SandboxThread, tenant: Tenant) -> None:
    holders = [user for user in tenant.users if most_held(tenant) in user.skus]
    expected = {
        "FRONT": sum(user.department in ("Sales", "Service") for user in holders),
        "NO-SALES": sum(user.department != "Sales" for user in holders),
        "BY-DEPT": sum(user.department in ("Finance", "Operations") for user in holders),
        "BY-OFFICE": sum(user.office == "Mill Road" for user in holders),
        "BY-DOMAIN": sum(user.upn.endswith("@elsewhere.example") for user in holders),
    }

    found: dict[str, int] = {}
    for name in FILTERS:
        made = house(sandbox, by_filter(tenant, name), name)
        made.sync(1)
        found |= billed(made) or {name: 0}
        assert made.sync(1).report.outcome is Outcome.UNCHANGED

    assert found == expected
    assert all(0 < units < len(holders) for name, units in found.items() if name != "BY-DOMAIN")


@pytest.mark.parametrize("group", ["Board", "Night shift"])
def test_a_group_that_is_missing_or_hidden_bills_nothing_and_is_told(
    sandbox: SandboxThread, tenant: Tenant, group: str
) -> None:
    made = house(sandbox, by_filter(tenant, "FRONT").replace("Front office", group), "FRONT")

    made.sync(1)

    assert billed(made) == {}
    text = " ".join(each.finding.text for each in made.state(1).findings.values())
    assert f"who is in group {group}" in text


@pytest.mark.parametrize(
    ("quantity", "counts_disabled", "counts_guests"),
    [
        ("basis: assigned", True, True),
        ("basis: assigned-active", False, False),
        ("basis: assigned, users: {without: {accounts: [guests]}}", True, False),
        ("basis: assigned, users: {without: {accounts: [disabled]}}", False, True),
    ],
)
def test_all_you_can_eat_counts_everybody_with_a_licence_once(
    sandbox: SandboxThread, tenant: Tenant, quantity: str, counts_disabled: bool, counts_guests: bool
) -> None:
    made = house(
        sandbox,
        f"""\
profiles:
  - {{id: per-user, name: Everything per user, product: PER-USER, quantity: {{{quantity}}}}}
policies:
  - {{source: microsoft365, sku: licensed-users, profile: per-user}}
companies:
  - {{company: 1, name: One, mode: auto, links: [{{source: microsoft365, customer: {tenant.id}}}]}}
""",
        "PER-USER",
    )

    made.sync(1)

    licensed = [user for user in tenant.users if user.skus - FREE]
    counted = [user for user in licensed if (user.enabled or counts_disabled) and (not user.guest or counts_guests)]
    assert billed(made) == {"PER-USER": len(counted)}
    assert any(not user.enabled for user in licensed)
    assert any(user.guest for user in licensed)
