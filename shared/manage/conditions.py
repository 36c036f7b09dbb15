"""Conditions for Manage's `conditions` parameter, built so that text can never become syntax.

Which escape Manage takes for a quote inside a string is not documented, so such text is refused instead of escaped.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from urllib.parse import quote

from shared.errors import Refused
from shared.manage.failures import SYSTEM

Value = str | int

#: Control characters, half characters that cannot be encoded, and separators of lines and paragraphs.
_UNFIT = frozenset({"Cc", "Cs", "Zl", "Zp"})


def equals(field: str, value: Value) -> str:
    """`company/id = 250`, `serialNumber = "TU1-…"`."""
    return f"{field} = {_literal(value)}"


def within(field: str, values: Iterable[Value]) -> str:
    """`id in (1,2,3)`."""
    return f"{field} in ({','.join(_literal(value) for value in values)})"


def beyond(condition: str | None, id: int) -> str:
    """The same rows, but only those with a higher id."""
    return f"{condition} and id > {id}" if condition else f"id > {id}"


def within_chunks(field: str, values: Iterable[Value], room: int) -> Iterator[str]:
    """The same, cut so that each condition takes at most `room` characters once it is percent-encoded in a URL."""
    frame = encoded_length(within(field, []))
    comma = encoded_length(",")
    chunk: list[Value] = []
    used = frame
    for value in values:
        length = encoded_length(_literal(value)) + comma
        if chunk and used + length > room:
            yield within(field, chunk)
            chunk, used = [], frame
        chunk.append(value)
        used += length
    if chunk:
        yield within(field, chunk)


def encoded_length(text: str) -> int:
    return len(quote(text, safe=""))


def _literal(value: Value) -> str:
    if isinstance(value, int):
        return str(value)
    if any(character in '"\\' or unicodedata.category(character) in _UNFIT for character in value):
        raise Refused(
            f"the text {value!r} cannot be asked for: it holds a double quote, a backslash or a control character",
            system=SYSTEM,
            remedy="Rename it in ConnectWise Manage without that character, then in the rules.",
        )
    return f'"{value}"'
