"""Whether customers let us in: where the administrator of each tenant consents, and a test of one customer alone."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from shared.billing.counts import FailureKind, ReadFailure
from shared.billing.findings import FindingKind
from shared.billing.lines import canonical
from shared.clock import business_date
from shared.errors import Gone
from shared.sources.protocol import GroupSource
from shared.state.companies import CompanyRow
from shared.state.company_state import CompanyState
from shared.sync.ports import Ports
from shared.sync.shapes import setup as shapes

_MICROSOFT = "microsoft365"
_TENANTS = ("MICROSOFT_PARTNER_TENANTS", "MICROSOFT_DIRECT_TENANTS")
_LOST = FindingKind.CONSENT_LOST.value


def consents(ports: Ports) -> list[shapes.Consent]:
    """Our own tenants, then those of companies, refused ones first; none where no consent is asked for.

    `lost` says that the newest look at that tenant was refused. Those with a `company` can be tested one by one.
    """
    if ports.consent_url is None:
        return []
    own = [each.value for each in ports.settings if each.name in _TENANTS and each.value]
    ours = chain.from_iterable(value.split(",") for value in own)
    told = [_consent(ports, "Named in the settings", tenant.strip(), None, lost=False) for tenant in ours]
    theirs = [each for row in ports.companies.all() for each in _of_company(ports, row)]
    return told + sorted(theirs, key=lambda each: (not each["lost"], each["name"].casefold()))


def is_lost(state: CompanyState, source: str, customer: str) -> bool:
    """Whether the newest look at a company's customer was refused."""
    return any(
        kind == _LOST and key.casefold() == f"{source}/{customer}".strip().casefold() for kind, key in state.findings
    )


def consent_url(ports: Ports, source: str, customer: str) -> str | None:
    """Where the administrator of a customer consents; None where no such consent is asked for."""
    if source != _MICROSOFT or ports.consent_url is None:
        return None
    return ports.consent_url(canonical(customer))


def tested_customer(ports: Ports, company: int, source: str, customer: str) -> shapes.TestedCustomer:
    """What one customer of a company says when it is read now; nothing of that is kept.

    `problems` are sentences that say what to do, none: it lets us in. `consent` is where its administrator consents,
    where that is what is missing. Raises `Gone` where the company is not linked to it.
    """
    row = ports.companies.get(company)
    links = [
        link
        for link in (row.links if row is not None else ())
        if link.source == source and canonical(link.customer) == canonical(customer) and not link.removed
    ]
    if row is None or not links or source not in ports.sources:
        raise Gone(f"company {company} is not linked to {source}/{customer}", remedy="GET the company for its links.")
    asked, day = ports.sources[source], business_date(ports.clock)
    groups = {group for link in links for group in link.users.groups}
    if groups and isinstance(asked, GroupSource):
        reading = asked.read_with_groups(links[0].customer, day, groups)
    else:
        reading = asked.read(links[0].customer, day)
    problems, lost = [], False
    if isinstance(reading, ReadFailure):
        problems = [f"{reading.reason} {reading.remedy}".strip()]
        lost = reading.kind is FailureKind.CONSENT_LOST
    return {
        "company": company,
        "name": row.name,
        "source": source,
        "customer": customer,
        "problems": problems,
        "consent": consent_url(ports, source, customer) if lost else None,
    }


def _of_company(ports: Ports, row: CompanyRow) -> Iterator[shapes.Consent]:
    """Its state is read only where something is lost: it says of which tenant."""
    tenants = [canonical(link.customer) for link in row.links if link.source == _MICROSOFT and not link.removed]
    refused = bool(tenants and row.summary.findings.get(_LOST))
    state = ports.company_state.load(row.id) if refused else None
    for tenant in tenants:
        yield _consent(ports, row.name, tenant, row.id, lost=state is not None and is_lost(state, _MICROSOFT, tenant))


def _consent(ports: Ports, name: str, tenant: str, company: int | None, *, lost: bool) -> shapes.Consent:
    url = consent_url(ports, _MICROSOFT, tenant)
    return {"name": name, "company": company, "tenant": tenant, "url": url, "lost": lost}
