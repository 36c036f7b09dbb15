"""What is planned for users and contacts: who is whose, what is written and what a person's is, and what is held."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from shared.billing.contact_rules import ContactMode, ContactRules, Edited, Existing, Left
from shared.billing.counts import Holder
from shared.billing.users import Traits, Users
from shared.contacts.accounts import Account
from shared.contacts.contacts import Contact, Field, Item, digests, wanted_of
from shared.contacts.kept import Kept, Kind, Written, ageing, resolve
from shared.contacts.plan import ContactFacts, ContactPlan, Directory, plan_contacts

RULES = ContactRules(mode=ContactMode.AUTO, left=Left.DEACTIVATE)
T0 = datetime(2026, 11, 21, 3, tzinfo=UTC)


def account(key: str = "robin", **values) -> Account:
    user = Holder(
        f"id-{key}",
        f"{key.title()} Vale",
        values.pop("enabled", True),
        values.pop("guest", False),
        values.pop("department", ""),
        groups=(),
    )
    values = {"mail": f"{key}@alder.example", "given_name": key.title(), "surname": "Vale", "licensed": True} | values
    return Account(user, f"{key}@alder.example", **values)


def contact(number: int = 501, *, mail: str = "robin@alder.example", **values) -> Contact:
    names = {"first_name": "Robin", "last_name": "Vale"} | values
    items = names.pop("items", (Item("Email", "Email", mail, True),) if mail else ())
    return Contact(number, 1, items=items, **names)


def kept(one: Account, standing: Contact, **values) -> Kept:
    wrote = digests(one.user.id, standing.says(RULES))
    row = Kept(one.user.id, "microsoft365", "tenant-1", standing.id, made=True, wrote=wrote)
    return replace(row, **values)


def plan(accounts=(), contacts=(), rows=(), rules: ContactRules = RULES, **values) -> ContactPlan:
    directories = (Directory("microsoft365", "tenant-1", tuple(accounts)),)
    by_account = {row.account: row for row in rows}
    return plan_contacts(ContactFacts(1, rules, directories, tuple(contacts), by_account, ("Sales",), **values))


def kinds(found: ContactPlan) -> list[str]:
    return [change.kind.value for change in found.changes]


def notes(found: ContactPlan) -> list[str]:
    return [note.text for note in found.notes]


# ---- who becomes a contact


@pytest.mark.parametrize(
    ("values", "made"),
    [
        ({}, 1),
        ({"mail": ""}, 0),
        ({"licensed": False}, 0),
        ({"enabled": False}, 0),
        ({"guest": True}, 0),
    ],
)
def test_licensed_enabled_members_with_a_mail_address_become_contacts(values, made):
    assert kinds(plan([account(**values)])) == ["create"] * made


@pytest.mark.parametrize("rule", ["licensed", "enabled", "members"])
def test_the_rules_may_take_the_others_too(rule):
    values = {"licensed": {"licensed": False}, "enabled": {"enabled": False}, "members": {"guest": True}}[rule]
    assert kinds(plan([account(**values)], rules=replace(RULES, **{rule: False}))) == ["create"]


def test_the_rules_may_take_some_departments_or_groups_only():
    sales = Users(only=Traits(departments=("sales",)))
    found = plan([account("kim", department="Sales"), account("robin")], rules=replace(RULES, users=sales))
    assert [change.name for change in found.changes] == ["Kim Vale"]
    unknown = replace(account(), user=replace(account().user, groups=(), groups_told=()))
    board = replace(RULES, users=Users(only=Traits(groups=("Board",))))
    assert kinds(plan([unknown], rules=board)) == []
    assert kinds(plan([unknown], [contact()], [kept(unknown, contact())], rules=board)) == []


def test_a_contact_says_what_the_directory_does():
    one = account(title="Dentist", business_phone="+1 555 0100", mobile_phone="+1 555 0199", department="sales")
    (change,) = plan([one]).changes
    assert change.after == {
        Field.FIRST_NAME: "Robin",
        Field.LAST_NAME: "Vale",
        Field.TITLE: "Dentist",
        Field.DEPARTMENT: "Sales",
        Field.MAIL: "robin@alder.example",
        Field.PHONE: "+1 555 0100",
        Field.MOBILE: "+1 555 0199",
    }


def test_who_has_no_given_name_is_called_by_the_display_name_and_unknown_departments_are_left_out():
    said = wanted_of(account(given_name="", surname="", department="Rooms"), RULES, ("Sales",))
    assert (said[Field.FIRST_NAME], said[Field.LAST_NAME]) == ("Robin", "Vale")
    assert Field.DEPARTMENT not in said
    alone = account(given_name="Robin", surname="")
    assert Field.LAST_NAME not in wanted_of(alone, RULES, ())
    same_type = replace(RULES, mobile_type="direct")
    assert Field.MOBILE not in wanted_of(account(mobile_phone="1"), same_type, ())


# ---- whose contact is whose


@pytest.mark.parametrize("mails", [{"mail": "ROBIN@alder.example"}, {"mail": "x@alder.example"}])
def test_a_contact_with_the_mail_address_or_a_former_one_is_the_user_s_and_none_is_made(mails):
    one = account(former_mails=("x@alder.example",))
    assert kinds(plan([one], [contact(**mails)])) == []
    assert kinds(plan([one], [contact(**mails)], rules=replace(RULES, existing=Existing.OVERWRITE))) == ["adopt"]


def test_the_mail_address_counts_before_a_former_one_and_an_active_contact_before_an_inactive_one():
    fill = replace(RULES, existing=Existing.FILL)
    one = account(former_mails=("old@alder.example",))
    standing = [contact(501, mail="old@alder.example"), contact(502, inactive=True), contact(503)]
    (change,) = plan([one], standing, rules=fill).changes
    assert (change.kind, change.contact, change.after) == (Kind.ADOPT, 503, {})


def test_while_a_contact_may_just_be_being_made_none_is_made_with_its_address():
    twins = [account("robin"), replace(account("kim"), mail="ROBIN@alder.example")]
    assert kinds(plan(twins, in_doubt=frozenset({"id-robin"}))) == []


def test_a_user_whose_groups_are_not_told_is_not_made_a_contact_because_it_was_tried_once():
    unknown = replace(account(), user=replace(account().user, groups=(), groups_told=()))
    board = replace(RULES, users=Users(only=Traits(groups=("Board",))))
    tried = Kept("id-robin", "microsoft365", "tenant-1")
    assert kinds(plan([unknown], rows=[tried], rules=board)) == []


def test_a_contact_is_one_user_s_only_and_an_address_is_never_there_twice():
    twins = [account("robin"), replace(account("kim"), mail="robin@alder.example")]
    found = plan(twins)
    assert kinds(found) == ["create"]
    assert notes(found) == ["another user's contact has the same mail address; none is made"]
    assert kinds(plan(twins, [contact()])) == []


def test_a_contact_that_is_remembered_is_the_user_s_whatever_mail_address_it_has():
    married = account(mail="robin.low@alder.example", surname="Low")
    (change,) = plan([married], [contact()], [kept(account(), contact())]).changes
    assert (change.kind, change.contact) == (Kind.UPDATE, 501)
    assert change.before == {Field.LAST_NAME: "Vale", Field.MAIL: "robin@alder.example"}
    assert change.after == {Field.LAST_NAME: "Low", Field.MAIL: "robin.low@alder.example"}


# ---- what a person did


def test_a_contact_that_a_person_made_is_left_filled_or_overwritten_as_the_rules_say():
    one, standing = (
        account(title="Dentist", surname="Low"),
        contact(items=(Item("Email", "Email", "robin@alder.example", True),)),
    )
    assert kinds(plan([one], [standing])) == []
    (fills,) = plan([one], [standing], rules=replace(RULES, existing=Existing.FILL)).changes
    assert fills.after == {Field.TITLE: "Dentist"}
    (overwrites,) = plan([one], [standing], rules=replace(RULES, existing=Existing.OVERWRITE)).changes
    assert overwrites.after == {Field.TITLE: "Dentist", Field.LAST_NAME: "Low"}


def test_a_field_that_a_person_changed_stays_as_it_is_unless_the_rules_say_otherwise():
    row = kept(account(), contact())
    edited = contact(last_name="Vale-Low", title="Dr")
    one = account(title="Dentist")
    found = plan([one], [edited], [row])
    assert kinds(found) == []
    assert notes(found) == ["a person wrote the last name; it stays so", "a person wrote the title; it stays so"]
    (change,) = plan([one], [edited], [row], rules=replace(RULES, edited=Edited.OVERWRITE)).changes
    assert change.after == {Field.LAST_NAME: "Vale", Field.TITLE: "Dentist"}


def test_a_field_that_a_person_emptied_is_not_filled_again_but_one_that_never_said_anything_is():
    row = kept(account(), contact(title="Dentist"))
    one = account(title="Dentist", business_phone="+1 555 0100")
    (change,) = plan([one], [contact()], [row]).changes
    assert change.after == {Field.PHONE: "+1 555 0100"}


def test_a_number_is_the_same_however_it_is_spaced_and_an_address_wherever_it_stands():
    items = (
        Item("Email", "Email", "info@alder.example", True),
        Item("Email", "Private", "robin@alder.example"),
        Item("Phone", "Direct", "1 (555) 0100", True),
    )
    standing = contact(items=items)
    found = plan([account(business_phone="+15550100")], [standing], [kept(account(), standing)])
    assert (kinds(found), notes(found)) == ([], [])


def test_a_contact_that_a_person_deleted_or_deactivated_stays_so():
    row = kept(account(), contact())
    gone = plan([account()], [], [row])
    assert (kinds(gone), len(gone.notes)) == ([], 1)
    inactive = plan([account()], [contact(inactive=True)], [row])
    assert (kinds(inactive), notes(inactive)) == ([], ["a person deactivated the contact; it stays so"])
    adopting = replace(RULES, existing=Existing.FILL)
    assert kinds(plan([account()], [contact(inactive=True)], rules=adopting)) == []


def test_a_contact_merged_into_another_is_known_by_its_address():
    row = kept(account(), contact())
    (change,) = plan([account()], [contact(777)], [row], rules=replace(RULES, existing=Existing.FILL)).changes
    assert (change.kind, change.contact) == (Kind.ADOPT, 777)


# ---- who left and who came back


def test_who_left_is_deactivated_only_where_the_contact_is_kept_and_the_rules_say_so():
    stays, left = account("kim"), account()
    standing = [contact(), contact(502, mail="kim@alder.example")]
    rows = [kept(left, standing[0])]
    found = plan([stays], standing, rows)
    assert [(change.kind, change.contact, change.name) for change in found.changes] == [
        (Kind.DEACTIVATE, 501, "Robin Vale")
    ]
    assert kinds(plan([stays], standing, rows, rules=replace(RULES, left=Left.LEAVE))) == []
    assert kinds(plan([stays], standing, [])) == []


@pytest.mark.parametrize("values", [{"enabled": False}, {"licensed": False}])
def test_who_is_no_longer_among_those_who_are_contacts_left_too(values):
    assert kinds(plan([account(**values)], [contact()], [kept(account(), contact())])) == ["deactivate"]


def test_nobody_left_where_a_directory_is_empty_or_was_not_read():
    row = kept(account(), contact())
    assert kinds(plan([], [contact()], [row])) == []
    other = replace(row, customer="tenant-2")
    assert kinds(plan([account("kim")], [contact(), contact(502, mail="kim@alder.example")], [other])) == []


def test_a_default_contact_and_one_that_a_person_made_active_again_stay():
    row = kept(account(), contact(default=True))
    default = plan([account("kim")], [contact(default=True)], [row])
    assert "default" in notes(default)[0]
    again = plan([account("kim")], [contact()], [replace(row, deactivated=True)])
    assert "active again" in notes(again)[0]
    assert {*kinds(default), *kinds(again)} == {"create"}


def test_who_came_back_is_made_active_again_with_what_changed():
    standing = contact(inactive=True)
    row = kept(account(), standing, deactivated=True)
    (change,) = plan([account(title="Dentist")], [standing], [row]).changes
    assert (change.kind, change.after) == (Kind.REACTIVATE, {Field.TITLE: "Dentist"})


def crowd(size: int, leaving: int):
    people = [account(f"p{number}") for number in range(size)]
    standing = [contact(500 + at, mail=one.mail, first_name=one.given_name) for at, one in enumerate(people)]
    rows = [kept(one, two) for one, two in zip(people, standing, strict=True)]
    return people[leaving:], standing, rows


@pytest.mark.parametrize(
    ("size", "leaving", "held"), [(5, 1, False), (5, 2, True), (10, 2, False), (50, 5, False), (50, 6, True)]
)
def test_many_who_leave_at_once_are_held_and_nothing_else_is(size, leaving, held):
    stay, standing, rows = crowd(size, leaving)
    found = plan([*stay, account("new")], standing, rows)
    assert bool(found.held) is held
    assert [change.kind.value for change in found.applicable].count("create") == 1
    assert len(found.applicable) == 1 + (0 if held else leaving)


def test_exactly_those_who_were_released_go():
    stay, standing, rows = crowd(5, 2)
    shown = plan(stay, standing, rows)
    assert plan(stay, standing, rows, released=shown.leaving).held == ""
    assert plan(stay[1:], standing, rows, released=shown.leaving).held != ""


# ---- the same facts, whatever order


def test_the_order_of_the_facts_changes_nothing_and_what_was_done_plans_nothing():
    people, standing, rows = crowd(6, 1)
    people = [replace(one, title=f"Title {at}") for at, one in enumerate(people)]
    expected = plan(people, standing, rows)
    for seed in range(5):
        order = random.Random(seed)
        for facts in (people, standing, rows):
            order.shuffle(facts)
        assert plan(people, standing, rows) == expected


# ---- writes that were begun


def begun(kind: Kind, one: Account, said, **values) -> Kept:
    wrote = digests(one.user.id, said)
    row = Kept(one.user.id, "microsoft365", "tenant-1", begun=Written(kind, T0, wrote))
    return replace(row, **values)


def resolved(row: Kept, *contacts: Contact, left: float = 0, others=()):
    rows = {each.account: each for each in (row, *others)}
    return resolve(rows, contacts, RULES, lambda _: left)


def test_a_create_of_which_nothing_is_to_be_seen_is_waited_for_and_then_never_happened():
    row = begun(Kind.CREATE, account(), contact().says(RULES))
    waiting = resolved(row, left=60)
    assert (waiting.rows, waiting.in_doubt, waiting.wait) == ((), {"id-robin"}, 60)
    assert kinds(plan([account()], [], [row], in_doubt=waiting.in_doubt)) == []
    (never,) = resolved(row).rows
    assert (never.contact, never.begun) == (None, None)
    assert kinds(plan([account()], [], [never])) == ["create"]


def test_a_create_that_shows_is_ours_but_not_a_contact_of_somebody_else():
    row = begun(Kind.CREATE, account(), contact().says(RULES))
    (found,) = resolved(row, contact(), left=60).rows
    assert (found.contact, found.made, found.begun, len(found.wrote)) == (501, True, None, 3)
    other = kept(account("kim"), contact())
    assert resolved(row, contact(), left=60, others=[other]).in_doubt == {"id-robin"}


def test_a_change_that_happened_in_part_is_remembered_in_part():
    row = begun(Kind.UPDATE, account(), {Field.TITLE: "Dentist", Field.PHONE: "+1 555 0100"}, contact=501, made=True)
    half = contact(title="Dentist")
    assert resolved(row, half, left=60).in_doubt == {"id-robin"}
    (found,) = resolved(row, half).rows
    assert list(found.wrote) == ["title"]


def test_a_deactivation_shows_in_the_contact():
    row = kept(account(), contact(), begun=Written(Kind.DEACTIVATE, T0))
    (found,) = resolved(row, contact(inactive=True), left=60).rows
    assert (found.deactivated, found.begun) == (True, None)
    assert resolved(row, contact(), left=60).in_doubt == {"id-robin"}


def test_what_is_remembered_of_a_user_goes_some_time_after_the_user():
    day = date(2026, 11, 21)
    row = kept(account(), contact())
    assert ageing([row], {"id-robin"}, day, 60) == ([], [])
    ((gone,), _) = ageing([row], (), day, 60)
    assert gone.gone == day
    assert ageing([gone], (), day + timedelta(days=60), 60) == ([], [])
    assert ageing([gone], (), day + timedelta(days=61), 60) == ([], ["id-robin"])
    assert ageing([gone], {"id-robin"}, day, 60) == ([row], [])


def test_what_is_remembered_holds_no_name_address_or_number():
    row = kept(account(), contact(title="Dentist"))
    assert not any(word in repr(row) for word in ("Robin", "Vale", "alder", "Dentist"))
