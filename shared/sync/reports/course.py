"""The course of one company: units and amounts to bill beside those billed, day by day on which they changed."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from shared.clock import business_date
from shared.errors import Gone
from shared.sheets.writing import sheet_of
from shared.state.balances import CompanyBalance
from shared.sync.ports import Ports
from shared.sync.reports.months import month_before, this_month
from shared.sync.shapes import reports as shapes

#: As many months back as it is told.
MONTHS = 12
COLUMNS = ("day", "due", "billed", "currency", "amount_due", "amount_billed")


def course(ports: Ports, company: int) -> shapes.Course:
    """A point for each day up to `until` on which anything changed, the oldest first. Raises `Gone` where not known.

    Amounts are per month in the currency of the most items. Items whose count or price is not known are left out, and
    usage in arrears.
    """
    row = ports.companies.get(company)
    if row is None:
        raise Gone(f"company {company} is not known", remedy="Add the company to the rules and import them.")
    months = [this_month(ports)]
    while len(months) < MONTHS:
        months.append(month_before(months[-1]))
    days = [each for month in reversed(months) for each in ports.balances.of_company(company, month)]
    currency = _currency(days)
    return {
        "company": row.id,
        "name": row.name,
        "until": business_date(ports.clock).isoformat(),
        "currency": currency,
        "points": [_point(each, currency) for each in days],
    }


def course_sheet(ports: Ports, company: int) -> str:
    """The same as CSV."""
    told = course(ports, company)
    return sheet_of(COLUMNS, ([point.get(name, told["currency"]) for name in COLUMNS] for point in told["points"]))


def _currency(days: list[CompanyBalance]) -> str:
    named = [item.currency for each in days for item in each.items if item.currency]
    return max(sorted(set(named)), key=named.count, default="")


def _point(balance: CompanyBalance, currency: str) -> shapes.Point:
    known = [item for item in balance.items if item.due is not None and item.product and not item.usage]
    priced = [item for item in known if item.amount_due is not None and (item.currency or "") == currency]
    return {
        "day": balance.day.isoformat(),
        "due": float(sum((item.due or Decimal(0) for item in known), Decimal(0))),
        "billed": float(sum((item.billed for item in known), Decimal(0))),
        "amount_due": _sum((item.amount_due or Decimal(0)) / (item.months or 1) for item in priced),
        "amount_billed": _sum(item.amount_billed / (item.months or 1) for item in priced),
    }


def _sum(amounts: Iterable[Decimal]) -> float:
    return round(float(sum(amounts, Decimal(0))), 2)
