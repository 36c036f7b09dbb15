"""A clerk's first afternoon at the console, from the first steps to an undo, by what stands on the pages."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.integration.house import House

ENOUGH = 60_000  # a bound in milliseconds for one page, not a measurement


@pytest.fixture
def company(house: House) -> int:
    """One of which something waits that no guard holds."""
    for row in house.ports.companies.all():
        state = house.ports.company_state.load(row.id)
        groups = state.plan.groups if state.plan is not None else ()
        if any(group.hash in state.waiting and group.held is None for group in groups):
            return row.id
    raise AssertionError("nothing waits freely at any company")


def test_a_clerk_connects_approves_looks_at_the_history_and_undoes(page: Page, house: House, company: int) -> None:
    page.set_default_timeout(ENOUGH)
    page.goto("/console")
    page.get_by_role("button", name="Test ConnectWise Manage").click()
    expect(page.get_by_role("heading", name="ConnectWise Manage: in order")).to_be_visible()

    page.get_by_role("link", name="Companies", exact=True).click()
    page.locator(f"a[href='/console/companies/{company}']").click()
    before = house.stamps()
    with page.expect_navigation():
        page.get_by_role("button", name="Approve").first.click()
    assert len(house.stamps()) > len(before), page.get_by_role("main").inner_text()[:400]

    history = page.locator("table", has=page.get_by_role("button", name="Undo"))
    expect(history.first).to_contain_text("pat@birchline.example")
    writes = house.writes()
    with page.expect_navigation():
        history.first.get_by_role("button", name="Undo").first.click()
    if page.get_by_role("button", name="Undo all the same").count():
        with page.expect_navigation():
            page.get_by_role("button", name="Undo all the same").click()
    assert house.writes() > writes, page.get_by_role("main").inner_text()[:400]


def test_a_clerk_tries_a_profile_before_it_is_saved(page: Page) -> None:
    page.goto("/console/profiles/edit")
    page.get_by_label("Short name").fill("afternoon")
    page.get_by_label("Name", exact=True).fill("Afternoon")
    page.get_by_label("Manage product").fill("M365-BP")
    page.get_by_role("button", name="Show the example").click()
    expect(page.get_by_role("heading", name="What would happen")).to_be_visible()
    page.get_by_role("button", name="Save the profile").click()
    expect(page.get_by_role("status")).to_be_visible()
    page.goto("/console/profiles")
    expect(page.get_by_role("link", name="Afternoon")).to_be_visible()
