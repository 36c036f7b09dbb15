"""Mapping at scale on fakes: proposed links with evidence, accepted by an admin, and nothing linked twice."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.billing.agreements import Company
from shared.billing.rules import Mode
from shared.errors import NotPermitted, Refused
from shared.sync import rule_history
from shared.sync.approvals import Person
from shared.sync.mapping import links
from shared.sync.mapping.links import Link
from shared.sync.msp import notice_customers
from tests import builders as b
from tests.fakes.app import app_for
from tests.fakes.browser import Browser
from tests.fakes.house import House
from tests.flow.test_console import ADMIN, BILLER, PLATFORM, READER

PAT = Person("pat@birchline.example")
API = "/console/api/mapping/links"


@pytest.fixture
def house() -> House:
    """Three customers: one is linked to company 1, one is named like company 2, one like nobody."""
    house = House()
    house.rules(b.rules())
    house.company(1, [b.count(5)])
    house.source.counts |= {"t-harbour": (), "t-quillby": ()}
    house.source.names |= {"t-harbour": "Harbour Lane Dental Ltd", "t-quillby": "Quillby Freight"}
    house.manage.companies_ = [
        Company(1, "one", "Company 1"),
        Company(2, "harbour", "Harbour Lane Dental"),
        Company(3, "gone", "Quillby Freight", deleted_flag=True),
    ]
    assert links.look_again(house.ports) == []
    return house


def client(house: House, person: dict[str, str] = ADMIN) -> Browser:
    return Browser(app_for(house.ports, PLATFORM), person)


def linked(house: House, company: int) -> list[str]:
    row = house.ports.companies.get(company)
    return [] if row is None else [link.customer for link in row.links]


def test_customers_that_are_linked_are_counted_before_anything_was_listed():
    house = House()
    house.rules(b.rules())
    house.company(1, [], [])
    shown = client(house, READER).get(API).json()
    assert (shown["linked"], shown["listed"]) == (1, {})


def test_customers_are_proposed_with_evidence_and_a_deleted_company_is_no_company(house):
    shown = client(house, READER).get(API).json()
    (proposal,) = shown["proposals"]
    assert (proposal["customer"], proposal["company"], proposal["evidence"]) == (
        "t-harbour",
        2,
        ["name differs by Ltd only"],
    )
    assert [each["customer"] for each in shown["unmatched"]] == ["t-quillby"]
    assert (shown["linked"], set(shown["listed"])) == (1, {"manage", b.SOURCE})


def test_an_accepted_link_makes_the_company_known_and_only_observed(house):
    body = {"links": [{"source": b.SOURCE, "customer": "t-harbour", "company": 2}]}
    answer = client(house).post(API, json=body)
    assert answer.status_code == 200, answer.text
    row = house.ports.companies.get(2)
    assert (row.name, row.mode, linked(house, 2)) == ("Harbour Lane Dental", Mode.OBSERVE, ["t-harbour"])
    assert client(house).get(API).json()["proposals"] == []
    (entry,) = rule_history.page(house.ports, 9, None)["entries"]
    assert (entry["by"], entry["what"][0]) == ("pat@birchline.example", "company 2 Harbour Lane Dental: added")


def test_a_customer_of_another_company_is_not_linked_twice_and_nothing_else_of_the_request_is(house):
    wanted = [Link(b.SOURCE, "t-harbour", 2), Link(b.SOURCE, "TENANT-1", 2)]
    with pytest.raises(Refused, match="customer TENANT-1 at microsoft365 is linked to company 1 already"):
        links.accept(house.ports, wanted, PAT)
    twice = [Link(b.SOURCE, "t-harbour", 1), Link(b.SOURCE, "t-harbour", 2)]
    with pytest.raises(Refused, match="is linked to company 1 already"):
        links.accept(house.ports, twice, PAT)
    with pytest.raises(Refused, match="company 77 is not among the companies"):
        links.accept(house.ports, [Link(b.SOURCE, "t-harbour", 77)], PAT)
    assert (linked(house, 1), linked(house, 2)) == (["tenant-1"], [])


def test_all_that_are_sure_enough_are_accepted_if_they_are_those_that_were_shown(house):
    seen = client(house).get(API).json()["seen"]
    body = {"confidence": 81, "seen": seen}
    assert client(house).post(f"{API}/sure", json=body).json()["changed"] == []
    house.source.names["t-quillby"] = "Harbour Lane Dental Inc"
    links.look_again(house.ports)
    stale = client(house).post(f"{API}/sure", json={**body, "confidence": 50})
    assert (stale.status_code, linked(house, 2)) == (400, [])
    house.source.names["t-quillby"] = "Quillby Freight"
    links.look_again(house.ports)
    assert client(house).post(f"{API}/sure", json={**body, "confidence": 80}).status_code == 200
    assert linked(house, 2) == ["t-harbour"]


def test_an_ignored_customer_is_neither_proposed_nor_found_until_it_is_restored(house):
    about = {"source": b.SOURCE, "customer": "T-Harbour"}
    assert client(house).post(f"{API}/ignore", json=about).status_code == 200
    shown = client(house).get(API).json()
    assert (shown["proposals"], [each["customer"] for each in shown["ignored"]]) == ([], ["t-harbour"])
    keys = [finding.key for finding in notice_customers(house.ports, house.ports.companies.all())]
    assert keys == [f"{b.SOURCE}/t-quillby"]

    client(house).post(f"{API}/restore", json=about)
    assert [each["customer"] for each in client(house).get(API).json()["proposals"]] == ["t-harbour"]


def test_what_cannot_be_listed_is_said_and_the_lists_from_before_stay(house):
    house.source.broken = NotPermitted("the key was refused", system="graph", remedy="Renew the key.")
    house.clock.time += timedelta(hours=1)
    answer = client(house).post("/console/api/mapping/look", json={}).json()
    assert answer["failures"] == [
        "The customers of microsoft365 could not be listed: graph: the key was refused. Renew the key."
    ]
    shown = client(house).get(API).json()
    assert len(shown["proposals"]) == 1
    assert shown["listed"]["manage"] > shown["listed"][b.SOURCE]


def test_only_an_admin_changes_links_and_rules(house):
    wanted = {"links": [{"source": b.SOURCE, "customer": "t-harbour", "company": 2}]}
    edits = {"edits": [{"section": "policies", "fields": {"source": b.SOURCE, "sku": "x", "do_not_bill": True}}]}
    about = {"source": b.SOURCE, "customer": "t-harbour"}
    bodies = [
        (API, wanted),
        (f"{API}/sure", {"confidence": 50, "seen": "0" * 16}),
        (f"{API}/ignore", about),
        (f"{API}/restore", about),
        ("/console/api/mapping/look", {}),
        ("/console/api/rules/edits", edits),
    ]
    for path, body in bodies:
        for person in (READER, BILLER):
            assert client(house, person).post(path, json=body).status_code == 403
    assert (linked(house, 2), house.ports.rules.head().edition) == ([], 1)


def test_parts_of_the_rules_are_previewed_and_edited_by_json(house):
    edit = {"section": "policies", "fields": {"source": b.SOURCE, "sku": b.STANDARD, "profile": "premium"}}
    body = {"edits": [edit], "preview": True}
    shown = client(house).post("/console/api/rules/edits", json=body).json()
    assert shown["changes"] == [
        f"policy microsoft365 {b.STANDARD}: added",
        f"policy microsoft365 {b.STANDARD}: profile nothing → premium",
    ]
    assert house.ports.rules.load().policy_for(b.SOURCE, b.STANDARD) is None

    done = client(house).post("/console/api/rules/edits", json={"edits": [edit], "edition": shown["edition"]})
    assert done.json()["changed"] == shown["changes"]
    late = client(house).post("/console/api/rules/edits", json={"edits": [edit], "edition": shown["edition"]})
    assert (late.status_code, "repeat the change" in late.json()["remedy"]) == (400, True)
    wrong = client(house).post("/console/api/rules/edits", json={"edits": [{**edit, "fields": {"sku": 7}}]})
    assert (wrong.status_code, wrong.json()["problems"]) == (400, ["policy 7: needs source"])
