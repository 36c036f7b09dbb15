"""Reconciliation: what the vendors count beside what the agreements bill, per company and item.

Amounts are per billing cycle of the agreement, in its currency; sums are per month and by currency ("" where Manage
tells none). Of usage in arrears they are those of the newest period that was over and known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from shared.billing.balance import ZERO, Balance
from shared.state.balances import CompanyBalance
from shared.state.companies import CompanyRow
from shared.sync.ports import Ports
from shared.sync.readable import told
from shared.sync.reports.months import last_of
from shared.sync.reports.tables import Kind, file_of, grouped
from shared.sync.shapes import reports as shapes

COLUMNS = (
    "company",
    "name",
    "mode",
    "since",
    "sources",
    "bill_item",
    "item",
    "product",
    "agreement",
    "used_from",
    "used_until",
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
    "cost",
    "margin",
)
_SUMMED = ("billed", "cost", "margin", "too_little", "too_much", "gone")
_A_MONTH = {name: f"{name}_a_month" for name in _SUMMED}
_CENT = Decimal("0.01")


def reconciliation(
    ports: Ports, month: date, *, differing: bool = True, search: str = "", source: str = ""
) -> shapes.Reconciliation:
    """Every item whose count and lines differed at the last look of a month (or every item), by company, and sums.

    Of a company the largest difference comes first. `search` is looked for in names, `source` leaves out what other
    vendors count. `verdict` is `equal`, `too-little` or `too-much` billed, `not-at-all`, `gone` (billed, and the vendor
    tells nothing of it any more), `unmapped`, or `unknown` where no reading tells.

    What nobody has mapped has no price and is in no sum.
    """
    wanted = search.strip().casefold()
    looked = last_of(ports, month)
    rows = [
        _row(company, balance, item)
        for company, balance in looked.rows
        for item in balance.items
        if wanted in f"{company.name} {company.id} {item.name} {item.product}".casefold()
        and (not source or source in item.sources)
    ]
    shown = [row for row in rows if not differing or row["verdict"] != "equal"]
    shown.sort(key=lambda row: (row["name"], row["company"], -abs(row["amount"] or 0), row["bill_item"]))
    billable = [row for row in rows if row["verdict"] != "unmapped"]
    return {
        "month": month.isoformat()[:7],
        "source": source,
        "sources": sorted({name for _, balance in looked.rows for item in balance.items for name in item.sources}),
        "rows": shown,
        "companies": _by_company(billable),
        "sums": _sums(billable),
        "unmapped": len(rows) - len(billable),
        "items": len(rows),
        "differing": sum(row["verdict"] != "equal" for row in rows),
        "unreadable": told(looked.unreadable),
    }


def reconciliation_file(
    ports: Ports, month: date, kind: Kind, *, differing: bool = True, search: str = "", source: str = ""
) -> bytes:
    """The same rows for a spreadsheet, each with its part of the sums: columns of these add up to them."""
    rows = reconciliation(ports, month, differing=differing, search=search, source=source)["rows"]
    told = [{**row, **_parts_told(row)} for row in rows]
    return file_of("reconciliation", (*COLUMNS, *_A_MONTH.values()), told, kind)


def _row(company: CompanyRow, balance: CompanyBalance, item: Balance) -> shapes.ReconciledItem:
    used = next((each for each in reversed(item.once) if each.due is not None), None) if item.usage else None
    margin = item.amount_billed - item.cost if item.cost is not None else None
    return {
        "company": company.id,
        "name": company.name,
        "mode": company.mode.value,
        "since": balance.day.isoformat(),
        "sources": list(item.sources),
        "bill_item": item.bill_item,
        "item": item.name,
        "product": item.product,
        "agreement": item.agreement,
        "usage": item.usage,
        "used_from": used.start.isoformat() if used is not None else None,
        "used_until": used.end.isoformat() if used is not None else None,
        "verdict": verdict_on(item),
        "counted": float(item.counted),
        "due": _float(item.due),
        "billed": float(item.billed),
        "units": _float(item.units),
        "currency": item.currency or "",
        "months": item.months,
        "amount_due": _cents(item.amount_due),
        "amount_billed": _in_cents(item.amount_billed),
        "amount": _cents(item.amount),
        "estimated": item.estimated,
        "cost": _cents(item.cost),
        "margin": _cents(margin),
    }


def verdict_on(item: Balance) -> str:
    if item.gone and item.billed > 0:
        return "gone"
    if item.due is None:
        return "unknown"
    if not item.product and item.billed == ZERO:
        return "unmapped" if item.due else "equal"
    difference = item.units or item.amount or ZERO
    if difference == 0:
        return "equal"
    if difference < 0:
        return "too-much"
    return "too-little" if item.billed else "not-at-all"


def _by_company(rows: Iterable[shapes.ReconciledItem]) -> list[shapes.ReconciledCompany]:
    """Companies with their sums, by name."""
    found = grouped(rows, lambda row: (row["name"], row["company"]))
    return [{"company": company, "name": name, "sums": _sums(own)} for (name, company), own in sorted(found.items())]


def _sums(rows: Iterable[shapes.ReconciledItem]) -> list[shapes.ReconciledSum]:
    """Per month, by currency. `gone` is billed for what is no longer at the vendor, and is part of `too_much`.

    `cost` and `margin` are of the items whose cost is known, `uncosted` counts the others; `unpriced` counts those of
    which no price or no count is known.
    """
    sums: dict[str, dict[str, Decimal]] = {}
    counted: dict[str, dict[str, int]] = {}
    for row in rows:
        total = sums.setdefault(row["currency"], dict.fromkeys(_SUMMED, ZERO))
        lacking = counted.setdefault(row["currency"], {"unpriced": 0, "uncosted": 0})
        for name, amount in _parts(row).items():
            total[name] += amount
        lacking["unpriced"] += row["amount"] is None
        lacking["uncosted"] += row["cost"] is None
    return [_sum(currency, sums[currency], **counted[currency]) for currency in sorted(sums)]


def _sum(currency: str, total: Mapping[str, Decimal], *, unpriced: int, uncosted: int) -> shapes.ReconciledSum:
    return {
        "currency": currency,
        "billed": _in_cents(total["billed"]),
        "cost": _in_cents(total["cost"]),
        "margin": _in_cents(total["margin"]),
        "too_little": _in_cents(total["too_little"]),
        "too_much": _in_cents(total["too_much"]),
        "gone": _in_cents(total["gone"]),
        "unpriced": unpriced,
        "uncosted": uncosted,
    }


def _parts(row: shapes.ReconciledItem) -> dict[str, Decimal]:
    """What a row adds to the sums, per month and to the cent: sums of companies come to the sum of all."""
    months = row["months"] or 1
    amount, billed, cost = (_a_month(row[name], months) for name in ("amount", "amount_billed", "cost"))
    gone = billed if row["verdict"] == "gone" else ZERO
    return {
        "billed": billed,
        "cost": cost,
        "margin": billed - cost if row["cost"] is not None else ZERO,
        "too_little": max(amount, ZERO),
        "too_much": gone or max(-amount, ZERO),
        "gone": gone,
    }


def _parts_told(row: shapes.ReconciledItem) -> dict[str, float | None]:
    """The same by column of the file: None for what is in no sum or not known."""
    unknown: set[str] = set()
    if row["verdict"] == "unmapped":
        unknown.update(_SUMMED)
    if row["cost"] is None:
        unknown.update(("cost", "margin"))
    if row["amount"] is None and row["verdict"] != "gone":
        unknown.update(("too_little", "too_much"))
    return {_A_MONTH[name]: None if name in unknown else float(part) for name, part in _parts(row).items()}


def _a_month(value: float | None, months: int) -> Decimal:
    return (Decimal(str(value or 0)) / months).quantize(_CENT, ROUND_HALF_UP)


def _float(value: Decimal | None) -> float | None:
    return float(value) if value is not None else None


def _cents(value: Decimal | None) -> float | None:
    return _in_cents(value) if value is not None else None


def _in_cents(value: Decimal) -> float:
    return float(value.quantize(_CENT, ROUND_HALF_UP))
