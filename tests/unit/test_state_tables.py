"""Where the tables are, and what happens when somebody else always writes first."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from shared.billing.rules import CompanyRules, Mode
from shared.errors import Misconfigured, Refused
from shared.state.companies import CompanyStore
from shared.state.rows import Changed
from shared.state.rules import KEPT_VERSIONS, RulesStore
from shared.state.runs import RunHeader, RunStore
from shared.state.schedules import ScheduleStore
from shared.state.tables import AzureTables, StorageConnection, _service
from tests.fakes.tables import InMemoryTables

NOW = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)


def test_a_connection_shows_no_key() -> None:
    assert "secret" not in repr(StorageConnection("AccountName=x;AccountKey=secret"))


def test_a_connection_to_nowhere_is_refused_before_the_first_call() -> None:
    with pytest.raises(Misconfigured, match="neither a connection string nor a table URL"):
        AzureTables(StorageConnection()).get("Things", "p", "r")


def test_with_a_managed_identity_no_key_is_needed() -> None:
    connection = StorageConnection(table_url="https://example.table.core.windows.net", client_id="an identity")
    with _service(connection) as service:
        assert service.url == "https://example.table.core.windows.net"


def interrupt(tables: InMemoryTables, operation: str, with_: Callable[[], object], times: int) -> None:
    """Does something just before each of the next such operations, as another process might."""
    left = times

    def fault(moment: str, what: str, _table: str) -> None:
        nonlocal left
        if (moment, what) == ("before", operation) and left:
            left -= 1
            resume, tables.fault = tables.fault, None
            with_()
            tables.fault = resume

    tables.fault = fault


def touch(tables: InMemoryTables, table: str, partition: str, row: str) -> None:
    standing = tables.get(table, partition, row)
    assert standing is not None
    tables.put(table, partition, row, standing.values)


@pytest.mark.parametrize("times", [1, 100])
def test_rules_of_a_company_are_written_after_somebody_elses_write_or_not_at_all(times: int) -> None:
    tables = InMemoryTables()
    store = CompanyStore(tables)
    store.put_rules(CompanyRules(1, "Lakeside Dental"))
    interrupt(tables, "replace", lambda: touch(tables, "Companies", "company", "0000000001"), times)
    if times == 1:
        store.put_rules(CompanyRules(1, "Lakeside Dental", Mode.AUTO))
        assert store.company_rules(1).mode is Mode.AUTO
    else:
        with pytest.raises(Changed, match="company 1 changes faster"):
            store.put_rules(CompanyRules(1, "Lakeside Dental", Mode.AUTO))
        assert store.company_rules(1).mode is Mode.OBSERVE


@pytest.mark.parametrize("times", [1, 100])
def test_the_end_of_a_job_is_written_after_somebody_elses_write_or_not_at_all(times: int) -> None:
    tables = InMemoryTables()
    store = ScheduleStore(tables)
    store.arrange("nightly", "0 2 * * *", NOW)
    interrupt(tables, "replace", lambda: touch(tables, "Schedules", "schedule", "nightly"), times)
    if times == 1:
        store.finish("nightly", "done", NOW)
    else:
        with pytest.raises(Changed, match="schedule nightly changes faster"):
            store.finish("nightly", "done", NOW)
    state = store.get("nightly")
    assert state is not None
    assert state.last_outcome == ("done" if times == 1 else None)


@pytest.mark.parametrize("times", [1, 100])
def test_the_end_of_a_run_is_written_after_somebody_elses_write_or_not_at_all(times: int) -> None:
    tables = InMemoryTables()
    store = RunStore(tables)
    store.create(RunHeader("r", "nightly", None, 1, NOW), [])
    interrupt(tables, "transact", lambda: touch(tables, "Runs", "~headers", "id|r"), times)
    if times == 1:
        assert store.close("r", NOW)
    else:
        with pytest.raises(Changed, match="run r changes faster"):
            store.close("r", NOW)
    header = store.header("r")
    assert header is not None
    assert header.ended == (NOW if times == 1 else None)


def test_a_run_is_closed_by_one_of_two_that_see_it_done() -> None:
    tables = InMemoryTables()
    store = RunStore(tables)
    store.create(RunHeader("r", "nightly", None, 1, NOW), [])
    interrupt(tables, "transact", lambda: store.close("r", NOW), 1)
    assert not store.close("r", NOW)


def test_rules_of_an_unknown_kind_are_refused() -> None:
    tables = InMemoryTables()
    store = RulesStore(tables)
    store.save(store.load(), expected=0)
    (row,) = tables.query("Rules", "rules", before="head")
    tables.delete("Rules", "rules", row.row)
    tables.put("Rules", "rules", row.row.replace("|general|", "|dream|"), row.values)
    with pytest.raises(Refused, match="unknown kind 'dream'"):
        RulesStore(tables).load()


def test_rules_swept_away_while_they_are_read_are_read_again_by_the_caller() -> None:
    tables = InMemoryTables()
    store = RulesStore(tables)
    for version in range(3):
        store.save(store.load(), expected=version)

    def more_saves_than_are_kept() -> None:
        for version in range(3, 4 + KEPT_VERSIONS):
            store.save(store.load(), expected=version)

    interrupt(tables, "query", more_saves_than_are_kept, 1)
    with pytest.raises(Changed, match="was replaced while it was read"):
        RulesStore(tables).load(1)
