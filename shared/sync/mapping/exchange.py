"""Links, policies and profiles out to a spreadsheet and back: what an import would change is shown before it does."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from shared.billing.lines import canonical
from shared.errors import Gone
from shared.rules.editing import Edit, EditProblem, Section
from shared.rules.values import document_fields
from shared.sheets.reading import read_tables
from shared.sheets.tables import MOST_BYTES, Unreadable
from shared.sheets.writing import Written, csv_of, workbook_of
from shared.state.directory import Upload
from shared.sync.approvals import Person, sign
from shared.sync.mapping.columns import Problems, edits_of, links_table, policies_table, profiles_table, section_of
from shared.sync.mapping.skus import skus
from shared.sync.ports import Ports
from shared.sync.rule_edits import Edited, Preview, edit_rules, preview

#: So long an import waits for its confirmation.
_KEPT = timedelta(days=1)

#: Bytes of a file that is still read.
LARGEST = MOST_BYTES
TABLES = (Section.LINKS, Section.POLICIES, Section.PROFILES)


@dataclass(frozen=True, slots=True)
class Uploaded:
    """What an upload would change, and how many rows of each table it has."""

    preview: Preview
    rows: dict[str, int]


def export_workbook(ports: Ports) -> bytes:
    """All three tables as an XLSX workbook."""
    return workbook_of(_table(ports, section) for section in TABLES)


def export_csv(ports: Ports, name: str) -> bytes:
    """One of the tables as CSV: `links`, `policies` or `profiles`."""
    return csv_of(_table(ports, Section(name)))


def upload(ports: Ports, content: bytes, person: Person) -> Uploaded:
    """Reads a file and keeps what it means for `confirm`; changes nothing.

    Raises `Unreadable` for a file that is no table of ours, and `EditProblem` with every problem by row.
    """
    tables = [(section_of(table), table) for table in read_tables(content)]
    ours = [(section, table) for section, table in tables if section is not None]
    if not ours:
        raise Unreadable("the file has no table with links, policies or profiles")
    found = document_fields(ports.rules.load(), ())
    standing = {profile["id"]: profile for profile in found["profiles"]}
    known = [row.id for row in ports.companies.all()]
    problems = Problems()
    parts = {section: edits_of(table, standing, known, problems) for section, table in ours}
    edits = [edit for section in (Section.PROFILES, Section.POLICIES, Section.LINKS) for edit in parts.get(section, ())]
    shown = _previewed(ports, edits, problems)
    now = ports.clock.now()
    ports.directory.forget_uploads(now - _KEPT)
    text = json.dumps([asdict(edit) for edit in edits], default=str)
    ports.directory.keep_upload(shown.hash, Upload(text, sign(ports, person)))
    return Uploaded(shown, {section.value: len(table.lines) for section, table in ours})


def confirm(ports: Ports, hash_: str, edition: int, person: Person) -> Edited:
    """Makes the changes that `upload` showed, exactly those, if the rules are still at that edition.

    Raises `Gone` for an upload that is not kept any more, and as `edit_rules` does.
    """
    kept = ports.directory.upload(hash_)
    if kept is None:
        raise Gone("what was uploaded is not kept any more", system="import", remedy="Upload the file once more.")
    edits = [_edit(each) for each in json.loads(kept.edits)]
    done = edit_rules(ports, edits, person, way="sheets", expected=edition, previewed=hash_)
    ports.directory.drop_upload(hash_)
    return done


def _previewed(ports: Ports, edits: Sequence[Edit], problems: Problems) -> Preview:
    """Raises `EditProblem` with what is wrong with cells and what the rules have against the rest, together."""
    try:
        shown = preview(ports, edits)
    except EditProblem as error:
        raise EditProblem([*problems, *error.problems]) from None
    if problems:
        raise EditProblem(list(problems))
    return shown


def _edit(kept: dict[str, Any]) -> Edit:
    return Edit(**{**kept, "section": Section(kept["section"])})


def _table(ports: Ports, section: Section) -> Written:
    if section is Section.LINKS:
        lists = ports.directory.customers().values()
        names = {(each.source, canonical(each.id)): each.name for found in lists for each in found.customers}
        return links_table(ports.companies.all(), names)
    if section is Section.POLICIES:
        return policies_table(skus(ports).skus)
    return profiles_table(document_fields(ports.rules.load(), ())["profiles"])
