"""The pages of mapping, as an admin's browser without script uses them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from shared.billing.agreements import Company
from shared.sync.mapping import links
from shared.sync.mapping.listing import look_again
from tests import builders as b
from tests.fakes.app import app_for
from tests.fakes.browser import Answer, Browser
from tests.fakes.house import House
from tests.flow.test_console import ADMIN, PLATFORM, READER

LINKS, SKUS, UNMAPPED = "/console/mapping", "/console/mapping/skus", "/console/mapping/unmapped"
VISIO = "c5928f49-12ba-48f7-ada3-0d743a3601d5"


@pytest.fixture
def house() -> House:
    house = House()
    house.rules(b.rules(b.profile(), b.profile(id="visio", name="Visio Plan 2", product="VISIO-2")))
    house.company(1, [b.count(5), b.count(4, sku=VISIO, name="Visio <Plan> 2")])
    house.sync(1)
    house.source.counts |= {"t-harbour": (), "t-'\"<b>": ()}
    house.source.names |= {"t-harbour": "Harbour Lane Dental Ltd", "t-'\"<b>": "Quillby <script>"}
    house.manage.companies_ = [Company(1, "one", "Company 1"), Company(2, "harbour", "Harbour Lane Dental")]
    return house


@pytest.fixture
def browser(house: House) -> Browser:
    return Browser(app_for(house.ports, PLATFORM), ADMIN)


def sent(browser: Browser, page: str, path: str, **fields: object) -> Answer:
    """The page after a form that was sent from a page."""
    assert browser.get(page).status_code == 200
    return browser.follow(browser.send_form(path, fields))


def pick(*parts: object) -> str:
    return json.dumps(parts)


def test_a_clerk_lists_accepts_links_by_hand_ignores_and_restores(house, browser):
    assert "List the customers and companies first" in browser.get(LINKS).words
    page = sent(browser, LINKS, f"{LINKS}/look")
    assert "name differs by Ltd only" in page.words
    assert "Quillby <script>" in page.words
    assert "<script>" not in page.text.partition("<main")[2]

    page = sent(browser, LINKS, f"{LINKS}/accept", pick=pick(b.SOURCE, "t-harbour", 2))
    assert "2 entries of the rules were changed" in page.words
    assert [link.customer for link in house.ports.companies.get(2).links] == ["t-harbour"]

    odd = pick(b.SOURCE, "t-'\"<b>", 0)
    page = sent(browser, LINKS, f"{LINKS}/ignore", pick=odd)
    assert "1 customer is ignored" in page.words
    sent(browser, LINKS, f"{LINKS}/restore", pick=odd)
    page = sent(browser, LINKS, f"{LINKS}/link", customer=odd, company="one")
    assert "one is no number of a company" in page.words
    page = sent(browser, LINKS, f"{LINKS}/link", customer=odd, company="2" * 5000)
    assert "is no number of a company" in page.words
    sent(browser, LINKS, f"{LINKS}/link", customer=odd, company="2")
    assert len(house.ports.companies.get(2).links) == 2


def test_everything_sure_enough_is_accepted_with_one_button(house, browser):
    look_again(house.ports)
    seen = links.links(house.ports).seen
    page = sent(browser, LINKS, f"{LINKS}/sure", confidence=80, seen=seen)
    assert "2 entries of the rules were changed" in page.words
    page = sent(browser, LINKS, f"{LINKS}/sure", confidence=80, seen=seen)
    assert "Not done. the proposals are not those that were shown any more" in page.words


def test_a_sku_is_mapped_and_its_policy_taken_away_again(house, browser):
    page = browser.get(SKUS)
    assert "Visio <Plan> 2" in page.words
    assert "Not mapped" in page.words
    edition = house.ports.rules.head().edition
    page = sent(browser, SKUS, SKUS, edition=edition, pick=pick(b.SOURCE, VISIO), profile="profile:visio")
    assert house.ports.rules.load().policy_for(b.SOURCE, VISIO).profile == "visio"
    stale = sent(browser, SKUS, f"{SKUS}/drop", edition=edition, pick=pick(b.SOURCE, VISIO))
    assert "Not done. somebody else changed the rules since you looked" in stale.words
    sent(browser, SKUS, f"{SKUS}/drop", edition=edition + 1, pick=pick(b.SOURCE, VISIO))
    assert house.ports.rules.load().policy_for(b.SOURCE, VISIO) is None


def test_what_is_unmapped_is_mapped_here_or_everywhere_ignored_and_restored(house, browser):
    here, edition = pick(1, b.SOURCE, VISIO), house.ports.rules.head().edition
    assert "Visio <Plan> 2" in browser.get(UNMAPPED).words
    page = sent(browser, UNMAPPED, f"{UNMAPPED}/ignore", edition=edition, pick=here)
    assert "Nothing is unmapped" in page.words
    sent(browser, UNMAPPED, f"{UNMAPPED}/restore", pick=here)
    sent(browser, UNMAPPED, UNMAPPED, edition=edition, pick=here, profile="profile:visio")
    assert [each.profile for each in house.state(1).licences] == ["visio"]
    sent(browser, UNMAPPED, f"{UNMAPPED}/everywhere", edition=edition + 1, pick=here, profile="none")
    assert house.ports.rules.load().policy_for(b.SOURCE, VISIO).profile is None


@pytest.mark.parametrize("path", [SKUS, UNMAPPED, f"{UNMAPPED}/everywhere"])
def test_nothing_is_mapped_or_left_unbilled_while_nobody_has_chosen(house, browser, path):
    picked = pick(b.SOURCE, VISIO) if path == SKUS else pick(1, b.SOURCE, VISIO)
    edition = house.ports.rules.head().edition
    for fields in ({"profile": ""}, {}):
        page = sent(browser, UNMAPPED, path, edition=edition, pick=picked, **fields)
        assert "Nothing was changed. Choose the profile" in page.words
    assert house.ports.rules.head().edition == edition


def test_who_changed_what_is_shown_and_downloaded(house, browser):
    assert "Nothing was changed yet" in browser.get("/console/mapping/changes").words
    edition = house.ports.rules.head().edition
    sent(browser, SKUS, SKUS, edition=edition, pick=pick(b.SOURCE, VISIO), profile="none")
    page = browser.get("/console/mapping/changes")
    assert f"policy microsoft365 {VISIO}: do_not_bill no → yes" in page.words
    table = browser.get("/console/api/rules/history.csv")
    assert table.headers["content-type"].startswith("text/csv")
    assert "pat@birchline.example" in table.text


def test_a_reader_looks_and_changes_nothing(house):
    reader = Browser(app_for(house.ports, PLATFORM), READER)
    for path in (LINKS, SKUS, UNMAPPED):
        assert "Only an administrator" in reader.get(path).words
    assert reader.send_form(f"{LINKS}/look").status_code == 403


@pytest.mark.parametrize("value", ["", "x", "[]", "{}", '["a"]', '["a", {}, 1]', '["a", "b", null]', '["a", "b", "c"]'])
def test_a_form_that_no_page_made_is_refused(browser, value):
    browser.get(LINKS)
    assert browser.send_form(f"{LINKS}/accept", {"pick": value}).status_code == 422


def test_long_tables_come_in_pages_and_are_searched(house, browser):
    many = [b.count(1, sku=f"sku-{number:03d}", name=f"Product {number:03d}") for number in range(205)]
    house.count(1, *(replace(count, customer="tenant-1") for count in many))
    house.sync(1)
    for path in (SKUS, UNMAPPED):
        first, second = browser.get(path), browser.get(f"{path}?page=2")
        assert first.text.count('name="pick"') == 200
        assert "Page 1 of 2" in first.words
        assert 5 <= second.text.count('name="pick"') <= 7
        assert "Product 204" in second.words
        found = browser.get(f"{path}?search=product+07")
        assert found.text.count('name="pick"') == 10
        assert "Page" not in found.words
        assert browser.get(f"{path}?page=99").text.count('name="pick"') == second.text.count('name="pick"')


def test_the_profiles_lead_to_their_skus_by_name(browser):
    assert "/console/mapping/skus?profile=premium" in browser.get("/console/profiles").text
    page = browser.get(f"{SKUS}?profile=premium")
    assert "Business Premium" in page.words
    assert "Visio" not in page.words.partition("Only what")[2].partition("Bill what is ticked")[0]
