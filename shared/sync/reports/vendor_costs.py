"""What a vendor charges the MSP in a month, beside what the agreements bill for it.

The vendor's invoices are read live, or its draft while there is none; what is billed is what the last look of the month
at each company saw (`shared.billing.balance`), and of one-off lines what the looks since saw: usage and parts of months
are billed afterwards. Costs are as invoiced, in the vendor's currency; what is billed is per month, and once for what
the charges are for, in the agreement's. A margin is told only where both are for one month and in one currency.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from shared.billing.balance import ZERO
from shared.billing.counting.quantities import quantity_of
from shared.billing.counts import Count
from shared.billing.lines import canonical
from shared.billing.profiles import Basis, QuantityRule, Rounding
from shared.billing.vendors import Charge
from shared.clock import business_date
from shared.errors import Gone
from shared.sources.protocol import ChargingSource
from shared.sync.ports import Ports
from shared.sync.reports.tables import Kind, file_of, grouped
from shared.sync.reports.used_so_far import used_so_far
from shared.sync.reports.vendor_billed import Billed, Line, Seen, are_of_a_month, billed_for, only, seen_since
from shared.sync.reports.vendor_places import Places, customer_names
from shared.sync.shapes import reports as shapes

COLUMNS = (
    "verdict",
    "company",
    "name",
    "bill_item",
    "item",
    "customers",
    "skus",
    "charged_units",
    "due_units",
    "cost",
    "cost_currency",
    "billed_units",
    "billed_monthly",
    "billed_once",
    "billed_currency",
    "margin",
    "cost_so_far",
    "retail_so_far",
)
_CENT = Decimal("0.01")


def charging(ports: Ports) -> list[str]:
    """The connected sources whose vendor tells what it charges."""
    return sorted(name for name, source in ports.sources.items() if isinstance(source, ChargingSource))


def vendor_costs(ports: Ports, source: str, month: date) -> shapes.VendorCosts:
    """A row per company and bill item, and sums by currency: of each company, of what belongs to none, and in all.

    `verdict` is `equal`, `too-little` or `too-much` billed, `no-charge` (we bill it, the vendor does not), `not-billed`
    (the rules say so), `unmapped`, `unlinked`, `shared` (by several companies) or `other` (of no customer or product).
    Nothing billed at all is `not-at-all`, usage whose period is not over on the agreement `later`, and `term` is billed
    without a charge because the vendor charges for longer than a month. What is charged `once` is in no count. Where
    the charges do not say what is due (the rules bill something else than what was bought, or several items were told
    as one) and not the same units are billed, it is `unknown`. What is charged to one row in several currencies has no
    `cost`, and of usage no units: sums tell it by currency.
    `so_far` is what this month's usage has come to by now, in no sum; `so_far_problem` says why it was not told.
    Raises `Gone` for a source that tells no charges, and what reading it raises.
    """
    vendor = ports.sources.get(source)
    if not isinstance(vendor, ChargingSource):
        raise Gone(f"{source} is not connected or does not tell what it charges", remedy="Ask for pax8, for example.")
    charges = vendor.charges(month, business_date(ports.clock))
    places = Places.of(ports, source)
    lines = _lines(places, charges)
    seen, names = seen_since(ports, month), customer_names(ports, source)
    told = [(line.charges, _row(source, line, seen, names)) for line in lines]
    told = [(own, row) for own, row in told if row["verdict"] != "nothing"]
    rows = [row for _, row in told]
    rows.sort(key=lambda row: (row["verdict"] == "equal", row["name"], row["company"] or 0, row["item"]))
    so_far, problem = used_so_far(ports, vendor, places, month)
    return {
        "source": source,
        "month": month.isoformat()[:7],
        "draft": any(charge.invoice is None for charge in charges),
        "invoices": sorted({charge.invoice for charge in charges if charge.invoice is not None}),
        "rows": rows,
        "companies": _by_company(told),
        "costs": _costs(charges),
        "sums": _sums(rows),
        "so_far": so_far,
        "so_far_problem": problem,
    }


def vendor_costs_file(ports: Ports, source: str, month: date, kind: Kind) -> bytes:
    """The same rows for a spreadsheet; what was used so far has columns of its own, so that no sum takes it in."""
    told = vendor_costs(ports, source, month)
    empty = dict.fromkeys(COLUMNS)
    rows: list[dict[str, object]] = [{**empty, **row} for row in told["rows"]]
    rows += [{**empty, **_as_so_far(used)} for used in told["so_far"]]
    if told["so_far_problem"]:
        rows.append({**empty, "verdict": "so-far-not-told", "item": told["so_far_problem"]})
    return file_of("vendor-costs", COLUMNS, rows, kind)


def _as_so_far(used: shapes.UsedSoFar) -> dict[str, object]:
    return {
        "verdict": "so-far",
        "company": used["company"],
        "name": used["name"],
        "bill_item": used["bill_item"],
        "item": used["item"],
        "customers": [used["customer"]],
        "skus": [used["sku"]],
        "cost_currency": used["currency"],
        "cost_so_far": used["cost"],
        "retail_so_far": used["retail"],
    }


def _lines(places: Places, charges: Iterable[Charge]) -> list[Line]:
    """Every charge under the bill item that it feeds; and every bill item of the source, charged or not."""
    found: dict[tuple[Any, ...], Line] = {
        (number, item): Line("", places.companies[number], rule) for (number, item), rule in places.items.items()
    }
    for charge in charges:
        key, line = _place(charge, places)
        found.setdefault(key, line).charges.append(charge)
    return list(found.values())


def _place(charge: Charge, places: Places) -> tuple[tuple[Any, ...], Line]:
    """Where a charge belongs: a bill item, or why to none."""
    if charge.customer is None or charge.sku is None:
        return ("other", charge.customer, charge.name), Line("other", None, None)
    customer, sku = canonical(charge.customer), canonical(charge.sku)
    who = places.companies_of(customer)
    if len(who) != 1:
        verdict = "shared" if who else "unlinked"
        return (verdict, customer, sku), Line(verdict, None, None)
    company = places.companies[who[0]]
    if charge.is_once:
        return ("once", company.id, sku), Line("once", company, None)
    rule = places.item_of(company.id, customer, sku)
    if rule is None:
        return ("unmapped", company.id, sku), Line("unmapped", company, None)
    return (company.id, rule.id), Line("", company, rule)


def _row(source: str, line: Line, seen: Seen, names: Mapping[str, str]) -> shapes.ChargedItem:
    charged, cost = _charged_units(line.charges), _in_one_currency(line.charges)
    billed = billed_for(line, seen)
    due = _due(source, line, charged, billed)
    customers = sorted({charge.customer for charge in line.charges if charge.customer is not None})
    cost_currency = only({charge.currency or "" for charge in line.charges})
    comparable = (
        bool(cost_currency) and cost_currency == billed.currency and billed.is_over and are_of_a_month(line, billed)
    )
    return {
        "verdict": line.verdict or _verdict(line, charged, due, billed),
        "company": line.company.id if line.company is not None else None,
        "name": line.company.name if line.company is not None else "",
        "bill_item": line.rule.id if line.rule is not None else "",
        "item": line.charges[0].name if line.charges else line.rule.name if line.rule is not None else "",
        "customers": customers,
        "customer_names": [names.get(canonical(each), each) for each in customers],
        "skus": sorted({charge.sku for charge in line.charges if charge.sku is not None}),
        "charged_units": float(charged) if charged is not None else None,
        "due_units": float(due) if due is not None else None,
        "cost": _cents(cost) if cost is not None else None,
        "cost_currency": cost_currency,
        "billed_units": float(billed.units),
        "billed_monthly": _cents(billed.monthly),
        "billed_once": _cents(billed.once),
        "billed_currency": billed.currency or "",
        "margin": _margin(billed, cost) if line.charges and comparable else None,
    }


def _in_one_currency(charges: Collection[Charge]) -> Decimal | None:
    """What charges come to; None where they are in several currencies, which nobody may add up."""
    currencies = {charge.currency for charge in charges}
    return sum((charge.total for charge in charges), ZERO) if len(currencies) <= 1 else None


def _charged_units(charges: Collection[Charge]) -> Decimal | None:
    """How much is charged; None of usage, which is counted in money, where that is of several currencies."""
    used = _in_one_currency([charge for charge in charges if charge.used])
    return None if used is None else sum((charge.units for charge in charges), ZERO)


def _margin(billed: Billed, cost: Decimal | None) -> float | None:
    return _cents(billed.monthly + billed.once - cost) if cost is not None else None


def _due(source: str, line: Line, charged: Decimal | None, billed: Billed) -> Decimal | None:
    """What the rules make of the units that are charged; None where they bill something else, or more, than those."""
    rule = line.rule
    if billed.due is not None:
        return billed.due
    if rule is None or rule.profile is None or rule.unknown is not None or billed.joined:
        return None
    if rule.licence is not None and rule.licence.quantity is not None:
        return rule.licence.quantity
    quantity = rule.profile.quantity
    if quantity.basis is not Basis.PURCHASED or any(feed.source != source for feed in rule.feeds):
        return None
    if quantity.leaves_out_subscriptions or (rule.profile.split and not _is_by_unit(quantity)):
        return None  # Charges are not told apart by subscription here.
    if charged is None or (line.charges and not line.tells_units):
        return None
    due = quantity_of([Count(source, "", "", rule.name, purchased=charged)], quantity)
    return due.quantize(_CENT, ROUND_HALF_UP) if due is not None and line.is_usage else due


def _is_by_unit(rule: QuantityRule) -> bool:
    """Whether parts come to as much as their whole."""
    return not (rule.included or rule.minimum) and rule.rounding is Rounding.NONE


def _verdict(line: Line, charged: Decimal | None, due: Decimal | None, billed: Billed) -> str:
    rule, units = line.rule, billed.units
    if not line.charges:
        return "nothing" if units <= 0 else "term" if billed.longer else "no-charge"
    if rule is None or rule.profile is None:
        return "not-billed" if units == 0 else "too-much"
    if not billed.is_over:
        return "later"
    if due is None:
        return _verdict_by_units(line, charged, units)
    if due == units:
        return "equal"
    if units == 0:
        return "not-at-all"
    return "too-little" if due > units else "too-much"


def _verdict_by_units(line: Line, charged: Decimal | None, units: Decimal) -> str:
    """Where nothing says what is due of the charges, only what is billed unit for unit is known to be right."""
    if units == 0 and charged is not None and charged > 0:
        return "not-at-all"
    return "equal" if units == charged and line.tells_units else "unknown"


def _by_company(told: Iterable[tuple[Iterable[Charge], shapes.ChargedItem]]) -> list[shapes.ChargedCompany]:
    """Companies with their sums, by name; what belongs to none is the last."""
    found = grouped(told, lambda each: (each[1]["company"] is None, each[1]["name"], each[1]["company"] or 0))
    return [
        {
            "company": own[0][1]["company"],
            "name": name,
            "costs": _costs(charge for charges, _ in own for charge in charges),
            "sums": _sums(row for _, row in own),
        }
        for (_, name, _), own in sorted(found.items(), key=lambda each: each[0])
    ]


def _costs(charges: Iterable[Charge]) -> list[shapes.Cost]:
    costs: dict[str, Decimal] = {}
    for charge in charges:
        costs[charge.currency or ""] = costs.get(charge.currency or "", ZERO) + charge.total
    return [{"currency": currency, "cost": _cents(costs[currency])} for currency in sorted(costs)]


def _sums(rows: Iterable[shapes.ChargedItem]) -> list[shapes.BilledSum]:
    """What is billed for what the vendor charges, a month and once, and the margin where it is known, by currency."""
    sums: dict[str, shapes.BilledSum] = {}
    for row in rows:
        if row["billed_currency"] or row["billed_monthly"] or row["billed_once"]:
            nothing: shapes.BilledSum = {"currency": row["billed_currency"], "billed": 0.0, "margin": None}
            total = sums.setdefault(row["billed_currency"], nothing)
            total["billed"] = round(total["billed"] + row["billed_monthly"] + row["billed_once"], 2)
            if row["margin"] is not None:
                total["margin"] = round((total["margin"] or 0.0) + row["margin"], 2)
    return [sums[currency] for currency in sorted(sums)]


def _cents(value: Decimal) -> float:
    return float(value.quantize(_CENT, ROUND_HALF_UP))
