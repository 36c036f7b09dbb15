"""How pages write numbers, money, dates and times."""

from __future__ import annotations

import re
from datetime import date, datetime, tzinfo
from decimal import Decimal

from markupsafe import Markup, escape

#: A page as sentences name it: its path, without what ends the sentence.
_PAGE = re.compile(r"/console/[a-z0-9/-]*[a-z0-9]")
#: How sources call what they count in bytes.
_IN_BYTES = ", bytes"
_GB, _TB_FROM = 1024**3, 1000
MINUS = "−"
#: What people call the vendors that the rules name.
_SOURCES = {"microsoft365": "Microsoft 365", "azure": "Azure", "pax8": "Pax8", "huntress": "Huntress", "cove": "Cove"}


def source(name: str) -> str:
    """A source as people call it; one that pushes its counts is called as the rules call it."""
    return _SOURCES.get(name, name)


def number(value: Decimal | float | int | None) -> str:
    """A quantity as people write it: `1,200`, `−3`, `12.5`; a dash for none."""
    if value is None:
        return "–"
    exact = Decimal(str(value))
    text = f"{exact.normalize():,f}"
    return text.replace("-", MINUS)


def units(value: Decimal | float | int | None, name: str) -> str:
    """A quantity of a SKU; what is counted in bytes in GB or TB, as it is billed (a GB is 1024³ bytes)."""
    if value is None or not name.endswith(_IN_BYTES):
        return number(value)
    exact = Decimal(str(value)) / _GB
    large = abs(exact) >= _TB_FROM
    shown = (exact / 1024 if large else exact).quantize(Decimal("0.01"))
    return f"{number(shown)} {'TB' if large else 'GB'}"


def money(value: Decimal | float | int | None, currency: str = "") -> str:
    """An amount with at least two decimals and its currency: `1,234.50 USD`; a dash for none."""
    if value is None:
        return "–"
    exact = Decimal(str(value))
    decimals = max(2, -int(exact.normalize().as_tuple().exponent))
    text = f"{exact:,.{decimals}f}".replace("-", MINUS)
    return f"{text} {currency}".strip()


def capital(text: str) -> str:
    """As a title begins, whatever follows: `IBM line` keeps its letters."""
    return text[:1].upper() + text[1:]


def day(value: date | datetime | str | None) -> str:
    """A calendar date, never moved between zones: `17 Feb 2021`; a dash for none."""
    if value is None or value == "":
        return "–"
    found = date.fromisoformat(value[:10]) if isinstance(value, str) else value
    return f"{found.day} {found:%b %Y}"


def linked(sentence: str) -> Markup:
    """A sentence in which a page of the console that it names is a link."""
    return Markup(_PAGE.sub(r'<a href="\g<0>">\g<0></a>', str(escape(sentence))))


def month(value: str) -> str:
    """A month told as 2021-02: `Feb 2021`."""
    return f"{date.fromisoformat(f'{value}-01'):%b %Y}"


def term(value: str) -> str:
    """A term in words, of what ISO 8601 writes as `P1Y`: `1 year`; anything else stays as it is."""
    told = re.fullmatch(r"P(\d+)([MY])", value)
    if told is None:
        return value
    unit = {"M": "month", "Y": "year"}[told[2]]
    return f"{told[1]} {unit}" + ("" if told[1] == "1" else "s")


def moment(value: datetime | str | None, zone: tzinfo) -> str:
    """A time in the MSP's zone: `17 Feb 2021, 02:00 CET`; a dash for none."""
    if value is None or value == "":
        return "–"
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    local = found.astimezone(zone)
    return f"{day(local)}, {local:%H:%M %Z}"
