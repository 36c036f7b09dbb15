"""One tenant feeds two companies: told apart by the rules, and again when a company's sync starts."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from shared.billing.counts import Holder
from shared.billing.rules import CompanyLink, CompanyRules, Mode
from shared.errors import Gone, Incomplete
from shared.state.records import Outcome
from shared.sync import rulebook
from shared.sync.desk.users import users
from tests import builders as b
from tests.fakes.house import House

RULES = """\
profiles:
  - {id: premium, name: Premium, product: M365-BP, quantity: {basis: assigned}}
policies:
  - {source: microsoft365, sku: cbdc14ab-d96c-4c30-b9f4-6ada7cdc1d46, profile: premium}
companies:
  - company: 1
    name: Mill Road Joinery
    mode: auto
    links: [{source: microsoft365, customer: mill-road, users: {only: {domains: [joinery.example]}}}]
  - company: 2
    name: Mill Road Kitchens
    mode: auto
    links: [{source: microsoft365, customer: mill-road, users: {without: {domains: [joinery.example]}}}]
"""


def shared_house() -> House:
    house = House()
    rulebook.import_rules(house.ports, RULES)
    for company in (1, 2):
        house.manage.agreements_[company + 1000] = b.agreement(company + 1000, company_id=company)
    domains = ("joinery.example", "joinery.example", "kitchens.example", "office.example", "office.example")
    people = [Holder(f"u{at}", f"User {at}", domain=domain) for at, domain in enumerate(domains)]
    house.source.counts["mill-road"] = (replace(b.count(5, holders=people), customer="mill-road"),)
    return house


def test_two_companies_of_one_tenant_are_billed_for_everybody_once() -> None:
    house = shared_house()

    assert [house.sync(company).report.outcome for company in (1, 2)] == [Outcome.APPLIED, Outcome.APPLIED]
    billed = {line.agreement_id: line.quantity for line in house.manage.lines.values()}
    assert billed == {1001: Decimal(2), 1002: Decimal(3)}
    assert house.sync(1).report.outcome is Outcome.UNCHANGED


def test_who_holds_a_licence_is_told_of_each_companys_own_users_only() -> None:
    house = shared_house()

    told = [users(house.ports, company, b.SOURCE, "mill-road", b.PREMIUM)["users"] for company in (1, 2)]
    assert [[user["name"] for user in each] for each in told] == [["User 0", "User 1"], ["User 2", "User 3", "User 4"]]


def test_a_company_that_a_tenant_was_taken_from_is_told_of_nobody_there() -> None:
    house = shared_house()
    moved = RULES.replace("users: {only: {domains: [joinery.example]}}", "removed: true")
    rulebook.import_rules(house.ports, moved)

    with pytest.raises(Gone):
        users(house.ports, 1, b.SOURCE, "mill-road", b.PREMIUM)


def test_whose_users_cannot_be_told_apart_are_told_to_nobody() -> None:
    house = shared_house()
    (count,) = house.source.counts["mill-road"]
    unknown = [replace(holder, domain=None) for holder in count.holders or ()]
    house.source.counts["mill-road"] = (replace(count, holders=tuple(unknown)),)

    with pytest.raises(Incomplete):
        users(house.ports, 1, b.SOURCE, "mill-road", b.PREMIUM)


def test_an_import_that_stopped_half_way_bills_nobody_twice() -> None:
    house = shared_house()
    everybody = (CompanyLink(b.SOURCE, "mill-road"),)
    house.ports.companies.put_rules(CompanyRules(2, "Mill Road Kitchens", Mode.AUTO, everybody), sharing=[1])

    assert [house.sync(company).report.outcome for company in (1, 2)] == [Outcome.UNCHANGED, Outcome.UNCHANGED]
    assert house.manage.writes == 0
    assert house.kinds(1) == house.kinds(2) == ["settings"]

    rulebook.import_rules(house.ports, RULES)
    assert house.sync(1).report.outcome is Outcome.APPLIED
    assert house.kinds(1) == []


def test_a_company_that_shares_no_customer_reads_no_other_companys_rules() -> None:
    house = shared_house()
    house.company(7, [b.count(4)])
    house.ports.rules.load()
    house.ports.own_manage.hold()

    house.fate.log.clear()
    house.sync(7)
    alone = [step for step in house.fate.log if step.startswith("get")]
    house.fate.log.clear()
    house.sync(1)
    assert len([step for step in house.fate.log if step.startswith("get")]) == len(alone) + 2


def test_a_subscription_bought_between_two_nights_is_known_to_be_new() -> None:
    house = House()
    split = RULES.replace("{basis: assigned}", "{basis: purchased}, split: true, proration: {rule: full}")
    rulebook.import_rules(house.ports, split.partition("companies:")[0])
    first = replace(b.subscription(5), id="s1")
    house.company(1, [b.count(5, subscriptions=[first])])
    house.sync(1)
    house.clock.pass_by(days=1)
    house.count(1, b.count(8, subscriptions=[first, replace(b.subscription(3), id="s2")], customer="tenant-1"))
    house.sync(1)

    stamps = sorted(line.serial_number[:5] for line in house.manage.lines.values())
    assert stamps == ["TU1-O", "TU1-S", "TU1-S"]
    assert sorted(line.quantity for line in house.manage.lines.values()) == [3, 3, 5]
