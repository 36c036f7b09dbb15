"""Parts of the rules are changed by people: checked like a whole document, recorded, and never two at once."""

from __future__ import annotations

from decimal import Decimal

import pytest

from shared.billing.rules import LicenceLink, Mode
from shared.errors import Refused
from shared.rules.editing import Edit, EditProblem, Section, policy
from shared.sync import rule_history, rulebook
from shared.sync.approvals import Person
from shared.sync.night import nightly
from shared.sync.rule_edits import edit_rules, preview
from tests import builders as b
from tests.fakes.house import House

PAT = Person("pat@birchline.example", "203.0.113.7")
KIM = Person("kim@birchline.example")


@pytest.fixture
def house() -> House:
    house = House()
    house.rules(b.rules(b.profile(), b.profile(id="standard", name="Standard", product="M365-BS")))
    for company in (1, 2, 3):
        house.company(company, [b.count(5)])
    return house


def link(company: int, customer: str, **fields: object) -> Edit:
    return Edit(Section.LINKS, {"source": b.SOURCE, "customer": customer, **fields}, company)


def unlink(company: int, customer: str) -> Edit:
    return Edit(Section.LINKS, {"source": b.SOURCE, "customer": customer}, company, drop=True)


def customers(house: House, company: int) -> list[str]:
    return [each.customer for each in house.ports.companies.get(company).links]


def history(house: House) -> list[dict]:
    return rule_history.page(house.ports, 50, None)["entries"]


def test_a_changed_price_is_in_force_at_once_and_recorded_with_the_person(house):
    edited = edit_rules(
        house.ports, [Edit(Section.PROFILES, {"id": "standard", "price": {"kind": "custom", "amount": "12.50"}})], PAT
    )

    assert house.ports.rules.load().profiles["standard"].price.amount == Decimal("12.50")
    assert house.ports.rules.load().profiles["premium"] == b.profile()
    assert [str(each) for each in edited.what] == [
        "profile standard: price.amount nothing → 12.50",
        "profile standard: price.kind keep → custom",
    ]
    (entry,) = history(house)
    assert (entry["by"], entry["origin"], entry["way"], entry["whole"]) == (PAT.name, PAT.origin, "console", True)
    assert entry["what"] == [str(each) for each in edited.what]


def test_a_policy_is_added_changed_and_removed(house):
    edit_rules(house.ports, [policy(b.SOURCE, b.STANDARD, "standard"), policy(b.SOURCE, b.PREMIUM, None)], PAT)
    assert house.ports.rules.load().policy_for(b.SOURCE, b.STANDARD).profile == "standard"
    assert house.ports.rules.load().policy_for(b.SOURCE, b.PREMIUM).profile is None

    gone = Edit(Section.POLICIES, {"source": b.SOURCE, "sku": b.STANDARD.upper()}, drop=True)
    edit_rules(house.ports, [gone], PAT)
    assert house.ports.rules.load().policy_for(b.SOURCE, b.STANDARD) is None
    assert len(history(house)) == 2


def test_an_edit_of_something_else_does_not_end_what_an_undo_began_but_an_edit_of_the_mode_does(house):
    free = Edit(Section.LICENCES, {"source": b.SOURCE, "sku": b.PREMIUM, "do_not_bill": True}, 2)
    edit_rules(house.ports, [link(1, "shared"), link(2, "shared"), free], PAT)
    document = rulebook.export_rules(house.ports)
    house.ports.companies.at_most(1, Mode.APPROVE)
    edit_rules(house.ports, [unlink(2, "shared")], PAT)
    edit_rules(house.ports, [link(1, "another")], PAT)
    assert rulebook.import_rules(house.ports, document).careful == (1,)
    assert house.ports.companies.get(1).mode is Mode.APPROVE

    edit_rules(house.ports, [Edit(Section.COMPANIES, {"company": 1, "mode": "auto"})], PAT)
    assert house.ports.companies.get(1).mode is Mode.AUTO
    assert rulebook.import_rules(house.ports, document).careful == ()


def test_what_stands_so_already_changes_nothing_and_is_not_recorded(house):
    before = house.ports.rules.head()
    edited = edit_rules(house.ports, [policy(b.SOURCE, b.PREMIUM, "premium"), link(1, "tenant-1")], PAT)
    assert (edited.what, edited.edition) == ((), before.edition)
    assert house.ports.rules.head() == before
    assert history(house) == []


def test_everything_wrong_is_told_at_once_by_name_and_nothing_is_changed(house):
    text = rulebook.export_rules(house.ports)
    wrong = [
        policy("microsoft365", b.STANDARD, "gold"),
        Edit(Section.PROFILES, {"id": "standard", "price": {"kind": "custom"}, "colour": "red"}),
        Edit(Section.LICENCES, {"source": "pax8", "sku": "x", "profile": "premium"}, 2),
        Edit(Section.LINKS, {"source": "pax9", "customer": "x"}, 3),
        Edit(Section.LINKS, {"source": "pax8", "customer": "x"}, 9),
    ]
    with pytest.raises(EditProblem) as problem:
        edit_rules(house.ports, wrong, PAT)
    assert problem.value.problems == ["link pax8 x: company 9 is not known; add the company first"]

    with pytest.raises(EditProblem) as problem:
        edit_rules(house.ports, wrong[:-1], PAT)
    told = "\n".join(problem.value.problems)
    assert f'policy microsoft365 {b.STANDARD}, profile: there is no profile "gold"' in told
    assert "profile standard, colour: is not known here" in told
    assert "profile standard, price: needs an amount" in told
    assert "company 2 Company 2, licence pax8 x, source: the company has no link to a customer at pax8" in told
    assert "company 3 Company 3, link pax9 x, source: must be one of" in told
    assert (rulebook.export_rules(house.ports), history(house)) == (text, [])


def test_a_profile_that_is_used_is_not_removed(house):
    with pytest.raises(EditProblem, match='there is no profile "premium"'):
        edit_rules(house.ports, [Edit(Section.PROFILES, {"id": "premium"}, drop=True)], PAT)


def test_a_customer_is_not_linked_to_a_second_company_that_would_bill_the_same_users(house):
    with pytest.raises(EditProblem, match="the customer is also linked at company 1 Company 1, link"):
        edit_rules(house.ports, [link(2, "TENANT-1")], PAT)
    assert customers(house, 2) == ["tenant-2"]


def test_two_companies_share_a_customer_by_users_that_never_meet_and_know_of_each_other(house):
    edit_rules(
        house.ports,
        [
            Edit(Section.PROFILES, {"id": "premium", "quantity": {"basis": "assigned"}}),
            link(1, "tenant-1", users={"only": {"domains": ["joinery.example"]}}),
            link(2, "tenant-1", users={"without": {"domains": ["joinery.example"]}}),
        ],
        PAT,
    )
    assert (house.state(1).sharing, house.state(2).sharing, house.state(3).sharing) == ((2,), (1,), ())

    edit_rules(house.ports, [unlink(2, "tenant-1"), link(3, "tenant-9")], PAT)
    edit_rules(house.ports, [link(1, "tenant-1", users=None)], PAT)
    assert house.state(1).sharing == ()


def test_the_second_of_two_people_is_told_and_loses_nothing(house):
    seen = preview(house.ports, [policy(b.SOURCE, b.STANDARD, "standard")])
    edit_rules(house.ports, [link(1, "tenant-7")], KIM)

    with pytest.raises(Refused, match="somebody else") as changed:
        edit_rules(house.ports, [policy(b.SOURCE, b.STANDARD, "standard")], PAT, expected=seen.edition)
    assert "repeat the change" in changed.value.remedy
    assert [entry["by"] for entry in history(house)] == [KIM.name]


def test_only_the_changes_that_were_shown_are_made(house):
    shown = preview(house.ports, [policy(b.SOURCE, b.STANDARD, "standard")])
    with pytest.raises(Refused, match="not the changes that were shown"):
        edit_rules(house.ports, [policy(b.SOURCE, b.STANDARD, "premium")], PAT, previewed=shown.hash)
    edited = edit_rules(house.ports, [policy(b.SOURCE, b.STANDARD, "standard")], PAT, previewed=shown.hash)
    assert edited.what == shown.what


def test_a_mode_that_became_more_careful_meanwhile_stays(house):
    house.ports.companies.at_most(1, Mode.APPROVE)
    edit_rules(house.ports, [link(1, "tenant-7")], PAT)
    assert house.ports.companies.get(1).mode is Mode.APPROVE
    edit_rules(house.ports, [Edit(Section.COMPANIES, {"company": 1, "mode": "auto"})], PAT)
    assert house.ports.companies.get(1).mode is Mode.AUTO


def test_a_new_company_is_only_observed(house):
    edit_rules(
        house.ports, [Edit(Section.COMPANIES, {"company": 9, "name": "Mill Road Joinery"}), link(9, "mill")], PAT
    )
    row = house.ports.companies.get(9)
    assert (row.name, row.mode, customers(house, 9)) == ("Mill Road Joinery", Mode.OBSERVE, ["mill"])


def test_an_import_is_recorded_with_what_it_changed(house):
    text = rulebook.export_rules(house.ports).replace("Company 3", "Company three")
    rulebook.import_rules(house.ports, text)
    (entry,) = history(house)
    assert (entry["by"], entry["way"]) == ("dev.py rules import", "import")
    assert entry["what"] == ["company 3 Company three: name Company 3 → Company three"]


def test_the_history_is_read_page_by_page_and_exported_whole(house):
    for number in range(5):
        edit_rules(house.ports, [link(1, f"further-{number}")], PAT)
    first = rule_history.page(house.ports, 3, None)
    second = rule_history.page(house.ports, 3, first["next"])
    editions = [entry["edition"] for entry in first["entries"] + second["entries"]]
    assert editions == sorted(editions, reverse=True)
    assert (len(editions), second["next"]) == (5, None)
    assert len(list(rule_history.rows(house.ports))) == 5


def test_what_is_changed_together_holds_together_in_a_run_that_has_begun_before(house: House) -> None:
    """A company's own word goes when the MSP says the same of everybody: the night must not bill by half of that."""
    house.company(260, [b.count(10)], licences=(LicenceLink(b.SOURCE, b.PREMIUM, do_not_bill=True),))
    run = nightly(house.ports).partition(":")[0]
    everywhere = policy(b.SOURCE, b.PREMIUM, None)
    own = Edit(Section.LICENCES, {"source": b.SOURCE, "sku": b.PREMIUM}, 260, drop=True)
    edit_rules(house.ports, [everywhere, own], PAT)

    house.work_until_done(run)

    assert [line for line in house.manage.lines.values() if line.agreement_id == 1260] == []
