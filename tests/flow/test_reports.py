"""The reports of the console: runs, what is counted beside what is billed, and the months since, on fakes."""

from __future__ import annotations

import csv
import io

import pytest

from shared.billing.counts import FailureKind
from shared.sync.lanes import start_run
from shared.web.app import make_app
from shared.web.principal import Access, Principal, Role
from tests import builders as b
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
    return Browser(make_app(house.ports, Access(stand_in=Principal("kim@birchline.example", frozenset({role})))))


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


def test_a_name_that_begins_like_a_formula_is_no_formula_in_a_table(house):
    rules = house.ports.companies.company_rules(1)
    house.ports.companies.put_rules(type(rules)(1, '=HYPERLINK("x")', rules.mode, rules.links))
    night(house)
    assert table(browser(house).get(f"/console/api/runs/{NIGHT}/rows.csv"))[0]["name"] == '\'=HYPERLINK("x")'
