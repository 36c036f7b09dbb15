"""Who holds a licence: asked of its source when somebody wants to see it, and kept nowhere."""

from __future__ import annotations

from collections.abc import Sequence

from shared.billing.counts import Count, Holder, ReadFailure
from shared.billing.lines import canonical
from shared.billing.rules import CompanyLink
from shared.clock import business_date
from shared.errors import Gone, Incomplete
from shared.sync.fleets import read_customer
from shared.sync.ports import Ports
from shared.sync.shapes import desk as shapes


def users(ports: Ports, company: int, source: str, customer: str, sku: str) -> shapes.Users:
    """The users who hold a SKU; `users` None where the source does not tell who they are.

    Of a customer that several companies share only those who are this company's. Raises `Gone` where the company is
    not linked to that customer or has no such SKU there, and `Incomplete` when the source cannot be read now, or does
    not tell which of the users are the company's.
    """
    links = _links(ports, company, source, customer)
    count = _count(ports, links, sku)
    found = _among(links, count.holders) if count.holders is not None else None
    holders = sorted(found, key=lambda one: (one.name.casefold(), one.id)) if found is not None else None
    return {
        "source": source,
        "customer": customer,
        "sku": count.sku,
        "name": count.name,
        "users": [_told(holder) for holder in holders] if holders is not None else None,
    }


def _links(ports: Ports, company: int, source: str, customer: str) -> list[CompanyLink]:
    """The company's own links to a customer; one that a person has removed is not its own any more."""
    row = ports.companies.get(company)
    own = [link for link in (row.links if row is not None else ()) if link.source == source and not link.removed]
    found = [link for link in own if canonical(link.customer) == canonical(customer)]
    if not found or source not in ports.sources:
        raise Gone(f"company {company} is not linked to {source}/{customer}", remedy="GET the company for its links.")
    return found


def _count(ports: Ports, links: Sequence[CompanyLink], sku: str) -> Count:
    source, customer = links[0].source, links[0].customer
    groups = {group for link in links for group in link.users.groups}
    day = business_date(ports.clock)
    reading = read_customer(ports, ports.sources[source], customer, day, live=True, groups=groups)
    if isinstance(reading, ReadFailure):
        raise Incomplete(reading.reason, system=source, request_id=reading.request_id, remedy=reading.remedy)
    found = next((count for count in reading.counts if canonical(count.sku) == canonical(sku)), None)
    if found is None:
        raise Gone(f"{source} tells of no {sku} at {customer} now", remedy="Sync the company to see what it has.")
    return found


def _among(links: Sequence[CompanyLink], holders: tuple[Holder, ...]) -> set[Holder]:
    """Those whom one of the links takes."""
    taken = [link.users.among(holders) for link in links]
    known = [each for each in taken if each is not None]
    if len(known) < len(taken):
        raise Incomplete(
            "it is not told which of the users are this company's",
            system=links[0].source,
            remedy="Look at the groups that the company's link names: each must be there once, with its members.",
        )
    return {holder for each in known for holder in each}


def _told(holder: Holder) -> shapes.Holder:
    return {
        "name": holder.name,
        "enabled": holder.enabled,
        "guest": holder.guest,
        "department": holder.department,
        "office": holder.office,
        "domain": holder.domain,
    }
