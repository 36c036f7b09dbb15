"""The groups that rules name: where they are found in a tenant, and who is in them, also through groups in them."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote

from shared.billing.lines import canonical
from shared.sources.microsoft365.parse import Row, guid, optional_text, rows_of
from shared.sources.microsoft365.parts import Part
from shared.sources.microsoft365.settings import GUID

_GROUP = "a group that the rules name"
_MEMBERS = "the members of a group that the rules name"
_FIELDS = "$select=id,displayName,visibility"
#: Without a permission of its own, Graph answers as if such a group were empty.
_HIDDEN = "hiddenmembership"


def lookup(group: str) -> Part:
    """Finds a group by its id, or by its name."""
    if GUID.fullmatch(canonical(group)):
        return Part(_GROUP, f"/groups/{canonical(group)}?{_FIELDS}", optional=True)
    name = quote(group.strip().replace("'", "''"), safe="")
    return Part(_GROUP, f"/groups?$filter=displayName%20eq%20'{name}'&{_FIELDS}", optional=True)


def group_id(group: str, body: object) -> str | None:
    """The id of the only group that answers to an id or a name; None where it is none, or its members are hidden."""
    by_id = GUID.fullmatch(canonical(group)) is not None
    rows = [body] if by_id and isinstance(body, dict) else rows_of(body, _GROUP)
    named = "id" if by_id else "displayName"
    found = [row for row in rows if canonical(optional_text(row, named, _GROUP) or "") == canonical(group)]
    if len(found) != 1 or (optional_text(found[0], "visibility", _GROUP) or "").casefold() == _HIDDEN:
        return None
    return guid(found[0], "id", _GROUP)


def members_of(group: str) -> Part:
    """Everything in a group, also through groups in it: users, devices and what else there is."""
    return Part(_MEMBERS, f"/groups/{group}/transitiveMembers?$select=id&$top=999", optional=True)


def member_ids(rows: Iterable[Row]) -> frozenset[str]:
    return frozenset(guid(row, "id", _MEMBERS) for row in rows)
