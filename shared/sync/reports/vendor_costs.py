"""What a vendor charges the MSP in a month, beside what the agreements bill for it.

The vendor's invoices are read live, or its draft while there is none; what is billed is what the last look of the month
at each company saw (`shared.billing.balance`). Costs are as invoiced, in the vendor's currency; what is billed is per
month, in the agreement's. A margin is told only where both are for one month and in one currency.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from shared.billing.balance import ZERO, Balance
from shared.billing.counts import Count
from shared.billing.feeds import ItemRule, item_rules, subscription_id
from shared.billing.lines import canonical
from shared.billing.profiles import Basis
from shared.billing.quantities import quantity_of
from shared.billing.vendors import Charge
from shared.clock import business_date
from shared.errors import Gone
from shared.sources.protocol import ChargingSource
from shared.state.companies import CompanyRow
from shared.sync.ports import Ports
from shared.sync.reports.months import standing, this_month
from shared.sync.sheets import sheet_of

Json = dict[str, Any]

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
    "billed_currency",
    "margin",
)
_CENT = Decimal("0.01")


@dataclass(slots=True)
class _Line:
    """The charges of one bill item of a company, or of what belongs to none; `verdict` where no comparison is made."""

    verdict: str
    company: CompanyRow | None
    rule: ItemRule | None
    charges: list[Charge] = field(default_factory=list)


def charging(ports: Ports) -> list[str]:
    """The connected sources whose vendor tells what it charges."""
    return sorted(name for name, source in ports.sources.items() if isinstance(source, ChargingSource))


def vendor_costs(ports: Ports, source: str, month: date) -> Json:
    """A row per company and bill item, and sums by currency.

    `verdict` is `equal`, `too-little` or `too-much` billed, `no-charge` (we bill it, the vendor does not), `not-billed`
    (the rules say so), `unmapped`, `unlinked`, `shared` (by several companies) or `other` (of no customer or product).
    Raises `Gone` for a source that tells no charges, and what reading it raises.
    """
    vendor = ports.sources.get(source)
    if not isinstance(vendor, ChargingSource):
        raise Gone(f"{source} is not connected or does not tell what it charges", remedy="Ask for pax8, for example.")
    charges = vendor.charges(month, business_date(ports.clock))
    lines = _lines(ports, source, charges)
    billed = _billed(ports, month)
    names = _names(ports, source)
    rows = [_row(source, line, billed.get(line.company.id, {}) if line.company else {}, names) for line in lines]
    rows = [row for row in rows if row["verdict"] != "nothing"]
    rows.sort(key=lambda row: (row["verdict"] == "equal", row["name"], row["company"] or 0, row["item"]))
    return {
        "source": source,
        "month": month.isoformat()[:7],
        "draft": any(charge.invoice is None for charge in charges),
        "invoices": sorted({charge.invoice for charge in charges if charge.invoice is not None}),
        "rows": rows,
        "costs": _sums(charges),
    }


def vendor_costs_sheet(ports: Ports, source: str, month: date) -> str:
    """The same rows as CSV."""
    rows = vendor_costs(ports, source, month)["rows"]
    return sheet_of(COLUMNS, ([_cell(row[name]) for name in COLUMNS] for row in rows))


def _cell(value: object) -> object:
    return " ".join(value) if isinstance(value, list) else value


def _lines(ports: Ports, source: str, charges: Iterable[Charge]) -> list[_Line]:
    """Every charge under the bill item that it feeds; and every bill item of the source, charged or not."""
    companies = {row.id: row for row in ports.companies.all() if any(link.source == source for link in row.links)}
    owners: dict[str, list[int]] = {}
    feeding: dict[tuple[int, str, str], str] = {}
    found: dict[tuple[Any, ...], _Line] = {}
    rules = ports.rules.load()
    for number, company in companies.items():
        own = ports.companies.company_rules(number)
        for link in own.linked:
            if link.source == source:
                owners.setdefault(canonical(link.customer), []).append(number)
        for rule in item_rules(rules, own):
            if any(feed.source == source for feed in rule.feeds):
                found[number, rule.id] = _Line("", company, rule)
                feeding |= {(number, feed.customer, feed.sku): rule.id for feed in rule.feeds if feed.source == source}
    for charge in charges:
        key, line = _place(charge, owners, feeding, companies)
        found.setdefault(key, line).charges.append(charge)
    return list(found.values())


def _place(
    charge: Charge,
    owners: Mapping[str, Sequence[int]],
    feeding: Mapping[tuple[int, str, str], str],
    companies: Mapping[int, CompanyRow],
) -> tuple[tuple[Any, ...], _Line]:
    """Where a charge belongs: a bill item, or why to none."""
    if charge.customer is None or charge.sku is None:
        return ("other", charge.customer, charge.name), _Line("other", None, None)
    customer, sku = canonical(charge.customer), canonical(charge.sku)
    who = owners.get(customer, ())
    if len(who) != 1:
        verdict = "shared" if who else "unlinked"
        return (verdict, customer, sku), _Line(verdict, None, None)
    item = feeding.get((who[0], customer, sku))
    if item is None:
        return ("unmapped", who[0], sku), _Line("unmapped", companies[who[0]], None)
    return (who[0], item), _Line("", companies[who[0]], None)


def _billed(ports: Ports, month: date) -> dict[int, dict[str, Balance]]:
    """What the last look of a month saw billed, by company and bill item; of months to come what stands now."""
    if month >= this_month(ports):
        return {row.id: _by_item(balance.items) for row, balance in standing(ports)}
    last = {balance.company: balance for balance in ports.balances.of_month(month)}
    return {company: _by_item(balance.items) for company, balance in last.items()}


def _by_item(items: Iterable[Balance]) -> dict[str, Balance]:
    return {canonical(item.bill_item): item for item in items}


def _names(ports: Ports, source: str) -> dict[str, str]:
    """What the source calls its customers, by their ids, as they were last listed."""
    listed = ports.directory.customers().get(source)
    return {canonical(each.id): each.name for each in listed.customers} if listed is not None else {}


def _row(source: str, line: _Line, billed: Mapping[str, Balance], names: Mapping[str, str]) -> Json:
    balances = _of_item(line.rule, billed)
    units = sum((item.billed for item in balances), ZERO)
    monthly = sum((item.amount_billed / (item.months or 1) for item in balances), ZERO)
    charged = sum((charge.quantity for charge in line.charges if charge.is_of_a_whole_period), ZERO)
    cost = sum((charge.total for charge in line.charges), ZERO)
    due = _due(source, line.rule, charged)
    customers = sorted({charge.customer for charge in line.charges if charge.customer is not None})
    currencies = {item.currency or "" for item in balances}
    cost_currency = _only({charge.currency or "" for charge in line.charges})
    comparable = line.charges and balances and {cost_currency} == currencies and all(map(_is_a_month, line.charges))
    return {
        "verdict": line.verdict or _verdict(line, due, units),
        "company": line.company.id if line.company is not None else None,
        "name": line.company.name if line.company is not None else "",
        "bill_item": line.rule.id if line.rule is not None else "",
        "item": line.charges[0].name if line.charges else line.rule.name if line.rule is not None else "",
        "customers": customers,
        "customer_names": [names.get(canonical(each), each) for each in customers],
        "skus": sorted({charge.sku for charge in line.charges if charge.sku is not None}),
        "charged_units": float(charged),
        "due_units": float(due) if due is not None else None,
        "cost": _cents(cost),
        "cost_currency": cost_currency,
        "billed_units": float(units),
        "billed_monthly": _cents(monthly),
        "billed_currency": _only(currencies),
        "margin": _cents(monthly - cost) if comparable else None,
    }


def _of_item(rule: ItemRule | None, billed: Mapping[str, Balance]) -> list[Balance]:
    """The balances of an item, or of its parts where every subscription is one."""
    if rule is None:
        return []
    parts = subscription_id(rule.id)
    return [balance for item, balance in billed.items() if item == canonical(rule.id) or item.startswith(parts)]


def _due(source: str, rule: ItemRule | None, charged: Decimal) -> Decimal | None:
    """What the rules make of the units that are charged; None where they bill something else than units bought."""
    if rule is None or rule.profile is None or rule.unknown is not None or rule.profile.arrears is not None:
        return None
    if rule.licence is not None and rule.licence.quantity is not None:
        return rule.licence.quantity
    if rule.profile.quantity.basis is not Basis.PURCHASED:
        return None
    bought = Count(source, "", "", rule.name, purchased=charged)
    return quantity_of([bought], replace(rule.profile.quantity, without_subscriptions=()))


def _verdict(line: _Line, due: Decimal | None, units: Decimal) -> str:
    rule = line.rule
    if not line.charges:
        return "no-charge" if units > 0 else "nothing"
    if rule is None or rule.profile is None:
        return "not-billed" if units == 0 else "too-much"
    if due is None:
        return "equal" if units > 0 else "too-little"
    if due == units:
        return "equal"
    return "too-little" if due > units else "too-much"


def _is_a_month(charge: Charge) -> bool:
    return charge.start is not None and charge.end is not None and 27 <= (charge.end - charge.start).days <= 31


def _only(values: set[str]) -> str:
    return next(iter(values)) if len(values) == 1 else ""


def _sums(charges: Iterable[Charge]) -> list[Json]:
    sums: dict[str, Decimal] = {}
    for charge in charges:
        sums[charge.currency or ""] = sums.get(charge.currency or "", ZERO) + charge.total
    return [{"currency": currency, "cost": _cents(sums[currency])} for currency in sorted(sums)]


def _cents(value: Decimal) -> float:
    return float(value.quantize(_CENT, ROUND_HALF_UP))
