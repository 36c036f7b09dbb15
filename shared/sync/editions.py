"""Putting rules in force: as a new edition, whole or not at all, told in the rules' history.

What an edit makes of companies is stored before its one decisive write, which also puts the MSP-wide part in force.
Whoever finds it not in force for every company finishes it first (`shared.sync.unfinished`). Nobody reads or writes a
rules document here: that is for whoever changes rules.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from uuid import uuid4

from shared.billing.lines import canonical
from shared.billing.rules import CompanyLink, CompanyRules, Rules
from shared.errors import Retryable
from shared.state.companies import CompanyRow
from shared.state.edits import CompanyEdit, RulesEntry
from shared.state.rules import Head
from shared.sync.approvals import Person, sign
from shared.sync.ports import Ports
from shared.sync.unfinished import finish_edit

#: A vendor's customer: source and id in canonical form.
Customer = tuple[str, str]


def new_entry(
    ports: Ports, head: Head, rows: Iterable[CompanyRow], what: Iterable[object], person: Person, way: str
) -> RulesEntry:
    """What the history will tell of a change that comes after `head`, `rows` being all companies as they stand.

    Its edition is above that of every company, also where the store was put together from copies.
    """
    edition = max([head.edition, *(row.rules_edition for row in rows)]) + 1
    return RulesEntry(uuid4().hex[:8], sign(ports, person), way, edition, head.version, tuple(map(str, what)))


def put_in_force(
    ports: Ports,
    head: Head,
    rules: Rules | None,
    companies: Sequence[CompanyRules],
    rows: Sequence[CompanyRow],
    entry: RulesEntry,
    *,
    keep_modes: Collection[int] = (),
) -> int:
    """Puts rules and companies' own in force, `rows` being all companies as they stood, and gives the new edition.

    A company that is given a customer knows of those that had it until now. What it is told holds beside these rules,
    also in a run that began before. Raises `Refused` or `Retryable` also where the edit is decided, but not in force
    for every company yet; they say so.
    """
    version = head.version if rules is None else head.version + 1
    linked = companies_by_customer((row.id, row.links) for row in rows)
    for customer, found in companies_by_customer((each.company, each.links) for each in companies).items():
        linked[customer] = linked.get(customer, set()) | found
    edits = []
    for company in companies:
        sharing = {other for link in company.linked for other in linked[customer_of(link)]} - {company.company}
        keep_mode = company.company in keep_modes
        edits.append(CompanyEdit(company, tuple(sorted(sharing)), keep_mode, version, entry.edition))
    if rules is None:
        ports.rules.note(entry, edition=head.edition, companies=edits)
    else:
        ports.rules.save(rules, expected=head.version, edition=head.edition, entry=entry, companies=edits)
    try:
        finish_edit(ports).checked()
    except Retryable as error:
        raise Retryable(
            f"the change is stored, but not in force for every company yet: {error.message}",
            system=error.system,
            request_id=error.request_id,
            remedy="Nothing to do: it is put in force by itself within minutes, and until then nothing is written.",
        ) from error
    return entry.edition


def companies_by_customer(links: Iterable[tuple[int, Sequence[CompanyLink]]]) -> dict[Customer, set[int]]:
    found: dict[Customer, set[int]] = {}
    for company, own in links:
        for link in own:
            if not link.removed:
                found.setdefault(customer_of(link), set()).add(company)
    return found


def customer_of(link: CompanyLink) -> Customer:
    return (link.source, canonical(link.customer))
