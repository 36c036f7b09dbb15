"""Forms of own choices, guards and profiles: nothing is lost, overwritten or told wrongly that nobody changed."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from urllib.parse import urlencode

import pytest

from shared.billing.rules import LicenceLink, Mode, Remit
from shared.errors import Refused, Retryable
from shared.rules.editing import Edit, Section
from shared.sync.approvals import Person
from shared.sync.rule_edits import edit_rules
from shared.sync.unfinished import finish_edit
from tests import builders as b
from tests.fakes.app import app_for
from tests.fakes.browser import Answer, Browser
from tests.fakes.house import House
from tests.flow.test_console import ADMIN, BILLER, PLATFORM
from tests.flow.test_profiles import changed, form

KIM = Person("kim@birchline.example")
ONE, GUARDS, PROFILE = "/console/companies/1", "/console/profiles/guards", "/console/profiles/edit?id=premium"
_LAST_BAND = {"price": "2", "product": "A;B"}
LICENCE = f"{ONE}/licence?{urlencode({'source': b.SOURCE, 'sku': b.PREMIUM})}"


@pytest.fixture
def house() -> House:
    """Company 1 is billed 5 Premium, at a quantity of its own."""
    house = House()
    house.rules(b.rules(b.profile()))
    house.company(1, [b.count(5)], mode=Mode.AUTO, licences=(LicenceLink(b.SOURCE, b.PREMIUM, quantity=Decimal(5)),))
    house.sync(1)
    return house


@pytest.fixture
def console(house: House) -> Browser:
    return Browser(app_for(house.ports, PLATFORM), ADMIN)


def sent(page: Answer, action: str) -> dict[str, str]:
    """What a browser sends of the one form of a page that leads there."""
    (found,) = re.findall(rf'<form method="post" action="{action}">.*?</form>', page.text, re.DOTALL)
    return form(Answer(200, {}, found.encode()))


def licence(quantity: str) -> Edit:
    return Edit(Section.LICENCES, {"source": b.SOURCE, "sku": b.PREMIUM, "quantity": quantity}, 1)


def guards(percent: str) -> Edit:
    return Edit(Section.GUARDS, {"reduction": {"percent": percent}})


def test_a_mistake_in_one_form_of_the_page_leaves_what_the_other_one_says(house, console):
    rules = f"{ONE}/rules"
    page = console.get(rules)
    console.send_form(rules, sent(page, rules) | {"billed_through.1001": "2026-12-31", "adopt_marked": "true"})

    page = console.get(rules)
    wrong = console.send_form(f"{ONE}/guards", sent(page, f"{ONE}/guards") | {"guards.reduction.percent": "140"})
    assert wrong.status_code == 422
    assert sent(wrong, rules) == sent(page, rules)
    console.send_form(rules, sent(wrong, rules))
    assert (house.state(1).billed_through, house.state(1).adopt_marked) == ({1001: date(2026, 12, 31)}, True)

    typed = {name: text for name, text in sent(page, rules).items() if name != "adopt_marked"}
    wrong = console.send_form(rules, typed | {"billed_through.1001": "soon"})
    assert sent(wrong, rules) == typed | {"billed_through.1001": "soon"}


@pytest.mark.parametrize(
    ("path", "action", "field", "edit"),
    [
        (LICENCE, f"{ONE}/licence", "quantity", licence("6")),
        (f"{ONE}/rules", f"{ONE}/guards", "guards.reduction.percent", guards("40")),
        (GUARDS, GUARDS, "guards.reduction.percent", guards("40")),
        (PROFILE, "/console/profiles/save", "name", Edit(Section.PROFILES, {"id": "premium", "name": "Another"})),
    ],
)
def test_what_another_person_saves_while_a_form_is_made_is_not_overwritten_by_it(
    house, console, monkeypatch, path, action, field, edit
):
    load: Callable[..., object] = house.ports.rules.load
    meanwhile = [edit]

    def overtaken(*version: int) -> object:
        found = load(*version)
        if meanwhile:
            edit_rules(house.ports, [meanwhile.pop()], KIM)
        return found

    with monkeypatch.context() as patched:
        patched.setattr(house.ports.rules, "load", overtaken)
        page = console.get(path)
    after = console.get(path)
    answer = console.send_form(action, changed(page))
    assert answer.status_code == 422
    assert "somebody else changed the rules since you looked" in answer.words
    assert form(console.get(path))[field] == form(after)[field]


def test_a_form_that_was_made_while_an_edit_was_unfinished_does_not_take_the_edit_back(house, console, monkeypatch):
    def broken(*_: object, **__: object) -> None:
        raise Retryable("it is slow today", system="storage")

    with monkeypatch.context() as patched:
        patched.setattr(house.ports.companies, "put_rules", broken)
        with pytest.raises(Retryable):
            edit_rules(house.ports, [licence("7")], KIM)
        page = console.get(LICENCE)
        assert form(page)["quantity"] == "5"
    answer = console.send_form(f"{ONE}/licence", changed(page))
    assert "somebody else changed the rules since you looked" in answer.words
    assert house.state(1).licences[0].quantity == 7


def test_what_is_stored_and_not_in_force_yet_is_not_told_as_not_saved(house, console, monkeypatch):
    def broken(*_: object, **__: object) -> None:
        raise Retryable("it is slow today", system="storage")

    page = console.get(LICENCE)
    with monkeypatch.context() as patched:
        patched.setattr(house.ports.companies, "put_rules", broken)
        answer = console.send_form(f"{ONE}/licence", changed(page, quantity="7"))
    assert "the change is stored, but not in force for every company yet" in answer.words
    assert "nothing was saved" not in answer.words
    finish_edit(house.ports)
    assert house.state(1).licences[0].quantity == 7


def test_what_is_saved_is_told_although_the_company_cannot_be_looked_at(house, console, monkeypatch):
    def broken(*_: object, **__: object) -> None:
        raise Retryable("it is slow today", system="storage")

    page = console.get(LICENCE)
    with monkeypatch.context() as patched:
        patched.setattr(house.ports.company_state, "commit", broken)
        answer = console.send_form(f"{ONE}/licence", changed(page, quantity="7"))
    assert "it is saved, but the company could not be looked at with it: it is slow today" in answer.words
    assert "nothing was saved" not in answer.words
    assert house.state(1).licences[0].quantity == 7


@pytest.mark.parametrize(
    "fields",
    [
        {"invoice_text": "Seats of {product}\n"},
        {"arrears": "last", "price": {"kind": "tiered", "bands": [{"upto": "10", "price": "2.50"}, _LAST_BAND]}},
        {"counted_on": "before-invoice", "agreement_types": ["Managed Services", "Odd, one"], "taxable": False},
        {"price": {"kind": "cost", "markup": "20.00", "decimals": 4, "write_cost": True, "per": "month"}},
    ],
)
def test_a_profile_that_is_saved_as_its_form_shows_it_stays_as_it_is(house, console, fields):
    edit_rules(house.ports, [Edit(Section.PROFILES, {"id": "premium", **fields})], KIM)
    before = house.ports.rules.load().profiles["premium"]
    assert console.send_form("/console/profiles/save", form(console.get(PROFILE))).status_code == 303
    assert house.ports.rules.load().profiles["premium"] == before


def test_own_choices_and_guards_that_are_saved_as_their_forms_show_them_stay_as_they_are(house, console):
    choices = {"price": "21.5000", "cost": "3.10", "quantity": "0", "start": "2026-11-01", "waive_until": "2026-11-03"}
    users = {"only": {"departments": ["Sales & Co", "A;B"]}, "without": {"domains": ["a.example"]}}
    sold = {"source": b.SOURCE, "sku": b.PREMIUM, "agreement": 1001, "users": users}
    days = [{"agreement": 1001, "day": "2026-11-30"}, {"agreement": 4711, "day": "2026-10-31"}]
    own = {"all_to_zero": False, "reduction": {"percent": "41.5"}, "compare_forecast": "none"}
    company = {"company": 1, "adopt_marked": True, "billed_through": days, "guards": own}
    wanted = [Edit(Section.LICENCES, {**sold, **choices}, 1), Edit(Section.COMPANIES, company), guards("25.50")]
    edition = edit_rules(house.ports, wanted, KIM).edition
    for path, action in ((LICENCE, f"{ONE}/licence"), (f"{ONE}/rules", None), (f"{ONE}/rules", f"{ONE}/guards")):
        console.send_form(action or path, sent(console.get(path), action or path))
    console.send_form(GUARDS, sent(console.get(GUARDS), GUARDS))
    assert house.ports.rules.head().edition == edition


def test_an_example_of_more_users_than_can_be_made_up_is_not_worked_out(house, console):
    counts = {"basis": "assigned", "divide_by": "1073741824", "rounding": "up"}
    edit_rules(house.ports, [Edit(Section.PROFILES, {"id": "premium", "quantity": counts})], KIM)
    page = console.get(PROFILE)
    assert page.status_code == 200
    assert "The example would count more than 5000 users" in page.words


def test_that_it_is_saved_is_told_also_where_the_look_at_the_company_fails(house, console):
    def slow(moment: str, method: str) -> None:
        raise Retryable("it is slow today", system="manage")

    page = console.get(LICENCE)
    house.manage.fault = slow
    page = console.follow(console.send_form(f"{ONE}/licence", changed(page, quantity="7")))
    assert "Saved. The look at the company failed" in page.words
    assert house.state(1).licences[0].quantity == 7


def test_who_sees_some_companies_is_not_told_for_which_others_an_edit_is_not_in_force(house, console, monkeypatch):
    def too_large(*_: object, **__: object) -> None:
        raise Refused("its rules are too large")

    house.company(2, [b.count(4)], mode=Mode.AUTO)
    house.rules(replace(house.ports.rules.load(), people=(Remit("pat@birchline.example", only=(1,)),)))
    two = Edit(Section.LICENCES, {"source": b.SOURCE, "sku": b.PREMIUM, "quantity": "7"}, 2)
    with monkeypatch.context() as patched:
        patched.setattr(house.ports.companies, "put_rules", too_large)
        with pytest.raises(Refused):
            edit_rules(house.ports, [two], KIM)
    assert "company 2: its rules are too large" in console.get("/console/approvals").words
    told = Browser(app_for(house.ports, PLATFORM), BILLER).get("/console/approvals").words
    assert "of the rules is not in force for every company. Nothing is written until it is." in told
    assert "company 2" not in told
