"""What Pax8 sells and what it charges the partner: prices by steps, invoices and drafts."""

from __future__ import annotations

import uuid
from datetime import date, timedelta

from local.sandbox.pax8.world import CONTAINER, Invoice, Json, Pax8World, Product, Subscription

#: A product that costs less from this quantity on.
_STEPPED, _STEP = "Vaultline Backup", 50
#: A product that is charged by what is used.
CLOUD = CONTAINER.id


def product_row(product: Product) -> Json:
    return {
        "id": product.id,
        "name": product.name,
        "vendorName": product.vendor,
        "shortDescription": product.name,
        "sku": product.name.upper().replace(" ", "-"),
        "vendorSku": f"{product.vendor[:3].upper()}-{product.term[0]}",
        "requiresCommitment": product.term == "Annual",
    }


def pricing_rows(product: Product) -> list[Json]:
    """One price, at one rate or at two; the last one has no end."""
    steps = [(0, _STEP, 1.0), (_STEP + 1, None, 0.9)] if product.name == _STEPPED else [(0, None, 1.0)]
    rates = [
        {
            "partnerBuyRate": round(product.cost * share, 2),
            "suggestedRetailPrice": round(product.price * share, 2),
            "startQuantityRange": first,
            "endQuantityRange": last,
            "chargeType": "Per Unit",
        }
        for first, last, share in steps
    ]
    return [
        {
            "productId": product.id,
            "productName": product.name,
            "billingTerm": product.term,
            "commitmentTerm": "1-Year" if product.term == "Annual" else None,
            "commitmentTermInMonths": 12 if product.term == "Annual" else None,
            "type": "Tiered" if len(rates) > 1 else "Flat",
            "unitOfMeasurement": "Each",
            "rates": rates,
        }
    ]


def make_invoice(world: Pax8World, month: date) -> Invoice:
    """Charges the partner for what runs; another invoice of the same month takes the place of the one before."""
    for standing in world.invoices.values():
        if (standing.date.year, standing.date.month) == (month.year, month.month):
            standing.status = "Credited"
    number = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{world.client_id}/invoice/{len(world.invoices)}"))
    invoice = Invoice(number, month.replace(day=4), items_of(world, month))
    world.invoices[number] = invoice
    return invoice


def invoice_row(invoice: Invoice) -> Json:
    total = round(sum(item["costTotal"] for item in invoice.items), 2)
    return {
        "id": invoice.id,
        "invoiceDate": invoice.date.isoformat(),
        "dueDate": invoice.date.replace(day=28).isoformat(),
        "balance": total,
        "carriedBalance": 0,
        "total": total,
        "currencyCode": "USD",
        "partnerName": "Northbeam",
        "status": invoice.status,
    }


def items_of(world: Pax8World, month: date) -> list[Json]:
    """What is running, for the month or from its anniversary for a year; and a rebate that belongs to nobody."""
    running = [item for item in world.subscriptions.values() if item.now.status == "Active" and _is_due(item, month)]
    used = [_used(world, company, amount, month) for company, amount in _amounts(world, month).items()]
    rebate = {"id": _id(f"{month}/rebate"), "type": "rebate", "description": "Partner rebate", "quantity": 1}
    rebate |= {"price": 0, "cost": -12.5, "costTotal": -12.5, "currencyCode": "USD", "term": "Rebate"}
    return [*(_item(world, item, month) for item in running), *used, rebate]


def _amounts(world: Pax8World, month: date) -> dict[str, float]:
    """What is charged for usage, by company: what was told to be, and what vendors posted of the month before."""
    amounts = dict(world.used.get(month.replace(day=1), {}))
    for summary in world.summaries.values():
        if summary.month == _month_before(month) and not summary.trial:
            company = world.subscriptions[summary.subscription].company
            amounts[company] = round(amounts.get(company, 0.0) + summary.cost, 2)
    return amounts


def _month_before(month: date) -> date:
    return (month.replace(day=1) - timedelta(days=1)).replace(day=1)


def _used(world: Pax8World, company: str, amount: float, month: date) -> Json:
    """What a customer used in the month before, at one unit."""
    before = _month_before(month)
    return {
        "id": _id(f"{month}/{company}/usage"),
        "type": "subscription",
        "companyId": company,
        "companyName": world.companies[company].name,
        "startPeriod": before.isoformat(),
        "endPeriod": month.replace(day=1).isoformat(),
        "quantity": 1,
        "term": "Arrears",
        "price": amount * 1.2,
        "cost": amount,
        "costTotal": amount,
        "currencyCode": "USD",
        "productId": CLOUD,
        "productName": "Driftwood Cloud",
        "subscriptionId": None,
    }


def _is_due(item: Subscription, month: date) -> bool:
    bought = item.created.date()
    match item.product.term:
        case "Annual":
            return bought.month == month.month
        case "One-Time":
            return (bought.year, bought.month) == (month.year, month.month)
    return True


def _item(world: Pax8World, item: Subscription, month: date) -> Json:
    company = world.companies[item.company]
    following = date(month.year + month.month // 12, month.month % 12 + 1, 1)
    if item.product.term == "Annual":
        following = month.replace(year=month.year + 1, day=1)
    return {
        "id": _id(f"{month}/{item.id}"),
        "type": "one-time" if item.product.term == "One-Time" else "subscription",
        "companyId": company.id,
        "externalId": company.external_id,
        "companyName": company.name,
        "startPeriod": month.replace(day=1).isoformat(),
        "endPeriod": following.isoformat(),
        "quantity": item.now.quantity,
        "unitOfMeasure": "Each",
        "term": item.product.term,
        "rateType": "flat",
        "chargeType": "per",
        "price": item.product.price,
        "cost": item.product.cost,
        "costTotal": round(item.product.cost * item.now.quantity, 2),
        "currencyCode": "USD",
        "productId": item.product.id,
        "productName": item.product.name,
        "vendorName": item.product.vendor,
        "subscriptionId": item.id,
    }


def _id(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, name))
