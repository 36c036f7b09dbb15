"""Text in a cell that no spreadsheet takes for a formula, and back."""

from __future__ import annotations

#: A spreadsheet takes text that begins with one of these for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_MARK = "'"


def harmless(text: str) -> str:
    """The text with an apostrophe before what would be run, and before an apostrophe, so that `plain` undoes it."""
    return _MARK + text if text.startswith((*_FORMULA, _MARK)) else text


def plain(cell: str) -> str:
    """What `harmless` was given, also where the spreadsheet has taken the apostrophe away."""
    return cell[1:] if cell.startswith(_MARK) and cell[1:].startswith((*_FORMULA, _MARK)) else cell
