"""Profiles as rows of a table that people edit: a column for each field, and what stands in its cells."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from enum import Enum
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from shared.rules.document import Profile
from shared.rules.money import Band
from shared.rules.parts import Users

Fields = dict[str, Any]

#: How people write switches.
YES, NO = ("yes", "true", "y", "1"), ("no", "false", "n", "0", "")
#: Of this field's text every character counts.
_LITERAL = "invoice_text"


def profile_columns() -> list[str]:
    """The fields of a profile as columns, such as `price.amount`; but for users, which no cell can hold."""
    return list(_fields_of(Profile, ""))


def cells_of(profile: Mapping[str, Any]) -> list[str]:
    """What stands in the columns of a profile."""
    return [_cell(_at(profile, column)) for column in profile_columns()]


def put_cell(profile: Fields, column: str, text: str) -> None:
    """Sets a field to what a cell says; an empty one takes it back to its default. ValueError says what it must be."""
    _put(profile, column, _value(column, text if column == _LITERAL else text.strip()))


def copied(profile: Mapping[str, Any]) -> Fields:
    """A copy to change, of plain values."""
    found: Fields = json.loads(json.dumps(profile, default=_plain))
    return found


def _fields_of(model: type[BaseModel], path: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        part = field.annotation
        if isinstance(part, type) and issubclass(part, BaseModel):
            if part is not Users:
                yield from _fields_of(part, f"{path}{name}.")
        else:
            yield f"{path}{name}"


def _annotation(column: str) -> Any:
    model: Any = Profile
    for name in column.split(".")[:-1]:
        model = model.model_fields[name].annotation
    return model.model_fields[column.rsplit(".", maxsplit=1)[-1]].annotation


def _at(entry: Mapping[str, Any], column: str) -> Any:
    value: Any = entry
    for name in column.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _put(entry: Fields, column: str, value: Any) -> None:
    *path, name = column.split(".")
    for step in path:
        entry = entry.setdefault(step, {})
    if value is None:
        entry.pop(name, None)
    else:
        entry[name] = value


def _cell(value: Any) -> str:
    """A field as a person writes it; lists as `a; b`, or as JSON where a part holds a semicolon."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case list() | tuple():
            parts = [_band(each) if isinstance(each, Mapping) else str(each) for each in value]
            odd = any(";" in part or part.startswith("[") for part in parts)
            return json.dumps([_plain(each) for each in value], default=_plain) if odd else "; ".join(parts)
    return str(_plain(value))


def _band(band: Mapping[str, Any]) -> str:
    upto = "*" if band.get("upto") is None else f"{band['upto']:f}"
    product = f"@{band['product']}" if band.get("product") else ""
    return f"{upto}={band['price']:f}{product}"


def _value(column: str, text: str) -> Any:
    """What a cell means; ValueError says what it must be."""
    if text == "":
        return None
    kinds = list(_kinds(_annotation(column)))
    if bool in kinds:
        if text.casefold() not in (*YES, *NO):
            raise ValueError(f'must be yes or no, not "{text[:40]}"')
        return text.casefold() in YES
    return _list(text, banded=Band in kinds) if tuple in kinds else text


def _kinds(annotation: Any) -> Iterator[Any]:
    """The types in X, X | None, tuple[X, ...] and what is annotated."""
    yield get_origin(annotation) or annotation
    for part in get_args(annotation):
        yield from _kinds(part)


def _list(text: str, *, banded: bool) -> list[Any]:
    if text.startswith("["):
        try:
            found = json.loads(text)
        except ValueError:
            raise ValueError("must be a list such as a; b") from None
        return list(found)
    parts = [part.strip() for part in text.split(";") if part.strip()]
    return [_banded(part) for part in parts] if banded else list(parts)


def _banded(part: str) -> Fields:
    upto, equals, rest = part.partition("=")
    if not equals:
        raise ValueError(f'must be bands such as 10=3.90; *=2.90, not "{part[:40]}"')
    price, _, product = rest.partition("@")
    band: Fields = {"price": price.strip()}
    if upto.strip() != "*":
        band["upto"] = upto.strip()
    return {**band, "product": product.strip()} if product.strip() else band


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    return f"{value:f}" if isinstance(value, Decimal) else value
