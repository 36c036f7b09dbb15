"""What Microsoft charges a partner for licences in a month, as the rows of its reconciliation export.

Whoever reads them finds amounts as text and as numbers, ids in capitals, the last day of a charge among its days, and
usage that is metered between the licences.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from local.sandbox.world import Msp, Subscription, Tenant
from local.sandbox.world.model import part_number

Row = dict[str, Any]


def charge_rows(msp: Msp, partner: str, month: date, currency: str) -> Iterator[Row]:
    """The rows of a whole month that begins on `month`, for what the partner sold."""
    for tenant in msp.customers_of(partner):
        charged = [each for each in tenant.subscriptions if each.owner == partner and is_charged(each)]
        for at, subscription in enumerate(charged):
            yield _row(tenant, subscription, month, currency, as_text=at % 2 == 0)
        if charged:
            yield _metered(tenant, month, currency)


def is_charged(subscription: Subscription) -> bool:
    return subscription.status == "Enabled" and not subscription.trial


def unit_price(sku: str) -> Decimal:
    """What a licence costs the partner in a month."""
    return Decimal(4 + int(sku[-2:], 16) % 30) + Decimal("0.80")


def _row(tenant: Tenant, subscription: Subscription, month: date, currency: str, *, as_text: bool) -> Row:
    price, units = unit_price(subscription.sku), subscription.licenses
    kind = int(subscription.commerce_id[-2:], 16)
    is_new = subscription.created.date().replace(day=1) == month
    amounts = {"UnitPrice": price, "EffectiveUnitPrice": price, "BillableQuantity": Decimal(units)}
    amounts |= {"Quantity": Decimal(units), "Subtotal": price * units, "TaxTotal": Decimal(0), "Total": price * units}
    return {
        **_common(tenant, month, currency),
        "ProductId": f"CFQ7TTC0{kind:04X}",
        "SkuId": "0001",
        "SkuName": part_number(subscription.sku),
        "ProductName": part_number(subscription.sku),
        "ChargeType": "new" if is_new else "cycleCharge",
        "SubscriptionId": subscription.commerce_id.upper(),
        "TermAndBillingCycle": "One-Year commitment for monthly/yearly billing",
        "BillingFrequency": "Monthly",
        "MeterDescription": "",
        **{name: str(amount) if as_text else float(amount) for name, amount in amounts.items()},
    }


def _metered(tenant: Tenant, month: date, currency: str) -> Row:
    return {
        **_common(tenant, month, currency),
        "ProductId": "DZH318Z0BNZ5",
        "SkuId": "006G",
        "SkuName": "Bandwidth Inter-Region",
        "ProductName": "Bandwidth",
        "ChargeType": "new",
        "SubscriptionId": str(uuid.uuid5(uuid.UUID(tenant.id), "azure-plan")),
        "MeterDescription": "Bandwidth - Data Transfer In (GB) - Zone 2",
        "BillableQuantity": 3.1618,
        "Quantity": 3.1618,
        "Subtotal": 0.45,
    }


def _common(tenant: Tenant, month: date, currency: str) -> Row:
    last = (month + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    return {
        "PartnerId": tenant.partner,
        "CustomerId": tenant.id.upper(),
        "CustomerName": tenant.name,
        "CustomerDomainName": tenant.domain,
        "InvoiceNumber": "",
        "Currency": currency,
        "ChargeStartDate": f"{month}T00:00:00Z",
        "ChargeEndDate": f"{last}T00:00:00Z",
    }
