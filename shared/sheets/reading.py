"""An uploaded CSV or XLSX file as tables of text. What is too large, damaged, or a formula is refused."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import Any

from shared.sheets.cells import plain
from shared.sheets.tables import MOST_BYTES, MOST_ROWS, Table, Unreadable, bounded, table_of

#: Bytes that a workbook may have once it is unpacked, how many times its size that may be, and its files.
_MOST_UNPACKED = 64 * 1024 * 1024
_MOST_RATIO = 200
_MOST_FILES = 200
_MOST_SHEETS = 20


def read_tables(content: bytes) -> list[Table]:
    """The tables in a file: those of a workbook, or the one of a CSV. Raises `Unreadable`."""
    if len(content) > MOST_BYTES:
        raise Unreadable(f"the file has more than {MOST_BYTES:,} bytes", "Import it in parts.")
    if content.startswith(b"PK"):
        return _workbook(content)
    return [_csv(content)]


def _csv(content: bytes) -> Table:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Unreadable("the file is not UTF-8", "Save it as XLSX, or as CSV UTF-8.") from None
    if "\0" in text:
        raise Unreadable("the file is neither CSV nor XLSX")
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    rows: list[tuple[int, list[str]]] = []
    try:
        for number, cells in enumerate(csv.reader(io.StringIO(text), delimiter=delimiter, strict=True), start=1):
            bounded("the table", number, cells)
            rows.append((number, [plain(cell) for cell in cells]))
    except csv.Error as error:
        raise Unreadable(f"the file is no CSV: {error}") from None
    return table_of("", rows)


def _workbook(content: bytes) -> list[Table]:
    from openpyxl import load_workbook

    _look_into(content)
    try:
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=False, keep_links=False)
        try:
            sheets = book.worksheets
            if len(sheets) > _MOST_SHEETS:
                raise Unreadable(f"the workbook has more than {_MOST_SHEETS} sheets")
            return [table_of(sheet.title.strip().casefold(), list(_rows(sheet))) for sheet in sheets]
        finally:
            book.close()
    except Unreadable:
        raise
    except Exception as error:  # the library lets through whatever its own parts raise on a damaged file
        raise Unreadable(f"the workbook cannot be read ({type(error).__name__})") from None


def _look_into(content: bytes) -> None:
    """Refuses what would unpack into far more than it is, and XML that defines what it is made of."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            files = packed.infolist()
            unpacked = sum(each.file_size for each in files)
            if len(files) > _MOST_FILES or unpacked > min(_MOST_UNPACKED, _MOST_RATIO * len(content)):
                raise Unreadable("the workbook unpacks into far more than its size", "Import it in parts, or as CSV.")
            for each in files:
                if each.flag_bits & 1:
                    raise Unreadable("the workbook is protected with a password", "Save it without one.")
                if each.filename.endswith((".xml", ".rels")) and b"<!DOCTYPE" in packed.read(each):
                    raise Unreadable("the workbook holds what no spreadsheet writes")
    except (zipfile.BadZipFile, NotImplementedError, EOFError, RuntimeError, ValueError, OSError) as error:
        raise Unreadable(f"the workbook is damaged ({type(error).__name__})") from None


def _rows(sheet: Any) -> Iterator[tuple[int, list[str]]]:
    """`reset_dimensions`: what the file says of its size is not believed."""
    sheet.reset_dimensions()
    place = f"sheet {sheet.title}"
    for number, cells in enumerate(sheet.iter_rows(max_row=MOST_ROWS + 1), start=1):
        texts = [_text(cell, place, number) for cell in _without_end(cells)]
        bounded(place, number, texts)
        yield number, texts


def _without_end(cells: Iterable[Any]) -> list[Any]:
    """The cells up to the last one with a value: formatted columns to the right are none."""
    found = list(cells)
    while found and found[-1].value is None:
        found.pop()
    return found


def _text(cell: Any, place: str, number: int) -> str:
    if cell.data_type == "f":
        raise Unreadable(f"{place}, row {number} holds a formula", "Paste its value instead, and import again.")
    if cell.data_type == "e":
        raise Unreadable(f"{place}, row {number} holds an error such as #N/A", "Correct it, and import again.")
    match cell.value:
        case None:
            return ""
        case bool():
            return "yes" if cell.value else "no"
        case float():
            return f"{cell.value:.10f}".rstrip("0").rstrip(".")
        case datetime():
            return cell.value.date().isoformat()
        case date():
            return cell.value.isoformat()
    return plain(str(cell.value))
