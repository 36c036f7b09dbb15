"""Forms of own choices, guards and profiles: nothing is lost, overwritten or told wrongly that nobody changed."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from urllib.parse import urlencode

import pytest

from shared.billing.rules import LicenceLink, Mode
from shared.errors import Retryable
from shared.rules.editing import Edit, Section
from shared.sync.approvals import Person
from shared.sync.rule_edits import edit_rules
from shared.sync.unfinished import finish_edit
from tests import builders as b
from tests.fakes.app import app_for
from tests.fakes.browser import Answer, Browser
from tests.fakes.house import House
from tests.flow.test_console import ADMIN, PLATFORM
from tests.flow.test_profiles import changed, form

KIM = Person("kim@birchline.example")
ONE, GUARDS, PROFILE = "/console/companies/1", "/console/profiles/guards", "/console/profiles/edit?id=premium"
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
