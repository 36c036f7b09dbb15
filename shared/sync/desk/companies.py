"""The list of companies: found, filtered and sorted by what their rows say; nobody's state is read for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from shared.billing.findings import FindingKind
from shared.billing.rules import Mode
from shared.state.companies import CompanyRow
from shared.sync.ports import Ports
from shared.sync.shapes import desk as shapes

#: What stands instead of an outcome where nobody has looked at a company yet.
NEVER = "never"


class SortBy(StrEnum):
    """What the list can be sorted by. Names go up, everything else begins with the most, unless turned around."""

    NAME = "name"
    MODE = "mode"
    OUTCOME = "outcome"
    FINDINGS = "findings"
    MONTHLY = "monthly"
    PLANNED = "planned"
    DRIFT = "drift"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which companies, in which order, and which page of them.

    `text` is looked for in names and ids. `finding` keeps those with an open one of a kind, `waiting` those of which a
    group waits.
    """

    text: str = ""
    mode: Mode | None = None
    outcome: str | None = None
    finding: FindingKind | None = None
    waiting: bool = False
    sort: SortBy = SortBy.NAME
    turned: bool = False
    page: int = 1
    size: int = 100


def companies(ports: Ports, wanted: Wanted) -> shapes.Companies:
    """A page of the companies wanted, how many there are, and what the filters can ask for."""
    everybody = ports.companies.all()
    found = [row for row in everybody if _is_wanted(row, wanted)]
    ordered = _sorted(found, wanted)
    first = (wanted.page - 1) * wanted.size
    return {
        "companies": [_told(row) for row in ordered[first : first + wanted.size]],
        "found": len(found),
        "known": len(everybody),
        "page": wanted.page,
        "pages": max(1, -(-len(found) // wanted.size)),
        "outcomes": sorted({row.last_outcome or NEVER for row in everybody}),
        "findings": sorted({kind for row in everybody for kind in row.summary.findings}),
    }


def _is_wanted(row: CompanyRow, wanted: Wanted) -> bool:
    text = wanted.text.strip().casefold()
    return (
        (not text or text in row.name.casefold() or text == str(row.id))
        and (wanted.mode is None or row.mode is wanted.mode)
        and (wanted.outcome is None or (row.last_outcome or NEVER) == wanted.outcome)
        and (wanted.finding is None or wanted.finding.value in row.summary.findings)
        and (not wanted.waiting or row.waiting > 0)
    )


_MODES = list(Mode)
_KEYS: dict[SortBy, Callable[[CompanyRow], Any]] = {
    SortBy.MODE: lambda row: _MODES.index(row.mode),
    SortBy.OUTCOME: lambda row: row.last_outcome or NEVER,
    SortBy.FINDINGS: lambda row: -sum(row.summary.findings.values()),
    SortBy.DRIFT: lambda row: -_drift(row),
    SortBy.WAITING: lambda row: -row.waiting,
}


def _sorted(rows: Sequence[CompanyRow], wanted: Wanted) -> list[CompanyRow]:
    """Companies with the same value stand by name, whichever way the list is turned."""
    by_name = sorted(rows, key=lambda row: (row.name.casefold(), row.id))
    if wanted.sort is SortBy.NAME:
        return by_name[::-1] if wanted.turned else by_name
    if wanted.sort in _AMOUNTS:
        return _by_amount(by_name, _AMOUNTS[wanted.sort], turned=wanted.turned)
    return sorted(by_name, key=_KEYS[wanted.sort], reverse=wanted.turned)


#: The amounts, by currency, after which the list can be sorted.
_AMOUNTS: dict[SortBy, Callable[[CompanyRow], dict[str, Decimal]]] = {
    SortBy.MONTHLY: lambda row: row.summary.monthly,
    SortBy.PLANNED: lambda row: {currency: abs(amount) for currency, amount in row.summary.planned.items()},
}


def _by_amount(
    rows: Sequence[CompanyRow], amounts: Callable[[CompanyRow], dict[str, Decimal]], *, turned: bool
) -> list[CompanyRow]:
    """Currency by currency, the one that most companies have first, and without any amount last: nobody compares euros
    with dollars. A company that has several stands where it has the most common one.
    """
    common = Counter(currency for row in rows for currency in amounts(row))
    order = {currency: place for place, currency in enumerate(sorted(common, key=lambda each: (-common[each], each)))}

    def key(row: CompanyRow) -> tuple[int, Decimal]:
        first = min(amounts(row), key=lambda each: order[each], default=None)
        if first is None:
            return len(order), Decimal(0)
        return order[first], amounts(row)[first] * (1 if turned else -1)

    return sorted(rows, key=key)


def _told(row: CompanyRow) -> shapes.ListedCompany:
    return {
        "id": row.id,
        "name": row.name,
        "mode": row.mode.value,
        "outcome": row.last_outcome,
        "last_run": row.last_run,
        "last_at": row.last_at.isoformat() if row.last_at is not None else None,
        "sources": sorted({link.source for link in row.links if not link.removed}),
        "findings": row.summary.findings,
        "finding_count": sum(row.summary.findings.values()),
        "drift": _drift(row),
        "waiting": row.waiting,
        "decided": row.decided,
        "monthly": _money(row.summary.monthly),
        "planned": _money(row.summary.planned),
    }


def _drift(row: CompanyRow) -> int:
    return row.summary.findings.get(FindingKind.DRIFT.value, 0)


def _money(amounts: dict[str, Decimal]) -> list[shapes.Amount]:
    return [{"currency": currency, "amount": float(amounts[currency])} for currency in sorted(amounts)]
