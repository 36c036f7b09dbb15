"""The made-up MSP: the same for the same seed, consistent in its numbers, drifted as an MSP's books are."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from datetime import date

import pytest

from local.sandbox.graph.rows import sku_row
from local.sandbox.seats import Seats, set_seats
from local.sandbox.world import Consent, Msp, Tenant, make_msp, rules_document
from local.sandbox.world.skus import SKUS
from local.sandbox.world.tenants import FOREIGN_PARTNER
from shared.errors import Gone

TODAY = date(2026, 11, 21)
STATUS = {"enabled": "Enabled", "warning": "Warning", "suspended": "Suspended", "lockedOut": "LockedOut"}


@pytest.fixture(scope="module")
def msp() -> Msp:
    return make_msp(120, 7, TODAY)


def content(msp: Msp) -> str:
    tenants = [asdict(tenant) for tenant in msp.tenants.values()]
    return json.dumps([tenants, msp.records.collections, rules_document(msp)], default=str_or_sorted)


def str_or_sorted(value: object) -> object:
    return sorted(value) if isinstance(value, set) else str(value)


def test_the_same_seed_makes_the_same_msp_and_another_seed_another() -> None:
    assert content(make_msp(12, 7, TODAY)) == content(make_msp(12, 7, TODAY))
    assert content(make_msp(12, 7, TODAY)) != content(make_msp(12, 8, TODAY))


def test_an_msp_can_be_as_small_as_one_company_but_not_smaller() -> None:
    assert len(make_msp(1, 7, TODAY).linked) == 1
    with pytest.raises(ValueError, match="at least one"):
        make_msp(0, 7, TODAY)


def test_control_totals_are_the_sums_of_the_subscriptions_by_status(msp: Msp) -> None:
    seen = 0
    for tenant in msp.tenants.values():
        for sku in tenant.skus():
            row = sku_row(tenant, sku)
            assert row["prepaidUnits"] == {
                state: sum(item.licenses for item in tenant.subscriptions if (item.sku, item.status) == (sku, status))
                for state, status in STATUS.items()
            }
            assert row["consumedUnits"] == len([user for user in tenant.users if sku in user.skus])
            seen += 1
    assert seen > 300


def test_tenants_are_mostly_small_with_one_that_needs_a_second_page(msp: Msp) -> None:
    sizes = sorted(len(list(tenant.licensed_users())) for tenant in linked_tenants(msp))
    assert 8 <= sizes[len(sizes) // 2] <= 16
    assert sum(size > 300 for size in sizes) >= 2
    assert [size for size in sizes if size > 999] == [sizes[-1]]


def test_subscriptions_come_in_every_kind_that_matters_for_billing(msp: Msp) -> None:
    items = [item for tenant in msp.tenants.values() for item in tenant.subscriptions]
    assert {item.status for item in items} == {"Enabled", "Warning", "Suspended"}
    assert any(item.owner == FOREIGN_PARTNER for item in items)
    assert any(item.trial for item in items)
    assert any(item.licenses >= 10_000 for item in items)
    users = [user for tenant in msp.tenants.values() for user in tenant.licensed_users()]
    assert any(not user.enabled for user in users)
    assert any(user.guest for user in users)


def test_about_three_lines_in_ten_are_wrong_and_more_often_too_low_than_too_high(msp: Msp) -> None:
    states = Counter(state for tenant in linked_tenants(msp) for state in line_states(msp, tenant))
    lines = sum(states.values())
    assert 0.25 <= (states["under"] + states["over"]) / lines <= 0.35
    assert states["under"] > 1.5 * states["over"]
    assert 0.02 <= states["missing"] / lines <= 0.12
    assert states["right"] / lines >= 0.45
    assert states["several"] >= 1


def test_foreign_marks_and_unrelated_products_stand_among_the_additions(msp: Msp) -> None:
    additions = msp.records.all("additions")
    marks = {addition["serialNumber"].partition("-")[0] for addition in additions if "serialNumber" in addition}
    assert marks == {"Unite", "Cloudconsole"}
    assert {"BKP-GB", "SEC-AGENT"} <= {addition["product"]["identifier"] for addition in additions}


def test_every_addition_names_a_catalog_item_and_an_agreement_that_exist(msp: Msp) -> None:
    for addition in msp.records.all("additions"):
        item = msp.records.get("catalog", addition["product"]["id"])
        assert item is not None
        assert item["identifier"] == addition["product"]["identifier"]
        assert msp.records.get("agreements", addition["agreementId"]) is not None


def test_companies_have_one_to_three_agreements_beside_the_calendars_that_cannot_be_written_to(msp: Msp) -> None:
    of_company = [msp.records.of_parent("agreements", linked.company) for linked in msp.linked]
    assert {len(agreements) for agreements in of_company} == {1, 2, 3}
    agreements = [agreement for group in of_company for agreement in group]
    assert any(agreement["billingCycle"]["name"] == "Quarterly" for agreement in agreements)
    assert any(agreement["invoicingCycle"] == "ContractYear" for agreement in agreements)
    assert any(agreement["periodType"] == "Future" for agreement in agreements)
    assert any("parentAgreement" in agreement for agreement in agreements)
    assert any(agreement.get("endDate", "9") < TODAY.isoformat() for agreement in agreements)
    usual = [a for a in agreements if a["nextInvoiceDate"].startswith("2026-12-01") and a["periodType"] == "Current"]
    assert len(usual) > 0.9 * len(agreements)
    names = [Counter(a["type"]["name"] for a in group)["Cloud Subscriptions"] for group in of_company]
    assert Counter(names) == {1: 118, 2: 2}


def test_each_kind_of_missing_consent_is_there(msp: Msp) -> None:
    assert {tenant.consent for tenant in linked_tenants(msp)} == set(Consent)
    assert sum(tenant.answers_empty for tenant in linked_tenants(msp)) == 1


def test_a_vanished_customer_is_linked_but_not_listed_and_new_ones_are_listed_but_not_linked(msp: Msp) -> None:
    listed = {tenant.id for partner in msp.partners for tenant in msp.customers_of(partner.id)}
    linked = {company.tenant for company in msp.linked}
    direct = {tenant.id for tenant in msp.direct_tenants()}
    assert len(linked - listed - direct) == 1
    assert len(listed - linked) == 2
    assert direct
    assert len(msp.customers_of(msp.partners[1].id)) < len(msp.customers_of(msp.partners[0].id)) / 4


def test_the_rules_link_every_company_and_leave_some_paid_skus_to_be_decided(msp: Msp) -> None:
    rules = rules_document(msp, "auto")
    assert {company["company"] for company in rules["companies"]} == {linked.company for linked in msp.linked}
    assert {company["mode"] for company in rules["companies"]} == {"auto"}
    decided = {policy["sku"] for policy in rules["policies"]}
    assert {sku.product for sku in SKUS.values() if sku.id not in decided} == {"VISIO-P2", "TEAMS-ROOMS"}
    spared = [policy["source"] for policy in rules["policies"] if policy.get("do_not_bill")]
    assert Counter(spared) == {"microsoft365": 1, "cove": 4}
    profiles = {profile["id"] for profile in rules["profiles"]}
    licences = [licence for company in rules["companies"] for licence in company.get("licences", [])]
    named = [*rules["policies"], *licences]
    assert {entry["profile"] for entry in named if "profile" in entry} == profiles
    assert any(licence.get("do_not_bill") for licence in licences)


def test_seats_that_are_raised_or_lowered_keep_totals_and_holders_consistent(msp: Msp) -> None:
    msp = make_msp(3, 7, TODAY)
    tenant = linked_tenants(msp)[0]
    sku = SKUS["M365-BP"].id
    for enabled, consumed in ((50, 30), (7, 7), (0, 0), (12, 9)):
        set_seats(msp, Seats(tenant=tenant.domain.upper(), sku="spb", enabled=enabled, consumed=consumed), TODAY)
        row = sku_row(tenant, sku)
        assert (row["prepaidUnits"]["enabled"], row["consumedUnits"]) == (enabled, consumed)
        assert sum(item.licenses for item in tenant.subscriptions_of(sku) if item.status == "Enabled") == enabled
        assert (sku in tenant.skus()) is (enabled > 0)


def test_seats_of_an_unknown_tenant_or_sku_are_refused() -> None:
    msp = make_msp(1, 7, TODAY)
    with pytest.raises(Gone, match="no tenant"):
        set_seats(msp, Seats(tenant="nowhere.example", sku="SPB", enabled=1), TODAY)
    with pytest.raises(Gone, match="no SKU"):
        set_seats(msp, Seats(tenant=msp.linked[0].tenant, sku="NO_SUCH_PART", enabled=1), TODAY)


def linked_tenants(msp: Msp) -> list[Tenant]:
    return [msp.tenants[linked.tenant] for linked in msp.linked]


def line_states(msp: Msp, tenant: Tenant) -> list[str]:
    """How each line of a tenant's company stands against what its rules say, worked out from the rules document."""
    rules = rules_document(msp)
    company = next(c for c in rules["companies"] if c["links"][0]["customer"] == tenant.id)
    profiles = {profile["id"]: profile for profile in rules["profiles"]}
    policies = {policy["sku"]: policy for policy in rules["policies"]}
    policies |= {licence["sku"]: licence for licence in company.get("licences", [])}
    standing = [
        addition
        for agreement in msp.records.of_parent("agreements", company["company"])
        for addition in msp.records.of_parent("additions", agreement["id"])
    ]
    states = []
    for sku in tenant.skus():
        profile = profiles.get(policies.get(sku, {}).get("profile", ""))
        quantity = billable(tenant, sku) - (profile["quantity"].get("included", 0) if profile else 0)
        if profile is None or quantity <= 0:
            continue
        lines = [line["quantity"] for line in standing if line["product"]["identifier"] == profile["product"]]
        states.append(state(lines, quantity))
    return states


def billable(tenant: Tenant, sku: str) -> int:
    return sum(
        item.licenses
        for item in tenant.subscriptions
        if item.sku == sku
        and item.status in ("Enabled", "Warning")
        and not item.trial
        and item.owner in (None, tenant.partner)
    )


def state(lines: list[float], quantity: int) -> str:
    if len(lines) != 1:
        return "several" if lines else "missing"
    if lines[0] == quantity:
        return "right"
    return "under" if lines[0] < quantity else "over"


def test_some_companies_are_customers_of_huntress_and_cove_and_a_few_have_two_organizations(msp: Msp) -> None:
    linked = {linked.company for linked in msp.linked}
    organizations = Counter(item.company for item in msp.huntress.organizations.values())
    backed_up = Counter(item.company for item in msp.cove.customers())
    assert organizations[None] == 1
    assert backed_up[None] == 2
    assert 30 < len(organizations.keys() & linked) < 80
    assert 20 < len(backed_up.keys() & linked) < 70
    assert {organizations[company] for company in linked} == {0, 1, 2}
    assert any(None in item.counts.values() for item in msp.huntress.organizations.values())


def test_every_link_of_the_rules_is_a_customer_of_its_source(msp: Msp) -> None:
    known = {
        "microsoft365": set(msp.tenants),
        "huntress": {str(number) for number in msp.huntress.organizations},
        "cove": {str(customer.id) for customer in msp.cove.customers()},
        "pax8": set(msp.pax8.companies),
    }
    links = [link for company in rules_document(msp)["companies"] for link in company["links"]]
    assert {link["source"] for link in links} == known.keys()
    assert [link for link in links if link["customer"] not in known[link["source"]]] == []
