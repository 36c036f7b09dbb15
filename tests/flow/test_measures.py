"""What is measured: every look, write and run is a line of the log; the workbook and an alert ask for just these."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from typing import Any

import pytest

from shared.billing.counts import FailureKind
from shared.sync.lanes import start_run
from tests import builders as b
from tests.fakes.house import House

INFRA = Path(__file__).parents[2] / "infra"
WORKBOOK = INFRA / "workbook.json"
#: How a query takes what was measured: the name, and how many letters stand before the JSON.
MEASURED = r'startswith "measured (\w+) " \| extend m = parse_json\(substring\(message, (\d+)\)\)'
QUERIES = [
    item["content"]["query"]
    for item in json.loads(WORKBOOK.read_text(encoding="utf-8"))["items"]
    if "query" in item["content"]
]


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> dict[str, list[dict[str, Any]]]:
    """What a night over three companies measured, by name."""
    caplog.set_level(logging.INFO)
    house = House()
    house.rules(b.rules())
    house.company(1, [b.count(10)], [b.addition(11, 4)])
    house.company(2, [b.count(5)])
    house.company(3, [b.count(5)])
    house.source.failing["tenant-3"] = FailureKind.CONSENT_LOST
    start_run(house.ports, "2026-11-21-nightly", "nightly", [1, 2, 3])
    house.work_until_done("2026-11-21-nightly")
    found: dict[str, list[dict[str, Any]]] = {}
    for message in caplog.messages:
        if measured := re.fullmatch(r"measured (\w+) (\{.*\})", message):
            found.setdefault(measured[1], []).append(json.loads(measured[2]))
    return found


def test_a_night_measures_each_company_each_write_and_itself(lines):
    looks = {line["company"]: (line["outcome"], line["written"]) for line in lines["company"]}
    assert looks == {1: ("applied", {"updated": 1}), 2: ("applied", {"created": 1}), 3: ("failed", {})}
    assert all(line["seconds"] >= 0 and line["calls"]["Microsoft 365"] == 1 for line in lines["company"])

    writes = [(line["company"], line["kind"], line["monthly"] > 0, line["run"]) for line in lines["write"]]
    assert sorted(writes) == [(1, "update", True, "2026-11-21-nightly"), (2, "create", True, "2026-11-21-nightly")]

    (night,) = lines["run"]
    assert night["outcomes"] == {"applied": 2, "failed": 1}
    assert night["written"] == {"updated": 1, "created": 1}


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query[40:70])
def test_the_workbook_asks_for_lines_and_fields_that_are_there(lines, query):
    name, skipped = re.search(MEASURED, query).groups()
    fields = set(re.findall(r"\bm\.(\w+)", query))

    assert int(skipped) == len(f"measured {name} ")
    assert fields
    assert fields <= lines[name][0].keys()


def test_the_alert_on_nights_finds_one_that_has_ended_and_nothing_else(caplog):
    caplog.set_level(logging.INFO)
    house = House()
    house.rules(b.rules())
    house.company(1, [b.count(10)], [b.addition(11, 4)])
    house.company(2, [b.count(5)])

    house.sync(1)
    start_run(house.ports, "asked-for", "demand", [1])
    house.work_until_done("asked-for")
    start_run(house.ports, "2026-11-21-nightly", "nightly", [1, 2])
    assert [message for message in caplog.messages if rings_for(message)] == []

    house.work_until_done("2026-11-21-nightly")
    (night,) = [message for message in caplog.messages if rings_for(message)]
    assert "2026-11-21-nightly" in night


def rings_for(message: str) -> bool:
    """Whether the query of the alert that no night was finished counts this line of the log."""
    (query,) = re.findall(
        r"title: 'TrueUp: no night .*\n    query: '(.*)'", (INFRA / "alerts.bicep").read_text("utf-8")
    )
    form = (
        r"traces \| where timestamp > ago\(26h\) and message " + MEASURED + r' \| where tostring\(m\.(\w+)\) == "(\w+)"'
    )
    name, skipped, field, value = re.fullmatch(form, query).groups()
    start = f"measured {name} "
    assert int(skipped) == len(start)
    return message.startswith(start) and json.loads(message[int(skipped) :]).get(field) == value
