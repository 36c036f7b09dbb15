"""Which groups a source is asked for, and what becomes of a line whose group nobody tells."""

from __future__ import annotations

from dataclasses import replace

from shared.billing.counting.groups import groups_named
from shared.billing.counts import Holder
from shared.billing.planning.planner import plan_company
from shared.billing.profiles import Basis, QuantityRule
from shared.billing.rules import CompanyLink, LicenceLink, SkuPolicy
from shared.billing.users import Traits, Users
from tests import builders as b

OTHER = "9c1f2e60-3d84-4b7a-8e15-d06a7f53b902"


def crew(*groups: str) -> Users:
    return Users(only=Traits(groups=groups))


def by_group(*groups: str):
    return b.rules(b.profile(quantity=QuantityRule(Basis.ASSIGNED, users=crew(*groups))))


def test_groups_are_named_by_profiles_links_and_licence_links_each_once() -> None:
    company = b.company(
        links=(CompanyLink(b.SOURCE, b.TENANT, Users(without=Traits(groups=("Guests",)))), CompanyLink("cove", "2001")),
        licences=(LicenceLink(b.SOURCE, b.PREMIUM, part="crew", users=crew("front desk", " Crew ")),),
    )

    named = groups_named(by_group("Front desk", "Crew"), [company])

    (customer,) = named
    assert customer == (b.SOURCE, b.TENANT)
    assert [word.strip().casefold() for word in named[customer]] == ["crew", "front desk", "guests"]


def test_a_group_is_asked_only_of_the_customers_whose_users_it_tells_apart() -> None:
    company = b.company(
        links=(CompanyLink(b.SOURCE, b.TENANT), CompanyLink(b.SOURCE, OTHER)),
        licences=(LicenceLink(b.SOURCE, b.PREMIUM, customer=OTHER, users=crew("Crew")),),
    )
    plain = b.rules(b.profile(quantity=QuantityRule(Basis.ASSIGNED)))
    elsewhere = replace(by_group("Crew"), policies=(SkuPolicy("cove", "workstation", "premium"),))

    assert groups_named(plain, [company]) == {(b.SOURCE, OTHER): ("Crew",)}
    assert groups_named(elsewhere, [b.company()]) == {}
    assert groups_named(plain, [b.company()]) == {}


def test_companies_that_share_a_customer_ask_for_each_others_groups() -> None:
    other = b.company(company=251, links=(CompanyLink(b.SOURCE, b.TENANT, crew("Crew")),))

    assert groups_named(b.rules(), [b.company(), other]) == {(b.SOURCE, b.TENANT): ("Crew",)}


def test_a_line_is_left_alone_and_its_group_named_when_nobody_tells_who_is_in_it() -> None:
    people = [Holder(f"u{at}", f"User {at}", groups=("Crew",), groups_told=("Crew",)) for at in range(3)]
    reading = b.reading(b.count(3, holders=people))

    plan = plan_company(b.facts(reading, rules=by_group("Crew", "Night shift")))
    assert [change.after.quantity for change in plan.changes if change.after] == [3]

    people.append(Holder("u9", "User 9", groups=(), groups_told=("Crew",)))
    plan = plan_company(b.facts(b.reading(b.count(4, holders=people)), rules=by_group("Crew", "Night shift")))
    assert plan.groups == ()
    (finding,) = plan.findings
    assert finding.kind.value == "read-failed"
    assert "who is in group Night shift" in finding.text
    assert "exactly one group" in finding.remedy


def test_a_group_that_nobody_asked_for_is_not_taken_for_an_empty_one() -> None:
    people = [Holder("u1", "User 1", groups=(), groups_told=())]
    without = QuantityRule(Basis.ASSIGNED, users=Users(without=Traits(groups=("Crew",))))

    plan = plan_company(b.facts(b.reading(b.count(1, holders=people)), rules=b.rules(b.profile(quantity=without))))

    assert plan.groups == ()
    assert [finding.kind.value for finding in plan.findings] == ["read-failed"]
