"""Which company each vendor's customer is: lists, proposals, accepting them, and leaving out what nobody bills."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from shared.billing.agreements import Company
from shared.billing.counts import Customer
from shared.billing.lines import canonical
from shared.errors import Refused
from shared.rules.editing import Edit, Section
from shared.state.companies import CompanyRow
from shared.state.directory import Customers, Ignorable
from shared.state.records import Signature
from shared.sync.approvals import Person, sign
from shared.sync.mapping.matching import DOUBTFUL, Candidate, Proposal, plain_domain, propose, with_tenants_domains
from shared.sync.ports import Ports
from shared.sync.rule_edits import Edited, edit_rules

#: A customer at its source: (source, id in canonical form).
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Link:
    """That a customer shall be a company's."""

    source: str
    customer: str
    company: int


@dataclass(frozen=True, slots=True)
class Links:
    """Where every listed customer stands. `edition` is the rules' at that moment.

    `unmatched` are customers for which no company was found. `listed` tells when each source, and Manage (None), was
    last asked; a source that never was is missing. `linked` are all customers with a company, listed or not.
    """

    edition: int
    proposals: tuple[Proposal, ...]
    unmatched: tuple[Customer, ...]
    ignored: tuple[tuple[Customer, Signature], ...]
    linked: int
    companies: tuple[Company, ...]
    listed: dict[str | None, datetime]

    @property
    def seen(self) -> str:
        """Stands for exactly these proposals: whoever accepts many says with it which ones were shown."""
        shown = [(each.customer.source, each.customer.id, each.company, each.confidence) for each in self.proposals]
        return sha256(repr(shown).encode()).hexdigest()[:16]


def links(ports: Ports) -> Links:
    """Everything that is known from the newest lists; nobody outside is asked."""
    edition, rows = ports.rules.head().edition, ports.companies.all()
    lists, books, ignored = ports.directory.customers(), ports.directory.companies(), ports.directory.ignored()
    customers = {_key(each): each for found in lists.values() for each in found.customers}
    taken = _linked(rows)
    hidden = {key: signed for key, signed in ignored.items() if key in customers}
    free = [each for key, each in customers.items() if key not in taken and key not in hidden]
    companies = [company for company in (books.companies if books is not None else ()) if not company.deleted_flag]
    mails = books.mail_domains if books is not None else {}
    proposals = propose(with_tenants_domains(free, customers.values()), _candidates(companies, rows, customers, mails))
    proposed = {_key(proposal.customer) for proposal in proposals}
    return Links(
        edition,
        tuple(proposals),
        tuple(sorted((each for each in free if _key(each) not in proposed), key=_by_name)),
        tuple((customers[key], hidden[key]) for key in sorted(hidden)),
        len(taken),
        tuple(sorted(companies, key=lambda company: (company.name.casefold(), company.id))),
        _listed(lists) | ({None: books.at} if books is not None else {}),
    )


def accept(ports: Ports, wanted: Sequence[Link], person: Person) -> Edited:
    """Links each customer to the company named; a company that is new here is only observed.

    Raises `Refused` where a customer is another company's already, or the company is not Manage's, and `EditProblem`
    where the rules do not allow it. All are linked or none.
    """
    head, rows = ports.rules.head(), ports.companies.all()
    books = ports.directory.companies()
    names = {company.id: company.name for company in (books.companies if books is not None else ())}
    known = {row.id for row in rows}
    problems = _in_the_way(wanted, _linked(rows), known | names.keys())
    if problems:
        raise Refused("; ".join(problems), system="rules", remedy="Nothing was linked. Look at the links once more.")
    new = sorted({link.company for link in wanted} - known)
    edits = [Edit(Section.COMPANIES, {"company": number, "name": names[number]}) for number in new]
    edits += [
        Edit(Section.LINKS, {"source": link.source, "customer": link.customer, "removed": False}, link.company)
        for link in wanted
    ]
    return edit_rules(ports, edits, person, expected=head.edition)


def accept_sure(ports: Ports, confidence: int, seen: str, person: Person) -> Edited:
    """Accepts every proposal that is at least so sure.

    Raises `Refused` unless they are those that were shown, and where that would be doubtful ones too.
    """
    if confidence <= DOUBTFUL:
        raise Refused(
            f"proposals of {DOUBTFUL} % and less are doubtful, and are accepted one by one",
            system="rules",
            remedy=f"Nothing was linked. Accept those above {DOUBTFUL} % together, and tick the others.",
        )
    now = links(ports)
    if now.seen != seen:
        raise Refused(
            "the proposals are not those that were shown any more",
            system="rules",
            remedy="Nothing was linked. Look at the proposals once more.",
        )
    sure = [each for each in now.proposals if each.confidence >= confidence]
    return accept(ports, [Link(each.customer.source, each.customer.id, each.company) for each in sure], person)


def ignore(ports: Ports, what: Iterable[Ignorable], person: Person) -> None:
    """Hides these customers. Nothing is billed or ended because of it."""
    signed = sign(ports, person)
    for each in what:
        ports.directory.ignore(each, signed)


def restore(ports: Ports, what: Iterable[Ignorable]) -> None:
    """Shows these customers again."""
    for each in what:
        ports.directory.restore(each)


def customer_key(source: str, customer: str) -> Ignorable:
    return source, canonical(customer)


def _in_the_way(wanted: Sequence[Link], taken: dict[Key, int], companies: Collection[int]) -> list[str]:
    problems = []
    claimed: dict[Key, int] = {}
    for link in wanted:
        key = (link.source, canonical(link.customer))
        owner = taken.get(key, claimed.setdefault(key, link.company))
        if owner != link.company:
            problems.append(f"customer {link.customer} at {link.source} is linked to company {owner} already")
        if link.company not in companies:
            problems.append(f"company {link.company} is not among the companies of ConnectWise Manage")
    return problems


def _linked(rows: Iterable[CompanyRow]) -> dict[Key, int]:
    return {(link.source, canonical(link.customer)): row.id for row in rows for link in row.links if not link.removed}


def _candidates(
    companies: Iterable[Company],
    rows: Iterable[CompanyRow],
    customers: dict[Key, Customer],
    mails: Mapping[int, Sequence[str]],
) -> list[Candidate]:
    own = {row.id: [(link.source, canonical(link.customer)) for link in row.links if not link.removed] for row in rows}
    found = []
    for company in companies:
        keys = own.get(company.id, [])
        linked = [customers[key] for key in keys if key in customers]
        domains = [(plain_domain(company.website), "its website")]
        domains += [
            (plain_domain(at), f"its customer at {each.source}") for each in linked for at in each.known_domains
        ]
        found.append(
            Candidate(
                company.id,
                company.name,
                company.identifier,
                tuple(domain for domain in domains if domain[0]),
                tuple((each.name, each.source) for each in linked),
                frozenset(source for source, _ in keys),
                tuple(domain for domain in map(plain_domain, mails.get(company.id, ())) if domain),
                tuple((each.tenant, each.source) for each in linked if each.tenant),
                tuple((each.reference, each.source) for each in linked if each.reference),
            )
        )
    return found


def _listed(lists: dict[str, Customers]) -> dict[str | None, datetime]:
    return {source: found.at for source, found in lists.items()}


def _key(customer: Customer) -> Key:
    return customer.source, canonical(customer.id)


def _by_name(customer: Customer) -> tuple[str, str]:
    return customer.name.casefold(), customer.id
