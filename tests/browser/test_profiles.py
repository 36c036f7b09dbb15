"""An administrator changes a billing profile and sees what that does before it is saved."""

from __future__ import annotations

from playwright.sync_api import Page, expect


def test_the_example_follows_the_form_and_the_saved_profile_stays(page: Page) -> None:
    page.goto("/console/profiles")
    page.locator("table a").first.click()
    page.get_by_label("Day", exact=True).fill("2026-11-10")
    page.get_by_label("Proration", exact=True).select_option("computed")
    page.get_by_role("button", name="Show the example").click()
    example = page.get_by_role("region", name="What would happen")
    expect(example).to_contain_text("2 more since 10 Nov 2026")

    page.get_by_label("Proration", exact=True).select_option("none")
    page.get_by_role("button", name="Show the example").click()
    expect(example).not_to_contain_text("since 10 Nov 2026")

    page.get_by_label("Included", exact=True).fill("many")
    page.get_by_role("button", name="Save the profile").click()
    expect(page.get_by_role("alert")).to_contain_text('must be a number such as 25.00, not "many"')
    expect(page.get_by_label("Included", exact=True)).to_have_value("many")

    page.get_by_label("Included", exact=True).fill("0")
    page.get_by_role("button", name="Save the profile").click()
    expect(page.get_by_role("status")).to_contain_text("Saved.")
    expect(page.get_by_label("Proration", exact=True)).to_have_value("none")
