"""Keys and documents: nothing is lost, nothing is cut, a newer schema is refused."""

from __future__ import annotations

import re
import secrets
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import Incomplete, Newer, Refused
from shared.state.documents import (
    CHUNK_BYTES,
    DOCUMENT_BYTES,
    Document,
    escape,
    key_after,
    key_parts,
    row_key,
    unescape,
)
from shared.state.rows import PutRow, in_transactions
from tests.fakes.tables import InMemoryTables

SAFE = re.compile(r"[A-Za-z0-9_.:@=-]*")


@dataclass(frozen=True, slots=True)
class Sheet:
    title: str
    day: date = date(2026, 11, 21)
    at: datetime = datetime(2026, 11, 21, 2, 30, tzinfo=UTC)
    amounts: dict[str, Decimal] = field(default_factory=dict)
    users: tuple[str, ...] = ()


SHEET = Document("sheet", Sheet, schema=1)


@given(st.text())
def test_escaping_is_reversible_and_safe_in_a_key(text: str) -> None:
    escaped = escape(text)
    assert SAFE.fullmatch(escaped)
    assert unescape(escaped) == text


@given(st.lists(st.text(max_size=20), min_size=1, max_size=4), st.lists(st.text(max_size=20), min_size=1, max_size=4))
def test_different_parts_give_different_keys(one: list[str], other: list[str]) -> None:
    assert key_parts(row_key(*one)) == one
    assert (row_key(*one) == row_key(*other)) == (one == other)


@given(st.text(max_size=20), st.text(max_size=20))
def test_no_key_lies_between_a_key_and_the_one_after_it(one: str, other: str) -> None:
    lower, upper = sorted((row_key(one), row_key(other)))
    assert lower == upper or key_after(lower) <= upper


def test_a_key_too_long_for_the_store_is_refused_and_not_cut() -> None:
    assert len(row_key("x" * 512)) == 512
    with pytest.raises(Refused, match="513 characters"):
        row_key("x" * 513)


@pytest.mark.parametrize("key", ["=ZZ", "=2", "a/b", "=FF", "=61"])
def test_a_key_that_escape_never_made_is_not_understood(key: str) -> None:
    with pytest.raises(Incomplete, match="did not write"):
        unescape(key)


def test_half_a_character_is_refused() -> None:
    with pytest.raises(Refused, match="half a character"):
        escape("\ud800")


def sheets() -> st.SearchStrategy[Sheet]:
    amounts = st.dictionaries(st.text(max_size=8), st.decimals(allow_nan=False, allow_infinity=False), max_size=5)
    return st.builds(
        Sheet,
        title=st.text(),
        day=st.dates(),
        at=st.datetimes(timezones=st.just(UTC)),
        amounts=amounts,
        users=st.lists(st.text(max_size=30)).map(tuple),
    )


@given(sheets())
def test_a_document_comes_back_as_it_was(sheet: Sheet) -> None:
    assert SHEET.decode(SHEET.encode(sheet)) == sheet


@settings(max_examples=15)
@given(st.integers(0, 60_000), st.sampled_from(["Ana Example", "Zoë Ünlü", "小林 例", "🙂🙂🙂"]), st.integers(0, 2**32))
def test_a_long_list_of_users_is_split_and_nothing_is_lost(users: int, name: str, seed: int) -> None:
    sheet = Sheet("all", users=tuple(f"{name} {number * seed % 1_000_003}" for number in range(users)))
    values = SHEET.encode(sheet)
    InMemoryTables().put("Sheets", "p", "r", values)  # refuses what the service refuses
    assert SHEET.decode(values) == sheet


def test_a_small_document_is_readable_text_and_a_large_one_is_chunks() -> None:
    assert SHEET.encode(Sheet("small"))["json"]
    large = SHEET.encode(Sheet(secrets.token_hex(200_000)))
    chunks = [value for value in large.values() if isinstance(value, bytes)]
    assert "json" not in large
    assert len(chunks) > 2
    assert max(map(len, chunks)) == CHUNK_BYTES


def test_a_document_larger_than_an_entity_is_refused_with_its_size() -> None:
    with pytest.raises(Refused, match=r"too large for the store") as refusal:
        SHEET.encode(Sheet(secrets.token_hex(2 * DOCUMENT_BYTES)))
    assert f"{DOCUMENT_BYTES:,}" in refusal.value.remedy


def test_a_lost_chunk_is_noticed() -> None:
    values = SHEET.encode(Sheet(secrets.token_hex(200_000)))
    last = max(values)
    with pytest.raises(Incomplete, match="damaged or missing"):
        SHEET.decode({name: value for name, value in values.items() if name != last})


def test_an_older_schema_passes_through_every_upgrade() -> None:
    def give_a_title(old: dict[str, object]) -> dict[str, object]:
        return {"name": old["n"]}

    def rename(old: dict[str, object]) -> dict[str, object]:
        return {"title": old["name"]}

    newer = Document("sheet", Sheet, schema=3, upgrades={1: give_a_title, 2: rename})
    assert newer.decode({"schema": 1, "json": '{"n": "first"}'}).title == "first"
    assert newer.decode({"schema": 2, "json": '{"name": "second"}'}).title == "second"
    assert newer.encode(Sheet("now"))["schema"] == 3


def test_what_was_added_since_an_older_schema_needs_no_upgrade_of_its_own() -> None:
    newer = Document("sheet", Sheet, schema=4, upgrades={2: lambda old: {"title": old["name"]}})
    assert newer.decode({"schema": 1, "json": '{"name": "first"}'}) == Sheet("first")
    assert newer.decode({"schema": 3, "json": '{"title": "third"}'}) == Sheet("third")


def test_a_newer_schema_is_refused_with_what_to_do() -> None:
    with pytest.raises(Newer, match="schema 2, this one reads up to 1") as refusal:
        SHEET.decode({"schema": 2, "json": "{}"})
    assert "newer TrueUp" in refusal.value.remedy


@pytest.mark.parametrize("values", [{}, {"schema": "1"}, {"schema": 0, "json": "{}"}, {"schema": 1}])
def test_properties_that_are_no_document_are_not_understood(values: dict[str, str | int]) -> None:
    with pytest.raises(Incomplete, match="a stored sheet can not be read"):
        SHEET.decode(values)


def test_an_error_names_the_place_and_not_the_value() -> None:
    with pytest.raises(Incomplete) as error:
        SHEET.decode({"schema": 1, "json": '{"title": {"user": "Ana Example"}}'})
    assert "title" in str(error.value)
    assert "Ana" not in str(error.value)
    assert error.value.__suppress_context__


def test_a_value_of_a_wrong_type_is_refused_without_showing_it() -> None:
    with pytest.raises(Refused) as error:
        SHEET.encode(Sheet("x", users=(["Ana Example"],)))  # type: ignore[arg-type]
    assert "Ana" not in str(error.value)


def test_transactions_keep_order_and_stay_within_100_rows_and_4_mebibytes() -> None:
    small = [PutRow(f"{number}", {"n": number}) for number in range(250)]
    assert [len(batch) for batch in in_transactions(small)] == [100, 100, 50]
    large = [PutRow(f"{number}", {"z": b"x" * 60_000, "y": "é" * 10_000}) for number in range(90)]
    batches = list(in_transactions(large))
    assert [operation for batch in batches for operation in batch] == large
    assert max(len(batch) for batch in batches) * (80_000 + 60_000) < 4 * 1024**2


def test_importing_the_stores_imports_neither_the_storage_client_nor_pydantic() -> None:
    code = (
        "import sys, shared.state.tables, shared.state.companies, shared.state.rules, shared.state.runs;"
        "lazy = {'azure.data.tables', 'azure.core', 'azure.identity', 'pydantic'};"
        "print(sorted(lazy & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert shown.stdout.strip() == "[]"
