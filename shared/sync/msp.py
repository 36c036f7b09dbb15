"""Findings of the MSP itself: customers new and gone, lists that could not be read."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence

from shared.billing.counts import Customer
from shared.billing.findings import Finding, FindingKind
from shared.billing.lines import canonical
from shared.errors import NotPermitted, TrueUpError
from shared.sources.protocol import CompletedSource, Source
from shared.state.companies import CompanyRow
from shared.state.company_state import MSP, Drop, Put, StateChange, StateKind
from shared.state.records import OpenFinding
from shared.sync.mapping.listing import keep_customers
from shared.sync.ports import Ports

log = logging.getLogger(__name__)

#: Of a customer's domains a finding names no more.
_DOMAINS_TOLD = 5


def notice_customers(ports: Ports, companies: Sequence[CompanyRow]) -> list[Finding]:
    """Lists every source's customers and says which are new and which linked ones are gone; keeps the lists.

    A source that cannot be listed keeps what was known of it, and the finding says why.
    """
    found: list[Finding] = []
    ignored = ports.directory.ignored().keys()
    for source in ports.sources.values():
        try:
            listed = source.customers()
        except TrueUpError as error:
            found += settle(ports, _is_failure_of(source), [_failure(source, error)])
        else:
            customers = keep_customers(ports, source, listed)
            wanted = [each for each in customers if (source.name, canonical(each.id)) not in ignored]
            current = [*_new(source, wanted, companies), *_gone(source, customers, companies), *_incomplete(source)]
            found += settle(ports, _is_about(source), current)
    return found


def _new(source: Source, customers: Iterable[Customer], companies: Iterable[CompanyRow]) -> list[Finding]:
    linked = {
        canonical(link.customer)
        for company in companies
        for link in company.links
        if link.source == source.name and not link.removed
    }
    return [
        Finding(
            FindingKind.CUSTOMER_NEW,
            f"{source.name}/{canonical(customer.id)}",
            f"{customer.name} is a customer at {source.name}, but no company is linked to it.{_hints(customer)}",
            f"Link the company that is billed for customer {customer.id}, or leave it if nobody is.",
        )
        for customer in customers
        if canonical(customer.id) not in linked
    ]


def _hints(customer: Customer) -> str:
    """What helps a person to find the company."""
    domains = customer.known_domains
    known = [f"its domain is {domains[0]}"] if len(domains) == 1 else []
    known += [f"its domains are {', '.join(domains[:_DOMAINS_TOLD])}"] if len(domains) > 1 else []
    known += [f"its reference there is {customer.reference}"] if customer.reference else []
    text = ", ".join(known)
    return f" {text[0].upper()}{text[1:]}." if text else ""


def _gone(source: Source, customers: Iterable[Customer], companies: Iterable[CompanyRow]) -> list[Finding]:
    listed = {canonical(customer.id) for customer in customers}
    return [
        Finding(
            FindingKind.CUSTOMER_GONE,
            f"{source.name}/{canonical(link.customer)}",
            f"{company.name} (company {company.id}) is linked to customer {link.customer}, which {source.name} does "
            "not list any more; its lines are left alone.",
            "Say removed: true at the link, which ends what it alone fed, or renew the relationship with the customer.",
        )
        for company in companies
        for link in company.links
        if link.source == source.name and not link.removed and canonical(link.customer) not in listed
    ]


def _incomplete(source: Source) -> list[Finding]:
    """That what completes a source's counts does not answer; counts go on without it."""
    problems = source.completion_problems() if isinstance(source, CompletedSource) else []
    if not problems:
        return []
    text = f"What completes its counts, such as terms, was not read; they go on without it. {' '.join(problems)}"
    remedy = "Nothing for a night, then what the sentence says; what is remembered of terms holds until then."
    return [Finding(FindingKind.READ_FAILED, f"{source.name}/completion", text, remedy)]


def _failure(source: Source, error: TrueUpError) -> Finding:
    kind = FindingKind.CONSENT_LOST if isinstance(error, NotPermitted) else FindingKind.READ_FAILED
    return Finding(kind, source.name, f"The customers could not be listed: {error}.", error.remedy or "Try again.")


_FindingKey = tuple[str, str]


def _is_failure_of(source: Source) -> Callable[[_FindingKey], bool]:
    return lambda key: key[1] == source.name


def _is_about(source: Source) -> Callable[[_FindingKey], bool]:
    return lambda key: key[1].split("/", 1)[0] == source.name


def settle(ports: Ports, concerns: Callable[[_FindingKey], bool], current: Sequence[Finding]) -> list[Finding]:
    """Opens and renews the current findings and closes those they concern that have healed."""
    standing = ports.company_state.load(MSP).findings
    now = ports.clock.now()
    wanted = {(finding.kind.value, finding.key): finding for finding in current}
    changes: list[StateChange] = [
        Drop(StateKind.FINDING, key) for key in standing if concerns(key) and key not in wanted
    ]
    for key, finding in wanted.items():
        known = standing.get(key)
        if known is None or known.finding != finding:
            changes.append(Put(StateKind.FINDING, key, OpenFinding(finding, known.opened if known else now)))
            # infra/alerts.bicep looks for these lines: who watches the platform learns of it where no notice goes out.
            log.warning("finding %s %s: %s", finding.kind.value, finding.key, finding.text)
    if changes:
        ports.company_state.commit(MSP, changes)
    return list(current)
