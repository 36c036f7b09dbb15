"""Microsoft 365 as a source of counts."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection
from datetime import date
from typing import TYPE_CHECKING

from shared.billing.counts import Count, Customer, FailureKind, ReadFailure, Reading, Relationship
from shared.contacts.accounts import Accounts
from shared.errors import Gone, Misconfigured, TrueUpError
from shared.health import ServiceIssue
from shared.sources.failures import failed, problem
from shared.sources.microsoft365.accounts import accounts_of
from shared.sources.microsoft365.customers import customers_of, domains_of, organization_name, verified_domains
from shared.sources.microsoft365.failures import SYSTEM
from shared.sources.microsoft365.health import open_issues
from shared.sources.microsoft365.known_skus import FREE_SKUS
from shared.sources.microsoft365.parse import (
    SOURCE,
    counts_of,
    relationships_of,
    scope_of,
    tenant_id,
)
from shared.sources.microsoft365.settings import MicrosoftSettings
from shared.sources.microsoft365.sku_names import SkuNames
from shared.sources.microsoft365.terms import with_terms, without_terms

if TYPE_CHECKING:
    import httpx
    from azure.core.credentials import TokenCredential

    from shared.http.wire import Transport
    from shared.sources.microsoft365.partner_center import PartnerCenter
    from shared.sources.microsoft365.reads import GraphReader

log = logging.getLogger(__name__)

#: Domains are asked for tenant by tenant, while a person waits.
_DOMAIN_SECONDS = 10.0


class Microsoft365Source:
    """Reads the seats of customer tenants (`shared.sources.protocol.Source`); safe to use from several threads.

    `credential`, `http`, `partner_http` and `sleep` replace what reaches out of the process.
    """

    def __init__(
        self,
        settings: MicrosoftSettings,
        *,
        credential: TokenCredential | None = None,
        http: httpx.AsyncBaseTransport | None = None,
        partner_http: Transport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Raises `Misconfigured` with everything that is wrong in the settings. Reaches nobody."""
        if problems := settings.problems() if credential is None else settings.address_problems():
            raise Misconfigured(problems)
        self._settings = settings
        self._credential = credential
        self._http = http
        self._partner_http = partner_http
        self._sleep = sleep
        self._partners = tuple(partner.casefold() for partner in settings.partner_tenants)
        self._direct = tuple(tenant.casefold() for tenant in settings.direct_tenants)
        self._names = SkuNames(settings.sku_names, settings.ca_file)
        self._lock = threading.Lock()
        self._made: GraphReader | None = None
        self._made_center: PartnerCenter | None = None

    @property
    def name(self) -> str:
        return SOURCE

    def check(self) -> list[str]:
        """Asks every partner tenant for its customers, every direct tenant for its name, and Partner Center if used."""
        problems: list[str] = []
        for tenant in (*self._partners, *self._direct):
            try:
                if tenant in self._partners:
                    customers_of(tenant, self._reader().partner_customers(tenant))
                else:
                    organization_name(self._reader().organization(tenant))
            except TrueUpError as error:
                problems.append(problem(error))
        return problems + self.completion_problems()

    def completion_problems(self) -> list[str]:
        """What is wrong with Partner Center; nothing where it is not asked (`shared.sources.protocol`)."""
        center = self._partner_center()
        return [] if center is None else center.problems()

    def customers(self) -> list[Customer]:
        """Every customer of every partner tenant, then the direct tenants, by name.

        A customer of several partner tenants is listed once, by the first. Raises a `TrueUpError` when the list of a
        partner tenant could not be read whole.
        """
        found: dict[str, Customer] = {}
        for partner in self._partners:
            for customer in customers_of(partner, self._reader().partner_customers(partner)):
                found.setdefault(customer.id, customer)
        for tenant in self._direct:
            if tenant not in found:
                found[tenant] = self._direct_customer(tenant)
        return sorted(found.values(), key=lambda customer: (customer.name.casefold(), customer.id))

    def told_domains(self) -> dict[str, tuple[str, ...]]:
        """The domains in the contracts of the partner tenants (`shared.sources.protocol.DomainSource`)."""
        return domains_of(row for partner in self._partners for row in self._reader().contracts(partner))

    def verified_domains(self, customer: str, /) -> tuple[str, ...]:
        """The domains that one tenant has shown to be its own."""
        return verified_domains(self._reader().organization(_tenant(customer), _DOMAIN_SECONDS))

    def relationships(self) -> list[Relationship]:
        """With each customer of a partner tenant (`shared.sources.protocol`); direct tenants are read without one."""
        rows = (row for partner in self._partners for row in self._reader().relationships(partner))
        direct = [Relationship(SOURCE, tenant, tenant, None) for tenant in self._direct]
        return direct + [each for each in relationships_of(rows) if each.customer not in self._direct]

    def open_issues(self, customer: str) -> list[ServiceIssue]:
        """What is wrong with the services of one tenant (`shared.sources.protocol.HealthSource`)."""
        return open_issues(self._reader().issues(customer))

    def read(self, customer: str, day: date) -> Reading | ReadFailure:
        """The seats of one tenant, complete over all SKUs, or why nothing is known. `customer` is the tenant's id."""
        return self.read_with_groups(customer, day, ())

    def read_with_groups(self, customer: str, day: date, groups: Collection[str], /) -> Reading | ReadFailure:
        """The same with the members of these groups (`shared.sources.protocol.GroupSource`), for two more calls."""
        tenant = tenant_id(customer)
        if tenant is None:
            return ReadFailure(
                SOURCE,
                customer,
                FailureKind.CUSTOMER_GONE,
                "The company is linked to something that is not a tenant id.",
                "Put the tenant's id (a GUID) into the company's link.",
            )
        try:
            seats = self._reader().seats(tenant, groups)
            counts = counts_of(
                tenant,
                day,
                seats.skus,
                seats.subscriptions,
                seats.users,
                partners=None if tenant in self._direct else frozenset(self._partners),
                name_of=self._names.name_of,
                free=FREE_SKUS,
                members=seats.members,
            )
        except TrueUpError as error:
            return failed(SOURCE, tenant, error)
        scope = scope_of(counts)
        told = tuple(count for count in counts if scope.covers(count.sku))
        return Reading(SOURCE, tenant, day, self._completed(tenant, day, told), scope)

    def _completed(self, tenant: str, day: date, counts: tuple[Count, ...]) -> tuple[Count, ...]:
        """The counts with the terms that Partner Center tells; where it does not answer, without hints of any."""
        center = self._partner_center()
        if center is None or tenant in self._direct:
            return counts
        try:
            return with_terms(counts, center.terms(tenant), day)
        except TrueUpError as error:
            log.warning("no terms of tenant %s are known: %s", tenant, error)
            return without_terms(counts)

    def accounts(self, customer: str, groups: Collection[str], /, *, sign_ins: bool) -> Accounts:
        """Everybody in one tenant (`shared.sources.protocol.AccountSource`). `customer` is the tenant's id."""
        found = self._reader().directory(_tenant(customer), groups, sign_ins=sign_ins)
        return accounts_of(
            found.users,
            found.skus,
            found.sign_ins,
            name_of=self._names.name_of,
            free=FREE_SKUS,
            members=found.members,
        )

    def _direct_customer(self, tenant: str) -> Customer:
        """With the organization's own name; a tenant that cannot be read is still a customer, named by its id."""
        try:
            rows = self._reader().organization(tenant)
            name, verified = organization_name(rows), verified_domains(rows)
        except TrueUpError:
            name, verified = tenant, ()
        return Customer(SOURCE, tenant, name, tenant=tenant, verified=verified)

    def _partner_center(self) -> PartnerCenter | None:
        """Made at the first question, likewise; None where it is not asked."""
        url = self._settings.partner_center_url
        if url is None:
            return None
        with self._lock:
            if self._made_center is None:
                from shared.sources.microsoft365.partner_center import PartnerCenter

                self._made_center = PartnerCenter(
                    self._settings, url, self._credential, transport=self._partner_http, sleep=self._sleep
                )
            return self._made_center

    def _reader(self) -> GraphReader:
        """The reader, made at the first question: it brings in the vendor's libraries and the credential."""
        with self._lock:
            if self._made is None:
                from shared.sources.microsoft365.reads import GraphReader

                self._made = GraphReader(self._settings, self._credential, self._http, self._sleep)
            return self._made


def _tenant(customer: str) -> str:
    """The id of a tenant; raises `Gone` for what is none."""
    tenant = tenant_id(customer)
    if tenant is None:
        raise Gone(
            "the company is linked to something that is not a tenant id",
            system=SYSTEM,
            remedy="Put the tenant's id (a GUID) into the company's link.",
        )
    return tenant
