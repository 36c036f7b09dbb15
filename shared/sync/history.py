"""Everything that was ever done to a company: in pages as JSON, and as a table for a spreadsheet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from shared.billing.lines import LineValues
from shared.billing.planning.plan import Change
from shared.errors import Gone, Refused
from shared.sheets.writing import Sheet
from shared.state.records import HistoryEntry
from shared.sync import views
from shared.sync.ports import Ports
from shared.sync.shapes import plans as shapes

#: As many entries as one page of JSON holds, where nobody asks for another number.
PAGE = 100
#: As many entries as one table holds: some 20 MB. What is left is told in its last line.
TABLE_ENTRIES = 50_000
_READ_AT_ONCE = 1000

_CHANGE = (
    "agreement",
    "bill item",
    "product",
    "kind",
    "quantity before",
    "quantity after",
    "price before",
    "price after",
    "cost before",
    "cost after",
    "bill option before",
    "bill option after",
    "taxable before",
    "taxable after",
    "serial number before",
    "serial number after",
    "effective before",
    "effective after",
    "cancelled before",
    "cancelled after",
    "monthly",
    "one-off",
    "sentence",
)
COLUMNS = (
    "when",
    "run",
    "actor",
    "signed by",
    "signed at",
    "signed from",
    "addition",
    *_CHANGE,
    "request id",
    "note",
)

#: Where an entry stands in the history.
Place = tuple[datetime, str]


@dataclass(frozen=True, slots=True)
class Table:
    """A company's history as CSV. `following` is where it goes on, None when this is all there is."""

    text: str
    following: str | None


def page(ports: Ports, company: int, limit: int, before: str | None, *, texts: bool = False) -> shapes.History:
    """The newest entries, or those before the place that an earlier page named as its `next`; at most `limit`.

    `texts`: with the texts on the invoice, which may name users.

    Raises `Gone` for a company that is not known and `Refused` for a place that no page named.
    """
    _known(ports, company)
    found = ports.company_state.history(company, limit + 1, _place(before))
    shown = found[:limit]
    return {
        "entries": [_told(entry, texts) for entry in shown],
        "next": _named(shown[-1]) if len(found) > limit else None,
    }


def table(ports: Ports, company: int, before: str | None, most: int | None = None) -> Table:
    """The history as CSV, newest first, with at most so many entries (None: `TABLE_ENTRIES`).

    What it does not hold is told in its last line.

    Raises `Gone` and `Refused` as `page` does.
    """
    _known(ports, company)
    sheet = Sheet(COLUMNS)
    last: HistoryEntry | None = None
    for number, entry in enumerate(_entries(ports, company, _place(before))):
        if number == (most or TABLE_ENTRIES) and last is not None:
            following = _named(last)
            sheet.add([f"The history goes on: ask for it again with before={following}"])
            return Table(sheet.text, following)
        sheet.add(_row(entry))
        last = entry
    return Table(sheet.text, None)


def _known(ports: Ports, company: int) -> None:
    if ports.companies.get(company) is None:
        raise Gone(f"company {company} is not known", remedy="Add the company to the rules and import them.")


def _entries(ports: Ports, company: int, place: Place | None) -> Iterator[HistoryEntry]:
    while page := ports.company_state.history(company, _READ_AT_ONCE, place):
        yield from page
        place = page[-1].at, page[-1].id


def _named(entry: HistoryEntry) -> str:
    return f"{entry.at.isoformat().replace('+00:00', 'Z')}~{entry.id}"


def _place(named: str | None) -> Place | None:
    if not named:
        return None
    moment, _, entry = named.partition("~")
    try:
        at = datetime.fromisoformat(moment.replace("Z", "+00:00"))
    except ValueError:
        at = None
    if at is None or at.tzinfo is None or not entry:
        raise Refused(
            f"{named[:80]!r} is no place in the history", remedy="Give `before` as an earlier answer named it."
        )
    return at, entry


def _told(entry: HistoryEntry, texts: bool) -> shapes.HistoryEntry:
    signed = entry.signed
    return {
        "id": entry.id,
        "at": entry.at.isoformat(),
        "day": entry.day.isoformat() if entry.day is not None else None,
        "run": entry.run,
        "actor": entry.actor,
        "addition": entry.addition,
        "bill_item": entry.change.key.bill_item if entry.change is not None else None,
        "change": views.change(entry.change, texts=texts) if entry.change is not None else None,
        "request_id": entry.request_id,
        "note": entry.note,
        "signed": {"by": signed.by, "at": signed.at.isoformat(), "origin": signed.origin} if signed else None,
    }


def _row(entry: HistoryEntry) -> list[object]:
    signed = entry.signed
    by_whom = (signed.by, signed.at.isoformat(), signed.origin) if signed is not None else (None, None, None)
    return [
        entry.at.isoformat(),
        entry.run,
        entry.actor,
        *by_whom,
        entry.addition,
        *_of_change(entry.change),
        entry.request_id,
        entry.note,
    ]


def _of_change(change: Change | None) -> list[object]:
    """The columns from the agreement to the sentence; empty for what only a person decided."""
    if change is None:
        return [None] * len(_CHANGE)
    before, after = change.before, change.after
    return [
        change.key.agreement,
        change.key.bill_item,
        change.product,
        change.kind.value,
        *_both("quantity", before, after),
        *_both("unit_price", before, after),
        *_both("unit_cost", before, after),
        *_both("bill_customer", before, after),
        *_both("taxable_flag", before, after),
        *_both("serial_number", before, after),
        *_both("effective_date", before, after),
        *_both("cancelled_date", before, after),
        change.monthly,
        change.one_off,
        change.sentence,
    ]


def _both(name: str, before: LineValues | None, after: LineValues | None) -> list[object]:
    return [_cell(getattr(values, name)) if values is not None else None for values in (before, after)]


def _cell(value: object) -> object:
    return ("yes" if value else "no") if isinstance(value, bool) else value
