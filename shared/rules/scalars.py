"""The kinds of value in the rules document. Each says in plain words what it must be.

Values arrive as the text that stands in the document, so that 24.50 is never a float, or as the value itself.
"""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

_NUMBER = re.compile(r"[0-9]{1,15}(\.[0-9]+)?")
_DECIMALS = 5
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_PART = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_CONTROL_BUT_NEWLINE = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")

#: The `type` of pydantic errors whose message already is a sentence of ours.
SAID = "said"


def wrong(sentence: str) -> PydanticCustomError:
    """An error whose message is this sentence, braces and all."""
    return PydanticCustomError(SAID, "{sentence}", {"sentence": sentence})


def shown(value: object) -> str:
    """A value as a problem shows it: short, on one line."""
    if isinstance(value, (list, tuple)):
        return "a list"
    if isinstance(value, dict):
        return "a mapping"
    if value is None:
        return "nothing"
    text = " ".join(str(value).split())
    return f'"{text[:40]}…"' if len(text) > 40 else f'"{text}"'


def _number(value: object) -> Decimal:
    text = f"{value:f}" if isinstance(value, Decimal) else str(value)
    if isinstance(value, bool) or not _NUMBER.fullmatch(text):
        raise wrong(f"must be a number such as 25.00, not {shown(value)}")
    if len(text.partition(".")[2].rstrip("0")) > _DECIMALS:
        raise wrong(f"must have at most {_DECIMALS} decimals, not {shown(value)}")
    return Decimal(text)


def _percentage(value: object) -> Decimal:
    number = _number(value)
    if number > 100:
        raise wrong(f"must be a percentage from 0 to 100, not {shown(value)}")
    return number


def _whole(value: object) -> int:
    if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,3}|1000", str(value)):
        raise wrong(f"must be a whole number from 0 to 1000, not {shown(value)}")
    return int(str(value))


def _positive(value: object) -> Decimal:
    number = _number(value)
    if number == 0:
        raise wrong(f"must be a number above 0, not {shown(value)}")
    return number


def _record_id(value: object) -> int:
    if isinstance(value, bool) or not re.fullmatch(r"[1-9][0-9]{0,9}", str(value)):
        raise wrong(f"must be the number of a Manage record, such as 250, not {shown(value)}")
    return int(str(value))


def _day(value: object) -> date:
    if isinstance(value, date):
        return value
    try:
        if isinstance(value, str) and _DATE.fullmatch(value):
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise wrong(f"must be a date such as 2026-12-01, not {shown(value)}")


def _days(value: object) -> int:
    if isinstance(value, bool) or not re.fullmatch(r"[1-9][0-9]{0,2}", str(value)) or int(str(value)) > 365:
        raise wrong(f"must be a whole number of days from 1 to 365, not {shown(value)}")
    return int(str(value))


def _yes_or_no(value: object) -> bool:
    if value in (True, "true"):
        return True
    if value in (False, "false"):
        return False
    raise wrong(f"must be true or false, not {shown(value)}")


def _line_of_text(value: object) -> str:
    if not isinstance(value, str):
        raise wrong(f"must be text, not {shown(value)}")
    text = value.strip()
    if not text or len(text) > 200 or _CONTROL.search(text):
        raise wrong(f"must be one line of 1 to 200 characters, not {shown(value)}")
    return text


def _invoice_text(value: object) -> str:
    if not isinstance(value, str):
        raise wrong(f"must be text, not {shown(value)}")
    if len(value) > 4000 or _CONTROL_BUT_NEWLINE.search(value):
        raise wrong("must be text of at most 4000 characters without tabs and control characters")
    return value


def _vendor_id(value: object) -> str:
    """Trimmed and in lower case, as sources write ids and as stamps are computed."""
    return _line_of_text(value).casefold()


def _part_id(value: object) -> str:
    text = _vendor_id(value)
    if not _PART.fullmatch(text):
        raise wrong(f"must be a short name of letters, digits and hyphens such as sales, not {shown(value)}")
    return text


Number = Annotated[Decimal, BeforeValidator(_number)]
Positive = Annotated[Decimal, BeforeValidator(_positive)]
Percentage = Annotated[Decimal, BeforeValidator(_percentage)]
Whole = Annotated[int, BeforeValidator(_whole)]
RecordId = Annotated[int, BeforeValidator(_record_id)]
Day = Annotated[date, BeforeValidator(_day)]
Days = Annotated[int, BeforeValidator(_days)]
YesOrNo = Annotated[bool, BeforeValidator(_yes_or_no)]
Text = Annotated[str, BeforeValidator(_line_of_text)]
InvoiceText = Annotated[str, BeforeValidator(_invoice_text)]
PartId = Annotated[str, BeforeValidator(_part_id)]
VendorId = Annotated[str, BeforeValidator(_vendor_id)]
