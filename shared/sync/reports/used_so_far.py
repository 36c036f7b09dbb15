"""What is used of what a vendor charges afterwards, while the month runs: for people to look at.

It goes on changing until it is invoiced. It stands in no sum, and nothing of it is compared with what is billed.
"""

from __future__ import annotations

from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from shared.billing.lines import canonical
from shared.billing.vendors import UsageSoFar
from shared.clock import business_date
from shared.errors import TrueUpError
from shared.sources.protocol import ChargingSource, UsageSource
from shared.sync.ports import Ports
from shared.sync.reports.months import this_month
from shared.sync.reports.vendor_places import Places, customer_names
from shared.sync.shapes.reports import UsedSoFar

_CENT = Decimal("0.01")


def used_so_far(ports: Ports, vendor: ChargingSource, places: Places, month: date) -> tuple[list[UsedSoFar], str]:
    """A row per company, product and currency, and why there are none where the vendor did not tell.

    Vendors tell of what runs now only, so other months than this have none.
    """
    if not isinstance(vendor, UsageSource) or month != this_month(ports):
        return [], ""
    try:
        told = vendor.used_so_far(business_date(ports.clock))
    except TrueUpError as error:
        return [], f"{error} {error.remedy}"
    names = customer_names(ports, vendor.name)
    rows = [_row(used, places, names.get(canonical(used.customer), used.customer)) for used in told]
    return sorted(rows, key=lambda row: (row["name"], row["customer_name"], row["item"], row["currency"])), ""


def _row(used: UsageSoFar, places: Places, customer_name: str) -> UsedSoFar:
    owners = places.companies_of(used.customer)
    company = places.companies[owners[0]] if len(owners) == 1 else None
    rule = places.item_of(company.id, used.customer, used.sku) if company is not None else None
    return {
        "company": company.id if company is not None else None,
        "name": company.name if company is not None else "",
        "bill_item": rule.id if rule is not None else "",
        "billed_by": rule.profile.name if rule is not None and rule.profile is not None else "",
        "item": used.name,
        "customer": used.customer,
        "customer_name": customer_name,
        "sku": used.sku,
        "cost": _cents(used.cost),
        "retail": _cents(used.retail),
        "currency": used.currency or "",
    }


def _cents(value: Decimal | None) -> float | None:
    return None if value is None else float(value.quantize(_CENT, ROUND_HALF_UP))
