"""One contract, two stores: what the stores of `shared.state` rely on holds in memory and on the emulator alike."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.data.tables import TableServiceClient

from local.azurite import Azurite
from shared.billing.planning.plan import Group, Plan
from shared.billing.rules import CompanyLink, CompanyRules, Mode, Rules, SkuPolicy
from shared.errors import Busy, NotPermitted, Refused, Retryable, TrueUpError
from shared.state.azure_transport import AccountTransport
from shared.state.companies import CompanyStore, Lease
from shared.state.company_state import Drop, Put, ReadingNote, StateKind
from shared.state.company_state_store import CompanyStateStore
from shared.state.documents import row_key
from shared.state.edits import CompanyEdit, RulesEntry
from shared.state.records import CompanyReport, Outcome, Signature
from shared.state.rows import (
    AlreadyThere,
    Changed,
    DeleteRow,
    InsertRow,
    Operation,
    PutRow,
    ReplaceRow,
    Row,
    Values,
)
from shared.state.rules import RulesStore
from shared.state.runs import RunHeader, RunRow, RunStore, Stage
from shared.state.tables import AzureTables, StorageConnection, TableAccess
from tests.fakes.tables import InMemoryTables

NOW = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)
THREADS = 16


class OwnTables:
    """Another storage account, as far as a test can tell: every table under a name of its own."""

    def __init__(self, tables: TableAccess) -> None:
        self._tables = tables
        self._prefix = f"t{secrets.token_hex(6)}"

    def get(self, table: str, partition: str, row: str) -> Row | None:
        return self._tables.get(self._prefix + table, partition, row)

    def insert(self, table: str, partition: str, row: str, values: Values) -> str:
        return self._tables.insert(self._prefix + table, partition, row, values)

    def replace(self, table: str, row: Row, values: Values) -> str:
        return self._tables.replace(self._prefix + table, row, values)

    def put(self, table: str, partition: str, row: str, values: Values) -> None:
        self._tables.put(self._prefix + table, partition, row, values)

    def delete(self, table: str, partition: str, row: str, etag: str | None = None) -> None:
        self._tables.delete(self._prefix + table, partition, row, etag)

    def query(
        self,
        table: str,
        partition: str,
        *,
        first: str | None = None,
        before: str | None = None,
        select: Sequence[str] | None = None,
        limit: int | None = None,
    ) -> Iterator[Row]:
        return self._tables.query(
            self._prefix + table, partition, first=first, before=before, select=select, limit=limit
        )

    def transact(self, table: str, partition: str, operations: Sequence[Operation]) -> None:
        self._tables.transact(self._prefix + table, partition, operations)


@pytest.fixture(params=["memory", "azurite"])
def tables(request: pytest.FixtureRequest) -> TableAccess:
    if request.param == "memory":
        return InMemoryTables()
    emulator = request.getfixturevalue("azurite")
    return OwnTables(AzureTables(StorageConnection(emulator.connection_string)))


def keys(rows: Iterator[Row]) -> list[str]:
    return [row.row for row in rows]


def test_a_row_comes_back_with_the_values_it_was_given(tables: TableAccess) -> None:
    values = {"text": "it's “quoted” ✓", "bytes": b"\x00\xff" * 30_000, "number": 7, "empty": ""}
    etag = tables.insert("Things", "p", row_key("a/b", "ü|#?"), values)
    row = tables.get("Things", "p", row_key("a/b", "ü|#?"))
    assert row == Row("p", row_key("a/b", "ü|#?"), values, etag)
    assert tables.get("Things", "p", "other") is None
    assert tables.get("Things", "other", row_key("a/b", "ü|#?")) is None


def test_reading_makes_no_table_and_what_was_never_written_has_no_rows(azurite: Azurite) -> None:
    tables = AzureTables(StorageConnection(azurite.connection_string))
    name = f"t{secrets.token_hex(6)}"

    assert tables.get(name, "p", "a") is None
    assert list(tables.query(name, "p")) == []
    assert name not in tables.tables()

    tables.insert(name, "p", "a", {"n": 1})
    assert [row.values for row in tables.query(name, "p")] == [{"n": 1}]


def test_a_table_that_went_away_after_it_was_written_to_is_not_taken_for_empty(azurite: Azurite) -> None:
    tables = AzureTables(StorageConnection(azurite.connection_string))
    name = f"t{secrets.token_hex(6)}"
    tables.insert(name, "p", "a", {"n": 1})
    with TableServiceClient.from_connection_string(azurite.connection_string) as service:
        service.delete_table(name)

    with pytest.raises(TrueUpError):
        list(tables.query(name, "p"))


def test_a_row_is_inserted_once(tables: TableAccess) -> None:
    tables.insert("Things", "p", "a", {"n": 1})
    with pytest.raises(AlreadyThere):
        tables.insert("Things", "p", "a", {"n": 2})
    assert next(tables.query("Things", "p")).values == {"n": 1}


def test_a_row_is_replaced_whole_and_only_as_it_was_read(tables: TableAccess) -> None:
    tables.insert("Things", "p", "a", {"n": 1, "old": "x"})
    read = tables.get("Things", "p", "a")
    assert read is not None
    etag = tables.replace("Things", read, {"n": 2})
    assert tables.get("Things", "p", "a") == Row("p", "a", {"n": 2}, etag)
    with pytest.raises(Changed):
        tables.replace("Things", read, {"n": 3})
    with pytest.raises(Changed):
        tables.replace("Things", replace(read, row="gone"), {"n": 3})


def test_put_writes_whatever_was_there(tables: TableAccess) -> None:
    tables.put("Things", "p", "a", {"n": 1, "old": "x"})
    tables.put("Things", "p", "a", {"n": 2})
    assert [row.values for row in tables.query("Things", "p")] == [{"n": 2}]


def test_delete_minds_the_etag_when_it_has_one(tables: TableAccess) -> None:
    first = tables.insert("Things", "p", "a", {"n": 1})
    tables.put("Things", "p", "a", {"n": 2})
    with pytest.raises(Changed):
        tables.delete("Things", "p", "a", first)
    with pytest.raises(Changed):
        tables.delete("Things", "p", "missing", first)
    tables.delete("Things", "p", "missing")
    tables.delete("Things", "p", "a")
    assert keys(tables.query("Things", "p")) == []


def test_a_query_gives_a_range_of_one_partition_in_order(tables: TableAccess) -> None:
    for key in ("b|1", "a|2", "a|1", "c|1", "b|~"):
        tables.insert("Things", "p", key, {"n": 1, "m": 2})
    tables.insert("Things", "q", "a|1", {"n": 1})
    assert keys(tables.query("Things", "p")) == ["a|1", "a|2", "b|1", "b|~", "c|1"]
    assert keys(tables.query("Things", "p", first="b|", before="b}")) == ["b|1", "b|~"]
    assert keys(tables.query("Things", "p", first="a|2", limit=2)) == ["a|2", "b|1"]
    assert keys(tables.query("Things", "p", before="a|2", select=[])) == ["a|1"]
    selected = list(tables.query("Things", "p", select=["m"], limit=1))
    assert [row.values for row in selected] == [{"m": 2}]
    assert selected[0].etag


def test_a_query_is_complete_beyond_the_pages_of_the_service(tables: TableAccess) -> None:
    for start in range(0, 1100, 100):
        tables.transact("Things", "p", [InsertRow(f"{start + n:05d}", {"n": 1}) for n in range(100)])
    assert keys(tables.query("Things", "p", select=[])) == [f"{n:05d}" for n in range(1100)]
    assert len(keys(tables.query("Things", "p", select=[], limit=1050))) == 1050


def test_a_transaction_does_everything(tables: TableAccess) -> None:
    etag = tables.insert("Things", "p", "replaced", {"n": 1})
    gone = tables.insert("Things", "p", "deleted", {"n": 1})
    tables.transact(
        "Things",
        "p",
        [
            InsertRow("inserted", {"n": 1}),
            ReplaceRow("replaced", etag, {"n": 2}),
            PutRow("put", {"n": 1}),
            DeleteRow("deleted", gone),
        ],
    )
    assert {row.row: row.values["n"] for row in tables.query("Things", "p")} == {"inserted": 1, "replaced": 2, "put": 1}


@pytest.mark.parametrize(
    ("losing", "error"),
    [
        (InsertRow("there", {"n": 2}), AlreadyThere),
        (ReplaceRow("there", "W/\"datetime'2020-01-01T00%3A00%3A00.0000000Z'\"", {"n": 2}), Changed),
        (ReplaceRow("gone", "W/\"datetime'2020-01-01T00%3A00%3A00.0000000Z'\"", {"n": 2}), Changed),
        (DeleteRow("there", "W/\"datetime'2020-01-01T00%3A00%3A00.0000000Z'\""), Changed),
        (DeleteRow("gone", "W/\"datetime'2020-01-01T00%3A00%3A00.0000000Z'\""), Changed),
    ],
    ids=["insert", "replace a changed row", "replace a missing row", "delete a changed row", "delete a missing row"],
)
def test_a_transaction_that_loses_does_nothing(tables: TableAccess, losing: Operation, error: type[Exception]) -> None:
    tables.insert("Things", "p", "there", {"n": 1})
    with pytest.raises(error):
        tables.transact("Things", "p", [PutRow("first", {"n": 1}), losing, PutRow("last", {"n": 1})])
    assert [(row.row, row.values) for row in tables.query("Things", "p")] == [("there", {"n": 1})]


def test_a_transaction_may_delete_rows_that_are_gone(tables: TableAccess) -> None:
    tables.insert("Things", "p", "there", {"n": 1})
    tables.transact("Things", "p", [PutRow("put", {"n": 1}), DeleteRow("gone"), DeleteRow("there"), DeleteRow("never")])
    assert keys(tables.query("Things", "p")) == ["put"]
    tables.transact("Things", "p", [DeleteRow("gone"), DeleteRow("never")])
    assert keys(tables.query("Things", "p")) == ["put"]


def test_a_value_too_large_for_the_service_is_refused(tables: TableAccess) -> None:
    with pytest.raises(Refused):
        tables.put("Things", "p", "a", {"text": "x" * 33_000})


def test_rules_survive_the_store_and_the_second_of_two_savers_is_told(tables: TableAccess) -> None:
    policies = tuple(SkuPolicy("microsoft365", f"sku {number}", None) for number in range(150))
    store, other = RulesStore(tables), RulesStore(tables)
    assert store.load() == Rules(0)
    assert store.save(Rules(0, policies=policies), expected=0) == 1
    with pytest.raises(Changed, match="at version 1, not 0"):
        other.save(Rules(0), expected=0)
    assert other.load() == Rules(1, policies=policies)


def test_an_edit_of_the_rules_is_stored_whole_finished_once_and_let_go_of_when_it_is_old(tables: TableAccess) -> None:
    store, companies = RulesStore(tables), CompanyStore(tables)
    signed = Signature("pat@birchline.example", NOW)
    for edition in (1, 2, 3):
        own = [
            CompanyEdit(CompanyRules(number, f"Edition {edition}"), version=edition, edition=edition)
            for number in range(120)
        ]
        entry = RulesEntry(f"edit-{edition}", signed, "console", edition, edition - 1)
        store.save(Rules(0), expected=edition - 1, edition=edition - 1, entry=entry, companies=own)
        unfinished = store.head().unfinished
        assert unfinished is not None
        assert store.companies(unfinished) == own
        companies.put_rules(own[0].rules, edition=edition)
        for _ in range(2):
            store.finish(unfinished)
    companies.put_rules(CompanyRules(0, "Edition 2"), edition=2)
    assert companies.company_rules(0).name == "Edition 3"
    assert [entry.done for entry in store.history(9)] == [True] * 3
    assert store.prune_history(NOW + timedelta(days=1), 100) == 2
    assert [entry.edition for entry in store.history(9)] == [3]


def company(tables: TableAccess, id_: int = 250) -> CompanyStore:
    store = CompanyStore(tables)
    links = (CompanyLink("microsoft365", "tenant"),)
    store.put_rules(CompanyRules(id_, "Lakeside Dental", Mode.AUTO, links=links))
    return store


def test_of_sixteen_workers_one_gets_the_lease(tables: TableAccess) -> None:
    store = company(tables)

    def attempt(number: int) -> Lease | None:
        try:
            return store.take_lease(250, f"worker {number}", 300, NOW)
        except Busy:
            return None

    with ThreadPoolExecutor(THREADS) as pool:
        leases = [lease for lease in pool.map(attempt, range(THREADS)) if lease is not None]
    assert len(leases) == 1
    store.release(leases[0], outcome="applied", run="r", now=NOW)
    assert store.take_lease(250, "next", 300, NOW).token == leases[0].token + 1


def test_a_stale_lease_is_refused(tables: TableAccess) -> None:
    store = company(tables)
    stale = store.take_lease(250, "slow", 300, NOW)
    fresh = store.take_lease(250, "quick", 300, NOW + timedelta(seconds=301))
    with pytest.raises(Busy, match="somebody else took it"):
        store.release(stale, outcome="applied", run="r", now=NOW)
    row = store.get(250)
    assert row is not None
    assert (row.lease_owner, row.lease_token, row.last_outcome) == ("quick", fresh.token, None)


def test_a_commit_larger_than_one_transaction_arrives_whole(tables: TableAccess) -> None:
    store = CompanyStateStore(tables)
    notes = [ReadingNote("pushed", f"customer/{number}", NOW.date()) for number in range(230)]
    store.commit(250, [Put(StateKind.READING, (note.source, note.customer), note) for note in notes])
    assert store.load(250).readings == {(note.source, note.customer): note for note in notes}
    store.commit(250, [Drop(StateKind.READING, ("pushed", f"customer/{number}")) for number in range(300)])
    assert store.load(250).readings == {}


def test_a_plan_of_five_megabytes_arrives_whole_and_goes_again(tables: TableAccess) -> None:
    store = CompanyStateStore(tables)
    plan = Plan(250, (Group("item", (), held=secrets.token_hex(5_000_000)),))
    rest = store.commit(250, [Put(StateKind.PLAN, "", plan)])
    assert (store.load(250).plan, store.load(250).rest, len(rest)) == (plan, rest, 8)
    assert store.commit(250, [Put(StateKind.PLAN, "", Plan(250))], rest) == frozenset()
    assert (store.load(250).plan, store.load(250).rest) == (Plan(250), frozenset())


def run_of(tables: TableAccess, companies: int) -> RunStore:
    store = RunStore(tables)
    assert store.create(RunHeader("2026-11-21-nightly", "nightly", None, 1, NOW), range(1, companies + 1))
    return store


RUN = "2026-11-21-nightly"


def test_of_sixteen_ticks_one_makes_the_run(tables: TableAccess) -> None:
    store = RunStore(tables)
    header = RunHeader(RUN, "nightly", None, 1, NOW)
    with ThreadPoolExecutor(THREADS) as pool:
        made = list(pool.map(lambda _: store.create(header, range(1, 150)), range(THREADS)))
    assert made.count(True) == 1
    assert store.counts(RUN) == {Stage.PENDING: 149, Stage.CLAIMED: 0, Stage.DONE: 0}


def test_sixteen_workers_claim_every_row_exactly_once(tables: TableAccess) -> None:
    store = run_of(tables, 100)

    def claim(worker: int) -> list[RunRow]:
        taken: list[RunRow] = []
        while rows := store.claim_next(RUN, NOW, lambda: f"{worker}-{secrets.token_hex(4)}", 2):
            taken += rows
        return taken

    with ThreadPoolExecutor(THREADS) as pool:
        taken = [row for rows in pool.map(claim, range(THREADS)) for row in rows]
    assert sorted(row.company for row in taken) == list(range(1, 101))
    standing = {row.company: row.claim for row in store.rows(RUN)}
    assert standing == {row.company: row.claim for row in taken}


def test_sixteen_lanes_work_a_run_to_its_end_and_one_closes_it(tables: TableAccess) -> None:
    store = run_of(tables, 60)

    def lane(number: int) -> tuple[list[int], bool]:
        worked = []
        claim: Callable[[], str] = lambda: f"{number}-{secrets.token_hex(4)}"  # noqa: E731
        row = next(iter(store.claim_next(RUN, NOW, claim, 1)), None)
        while row is not None:
            worked.append(row.company)
            row = store.finish_and_claim(row, CompanyReport(row.company, Outcome.UNCHANGED), NOW, claim)
        return worked, store.close(RUN, NOW)

    with ThreadPoolExecutor(THREADS) as pool:
        results = list(pool.map(lane, range(THREADS)))
    assert sorted(company for worked, _ in results for company in worked) == list(range(1, 61))
    assert [closed for _, closed in results].count(True) == 1
    header = store.header(RUN)
    assert header is not None
    assert (header.ended, header.outcomes) == (NOW, {"unchanged": 60})
    assert store.open_headers() == []
    assert store.headers(5) == [header]


def test_an_account_that_does_not_know_us_says_what_to_grant(azurite: object) -> None:
    connection = str(getattr(azurite, "connection_string")).replace("AccountKey=E", "AccountKey=F")  # noqa: B009
    with pytest.raises(NotPermitted, match="did not let us in") as error:
        AzureTables(StorageConnection(connection)).get("Things", "p", "r")
    assert "Storage Table Data Contributor" in error.value.remedy


def test_a_storage_account_out_of_reach_is_worth_another_try(unreachable: TableAccess) -> None:
    with pytest.raises(Retryable, match="could not be reached"):
        unreachable.get("Things", "p", "r")


@pytest.fixture
def unreachable(monkeypatch: pytest.MonkeyPatch) -> TableAccess:
    monkeypatch.setattr("shared.state.tables._RETRIES", {"retry_total": 0})
    return AzureTables(
        StorageConnection(
            "DefaultEndpointsProtocol=http;AccountName=nobody;AccountKey=bm9ib2R5;"
            "TableEndpoint=http://127.0.0.1:9/nobody;"
        )
    )


@pytest.mark.parametrize(
    "write",
    [
        lambda tables, row: tables.insert("Things", "p", "new", {"n": 2}),
        lambda tables, row: tables.replace("Things", row, {"n": 2}),
        lambda tables, row: tables.transact("Things", "p", [InsertRow("new", {"n": 2}), DeleteRow("a", row.etag)]),
        lambda tables, row: tables.transact("Things", "p", [ReplaceRow("a", row.etag, {"n": 2}), PutRow("b", {})]),
    ],
    ids=["insert", "replace", "a move", "a replacement"],
)
def test_a_write_whose_answer_got_lost_recognises_its_own_success(
    write: Callable[[TableAccess, Row], object], azurite: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    transport = ForgetfulTransport()
    monkeypatch.setattr("shared.state.azure_transport.AccountTransport", lambda **_: transport)
    tables = OwnTables(AzureTables(StorageConnection(str(getattr(azurite, "connection_string")))))  # noqa: B009
    tables.insert("Things", "p", "a", {"n": 1})
    row = tables.get("Things", "p", "a")
    assert row is not None
    transport.forgets = 1
    write(tables, row)
    assert transport.forgets == 0
    assert {"n": 2} in [row.values for row in tables.query("Things", "p")]


class ForgetfulTransport(AccountTransport):
    """Sends the next `forgets` writes, and answers 503 whatever the service said."""

    forgets = 0

    def send(self, request: Any, **options: Any) -> Any:
        response = super().send(request, **options)
        if request.method != "GET" and self.forgets:
            self.forgets -= 1
            response.status_code = 503
        return response
