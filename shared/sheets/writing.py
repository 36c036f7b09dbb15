"""Tables as CSV and as a workbook. Text is never run and ids stay the ids they are; numbers are numbers."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from shared.sheets.cells import harmless

#: Without it spreadsheets read UTF-8 as something else.
_MARK = "\ufeff"
_WIDEST, _NARROWEST = 60, 10
#: What XML cannot hold: a control character in a vendor's name must not cost the whole export.
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Written:
    """A table to write, cells in the order of its columns; None is an empty one."""

    name: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]


class Sheet:
    """CSV that grows row by row under a heading."""

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


def csv_of(table: Written) -> bytes:
    """One table as CSV in UTF-8."""
    return sheet_of(table.columns, table.rows).encode()


def workbook_of(tables: Iterable[Written]) -> bytes:
    """Tables as the sheets of a workbook, headings frozen and columns as wide as what is in them."""
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    book = Workbook(write_only=True)
    for table in tables:
        sheet = book.create_sheet(table.name)
        heading, plain, figure = (WriteOnlyCell(sheet) for _ in range(3))
        heading.number_format = plain.number_format = "@"
        heading.font = Font(bold=True)
        sheet.freeze_panes = "A2"
        for at, width in enumerate(_widths(table), start=1):
            sheet.column_dimensions[get_column_letter(at)].width = width
        for number, row in enumerate([table.columns, *table.rows]):
            sheet.append(_filled(plain if number else heading, figure, row))
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def _filled(text: Any, figure: Any, row: Sequence[object]) -> Iterator[Any]:
    """A cell with each value of a row in turn: it is written before the next is taken, and a new one is dear."""
    for value in row:
        cell = text if isinstance(value, str) else figure
        cell.value = harmless(_UNWRITABLE.sub("", value)) or None if isinstance(value, str) else value
        yield cell


def _harmless(cell: object) -> object:
    return harmless(cell) if isinstance(cell, str) else cell


def _widths(table: Written) -> list[int]:
    columns = zip(table.columns, *table.rows, strict=True)
    return [min(_WIDEST, max(_NARROWEST, *(len(str(cell)) + 2 for cell in column))) for column in columns]
