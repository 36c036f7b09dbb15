"""Billing profiles in the console: the form, what is wrong with it, the worked example, and who saved what."""

from __future__ import annotations

from decimal import Decimal
from html import unescape
from re import findall

import pytest

from shared.billing.profiles import Band, BillingProfile, PriceKind, PriceRule, QuantityRule
from shared.errors import NotPermitted
from shared.rules.single import fields_of as rules_fields
from shared.rules.single import profile_of
from shared.web.pages.profile_form import FIELDS, fields_of, texts_of
from shared.web.principal import Access, Principal, Role
from tests import builders as b
from tests.fakes.app import app_for
from tests.fakes.browser import Answer, Browser
from tests.fakes.house import House

EDIT = "/console/profiles/edit"


@pytest.fixture
def house() -> House:
    house = House()
    house.rules(b.rules())
    return house


def browser(house: House, role: Role = Role.ADMIN) -> Browser:
    return Browser(app_for(house.ports, Access(stand_in=Principal("kim@birchline.example", frozenset({role})))))


def form(page: Answer) -> dict[str, str]:
    """What a browser would send of the form as it stands."""
    found = {}
    for tag in findall(r"<input[^>]*>", page.text):
        name, value = findall(r'name="([^"]*)"', tag), findall(r'value="([^"]*)"', tag)
        if name and not ('type="checkbox"' in tag and "checked" not in tag):
            text = unescape(value[0]) if value else ""
            several = name[0] in found and ('type="checkbox"' in tag or not text)
            found[name[0]] = f"{found[name[0]]}\n{text}".strip() if several else text
    for tag, name, text in findall(r'(<textarea[^>]*name="([^"]*)"[^>]*>)([^<]*)', page.text):
        assert tag
        found[name] = unescape(text)
    for name, options in findall(r'<select[^>]*name="([^"]*)"[^>]*>(.*?)</select>', page.text.replace("\n", " ")):
        chosen = findall(r'<option value="([^"]*)" selected', options) or findall(r'<option value="([^"]*)"', options)
        found[name] = chosen[0]
    return found


def changed(page: Answer, **values: str) -> dict[str, str]:
    return form(page) | {name.replace("__", "."): value for name, value in values.items()}


# ---- the form


def test_agreement_types_are_chosen_among_those_of_manage_and_typed_where_it_does_not_tell_them(house):
    console = browser(house)
    page = console.get(f"{EDIT}?id=premium")
    types = findall(r'name="agreement_types" value="([^"]+)"( checked)?', page.text)
    assert types == [("Cloud", ""), ("Managed Services", " checked"), ("Projects", "")]
    saved = console.send_form("/console/profiles/save", form(page) | {"agreement_types": ["Cloud", "Projects", "Odd"]})
    assert saved.status_code == 303
    assert house.ports.rules.load().profiles["premium"].agreement_types == ("Cloud", "Projects", "Odd")
    assert 'value="Odd" checked' in console.get(f"{EDIT}?id=premium").text

    def refused(moment: str, method: str) -> None:
        if method == "agreement types":
            raise NotPermitted("no setup tables", system="Manage", status=403)

    house.manage.fault = refused
    page = console.get(f"{EDIT}?id=premium")
    assert form(page)["agreement_types"] == "Cloud\nProjects\nOdd"
    assert '<label for="agreement_types">' in page.text


@pytest.mark.parametrize(
    "profile",
    [
        b.profile(),
        b.profile(price=PriceRule(PriceKind.CUSTOM, Decimal("24.50")), taxable=True, invoice_text="{product}\n{users}"),
        b.profile(
            price=PriceRule(PriceKind.TIERED, bands=(Band(Decimal(10), Decimal(8)), Band(None, Decimal(6), "X-1")))
        ),
        b.profile(quantity=QuantityRule(without_subscriptions=("one", "two"), included=Decimal("2.5"))),
        b.profile(quantity=QuantityRule(without_statuses=("pendingmanual",))),
        b.profile(agreement_types=("Managed Services", "Cloud"), replaces=("OLD-1",), update_only=True),
    ],
)
def test_a_profile_comes_back_from_its_form_as_it_was(profile: BillingProfile):
    assert profile_of(fields_of(texts_of(rules_fields(profile)))) == profile


def test_every_field_of_the_rules_stands_in_the_form():
    def places(fields: dict, before: str = "") -> set[str]:
        parts = [(f"{before}{name}", value) for name, value in fields.items()]
        return {
            place
            for name, value in parts
            for place in (places(value, f"{name}.") if isinstance(value, dict) else {name})
        }

    assert places(rules_fields(b.profile())) == {field.place for field in FIELDS}


def test_the_list_and_the_form_are_there_for_every_reader_and_only_an_admin_saves(house):
    reader = browser(house, Role.READER)
    assert "Microsoft 365 Business Premium" in reader.get("/console/profiles").words
    page = reader.get(f"{EDIT}?id=premium")
    assert "Save the profile" not in page.words
    assert reader.send_form("/console/profiles/example", form(page)).status_code == 200
    assert reader.send_form("/console/profiles/save", form(page)).status_code == 403
    assert reader.get(f"{EDIT}?id=another").status_code == 404
    assert "There is no profile yet" in browser(House()).get("/console/profiles").words


def test_the_example_is_worked_again_with_what_was_typed_and_stores_nothing(house):
    console = browser(house)
    page = console.get(f"{EDIT}?id=premium")
    assert "2 more since 10 Nov 2026: 20 of 30 days × 25.00 = 16.67 each" in page.words
    assert "283.34" in page.words
    again = console.send_form("/console/profiles/example", changed(page, proration__rule="none", scene__after="11"))
    assert again.status_code == 200
    assert "from 1 Dec 2026 11 instead of 8" in again.words
    assert "16.67" not in again.words
    assert house.ports.rules.load().profiles["premium"].proration.rule.value == "computed"


def test_a_saved_profile_bills_from_then_on_and_stands_in_the_history_of_the_rules(house):
    console = browser(house)
    page = console.get(f"{EDIT}?id=premium")
    saved = console.send_form(
        "/console/profiles/save", changed(page, price__kind="custom", price__amount="27.50", agreement_types="Cloud")
    )
    assert "Saved." in console.follow(saved).words
    profile = house.ports.rules.load().profiles["premium"]
    assert profile.price == PriceRule(PriceKind.CUSTOM, Decimal("27.50"))
    assert profile.agreement_types == ("Cloud",)
    told = console.get("/console/api/rules/history").json()
    assert "kim@birchline.example" in str(told)
    nothing = console.send_form("/console/profiles/save", form(console.get(f"{EDIT}?id=premium")))
    assert "Nothing had changed." in console.follow(nothing).words


def test_a_new_profile_is_made_and_never_over_another_one(house):
    console = browser(house)
    page = console.get(EDIT)
    new = changed(page, id="backup", name="Backup", product="BACKUP")
    console.follow(console.send_form("/console/profiles/save", new))
    assert set(house.ports.rules.load().profiles) == {"premium", "backup"}
    over = changed(console.get(EDIT), id="premium", name="Another", product="BACKUP")
    answer = console.send_form("/console/profiles/save", over)
    assert (answer.status_code, "of another profile already" in answer.words) == (422, True)
    renamed = changed(console.get(f"{EDIT}?id=backup"), id="backup-2")
    assert "cannot be changed" in console.send_form("/console/profiles/save", renamed).words


def test_what_is_wrong_is_said_at_its_field_and_what_was_typed_stays(house):
    console = browser(house)
    page = console.get(f"{EDIT}?id=premium")
    wrong = changed(
        page, product="", quantity__included="few", price__kind="custom", scene__day="someday", price__bands="10; 8"
    )
    for path in ("/console/profiles/save", "/console/profiles/example"):
        answer = console.send_form(path, wrong)
        assert answer.status_code == 422
        assert 'value="few"' in answer.text
        assert 'must be a number such as 25.00, not "few"' in answer.words
        assert "identifier of the product in Manage" in answer.words
        assert "must be a date such as 2026-11-10" in answer.words
    assert house.ports.rules.load().version == 1


def test_what_does_not_fit_a_part_as_a_whole_is_told_above_the_form(house):
    console = browser(house)
    page = console.get(f"{EDIT}?id=premium")
    answer = console.send_form("/console/profiles/save", changed(page, price__kind="custom"))
    assert "price: needs an amount with kind custom" in answer.words


def test_ranges_of_usage_are_typed_worked_and_saved_like_any_price(house):
    console = browser(house)
    page = console.get(f"{EDIT}?id=premium")
    ranges = {
        "price__kind": "package",
        "price__bands": "100; 25.00\n500; 60.00; BACKUP-M\n*; 120.00; BACKUP-L",
        "scene__before": "80",
        "scene__after": "240",
    }
    seats = console.send_form("/console/profiles/example", changed(page, **ranges))
    assert "kind package, which bills usage only; write arrears: highest or last beside it" in seats.words

    usage = changed(page, **ranges, arrears="highest")
    worked = console.send_form("/console/profiles/example", usage)
    assert "240 used for 1 Nov 2026 to 30 Nov 2026, the package above 100 up to 500: 1 × 60.00 = 60.00" in worked.words
    console.follow(console.send_form("/console/profiles/save", usage))
    bands = house.ports.rules.load().profiles["premium"].price.bands
    assert [(band.upto, band.price, band.product) for band in bands] == [
        (Decimal(100), Decimal("25.00"), None),
        (Decimal(500), Decimal("60.00"), "BACKUP-M"),
        (None, Decimal("120.00"), "BACKUP-L"),
    ]
    assert ranges["price__bands"] in console.get(f"{EDIT}?id=premium").text


def test_rules_that_somebody_else_changed_are_not_written_over(house):
    console = browser(house)
    page = console.get(f"{EDIT}?id=premium")
    console.send_form("/console/profiles/save", changed(page, name="First"))
    late = console.send_form("/console/profiles/save", changed(page, name="Second"))
    assert late.status_code == 422
    assert "somebody else changed the rules" in late.words
    assert 'value="Second"' in late.text
    lost = console.send_form("/console/profiles/save", changed(page, edition=""))
    assert "Load the page again" in lost.words


# ---- for programs


def test_programs_read_profiles_and_work_examples(house):
    api = browser(house, Role.READER)
    (listed,) = api.get("/console/api/profiles").json()["profiles"]
    assert (listed["id"], listed["skus"]) == ("premium", [f"{b.SOURCE} {b.PREMIUM}"])
    fields = api.get("/console/api/profiles/fields?id=premium").json()["profile"]
    scene = {"day": "2026-11-10", "before": "8", "after": "10", "price": "25"}
    told = api.post("/console/api/profiles/example", json={"profile": fields, "scene": scene}).json()
    assert [invoice["total"] for invoice in told["invoices"]] == [283.34, 250.0]
    wrong = api.post("/console/api/profiles/example", json={"profile": {}, "scene": scene})
    assert wrong.status_code == 400
    assert "product: is missing" in wrong.json()["error"]
    many = api.post("/console/api/profiles/example", json={"profile": fields, "scene": {**scene, "after": 10**6}})
    assert many.status_code == 422
