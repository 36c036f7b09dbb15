"""Customers of the made-up vendors find their companies in the made-up Manage, by what each of them tells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from local.sandbox.running import SandboxThread
from local.sandbox.server import Options
from local.sandbox.world import Consent
from shared.billing.contact_rules import ContactRules
from shared.contacts.contacts import Field
from shared.manage.client import ManageClient
from shared.settings import load_settings
from shared.sources.huntress import HuntressSource
from shared.sources.microsoft365 import Microsoft365Source
from shared.sync.approvals import Person
from shared.sync.mapping.links import Link, accept, links
from shared.sync.mapping.listing import look_again
from tests import builders as b
from tests.fakes.house import House

NOW = datetime(2026, 11, 21, 2, tzinfo=UTC)


@pytest.fixture
def sandbox() -> Iterator[SandboxThread]:
    with SandboxThread(Options(companies=8, seed=7, now=NOW)) as thread:
        yield thread


@pytest.fixture
def house(sandbox: SandboxThread) -> House:
    """Nobody is linked; the sandbox's Manage, Microsoft 365 and Huntress are asked."""
    house = House()
    house.clock.time = NOW
    loaded = load_settings({**sandbox.settings(), "AzureWebJobsStorage": "UseDevelopmentStorage=true"})
    assert loaded.microsoft is not None
    assert loaded.huntress is not None
    manage = ManageClient(loaded.manage)
    sources = {"microsoft365": Microsoft365Source(loaded.microsoft), "huntress": HuntressSource(loaded.huntress)}
    house.ports = replace(house.ports, manage=manage, contacts=manage.contacts, sources=sources)
    return house


def evidence(house: House) -> dict[tuple[str, str], tuple[int, tuple[str, ...]]]:
    found = links(house.ports).proposals
    return {(each.customer.source, each.customer.id): (each.company, each.evidence) for each in found}


def test_each_kind_of_evidence_leads_to_the_right_company(sandbox: SandboxThread, house: House) -> None:
    msp = sandbox.msp
    by_tenant = {linked.tenant: linked.company for linked in msp.linked}
    granted = [each for each in msp.linked if msp.tenants[each.tenant].consent is Consent.GRANTED]
    sites = {each.company: msp.records.get("companies", each.company)["website"] for each in granted}
    without_site = next(each for each in granted if not sites[each.company])
    said = {Field.FIRST_NAME: "Robin", Field.MAIL: f"robin@{msp.tenants[without_site.tenant].domain}"}
    house.ports.contacts.create(without_site.company, said, ContactRules())
    refusing = [each for each in look_again(house.ports) if "did not tell their domains" in each]
    assert len(refusing) == 1

    found = evidence(house)
    tenants = {key: told for (source, key), told in found.items() if source == "microsoft365"}
    assert all(by_tenant.get(tenant, company) == company for tenant, (company, _) in tenants.items())
    texts = [text for _, told in found.values() for text in told]
    assert any(text.startswith("same verified domain") and text.endswith("(its website)") for text in texts)
    assert any(text.endswith("(mail addresses of its contacts)") for text in tenants[without_site.tenant][1])

    organization = next(each for each in msp.huntress.organizations.values() if each.tenant in by_tenant)
    company = by_tenant[organization.tenant]
    house.rules(b.rules())
    accept(house.ports, [Link("microsoft365", organization.tenant, company)], Person("pat@northbeam.example"))
    again = evidence(house)["huntress", str(organization.id)]
    assert again[0] == company
    assert "the same Microsoft 365 tenant as its customer at microsoft365" in again[1]
