"""What the pages show: each number, sentence and link that a clerk decides by, in its column; sorts and filters."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from html import unescape

import pytest

from shared.billing.counts import FailureKind, Money
from shared.billing.rules import CompanyRules, Mode
from shared.environment import ShownSetting
from shared.state.overview import Summary
from shared.sync.desk.companies import SortBy
from shared.sync.lanes import start_run
from tests import builders as b
from tests.fakes.app import app_for
from tests.fakes.browser import Answer, Browser
from tests.fakes.house import House
from tests.flow.test_console import BILLER, PLATFORM

D = Decimal
LIST = "/console/companies"


@pytest.fixture
def house() -> House:
    """Company 1 waits with 8 instead of 5, and 2 of its seats are held by nobody; company 2 refuses to be read."""
    house = House()
    house.rules(b.rules())
    premium = replace(b.count(8, assigned=6), cost=Money(D("18.40"), "month", "EUR"))
    standard = b.count(3, sku=b.STANDARD, name="Business Standard")
    house.company(1, [premium, standard], [b.addition(11, 5)], mode=Mode.APPROVE)
    house.company(2, [b.count(4)], [b.addition(21, 4)], mode=Mode.APPROVE)
    house.source.failing["tenant-2"] = FailureKind.CONSENT_LOST
    for number, agreement in house.manage.agreements_.items():
        house.manage.agreements_[number] = replace(agreement, currency="EUR")
    start_run(house.ports, "night", "nightly", [1, 2])
    house.work_until_done("night")
    return house


@pytest.fixture
def browser(house: House) -> Browser:
    return Browser(app_for(house.ports, PLATFORM), BILLER)


# ---- one company


def test_a_company_shows_every_sentence_with_its_arithmetic(house, browser):
    """Three units more in a month that is invoiced are charged once for its rest, and from the next one on in full."""
    for mode, count in ((Mode.AUTO, 8), (Mode.APPROVE, 11)):
        house.ports.companies.put_rules(replace(house.ports.companies.company_rules(1), mode=mode))
        house.count(1, b.count(count, customer="tenant-1"))
        house.sync(1)
    page = browser.get(f"{LIST}/1").words
    sentences = [change.sentence for group in house.state(1).plan.groups for change in group.changes]
    assert len(sentences) == 2
    assert [each for each in sentences if " ".join(each.split()) not in page] == []
    assert "9 of 30 days" in page


def test_an_agreement_stands_line_by_line_before_and_after_the_plan(browser):
    head, line, invoice = browser.get(f"{LIST}/1").table("Managed Services 1001")
    assert head == ["Product", "Now", "Bills", "After the plan", "Bills", "Change"]
    days = "1 Jan 2025 – open"
    assert line == ["M365-BP", "5 × 25.00 EUR", days, "8 × 25.00 EUR", days, "changed"]
    assert [invoice[at] for at in (1, 3, 5)] == ["125.00 EUR", "200.00 EUR", "+75.00 EUR"]


def test_a_licence_stands_with_its_numbers_and_how_it_is_billed(browser):
    head, premium, standard = browser.get(f"{LIST}/1").table("What the vendors count")
    assert head[1:8] == ["Purchased", "Assigned", "Unused", "Billed as", "To bill", "On the line", "Unit price"]
    assert premium[0].startswith("Business Premium Microsoft 365")
    assert premium[1:4] == ["8", "6", "2"]
    assert "Business Premium policy · Managed Services 1001" in premium[4]
    assert premium[5:7] == ["8", "–"]
    assert standard[1:4] == ["3", "3", "0"]
    assert standard[4].startswith("not mapped")


def test_what_stands_on_our_line_and_its_price_are_shown_once_it_is_written(house, browser):
    browser.get(f"{LIST}/1")
    groups = [group.hash for group in house.state(1).plan.groups]
    browser.send_form(f"{LIST}/1/decide", {"groups": groups, "verdict": "approve"})
    _, premium, _ = browser.get(f"{LIST}/1").table("What the vendors count")
    assert premium[5:8] == ["8", "8", "25.00 EUR"]


def test_why_a_group_is_held_stands_beside_it(house, browser):
    house.company(3, [b.count(4)], [b.addition(31, 40)], mode=Mode.APPROVE)
    house.sync(3)
    (group,) = house.state(3).plan.groups
    for path in (f"{LIST}/3", "/console/approvals"):
        assert group.held in browser.get(path).words


# ---- first steps, SKUs, runs, reports


def test_each_tenant_stands_with_the_link_for_its_consent_where_it_is_missing(house, browser):
    ports = replace(
        house.ports,
        settings=(ShownSetting("MICROSOFT_PARTNER_TENANTS", "Ours", "partner-1"),),
        consent_url=lambda tenant: f"https://login.example/{tenant}/adminconsent",
    )
    page = Browser(app_for(ports, PLATFORM), BILLER).get("/console/setup")
    rows = {row[0]: row[1:] for row in page.table("Consent by tenant")[1:]}
    assert rows["Company 2"][0] == "consent is missing"
    assert rows["Company 1"][0] == "not refused"
    assert 'href="https://login.example/tenant-2/adminconsent"' in page.text
    assert 'href="https://login.example/partner-1/adminconsent"' in page.text


def test_a_sku_stands_with_its_counts_and_what_all_of_it_costs_in_a_month(browser):
    rows = {row[1].split(" ")[1]: row[2:] for row in browser.get("/console/mapping/skus").table("2 SKUs")[1:]}
    assert rows["Premium"][:5] == ["Microsoft 365", "1", "8", "6", "147.20 EUR"]
    assert rows["Standard"][:5] == ["Microsoft 365", "1", "3", "3", "–"]
    assert rows["Standard"][5].startswith("Not mapped")


def test_a_run_stands_with_its_length_its_calls_and_what_failed(house, browser):
    start_run(house.ports, "later", "nightly", [1, 2])
    house.clock.pass_by(seconds=90)
    house.work_until_done("later")
    header = house.ports.runs.header("later")
    rows = {row[0]: row for row in browser.get("/console/runs").table("The newest runs")[1:]}
    seconds = f"{(header.ended - header.started) / timedelta(seconds=1):g}"
    assert rows["later"][2:4] == [seconds, "2"]
    assert float(seconds) >= 90
    assert rows["later"][6] == str(header.calls) != "0"
    companies = {row[0]: row for row in browser.get("/console/runs/later").table("Companies of this run")[1:]}
    calls = {each.company: sum(each.report.calls.values()) for each in house.ports.runs.rows("later")}
    assert [companies[f"Company {each}"][6] for each in (1, 2)] == [str(calls[1]), str(calls[2])]
    assert companies["Company 2"][1:3] == ["failed", "It did not answer."]


def test_reconciliation_stands_with_its_sums(browser):
    page = browser.get("/console/reports?every=true")
    told = browser.get("/console/api/reconciliation?every=true").json()
    (sum_,) = [each for each in told["sums"] if each["currency"] == "EUR"]
    assert sum_["billed"] == 225.0
    for amount in ("billed", "too_little"):
        assert f"{sum_[amount]:,.2f} EUR" in page.words


# ---- the list

#: Alder, Birch and Cedar differ in everything that the list sorts by.
ROWS = {
    "Alder": (Mode.AUTO, "unchanged", 2, Summary({"drift": 1}, {"EUR": D(50)}, {"EUR": D(5)})),
    "Birch": (Mode.OBSERVE, "failed", 1, Summary({"drift": 2, "held": 5}, {"EUR": D(900)}, {"EUR": D(-70)})),
    "Cedar": (Mode.APPROVE, "held", 3, Summary({"unmapped": 3}, {"EUR": D(100)}, {"EUR": D(1)})),
}
SORTED = {
    SortBy.NAME: "ABC",
    SortBy.MODE: "BCA",
    SortBy.OUTCOME: "BCA",
    SortBy.WAITING: "CAB",
    SortBy.FINDINGS: "BCA",
    SortBy.DRIFT: "BAC",
    SortBy.MONTHLY: "BCA",
    SortBy.PLANNED: "BAC",
}


@pytest.fixture
def grove() -> Browser:
    house = House()
    house.rules(b.rules())
    for number, (name, (mode, outcome, waiting, summary)) in enumerate(ROWS.items(), 1):
        house.ports.companies.put_rules(CompanyRules(number, name, mode))
        lease = house.ports.companies.take_lease(number, "me", 60, house.clock.now())
        now = house.clock.now()
        house.ports.companies.release(
            lease, outcome=outcome, run="night", now=now, groups=(waiting, 0), summary=summary
        )
    return Browser(app_for(house.ports, PLATFORM), BILLER)


def listed(page: Answer) -> str:
    """The first letters of the companies on a page, in their order."""
    return "".join(row[0][0] for row in page.table("")[1:]) if "<caption>" in page.text else ""


def heading(page: Answer, column: SortBy) -> str:
    """Where the heading of a column leads."""
    return LIST + unescape(re.search(rf'<th[^>]*><a href="([^"]*sort={column.value}[^"]*)"', page.text)[1])


def test_the_list_has_a_column_for_everything(grove):
    head, alder, *_ = grove.get(LIST).table("3 of 3 companies")
    assert head == [
        "Company",
        "Mode",
        "Last outcome",
        "Waiting",
        "Findings",
        "Drift",
        "Billed a month",
        "Planned change",
    ]
    assert alder[0].startswith("Alder 1")
    assert alder[2].startswith("in order 21 Nov 2026")
    assert [alder[at] for at in (1, 3, 4, 5, 6, 7)] == ["auto", "2", "1", "1", "50.00 EUR", "+5.00 EUR"]


@pytest.mark.parametrize("column", SortBy)
def test_every_heading_sorts_both_ways(grove, column):
    once = grove.get(heading(grove.get(f"{LIST}?sort={'mode' if column is SortBy.NAME else 'name'}"), column))
    again = grove.get(heading(once, column))
    assert listed(once) == SORTED[column]
    assert listed(again) == SORTED[column][::-1]
    for page in (once, again):
        assert page.text.count("aria-sort=") == 1


@pytest.mark.parametrize(("column", "place"), [(SortBy.WAITING, 3), (SortBy.FINDINGS, 4), (SortBy.DRIFT, 5)])
@pytest.mark.parametrize("turned", ["", "&turned=true"])
def test_a_heading_says_which_way_its_column_is_sorted(grove, column, place, turned):
    page = grove.get(f"{LIST}?sort={column.value}{turned}")
    numbers = [int(row[place]) for row in page.table("3 of 3")[1:]]
    said = re.search(r'aria-sort="(\w+)"', page.text)[1]
    assert numbers == sorted(numbers, reverse=said == "descending")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("text=bir", "B"),
        ("text=3", "C"),
        ("mode=approve", "C"),
        ("outcome=failed", "B"),
        ("finding=drift", "AB"),
        ("finding=unmapped", "C"),
        ("waiting=true", "ABC"),
        ("mode=auto&finding=unmapped", ""),
    ],
)
def test_every_filter_filters_and_stays_chosen(grove, query, found):
    page = grove.get(f"{LIST}?{query}")
    assert listed(page) == found
    for name, value in (part.split("=") for part in query.split("&")):
        chosen = rf'name="{name}"[^>]*value="{value}"|value="{value}"[^>]* selected|name="{name}"[^>]* checked'
        assert re.search(chosen, page.text), name
