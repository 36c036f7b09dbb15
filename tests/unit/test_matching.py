"""Which company a customer probably is: examples from the trade, and what holds whatever the names are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.billing.counts import Customer
from shared.sync.mapping.matching import (
    DOUBTFUL,
    Candidate,
    core_name,
    plain_domain,
    plain_name,
    propose,
    with_tenants_domains,
)

BIRCHLINE = Candidate(
    250,
    "Birchline Accountants Ltd",
    "birchline",
    (("birchline.example", "its website"), ("birchline.test", "its customer at pax8")),
    mails=("birch.example",),
    tenants=(("t-1", "microsoft365"),),
    references=(("BL-7", "cove"),),
)
HARBOUR = Candidate(261, "Harbour Lane Dental", "harbourlane")


def customer(name: str, number: str = "c-1", source: str = "pax8", **values: object) -> Customer:
    return Customer(source, number, name, **values)  # type: ignore[arg-type]


def only(*customers: Customer, among: tuple[Candidate, ...] = (BIRCHLINE, HARBOUR)):
    (proposal,) = propose(customers, among)
    return proposal


@pytest.mark.parametrize(
    ("found", "company", "at_least", "evidence"),
    [
        (customer("Harbour Lane Dental"), 261, 88, "same name"),
        (customer("HARBOUR  LANE, dental"), 261, 88, "same name"),
        (customer("Birchline Accountants"), 250, 80, "name differs by Ltd only"),
        (customer("Birchline", domains=("www.birchline.example",)), 250, 90, "same domain birchline.example"),
        (customer("Birchline", reference="250"), 250, 96, "its reference there is 250, the company's number"),
        (customer("Somebody", reference=" BirchLine "), 250, 96, "the company's identifier"),
        (customer("Somebody", "harbourlane"), 261, 96, "its id there is harbourlane, the company's identifier"),
        (
            customer("B", verified=("birchline.example",)),
            250,
            94,
            "same verified domain birchline.example (its website)",
        ),
        (customer("B", verified=("old.example", "birchline.example", "birchline.test")), 250, 94, ") and 1 more"),
        (customer("B", domains=("birch.example",)), 250, 82, "same domain birch.example (mail addresses of its cont"),
        (customer("B", tenant="T-1"), 250, 98, "the same Microsoft 365 tenant as its customer at microsoft365"),
        (customer("B", reference=" bl-7 "), 250, 96, "the same reference as its customer at cove"),
        (customer("Harbor Lane Dental"), 261, 50, "similar name (97% alike)"),
        (customer("Dental, Harbor Lane"), 261, 50, "similar name (97% alike)"),
    ],
)
def test_what_speaks_for_a_company_is_said(found, company, at_least, evidence):
    proposal = only(found)
    assert proposal.company == company
    assert proposal.confidence >= at_least
    assert evidence in "; ".join(proposal.evidence)


def test_a_number_alone_may_be_that_of_another_system():
    found = only(customer("Quillby Freight", reference="261"))
    assert (found.company, found.confidence) == (261, DOUBTFUL)
    assert "other systems number too" in found.evidence[-1]
    assert only(customer("Harbour Lane Dental", reference="261")).confidence > 96


def test_a_number_that_contradicts_a_name_is_doubtful():
    assert only(customer("Harbour Lane Dental", reference="250")).confidence <= DOUBTFUL


def test_evidence_of_several_kinds_makes_surer_than_each_alone():
    named = only(customer("Birchline Accountants Ltd"))
    both = only(customer("Birchline Accountants Ltd", domains=("birchline.example",)))
    assert named.confidence < both.confidence <= 100
    assert both.evidence == ("same domain birchline.example (its website)", "same name")


def test_a_customer_of_which_nothing_speaks_is_not_proposed():
    assert propose([customer("Quillby Freight", domains=("gmail.com",))], [BIRCHLINE, HARBOUR]) == []


def test_names_that_share_a_word_only_are_not_alike():
    assert propose([customer("Harbour Quay Freight")], [BIRCHLINE, HARBOUR]) == []


def test_a_domain_that_everybody_may_have_says_nothing():
    gmail = Candidate(9, "Somebody Else", domains=((plain_domain("gmail.com"), "its website"),))
    assert propose([customer("Quillby Freight", domains=("gmail.com",))], [gmail]) == []


def test_a_domain_at_which_contacts_of_many_companies_have_addresses_says_nothing():
    sharing = [Candidate(number, f"Company {number}", mails=("books.example",)) for number in range(1, 5)]
    asked = [customer("Bookkeeper", domains=("books.example",))]
    assert propose(asked, sharing) == []
    (few,) = propose(asked, sharing[:3])
    assert few.confidence <= DOUBTFUL


def test_a_customer_is_known_by_the_domains_of_its_tenant_wherever_that_is_listed():
    tenant = customer("Birchline", "t-1", "microsoft365", tenant="t-1", domains=("b.example",), verified=("c.example",))
    agents = customer("BL", "4101", "huntress", tenant="T-1", domains=("a.example",))
    stranger = customer("X", "4102", "huntress")
    found = with_tenants_domains([agents, stranger], [tenant, agents, stranger])
    assert found == [
        customer("BL", "4101", "huntress", tenant="T-1", domains=("a.example", "b.example"), verified=("c.example",)),
        stranger,
    ]


def test_two_companies_that_fit_about_as_well_are_doubtful_and_both_named():
    twin = Candidate(300, "Harbour Lane Dental", "harbourlane2")
    proposal = only(customer("Harbour Lane Dental"), among=(HARBOUR, twin))
    assert proposal.confidence <= DOUBTFUL
    assert "it fits Harbour Lane Dental (company 300) about as well" in proposal.evidence


def test_two_customers_of_one_source_that_fit_one_company_are_doubtful():
    found = propose([customer("Harbour Lane Dental"), customer("Harbour Lane Dental Ltd", "c-2")], [HARBOUR])
    assert [proposal.confidence <= DOUBTFUL for proposal in found] == [True, True]
    assert all("another customer at pax8 fits this company too" in each.evidence for each in found)


def test_a_company_with_a_customer_at_the_source_already_is_doubtful_and_at_another_source_helps():
    linked = Candidate(261, "Harbour Lane Dental", known_as=(("HLD Group", "cove"),), linked_at=frozenset({"cove"}))
    assert only(customer("HLD Group"), among=(linked,)).confidence == 85
    again = only(customer("HLD Group", source="cove"), among=(linked,))
    assert again.confidence <= DOUBTFUL
    assert "the company has a customer at cove already" in again.evidence


@pytest.mark.parametrize(
    ("name", "plain", "core"),
    [
        ("Aldér & Finch, Ltd.", "alder and finch ltd", "alder and finch"),
        ("O'Brien  GmbH & Co. KG", "obrien gmbh and co kg", "obrien and"),
        ("The Co", "the co", "the co"),
    ],
)
def test_names_are_compared_without_what_people_write_differently(name, plain, core):
    assert (plain_name(name), core_name(name)) == (plain, core)


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("https://www.Birchline.example/about", "birchline.example"),
        ("birchline.example:443", "birchline.example"),
        ("pat@birchline.example", "birchline.example"),
        ("birchline", ""),
        ("outlook.com", ""),
        ("not a domain.example", ""),
    ],
)
def test_a_domain_is_found_in_what_people_write_for_it(text, domain):
    assert plain_domain(text) == domain


names = st.text(alphabet="abcdé &.-LTD ltdxyz", min_size=1, max_size=24)


@given(st.lists(names, max_size=6), st.lists(names, max_size=6))
def test_whatever_the_names_each_customer_is_proposed_once_and_one_company_is_sure_of_one_at_a_source(given_, known):
    customers = [customer(name, f"c-{at}") for at, name in enumerate(given_)]
    found = propose(customers, [Candidate(at + 1, name) for at, name in enumerate(known)])
    assert len({each.customer.id for each in found}) == len(found)
    assert all(1 <= each.confidence <= 100 and each.evidence for each in found)
    sure = [each.company for each in found if each.confidence > DOUBTFUL]
    assert len(set(sure)) == len(sure)


@given(st.lists(names, max_size=6), st.randoms())
def test_the_order_of_the_lists_changes_nothing(known, random):
    customers = [customer(name, f"c-{at}") for at, name in enumerate(known)]
    candidates = [Candidate(at + 1, name) for at, name in enumerate(known)]
    straight = propose(customers, candidates)
    random.shuffle(customers)
    random.shuffle(candidates)
    assert propose(customers, candidates) == straight
