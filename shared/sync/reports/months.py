"""The stored balances of months: what stood last, and what each day of a month saw."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby

from shared.clock import business_date
from shared.errors import Incomplete, Refused
from shared.state.balances import CompanyBalance, MonthOfBalances
from shared.state.companies import CompanyRow
from shared.sync.ports import Ports
from shared.sync.readable import Unreadable

#: No report reaches so far back, and years of less than four digits are typed by mistake.
_FIRST = date(2000, 1, 1)


def this_month(ports: Ports) -> date:
    """Its first day."""
    return business_date(ports.clock).replace(day=1)


def month_before(month: date) -> date:
    return (month.replace(day=1) - timedelta(days=1)).replace(day=1)


def month_after(month: date) -> date:
    return (month + timedelta(days=31)).replace(day=1)


def named_month(ports: Ports, text: str) -> date:
    """The first day of the month that is named as in 2026-11; empty means this one. Raises `Refused` for no month."""
    if not text:
        return this_month(ports)
    try:
        month = date.fromisoformat(f"{text}-01")
    except ValueError:
        month = date.min
    if month < _FIRST:
        raise Refused(f"{text[:20]!r} is no month of a report", remedy="Name the month as in 2026-11.")
    return month


@dataclass(frozen=True, slots=True)
class Looked:
    """What the last looks of a month saw, by company, and the companies of which that cannot be read."""

    rows: list[tuple[CompanyRow, CompanyBalance]]
    unreadable: list[Unreadable]

    def whole(self) -> list[tuple[CompanyRow, CompanyBalance]]:
        """All companies, for whom one that is missing would look like one that bills nothing. Raises `Incomplete`."""
        if self.unreadable:
            raise Incomplete("; ".join(f"{each.name}: {each.why}" for each in self.unreadable))
        return self.rows


def standing(ports: Ports) -> Looked:
    """The newest balance of every company that TrueUp knows, by company.

    A company that nobody has looked at since the month began has that of the month before.
    """
    month = this_month(ports)
    return _looked(ports, ports.balances.of_month(month_before(month)), ports.balances.of_month(month))


def last_of(ports: Ports, month: date) -> Looked:
    """What the last look of a month saw, by company; of this month, and of those to come, what stands now."""
    return standing(ports) if month >= this_month(ports) else _looked(ports, ports.balances.of_month(month))


def _looked(ports: Ports, *months: MonthOfBalances) -> Looked:
    """The newest balance of each company in these months, the oldest month first."""
    newest = {each.company: each for month in months for each in month.balances}
    why = {company: text for month in months for company, text in month.unreadable.items()}
    rows = ports.companies.all()
    return Looked(
        [(row, newest[row.id]) for row in rows if row.id in newest and row.id not in why],
        [Unreadable(row.id, row.name, why[row.id]) for row in rows if row.id in why],
    )


def by_company(balances: Iterable[CompanyBalance]) -> list[tuple[int, list[CompanyBalance]]]:
    """A month's balances by company, each in the order of their days."""
    return [(company, list(days)) for company, days in groupby(balances, key=lambda each: each.company)]
