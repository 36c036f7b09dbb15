"""From exported files, gzip with a JSON object a line, to what each customer used; nothing is held but the sums.

A row that cannot be understood refuses the whole export: a smaller sum would become a smaller invoice without a word.
"""

from __future__ import annotations

import json
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from shared.billing.usage import MonthlyUsage
from shared.errors import Incomplete
from shared.sources.rows import broken

SYSTEM = "Azure billing"
WHAT = "the usage export"
#: A row has about 2 KB; a file that is unpacked to more than this is none of ours.
_LONGEST_LINE = 1_000_000
_MOST_BYTES = 8_000_000_000
_PIECE = 1_000_000


class UsageSums:
    """The sums by customer, subscription and day, added up row by row."""

    def __init__(self) -> None:
        self._amounts: dict[str, defaultdict[tuple[str, date], Decimal]] = {}
        self._names: dict[str, tuple[str, str]] = {}

    def add(self, values: dict[str, Any]) -> None:
        """One row, whatever the case of its field names: versions of the export differ in it."""
        row = {name.casefold(): value for name, value in values.items()}
        customer = _text(row, "customerid").casefold()
        subscription = (_optional(row, "entitlementid") or _text(row, "subscriptionid")).casefold()
        currency = _text(row, "billingcurrency").upper()
        named = self._names.setdefault(customer, (_optional(row, "customername") or customer, currency))
        if named[1] != currency:
            raise broken(SYSTEM, WHAT, "a customer is billed in two currencies")
        sums = self._amounts.setdefault(customer, defaultdict(Decimal))
        sums[subscription, _day(row, "usagedate")] += _amount(row, "billingpretaxtotal")

    def usages(self) -> list[MonthlyUsage]:
        return [
            MonthlyUsage(
                customer, *self._names[customer], tuple((*key, amount) for key, amount in sorted(amounts.items()))
            )
            for customer, amounts in sorted(self._amounts.items())
        ]


def objects_in(pieces: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """The JSON objects of one packed file, read piece by piece; a line may hold several. Raises `Incomplete`."""
    decoder = json.JSONDecoder(parse_float=Decimal)
    for line in _lines(_unpacked(pieces)):
        text, at = _decoded(line), 0
        while at < len(text):
            try:
                found, at = decoder.raw_decode(text, at)
            except ValueError:
                raise broken(SYSTEM, WHAT, "a row is not JSON") from None
            if not isinstance(found, dict):
                raise broken(SYSTEM, WHAT, "a row is not an object")
            yield found
            at += len(text[at:]) - len(text[at:].lstrip())


def _unpacked(pieces: Iterable[bytes]) -> Iterator[bytes]:
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
                raise broken(SYSTEM, WHAT, "a file is not gzip") from None
            total += len(found)
            if total > _MOST_BYTES:
                raise broken(SYSTEM, WHAT, "a file has no end")
            yield found
            left = unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail
            is_full = not unpacker.eof and len(found) == _PIECE
    if not begun or not unpacker.eof:
        raise broken(SYSTEM, WHAT, "a file ended early")


def _lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        yield from whole
        if len(rest) > _LONGEST_LINE:
            raise broken(SYSTEM, WHAT, "a row has no end")
    yield rest


def _decoded(line: bytes) -> str:
    try:
        return line.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise broken(SYSTEM, WHAT, "a row is not UTF-8") from None


def _text(row: dict[str, Any], name: str) -> str:
    found = _optional(row, name)
    if found is None:
        raise broken(SYSTEM, WHAT, f"{name} is missing")
    return found


def _optional(row: dict[str, Any], name: str) -> str | None:
    value = row.get(name)
    return value.strip() if isinstance(value, str) and value.strip() else None


def _amount(row: dict[str, Any], name: str) -> Decimal:
    """Money as a number or as text; credits are below zero."""
    value = row.get(name)
    try:
        amount = Decimal(value) if isinstance(value, str | int | Decimal) and not isinstance(value, bool) else None
    except InvalidOperation:
        amount = None
    if amount is None or not amount.is_finite():
        raise broken(SYSTEM, WHAT, f"{name} is not an amount")
    return amount


def _day(row: dict[str, Any], name: str) -> date:
    try:
        return date.fromisoformat(_text(row, name)[:10])
    except ValueError:
        raise _not_a_day(name) from None


def _not_a_day(name: str) -> Incomplete:
    return broken(SYSTEM, WHAT, f"{name} is not a day")
