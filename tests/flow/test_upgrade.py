"""Stores as the oldest TrueUp wrote them: read, gone on with in the middle of a night, and written to as little as due.

`tests/data` holds their rows, the lines in Manage and the messages of the queue, taken from the code of that time. They
are never made anew: what they hold stands in somebody's store.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from shared.billing.agreements import Addition
from shared.billing.counts import FailureKind
from shared.errors import Refused
from shared.queues import SyncMessage
from shared.state import companies, company_state
from shared.state.records import Outcome
from shared.state.rows import InsertRow, Value, in_transactions
from shared.sync import views
from shared.sync.lanes import start_run
from shared.version import VERSION
from tests import builders as b
from tests.fakes.house import House, Killed

DATA = Path(__file__).parents[1] / "data"
NIGHT = "2026-11-21-nightly"


def house_of(name: str) -> House:
    """The house over an old store, with the lines that stood in Manage and the messages that waited."""
    old = json.loads((DATA / name).read_text(encoding="utf-8"))
    house = House()
    for company, seats in ((1, 10), (2, 5), (3, 7), (4, 9)):
        house.company(company, [b.count(seats)])
    house.tables._partitions.clear()
    for (table, partition), group in groupby(old["rows"], key=lambda row: (row[0], row[1])):
        inserts = [InsertRow(row, {key: value(held) for key, held in values.items()}) for _, _, row, values in group]
        for batch in in_transactions(inserts):
            house.tables.transact(table, partition, batch)
    house.manage.lines = {line.id: line for line in TypeAdapter(list[Addition]).validate_python(old["lines"])}
    for text in old.get("messages", []):
        house.queue.send(SyncMessage.read(text))
    return house


def value(held: Any) -> Value:
    return base64.b64decode(held["bytes"]) if isinstance(held, dict) else held


def stamps(house: House) -> list[str]:
    return [line.serial_number for line in house.manage.lines.values() if line.serial_number]


def outcomes(house: House, run: str) -> dict[int, Outcome]:
    return {row.company: row.report.outcome for row in house.ports.runs.rows(run) if row.report is not None}


def test_everything_that_the_oldest_store_holds_is_read():
    house = house_of("store-0.1-after-a-night.json")

    assert house.ports.rules.load().version == 1
    assert [row.name for row in house.ports.companies.all()] == [f"Company {number}" for number in (1, 2, 3, 4)]
    states = {company: house.ports.company_state.load(company) for company in (1, 2, 3, 4)}
    assert {company: (len(state.ledger), len(state.seats)) for company, state in states.items()} == {
        1: (1, 1),
        2: (1, 1),
        3: (0, 0),
        4: (0, 1),
    }
    assert [kind for kind, _ in states[3].findings] == ["consent-lost"]
    assert states[4].plan is not None
    assert [len(house.ports.company_state.history(company, limit=10)) for company in (1, 2)] == [1, 1]
    assert outcomes(house, NIGHT) == {
        1: Outcome.APPLIED,
        2: Outcome.APPLIED,
        3: Outcome.FAILED,
        4: Outcome.PLANNED,
    }


def test_a_night_over_the_oldest_store_writes_nothing_where_nothing_changed_and_what_is_due_where_something_did():
    house = house_of("store-0.1-after-a-night.json")
    house.source.failing["tenant-3"] = FailureKind.CONSENT_LOST
    house.clock.pass_by(days=1)

    start_run(house.ports, "2026-11-22-nightly", "nightly", [1, 2, 3, 4])
    house.work_until_done("2026-11-22-nightly")

    assert outcomes(house, "2026-11-22-nightly") == {
        1: Outcome.UNCHANGED,
        2: Outcome.UNCHANGED,
        3: Outcome.FAILED,
        4: Outcome.PLANNED,
    }
    assert house.manage.writes == 0

    house.count(1, b.count(12))
    assert house.sync(1).report.outcome is Outcome.APPLIED
    assert house.manage.lines[11].quantity == 12
    assert len(stamps(house)) == len(set(stamps(house)))


def test_a_night_that_the_oldest_code_began_is_ended_by_this_one_and_nothing_is_written_twice():
    """A deployment in the middle of a night: a line was created and nothing recorded of it when the worker died."""
    house = house_of("store-0.1-in-a-night.json")
    assert len(house.ports.company_state.load(1).intents) + len(house.ports.company_state.load(2).intents) == 1

    house.work_until_done(NIGHT)

    assert outcomes(house, NIGHT) == dict.fromkeys((1, 2, 3), Outcome.APPLIED)
    written = sorted((line.agreement_id, line.quantity) for line in house.manage.lines.values() if line.serial_number)
    assert written == [(1001, 10), (1002, 5), (1003, 7)]
    assert [len(house.ports.company_state.load(company).intents) for company in (1, 2, 3)] == [0, 0, 0]
    assert len(house.ports.company_state.history(2, limit=10)) == 1


@contextmanager
def a_newer_build() -> Iterator[None]:
    """Within it the code is that of a version that stores companies and their state by other schema numbers."""
    documents = [*company_state._DOCUMENTS.values(), company_state._HISTORY_DOCUMENT, companies._DOCUMENT]
    with pytest.MonkeyPatch.context() as build:
        for document in documents:
            build.setattr(document, "_upgrades", {**document._upgrades, document._schema: lambda told: told})
            build.setattr(document, "_schema", document._schema + 1)
        yield


def work_on(house: House) -> None:
    for _ in range(100):
        house._one_step()


@pytest.mark.parametrize("die_at", range(8, 88, 10))
def test_a_deployment_in_mid_night_loses_nothing_and_the_old_build_writes_nothing_after_it(die_at: int):
    house = House()
    house.rules(b.rules())
    for company, seats in ((1, 10), (2, 5), (3, 7)):
        house.company(company, [b.count(seats)])
    start_run(house.ports, NIGHT, "nightly", [1, 2, 3])
    house.fate.die_at = house.fate.steps + die_at
    with pytest.raises(Killed):
        work_on(house)
    house.revive()
    left = min({1, 2, 3} - outcomes(house, NIGHT).keys())

    with a_newer_build():
        house.work_until_done(NIGHT)
        assert outcomes(house, NIGHT) == dict.fromkeys((1, 2, 3), Outcome.APPLIED)
    written = sorted((line.agreement_id, line.quantity) for line in house.manage.lines.values())
    assert written == [(1001, 10), (1002, 5), (1003, 7)]

    writes = house.manage.writes
    with pytest.raises(Refused, match="written by a newer TrueUp"):  # a worker of the old build that is still there
        house.sync(left)
    with a_newer_build():
        assert house.sync(left).report.outcome is Outcome.UNCHANGED
    assert house.manage.writes == writes


def test_the_version_is_told_and_the_changelog_begins_with_it():
    changes = (DATA.parents[1] / "CHANGELOG.md").read_text(encoding="utf-8")
    told = re.findall(r"^## ([\d.]+)$", changes, re.M)

    assert views.status(House().ports)["version"] == VERSION == told[0]
    assert told == sorted(told, key=lambda each: [int(part) for part in each.split(".")], reverse=True)
