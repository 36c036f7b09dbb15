"""Shadow billing: what observed companies would have been billed by their counts, beside what their lines billed.

Of companies in mode observe alone: wherever TrueUp writes, the lines follow the counts. Amounts are in the agreements'
currencies, sums by currency ("" where Manage tells none).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from itertools import takewhile

from shared.billing.calendar import month_of
from shared.billing.rules import Mode
from shared.billing.shadow import Shadow, Step, shadow_of
from shared.sheets.writing import sheet_of
from shared.state.balances import CompanyBalance, MonthOfBalances
from shared.sync.ports import Ports
from shared.sync.readable import Unreadable, told
from shared.sync.reports.months import by_company, month_before, this_month
from shared.sync.reports.tables import cells, grouped
from shared.sync.shapes import reports as shapes

COLUMNS = ("company", "name", "bill_item", "item", "currency", "would", "billed", "leak", "arithmetic")
#: As many months as the picture of the leak shows.
MONTHS = 6


def shadow_month(ports: Ports, month: date) -> shapes.ShadowMonth:
    """One month: a row per company and item, a sum per company, and sums by currency.

    A company counts from the first look of a month up to the look that found it in another mode.
    """
    names = {row.id: row.name for row in ports.companies.all()}
    balances = ports.balances.of_month(month)
    rows: list[shapes.ShadowRow] = [
        {"company": company, "name": names[company], **_told(shadow)}
        for company, shadow in _shadows(balances, month)
        if company in names
    ]
    unreadable = [Unreadable(each, names[each], why) for each, why in balances.unreadable.items() if each in names]
    return {
        "month": f"{month:%Y-%m}",
        "unreadable": told(unreadable),
        "companies": _by_company(rows),
        "rows": sorted(rows, key=lambda row: (row["name"], row["company"], row["bill_item"])),
        "sums": _sums(rows),
    }


def shadow_months(ports: Ports) -> list[shapes.SumsOfMonth]:
    """The sums of the last months, the oldest first."""
    months = [this_month(ports)]
    while len(months) < MONTHS:
        months.append(month_before(months[-1]))
    names = {row.id for row in ports.companies.all()}
    found: list[shapes.SumsOfMonth] = []
    for month in reversed(months):
        rows = [
            _told(shadow) for company, shadow in _shadows(ports.balances.of_month(month), month) if company in names
        ]
        found.append({"month": f"{month:%Y-%m}", "sums": _sums(rows)})
    return found


def shadow_sheet(ports: Ports, month: date) -> str:
    """One month as CSV, a row per company and item."""
    rows = shadow_month(ports, month)["rows"]
    return sheet_of(COLUMNS, (cells(row, COLUMNS) for row in rows))


def _shadows(balances: MonthOfBalances, month: date) -> list[tuple[int, Shadow]]:
    return [
        (company, shadow)
        for company, days in by_company(balances.balances)
        for shadow in _of_company(month, list(takewhile(lambda each: each.mode is Mode.OBSERVE, days)))
    ]


def _of_company(month: date, days: Sequence[CompanyBalance]) -> list[Shadow]:
    # Usage in arrears has no seats that a month could be charged for; reconciliation tells of it.
    usage = {item.bill_item for each in days for item in each.items if item.usage}
    items = sorted({item.bill_item for each in days for item in each.items} - usage)
    return [shadow_of(month_of(month), _steps(item, days)) for item in items]


def _steps(bill_item: str, days: Sequence[CompanyBalance]) -> list[Step]:
    """An item's balance on each day on which its company's changed."""
    return [(each.day, next((item for item in each.items if item.bill_item == bill_item), None)) for each in days]


def _told(shadow: Shadow) -> shapes.ShadowItem:
    return {
        "bill_item": shadow.bill_item,
        "item": shadow.name,
        "currency": shadow.currency or "",
        "would": _float(shadow.would),
        "billed": float(shadow.billed),
        "leak": _float(shadow.leak),
        "arithmetic": shadow.arithmetic,
    }


def _by_company(rows: Iterable[shapes.ShadowRow]) -> list[shapes.ShadowCompany]:
    """Companies with their sums by currency, the largest leak first."""
    found = grouped(rows, lambda row: (row["company"], row["name"]))
    told: list[shapes.ShadowCompany] = [
        {"company": company, "name": name, "sums": _sums(own)} for (company, name), own in found.items()
    ]
    return sorted(told, key=lambda each: (-max(total["leak"] for total in each["sums"]), each["name"]))


def _sums(rows: Iterable[shapes.ShadowItem]) -> list[shapes.ShadowSum]:
    """`leak` is what was billed too little, `too_much` the other way; `unpriced` counts items without a known price."""
    sums: dict[str, shapes.ShadowSum] = {}
    for row in rows:
        nothing: shapes.ShadowSum = {
            "currency": row["currency"],
            "would": 0.0,
            "billed": 0.0,
            "leak": 0.0,
            "too_much": 0.0,
            "unpriced": 0,
        }
        total = sums.setdefault(row["currency"], nothing)
        if row["would"] is None or row["leak"] is None:
            total["unpriced"] += 1
            continue
        total["would"] = round(total["would"] + row["would"], 2)
        total["billed"] = round(total["billed"] + row["billed"], 2)
        total["leak"] = round(total["leak"] + max(row["leak"], 0), 2)
        total["too_much"] = round(total["too_much"] + max(-row["leak"], 0), 2)
    return [sums[currency] for currency in sorted(sums)]


def _float(value: Decimal | None) -> float | None:
    return float(value) if value is not None else None
