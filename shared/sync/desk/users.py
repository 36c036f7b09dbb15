"""Who holds a licence: asked of its source when somebody wants to see it, and kept nowhere."""

from __future__ import annotations

from typing import Any

from shared.billing.counts import Count, Holder, ReadFailure
from shared.billing.lines import canonical
from shared.clock import business_date
from shared.errors import Gone, Incomplete
from shared.sync.fleets import read_customer
from shared.sync.ports import Ports

Json = dict[str, Any]


def users(ports: Ports, company: int, source: str, customer: str, sku: str) -> Json:
    """The users who hold a SKU; `users` None where the source does not tell who they are.

    Raises `Gone` where the company is not linked to that customer or has no such SKU there, and `Incomplete` when the
    source cannot be read now.
    """
    count = _count(ports, company, source, customer, sku)
    holders = (
        sorted(count.holders, key=lambda one: (one.name.casefold(), one.id)) if count.holders is not None else None
    )
    return {
        "source": source,
        "customer": customer,
        "sku": count.sku,
        "name": count.name,
        "users": [_told(holder) for holder in holders] if holders is not None else None,
    }


def _count(ports: Ports, company: int, source: str, customer: str, sku: str) -> Count:
    row = ports.companies.get(company)
    links = row.links if row is not None else ()
    own = [link.customer for link in links if link.source == source and canonical(link.customer) == canonical(customer)]
    if not own or source not in ports.sources:
        raise Gone(f"company {company} is not linked to {source}/{customer}", remedy="GET the company for its links.")
    reading = read_customer(ports, ports.sources[source], own[0], business_date(ports.clock), live=True)
    if isinstance(reading, ReadFailure):
        raise Incomplete(reading.reason, system=source, request_id=reading.request_id, remedy=reading.remedy)
    found = next((count for count in reading.counts if canonical(count.sku) == canonical(sku)), None)
    if found is None:
        raise Gone(f"{source} tells of no {sku} at {customer} now", remedy="Sync the company to see what it has.")
    return found


def _told(holder: Holder) -> Json:
    return {
        "name": holder.name,
        "enabled": holder.enabled,
        "guest": holder.guest,
        "department": holder.department,
        "office": holder.office,
        "domain": holder.domain,
    }
