"""What holds changes back at every company that says nothing of its own: guards, the fleet's limit, approvals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.rules.editing import SINGLE, Edit
from shared.rules.single import checked_msp, msp_fields
from shared.sync.approvals import Person
from shared.sync.ports import Ports
from shared.sync.rule_edits import Edited, edit_rules
from shared.sync.shapes.own import MspGuards
from shared.sync.unfinished import edition_before_reading


def guards(ports: Ports) -> MspGuards:
    """The fields of `guards`, `fleet` and `approvals` as they stand in the rules; `edition` is that of the rules."""
    edition = edition_before_reading(ports)
    fields = msp_fields(ports.rules.load())
    return {
        "edition": edition,
        "guards": fields["guards"],
        "fleet": fields["fleet"],
        "approvals": fields["approvals"],
    }


def save_guards(ports: Ports, fields: Mapping[str, Mapping[str, Any]], person: Person, edition: int) -> Edited:
    """Puts guards, the fleet's limit and approvals into the rules; a field that is left out takes its default.

    `edition` is that of the rules that the person saw. Raises `FieldsProblem` for what is wrong with the fields, and
    `Refused` when somebody else changed the rules since.
    """
    whole = checked_msp(fields)
    edits = [Edit(section, whole[section.value]) for section in SINGLE]
    return edit_rules(ports, edits, person, expected=edition)
