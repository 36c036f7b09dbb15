"""Findings of the MSP itself: customers new and gone, lists that could not be read, messages nobody can work on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta

from shared.billing.counts import Customer
from shared.billing.findings import Finding, FindingKind
from shared.billing.lines import canonical
from shared.errors import NotPermitted, Refused, TrueUpError
from shared.queues import SyncMessage
from shared.sources.protocol import Source
from shared.state.companies import CompanyRow
from shared.state.company_state import MSP, Drop, Put, StateChange, StateKind
from shared.state.records import OpenFinding
from shared.sync.ports import Ports

#: As much of a message as a finding shows.
_SHOWN = 200
#: So long a message that nobody could work on is told after its run is over.
_TOLD = timedelta(days=7)


def notice_customers(ports: Ports, companies: Sequence[CompanyRow]) -> list[Finding]:
    """Lists every source's customers and says which are new and which linked ones are gone.

    A source that cannot be listed keeps what was known of it, and the finding says why.
    """
    found: list[Finding] = []
    for source in ports.sources.values():
        try:
            customers = source.customers()
        except TrueUpError as error:
            found += _settle(ports, _is_failure_of(source), [_failure(source, error)])
        else:
            found += _settle(
                ports, _is_about(source), [*_new(source, customers, companies), *_gone(source, customers, companies)]
            )
    return found


def note_poison(ports: Ports, text: str) -> Finding:
    """A message that nobody can work on becomes a finding of the MSP, one for each company of a run."""
    shown = "".join(character for character in text[:_SHOWN] if character.isprintable())
    finding = Finding(
        FindingKind.POISON,
        _poison_key(text),
        f"A message of the queue could not be worked on: {shown}" + ("…" if len(text) > _SHOWN else ""),
        "Start a sync of the company it names; if it comes back, look into the log for its error.",
    )
    _settle(ports, lambda key: key == (finding.kind.value, finding.key), [finding])
    return finding


def close_old_poison(ports: Ports) -> None:
    """Closes what was told of messages long enough, once their run has ended or is not known."""
    old = ports.clock.now() - _TOLD
    findings = ports.company_state.load(MSP).findings
    poison = [key for key, open_ in findings.items() if key[0] == FindingKind.POISON.value and open_.opened < old]
    over = [Drop(StateKind.FINDING, key) for key in poison if not _is_open(ports, key[1].rpartition("/")[0])]
    if over:
        ports.company_state.commit(MSP, over)


def _is_open(ports: Ports, run: str) -> bool:
    header = ports.runs.header(run) if run else None
    return header is not None and header.ended is None


def _poison_key(text: str) -> str:
    """`run/company`, or a digest of what is no message."""
    try:
        message = SyncMessage.read(text)
    except Refused:
        return hashlib.sha256(text.encode()).hexdigest()[:12]
    return f"{message.run}/{message.company}"


def _new(source: Source, customers: Iterable[Customer], companies: Iterable[CompanyRow]) -> list[Finding]:
    linked = {canonical(link.customer) for company in companies for link in company.links if link.source == source.name}
    return [
        Finding(
            FindingKind.CUSTOMER_NEW,
            f"{source.name}/{canonical(customer.id)}",
            f"{customer.name} is a customer at {source.name}, but no company is linked to it.",
            f"Link the company that is billed for customer {customer.id}, or leave it if nobody is.",
        )
        for customer in customers
        if canonical(customer.id) not in linked
    ]


def _gone(source: Source, customers: Iterable[Customer], companies: Iterable[CompanyRow]) -> list[Finding]:
    listed = {canonical(customer.id) for customer in customers}
    return [
        Finding(
            FindingKind.CUSTOMER_GONE,
            f"{source.name}/{canonical(link.customer)}",
            f"{company.name} (company {company.id}) is linked to customer {link.customer}, which {source.name} does "
            "not list any more; its lines are left alone.",
            "End the company's lines and remove the link, or renew the relationship with the customer.",
        )
        for company in companies
        for link in company.links
        if link.source == source.name and canonical(link.customer) not in listed
    ]


def _failure(source: Source, error: TrueUpError) -> Finding:
    kind = FindingKind.CONSENT_LOST if isinstance(error, NotPermitted) else FindingKind.READ_FAILED
    return Finding(kind, source.name, f"The customers could not be listed: {error}.", error.remedy or "Try again.")


_FindingKey = tuple[str, str]


def _is_failure_of(source: Source) -> Callable[[_FindingKey], bool]:
    return lambda key: key[1] == source.name


def _is_about(source: Source) -> Callable[[_FindingKey], bool]:
    return lambda key: key[1].split("/", 1)[0] == source.name


def _settle(ports: Ports, concerns: Callable[[_FindingKey], bool], current: Sequence[Finding]) -> list[Finding]:
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
    if changes:
        ports.company_state.commit(MSP, changes)
    return list(current)
