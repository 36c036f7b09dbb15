"""Lists customers and companies, with what helps to tell which is which; asks vendors and Manage, bills nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

from shared.billing.counts import Customer
from shared.billing.lines import canonical
from shared.errors import TrueUpError
from shared.sources.protocol import DomainSource, Source
from shared.sync.ports import Ports

#: So long a person waits for the domains of one source's customers at most; the rest is asked for the next time.
_DOMAINS_WITHIN = timedelta(seconds=60)
_AT_ONCE = 8


def keep_customers(ports: Ports, source: Source, listed: Sequence[Customer]) -> Sequence[Customer]:
    """Keeps what a source listed, and gives it; domains that it tells apart from that stay known from before."""
    customers = listed
    if isinstance(source, DomainSource):
        before = ports.directory.customers().get(source.name)
        known = {canonical(each.id): each for each in before.customers} if before is not None else {}
        customers = [_with_domains_of(each, known.get(canonical(each.id), each)) for each in listed]
    ports.directory.keep_customers(source.name, customers, ports.clock.business_now())
    return customers


def look_again(ports: Ports) -> list[str]:
    """Lists the customers of every source, their domains, and Manage's companies, now.

    Gives in words what could not be listed.
    """
    failures: list[str] = []
    for name in sorted(ports.sources):
        source = ports.sources[name]
        try:
            listed = source.customers()
        except TrueUpError as error:
            failures.append(_said(f"The customers of {name} could not be listed", error))
        else:
            failures += _ask_for_domains(ports, source, keep_customers(ports, source, listed))
    return failures + _list_companies(ports)


def _list_companies(ports: Ports) -> list[str]:
    """Companies, and the domains of their contacts' addresses: where those cannot be read, as they were before."""
    try:
        companies = ports.manage.companies()
    except TrueUpError as error:
        return [_said("The companies of ConnectWise Manage could not be listed", error)]
    mails, failures = None, list[str]()
    try:
        mails = ports.contacts.mail_domains()
    except TrueUpError as error:
        failures.append(_said("The companies were listed without the mail domains of their contacts", error))
    ports.directory.keep_companies(companies, ports.clock.business_now(), mails)
    return failures


def _ask_for_domains(ports: Ports, source: Source, customers: Sequence[Customer]) -> list[str]:
    """Has the source tell the domains of its customers."""
    if not isinstance(source, DomainSource):
        return []
    failures: list[str] = []
    told: Mapping[str, Sequence[str]] = {}
    try:
        told = source.told_domains()
    except TrueUpError as error:
        failures.append(_said(f"The domains that {source.name} tells could not be read", error))
    verified, untold = _verified_now(ports, source, customers)
    kept = [
        replace(
            each,
            domains=tuple(told.get(canonical(each.id), each.domains)),
            verified=verified.get(each.id, each.verified),
        )
        for each in customers
    ]
    ports.directory.keep_customers(source.name, kept, ports.clock.business_now())
    return failures + untold


def _verified_now(
    ports: Ports, source: DomainSource, customers: Sequence[Customer]
) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """The verified domains of customers without any first, then of those not linked; and in words what was not told.

    A linked customer whose domains are known is not asked for again.
    """
    linked = _linked(ports, source.name)
    wanted = [each for each in customers if not each.verified or canonical(each.id) not in linked]
    wanted.sort(key=lambda each: bool(each.verified))
    ends = ports.clock.now() + _DOMAINS_WITHIN

    def ask(customer: Customer) -> tuple[str, ...] | TrueUpError | None:
        if ports.clock.now() > ends:
            return None
        try:
            return tuple(source.verified_domains(customer.id))
        except TrueUpError as error:
            return error

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        answers = dict(zip((each.id for each in wanted), pool.map(ask, wanted), strict=True))
    told = {key: answer for key, answer in answers.items() if isinstance(answer, tuple)}
    return told, _untold(source, answers.values())


def _untold(source: Source, answers: Iterable[tuple[str, ...] | TrueUpError | None]) -> list[str]:
    found = list(answers)
    errors = [answer for answer in found if isinstance(answer, TrueUpError)]
    failures = []
    if errors:
        told = f"{len(errors)} of {len(found)} customers of {source.name} did not tell their domains, the first"
        failures.append(_said(told, errors[0]))
    if left := found.count(None):
        failures.append(f"There was no time for the domains of {left} customers of {source.name}: list once more.")
    return failures


def _with_domains_of(customer: Customer, known: Customer) -> Customer:
    return replace(customer, domains=customer.domains or known.domains, verified=customer.verified or known.verified)


def _linked(ports: Ports, source: str) -> set[str]:
    links = (link for row in ports.companies.all() for link in row.links if not link.removed)
    return {canonical(link.customer) for link in links if link.source == source}


def _said(what: str, error: TrueUpError) -> str:
    return f"{what}: {error}. {error.remedy}".strip()
