"""An administrator erases a company in a form: ticked on purpose, and told what came of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from shared.billing.rules import CompanyLink, CompanyRules, Mode
from tests import builders as b
from tests.fakes.app import app_for
from tests.fakes.browser import Browser
from tests.fakes.house import House
from tests.flow.test_console import ADMIN, PLATFORM
from tests.flow.test_own_forms import sent

ONE = "/console/companies/1"


@pytest.fixture
def house() -> House:
    """A company that is linked and billed."""
    house = House()
    house.rules(b.rules())
    house.company(1, [b.count(5)])
    house.sync(1)
    return house


@pytest.fixture
def console(house: House) -> Browser:
    return Browser(app_for(house.ports, PLATFORM), ADMIN)


def test_a_company_that_is_linked_is_not_erased_and_the_page_says_why(house, console):
    fields = sent(console.get(f"{ONE}/rules"), f"{ONE}/erase")

    page = console.follow(console.send_form(f"{ONE}/erase", {**fields, "sure": "true"}))

    assert "company 1 is not erased: the rules still link it to customers. Take it out of the rules" in page.words
    assert house.state(1).ledger


def test_an_administrator_erases_a_company_that_left_and_is_told_so(house, console):
    two = "/console/companies/2"
    house.company(2, [b.count(2)])
    house.sync(2)
    rules = CompanyRules(2, "Company 2", Mode.AUTO, (CompanyLink(b.SOURCE, "tenant-2", removed=True),))
    house.ports.companies.put_rules(rules)
    house.sync(2)
    house.clock.time = datetime(2027, 2, 1, 2, tzinfo=UTC)
    house.ports.companies.put_rules(replace(rules, links=()))
    fields = sent(console.get(f"{two}/rules"), f"{two}/erase")

    unsure = console.follow(console.send_form(f"{two}/erase", fields))
    assert "Nothing was erased: tick" in unsure.words
    assert house.ports.companies.get(2).name == "Company 2"
    told = console.follow(console.send_form(f"{two}/erase", {**fields, "sure": "true"}))

    assert "Erased: nothing is known any more of tenant-2 at microsoft365." in told.words
    assert house.ports.companies.get(2).name == "erased"
