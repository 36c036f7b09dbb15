"""A company's own choices in forms: billed as they say at once, recorded with the person, and taken back."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from decimal import Decimal
from html import unescape
from urllib.parse import urlencode

import pytest

from shared.billing.counts import AccountKind
from shared.billing.limits import Guards, ReductionLimit
from shared.billing.profiles import Basis
from shared.billing.rules import CompanyLink, CompanyRules, LicenceLink, Mode, Remit
from shared.billing.users import Traits, Users
from tests import builders as b
from tests.fakes.app import app_for
from tests.fakes.browser import Answer, Browser
from tests.fakes.house import House
from tests.flow.test_console import ADMIN, BILLER, PLATFORM
from tests.flow.test_profiles import changed, form

DROP = "/console/api/companies/1/licence/drop"
ONE, GUARDS = "/console/companies/1", "/console/profiles/guards"
LICENCE = f"{ONE}/licence?{urlencode({'source': b.SOURCE, 'sku': b.PREMIUM})}"


@pytest.fixture
def house() -> House:
    """Company 1 is billed 5 Premium at 25.00 EUR by the policy, on the one of its two agreements that fits."""
    house = House()
    house.rules(b.rules(b.profile(), b.profile(id="plain", name="Plain", product="M365-BS")))
    house.company(1, [b.count(5)], [b.addition(11, 5)], mode=Mode.AUTO)
    house.company(2, [b.count(4)], mode=Mode.OBSERVE)
    house.manage.agreements_[1002] = b.agreement(1002, company_id=1, name="Projects", type="Projects")
    for number, agreement in house.manage.agreements_.items():
        house.manage.agreements_[number] = replace(agreement, currency="EUR")
    house.sync(1)
    return house


def browser(house: House, headers: dict[str, str] = BILLER) -> Browser:
    return Browser(app_for(house.ports, PLATFORM), headers)


def saved(console: Browser, page: Answer, path: str = f"{ONE}/licence", **values: str) -> Answer:
    return console.follow(console.send_form(path, changed(page, **values)))


def own(house: House) -> tuple[LicenceLink, ...]:
    return house.state(1).licences


def test_a_clerk_gives_one_company_a_price_a_quantity_and_another_agreement(house):
    console = browser(house)
    page = console.get(LICENCE)
    assert "the policy holds in everything" in page.words
    assert (
        "Of one unit for each billing cycle in EUR. Empty: as the profile says, keep what stands (now 25.00 EUR)."
        in page.words
    )

    page = saved(console, page, price="21.50", quantity="7")

    assert "Saved. Looked at now. Written:" in page.words
    assert own(house) == (LicenceLink(b.SOURCE, b.PREMIUM, price=Decimal("21.50"), quantity=Decimal(7)),)
    lines = [line for line in house.manage.lines.values() if line.cancelled_date is None]
    assert [(line.quantity, line.unit_price) for line in lines] == [(7, Decimal("21.50"))]
    assert "price nothing → 21.50" in page.words
    assert "pat@birchline.example" in console.get(f"{ONE}/history").words

    page = saved(console, console.get(LICENCE), price="", agreement="1002")
    assert own(house) == (LicenceLink(b.SOURCE, b.PREMIUM, agreement=1002, quantity=Decimal(7)),)
    assert "own choice" in console.get(LICENCE).words


def test_a_company_is_billed_by_a_product_of_its_own_at_the_cost_that_it_names(house):
    console = browser(house)
    page = console.get(LICENCE)
    assert "Empty: M365-BP, as the profile says." in page.words
    house.manage.catalog["M365-OWN"] = b.product("M365-OWN", 90, price="31.00")
    saved(console, page, product="M365-OWN", cost="12.25")
    assert own(house) == (LicenceLink(b.SOURCE, b.PREMIUM, product="M365-OWN", cost=Decimal("12.25")),)
    lines = [line for line in house.manage.lines.values() if line.product == "M365-OWN"]
    assert [(line.unit_price, line.unit_cost) for line in lines] == [(Decimal(31), Decimal("12.25"))]


def test_what_is_wrong_is_said_at_its_field_and_what_was_typed_stays(house):
    console = browser(house)
    page = console.get(LICENCE)
    answer = console.send_form(f"{ONE}/licence", changed(page, price="twenty", quantity="6", start="soon"))
    assert answer.status_code == 422
    assert 'must be a number such as 25.00, not "twenty"' in answer.words
    assert 'id="price" name="price" aria-describedby="help-price error-price-1" aria-invalid="true"' in answer.text
    assert (form(answer)["price"], form(answer)["quantity"], form(answer)["start"]) == ("twenty", "6", "soon")
    assert own(house) == ()


def test_a_form_that_others_overtook_is_not_saved_and_keeps_what_was_typed(house):
    console = browser(house)
    page = console.get(LICENCE)
    saved(console, console.get(LICENCE), quantity="6")
    answer = console.send_form(f"{ONE}/licence", changed(page, price="19.00"))
    assert answer.status_code == 422
    assert "somebody else changed the rules since you looked" in answer.words
    assert form(answer)["price"] == "19.00"
    assert own(house)[0].price is None


def test_a_field_that_is_emptied_is_the_policys_again_and_a_link_without_choices_goes(house):
    console = browser(house)
    saved(console, console.get(LICENCE), price="21.50", profile="plain")
    assert own(house)[0].profile == "plain"
    saved(console, console.get(LICENCE), price="", profile="")
    assert own(house) == ()
    assert "Nothing had changed." in saved(console, console.get(LICENCE)).words


def test_what_does_not_fit_another_company_is_told_without_naming_it_to_who_does_not_see_that(house):
    shared = (CompanyLink(b.SOURCE, "tenant-2"),)
    silent = (LicenceLink(b.SOURCE, b.PREMIUM, do_not_bill=True),)
    house.ports.companies.put_rules(CompanyRules(1, "Company 1", Mode.OBSERVE, shared, silent))
    sold = {"source": b.SOURCE, "sku": b.PREMIUM}
    assert "company 2 Company 2" in browser(house, ADMIN).post(DROP, json=sold).json()["error"]

    kim = Remit("pat@birchline.example", only=(1,))
    house.rules(replace(house.ports.rules.load(), people=(kim,)))
    refused = browser(house).post(DROP, json=sold).json()
    assert "does not fit what holds for another company" in refused["error"]
    assert "company 2" not in str(refused).lower()


def test_all_own_choices_are_taken_back_at_once(house):
    console = browser(house)
    saved(console, console.get(LICENCE), quantity="9", start="2026-12-01")
    assert own(house)[0].start == date(2026, 12, 1)
    page = console.get(LICENCE)
    assert "Take all own choices back" in page.words
    console.follow(console.send_form(f"{ONE}/licence/drop", form(page)))
    assert own(house) == ()


def test_that_it_is_not_billed_stays_when_something_else_is_chosen(house):
    console = browser(house)
    sold = {"source": b.SOURCE, "sku": b.PREMIUM}
    console.get(ONE)
    console.send_form(f"{ONE}/billing", {**sold, "how": "until", "until": "2027-03-01"})
    saved(console, console.get(LICENCE), price="20.00")
    assert own(house) == (LicenceLink(b.SOURCE, b.PREMIUM, price=Decimal("20.00"), do_not_bill_until=date(2027, 3, 1)),)


def test_a_department_gets_a_line_of_its_own_and_one_that_is_there_is_not_overwritten(house):
    console = browser(house)
    page = console.get(f"{LICENCE}&new=true")
    assert "Short name" in page.words
    house.rules(b.rules(b.profile(quantity=replace(b.profile().quantity, basis=Basis.ASSIGNED))))
    sales = {"part": "sales", "users__only__departments": "Sales\nField sales"}
    saved(console, console.get(f"{LICENCE}&new=true"), **sales)
    assert own(house)[0].part == "sales"
    assert own(house)[0].users == Users(only=Traits(departments=("Sales", "Field sales")))

    again = console.send_form(f"{ONE}/licence", changed(console.get(f"{LICENCE}&new=true"), part="sales"))
    assert again.status_code == 422
    assert "There is a line with this short name already." in again.words
    assert len(own(house)) == 1


def test_guests_get_a_line_of_their_own_by_a_tick_and_disabled_accounts_are_left_out_of_it(house):
    house.rules(b.rules(b.profile(quantity=replace(b.profile().quantity, basis=Basis.ASSIGNED))))
    console = browser(house)
    page = console.get(f"{LICENCE}&new=true")
    assert "Only these accounts" in page.words
    assert 'name="more-' not in page.text
    ticked = {"users__only__accounts": "guests", "users__without__accounts": "disabled"}
    saved(console, page, part="guests", **ticked)
    guests, disabled = (Traits(accounts=(kind,)) for kind in (AccountKind.GUESTS, AccountKind.DISABLED))
    assert [(licence.part, licence.users) for licence in own(house)] == [("guests", Users(guests, disabled))]


def test_one_of_two_customers_is_billed_by_choices_of_its_own(house):
    links = tuple(CompanyLink(b.SOURCE, customer) for customer in ("tenant-1", "tenant-9"))
    house.ports.companies.put_rules(CompanyRules(1, "Company 1", Mode.OBSERVE, links))
    console = browser(house)
    page = console.get(LICENCE)
    assert "every customer" in page.words
    saved(console, page, customer="tenant-9", price="18.00")
    assert own(house) == (LicenceLink(b.SOURCE, b.PREMIUM, "tenant-9", price=Decimal("18.00")),)


def test_findings_lead_to_the_form_that_settles_them(house):
    house.manage.agreements_[1002] = replace(house.manage.agreements_[1002], type="Managed Services")
    house.company(3, [b.count(4, customer="tenant-3"), b.count(2, sku=b.STANDARD, customer="tenant-3")])
    house.manage.agreements_[1004] = b.agreement(1004, company_id=3, name="A second one")
    house.sync(3)
    console, three = browser(house), "/console/companies/3"
    page = console.get(three)
    assert {"Agreement not clear", "No rule bills it"} <= set(re.findall(r"<h3[^>]*>([^<]+?) <small", page.text))
    forms = [
        unescape(path) for path in re.findall(r'class="button" href="([^"]+/licence[^"]+)">How it is billed', page.text)
    ]
    assert forms == [f"{three}/licence?source={b.SOURCE}&sku={sku}" for sku in (b.PREMIUM, b.STANDARD)]

    saved(console, console.get(forms[0]), f"{three}/licence", agreement="1004")
    assert saved(console, console.get(forms[1]), f"{three}/licence", profile="plain", agreement="1004")
    assert {key for kind, key in house.state(3).findings if kind in ("ambiguous-agreement", "unmapped")} == set()
    assert {line.agreement_id for line in house.manage.lines.values() if line.id > 11} == {1004}


def test_what_is_billed_already_is_said_by_agreement_and_taken_back(house):
    console = browser(house)
    page = console.get(f"{ONE}/rules")
    assert "Empty: until 30 Nov 2026, as read in Manage." in page.words
    page = saved(console, page, f"{ONE}/rules", billed_through__1001="2026-12-31", adopt_marked="true")
    assert "Saved." in page.words
    state = house.state(1)
    assert (state.billed_through, state.adopt_marked) == ({1001: date(2026, 12, 31)}, True)

    wrong = console.send_form(f"{ONE}/rules", changed(console.get(f"{ONE}/rules"), billed_through__1002="31.12."))
    assert wrong.status_code == 422
    assert 'aria-describedby="help-billed_through.1002 error-billed_through.1002-1"' in wrong.text
    assert form(wrong)["billed_through.1002"] == "31.12."

    left = {name: text for name, text in form(console.get(f"{ONE}/rules")).items() if name != "adopt_marked"}
    console.send_form(f"{ONE}/rules", left | {"billed_through.1001": ""})
    assert (house.state(1).billed_through, house.state(1).adopt_marked) == ({}, False)


def test_a_companys_own_guards_follow_the_msps_in_everything_that_they_leave_out(house):
    console = browser(house, ADMIN)
    page = console.get(f"{ONE}/rules")
    assert "Empty: 25, as everywhere." in page.words
    saved(console, page, f"{ONE}/guards", guards__reduction__units="60")
    assert house.state(1).guards == Guards(reduction=ReductionLimit(units=Decimal(60)))

    page = saved(console, console.get(GUARDS), GUARDS, guards__reduction__percent="40", guards__all_to_zero="false")
    assert "Saved. They hold from the next look on." in page.words
    assert house.ports.rules.load().guards == Guards(ReductionLimit(percent=Decimal(40)), all_to_zero=False)
    assert house.state(1).guards == Guards(ReductionLimit(percent=Decimal(40), units=Decimal(60)), all_to_zero=False)
    assert "guards: reduction.percent 30 → 40" in str(console.get("/console/api/rules/history").json())

    saved(console, console.get(f"{ONE}/rules"), f"{ONE}/guards", guards__reduction__units="")
    assert house.state(1).guards is None
    assert house.ports.companies.get(1).mode is Mode.AUTO


def test_guards_that_make_no_sense_are_not_saved_and_stay_as_typed(house):
    console = browser(house, ADMIN)
    answer = console.send_form(GUARDS, changed(console.get(GUARDS), guards__reduction__percent="140", fleet__after="x"))
    assert answer.status_code == 422
    assert "must be a percentage from 0 to 100" in answer.words
    assert "must be a whole number from 0 to 1000" in answer.words
    assert form(answer)["guards.reduction.percent"] == "140"
    assert house.ports.rules.load().guards == Guards()


def test_the_json_routes_do_what_the_forms_do(house):
    console = browser(house, ADMIN)
    api = "/console/api/companies/1"
    sold = {"source": b.SOURCE, "sku": b.PREMIUM}
    done = console.post(f"{api}/licence", json={**sold, "fields": {"quantity": 6}}).json()
    assert done["changed"] == [
        f"company 1 Company 1, licence {b.SOURCE} {b.PREMIUM}: added",
        f"company 1 Company 1, licence {b.SOURCE} {b.PREMIUM}: quantity nothing → 6",
    ]
    told = console.get(f"{api}/licence", params=sold).json()
    assert (told["standing"], told["fields"]["quantity"], told["policy"]["profile"]["id"]) == (True, "6", "premium")
    assert console.post(f"{api}/licence", json={**sold, "fields": {"quantity": 0}}).json()["changed"] != []
    assert own(house)[0].quantity == 0
    assert console.post(f"{api}/licence/drop", json=sold).json()["changed"] != []
    wrong = console.post(f"{api}/rules", json={"billed_through": [{"agreement": 0, "day": "2026-12-31"}]})
    assert "must be the number of a Manage record" in wrong.json()["error"]
    assert console.post(f"{api}/guards", json={"guards": {"changes_per_day": 5}}).status_code == 200
    assert console.get(f"{api}/rules").json()["guards"] == {"changes_per_day": 5}
    edits = [{"section": "guards", "fields": {"changes_per_day": 50}}, {"section": "fleet", "drop": True, "fields": {}}]
    assert console.post("/console/api/rules/edits", json={"edits": edits}).status_code == 200
    assert console.get("/console/api/rules/guards").json()["guards"]["changes_per_day"] == 50
