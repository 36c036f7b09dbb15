"""Changing parts of the rules: checked like a whole document, in force whole or not at all, told in the rules' history.

`shared.sync.editions` puts in force what comes of it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from shared.billing.lines import canonical
from shared.billing.rules import CompanyRules
from shared.errors import Refused
from shared.rules.differences import Difference, differences
from shared.rules.document import Company, RulesDocument
from shared.rules.editing import SINGLE, Edit, EditProblem, Section, edited
from shared.rules.values import from_values, to_values
from shared.state.companies import CompanyRow
from shared.state.rules import Head
from shared.sync.approvals import Person
from shared.sync.editions import companies_by_customer, customer_of, new_entry, put_in_force
from shared.sync.observe import company_rules
from shared.sync.ports import Ports
from shared.sync.unfinished import InForceInPart, finish_edit

_MSP_WIDE = (*SINGLE, Section.PROFILES, Section.POLICIES)


@dataclass(frozen=True, slots=True)
class Preview:
    """What edits would change of the rules at an edition. `hash` stands for exactly that."""

    edition: int
    what: tuple[Difference, ...]

    @property
    def hash(self) -> str:
        text = "\n".join([str(self.edition), *map(str, self.what)])
        return sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Edited:
    """What was changed, and the edition that the rules have since. Nothing, where everything stood so already."""

    edition: int
    what: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class _Worked:
    """The rules before and after edits; `rows` are all companies, `companies` those that the edits could concern."""

    head: Head
    rows: Sequence[CompanyRow]
    before: RulesDocument
    after: RulesDocument
    what: tuple[Difference, ...]


def preview(ports: Ports, edits: Sequence[Edit]) -> Preview:
    """What edits would change. Raises `EditProblem` with everything that is wrong with them."""
    worked = _worked(ports, edits, None)
    return Preview(worked.head.edition, worked.what)


def edit_rules(
    ports: Ports,
    edits: Sequence[Edit],
    person: Person,
    *,
    way: str = "console",
    expected: int | None = None,
    previewed: str | None = None,
) -> Edited:
    """Makes all edits or none. `expected` is the edition that the person saw, `previewed` the hash of what they saw.

    Raises `EditProblem` with everything wrong with the edits, and `Refused` when somebody else changed the rules since,
    or where an edit cannot be put in force for every company. Of other companies they say nothing to whom the rules
    limit to some.
    """
    try:
        return _edited(ports, edits, person, way, expected, previewed)
    except (EditProblem, InForceInPart) as problem:
        raise problem.told_to(person.remit) from None


def _edited(
    ports: Ports, edits: Sequence[Edit], person: Person, way: str, expected: int | None, previewed: str | None
) -> Edited:
    worked = _worked(ports, edits, expected)
    if previewed is not None and Preview(worked.head.edition, worked.what).hash != previewed:
        raise Refused("these are not the changes that were shown", system="rules", remedy="Look at them once more.")
    if not worked.what:
        return Edited(worked.head.edition, ())
    rules, companies = to_values(worked.after, worked.head.version + 1)
    standing = {company.company: company for company in worked.before.companies}
    changed = {company.company for company in worked.after.companies if standing.get(company.company) != company}
    if any(edit.section is Section.GUARDS for edit in edits):
        # What a company leaves out of its own guards is the MSP's, and is stored with them.
        changed |= {company.company for company in worked.after.companies if company.guards is not None}
    edition = put_in_force(
        ports,
        worked.head,
        rules if any(edit.section in _MSP_WIDE for edit in edits) else None,
        [company for company in companies if company.company in _concerned(changed, companies, worked)],
        worked.rows,
        new_entry(ports, worked.head, worked.rows, worked.what, person, way),
        keep_modes={each.company for each in worked.after.companies if not _sets_mode(each, standing)},
    )
    return Edited(edition, worked.what)


def _worked(ports: Ports, edits: Sequence[Edit], expected: int | None) -> _Worked:
    head = finish_edit(ports).checked()
    if expected not in (None, head.edition):
        raise Refused(
            "somebody else changed the rules since you looked",
            system="rules",
            remedy="Look at the rules as they are now, and repeat the change if it is still wanted.",
        )
    rules, rows = ports.rules.load(head.version), ports.companies.all()
    wanted = _wanted(edits, rows)
    standing = [company_rules(row, ports.company_state.own_rules(row.id)) for row in rows if row.id in wanted]
    _, after = edited(rules, standing, edits)
    before = from_values(rules, standing)
    return _Worked(head, rows, before, after, tuple(differences(before, after)))


def _wanted(edits: Sequence[Edit], rows: Sequence[CompanyRow]) -> set[int]:
    """The companies that must be looked at together: those edited, and those that share a customer with one of them."""
    if any(edit.section in _MSP_WIDE for edit in edits):
        return {row.id for row in rows}
    own = {_company_of(edit) for edit in edits}
    customers = {customer_of(link) for row in rows if row.id in own for link in row.links}
    customers |= {
        (str(edit.fields.get("source")), canonical(str(edit.fields.get("customer"))))
        for edit in edits
        if edit.section is Section.LINKS
    }
    return {row.id for row in rows if row.id in own or any(customer_of(link) in customers for link in row.links)}


def _company_of(edit: Edit) -> int | None:
    if edit.section is not Section.COMPANIES:
        return edit.company
    number = str(edit.fields.get("company"))
    return int(number) if number.isdecimal() else None


def _concerned(changed: Collection[int], companies: Sequence[CompanyRules], worked: _Worked) -> set[int]:
    """The changed companies, and those that share a customer with one of them, before or after."""
    before = companies_by_customer((row.id, row.links) for row in worked.rows)
    after = companies_by_customer((company.company, company.links) for company in companies)
    together = [found for linked in (before, after) for found in linked.values() if not found.isdisjoint(changed)]
    return set(changed).union(*together)


def _sets_mode(company: Company, standing: Mapping[int, Company]) -> bool:
    return company.company not in standing or standing[company.company].mode is not company.mode
