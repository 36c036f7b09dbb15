"""Links, policies and profiles as tables that people edit, and the edits that an edited table means.

A row that is missing changes nothing; `delete` says yes where an entry shall go. Columns that only inform are not read,
columns that are missing change nothing, and an empty cell takes a field back to its default.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from shared.billing.lines import canonical
from shared.rules.cells import NO, YES, cells_of, copied, profile_columns, put_cell
from shared.rules.editing import Edit, Section, policy
from shared.sheets.tables import Line, Table, Unreadable
from shared.sheets.writing import Written
from shared.state.companies import CompanyRow
from shared.sync.mapping.skus import Sku

NOT_BILLED = "do not bill"
_DELETE = "delete"
_LINK_COLUMNS = ("company", "name", "source", "customer", "customer name", "removed", _DELETE)
_POLICY_COLUMNS = ("source", "sku", "sku name", "companies", "purchased", "profile", _DELETE)
#: What a table must have to be one of these, by its section.
_TELLING = {
    Section.LINKS: ("company", "source", "customer"),
    Section.POLICIES: ("source", "sku"),
    Section.PROFILES: ("id",),
}

Fields = dict[str, Any]


class Problems(list[str]):
    """What is wrong with cells, each with its table and row."""

    def add(self, place: str, sentence: str) -> None:
        self.append(f"{place}{sentence}")


def links_table(rows: Iterable[CompanyRow], names: Mapping[tuple[str, str], str]) -> Written:
    """Every link; `names` are the customers' by source and id. Companies without a link have an empty row."""
    told = []
    for row in sorted(rows, key=lambda row: row.id):
        for link in sorted(row.links, key=lambda link: (link.source, link.customer)):
            name = names.get((link.source, canonical(link.customer)), "")
            removed = "yes" if link.removed else ""
            told.append((str(row.id), row.name, link.source, link.customer, name, removed, ""))
    return Written(Section.LINKS.value, _LINK_COLUMNS, told)


def policies_table(skus: Iterable[Sku]) -> Written:
    """Every SKU that was seen or has a policy; those without one have an empty profile, to be filled in."""
    rows = []
    for each in skus:
        profile = each.profile or (NOT_BILLED if each.policy else "")
        rows.append((each.source, each.sku, each.name, str(each.companies), f"{each.purchased:f}", profile, ""))
    return Written(Section.POLICIES.value, _POLICY_COLUMNS, rows)


def profiles_table(profiles: Sequence[Mapping[str, Any]]) -> Written:
    """Every profile, a column for each field; users who are counted are only in the rules document."""
    rows = [(*cells_of(profile), "") for profile in profiles]
    return Written(Section.PROFILES.value, (*profile_columns(), _DELETE), rows)


def edits_of(table: Table, standing: Mapping[str, Fields], known: Iterable[int], problems: Problems) -> list[Edit]:
    """What the rows of a table mean; `standing` are the profiles as they are by id, `known` the companies.

    Adds to `problems` what cannot be understood.
    """
    section = section_of(table)
    if section is None:
        return []
    companies = set(known)
    edits: list[Edit] = []
    for line in table.lines:
        place = f"{section.value}, row {line.number}: "
        missing = [column for column in _TELLING[section] if not line.cells.get(column, "").strip()]
        if missing:
            problems.add(place, f"needs {' and '.join(missing)}")
        elif section is Section.LINKS:
            edits += _link_edits(line, companies, place, problems)
        elif section is Section.POLICIES:
            edits += _policy_edits(line, place, problems)
        else:
            edits.append(_profile_edit(line, standing, place, problems))
    _check_unique(edits, problems)
    return edits


def section_of(table: Table) -> Section | None:
    """What a table holds: by its sheet's name, or by its columns; None for a sheet of somebody's own.

    Raises `Unreadable` for a sheet of ours that lost a column without which its rows mean nothing.
    """
    named = next((section for section in _TELLING if section.value == table.name), None)
    if named is not None and table.columns and (missing := set(_TELLING[named]) - set(table.columns)):
        raise Unreadable(f"the sheet {table.name} has no column {', '.join(sorted(missing))}")
    fitting = (section for section, columns in _TELLING.items() if set(columns) <= set(table.columns))
    return named or next(fitting, None)


def _link_edits(line: Line, companies: set[int], place: str, problems: Problems) -> Iterator[Edit]:
    number = line.cells["company"].strip()
    if not number.isdecimal() or len(number) > 10:
        problems.add(place, f'company must be the number of a Manage record, not "{number[:40]}"')
        return
    company = int(number)
    key = {"source": line.cells["source"].strip(), "customer": line.cells["customer"].strip()}
    if _is_yes(line, _DELETE, place, problems):
        yield Edit(Section.LINKS, key, company, drop=True, row=place)
        return
    if company not in companies:
        companies.add(company)
        name = line.cells.get("name", "").strip()
        yield Edit(Section.COMPANIES, {"company": company, "name": name or None}, row=place)
    removed = {"removed": _is_yes(line, "removed", place, problems)} if "removed" in line.cells else {}
    yield Edit(Section.LINKS, {**key, **removed}, company, row=place)


def _policy_edits(line: Line, place: str, problems: Problems) -> Iterator[Edit]:
    key = {"source": line.cells["source"].strip(), "sku": line.cells["sku"].strip()}
    if _is_yes(line, _DELETE, place, problems):
        yield Edit(Section.POLICIES, key, drop=True, row=place)
        return
    profile = line.cells.get("profile", "").strip()
    if profile:
        named = None if profile.casefold() == NOT_BILLED else profile
        yield policy(key["source"], key["sku"], named, row=place)


def _profile_edit(line: Line, standing: Mapping[str, Fields], place: str, problems: Problems) -> Edit:
    id_ = line.cells["id"].strip()
    if _is_yes(line, _DELETE, place, problems):
        return Edit(Section.PROFILES, {"id": id_}, drop=True, row=place)
    fields = copied(standing.get(id_, {}))
    for column in profile_columns():
        if column in line.cells:
            try:
                put_cell(fields, column, line.cells[column])
            except ValueError as error:
                problems.add(place, f"{column} {error}")
    return Edit(Section.PROFILES, {**fields, "id": id_}, row=place)


def _check_unique(edits: Iterable[Edit], problems: Problems) -> None:
    """Two rows about one entry: nobody knows which of them is meant."""
    first: dict[tuple[Any, ...], str] = {}
    for edit in (edit for edit in edits if edit.section is not Section.COMPANIES):
        key = (edit.section, edit.company, *(canonical(str(edit.fields[name])) for name in _keys(edit.section)))
        if key in first:
            problems.add(edit.row, f"is about the same as {first[key].rstrip(': ')}; keep one of them")
        first.setdefault(key, edit.row)


def _keys(section: Section) -> tuple[str, ...]:
    return tuple(name for name in _TELLING[section] if name != "company")


def _is_yes(line: Line, column: str, place: str, problems: Problems) -> bool:
    text = line.cells.get(column, "").strip().casefold()
    if text not in (*YES, *NO):
        problems.add(place, f'{column} must be yes or no, not "{text[:40]}"')
    return text in YES
