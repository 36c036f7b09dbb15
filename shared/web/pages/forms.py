"""Forms of the rules: what each field is called, what it does, and how its text becomes a value and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Any, Literal

from shared.errors import Refused, TrueUpError

Choices = tuple[tuple[str, str], ...]
#: A form as it stands: texts by the places of their fields.
Texts = Mapping[str, str]
#: What is wrong, by the places of fields; "" for the whole.
Problems = Mapping[str, list[str]]


#: Kinds of account that users are told apart by.
_ACCOUNTS: Choices = (("disabled", "disabled accounts"), ("guests", "guests"))
_BOTH = "A guest's account may be disabled, too."


@dataclass(frozen=True, slots=True)
class FormField:
    """`place` is the field's place in the rules (`price.amount`). `choices` are values with their words.

    `ticks` are choices of which several may be ticked; of `lines` with choices others can be typed, too. `own`: the
    value is a choice of its own, in the place of what would hold without it.
    """

    place: str
    label: str
    help: str
    kind: Literal["text", "whole", "choice", "yes", "lines", "ticks", "bands", "area", "day"] = "text"
    choices: Choices = ()
    own: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    title: str
    fields: tuple[FormField, ...]


def fields_in(groups: Iterable[Group]) -> tuple[FormField, ...]:
    return tuple(field for group in groups for field in group.fields)


def users(place: str) -> tuple[FormField, ...]:
    """The fields of a filter of users that stands at a place of the rules."""
    return tuple(
        FormField(f"{place}.{half}.{trait}", f"{word} {trait}", f"{sense}, one a line.", "lines")
        for half, word, sense in (
            ("only", "Only these", "Only users with one of these"),
            ("without", "Without these", "No user with one of these"),
        )
        for trait in ("departments", "offices", "domains", "groups")
    ) + tuple(
        FormField(f"{place}.{half}.accounts", label, f"{sense} {_BOTH}", "ticks", _ACCOUNTS)
        for half, label, sense in (
            ("only", "Only these accounts", "Only users whose account is one of the ticked; none: all."),
            ("without", "Without these accounts", "No user whose account is one of the ticked."),
        )
    )


def texts_of(form: Iterable[FormField], fields: Mapping[str, Any]) -> dict[str, str]:
    """What stands in a form for these fields of the rules."""
    return {field.place: text_of(at(fields, field.place), field.kind) for field in form}


def fields_of(form: Iterable[FormField], texts: Texts) -> dict[str, Any]:
    """The fields of the rules that a form gives; what is empty is left to its default."""
    tree: dict[str, Any] = {}
    for field in form:
        value = _value(texts.get(field.place, ""), field)
        if value is None:
            continue
        *parents, name = field.place.split(".")
        part = tree
        for parent in parents:
            part = part.setdefault(parent, {})
        part[name] = value
    return tree


def edition_of(texts: Texts) -> int:
    """The edition of the rules that a form was made from."""
    edition = texts.get("edition", "")
    if not edition.isdecimal() or len(edition) > 10:
        raise Refused("the form does not say which rules it was made from", remedy="Load the page again.")
    return int(edition)


def problems_of(error: TrueUpError) -> dict[str, list[str]]:
    """What an error says of a form: of each field where it tells, else of the whole with what to do."""
    fields: Problems | None = getattr(error, "fields", None)
    if fields is not None:
        return dict(fields)
    return {"": [*getattr(error, "problems", [f"{error}."]), *filter(None, [error.remedy])]}


def unplaced(form: Iterable[FormField], problems: Problems) -> list[str]:
    """What is wrong and belongs to no field of the form."""
    places = {field.place for field in form}
    return [
        f"{place}: {sentence}" if place else sentence
        for place, told in problems.items()
        if place not in places
        for sentence in told
    ]


def at(fields: Mapping[str, Any], place: str) -> Any:
    """What stands at a place of fields, None where nothing does."""
    found: Any = fields
    for name in place.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def text_of(value: Any, kind: str = "text") -> str:
    """A value of the rules as a form holds it."""
    match value:
        case None:
            return ""
        case tuple() | list():
            return "\n".join(_band_text(each) if kind == "bands" else str(each) for each in value)
        case bool():
            return "true" if value else "false"
        case Enum():
            return str(value.value)
        case Decimal():
            return format(value, "f")
        case date():
            return value.isoformat()
    return str(value)


def _band_text(band: Mapping[str, Any]) -> str:
    upto = "*" if band["upto"] is None else format(band["upto"], "f")
    return "; ".join(filter(None, (upto, format(band["price"], "f"), band["product"])))


def _value(text: str, field: FormField) -> Any:
    text = text.replace("\r\n", "\n")
    if field.kind == "area":
        return text if text.strip() else None
    text = text.strip()
    if field.kind == "yes":
        return "true" if text == "true" else "false"
    if field.kind in ("lines", "ticks"):
        return [line.strip() for line in text.split("\n") if line.strip()]
    if field.kind == "bands":
        return [_band(line) for line in text.split("\n") if line.strip()]
    if field.kind == "whole" and text.isdecimal():
        return int(text)
    return text or None


def _band(line: str) -> dict[str, str]:
    """A band without what was left out: the rules say what is missing."""
    upto, price, product, *_ = *(part.strip() for part in line.split(";", 2)), "", "", ""
    given = {"upto": "" if upto == "*" else upto, "price": price, "product": product}
    return {name: value for name, value in given.items() if value}
