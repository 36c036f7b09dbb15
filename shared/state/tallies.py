"""What the lanes of a run count of its companies, by source: exact, since a lane counts as it marks a company done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from shared.state.documents import AFTER_SEPARATOR, SEPARATOR, Document, escape
from shared.state.records import CompanyReport
from shared.state.rows import Operation, PutRow, Row

_PREFIX = "counted"
#: The keys of the rows with counts: the first one, and the first one after them.
KEYS = (_PREFIX + SEPARATOR, _PREFIX + AFTER_SEPARATOR)


@dataclass(frozen=True, slots=True)
class Tally:
    """Companies that are done and apply by themselves, and how many of them reduce or are held for a source."""

    companies: int = 0
    moving: int = 0

    def plus(self, companies: int, moving: int) -> Tally:
        return Tally(self.companies + companies, self.moving + moving)


@dataclass(frozen=True, slots=True)
class Counted:
    """What one lane of a run has counted so far, by source."""

    by_source: dict[str, Tally]


_DOCUMENT = Document("count of a lane", Counted)


def with_company(counted: Mapping[str, Tally], report: CompanyReport) -> dict[str, Tally]:
    """What a lane has counted with one more company."""
    more = {source: counted.get(source, Tally()).plus(1, int(moves)) for source, moves in report.fleet.items()}
    return {**counted, **more}


def written_count(lane: str, before: Mapping[str, Tally], counted: dict[str, Tally]) -> list[Operation]:
    """The write of a lane's count, nothing where it stays the same. Only the lane itself writes it."""
    if counted == before:
        return []
    return [PutRow(f"{KEYS[0]}{escape(lane)}", _DOCUMENT.encode(Counted(counted)))]


def sum_of(rows: Iterable[Row]) -> dict[str, Tally]:
    """All lanes together, by source."""
    counts: dict[str, Tally] = {}
    for row in rows:
        for source, tally in _DOCUMENT.decode(row.values).by_source.items():
            counts[source] = counts.get(source, Tally()).plus(tally.companies, tally.moving)
    return counts
