"""From Graph's rows to customers, with the domains that help to find their companies. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from shared.billing.counts import Customer
from shared.sources.microsoft365.parse import SOURCE, Row, broken, guid, text

#: Where each tenant has a domain from the day on which it was made.
_GIVEN_DOMAIN = ".onmicrosoft.com"


def customers_of(partner: str, rows: Iterable[Row]) -> list[Customer]:
    """The customers that a partner tenant lists."""
    what = "the list of customers"

    def customer(row: Row) -> Customer:
        tenant = guid(row, "tenantId", what)
        return Customer(SOURCE, tenant, text(row, "displayName", what), partner, tenant=tenant)

    return [customer(row) for row in rows]


def domains_of(contracts: Iterable[Row]) -> dict[str, tuple[str, ...]]:
    """The domains that contracts name, by tenant. They only help a person: a row that cannot be read tells nothing."""
    found: dict[str, tuple[str, ...]] = {}
    for row in contracts:
        tenant = row.get("customerId")
        if isinstance(tenant, str) and (domains := _own_domains([row.get("defaultDomainName")])):
            found[tenant.casefold()] = domains
    return found


def organization_name(rows: list[Row]) -> str:
    """The display name in the one row of /organization."""
    what = "the organization"
    if len(rows) != 1:
        raise broken(what, "it is not one organization")
    return text(rows[0], "displayName", what)


def verified_domains(rows: list[Row]) -> tuple[str, ...]:
    """The domains in the one row of /organization; one that cannot be read is left out."""
    organization_name(rows)
    domains = rows[0].get("verifiedDomains")
    listed = domains if isinstance(domains, list) else []
    return _own_domains(domain.get("name") for domain in listed if isinstance(domain, dict))


def _own_domains(names: Iterable[object]) -> tuple[str, ...]:
    """Those that the customer brought: the names that Microsoft gives to every tenant say nothing of whose it is."""
    plain = {name.strip().casefold() for name in names if isinstance(name, str)}
    return tuple(sorted(name for name in plain if "." in name and not name.endswith(_GIVEN_DOMAIN)))
