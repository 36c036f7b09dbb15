"""Pages after a form or an error, and with much on them: no barrier there either, and complete without script."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Browser, Page, expect

from tests.browser.axe import Watched, serious_issues
from tests.integration.house import SECOND, House

SCHEMES = ("light", "dark")
#: More presses of Tab than there are fields on a page.
FAR = 300


def posted(house: House, path: str, body: object) -> requests.Response:
    """What a page does, by the JSON route that does the same."""
    answer = requests.post(house.url(f"/console/api/{path}"), json=body, timeout=SECOND)
    assert answer.status_code in (200, 202), answer.text
    return answer


def told(house: House, path: str) -> dict:
    answer = requests.get(house.url(f"/console/api/{path}"), timeout=SECOND)
    assert answer.status_code == 200, answer.text
    return answer.json()


def profile_with_mistakes(page: Page, house: House) -> None:
    page.goto("/console/profiles/edit")
    page.get_by_label("Short name").fill("new one")
    page.get_by_label("Included", exact=True).fill("many")
    page.get_by_role("button", name="Save the profile").click()
    expect(page.get_by_role("alert")).to_contain_text('not "many"')
    expect(page.get_by_label("Short name")).to_have_value("new one")


def profile_with_example(page: Page, house: House) -> None:
    page.goto("/console/profiles")
    page.locator("table a").first.click()
    page.get_by_role("button", name="Show the example").click()
    expect(page.get_by_role("heading", name="What would happen")).to_be_visible()


def nothing_ticked(page: Page, house: House) -> None:
    page.goto("/console/approvals")
    page.get_by_role("button", name="Approve ticked").first.click()
    expect(page.get_by_role("alert")).to_contain_text("Not done. Tick what is to be decided first.")


def rejected(page: Page, house: House) -> None:
    page.goto("/console/approvals")
    section = page.locator("form", has=page.get_by_role("button", name="Reject ticked")).last
    section.locator("input[name=chosen]").first.check()
    section.get_by_label("Why not").fill("they are leaving")
    section.get_by_role("button", name="Reject ticked").click()
    expect(page.get_by_role("status")).to_contain_text("Rejected.")
    expect(page.get_by_role("main")).to_contain_text("they are leaving")


def rejected_by_keyboard(page: Page, house: House) -> None:
    page.goto("/console/approvals")
    page.locator("input[name=chosen]").first.focus()
    page.keyboard.press("Space")
    for _ in range(FAR):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent").strip() == "Reject ticked":
            break
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Rejected.")


def licence_with_mistakes(page: Page, house: House) -> None:
    page.goto(f"/console/companies/{house.readable()[0]}")
    page.get_by_role("link", name="How it is billed").first.click()
    page.get_by_label("Fixed quantity", exact=True).fill("many")
    page.get_by_role("button", name="Save, and look at the company").click()
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_label("Fixed quantity", exact=True)).to_have_value("many")


def import_with_errors(page: Page, house: House) -> None:
    page.goto("/console/mapping/exchange")
    wrong = {"name": "policies.csv", "mimeType": "text/csv", "buffer": b"source,sku,profile\nmicrosoft365,x,nowhere\n"}
    page.get_by_label("The edited file").set_input_files(wrong)
    page.get_by_role("button", name="Show what would change").click()
    expect(page.get_by_role("alert")).to_contain_text("nowhere")


def holders_of_a_licence(page: Page, house: House) -> None:
    page.goto(f"/console/companies/{house.readable()[0]}")
    page.get_by_role("link", name="Who holds it").first.click()
    expect(page.get_by_role("region", name="Who holds")).to_be_visible()


def refused_by_a_tenant(page: Page, house: House) -> None:
    page.goto("/console/setup")
    missing = page.get_by_role("row").filter(has_text="consent is missing").first
    missing.get_by_role("button", name="Test").click()
    expect(page.get_by_role("heading", name="not in order")).to_be_visible()


def nowhere(page: Page, house: House) -> None:
    page.goto("/console/nowhere")
    expect(page.get_by_role("heading", level=1)).to_be_visible()


def filled_reconciliation(page: Page, house: House) -> None:
    page.goto(f"/console/reports?every=true&search={house.readable()[0]}")
    assert page.locator("tbody tr").count() >= 5


def filled_shadow(page: Page, house: House) -> None:
    page.goto("/console/reports/shadow")
    assert page.locator("tbody tr").count() > 1
    assert page.locator("svg.chart").count() >= 1


STATES: list[Callable[[Page, House], None]] = [
    profile_with_mistakes,
    nothing_ticked,
    rejected,
    rejected_by_keyboard,
    licence_with_mistakes,
    import_with_errors,
    holders_of_a_licence,
    refused_by_a_tenant,
    nowhere,
    filled_reconciliation,
    filled_shadow,
]


@pytest.fixture(scope="module", autouse=True)
def one_observed(house: House) -> None:
    """A company that is only observed, so that there is shadow billing to show."""
    company = house.readable()[-1]
    posted(house, f"companies/{company}/mode", {"mode": "observe"})
    posted(house, f"companies/{company}/sync", {})
    assert told(house, "shadow")["rows"]


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_a_page_has_no_serious_barrier_in_this_state_either(page: Page, house: House, state) -> None:
    state(page, house)
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        assert serious_issues(page) == []


@pytest.fixture
def plain(house: House, browser: Browser) -> Iterator[Page]:
    """A visitor whose browser runs no script."""
    context = browser.new_context(base_url=house.url(""), java_script_enabled=False)
    page = context.new_page()
    watched = Watched(page)
    yield page
    context.close()
    assert watched.complaints == []


@pytest.mark.parametrize(
    "state",
    [profile_with_mistakes, profile_with_example, nothing_ticked, rejected, holders_of_a_licence, refused_by_a_tenant],
    ids=lambda state: state.__name__,
)
def test_without_script_it_comes_to_the_same(plain: Page, house: House, state) -> None:
    state(plain, house)


def test_without_script_lists_are_filtered_and_files_are_imported(plain: Page, house: House, tmp_path: Path) -> None:
    plain.goto("/console/companies")
    plain.get_by_label("Mode").select_option("observe")
    plain.get_by_role("button", name="Show", exact=True).click()
    expect(plain.get_by_role("main")).to_contain_text("1 of 12 companies")
    file = tmp_path / "policies.csv"
    with plain.context.new_page() as other:
        other.goto("/console/mapping/exchange")
        with other.expect_download() as download:
            other.get_by_role("link", name="Policies (CSV)").click()
        download.value.save_as(file)
    plain.goto("/console/mapping/exchange")
    plain.get_by_label("The edited file").set_input_files(file)
    plain.get_by_role("button", name="Show what would change").click()
    expect(plain.get_by_role("main")).to_contain_text("of policies")
