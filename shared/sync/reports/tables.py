"""Rows of a report as a file for a spreadsheet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from shared.sheets.writing import Written, csv_of, workbook_of

Kind = Literal["csv", "xlsx"]


def file_of(name: str, columns: Sequence[str], rows: Iterable[Mapping[str, object]], kind: Kind) -> bytes:
    """These columns of the rows; several values in one cell are words beside each other."""
    table = Written(name, columns, [cells(row, columns) for row in rows])
    return workbook_of([table]) if kind == "xlsx" else csv_of(table)


def cells(row: Mapping[str, object], columns: Iterable[str]) -> list[object]:
    """What a row says in these columns."""
    return [_cell(row[column]) for column in columns]


def _cell(value: object) -> object:
    return " ".join(value) if isinstance(value, list) else value
