"""What the store holds of an edit of the rules: who changed what, and until it is in force what it makes of companies.

An edit that changes companies' own rules is stored whole, then the head of the rules is switched to it: from that
moment on it is decided, and whoever finds it unfinished can finish it. Before, nothing of it is in force.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from shared.billing.rules import CompanyRules
from shared.state.documents import AFTER_SEPARATOR, SEPARATOR, Document, row_key
from shared.state.records import Signature
from shared.state.rows import InsertRow, Row

#: Both sort after the versions of the rules, which begin with a digit.
HISTORY = "history"
_EDIT = "edit"
_FAR_FUTURE = 10**10 - 1


@dataclass(frozen=True, slots=True)
class RulesEntry:
    """Who changed what of the rules, when (UTC) and how, in sentences.

    `edition` is the one that it made. `done` is False until the rules of every company that it changes are stored.
    """

    id: str
    signed: Signature
    way: str
    edition: int
    version: int
    what: tuple[str, ...] = ()
    done: bool = True


@dataclass(frozen=True, slots=True)
class CompanyEdit:
    """What an edit makes of one company, as `CompanyStore.put_rules` takes it."""

    rules: CompanyRules
    sharing: tuple[int, ...] = ()
    keep_mode: bool = False
    version: int = 0
    edition: int = 0


@dataclass(frozen=True, slots=True)
class Unfinished:
    """An edit that is decided, while the rules of so many companies are being stored."""

    edition: int
    id: str
    companies: int


ENTRY = Document("change of the rules", RulesEntry)
_COMPANY = Document("change of a company's rules", CompanyEdit)


def entry_key(edition: int, id_: str) -> str:
    return row_key(HISTORY, to_go(edition), id_)


def to_go(edition: int) -> str:
    """Sorts the newest edition first."""
    return number(_FAR_FUTURE - edition)


def edit_rows(entry: RulesEntry, companies: Sequence[CompanyEdit]) -> list[InsertRow]:
    """The companies of an edit as rows, in their order. Raises `Refused` for rules too large to be stored."""
    prefix = _prefix(entry.edition, entry.id)
    return [InsertRow(f"{prefix}{place:06d}", _COMPANY.encode(each)) for place, each in enumerate(companies)]


def companies_of(rows: Iterable[Row]) -> list[CompanyEdit]:
    return [_COMPANY.decode(row.values) for row in rows]


def rows_of(edit: Unfinished) -> tuple[str, str]:
    """The first key of the rows of an edit, and the first after them."""
    prefix = _prefix(edit.edition, edit.id)
    return prefix, prefix[:-1] + AFTER_SEPARATOR


def rows_until(edition: int) -> tuple[str, str]:
    """The first key of the rows of all edits until this edition, and the first after them."""
    return f"{_EDIT}{SEPARATOR}", row_key(_EDIT, number(edition + 1))


def number(value: int) -> str:
    return f"{value:010d}"


def _prefix(edition: int, id_: str) -> str:
    return f"{row_key(_EDIT, number(edition), id_)}{SEPARATOR}"
