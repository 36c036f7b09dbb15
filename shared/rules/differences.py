"""What differs between two states of the rules, entry by entry and field by field, in sentences for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Any

from pydantic import BaseModel

from shared.billing.lines import canonical
from shared.rules.document import RulesDocument
from shared.rules.editing import KEYS, Section, name_of

#: Sections that are one mapping, or a list of plain words.
_WHOLE = ("guards", "fleet", "adoptable_marks", "approvals", "retention", "counted_on", "contacts")


@dataclass(frozen=True, slots=True)
class Difference:
    """One field of one entry, or a whole entry that came (`before` empty) or went (`after` empty)."""

    entry: str
    field: str
    before: str
    after: str

    def __str__(self) -> str:
        if not self.field:
            return f"{self.entry}: added" if not self.before else f"{self.entry}: removed"
        return f"{self.entry}: {self.field} {self.before or 'nothing'} → {self.after or 'nothing'}"


def differences(before: RulesDocument, after: RulesDocument) -> list[Difference]:
    """Everything that differs, in the document's order."""
    found = [each for name in _WHOLE for each in _fields(name, getattr(before, name), getattr(after, name))]
    found += _entries(before.schedules, after.schedules, lambda each: f"schedule {each['id']}", ("id",))
    found += _entries(before.people, after.people, lambda each: f"person {each['name']}", ("name",))
    if before.service_health is not None or after.service_health is not None:
        found += _fields("service_health", before.service_health, after.service_health)
    for section in (Section.PROFILES, Section.POLICIES):
        found += _section(section, getattr(before, section.value), getattr(after, section.value), "")
    return found + list(_companies(before, after))


def _companies(before: RulesDocument, after: RulesDocument) -> Iterator[Difference]:
    old = {company.company: company for company in before.companies}
    new = {company.company: company for company in after.companies}
    for number in sorted(old.keys() | new.keys()):
        one, other = old.get(number), new.get(number)
        entry = name_of(Section.COMPANIES, _plain(other or one))
        if one is None or other is None:
            yield Difference(entry, "", "" if one is None else "there", "" if other is None else "there")
        yield from _fields(entry, one, other, leave_out=("links", "licences"))
        for section in (Section.LINKS, Section.LICENCES):
            entries = [getattr(each, section.value) if each is not None else () for each in (one, other)]
            yield from _section(section, entries[0], entries[1], f"{entry}, ")


def _section(section: Section, before: Any, after: Any, where: str) -> Iterator[Difference]:
    return _entries(before, after, lambda entry: where + name_of(section, entry), KEYS[section])


def _entries(before: Any, after: Any, name: Any, keys: tuple[str, ...]) -> Iterator[Difference]:
    def keyed(entries: Any) -> dict[tuple[str, ...], BaseModel]:
        return {tuple(canonical(str(getattr(entry, key) or "")) for key in keys): entry for entry in entries}

    old, new = keyed(before), keyed(after)
    for key in sorted(old.keys() | new.keys()):
        one, other = old.get(key), new.get(key)
        entry = name(_plain(other or one))
        if one is None or other is None:
            yield Difference(entry, "", "" if one is None else "there", "" if other is None else "there")
        yield from _fields(entry, one, other, leave_out=keys if one is None or other is None else ())


def _fields(
    entry: str,
    before: BaseModel | tuple[str, ...] | None,
    after: BaseModel | tuple[str, ...] | None,
    leave_out: tuple[str, ...] = (),
) -> Iterator[Difference]:
    """Fields of one entry. Of one that is new, or gone, those that say more than the defaults."""
    old, new = _flat(before, after), _flat(after, before)
    for field in sorted(old.keys() | new.keys()):
        if old.get(field) != new.get(field) and field.partition(".")[0] not in leave_out:
            yield Difference(entry, field, old.get(field, ""), new.get(field, ""))


def _flat(part: Any, other: Any) -> dict[str, str]:
    if part is None:
        model = type(other)
        defaults = {name: each.default for name, each in model.model_fields.items() if not each.is_required()}
        return dict(_told("", {name: _plain(value) for name, value in defaults.items()}))
    return dict(_told("", _plain(part)))


def _told(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, part in value.items():
            yield from _told(f"{path}.{name}" if path else name, part)
    elif (text := _text(value)) != "":
        yield path or "value", text


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case Mapping():
            return " ".join(f"{name} {text}" for name, part in value.items() if (text := _text(part)) != "")
        case list() | tuple():
            return ", ".join(_text(part) for part in value)
        case Enum():
            return str(value.value)
        case Decimal():
            return f"{value:f}"
        case date():
            return value.isoformat()
    return str(value)


def _plain(part: Any) -> Any:
    return part.model_dump() if isinstance(part, BaseModel) else part
