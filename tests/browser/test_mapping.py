"""A clerk's way through mapping in a real browser: accept links, then export, edit in a spreadsheet, and import."""

from __future__ import annotations

from pathlib import Path

from openpyxl import load_workbook
from playwright.sync_api import Page

from tests.integration.house import House


def test_a_workbook_is_exported_edited_and_imported(page: Page, house: House, tmp_path: Path) -> None:
    page.goto("/console/mapping/exchange")
    with page.expect_download() as download:
        page.get_by_role("link", name="Workbook (XLSX)").click()
    file = tmp_path / "mapping.xlsx"
    download.value.save_as(file)
    book = load_workbook(file)
    profiles = book["profiles"]
    column = next(cell.column for cell in profiles[1] if cell.value == "invoice_text")
    profiles.cell(2, column, "{product}: {quantity} units")
    book.save(file)

    page.get_by_label("The edited file").set_input_files(file)
    page.get_by_role("button", name="Show what would change").click()
    table = page.get_by_role("table")
    assert "{product}: {quantity} units" in table.inner_text()
    page.get_by_role("button", name="Make these changes").click()
    assert page.get_by_text("1 change made").is_visible()
    assert page.get_by_text("→ {product}: {quantity} units").is_visible()
    profiles_now = house.ports.rules.load().profiles.values()
    assert "{product}: {quantity} units" in {profile.invoice_text for profile in profiles_now}


def test_links_are_listed_and_a_file_that_is_none_says_so(page: Page, tmp_path: Path) -> None:
    page.goto("/console/mapping")
    page.get_by_role("button", name="List customers and companies now").click()
    assert page.get_by_role("status").inner_text() == "Customers and companies were listed."

    wrong = tmp_path / "notes.csv"
    wrong.write_text("anything\ngoes\n")
    page.get_by_role("link", name="Export and import").click()
    page.get_by_label("The edited file").set_input_files(wrong)
    page.get_by_role("button", name="Show what would change").click()
    assert "no table with links" in page.get_by_role("alert").inner_text()
