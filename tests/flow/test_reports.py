"""The reports of the console: runs, what is counted beside what is billed, and the months since, on fakes."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from openpyxl import load_workbook

from shared.billing.counts import FailureKind
from shared.billing.profiles import Arrears, PriceKind, PriceRule
from shared.billing.rules import Mode
from shared.errors import Incomplete, Retryable
from shared.sync.lanes import start_run
from shared.sync.reports.months import last_of
from shared.sync.retention import prune
from shared.web.charts import bars
from shared.web.principal import Access, Principal, Role
from tests import builders as b
from tests.fakes.app import app_for
from tests.fakes.browser import Browser
from tests.fakes.house import House

NIGHT = "2026-11-21-nightly"


@pytest.fixture
def house() -> House:
    """Company 1 is billed for 5 of 8; the reading of company 2 fails."""
    house = House()
    house.rules(b.rules())
    house.company(1, [b.count(8)], [b.addition(11, 5)])
    house.company(2, [b.count(4)], [b.addition(21, 4)])
    house.source.failing["tenant-2"] = FailureKind.READ_FAILED
    return house


def browser(house: House, role: Role = Role.READER) -> Browser:
    return Browser(app_for(house.ports, Access(stand_in=Principal("kim@birchline.example", frozenset({role})))))


def night(house: House) -> None:
    start_run(house.ports, NIGHT, "nightly", [1, 2])
    house.work_until_done(NIGHT)


def table(answer) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))


# ---- runs


def test_a_run_tells_what_it_did_how_many_calls_it_took_and_what_failed_and_why(house):
    night(house)
    (listed,) = browser(house).get("/console/api/runs").json()["runs"]
    assert (listed["outcomes"], listed["written"]) == ({"applied": 1, "failed": 1}, {"updated": 1})
    assert listed["calls"] == house.manage.calls.total() + house.source.reads.total()
    assert listed["seconds"] == 0.0

    rows = browser(house).get(f"/console/api/runs/{NIGHT}").json()["rows"]
    assert [(row["name"], row["outcome"]) for row in rows] == [("Company 1", "applied"), ("Company 2", "failed")]
    assert rows[1]["calls"]["Microsoft 365"] == 1
    assert sum(sum(row["calls"].values()) for row in rows) == listed["calls"]
    assert rows[1]["note"] == "It did not answer."


def test_the_runs_and_the_rows_of_one_go_out_as_tables(house):
    night(house)
    (run,) = table(browser(house).get("/console/api/runs.csv"))
    assert (run["run"], run["outcomes"], run["updated"]) == (NIGHT, "applied 1, failed 1", "1")
    answer = browser(house).get(f"/console/api/runs/{NIGHT}/rows.csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="run.csv"'
    assert [(row["company"], row["outcome"], row["findings"]) for row in table(answer)] == [
        ("1", "applied", ""),
        ("2", "failed", "read-failed 1"),
    ]


def test_a_run_that_is_not_known_says_so(house):
    assert browser(house).get("/console/api/runs/2026-01-01-nightly").status_code == 404
    assert browser(house).get("/console/api/runs/2026-01-01-nightly/rows.csv").status_code == 404


def test_a_biller_starts_a_run_over_every_company_and_a_reader_does_not(house):
    biller = browser(house, Role.BILLER)
    assert "Sync all companies now" in biller.get("/console/runs").text
    page = biller.send_form("/console/runs")
    run = page.headers["location"].rpartition("/")[2]
    assert "The run has begun" in biller.follow(page).words
    house.work_until_done(run)
    assert [row.company for row in house.ports.runs.rows(run)] == [1, 2]

    again = biller.post("/console/api/companies/sync", json={}).json()["run"]
    assert again != run
    assert "Sync all companies now" not in browser(house).get("/console/runs").text


def test_a_name_that_begins_like_a_formula_is_no_formula_in_a_table(house):
    rules = house.ports.companies.company_rules(1)
    house.ports.companies.put_rules(type(rules)(1, '=HYPERLINK("x")', rules.mode, rules.links))
    night(house)
    assert table(browser(house).get(f"/console/api/runs/{NIGHT}/rows.csv"))[0]["name"] == '\'=HYPERLINK("x")'


# ---- what is kept of each look


def kept(house: House, company: int = 1) -> list[tuple[str, int, int]]:
    """Day, units due and units billed of each balance that was kept this month."""
    found = house.ports.balances.of_company(company, house.clock.business_now().date())
    return [(str(each.day), int(each.items[0].due), int(each.items[0].billed)) for each in found]


def test_a_balance_is_kept_when_it_changes_and_at_the_first_look_of_a_month(house):
    house.company(1, [b.count(8)], [b.addition(11, 5)], mode=Mode.OBSERVE)
    house.sync(1)
    calls = house.tables.calls.total()
    house.sync(1)
    assert house.tables.calls.total() == calls + 6
    assert kept(house) == [("2026-11-21", 8, 5)]
    house.clock.business_ahead = 1
    house.count(1, b.count(9, customer="tenant-1"))
    house.sync(1)
    assert kept(house) == [("2026-11-21", 8, 5), ("2026-11-22", 9, 5)]
    house.clock.business_ahead = 10
    house.sync(1)
    assert kept(house) == [("2026-12-01", 9, 5)]


def test_what_was_written_is_billed_from_then_on(house):
    house.sync(1)
    assert kept(house) == [("2026-11-21", 8, 8)]


def test_a_failed_reading_leaves_the_balance_as_it_was(house):
    house.company(1, [b.count(8)], [b.addition(11, 5)], mode=Mode.OBSERVE)
    house.sync(1)
    house.source.failing["tenant-1"] = FailureKind.READ_FAILED
    house.clock.business_ahead = 1
    house.sync(1)
    assert kept(house) == [("2026-11-21", 8, 5)]


def test_a_balance_that_cannot_be_kept_harms_no_sync(house):
    def fails(moment: str, operation: str, table: str) -> None:
        if table == "Balances":
            raise Retryable("the store does not answer", system="storage")

    house.tables.fault = fails
    assert house.sync(1).report.outcome.value == "applied"
    house.tables.fault = None
    house.sync(1)
    assert kept(house) == [("2026-11-21", 8, 8)]


def test_balances_are_kept_as_long_as_history(house):
    house.sync(1)
    day = house.clock.business_now().date()
    house.clock.pass_by(days=760)
    prune(house.ports)
    assert house.ports.balances.of_month(day).balances == ()


# ---- reconciliation


def test_reconciliation_tells_what_is_counted_beside_what_is_billed_with_sums(house):
    for company in (1, 2):
        house.company(company, [b.count(8)], [b.addition(company * 10 + 1, 5)], mode=Mode.OBSERVE)
    house.source.failing.clear()
    house.company(3, [b.count(2)], [b.addition(30, 4)], mode=Mode.OBSERVE)
    house.company(4, [b.count(7)], [b.addition(40, 7)], mode=Mode.OBSERVE)
    house.company(5, [b.count(3, sku=b.STANDARD, name="Standard")], mode=Mode.OBSERVE)
    for company in (1, 2, 3, 4, 5):
        house.sync(company)
    told = browser(house).get("/console/api/reconciliation").json()
    assert [(row["company"], row["verdict"], row["units"], row["amount"]) for row in told["rows"]] == [
        (1, "too-little", 3, 75),
        (2, "too-little", 3, 75),
        (3, "too-much", -2, -50),
        (5, "unmapped", 3, None),
    ]
    whole = {"currency": "", "billed": 525, "cost": 500, "margin": 25, "unpriced": 0, "uncosted": 0}
    assert told["sums"] == [{**whole, "too_little": 150, "too_much": 50, "gone": 0}]
    assert [(each["name"], each["sums"][0]["margin"]) for each in told["companies"]] == [
        ("Company 1", -35),
        ("Company 2", -35),
        ("Company 3", 60),
        ("Company 4", 35),
    ]
    assert (told["items"], told["differing"], told["unmapped"]) == (5, 4, 1)
    assert "a month, which cost 500.00 and leave a margin of 25.00" in browser(house).get("/console/reports").words

    every = browser(house).get("/console/api/reconciliation?every=true&search=company 4").json()["rows"]
    assert [(row["name"], row["verdict"]) for row in every] == [("Company 4", "equal")]
    rows = table(browser(house).get("/console/api/reconciliation.csv"))
    assert [(row["name"], row["counted"], row["billed"], row["amount"]) for row in rows][2] == (
        "Company 3", "2.0", "4.0", "-50.0",
    )  # fmt: skip


def test_sums_of_companies_come_to_the_sum_of_all_to_the_cent_also_of_yearly_agreements(house):
    house.source.failing.clear()
    for company in (3, 4, 5):
        house.company(company, [b.count(5)], [b.addition(company * 10 + 1, 4)], mode=Mode.OBSERVE)
        yearly = replace(house.manage.agreements_[company + 1000], billing_cycle="Yearly")
        house.manage.agreements_[company + 1000] = yearly
        house.sync(company)
    told = browser(house).get("/console/api/reconciliation").json()
    (whole,) = told["sums"]
    for name in ("billed", "too_little", "cost", "margin"):
        parts = [Decimal(str(each["sums"][0][name])) for each in told["companies"]]
        assert (len(parts), sum(parts)) == (3, Decimal(str(whole[name])))
    assert (whole["billed"], whole["too_little"]) == (24.99, 6.24)


def test_columns_of_the_file_that_are_per_month_add_up_to_the_sums_whatever_the_billing_cycles(house):
    house.company(3, [b.count(5)], [b.addition(31, 4)], mode=Mode.OBSERVE)
    house.company(4, [b.count(5)], [b.addition(41, 4)], mode=Mode.OBSERVE)
    house.company(5, [], [b.addition(51, 6)], mode=Mode.OBSERVE)
    house.company(6, [b.count(3, sku=b.STANDARD, name="Standard")], mode=Mode.OBSERVE)
    house.company(7, [b.count(2)], [b.addition(71, 2)], mode=Mode.OBSERVE)
    house.manage.agreements_[1004] = replace(house.manage.agreements_[1004], billing_cycle="Yearly")
    for company in range(2, 7):
        house.sync(company)
    house.manage.catalog.clear()
    house.sync(7)
    (whole,) = browser(house).get("/console/api/reconciliation").json()["sums"]
    rows = table(browser(house).get("/console/api/reconciliation.csv?every=true"))
    for name in ("billed", "cost", "margin", "too_little", "too_much", "gone"):
        assert sum(Decimal(row[f"{name}_a_month"] or 0) for row in rows) == Decimal(str(whole[name])), name
    assert (whole["too_little"], whole["too_much"], whole["gone"]) == (27.08, 150, 150)
    some = ("billed_a_month", "cost_a_month", "too_much_a_month", "gone_a_month")
    parts = {row["verdict"]: [row[name] for name in some] for row in rows}
    assert parts["gone"] == ["150.0", "0.0", "150.0", "150.0"]
    assert parts["unmapped"] == [""] * 4
    assert parts["unknown"] == ["100.0", "", "", "0.0"]
    assert parts["equal"] == ["50.0", "", "0.0", "0.0"]


def test_what_is_gone_and_what_is_not_billed_at_all_are_told_apart(house):
    house.source.failing.clear()
    house.company(3, [], [b.addition(31, 5)], mode=Mode.OBSERVE)
    house.company(4, [b.count(4)], mode=Mode.OBSERVE)
    for company in (3, 4):
        house.sync(company)
    told = browser(house).get("/console/api/reconciliation").json()
    assert [(row["company"], row["verdict"], row["sources"]) for row in told["rows"]] == [
        (3, "gone", [b.SOURCE]),
        (4, "not-at-all", [b.SOURCE]),
    ]
    (total,) = told["sums"]
    assert (total["gone"], total["too_much"], total["too_little"]) == (125, 125, 100)
    page = browser(house).get("/console/reports").words
    assert "no longer at the vendor" in page
    assert "not billed at all" in page


def test_a_customer_that_is_gone_is_told_while_its_line_still_bills(house):
    house.company(1, [b.count(5)], [b.addition(11, 5)], mode=Mode.OBSERVE)
    house.sync(1)
    house.source.failing["tenant-1"] = FailureKind.CUSTOMER_GONE
    house.clock.business_ahead = 1
    house.sync(1)
    (row,) = browser(house).get("/console/api/reconciliation").json()["rows"]
    assert (row["verdict"], row["billed"], row["due"]) == ("gone", 5, 5)


def test_reconciliation_is_of_the_month_and_the_vendor_that_are_chosen(house):
    house.company(1, [b.count(8)], [b.addition(11, 5)], mode=Mode.OBSERVE)
    house.sync(1)
    house.clock.business_ahead = 12
    house.count(1, b.count(5, customer="tenant-1"))
    house.sync(1)
    pages = browser(house)
    assert [row["units"] for row in pages.get("/console/api/reconciliation?month=2026-11").json()["rows"]] == [3]
    assert pages.get("/console/api/reconciliation?month=2026-12").json()["rows"] == []
    assert pages.get("/console/api/reconciliation?month=2026-10").json()["items"] == 0
    told = pages.get("/console/api/reconciliation?month=2026-11&source=pax8").json()
    assert (told["rows"], told["sources"]) == ([], [b.SOURCE])
    assert pages.get(f"/console/api/reconciliation?month=2026-11&source={b.SOURCE}").json()["items"] == 1
    assert "Microsoft 365" in pages.get("/console/reports?month=2026-11").words


def test_reconciliation_goes_out_as_a_workbook_with_numbers(house):
    house.company(1, [b.count(8)], [b.addition(11, 5)], mode=Mode.OBSERVE)
    house.sync(1)
    answer = browser(house).get("/console/api/reconciliation.xlsx")
    assert answer.headers["content-disposition"] == 'attachment; filename="reconciliation.xlsx"'
    heading, row = load_workbook(io.BytesIO(answer.content)).active.iter_rows(values_only=True)
    told = dict(zip(heading, row, strict=True))
    assert (told["name"], told["amount"], told["sources"]) == ("Company 1", 75, b.SOURCE)


def test_usage_is_reconciled_by_the_period_that_is_over(house):
    house.rules(b.rules(b.profile(arrears=Arrears.LAST, price=PriceRule(PriceKind.CUSTOM, Decimal("0.50")))))
    house.company(3, [b.count(120)], mode=Mode.OBSERVE)
    house.sync(3)
    house.clock.business_ahead = 12
    house.manage.agreements_[1003] = replace(house.manage.agreements_[1003], next_invoice_date=date(2027, 1, 1))
    house.sync(3)
    (row,) = browser(house).get("/console/api/reconciliation").json()["rows"]
    assert (row["verdict"], row["due"], row["amount"], row["usage"]) == ("not-at-all", 120, 60, True)
    assert (row["used_from"], row["used_until"]) == ("2026-11-01", "2026-11-30")
    assert "used 1 Nov 2026 to 30 Nov 2026" in browser(house).get("/console/reports").words
    assert browser(house).get("/console/api/shadow?month=2026-12").json()["rows"] == []
    assert browser(house).get("/console/api/companies/3/course").json()["points"][-1]["due"] == 0


def test_last_months_balance_stands_until_somebody_looks_again(house):
    house.company(1, [b.count(8)], [b.addition(11, 5)], mode=Mode.OBSERVE)
    house.sync(1)
    house.clock.business_ahead = 12
    (row,) = browser(house).get("/console/api/reconciliation").json()["rows"]
    assert (row["since"], row["units"]) == ("2026-11-21", 3)


# ---- shadow billing


def test_shadow_billing_tells_what_observing_would_have_billed_and_the_leak(house):
    house.company(1, [b.count(8)], [b.addition(11, 5)], mode=Mode.OBSERVE)
    house.sync(1)
    house.clock.business_ahead = 4
    house.count(1, b.count(10, customer="tenant-1"))
    house.sync(1)
    told = browser(house).get("/console/api/shadow").json()
    (row,) = told["rows"]
    assert (row["would"], row["billed"], row["leak"]) == (208.34, 125, 83.34)
    assert "2 more since 25 Nov 2026: 2 × 5 of 30 days × 25.00 = 4.17 each" in row["arithmetic"]
    assert [(each["name"], each["sums"][0]["leak"]) for each in told["companies"]] == [("Company 1", 83.34)]
    assert [month["month"] for month in told["months"]][-2:] == ["2026-10", "2026-11"]
    assert told["months"][-1]["sums"][0]["leak"] == 83.34
    assert table(browser(house).get("/console/api/shadow.csv?month=2026-11"))[0]["leak"] == "83.34"
    assert browser(house).get("/console/api/shadow?month=2026-10").json()["rows"] == []


def test_a_company_that_trueup_writes_for_casts_no_shadow(house):
    house.sync(1)
    assert browser(house).get("/console/api/shadow").json()["rows"] == []


@pytest.mark.parametrize("month", ["yesterday", "2026-13", "0000-01", "0001-01"])
def test_what_is_no_month_is_refused(house, month):
    assert browser(house).get(f"/console/api/shadow?month={month}").status_code in (400, 422)


# ---- over time, and the pages


def observed(house: House) -> None:
    """Company 1 is billed for 5; it has 8 on 21 November and 10 from the 25th on."""
    house.company(1, [b.count(8)], [b.addition(11, 5)], mode=Mode.OBSERVE)
    night(house)
    house.clock.business_ahead = 4
    house.count(1, b.count(10, customer="tenant-1"))
    house.sync(1)


def test_the_course_of_a_company_has_a_point_for_each_day_that_changed_something(house):
    observed(house)
    told = browser(house).get("/console/api/companies/1/course").json()
    assert [(each["day"], each["due"], each["billed"], each["amount_due"]) for each in told["points"]] == [
        ("2026-11-21", 8, 5, 200),
        ("2026-11-25", 10, 5, 250),
    ]
    assert [row["due"] for row in table(browser(house).get("/console/api/companies/1/course.csv"))] == ["8.0", "10.0"]
    assert browser(house).get("/console/api/companies/9/course").status_code == 404


PAGES = ["/console/runs", f"/console/runs/{NIGHT}", "/console/reports", "/console/reports?every=true&search=comp"]
PAGES += ["/console/reports/shadow", "/console/reports/shadow?month=2026-10", "/console/reports/companies/1"]


@pytest.mark.parametrize("path", PAGES)
def test_the_pages_are_there_for_every_reader(house, path):
    observed(house)
    answer = browser(house).get(path)
    assert (answer.status_code, "<h1>" in answer.text) == (200, True)
    assert "style=" not in answer.text


def test_pages_without_anything_to_show_say_what_to_do(house):
    empty = browser(House())
    assert "Link companies to customers" in empty.get("/console/runs").words
    assert "the first night fills this page" in empty.get("/console/reports").words
    assert "into mode observe" in empty.get("/console/reports/shadow").words
    assert "not looked at" in browser(house).get("/console/reports/companies/2").words


def test_the_pages_say_the_numbers_and_draw_them(house):
    observed(house)
    pages = browser(house)
    assert "It did not answer." in pages.get(f"/console/runs/{NIGHT}").words
    assert "Company 1" not in pages.get(f"/console/runs/{NIGHT}?outcome=failed").words
    assert "too little billed" in pages.get("/console/reports").words
    shadow = pages.get("/console/reports/shadow")
    assert "2 more since 25 Nov 2026" in shadow.words
    assert "Nov 2026: 83.34" in shadow.words
    assert "Nov 2026 " in shadow.words
    assert pages.get("/console/reports/companies/1").text.count("<svg") == 2


def test_what_is_drawn_is_escaped():
    picture = str(bars("leak", "<b>", "a & b", [("<script>", 3), ("two", 1)]))
    assert "<script>" not in picture
    assert "<b>" not in picture
    assert picture.count("<rect") == 2


def test_a_company_whose_balances_cannot_be_read_is_named_and_missing_in_the_sums(house):
    """An older balance of it would pass for what stands; and beside vendors' costs it would look like no billing."""
    house.source.failing.clear()
    house.ports.companies.put_rules(replace(house.ports.companies.company_rules(2), mode=Mode.OBSERVE))
    night(house)
    row = next(row for row in house.tables.query("Balances", "2026-11") if row.row.startswith("0000000002"))
    house.tables.replace("Balances", row, {"schema": 99, "json": "{}"})
    for path, route in (
        ("/console/reports?every=true", "reconciliation?every=true"),
        ("/console/reports/shadow", "shadow"),
    ):
        told = browser(house).get(f"/console/api/{route}").json()
        assert [(each["company"], each["name"]) for each in told["unreadable"]] == [(2, "Company 2")]
        assert {each["company"] for each in told["rows"]} <= {1}
        page = browser(house).get(path).words
        assert "Company 2 : state: a balance was written by a newer TrueUp" in page
        assert "They are missing below, in the sums too." in page
    with pytest.raises(Incomplete, match="Company 2"):
        last_of(house.ports, date(2026, 11, 1)).whole()
