"""A clerk's first afternoon at the console of an MSP that has nothing yet, by what stands on the pages."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import pytest
from openpyxl import load_workbook
from playwright.sync_api import Browser, Page, expect

from local.sandbox.world.skus import SKUS
from tests.browser.axe import Watched, serious_issues
from tests.browser.conftest import PERSON, chromium
from tests.integration.house import TWO, House, a_house

ENOUGH = 60_000  # a bound in milliseconds for one page, not a measurement
COMPANIES = 4
PREMIUM = SKUS["M365-BP"]


class Afternoon(NamedTuple):
    """Somebody at the console of a house; `company` is one whose Business Premium seats nobody has doubts about."""

    page: Page
    house: House
    company: int

    def press(self, button: str) -> None:
        """Sends a form and waits for the page that follows, which has no serious barrier."""
        with self.page.expect_navigation():
            self.page.get_by_role("button", name=button).first.click()
        assert serious_issues(self.page) == [], button

    def told(self) -> str:
        return self.page.get_by_role("main").inner_text()[:600]


@pytest.fixture
def afternoon(tmp_path: Path, browser: Browser) -> Iterator[Afternoon]:
    """An MSP with its connections set and nothing else: no rules, no links, no run."""
    chromium()
    with a_house(tmp_path, companies=COMPANIES) as house:
        house.host(TRUEUP_LOCAL_PERSON=f"{PERSON}: TrueUp.Admin")
        house.clock(TWO + timedelta(hours=12))
        context = browser.new_context(base_url=house.url(""), reduced_motion="reduce")
        page = context.new_page()
        page.set_default_timeout(ENOUGH)
        watched = Watched(page)
        yield Afternoon(page, house, next(each for each in house.readable() if PREMIUM.id in house.skus(each)))
        context.close()
        assert watched.complaints == []


def test_from_nothing_to_the_first_line_and_back(afternoon: Afternoon, tmp_path: Path) -> None:
    connect(afternoon)
    link(afternoon)
    look_at_all(afternoon)
    make_a_profile(afternoon)
    map_skus(afternoon)
    make_a_product(afternoon)
    approve(afternoon)
    move_seats(afternoon)
    undo(afternoon)
    edit_in_a_spreadsheet(afternoon, tmp_path)


def connect(at: Afternoon) -> None:
    at.page.goto("/console")
    for system in ("ConnectWise Manage", "Microsoft 365"):
        at.press(f"Test {system}")
        expect(at.page.get_by_role("heading", name=f"{system}: in order")).to_be_visible()


def link(at: Afternoon) -> None:
    at.page.get_by_role("link", name="Link companies to customers").click()
    at.press("List customers and companies now")
    expect(at.page.get_by_role("status")).to_have_text("Customers and companies were listed.")
    at.press("Accept all of these")
    expect(at.page.get_by_role("status")).to_contain_text("of the rules were changed")
    assert at.company in {row.id for row in at.house.ports.companies.all()}, at.told()


def look_at_all(at: Afternoon) -> None:
    at.page.goto("/console")
    at.page.get_by_role("link", name="Look at every company once").click()
    at.press("Sync all companies now")
    at.house.ended(at.page.url.rpartition("/")[2])
    at.page.reload()
    expect(at.page.get_by_role("main")).to_contain_text("after")


def make_a_profile(at: Afternoon) -> None:
    at.page.get_by_role("link", name="Profiles", exact=True).click()
    at.page.get_by_role("link", name="New profile").click()
    at.page.get_by_label("Short name").fill("premium")
    at.page.get_by_label("Name", exact=True).fill("Premium")
    at.page.get_by_label("Manage product").fill(PREMIUM.product)
    at.page.get_by_label(PREMIUM.agreement_type, exact=True).check()
    at.press("Show the example")
    expect(at.page.get_by_role("heading", name="What would happen")).to_be_visible()
    at.press("Save the profile")
    expect(at.page.get_by_role("status")).to_contain_text("Saved.")


def map_skus(at: Afternoon) -> None:
    at.page.get_by_role("link", name="Mapping", exact=True).click()
    at.page.get_by_role("link", name="SKUs").click()
    at.page.get_by_label(f"{PREMIUM.name} at Microsoft 365", exact=True).check()
    at.page.get_by_label("Bill what is ticked by").select_option("Premium")
    at.press("Assign")
    expect(at.page.get_by_role("status")).to_have_text("1 entry of the rules was changed.")


def make_a_product(at: Afternoon) -> None:
    at.page.get_by_role("link", name="New product for").first.click()
    at.page.get_by_label("Identifier").fill("NEW-PRODUCT")
    at.page.get_by_label("Category and subcategory").select_option("Cloud / Subscriptions")
    at.page.get_by_label("Type").select_option("Software")
    at.page.get_by_label("Price").fill("12.50")
    at.press("Show what would be created")
    at.press("Create it in ConnectWise Manage")
    expect(at.page.get_by_role("status")).to_contain_text("NEW-PRODUCT was created in ConnectWise Manage")
    expect(at.page.get_by_label("Manage product")).to_have_value("NEW-PRODUCT")


def approve(at: Afternoon) -> None:
    at.page.get_by_role("link", name="Companies", exact=True).click()
    at.page.locator(f"a[href='/console/companies/{at.company}']").click()
    at.page.get_by_label("Mode").select_option("approve")
    at.press("Change mode")
    at.press("Sync now")
    assert at.house.stamps() == []
    at.press("Approve")
    assert len(at.house.stamps()) == 1, at.told()


def move_seats(at: Afternoon) -> None:
    seats = stands(at)
    at.house.seats(at.company, PREMIUM.id, int(seats) + 2)
    at.press("Sync now")
    at.press("Approve")
    assert stands(at) == seats + 2, at.told()


def undo(at: Afternoon) -> None:
    history = at.page.locator("table", has=at.page.get_by_role("button", name="Undo"))
    expect(history).to_contain_text(PERSON)
    seats = stands(at)
    at.press("Undo")
    if at.page.get_by_role("button", name="Undo all the same").count():
        at.press("Undo all the same")
    assert stands(at) == seats - 2, at.told()


def stands(at: Afternoon) -> Decimal:
    """What the open lines of ours bill."""
    ours = [line for line in at.house.additions() if line.get("serialNumber", "").startswith("TU1-")]
    return sum((Decimal(str(line["quantity"])) for line in ours if not line.get("cancelledDate")), Decimal(0))


def edit_in_a_spreadsheet(at: Afternoon, directory: Path) -> None:
    at.page.goto("/console/mapping/exchange")
    with at.page.expect_download() as csv:
        at.page.get_by_role("link", name="Policies (CSV)").click()
    assert PREMIUM.id in Path(csv.value.path()).read_text(encoding="utf-8-sig")
    with at.page.expect_download() as workbook:
        at.page.get_by_role("link", name="Workbook (XLSX)").click()
    file = directory / "mapping.xlsx"
    workbook.value.save_as(file)
    book = load_workbook(file)
    profiles = book["profiles"]
    column = next(cell.column for cell in profiles[1] if cell.value == "invoice_text")
    profiles.cell(2, column, "{product}: {quantity} units")
    book.save(file)

    at.page.get_by_label("The edited file").set_input_files(file)
    at.press("Show what would change")
    expect(at.page.get_by_role("table")).to_contain_text("{product}: {quantity} units")
    at.press("Make these changes")
    expect(at.page.get_by_text("1 change made")).to_be_visible()
    assert at.house.ports.rules.load().profiles["premium"].invoice_text == "{product}: {quantity} units"
