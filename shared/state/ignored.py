"""SKUs of which nobody wants to hear at a company: they stand in its row, which every look at it reads anyway."""

from __future__ import annotations

from dataclasses import dataclass

from shared.state.directory import DirectoryStore
from shared.state.records import Signature
from shared.state.rows import Row
from shared.state.tables import TableAccess

#: Under lower numbers it stood in the directory, for all companies together.
_FIRST = 2


@dataclass(frozen=True, slots=True)
class IgnoredSku:
    """A SKU at a source, in canonical form, and who ignores it."""

    source: str
    sku: str
    signed: Signature

    @property
    def key(self) -> tuple[str, str]:
        return self.source, self.sku


def holds_ignored(row: Row) -> bool:
    """Whether the row of a company is of a version that keeps it there."""
    number = row.values.get("schema")
    return isinstance(number, int) and number >= _FIRST


def ignored_before(tables: TableAccess) -> dict[int, tuple[IgnoredSku, ...]]:
    """What was ignored when it stood in the directory, by company."""
    found: dict[int, tuple[IgnoredSku, ...]] = {}
    for what, signed in DirectoryStore(tables).ignored().items():
        if len(what) == 3:  # a customer is named by source and id
            company, source, sku = what
            found[int(company)] = (*found.get(int(company), ()), IgnoredSku(source, sku, signed))
    return found
