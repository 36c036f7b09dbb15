"""Contacts against the sandbox's Manage, over HTTP: made, changed by field, deactivated, and never sent twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from local.sandbox.manage.contacts import add_contact_departments
from shared.billing.contact_rules import ContactRules
from shared.contacts.contacts import Field
from shared.errors import Gone, NoEffect, OutcomeUnknown, Refused
from shared.manage.client import ManageClient
from shared.manage.contacts import ManageContacts
from tests.unit.fakes_manage import RESET, FakeTransport, settings
from tests.unit.sandbox_manage import NOW, RunningManage, served, small_msp

RULES = ContactRules()
ROBIN = {
    Field.FIRST_NAME: "Robin",
    Field.LAST_NAME: "Vale",
    Field.TITLE: "Dentist",
    Field.DEPARTMENT: "Sales",
    Field.MAIL: "robin@larkhill.example",
    Field.PHONE: "+1 555 0100",
    Field.MOBILE: "+1 555 0199",
}


@pytest.fixture
def manage() -> Iterator[RunningManage]:
    records = small_msp()
    add_contact_departments(lambda collection, record: records.add(collection, record, now=NOW))
    with served(records) as running:
        yield running


@pytest.fixture
def contacts(manage: RunningManage) -> ManageContacts:
    return manage.client.contacts


def test_a_contact_is_made_with_everything_and_read_back(manage, contacts):
    made = contacts.create(250, ROBIN, RULES)

    assert contacts.of_company(250) == [made]
    assert contacts.of_company(251) == []
    assert (made.says(RULES)[Field.PHONE], made.inactive, made.default) == ("15550100", False, True)
    items = manage.get(f"company/contacts/{made.id}")["communicationItems"]
    assert [(item["type"]["name"], item["defaultFlag"]) for item in items] == [
        ("Email", True),
        ("Direct", True),
        ("Cell", False),
    ]


def test_single_fields_are_changed_and_what_is_new_is_added(contacts):
    made = contacts.create(250, {Field.FIRST_NAME: "Robin", Field.MAIL: "robin@larkhill.example"}, RULES)
    after = contacts.change(
        made,
        {Field.MAIL: "r.low@larkhill.example", Field.LAST_NAME: "Low", Field.MOBILE: "5550199"},
        RULES,
        inactive=False,
    )
    assert after.says(RULES) == {
        Field.FIRST_NAME: "Robin",
        Field.LAST_NAME: "Low",
        Field.MAIL: "r.low@larkhill.example",
        Field.MOBILE: "5550199",
    }
    assert [item.default for item in after.items] == [True, True]


def test_a_contact_is_deactivated_and_made_active_again_but_not_the_default_one(contacts):
    first, second = contacts.create(250, ROBIN, RULES), contacts.create(250, ROBIN, RULES)
    gone = contacts.change(second, {}, RULES, inactive=True)
    assert gone.inactive
    assert contacts.change(gone, {}, RULES, inactive=False).inactive is False
    with pytest.raises(Refused, match="inactiveFlag: InvalidField"):
        contacts.change(first, {}, RULES, inactive=True)


def test_what_manage_refuses_is_told_without_what_was_sent(contacts):
    with pytest.raises(Refused) as error:
        contacts.create(250, ROBIN | {Field.LAST_NAME: "V" * 31}, RULES)
    assert "lastName: MaxLengthField" in str(error.value)
    with pytest.raises(Refused) as error:
        contacts.create(250, ROBIN | {Field.MAIL: "robin"}, RULES)
    assert "value: InvalidField" in str(error.value)
    assert "robin" not in str(error.value).casefold()
    with pytest.raises(Refused, match="type: InvalidField"):
        contacts.create(250, ROBIN, replace(RULES, phone_type="Office"))
    with pytest.raises(Gone):
        contacts.contact(7)


def test_a_write_without_effect_names_the_fields_and_no_value(manage, contacts):
    _, made = contacts.create(250, ROBIN, RULES), contacts.create(250, ROBIN, RULES)
    manage.fault = "no-effect"
    with pytest.raises(NoEffect) as error:
        contacts.change(made, {Field.TITLE: "Owner"}, RULES, inactive=True)
    assert "title, active" in str(error.value)
    assert "Owner" not in str(error.value)


def test_the_mail_domains_of_all_companies_take_one_call_and_leave_out_who_is_inactive(manage, contacts):
    assert contacts.mail_domains() == {}
    contacts.create(250, ROBIN | {Field.MAIL: "Robin@Larkhill.example"}, RULES)
    contacts.create(250, ROBIN | {Field.MAIL: "low@gmail.com"}, RULES)
    left = contacts.create(250, ROBIN | {Field.MAIL: "left@elsewhere.example"}, RULES)
    contacts.change(left, {}, RULES, inactive=True)
    contacts.create(250, {Field.FIRST_NAME: "No mail"}, RULES)
    assert contacts.mail_domains() == {250: ("gmail.com", "larkhill.example")}


def test_departments_are_read_once(manage, contacts):
    assert contacts.departments() == ["Sales", "Finance", "Service"]
    manage.records.add("contactDepartments", {"name": "Rooms"}, now=NOW)
    assert contacts.departments() == ["Sales", "Finance", "Service"]


def test_a_contact_is_never_sent_twice() -> None:
    transport = FakeTransport(lambda _: RESET)
    client = ManageClient(settings(), transport=transport, pause=lambda _: None)
    with pytest.raises(OutcomeUnknown):
        client.contacts.create(250, {Field.FIRST_NAME: "Robin"}, RULES)
    assert len(transport.requests) == 1
