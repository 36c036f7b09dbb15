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
from shared.sync.mapping.listing import look_again
from shared.sync.msp import notice_customers
from tests import builders as b
from tests.fakes.app import app_for
from tests.fakes.browser import Browser
from tests.fakes.house import FakeSource, House
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
    assert look_again(house.ports) == []
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
    look_again(house.ports)
    stale = client(house).post(f"{API}/sure", json={**body, "confidence": 80})
    assert (stale.status_code, linked(house, 2)) == (400, [])
    house.source.names["t-quillby"] = "Quillby Freight"
    look_again(house.ports)
    assert client(house).post(f"{API}/sure", json={**body, "confidence": 80}).status_code == 200
    assert linked(house, 2) == ["t-harbour"]


def test_what_is_doubtful_is_never_accepted_with_many_others(house):
    house.source.names["t-quillby"] = "Harbour Lane Dental Inc"
    look_again(house.ports)
    shown = client(house).get(API).json()
    assert [each["confidence"] for each in shown["proposals"]] == [50, 50]

    refused = client(house).post(f"{API}/sure", json={"confidence": 50, "seen": shown["seen"]})
    assert (refused.status_code, "one by one" in refused.text) == (400, True)
    assert client(house).post(f"{API}/sure", json={"confidence": 51, "seen": shown["seen"]}).json()["changed"] == []
    assert linked(house, 2) == []


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


def test_the_domains_that_the_vendor_verified_lead_to_the_company_and_are_remembered(house):
    house.manage.companies_[1] = Company(2, "harbour", "HLD Holdings", website="https://www.harbourlane.example")
    house.source.names["t-harbour"] = "Dental Practice"
    house.source.domains = {"t-harbour": ("harbourlane.example", "hld.example")}
    assert client(house).post("/console/api/mapping/look", json={}).json()["failures"] == []

    (proposal,) = client(house).get(API).json()["proposals"]
    assert (proposal["company"], proposal["confidence"]) == (2, 94)
    assert proposal["evidence"] == ["same verified domain harbourlane.example (its website)"]
    assert proposal["verified_domains"] == ["harbourlane.example", "hld.example"]

    hint = "Its domains are harbourlane.example, hld.example."
    about = {finding.key: finding.text for finding in notice_customers(house.ports, house.ports.companies.all())}
    assert hint in about[f"{b.SOURCE}/t-harbour"]
    assert client(house).get(API).json()["proposals"] == [proposal]


def test_domains_that_are_told_of_all_customers_at_once_need_no_consent_and_the_night_remembers_them(house):
    house.manage.companies_[1] = Company(2, "harbour", "HLD Holdings", website="harbourlane.example")
    house.source.names["t-harbour"] = "Dental Practice"
    house.source.told = {"t-harbour": ("harbourlane.example",)}
    house.source.domains["t-harbour"] = NotPermitted("no consent", system="graph", remedy="Have it consent.")
    look_again(house.ports)
    house.source.told = {}
    notice_customers(house.ports, house.ports.companies.all())

    (proposal,) = client(house).get(API).json()["proposals"]
    assert (proposal["confidence"], proposal["evidence"]) == (90, ["same domain harbourlane.example (its website)"])


def test_a_customer_that_does_not_tell_its_domains_keeps_those_from_before_and_it_is_said(house):
    house.source.domains = {"t-harbour": ("harbourlane.example",)}
    look_again(house.ports)
    house.source.domains["t-harbour"] = NotPermitted("no consent", system="graph", remedy="Have it consent.")
    assert look_again(house.ports) == [
        "1 of 3 customers of microsoft365 did not tell their domains, the first: graph: no consent. Have it consent."
    ]
    assert [each["domains"] for each in client(house).get(API).json()["proposals"]] == [["harbourlane.example"]]


def test_a_linked_customer_whose_domains_are_known_is_not_asked_for_them_again(house):
    house.source.domains = {"tenant-1": ("one.example",)}
    look_again(house.ports)
    house.source.asked_for_domains.clear()
    look_again(house.ports)
    assert sorted(house.source.asked_for_domains) == ["t-harbour", "t-quillby"]


def test_domains_are_asked_for_as_long_as_a_person_waits_and_the_rest_the_next_time(house):
    source = house.source
    source.domains = {f"t-{number}": (f"{number}.example",) for number in range(40)}
    source.counts |= dict.fromkeys(source.domains, ())
    slow, told = source.verified_domains, dict(source.domains)

    def later(customer: str) -> tuple[str, ...]:
        house.clock.time += timedelta(seconds=10)
        return slow(customer)

    source.verified_domains = later
    (failure,) = look_again(house.ports)
    assert failure.endswith("customers of microsoft365: list once more.")
    del source.verified_domains
    assert look_again(house.ports) == []
    kept = house.ports.directory.customers()[b.SOURCE].customers
    assert {each.id: each.verified for each in kept if each.id in told} == told


def test_mail_domains_of_contacts_lead_to_the_company_and_stay_known_while_they_cannot_be_read(house):
    house.manage.companies_[1] = Company(2, "harbour", "HLD Holdings")
    house.source.names["t-harbour"] = "Dental Practice"
    house.source.domains = {"t-harbour": ("hld.example",)}
    house.contacts.add(2, first_name="Ann", mail="ann@hld.example")
    house.contacts.add(2, first_name="Bo", mail="bo@gmail.com")
    house.contacts.add(1, first_name="Left", mail="left@hld.example", inactive=True)
    assert look_again(house.ports) == []
    evidence = "same verified domain hld.example (mail addresses of its contacts)"
    assert [each["evidence"] for each in client(house).get(API).json()["proposals"]] == [[evidence]]

    def refused(moment: str, method: str) -> None:
        if method == "mail domains":
            raise NotPermitted("contacts are not for this role", system="manage", remedy="Grant Contacts.")

    house.manage.fault = refused
    assert look_again(house.ports) == [
        "The companies were listed without the mail domains of their contacts: manage: contacts are not for this role. "
        "Grant Contacts."
    ]
    assert [each["evidence"] for each in client(house).get(API).json()["proposals"]] == [[evidence]]


def test_a_customer_of_a_tenant_that_is_linked_already_is_near_certain_at_every_other_vendor(house):
    agents = FakeSource("huntress", {"4101": (), "4102": ()}, names={"4101": "C1 endpoints", "4102": "Endpoints"})
    agents.tenants = {"4101": "TENANT-1", "4102": "t-harbour"}
    house.source.domains = {"t-harbour": ("harbourlane.example",)}
    house.manage.companies_[1] = Company(2, "harbour", "HLD Holdings", website="harbourlane.example")
    house.ports.sources["huntress"] = agents
    look_again(house.ports)

    found = {each["customer"]: each for each in client(house).get(API).json()["proposals"]}
    assert (found["4101"]["company"], found["4101"]["confidence"]) == (1, 98)
    assert found["4101"]["evidence"] == ["the same Microsoft 365 tenant as its customer at microsoft365"]
    assert (found["4102"]["company"], found["4102"]["confidence"]) == (2, 94)
