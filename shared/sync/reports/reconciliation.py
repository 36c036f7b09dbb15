"""Reconciliation: what the vendors count beside what the agreements bill, per company and item.

Amounts are per billing cycle of the agreement, in its currency; sums are per month and by currency ("" where Manage
tells none).
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from shared.billing.balance import ZERO, Balance
from shared.state.balances import CompanyBalance
from shared.state.companies import CompanyRow
from shared.sync.ports import Ports
from shared.sync.reports.months import standing
from shared.sync.sheets import sheet_of

Json = dict[str, Any]

COLUMNS = (
    "company",
    "name",
    "mode",
    "since",
    "bill_item",
    "item",
    "product",
    "agreement",
    "verdict",
    "counted",
    "due",
    "billed",
    "units",
    "currency",
    "months",
    "amount_due",
    "amount_billed",
    "amount",
    "estimated",
)
_CENT = Decimal("0.01")


def reconciliation(ports: Ports, *, differing: bool = True, search: str = "") -> Json:
    """Every item whose count and lines differ (or every item), the largest difference of each company first, and sums.

    `verdict` is `equal`, `too-little` or `too-much` billed, `unmapped`, or `unknown` where no reading tells.

    What nobody has mapped has no price and is in no sum.
    """
    wanted = search.strip().casefold()
    rows = [
        _row(company, balance, item)
        for company, balance in standing(ports)
        for item in balance.items
        if wanted in f"{company.name} {company.id} {item.name} {item.product}".casefold()
    ]
    shown = [row for row in rows if not differing or row["verdict"] != "equal"]
    return {
        "rows": sorted(
            shown, key=lambda row: (row["name"], row["company"], -abs(row["amount"] or 0), row["bill_item"])
        ),
        "sums": _sums(row for row in rows if row["verdict"] != "unmapped"),
        "unmapped": sum(row["verdict"] == "unmapped" for row in rows),
        "items": len(rows),
        "differing": sum(row["verdict"] != "equal" for row in rows),
    }


def reconciliation_sheet(ports: Ports, *, differing: bool = True, search: str = "") -> str:
    """The same rows as CSV."""
    rows = reconciliation(ports, differing=differing, search=search)["rows"]
    return sheet_of(COLUMNS, ([row[name] for name in COLUMNS] for row in rows))


def _row(company: CompanyRow, balance: CompanyBalance, item: Balance) -> Json:
    return {
        "company": company.id,
        "name": company.name,
        "mode": company.mode.value,
        "since": balance.day.isoformat(),
        "bill_item": item.bill_item,
        "item": item.name,
        "product": item.product,
        "agreement": item.agreement,
        "verdict": verdict_on(item),
        "counted": float(item.counted),
        "due": _float(item.due),
        "billed": float(item.billed),
        "units": _float(item.units),
        "currency": item.currency or "",
        "months": item.months,
        "amount_due": _cents(item.amount_due),
        "amount_billed": _cents(item.amount_billed),
        "amount": _cents(item.amount),
        "estimated": item.estimated,
    }


def verdict_on(item: Balance) -> str:
    if item.due is None:
        return "unknown"
    if not item.product and item.billed == ZERO:
        return "unmapped" if item.due else "equal"
    difference = item.units or item.amount or ZERO
    if difference == 0:
        return "equal"
    return "too-little" if difference > 0 else "too-much"


def _sums(rows: Iterable[Json]) -> list[Json]:
    """Per month, by currency; `unpriced` counts the items of which no price or no count is known."""
    sums: dict[str, Json] = {}
    for row in rows:
        nothing = {"currency": row["currency"], "billed": 0.0, "too_little": 0.0, "too_much": 0.0, "unpriced": 0}
        total = sums.setdefault(row["currency"], nothing)
        months = row["months"] or 1
        total["billed"] = round(total["billed"] + row["amount_billed"] / months, 2)
        if row["amount"] is None:
            total["unpriced"] += 1
        elif row["amount"] > 0:
            total["too_little"] = round(total["too_little"] + row["amount"] / months, 2)
        else:
            total["too_much"] = round(total["too_much"] - row["amount"] / months, 2)
    return [sums[currency] for currency in sorted(sums)]


def _float(value: Decimal | None) -> float | None:
    return float(value) if value is not None else None


def _cents(value: Decimal | None) -> float | None:
    return float(value.quantize(_CENT, ROUND_HALF_UP)) if value is not None else None
