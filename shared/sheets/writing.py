"""Tables as CSV and as a workbook. Every cell is text that nothing runs; ids stay the ids they are."""

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
    """A table to write, cells in the order of its columns."""

    name: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def csv_of(table: Written) -> bytes:
    """One table as CSV in UTF-8."""
    text = io.StringIO()
    text.write(_MARK)
    writer = csv.writer(text)
    writer.writerow(table.columns)
    writer.writerows([harmless(cell) for cell in row] for row in table.rows)
    return text.getvalue().encode()


def workbook_of(tables: Iterable[Written]) -> bytes:
    """Tables as the sheets of a workbook, headings frozen and columns as wide as what is in them."""
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    book = Workbook(write_only=True)
    for table in tables:
        sheet = book.create_sheet(table.name)
        heading, plain = (WriteOnlyCell(sheet) for _ in range(2))
        heading.number_format = plain.number_format = "@"
        heading.font = Font(bold=True)
        sheet.freeze_panes = "A2"
        for at, width in enumerate(_widths(table), start=1):
            sheet.column_dimensions[get_column_letter(at)].width = width
        for number, row in enumerate([table.columns, *table.rows]):
            sheet.append(_filled(plain if number else heading, row))
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def _filled(cell: Any, row: Sequence[str]) -> Iterator[Any]:
    """The cell with each text of a row in turn: it is written before the next is taken, and a new one is dear."""
    for text in row:
        cell.value = harmless(_UNWRITABLE.sub("", text)) or None
        yield cell


def _widths(table: Written) -> list[int]:
    columns = zip(table.columns, *table.rows, strict=True)
    return [min(_WIDEST, max(_NARROWEST, *(len(cell) + 2 for cell in column))) for column in columns]
