"""A copy and a backup of the store, into an empty one, in the real emulator: then a night finds nothing to write."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from local.commands import store as command
from shared.errors import Gone, Incomplete, Refused, Retryable
from shared.state.backups import AzureBackups
from shared.state.copies import Copy, restore_copy, write_copy
from shared.state.own_manage import ManageName, OwnManage
from shared.state.records import Outcome
from shared.state.rows import Changed, PutRow, Row
from shared.state.tables import AzureTables, StorageConnection
from shared.sync.company import Order, Synced, sync_company
from shared.sync.ports import Limits
from tests import builders as b
from tests.fakes.house import House
from tests.integration.house import NIGHT, TWO, a_house, an_account

DAY = date(2026, 12, 1)


@pytest.fixture(scope="module")
def accounts() -> tuple[str, str]:
    """The connection strings of two storage accounts."""
    return an_account(), an_account()


def tables_of(account: str) -> AzureTables:
    return AzureTables(StorageConnection(account))


def house_on(tables: AzureTables) -> House:
    house = House()
    house.tables = tables
    house.ports = house._new_process(Limits(lanes=2))
    return house


def sync(house: House, company: int) -> Synced:
    return sync_company(house.ports, Order(company, "night", "me", None))


def test_a_copy_is_restored_into_an_empty_store_only_and_then_a_night_writes_nothing(
    accounts, tmp_path: Path, monkeypatch, capsys
):
    one, other = accounts
    source, empty, file = tables_of(one), tables_of(other), tmp_path / "copy.jsonl.gz"
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
    assert everything(empty) == {}

    fetched = a_backup_fetched_by_hand(one, tmp_path, monkeypatch)
    assert gzip.decompress(fetched.read_bytes()) == gzip.decompress(file.read_bytes())
    assert f"{DAY}  written" in capsys.readouterr().out

    assert restore_copy(empty, fetched) == written > 0
    assert everything(empty) == everything(source)
    assert OwnManage(empty, ManageName("globex", "na.myconnectwise.net")).problem() is not None
    fresh = house_on(empty)
    fresh.manage.lines, fresh.manage.agreements_ = house.manage.lines, house.manage.agreements_
    fresh.source.counts = house.source.counts
    assert [sync(fresh, company).report.outcome for company in (1, 2)] == [Outcome.UNCHANGED] * 2
    assert fresh.manage.writes == 0


def test_after_a_backup_was_restored_into_an_empty_store_a_night_of_the_host_writes_nothing(tmp_path: Path, capsys):
    with a_house(tmp_path, companies=3) as house:
        house.import_rules("auto")
        house.host()
        house.start_night()
        first = house.ended(NIGHT)
        assert house.writes() > 0
        house.fire("backup")
        house.close()

        file, settings = tmp_path / "backup.jsonl.gz", tmp_path / "local.settings.json"
        settings.write_text(json.dumps({"Values": house.settings}), encoding="utf-8")
        assert house.ports.backups is not None
        (backup,) = house.ports.backups.blobs.all()
        assert command.fetch(backup.day, file, settings) == 0
        house.move_to(an_account())
        settings.write_text(json.dumps({"Values": house.settings}), encoding="utf-8")
        assert command.restore(file, settings) == 0
        assert command.same_manage(settings) == 0
        assert "; it was known as company " in capsys.readouterr().out
        with pytest.raises(Refused, match="still link it"):
            command.erase(house.companies[0], settings)

        lines = house.lines()
        house.forget_calls()
        house.host()
        house.clock(TWO + timedelta(days=1))
        house.fire("tick")
        second = house.ended("2026-11-22-nightly")
        assert (house.writes(), house.lines()) == (0, lines)
        assert second.companies == first.companies
        assert second.outcomes.keys() <= {"unchanged", "failed"}
        assert second.outcomes["unchanged"] > 0


def a_backup_fetched_by_hand(account: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The store backed up and the backup fetched, as `dev.py store` does it."""
    AzureBackups(StorageConnection(account)).write(DAY, Copy(tables_of(account)))
    settings, file = folder / "local.settings.json", folder / "fetched.jsonl.gz"
    settings.write_text("{}")
    given = {"AzureWebJobsStorage": account, "MANAGE_SITE": "na.myconnectwise.net"}
    keys = dict.fromkeys(("MANAGE_COMPANY", "MANAGE_PUBLIC_KEY", "MANAGE_PRIVATE_KEY", "MANAGE_CLIENT_ID"), "-")
    for name, value in (given | keys).items():
        monkeypatch.setenv(name, value)
    assert command.backups(settings) == 0
    assert command.fetch(DAY, file, settings) == 0
    with pytest.raises(Gone, match="no backup of 2026-11-30"):
        command.fetch(date(2026, 11, 30), folder / "none", settings)
    assert not (folder / "none").exists()
    return file


def everything(tables: AzureTables) -> dict[tuple[str, str, str], object]:
    return {
        (table, row.partition, row.row): row.values
        for table in tables.tables()
        for page in tables.pages(table)
        for row in page
    }


# --- Backups as blobs ---


@pytest.fixture(scope="module")
def backups(accounts) -> AzureBackups:
    return AzureBackups(StorageConnection(accounts[1]))


def test_a_backup_of_several_blocks_is_read_as_it_was_written_and_gone_when_it_is_deleted(backups):
    pieces = [bytes([number]) * 1_000_000 for number in range(9)]
    day = date(2025, 1, 1)

    backups.write(day, pieces)
    backups.write(date(2025, 1, 2), [b"another"])

    assert b"".join(backups.read(day)) == b"".join(pieces)
    assert [(each.day, each.size) for each in backups.all()] == [(day, 9_000_000), (date(2025, 1, 2), 7)]
    for each in backups.all():
        backups.delete(each.day)
    assert backups.all() == []


def test_a_backup_that_breaks_off_is_none_and_leaves_the_one_before_as_it_is(backups):
    def breaking() -> Iterator[bytes]:
        yield b"x" * 5_000_000
        raise Retryable("the store went away", system="storage")

    backups.write(DAY, [b"whole"])

    with pytest.raises(Retryable, match="went away"):
        backups.write(DAY, breaking())
    with pytest.raises(Retryable):
        backups.write(date(2026, 12, 2), breaking())

    assert [each.day for each in backups.all()] == [DAY]
    assert b"".join(backups.read(DAY)) == b"whole"


# --- Each partition as it was at one moment ---


class Busy(AzureTables):
    """A store in which a company is worked on between two answers: its last row and its first belong together."""

    def __init__(self, account: str, *, writes: int) -> None:
        super().__init__(StorageConnection(account))
        self.left = writes
        self.mark = 0

    def pages(self, table: str) -> Iterator[list[Row]]:
        for page in super().pages(table):
            yield page
            self.work()

    def query(self, table: str, partition: str, **how: object) -> Iterator[Row]:
        yield from super().query(table, partition, **how)  # type: ignore[arg-type]
        self.work()

    def work(self) -> None:
        if self.left:
            self.left, self.mark = self.left - 1, self.mark + 1
            self.transact("Large", "one", [PutRow(key, {"mark": self.mark}) for key in ("0000", "1500")])


@pytest.mark.parametrize("writes", [0, 1, 2])
def test_a_partition_of_several_answers_is_copied_as_it_was_at_one_moment(accounts, writes, tmp_path):
    store = a_large_partition(accounts[1], writes)

    write_copy(store, tmp_path / "copy.jsonl.gz")

    assert store.left == 0
    lines = gzip.decompress((tmp_path / "copy.jsonl.gz").read_bytes()).decode().splitlines()
    large = [line for line in lines if line.startswith('["Large", "one"')]
    assert len(large) == len(set(large)) == 1501
    assert [f'{{"mark": {writes}}}' in line for line in (large[0], large[-1])] == [True, True]


def test_a_partition_that_never_holds_still_is_no_copy(accounts):
    with pytest.raises(Changed, match="changes faster than it can be copied"):
        list(Copy(a_large_partition(accounts[1], 1000)))


def a_large_partition(account: str, writes: int) -> Busy:
    """1,501 rows, more than one answer holds."""
    store = Busy(account, writes=writes)
    rows = [PutRow(f"{number:04d}", {"mark": 0}) for number in range(1501)]
    # Those between the first and the last are the same in every test.
    there = "Large" in store.tables()
    for at in (0, 1500) if there else range(0, len(rows), 100):
        store.transact("Large", "one", rows[at : at + (1 if there else 100)])
    return store
