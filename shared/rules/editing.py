"""Changing parts of rules that stand: the same checks as for a whole document, with problems that name what they mean.

Edits work on the document's fields, which `shared.rules.values` makes of the values in force.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from shared.billing.lines import canonical
from shared.billing.rules import CompanyRules, Remit, Rules
from shared.errors import Refused
from shared.rules.document import RulesDocument
from shared.rules.reading import checked
from shared.rules.tree import Outline, Path, Problem, written
from shared.rules.values import document_fields

Fields = dict[str, Any]


class Section(StrEnum):
    """The parts of the rules that are edited one by one. Links and licences are a company's own.

    Guards, fleet and approvals are one mapping of the MSP each, the others lists of entries.
    """

    GUARDS = "guards"
    FLEET = "fleet"
    APPROVALS = "approvals"
    PROFILES = "profiles"
    POLICIES = "policies"
    COMPANIES = "companies"
    LINKS = "links"
    LICENCES = "licences"


#: The sections that hold one mapping, not entries with a key.
SINGLE = (Section.GUARDS, Section.FLEET, Section.APPROVALS)
#: What tells the entries of a section apart.
KEYS: Mapping[Section, tuple[str, ...]] = {
    **dict.fromkeys(SINGLE, ()),
    Section.PROFILES: ("id",),
    Section.POLICIES: ("source", "sku"),
    Section.COMPANIES: ("company",),
    Section.LINKS: ("source", "customer"),
    Section.LICENCES: ("source", "sku", "customer", "part"),
}
_OF_COMPANIES = (Section.LINKS, Section.LICENCES)
_WORDS = {
    **{section: section.value for section in SINGLE},
    Section.PROFILES: "profile",
    Section.POLICIES: "policy",
    Section.COMPANIES: "company",
    Section.LINKS: "link",
    Section.LICENCES: "licence",
}

_COMPANY = re.compile(r"\bcompany ([0-9]{1,10})\b")
_OF_OTHERS = "It does not fit what holds for another company; ask an administrator."


@dataclass(frozen=True, slots=True)
class Edit:
    """One entry as it shall be. `company` is given for links and licences only.

    `fields` hold the entry's key and what changes in it; fields that are left out stay, None takes a field back to its
    default. A field that holds fields of its own is given whole. An entry that is not there yet begins with the
    defaults. `drop` removes the entry; of a single section it takes all back to the defaults. `row` says where a person
    wrote it, for problems.
    """

    section: Section
    fields: Mapping[str, Any]
    company: int | None = None
    drop: bool = False
    row: str = ""


class EditProblem(Refused):
    """An edit cannot be made. `problems` name the entry, the field and what must stand there; nothing was changed."""

    def __init__(self, problems: list[str]) -> None:
        remedy = "Correct what is named here and try again. Nothing was changed."
        super().__init__("; ".join(problems), system="rules", remedy=remedy)
        self.problems = problems

    def told_to(self, remit: Remit) -> EditProblem:
        """The same for somebody who is told of some companies only: what names another one is told without it."""
        told = [each if all(map(remit.covers, _companies_in(each))) else _OF_OTHERS for each in self.problems]
        return EditProblem(list(dict.fromkeys(told)))


@dataclass(slots=True)
class _Entries(Outline):
    """An outline of rules that nobody wrote as a text: places are named by what stands there."""

    rows: dict[Path, str] = field(default_factory=dict)

    def add(self, path: Path, sentence: str) -> None:
        known = next((path[:end] for end in range(len(path), -1, -1) if path[:end] in self.rows), ())
        self.problems.append(Problem(0, f"{self.rows.get(known, '')}{self.place(path)}", sentence))

    def place(self, path: Path) -> str:
        names: list[str] = []
        tree, rest = self.tree, path
        while len(rest) > 1 and rest[0] in list(Section) and isinstance(rest[1], int) and isinstance(tree, dict):
            tree = tree[rest[0]][rest[1]]
            names.append(name_of(Section(str(rest[0])), tree))
            rest = rest[2:]
        return ", ".join([*names, *([written(rest)] if rest else [])])


def policy(source: str, sku: str, profile: str | None, row: str = "") -> Edit:
    """The edit that has a SKU billed by a profile everywhere, or nowhere (`profile` None)."""
    fields = {"source": source, "sku": sku, "profile": profile, "do_not_bill": profile is None}
    return Edit(Section.POLICIES, fields, row=row)


def name_of(section: Section, entry: Mapping[str, Any]) -> str:
    """An entry in words: `policy microsoft365 cbdc14ab`, `company 250 Alder & Finch`."""
    key = [str(entry[name]) for name in KEYS[section] if entry.get(name) not in (None, "")]
    if section is Section.COMPANIES and entry.get("name"):
        key.append(str(entry["name"]))
    return " ".join([_WORDS[section], *key])


def edited(msp: Rules, companies: Iterable[CompanyRules], edits: Sequence[Edit]) -> tuple[Fields, RulesDocument]:
    """The fields as they stand, and the document after all edits. Raises `EditProblem` with everything wrong with it.

    `companies` must hold every company that is edited or linked to a customer of one that is; all of them where
    profiles or policies change.
    """
    before = _lists(document_fields(msp, companies))
    found = _Entries(tree=_lists(before))
    touched = [(edit, _apply(found, edit)) for edit in edits]
    if found.problems:
        raise _problem(found)
    for edit, entry in touched:
        if edit.row and entry is not None:
            _remember_row(found, edit, entry)
    document = checked(found)
    if document is None:
        raise _problem(found)
    return before, document


def _companies_in(problem: str) -> list[int]:
    return [int(number) for number in _COMPANY.findall(problem)]


def _problem(found: _Entries) -> EditProblem:
    return EditProblem(list(dict.fromkeys(f"{problem.path}: {problem.sentence}" for problem in found.problems)))


def _apply(found: _Entries, edit: Edit) -> Fields | None:
    """Makes one edit in the tree and gives the entry, None where there is none any more."""
    assert isinstance(found.tree, dict)
    holder: Fields = found.tree
    missing = [name for name in KEYS[edit.section][:2] if edit.fields.get(name) in (None, "")]
    if missing:
        _refuse(found, edit, f"needs {' and '.join(missing)}")
        return None
    if edit.section in _OF_COMPANIES:
        company = _entry(holder["companies"], Section.COMPANIES, {"company": edit.company})
        if company is None:
            _refuse(found, edit, f"company {edit.company} is not known; add the company first")
            return None
        holder = company
    if edit.section in SINGLE:
        _apply_single(holder, edit)
        return None
    entries = holder.setdefault(edit.section.value, [])
    entry = _entry(entries, edit.section, edit.fields)
    if edit.drop:
        if entry is not None:
            entries.remove(entry)
        return None
    if entry is None:
        entry = {}
        entries.append(entry)
    return _with_fields(entry, edit.fields)


def _apply_single(document: Fields, edit: Edit) -> None:
    if edit.drop:
        document.pop(edit.section.value, None)
    else:
        _with_fields(document.setdefault(edit.section.value, {}), edit.fields)


def _with_fields(entry: Fields, fields: Mapping[str, Any]) -> Fields:
    entry.update(fields)
    for name in [name for name, value in entry.items() if value is None]:
        del entry[name]
    return entry


def _refuse(found: _Entries, edit: Edit, sentence: str) -> None:
    found.problems.append(Problem(0, f"{edit.row}{name_of(edit.section, edit.fields)}", sentence))


def _entry(entries: Sequence[Fields], section: Section, fields: Mapping[str, Any]) -> Fields | None:
    wanted = _key(section, fields)
    return next((entry for entry in entries if _key(section, entry) == wanted), None)


def _key(section: Section, fields: Mapping[str, Any]) -> tuple[str, ...]:
    """Profiles' ids are told apart by case too, as everywhere."""
    texts = ["" if (value := fields.get(name)) is None else str(value).strip() for name in KEYS[section]]
    return tuple(texts if section is Section.PROFILES else (canonical(text) for text in texts))


def _remember_row(found: _Entries, edit: Edit, entry: Fields) -> None:
    assert isinstance(found.tree, dict)
    path: Path = ()
    holder: Fields = found.tree
    if edit.section in _OF_COMPANIES:
        at = next(at for at, company in enumerate(holder["companies"]) if company["company"] == edit.company)
        path, holder = ("companies", at), holder["companies"][at]
    at = next(at for at, each in enumerate(holder[edit.section.value]) if each is entry)
    found.rows.setdefault((*path, edit.section.value, at), edit.row)


def _lists(tree: Any) -> Any:
    """A copy whose mappings and lists can be changed, without what is None."""
    if isinstance(tree, dict):
        return {name: _lists(value) for name, value in tree.items() if value is not None}
    return [_lists(value) for value in tree] if isinstance(tree, (list, tuple)) else tree
