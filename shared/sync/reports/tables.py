"""Rows of a report: in groups, and as a file for a spreadsheet."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Literal, TypeVar

from shared.sheets.writing import Written, csv_of, workbook_of

Kind = Literal["csv", "xlsx"]
Row = TypeVar("Row")
Key = TypeVar("Key", bound=Hashable)


def grouped(rows: Iterable[Row], key: Callable[[Row], Key]) -> dict[Key, list[Row]]:
    """The rows by what they have in common, such as the company, in the order in which that first comes."""
    found: dict[Key, list[Row]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return found


def file_of(name: str, columns: Sequence[str], rows: Iterable[Mapping[str, object]], kind: Kind) -> bytes:
    """These columns of the rows; several values in one cell are words beside each other."""
    table = Written(name, columns, [cells(row, columns) for row in rows])
    return workbook_of([table]) if kind == "xlsx" else csv_of(table)


def cells(row: Mapping[str, object], columns: Iterable[str]) -> list[object]:
    """What a row says in these columns."""
    return [_cell(row[column]) for column in columns]


def _cell(value: object) -> object:
    return " ".join(value) if isinstance(value, list) else value
