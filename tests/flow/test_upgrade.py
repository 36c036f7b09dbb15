"""Stores as the oldest TrueUp wrote them: read, gone on with in the middle of a night, and written to as little as due.

`tests/data` holds their rows, the lines in Manage and the messages of the queue, taken from the code of that time. They
are never made anew: what they hold stands in somebody's store.
"""

from __future__ import annotations

import base64
import gzip
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
from shared.errors import Newer
from shared.queues import SyncMessage
from shared.state.copies import restore_copy
from shared.state.documents import STORED
from shared.state.records import Outcome, Signature
from shared.state.rows import InsertRow, Row, Value, in_transactions
from shared.sync import lanes, views
from shared.sync.approvals import Person
from shared.sync.lanes import start_run
from shared.sync.mapping.skus import ignore, restore
from shared.version import VERSION
from tests import builders as b
from tests.fakes.house import House, Killed
from tests.fakes.tables import InMemoryTables
from tests.shapes import documents

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
    written = [row.values["schema"] for row in house.tables.rows("Companies", "company")]
    assert written == [STORED] * 4  # which the oldest code refuses


def test_what_was_ignored_while_the_directory_said_so_stays_ignored_until_it_is_restored():
    house = house_of("store-0.1-after-a-night.json")
    for company, sku in (("1", "zzz"), ("2", "yyy")):
        house.ports.directory.ignore((company, b.SOURCE, sku), Signature("kim@birchline.example", house.clock.now()))
    ignore(house.ports, [(2, b.SOURCE, "zzz")], Person("pat@birchline.example"))
    for company, seats in ((1, 10), (2, 5)):
        house.count(company, b.count(seats), b.count(4, sku="zzz"), b.count(4, sku="yyy"))
        for _ in range(2):
            house.sync(company)
    assert unmapped(house) == {1: ["yyy"], 2: []}
    restore(house.ports, [(1, b.SOURCE, "zzz"), (2, b.SOURCE, "yyy")])
    house.sync(1)
    house.sync(2)
    assert unmapped(house) == {1: ["yyy", "zzz"], 2: ["yyy"]}


def unmapped(house: House) -> dict[int, list[str]]:
    """The SKUs that are findings, by company."""
    states = {company: house.state(company) for company in (1, 2)}
    return {
        company: sorted(key.rpartition("/")[2] for kind, key in state.findings if kind == "unmapped")
        for company, state in states.items()
    }


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
    """Within it the code is that of a version that stores everything under the next number."""
    with pytest.MonkeyPatch.context() as build:
        for document in documents():
            build.setattr(document, "_schema", STORED + 1)
        yield


def work_on(house: House) -> None:
    for _ in range(100):
        house._one_step()


@pytest.mark.parametrize("die_at", range(8, 88, 10))
def test_a_deployment_in_mid_night_loses_nothing_and_the_old_build_writes_nothing_after_it(die_at: int):
    house = a_house()
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
    with pytest.raises(Newer, match="written by a newer TrueUp"):  # a worker of the old build that is still there
        house.sync(left)
    with a_newer_build():
        assert house.sync(left).report.outcome is Outcome.UNCHANGED
    assert house.manage.writes == writes


def a_house() -> House:
    house = House()
    house.rules(b.rules())
    for company, seats in ((1, 10), (2, 5), (3, 7)):
        house.company(company, [b.count(seats)])
    return house


def test_workers_of_the_old_build_put_back_what_the_new_one_has_begun_and_no_company_is_given_up():
    """Both work on the queue for a while; what the old ones take is the new ones' next."""
    house = a_house()
    with a_newer_build():
        start_run(house.ports, NIGHT, "nightly", [1, 2, 3])
    for _ in range(12):  # more often than a message that kills its workers is handed out
        with house.queue.next_message() as (message, deliveries):
            lanes.work(house.ports, message, deliveries)
    assert house.manage.writes == 0

    with a_newer_build():
        house.work_until_done(NIGHT)
        assert outcomes(house, NIGHT) == dict.fromkeys((1, 2, 3), Outcome.APPLIED)
    written = sorted((line.agreement_id, line.quantity) for line in house.manage.lines.values())
    assert written == [(1001, 10), (1002, 5), (1003, 7)]
    assert house.queue.poison == []


def test_a_night_of_an_older_build_over_what_a_newer_one_stored_fails_and_changes_nothing():
    house = a_house()
    with a_newer_build():
        start_run(house.ports, NIGHT, "nightly", [1, 2, 3])
        house.work_until_done(NIGHT)
    house.count(1, b.count(12))
    house.clock.pass_by(days=1)
    writes, held = house.manage.writes, company_rows(house)

    start_run(house.ports, "2026-11-22-nightly", "nightly", [1, 2, 3])
    house.work_until_done("2026-11-22-nightly")
    reports = [row.report for row in house.ports.runs.rows("2026-11-22-nightly")]
    assert [report.outcome for report in reports if report] == [Outcome.FAILED] * 3
    assert all("was written by a newer TrueUp" in report.note for report in reports if report)
    assert (house.manage.writes, company_rows(house)) == (writes, held)

    with a_newer_build():  # deployed again
        assert house.sync(1).report.outcome is Outcome.APPLIED


def company_rows(house: House) -> list[Row]:
    states = [row for company in (1, 2, 3) for row in house.tables.rows("CompanyState", str(company))]
    return [*house.tables.rows("Companies", "company"), *states]


class EmptyStore(InMemoryTables):
    """Into which a copy is restored."""

    def tables(self) -> list[str]:
        return []

    def pages(self, table: str) -> Iterator[list[Row]]:
        raise AssertionError(f"there is no {table}")


def test_a_copy_of_the_oldest_store_is_restored_and_one_of_a_newer_store_is_not(tmp_path: Path):
    rows = json.loads((DATA / "store-0.1-after-a-night.json").read_text(encoding="utf-8"))["rows"]
    file, house, newer = tmp_path / "copy.jsonl.gz", House(), EmptyStore()
    house.tables = EmptyStore()
    house.ports = house._new_process(house.ports.limits)

    written(file, rows)
    assert restore_copy(house.tables, file) == len(rows)
    assert [row.name for row in house.ports.companies.all()] == [f"Company {number}" for number in (1, 2, 3, 4)]

    written(file, [*rows, ["Rules", "rules", "head", {"schema": STORED + 1, "json": "{}"}]])
    with pytest.raises(Newer, match="holds rows of Rules of a newer TrueUp") as refusal:
        restore_copy(newer, file)
    assert "Nothing was written" in refusal.value.remedy
    assert newer.rows("Companies", "company") == []


def written(file: Path, rows: list[Any]) -> None:
    lines = [*rows, {"format": "trueup-copy-1", "rows": len(rows)}]
    file.write_bytes(gzip.compress("".join(json.dumps(line) + "\n" for line in lines).encode()))


def test_the_version_is_told_and_the_changelog_begins_with_it():
    changes = (DATA.parents[1] / "CHANGELOG.md").read_text(encoding="utf-8")
    told = re.findall(r"^## ([\d.]+)$", changes, re.M)

    assert views.status(House().ports)["version"] == VERSION == told[0]
    assert told == sorted(told, key=lambda each: [int(part) for part in each.split(".")], reverse=True)
