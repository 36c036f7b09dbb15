"""Nights with every source through the functions host and the sandbox: what the vendors count is what lines say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from local.sandbox.pax8.world import paid_for
from local.sandbox.world.rules import rules_document
from local.sandbox.world.vendors import PAX8, products_of
from tests.integration.house import NIGHT, TWO, House, Json
from tests.integration.waiting import eventually

Wanted = dict[tuple[int, str], int]


def test_huntress_cove_and_pax8_are_billed_beside_microsoft_and_a_bad_night_changes_nothing(house: House) -> None:
    house.import_rules("auto")
    house.host()
    house.start_night()
    house.ended(NIGHT)
    ours = standing_lines(house)
    assert products(ours) > {"HUNT-EDR", "HUNT-ITDR", "COVE-WS", "COVE-M365", "LARKMAIL", "VAULTLINE", "COPPERKEY"}
    assert only_vendors(ours).items() <= counted(house).items()

    organization, customer = move_up(house, ours)
    house.faults(
        {"system": "huntress", "fault": "429:1", "count": 1},
        {"system": "cove", "fault": "expired-visa", "count": 1},
        {"system": "cove", "fault": "short-page"},
    )
    night(house, 1)
    moved = standing_lines(house)
    assert moved[organization] == ours[organization] + 3
    assert moved[customer] == ours[customer] + 2
    assert only_vendors(moved).items() <= counted(house).items()

    before = house.additions()
    house.faults(
        {"system": "huntress", "fault": "html-200"},
        {"system": "cove", "fault": "truncated"},
        {"system": "pax8", "fault": "short-page"},
    )
    forget_everything_at_the_vendors(house)
    house.forget_calls()
    night(house, 2)
    assert house.writes() == 0
    assert house.additions() == before
    nothing_secret_is_logged(house)


def test_endpoints_are_billed_as_they_were_when_huntress_invoiced(house: House) -> None:
    profiles = [
        profile | ({"counted_on": "vendor-invoice"} if profile["id"] == "hunt-edr" else {})
        for profile in rules_document(house.sandbox.msp, "auto")["profiles"]
    ]
    house.import_rules("auto", profiles=profiles)
    house.host()
    house.control("POST", "huntress/invoices", {"day": "2026-11-21"})
    house.start_night()
    house.ended(NIGHT)
    ours = standing_lines(house)
    organization, _ = move_up(house, ours)
    night(house, 1)
    assert standing_lines(house)[organization] == ours[organization]

    house.control("POST", "huntress/invoices", {"day": "2026-11-23"})
    night(house, 2)
    assert standing_lines(house)[organization] == ours[organization] + 3


GB = 1024**3
STORAGE = {
    "id": "cove-storage",
    "name": "Cove storage, per GB",
    "product": "BKP-GB",
    "agreement_types": ["Cloud Subscriptions"],
    "quantity": {"divide_by": GB, "rounding": "up"},
    "price": {"kind": "custom", "amount": "0.05"},
    "arrears": "highest",
}


def test_a_months_highest_storage_is_billed_once_the_month_is_over(house: House) -> None:
    rules = rules_document(house.sandbox.msp, "auto")
    storage = {"source": "cove", "sku": "used-storage"}
    policies = [policy for policy in rules["policies"] if policy.items() & storage.items() != storage.items()]
    policies.append(storage | {"profile": "cove-storage"})
    hourly = {"id": "cove", "job": "hourly", "cron": "30 * * * *", "sources": ["cove"]}
    house.import_rules("auto", profiles=[*rules["profiles"], STORAGE], policies=policies, schedules=[hourly])
    house.host()
    company, customer = one_agreement_and_a_server(house)
    for day, used in (("2026-11-22", 40 * GB), ("2026-11-25", 75 * GB + 1), ("2026-11-28", 60 * GB)):
        store(house, customer, used, day)
        house.sync(company)
        assert usage_lines(house, company) == []
    # Nobody syncs while the most is stored: only the hour's reading sees it.
    house.fire("tick")
    house.forget_calls()
    store(house, customer, 90 * GB, "2026-11-29")
    house.fire("tick")
    eventually(lambda: "schedule cove: " in house.logs())
    assert called_systems(house) == {"cove"}
    store(house, customer, 10 * GB, "2026-12-02")
    for _ in range(2):
        house.sync(company)
        assert usage_lines(house, company) == [(90, 0.05)]


def one_agreement_and_a_server(house: House) -> tuple[int, int]:
    """A company with one active agreement for cloud subscriptions and no line for storage, and its customer at Cove
    with a device.
    """
    by_hand = {company_of(house, line) for line in house.additions() if line["product"]["identifier"] == "BKP-GB"}
    for company in house.companies:
        agreements = house.sandbox.msp.records.of_parent("agreements", company)
        cloud = [item for item in agreements if item["type"]["name"] == "Cloud Subscriptions"]
        usual = len(cloud) == 1 and cloud[0]["agreementStatus"] == "Active" and "parentAgreement" not in cloud[0]
        for customer in house.sandbox.msp.cove.of_company(company):
            if usual and company not in by_hand and cloud[0]["nextInvoiceDate"].startswith("2026-12-01"):
                house.control("PUT", "cove", {"customer": customer.id, "physical-server": 1})
                return company, customer.id
    raise AssertionError("no company that will do is a customer of Cove")


def called_systems(house: House) -> set[str]:
    calls = house.control("GET", "calls")["calls"]
    return {call["system"] for call in calls}


def store(house: House, customer: int, used: int, day: str) -> None:
    house.control("PUT", "cove", {"customer": customer, "used-storage": used})
    house.clock(datetime.fromisoformat(f"{day}T02:00:00+00:00"))


def usage_lines(house: House, company: int) -> list[tuple[float, float]]:
    """Quantity and price of our lines for storage."""
    return [
        (line["quantity"], line["unitPrice"])
        for line in house.additions()
        if line["product"]["identifier"] == "BKP-GB"
        and line.get("serialNumber", "").startswith("TU1-")
        and company_of(house, line) == company
    ]


def night(house: House, number: int) -> None:
    """The night so many days after the first."""
    moment = TWO + timedelta(days=number)
    house.clock(moment)
    house.fire("tick")
    house.ended(f"{moment:%Y-%m-%d}-nightly")


def standing_lines(house: House) -> Wanted:
    """What our lines without an end say, by company and product."""
    found: Counter[tuple[int, str]] = Counter()
    for line in house.additions():
        if line.get("serialNumber", "").startswith("TU1-") and not line.get("cancelledDate"):
            found[company_of(house, line), line["product"]["identifier"]] += int(line["quantity"])
    return dict(found)


def counted(house: House) -> Wanted:
    """What the vendors count, by company and product; what one organization does not tell is not counted."""
    found: Wanted = {}
    for company in house.companies:
        organizations = [item.counts for item in house.sandbox.msp.huntress.of_company(company)]
        for sku in organizations[0] if organizations else ():
            units = [counts[sku] for counts in organizations]
            found |= {(company, f"HUNT-{sku.upper()}"): sum(unit or 0 for unit in units)} if None not in units else {}
        for buyer in house.sandbox.msp.pax8.of_company(company):
            bought = paid_for(house.sandbox.msp.pax8, buyer)
            found |= {(company, item.product): bought[item.sku] for item in products_of(PAX8) if item.sku in bought}
        for customer in house.sandbox.msp.cove.of_company(company):
            units_by_sku = house.sandbox.msp.cove.counts_of(customer.id)
            found |= {(company, product): units_by_sku.get(sku, 0) for product, sku in COVE_SKUS.items()}
    return found


COVE_SKUS: Mapping[str, str] = {
    "COVE-SRV": "physical-server",
    "COVE-VM": "virtual-server",
    "COVE-WS": "workstation",
    "COVE-M365": "m365-user",
    "COVE-RT": "recovery-testing",
}


def move_up(house: House, ours: Wanted) -> tuple[tuple[int, str], tuple[int, str]]:
    """Three more endpoints at one company and two more workstations at another (or the same); which lines follow."""
    endpoints = next(key for key in ours if key[1] == "HUNT-EDR")
    first = house.sandbox.msp.huntress.of_company(endpoints[0])[0]
    house.control("PUT", "huntress", {"organization": first.id, "edr": (first.counts["edr"] or 0) + 3})
    workstations = next(key for key in ours if key[1] == "COVE-WS")
    customer = house.sandbox.msp.cove.of_company(workstations[0])[0]
    house.control("PUT", "cove", {"customer": customer.id, "workstation": ours[workstations] + 2})
    return endpoints, workstations


def forget_everything_at_the_vendors(house: House) -> None:
    """What a broken night must not take for the truth: nobody has anything any more."""
    for organization in list(house.sandbox.msp.huntress.organizations.values()):
        house.control("PUT", "huntress", {"organization": organization.id, "edr": 0, "itdr": 0})
    for customer in house.sandbox.msp.cove.customers():
        house.control("PUT", "cove", {"customer": customer.id, "workstation": 0, "m365-user": 0})
    for company in house.sandbox.msp.pax8.companies.values():
        house.control("PUT", "pax8", {"company": company.id, "product": "Larkmail Security", "quantity": 0})


def only_vendors(lines: Wanted) -> Wanted:
    resold = {item.product for item in products_of(PAX8)}
    return {key: units for key, units in lines.items() if key[1].startswith(("HUNT-", "COVE-")) or key[1] in resold}


def products(lines: Wanted) -> set[str]:
    return {product for _, product in lines}


def company_of(house: House, line: Json) -> int:
    agreement = house.sandbox.msp.records.get("agreements", line["agreementId"])
    assert agreement is not None
    number: int = agreement["company"]["id"]
    return number


def nothing_secret_is_logged(house: House) -> None:
    assert [secret for secret in secrets(house) if secret in house.logs()] == []


def secrets(house: House) -> Iterator[str]:
    names = ("HUNTRESS_PRIVATE_KEY", "COVE_TOKEN", "PAX8_CLIENT_SECRET", "MANAGE_PRIVATE_KEY")
    yield from (house.settings[name] for name in names)
