"""A copy of everything that is stored, as lines of compressed JSON, and an empty store filled from one.

Each partition is copied as it was at one moment, which is what belongs together: a company with all that is known of
it. A copy as a whole is not of one moment; taken while nothing is worked on, it is. What an edit of the rules changes
lies in several partitions, so that a copy during which the rules are edited is none.
"""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, Protocol

from shared.errors import Incomplete, Newer, Refused
from shared.state.documents import STORED
from shared.state.rows import Changed, InsertRow, Row, in_transactions
from shared.state.rules import RulesStore
from shared.state.tables import TableAccess

_FORMAT = "trueup-copy-1"
#: zlib's number for a gzip file.
_GZIP = 31
_TRIES = 5


class WholeStore(TableAccess, Protocol):
    """What a copy needs beside what the stores need: to see everything."""

    def tables(self) -> list[str]:
        """The names of the tables that there are."""

    def pages(self, table: str) -> Iterator[list[Row]]:
        """All rows of a table, those of one partition together; what is in one page is of one moment by partition."""


class Copy:
    """The copy of a store, piece by piece while it is read: memory holds one partition at most.

    `rows` is their number once all pieces were taken. Raises `Changed` where a partition or the rules do not hold
    still.
    """

    def __init__(self, store: WholeStore) -> None:
        self.rows = 0
        self._store = store

    def __iter__(self) -> Iterator[bytes]:
        """The pieces. The last line says that the copy is whole."""
        packed = zlib.compressobj(wbits=_GZIP)
        self.rows = 0
        for line in self._lines():
            if piece := packed.compress(json.dumps(line).encode() + b"\n"):
                yield piece
        yield packed.flush()

    def _lines(self) -> Iterator[object]:
        rules = RulesStore(self._store)
        before = rules.head()
        for table in self._store.tables():
            for rows in _partitions(self._store, table):
                for row in rows:
                    yield [table, row.partition, row.row, _shown(row)]
                self.rows += len(rows)
        if rules.head() != before:
            raise Changed(
                "the rules were changed while they were copied: the copy would hold half of an edit",
                system="storage",
                remedy="Copy again.",
            )
        yield {"format": _FORMAT, "rows": self.rows}


def write_copy(store: WholeStore, file: Path) -> int:
    """Writes every row of every table into a file and gives their number."""
    copy = Copy(store)
    with file.open("wb") as out:
        out.writelines(copy)
    return copy.rows


def restore_copy(store: WholeStore, file: Path) -> int:
    """Fills an empty store from a file and gives the number of its rows.

    Raises `Incomplete` for a file that is not a whole copy, `Newer` for one of a newer TrueUp's store and `Refused`
    where anything is stored; then nothing was written.
    """
    rows = _checked(file)
    for table in store.tables():
        if any(store.pages(table)):
            remedy = "Restore into a storage account in which nothing is stored. Nothing was written."
            raise Refused(f"{table} holds rows already", system="storage", remedy=remedy)
    for (table, partition), group in groupby(_rows(file), key=lambda each: (each[0], each[1])):
        for batch in in_transactions([InsertRow(row, _values(shown)) for _, _, row, shown in group]):
            store.transact(table, partition, batch)
    return rows


def _checked(file: Path) -> int:
    """The number of rows of a copy that this build reads."""
    rows = 0
    for table, _, _, values in _rows(file):
        if values.get("schema", STORED) > STORED:
            remedy = "Restore it with the TrueUp that took it, or a newer one. Nothing was written."
            raise Newer(f"{file} holds rows of {table} of a newer TrueUp", system="storage", remedy=remedy)
        rows += 1
    return rows


def _partitions(store: WholeStore, table: str) -> Iterator[list[Row]]:
    """The partitions of a table, each as it was at one moment."""
    held: list[Row] = []
    in_one_page = True
    for page in store.pages(table):
        for partition, group in groupby(page, key=lambda row: row.partition):
            rows = list(group)
            if held and held[0].partition == partition:
                held, in_one_page = held + rows, False
                continue
            if held:
                yield held if in_one_page else _standing_still(store, table, held)
            held, in_one_page = rows, True
    if held:
        yield held if in_one_page else _standing_still(store, table, held)


def _standing_still(store: WholeStore, table: str, rows: list[Row]) -> list[Row]:
    """A partition that took several answers, read until nothing changed from the first to the last of them."""
    partition = rows[0].partition
    for _ in range(_TRIES):
        now = [(row.row, row.etag) for row in store.query(table, partition, select=[])]
        if now == [(row.row, row.etag) for row in rows]:
            return rows
        rows = list(store.query(table, partition))
    raise Changed(
        f"{table}: the partition {partition} changes faster than it can be copied",
        system="storage",
        remedy="Copy while no run is open.",
    )


def _shown(row: Row) -> dict[str, Any]:
    return {
        name: {"bytes": base64.b64encode(value).decode()} if isinstance(value, bytes) else value
        for name, value in row.values.items()
    }


def _values(shown: dict[str, Any]) -> dict[str, str | bytes | int]:
    return {
        name: base64.b64decode(value["bytes"]) if isinstance(value, dict) else value for name, value in shown.items()
    }


def _rows(file: Path) -> Iterable[tuple[str, str, str, dict[str, Any]]]:
    """The rows of a copy. Raises `Incomplete` at its end unless it is whole."""
    found, end = 0, None
    try:
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            for line in lines:
                read = json.loads(line)
                if isinstance(read, dict):
                    end = read
                    continue
                found += 1
                table, partition, row, shown = read
                yield table, partition, row, shown
    except (OSError, EOFError, ValueError) as error:
        raise _no_copy(file, str(error)) from error
    if end != {"format": _FORMAT, "rows": found}:
        raise _no_copy(file, "its end is missing")


def _no_copy(file: Path, why: str) -> Incomplete:
    remedy = "Take another copy. Nothing was written."
    return Incomplete(f"{file} is not a whole copy of the store: {why}", system="storage", remedy=remedy)
