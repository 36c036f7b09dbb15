"""The rules as one YAML document: what stands goes out, what is read comes in whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from shared.billing.rules import CompanyRules, Mode
from shared.rules.differences import Difference, differences
from shared.rules.document import RulesDocument
from shared.rules.reading import RulesProblem, read_rules
from shared.rules.values import from_values, to_values
from shared.rules.writing import write_rules
from shared.state.companies import CompanyRow
from shared.sync.approvals import Person
from shared.sync.editions import new_entry, put_in_force
from shared.sync.observe import company_rules
from shared.sync.ports import Ports
from shared.sync.unfinished import finish_edit

#: Who imports a document from a command line: nobody has signed in there.
COMMAND_LINE = Person("dev.py rules import")


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


def import_rules(ports: Ports, text: str, person: Person = COMMAND_LINE) -> Imported:
    """Replaces the rules by those of the document. Raises `RulesProblem` with every problem; then nothing changes.

    Raises `Refused` where an edit cannot be put in force for every company.
    """
    document = read_rules(text)
    head = finish_edit(ports).checked()
    rows = ports.companies.all()
    rules, companies = to_values(document, head.version + 1)
    named = {company.company for company in companies}
    left = [row for row in rows if row.id not in named and (row.links or row.mode is not Mode.OBSERVE)]
    what = _differences(ports, head.version, rows, document)
    careful = _still_careful(rows, companies)
    all_companies = [*companies, *(CompanyRules(row.id, row.name) for row in left)]
    entry = new_entry(ports, head, rows, what, person, "import")
    put_in_force(ports, head, rules, all_companies, rows, entry, keep_modes=careful)
    gone = tuple(row.id for row in left)
    return Imported(head.version + 1, len(rules.profiles), len(rules.policies), len(companies), gone, careful)


def _still_careful(rows: Iterable[CompanyRow], companies: Iterable[CompanyRules]) -> tuple[int, ...]:
    """Companies that an undo made more careful, and of which the document says the mode that they had before it.

    A document that says another mode was changed on purpose.
    """
    told = {company.company: company.mode for company in companies}
    return tuple(row.id for row in rows if row.before_undo is not None and told.get(row.id) is row.before_undo)


def _differences(
    ports: Ports, version: int, rows: Sequence[CompanyRow], document: RulesDocument
) -> Sequence[Difference | str]:
    standing = [company_rules(row, ports.company_state.own_rules(row.id)) for row in rows]
    try:
        return differences(from_values(ports.rules.load(version), standing), document)
    except RulesProblem as problem:  # what stands was stored before a check that no document passes any more
        return [f"the whole document, in the place of rules that could not be told: {problem}"]


def export_rules(ports: Ports) -> str:
    """The rules in force as a commented YAML document. Raises `Refused` where an edit is not for every company."""
    head = finish_edit(ports).checked()
    companies = [ports.companies.company_rules(row.id) for row in ports.companies.all()]
    return write_rules(from_values(ports.rules.load(head.version), companies))
