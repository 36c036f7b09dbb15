"""The rules as one YAML document: what stands goes out, what is read comes in whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from shared.billing.lines import canonical
from shared.billing.rules import CompanyLink, CompanyRules, Mode
from shared.rules.reading import read_rules
from shared.rules.values import from_values, to_values
from shared.rules.writing import write_rules
from shared.state.companies import CompanyRow
from shared.sync.ports import Ports


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did.

    `left` are companies that the document does not name any more: their lines are left alone. `careful` are those that
    stay in the mode into which an undo has put them: the document says of them what it said before the undo.
    """

    version: int
    profiles: int
    policies: int
    companies: int
    left: tuple[int, ...]
    careful: tuple[int, ...] = ()


def import_rules(ports: Ports, text: str) -> Imported:
    """Replaces the rules by those of the document. Raises `RulesProblem` with every problem; then nothing changes."""
    document = read_rules(text)
    standing = ports.rules.load()
    rules, companies = to_values(document, standing.version + 1)
    version = ports.rules.save(rules, expected=standing.version)
    customers = _companies_by_customer(companies)
    rows = ports.companies.all()
    careful = _still_careful(rows, companies)
    for company in companies:
        linked = {other for link in company.linked for other in customers[_customer(link)]}
        sharing = linked - {company.company}
        ports.companies.put_rules(company, sharing, keep_mode=company.company in careful)
    named = {company.company for company in companies}
    left = [row for row in rows if row.id not in named and (row.links or row.mode is not Mode.OBSERVE)]
    for row in left:
        ports.companies.put_rules(CompanyRules(row.id, row.name))
    return Imported(
        version, len(rules.profiles), len(rules.policies), len(companies), tuple(row.id for row in left), careful
    )


def _still_careful(rows: Iterable[CompanyRow], companies: Iterable[CompanyRules]) -> tuple[int, ...]:
    """Companies that an undo made more careful, and of which the document says the mode that they had before it.

    A document that says another mode was changed on purpose.
    """
    told = {company.company: company.mode for company in companies}
    return tuple(row.id for row in rows if row.before_undo is not None and told.get(row.id) is row.before_undo)


def _companies_by_customer(companies: Iterable[CompanyRules]) -> dict[tuple[str, str], set[int]]:
    found: dict[tuple[str, str], set[int]] = {}
    for company in companies:
        for link in company.linked:
            found.setdefault(_customer(link), set()).add(company.company)
    return found


def _customer(link: CompanyLink) -> tuple[str, str]:
    return (link.source, canonical(link.customer))


def export_rules(ports: Ports) -> str:
    """The rules in force as a commented YAML document."""
    companies = [ports.companies.company_rules(row.id) for row in ports.companies.all()]
    return write_rules(from_values(ports.rules.load(), companies))
