"""Every page there is, as people with other eyes, hands and screens meet it."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page

from shared.web.app import PAGE_ROUTERS
from tests.browser.axe import Watched, is_too_wide, serious_issues
from tests.integration.house import House

#: What stands for the parameters of a page's path.
KNOWN = {
    "company": lambda house: str(house.readable()[0]),
    "run": lambda house: house.get("/api/runs").json()["runs"][0]["id"],
}
#: What pages are asked for beside their path.
ASKED = {"/console/companies/{company}/licence": "?source=microsoft365&sku=cbdc14ab-d96c-4c30-b9f4-6ada7cdc1d46"}
#: Answers that are no page: they lead to one, or are files.
NO_PAGES = {"/console", "/console/"}


#: The paths of all pages, with their parameters.
PAGES = [
    route.path
    for router in PAGE_ROUTERS
    for route in router.routes
    if "GET" in route.methods and route.path not in NO_PAGES
]


def path_of(template: str, house: House) -> str:
    path = template.format(**{name: value(house) for name, value in KNOWN.items() if f"{{{name}}}" in template})
    return path + ASKED.get(template, "")


@pytest.mark.parametrize("template", PAGES)
def test_a_page_has_no_serious_barrier_in_light_and_in_the_dark(page: Page, house: House, template: str) -> None:
    answer = page.goto(path_of(template, house))
    assert answer is not None
    assert answer.status == 200
    assert page.locator("h1").count() == 1
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert serious_issues(page) == []


@pytest.mark.parametrize("template", PAGES)
def test_a_page_needs_no_sideways_scrolling_on_a_phone_or_at_400_percent(
    page: Page, house: House, template: str
) -> None:
    page.set_viewport_size({"width": 320, "height": 640})
    page.goto(path_of(template, house))
    assert not is_too_wide(page)


def test_the_first_stop_of_the_keyboard_skips_to_the_content(page: Page) -> None:
    page.goto("/console")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"


def test_a_connection_is_tested_from_the_first_steps(page: Page) -> None:
    page.goto("/console")
    assert page.url.endswith("/console/setup")
    page.get_by_role("button", name="Test ConnectWise Manage").click()
    assert page.get_by_role("heading", name="ConnectWise Manage: in order").is_visible()


def test_without_script_a_form_acts_as_well(house: House, browser: Browser) -> None:
    context = browser.new_context(base_url=house.url(""), java_script_enabled=False)
    page = context.new_page()
    watched = Watched(page)
    page.goto("/console/setup")
    page.get_by_role("button", name="Test ConnectWise Manage").click()
    assert page.get_by_role("heading", name="ConnectWise Manage: in order").is_visible()
    assert watched.complaints == []
    context.close()
