"""What mapping says of a file that it cannot read, in a real browser."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page


def test_a_file_that_is_no_table_of_ours_says_so(page: Page, tmp_path: Path) -> None:
    page.goto("/console/mapping")
    wrong = tmp_path / "notes.csv"
    wrong.write_text("anything\ngoes\n")
    page.get_by_role("link", name="Export and import").click()
    page.get_by_label("The edited file").set_input_files(wrong)
    page.get_by_role("button", name="Show what would change").click()
    assert "no table with links" in page.get_by_role("alert").inner_text()
