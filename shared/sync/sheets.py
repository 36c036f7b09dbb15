"""Tables for a spreadsheet, as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

#: A spreadsheet takes text that begins with one of these for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
#: Without it spreadsheets read UTF-8 as something else.
_MARK = "\ufeff"


class Sheet:
    """CSV that grows row by row under a heading; no cell of it is run as a formula."""

    def __init__(self, columns: Sequence[str]) -> None:
        self._text = io.StringIO()
        self._text.write(_MARK)
        self._rows = csv.writer(self._text)
        self._rows.writerow(columns)

    def add(self, row: Iterable[object]) -> None:
        self._rows.writerow([_harmless(cell) for cell in row])

    @property
    def text(self) -> str:
        return self._text.getvalue()


def sheet_of(columns: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    """A whole table as CSV."""
    sheet = Sheet(columns)
    for row in rows:
        sheet.add(row)
    return sheet.text


def _harmless(cell: object) -> object:
    """Text that a spreadsheet would run as a formula gets an apostrophe; numbers may be below zero."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell
