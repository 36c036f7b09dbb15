"""The stored balances of months: what stood last, and what each day of a month saw."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from itertools import groupby

from shared.clock import business_date
from shared.errors import Refused
from shared.state.balances import CompanyBalance
from shared.state.companies import CompanyRow
from shared.sync.ports import Ports

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


def standing(ports: Ports) -> list[tuple[CompanyRow, CompanyBalance]]:
    """The newest balance of every company that TrueUp knows, by company.

    A company that nobody has looked at since the month began has that of the month before.
    """
    month = this_month(ports)
    newest = {each.company: each for each in ports.balances.of_month(month_before(month))}
    newest |= {each.company: each for each in ports.balances.of_month(month)}
    return [(row, newest[row.id]) for row in ports.companies.all() if row.id in newest]


def last_of(ports: Ports, month: date) -> list[tuple[CompanyRow, CompanyBalance]]:
    """What the last look of a month saw, by company; of this month, and of those to come, what stands now."""
    if month >= this_month(ports):
        return standing(ports)
    last = {each.company: each for each in ports.balances.of_month(month)}
    return [(row, last[row.id]) for row in ports.companies.all() if row.id in last]


def by_company(balances: Iterable[CompanyBalance]) -> list[tuple[int, list[CompanyBalance]]]:
    """A month's balances by company, each in the order of their days."""
    return [(company, list(days)) for company, days in groupby(balances, key=lambda each: each.company)]
