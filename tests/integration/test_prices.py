"""Prices that nobody may have meant: below cost, or in another currency than before. Told, and nothing is written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from local.sandbox.world.rules import rules_document
from shared.billing.planning.choices import ChoiceKind
from shared.sync.approvals import Person
from shared.sync.choices import choose
from tests.integration.house import NIGHT, House, a_house

PAT = Person("pat@birchline.example", "203.0.113.7")
CANADIAN = {"id": 2, "name": "Canadian Dollar", "currencyCode": "CAD"}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with a_house(tmp_path, companies=3) as house:
        yield house


def night(house: House) -> None:
    house.host()
    house.start_night()
    house.ended(NIGHT)


def test_an_agreement_in_another_currency_is_left_alone_until_a_person_confirms_it(house: House) -> None:
    house.import_rules("auto")
    night(house)
    states = {company: house.ports.company_state.load(company) for company in house.readable()}
    company = next(company for company, state in states.items() if state.ledger)
    agreement = next(iter(states[company].ledger.values())).key.agreement
    assert states[company].invoiced[agreement].currency == "USD"
    edit = {"do": "edit-agreement", "agreement": agreement, "fields": {"currency": CANADIAN}}
    house.control("POST", "person", edit)
    for sku in house.skus(company):
        house.seats(company, sku, 17)
    house.forget_calls()

    assert house.sync(company)["findings"]["currency"] == 1
    assert house.writes() == 0

    synced = choose(house.ports, company, ChoiceKind.CONFIRM, PAT, bill_item=f"agreement/{agreement}")
    assert "currency" not in synced.report.findings
    assert sum(synced.report.planned.values()) > 0
    assert house.ports.company_state.load(company).invoiced[agreement].currency == "CAD"


def test_lines_below_what_the_catalog_says_that_they_cost_stay_as_people_left_them(house: House) -> None:
    price = {"kind": "keep", "below_cost": "refuse"}
    profiles = [profile | {"price": dict(price)} for profile in rules_document(house.sandbox.msp, "auto")["profiles"]]
    house.import_rules("auto", profiles=profiles)
    for line in house.additions():
        house.control("POST", "person", {"do": "edit", "addition": line["id"], "fields": {"unitPrice": 0.01}})
    before = {line["id"]: line for line in house.additions()}
    night(house)
    found = {kind for company in house.readable() for kind, _ in house.ports.company_state.load(company).findings}
    assert "price" in found
    assert {line["id"]: line for line in house.additions() if line["id"] in before} == before
