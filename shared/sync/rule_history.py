"""Who changed what of the rules: in pages as JSON-shaped values, and as a table for a spreadsheet."""

from __future__ import annotations

from collections.abc import Iterator

from shared.sheets.writing import sheet_of
from shared.state.edits import RulesEntry
from shared.sync.ports import Ports
from shared.sync.shapes import mapping as shapes

COLUMNS = ("when", "who", "from", "way", "edition", "whole", "what")
_READ_AT_ONCE = 200


def page(ports: Ports, limit: int, before: int | None) -> shapes.RulesHistory:
    """The newest changes, or those before an edition; `next` is the `before` of the next page.

    `whole` is False until every company has what the change says: that is finished by itself, whatever happens.
    """
    found = ports.rules.history(limit + 1, before)
    shown = found[:limit]
    return {"entries": [_told(entry) for entry in shown], "next": shown[-1].edition if len(found) > limit else None}


def rows(ports: Ports) -> Iterator[tuple[object, ...]]:
    """The whole history, newest first, one row for each thing that was changed, in the order of `COLUMNS`."""
    before: int | None = None
    while found := ports.rules.history(_READ_AT_ONCE, before):
        for entry in found:
            signed = entry.signed
            whole = "yes" if entry.done else "no"
            for what in entry.what:
                yield signed.at.isoformat(), signed.by, signed.origin, entry.way, entry.edition, whole, what
        before = found[-1].edition


def table(ports: Ports) -> str:
    """The same as CSV."""
    return sheet_of(COLUMNS, rows(ports))


def _told(entry: RulesEntry) -> shapes.RulesEntry:
    signed = entry.signed
    return {
        "id": entry.id,
        "edition": entry.edition,
        "at": signed.at.isoformat(),
        "by": signed.by,
        "origin": signed.origin,
        "way": entry.way,
        "whole": entry.done,
        "what": list(entry.what),
    }
