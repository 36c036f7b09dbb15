"""From exported files, gzip with a JSON object a line, to rows; piece by piece, with nothing held but one of them.

A row that cannot be understood refuses the whole export: a smaller sum would become a smaller invoice without a word.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from shared.errors import Incomplete
from shared.sources.partner_billing.kinds import ExportKind
from shared.sources.rows import broken

#: A row has about 2 KB; a file that is unpacked to more than this is none of ours.
_LONGEST_LINE = 1_000_000
_MOST_BYTES = 8_000_000_000
_PIECE = 1_000_000
#: No amount of money or units is as large.
_TOO_MUCH = 10**18


@dataclass(frozen=True, slots=True)
class Line:
    """One row. Fields are named in lower case and found whatever their case: versions of the export differ in it."""

    kind: ExportKind
    values: Mapping[str, Any] = field(repr=False)

    def text(self, name: str) -> str:
        """Trimmed text that is not empty."""
        found = self.text_or_none(name)
        if found is None:
            raise self.broken(f"{name} is missing")
        return found

    def text_or_none(self, name: str) -> str | None:
        value = self.values.get(name)
        return value.strip() if isinstance(value, str) and value.strip() else None

    def has(self, name: str) -> bool:
        return self.values.get(name) not in (None, "")

    def amount(self, name: str) -> Decimal:
        """Money or units, as a number or as text; credits are below zero."""
        value = self.values.get(name)
        try:
            amount = Decimal(value) if isinstance(value, str | int | Decimal) and not isinstance(value, bool) else None
        except InvalidOperation:
            amount = None
        if amount is None or not amount.is_finite() or abs(amount) >= _TOO_MUCH:
            raise self.broken(f"{name} is not an amount")
        return amount

    def day(self, name: str) -> date:
        """The calendar day of a time, as it is written."""
        found = self.day_or_none(name)
        if found is None:
            raise self.broken(f"{name} is missing")
        return found

    def day_or_none(self, name: str) -> date | None:
        text = self.text_or_none(name)
        try:
            return None if text is None else date.fromisoformat(text[:10])
        except ValueError:
            raise self.broken(f"{name} is not a day") from None

    def broken(self, why: str) -> Incomplete:
        return broken(self.kind.system, self.kind.what, why)


def lines_in(kind: ExportKind, pieces: Iterable[bytes]) -> Iterator[Line]:
    """The rows of one packed file, JSON objects, read piece by piece; a line may hold several. Raises `Incomplete`."""
    decoder = json.JSONDecoder(parse_float=Decimal)
    for line in _lines(kind, _unpacked(kind, pieces)):
        text, at = _decoded(kind, line), 0
        while at < len(text):
            try:
                found, at = decoder.raw_decode(text, at)
            except ValueError:
                raise broken(kind.system, kind.what, "a row is not JSON") from None
            if not isinstance(found, dict):
                raise broken(kind.system, kind.what, "a row is not an object")
            yield Line(kind, {name.casefold(): value for name, value in found.items()})
            at += len(text[at:]) - len(text[at:].lstrip())


def _unpacked(kind: ExportKind, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """A gzip file of any number of members; one that ends early is no file."""
    unpacker, total, begun = zlib.decompressobj(zlib.MAX_WBITS | 16), 0, False
    for piece in pieces:
        left, is_full = piece, False
        while left or is_full:
            if unpacker.eof:
                unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
            begun = True
            try:
                found = unpacker.decompress(left, _PIECE)
            except zlib.error:
                raise broken(kind.system, kind.what, "a file is not gzip") from None
            total += len(found)
            if total > _MOST_BYTES:
                raise broken(kind.system, kind.what, "a file has no end")
            yield found
            left = unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail
            is_full = not unpacker.eof and len(found) == _PIECE
    if not begun or not unpacker.eof:
        raise broken(kind.system, kind.what, "a file ended early")


def _lines(kind: ExportKind, pieces: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        yield from whole
        if len(rest) > _LONGEST_LINE:
            raise broken(kind.system, kind.what, "a row has no end")
    yield rest


def _decoded(kind: ExportKind, line: bytes) -> str:
    try:
        return line.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise broken(kind.system, kind.what, "a row is not UTF-8") from None
