"""What every write has in common: reading values of the declared kinds, and Manage's PATCH dialect."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

from local.sandbox.manage.answers import ApiError, invalid, invalid_field, missing_field, too_long
from local.sandbox.manage.fields import FieldSet, Kind
from local.sandbox.manage.records import Record, moment_text

_OPERATIONS = ("add", "replace", "remove")


def read_values(resource: str, fields: FieldSet, body: Any) -> Record:
    """The declared fields of a POST or PUT body in Manage's own form, without unset ones, unknown ones and the id."""
    if not isinstance(body, dict):
        raise ApiError(400, "InvalidObject", f"{resource} object is invalid")
    return {
        name: read_value(resource, name, fields.kinds[name], value)
        for name, value in body.items()
        if name in fields.kinds and name != "id" and value is not None
    }


def read_value(resource: str, name: str, kind: Kind, value: Any) -> Any:
    """One value in Manage's own form. Numbers and flags may come as text, as lenient clients send them."""
    try:
        return _READERS[kind](value)
    except (TypeError, ValueError):
        raise invalid_field(resource, name, f"The value of {name} is not a {kind}.") from None


def patched(resource: str, fields: FieldSet, record: Record, operations: Any) -> tuple[Record, set[str]]:
    """The record after the operations, and the names of the fields that they wrote.

    A path is a bare field name or one with a leading slash. Writing below a reference or an array
    (`company/identifier`) changes nothing and is no error: Manage answers 200 without effect.
    """
    if not isinstance(operations, list) or not all(isinstance(operation, dict) for operation in operations):
        raise ApiError(400, "InvalidObject", "An array of patch operations is required")
    changed, written = dict(record), set()
    for operation in operations:
        verb, path = operation.get("op"), str(operation.get("path", ""))
        name, _, below = path.removeprefix("/").partition("/")
        if verb not in _OPERATIONS:
            raise invalid_field(resource, path, f"'{verb}' is not one of add, replace and remove.")
        if name not in fields.kinds:
            raise invalid_field(resource, path, f"'{path}' is not a field of {resource}.")
        if below:
            continue
        written.add(name)
        value = None if verb == "remove" else operation.get("value")
        changed[name] = None if value is None else read_value(resource, name, fields.kinds[name], value)
    return changed, written


def check(resource: str, record: Record, *, required: tuple[str, ...], limits: dict[str, int]) -> None:
    """Raises one refusal that names every missing and every overlong field."""
    errors = [missing_field(resource, name) for name in required if record.get(name) in (None, "", {})]
    errors += [too_long(resource, name, limit) for name, limit in limits.items() if len(record.get(name) or "") > limit]
    if errors:
        raise invalid(resource, errors)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not math.isfinite(float(value)):
        raise TypeError
    return float(value)


def _flag(value: Any) -> bool:
    texts = {"true": True, "false": False}
    if isinstance(value, str) and value.casefold() in texts:
        return texts[value.casefold()]
    if not isinstance(value, bool):
        raise TypeError
    return value


def _date(value: Any) -> str | None:
    if value == "":
        return None
    moment = datetime.fromisoformat(value)
    return moment_text(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _reference(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError
    return value


def _array(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError
    return value


_READERS = {
    Kind.TEXT: _text,
    Kind.NUMBER: _number,
    Kind.FLAG: _flag,
    Kind.DATE: _date,
    Kind.REFERENCE: _reference,
    Kind.ARRAY: _array,
}
