"""A copy of the store, into an empty one, in the real emulator: afterwards a night finds nothing to write."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.azurite import Azurite, running_azurite
from shared.errors import Incomplete, Refused
from shared.state.copies import restore_copy, write_copy
from shared.state.records import Outcome
from shared.state.tables import AzureTables, StorageConnection
from shared.sync.company import Order, Synced, sync_company
from shared.sync.ports import Limits
from tests import builders as b
from tests.fakes.house import House


@pytest.fixture(scope="module")
def stores() -> Iterator[tuple[AzureTables, AzureTables]]:
    """The store of a house in which a night was, and an empty one: two storage accounts."""
    with running_azurite() as one, running_azurite() as other:
        yield tables_of(one), tables_of(other)


def tables_of(emulator: Azurite) -> AzureTables:
    return AzureTables(StorageConnection(emulator.connection_string))


def house_on(tables: AzureTables) -> House:
    house = House()
    house.tables = tables
    house.ports = house._new_process(Limits(lanes=2))
    return house


def sync(house: House, company: int) -> Synced:
    return sync_company(house.ports, Order(company, "night", "me", None))


def test_a_copy_is_restored_into_an_empty_store_only_and_then_a_night_writes_nothing(stores, tmp_path: Path):
    (source, empty), file = stores, tmp_path / "copy.jsonl.gz"
    house = house_on(source)
    house.rules(b.rules())
    house.company(1, [b.count(5)], [b.addition(11, 4)])
    house.company(2, [b.count(8)])
    assert [sync(house, company).report.outcome for company in (1, 2)] == [Outcome.APPLIED] * 2

    written = write_copy(source, file)
    cut = tmp_path / "cut.jsonl.gz"
    cut.write_bytes(gzip.compress(gzip.decompress(file.read_bytes()).rpartition(b'{"format"')[0]))
    with pytest.raises(Incomplete, match="its end is missing"):
        restore_copy(empty, cut)
    with pytest.raises(Refused, match="holds rows already"):
        restore_copy(source, file)
    assert [row for table in empty.tables() for row in empty.everything(table)] == []

    assert restore_copy(empty, file) == written > 0
    assert everything(empty) == everything(source)
    fresh = house_on(empty)
    fresh.manage.lines, fresh.manage.agreements_ = house.manage.lines, house.manage.agreements_
    fresh.source.counts = house.source.counts
    assert [sync(fresh, company).report.outcome for company in (1, 2)] == [Outcome.UNCHANGED] * 2
    assert fresh.manage.writes == 0


def everything(tables: AzureTables) -> dict[tuple[str, str, str], object]:
    return {
        (table, row.partition, row.row): row.values for table in tables.tables() for row in tables.everything(table)
    }
