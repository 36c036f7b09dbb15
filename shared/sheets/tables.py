"""What both formats hold: tables of text, and what an upload may not be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.errors import Refused

#: Far above any MSP's links and policies, far below what harms.
MOST_BYTES = 4 * 1024 * 1024
MOST_ROWS = 50_000
MOST_COLUMNS = 100
LONGEST_CELL = 5_000


@dataclass(frozen=True, slots=True)
class Line:
    """One row under the heading: its number as the spreadsheet shows it, and its cells by column, empty ones too."""

    number: int
    cells: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Table:
    """A sheet. `name` is empty where the file has none (CSV)."""

    name: str
    columns: tuple[str, ...]
    lines: tuple[Line, ...]


class Unreadable(Refused):
    """A file that is no table of ours. Nothing was changed."""

    def __init__(self, message: str, remedy: str = "Export the tables again, edit those, and import them.") -> None:
        super().__init__(message, system="import", remedy=f"Nothing was changed. {remedy}")


def table_of(name: str, rows: Sequence[tuple[int, Sequence[str]]]) -> Table:
    """The table whose heading is the first row that holds anything. Rows without a value are left out."""
    filled = [(number, cells) for number, cells in rows if any(cells)]
    if not filled:
        return Table(name, (), ())
    columns = tuple(cell.strip().casefold() for cell in filled[0][1])
    named = [column for column in columns if column]
    if len(set(named)) < len(named):
        raise Unreadable(f"{name or 'the table'} has two columns of one name", "Keep one of them.")
    lines = [
        Line(number, {column: cell for column, cell in zip(columns, cells, strict=False) if column})
        for number, cells in filled[1:]
    ]
    return Table(name, columns, tuple(lines))


def bounded(place: str, number: int, cells: Sequence[str]) -> None:
    """Raises `Unreadable` for what is larger than a table that a person edits."""
    if number > MOST_ROWS:
        raise Unreadable(f"{place} has more than {MOST_ROWS:,} rows", "Import it in parts.")
    if len(cells) > MOST_COLUMNS:
        raise Unreadable(f"{place}, row {number} has more than {MOST_COLUMNS} columns")
    if any(len(cell) > LONGEST_CELL for cell in cells):
        raise Unreadable(f"{place}, row {number} has a cell of more than {LONGEST_CELL:,} characters")
