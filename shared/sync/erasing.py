"""A person erases a company: what is known of it goes, what its invoices were made of stays without names of users."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta

from shared.billing.findings import FindingKind
from shared.billing.lines import canonical
from shared.clock import business_date
from shared.errors import Refused
from shared.state.company_state import CompanyState
from shared.state.directory import Ignorable
from shared.sync.approvals import Person, new_run, sign
from shared.sync.ports import Ports
from shared.sync.unfinished import finish_edit
from shared.sync.verdicts import record_note

#: No deployment has stored anything before.
_FIRST_MONTH = date(2026, 1, 1)
_NOTE = "everything that was known of the company was erased, but which lines were written"

Customer = tuple[str, str]


def erase(ports: Ports, company: int, person: Person) -> tuple[Customer, ...]:
    """Erases a company that the rules do not link any more; answers the customers of whom nothing is known any more.

    Those to which another company is linked stay that company's. Of the history stays which lines were written, when,
    why and on whose word, for as long as the rules keep history, and that `person` erased the rest. Safe to repeat.

    Raises `Gone` for a company that is not known, `Busy` while another worker holds it, and `Refused`, with nothing
    erased, while it is linked, while lines of ours are still billed or what it used is not billed yet, or while a line
    is being written. Raises `Changed` where the rules of the company are edited meanwhile: what they say then stands.
    """
    finish_edit(ports)
    run = new_run(ports, "erase")
    lease = ports.companies.take_lease(company, run, ports.limits.lease, ports.clock.now(), run=run)
    erased = False
    try:
        state = ports.company_state.load(company)
        if lease.company.links:
            raise _refused(company, "the rules still link it to customers", "Take it out of the rules and import them.")
        _check_nothing_is_billed(company, state, business_date(ports.clock))
        customers = _customers_of_nobody_else(ports, company, state)
        record_note(ports, company, run, sign(ports, person), _NOTE)
        _let_go(ports, company, customers)
        ports.company_state.erase(company, lease.company.rules_edition)
        ports.companies.erase(lease)
        erased = True
    finally:
        if not erased:
            ports.companies.release(lease, outcome=None, run=run, now=ports.clock.now())
    return customers


def _check_nothing_is_billed(company: int, state: CompanyState, today: date) -> None:
    if state.intents:
        raise _refused(company, "a line is just being written", "Wait until the next night has looked for it.")
    if any(kind == FindingKind.UNBILLED.value for kind, _ in state.findings):
        raise _refused(
            company,
            "what it used is not billed yet",
            "Bill by hand what the finding `unbilled` tells, and say there that it is settled.",
        )
    standing = [row for row in state.ledger.values() if row.bills_on(today)]
    if standing:
        raise _refused(
            company,
            f"{len(standing)} lines of ours are still billed to it",
            "Set its links to removed: true, and wait until a night has ended them and their last day is over.",
        )


def _customers_of_nobody_else(ports: Ports, company: int, state: CompanyState) -> tuple[Customer, ...]:
    others = [row for row in ports.companies.all() if row.id != company]
    linked = {(link.source, canonical(link.customer)) for row in others for link in row.links}
    return tuple(sorted({(source, canonical(customer)) for source, customer in state.readings} - linked))


def _let_go(ports: Ports, company: int, customers: tuple[Customer, ...]) -> None:
    """The company's state goes last: it says whose customers they are, should this break off and be repeated."""
    months = list(_months(business_date(ports.clock)))
    for source, customer in customers:
        ports.erasure.forget_customer(source, customer, months)
    ports.erasure.forget_company(company, months)
    for what in _ignored(ports.directory.ignored(), company, customers):
        ports.directory.restore(what)


def _ignored(ignored: Mapping[Ignorable, object], company: int, customers: tuple[Customer, ...]) -> list[Ignorable]:
    return [what for what in ignored if what in customers or (len(what) > 2 and what[0] == str(company))]


def _months(until: date) -> Iterator[date]:
    month = _FIRST_MONTH
    while month <= until:
        yield month
        month = (month + timedelta(days=31)).replace(day=1)


def _refused(company: int, why: str, remedy: str) -> Refused:
    return Refused(f"company {company} is not erased: {why}", system="trueup", remedy=remedy)
