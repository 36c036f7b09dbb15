"""A copy of everything that is stored, as lines of compressed JSON, and an empty store filled from one.

A copy is not of one moment: rows are read one after the other. Taken while nothing is worked on, it is whole.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, Protocol

from shared.errors import Incomplete, Refused
from shared.state.rows import InsertRow, Row, in_transactions
from shared.state.tables import TableAccess

_FORMAT = "trueup-copy-1"


class WholeStore(TableAccess, Protocol):
    """What a copy needs beside what the stores need: to see everything."""

    def tables(self) -> list[str]:
        """The names of the tables that there are."""

    def everything(self, table: str) -> Iterator[Row]:
        """All rows of a table, those of one partition together."""


def write_copy(store: WholeStore, file: Path) -> int:
    """Writes every row of every table into a file and gives their number. The last line says that it is whole."""
    rows = 0
    with gzip.open(file, "wt", encoding="utf-8") as lines:
        for table in store.tables():
            for row in store.everything(table):
                lines.write(json.dumps([table, row.partition, row.row, _shown(row)]) + "\n")
                rows += 1
        lines.write(json.dumps({"format": _FORMAT, "rows": rows}) + "\n")
    return rows


def restore_copy(store: WholeStore, file: Path) -> int:
    """Fills an empty store from a file and gives the number of its rows.

    Raises `Incomplete` for a file that is not a whole copy and `Refused` where anything is stored; then nothing was
    written.
    """
    rows = sum(1 for _ in _rows(file))
    for table in store.tables():
        if next(store.everything(table), None) is not None:
            remedy = "Restore into a storage account in which nothing is stored. Nothing was written."
            raise Refused(f"{table} holds rows already", system="storage", remedy=remedy)
    for (table, partition), group in groupby(_rows(file), key=lambda each: (each[0], each[1])):
        for batch in in_transactions([InsertRow(row, _values(shown)) for _, _, row, shown in group]):
            store.transact(table, partition, batch)
    return rows


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
