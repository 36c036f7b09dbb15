"""Users whom no part takes where the rules divide them: said, never silently unbilled."""

from __future__ import annotations

import pytest

from shared.billing.counts import AccountKind, Holder
from shared.billing.findings import Finding
from shared.billing.planning.planner import plan_company
from shared.billing.profiles import Basis, QuantityRule
from shared.billing.rules import CompanyLink, LicenceLink
from shared.billing.users import EVERYBODY, Traits, Users
from tests import builders as b

SALES, SERVICE, FINANCE = ("Sales", "Service", "Finance")
PEOPLE = (
    Holder("u1", "Ada", department=SALES),
    Holder("u2", "Ben", department=SERVICE),
    Holder("u3", "Cleo", department=FINANCE),
    Holder("u4", "Dan", department=FINANCE, enabled=False),
)
BY_USER = b.rules(b.profile(quantity=QuantityRule(Basis.ASSIGNED)))


def only(*departments: str) -> Users:
    return Users(only=Traits(departments=departments))


def part(name: str, users: Users, **values: object) -> LicenceLink:
    return LicenceLink(b.SOURCE, b.PREMIUM, part=name, users=users, **values)  # type: ignore[arg-type]


def told(*parts: LicenceLink, rules=BY_USER, people=PEOPLE, link: Users = EVERYBODY, sharing=()) -> list[Finding]:
    company = b.company(links=(CompanyLink(b.SOURCE, b.TENANT, link),), licences=parts)
    reading = b.reading(b.count(len(people), holders=people))
    plan = plan_company(b.facts(reading, rules=rules, company=company, sharing=tuple(sharing)))
    return [finding for finding in plan.findings if finding.key.endswith("/users")]


def test_users_whom_no_part_takes_are_told_and_not_named() -> None:
    (finding,) = told(part("sales", only(SALES)), part("service", only(SERVICE)))

    assert (finding.kind.value, finding.key) == ("unmapped", f"{b.SOURCE}/{b.TENANT}/{b.PREMIUM}/users")
    assert finding.text.startswith("Business Premium: 2 of 4 users who hold it are counted by no line")
    assert not any(person.name in finding.text + finding.remedy for person in PEOPLE)


@pytest.mark.parametrize(
    "rest",
    [
        part("rest", Users(without=Traits(departments=(SALES,)))),
        part("rest", Users(without=Traits(departments=(SALES,))), do_not_bill=True),
    ],
    ids=["billed", "not billed on purpose"],
)
def test_parts_that_take_everybody_leave_nothing_to_tell(rest: LicenceLink) -> None:
    assert told(part("sales", only(SALES)), rest) == []


def test_who_would_not_be_counted_anyway_is_not_missed() -> None:
    active = b.rules(b.profile(quantity=QuantityRule(Basis.ASSIGNED_ACTIVE)))

    (finding,) = told(part("sales", only(SALES)), part("service", only(SERVICE)), rules=active)

    assert finding.text.startswith("Business Premium: 1 of 4 users")


def test_a_company_that_takes_some_users_of_a_customer_says_so_on_purpose() -> None:
    assert told(link=only(SALES)) == []
    (finding,) = told(part("sales", only(SALES)), link=only(SALES, SERVICE))
    assert "1 of 4" in finding.text


def test_of_companies_that_share_a_customer_the_first_one_tells_whom_none_of_them_takes() -> None:
    def sharing(number: int, *departments: str):
        return b.company(company=number, links=(CompanyLink(b.SOURCE, b.TENANT, only(*departments)),))

    (finding,) = told(link=only(SALES), sharing=[sharing(b.COMPANY + 1, SERVICE)])

    assert "2 of 4" in finding.text
    assert told(link=only(SALES), sharing=[sharing(b.COMPANY - 1, SERVICE)]) == []
    assert told(link=only(SALES), sharing=[sharing(b.COMPANY + 1, SERVICE, FINANCE)]) == []


def test_nothing_is_told_where_the_source_does_not_tell_who_they_are() -> None:
    people = (*PEOPLE, Holder("u5", "Eve", department=None))

    assert told(part("sales", only(SALES)), part("service", only(SERVICE)), people=people) == []


def test_users_who_are_not_divided_are_nobodys_leftover() -> None:
    narrowed = b.rules(b.profile(quantity=QuantityRule(Basis.ASSIGNED, users=only(SALES))))

    assert told(rules=narrowed) == []


GUESTS, DISABLED = AccountKind.GUESTS, AccountKind.DISABLED
GUEST = Holder("u5", "Eve", guest=True, department=SALES)


def kinds(*kinds: AccountKind) -> Traits:
    return Traits(accounts=kinds)


def test_a_kind_of_account_that_every_part_leaves_out_is_left_out_on_purpose() -> None:
    sales = part("sales", Users(only=Traits(departments=(SALES,)), without=kinds(GUESTS)))
    rest = part("rest", Users(without=Traits(departments=(SALES,), accounts=(GUESTS,))))
    assert told(sales, rest, people=(*PEOPLE, GUEST)) == []
    assert told(part("all", Users(without=kinds(GUESTS))), people=(*PEOPLE, GUEST)) == []

    taking = part("rest", Users(without=Traits(departments=(SALES,))))
    (finding,) = told(sales, taking, people=(*PEOPLE, GUEST))
    assert "1 of 5 users" in finding.text


def test_profiles_and_links_may_each_leave_out_a_kind_of_account() -> None:
    """Disabled by the profile of every part, and guests by none: only the guest is missed."""
    without = b.rules(b.profile(quantity=QuantityRule(Basis.ASSIGNED, users=Users(without=kinds(DISABLED)))))
    members = part("members", Users(only=Traits(departments=(SALES, SERVICE))))
    finance = part("finance", only(FINANCE))
    abroad = Holder("u6", "Fay", guest=True, department="Board")
    (finding,) = told(members, finance, people=(*PEOPLE, abroad), rules=without)
    assert "1 of 5 users" in finding.text
    gone = Holder("u7", "Gil", enabled=False, department="Board")
    assert told(members, finance, people=(*PEOPLE, gone), rules=without) == []


def test_guests_may_be_a_line_of_their_own_beside_members() -> None:
    members, guests = part("members", Users(without=kinds(GUESTS))), part("guests", Users(only=kinds(GUESTS)))
    company = b.company(licences=(members, guests))
    reading = b.reading(b.count(5, holders=(*PEOPLE, GUEST)))
    plan = plan_company(b.facts(reading, rules=BY_USER, company=company))
    assert sorted(int(change.after.quantity) for change in plan.changes if change.after is not None) == [1, 4]
    assert not [finding for finding in plan.findings if finding.key.endswith("/users")]
