"""What rows of Manage's answers are read with: JSON, the types of their fields, and the row itself.

Manage leaves unset fields out, and some releases send null, "" or {} for them: all of these read as unset. Unknown
fields are ignored. No error quotes a value.
"""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, NoReturn

from pydantic import BaseModel, BeforeValidator, ConfigDict
from pydantic.alias_generators import to_camel

from shared.http.wire import is_html


class Unreadable(ValueError):
    """An answer that says nothing certain; its text says why."""


def parsed(text: str) -> Any:
    """JSON with decimals kept as `Decimal`."""
    try:
        return json.loads(text, parse_float=Decimal, parse_constant=_no_number)
    except (ValueError, RecursionError):
        kind = "an HTML page" if is_html(text) else "text that is not JSON, or only its beginning"
        raise Unreadable(f"the answer is {kind}") from None


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)


def _text(value: Any) -> Any:
    return "" if value is None else value


def _flag(value: Any) -> Any:
    return False if value is None or value == "" else value


def _number(value: Any) -> Any:
    # True would pass as 1.
    if value is None or value == "" or isinstance(value, bool):
        raise ValueError("a number is expected")
    return value


def _number_or_zero(value: Any) -> Any:
    return Decimal(0) if value is None or value == "" else _number(value)


def _number_or_none(value: Any) -> Any:
    return None if value is None or value == "" else _number(value)


def _day(value: Any) -> date | None:
    """The first ten characters, never converted between zones."""
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise ValueError("a date is expected")
    try:
        return date.fromisoformat(value[:10])
    except ValueError:
        raise ValueError("a date is expected") from None


def unset_reference(value: Any) -> Any:
    """None for the ways in which releases say that a field names nothing."""
    return None if value in (None, "", {}) else value


Text = Annotated[str, BeforeValidator(_text)]
Flag = Annotated[bool, BeforeValidator(_flag)]
Number = Annotated[Decimal, BeforeValidator(_number)]
NumberOrZero = Annotated[Decimal, BeforeValidator(_number_or_zero)]
NumberOrNone = Annotated[Decimal | None, BeforeValidator(_number_or_none)]
Id = Annotated[int, BeforeValidator(_number)]
Day = Annotated[date | None, BeforeValidator(_day)]


class Row(BaseModel):
    """The part of a row that is read, by Manage's own names."""

    model_config = ConfigDict(extra="ignore", alias_generator=to_camel, frozen=True)


class Referred(Row):
    """The record that a field of another one names."""

    id: Id
    identifier: Text = ""
    name: Text = ""


Reference = Annotated[Referred | None, BeforeValidator(unset_reference)]
