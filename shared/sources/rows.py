"""Reading a vendor's JSON field by field: what is billed must be there and be what it should be, never a guess.

Sentences name the list and the field, never a value: rows may hold people.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from shared.errors import Incomplete

#: No id and no count of things is as large.
_TOO_MANY = 10**18


def broken(system: str, what: str, why: str, request_id: str | None = None) -> Incomplete:
    """The error for an answer that cannot be understood. `why` must not quote it."""
    return Incomplete(
        f"{system} answered {what} in a way that cannot be used: {why}.",
        system=system,
        request_id=request_id,
        remedy=f"Nothing to do if the next run succeeds; otherwise check the address in the settings and ask {system}.",
    )


@dataclass(frozen=True, slots=True)
class Row:
    """One object of an answer; `what` and `system` name it in sentences. Every method may raise `Incomplete`."""

    values: Mapping[str, Any] = field(repr=False)
    what: str
    system: str

    def text(self, name: str) -> str:
        """Trimmed text that is not empty."""
        value = self.values.get(name)
        if not isinstance(value, str) or not value.strip():
            raise self.broken(f"{name} is missing")
        return value.strip()

    def text_or_none(self, name: str) -> str | None:
        """Text, None where it is absent or empty."""
        value = self.values.get(name)
        return None if value is None or value == "" else self.text(name)

    def hint(self, name: str) -> str | None:
        """Text that only helps a person; None for everything else: nothing is lost for want of it."""
        value = self.values.get(name)
        return value.strip() or None if isinstance(value, str) else None

    def number(self, name: str) -> Decimal:
        """A number of zero or more."""
        value = self.values.get(name)
        if isinstance(value, bool) or not isinstance(value, int | Decimal) or value < 0:
            raise self.broken(f"{name} is not a number of zero or more")
        return Decimal(value)

    def number_or_none(self, name: str) -> Decimal | None:
        return None if self.values.get(name) is None else self.number(name)

    def whole(self, name: str) -> int:
        """A whole number of zero or more, as ids and counts of things are."""
        number = self.number(name)
        if number >= _TOO_MANY or number != int(number):
            raise self.broken(f"{name} is not a whole number")
        return int(number)

    def amount(self, name: str) -> Decimal:
        """A number, also below zero."""
        value = self.values.get(name)
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise self.broken(f"{name} is not a number")
        return Decimal(value)

    def amount_or_none(self, name: str) -> Decimal | None:
        return None if self.values.get(name) is None else self.amount(name)

    def flag(self, name: str) -> bool:
        """Whether it is said to be so; not where it is absent."""
        value = self.values.get(name)
        if value is not None and not isinstance(value, bool):
            raise self.broken(f"{name} is neither true nor false")
        return value is True

    def moment_or_none(self, name: str) -> datetime | None:
        """A date or a time in any ISO 8601 form, with or without an offset or ` UTC`; None where it is absent."""
        text = self.text_or_none(name)
        try:
            return None if text is None else datetime.fromisoformat(text.removesuffix(" UTC"))
        except ValueError:
            raise self.broken(f"{name} is not a time") from None

    def day_or_none(self, name: str) -> date | None:
        """The calendar day of a time as the vendor writes it, never converted between zones."""
        moment = self.moment_or_none(name)
        return None if moment is None else moment.date()

    def inner(self, name: str) -> Row | None:
        """An object inside this one; None where it is absent."""
        value = self.values.get(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise self.broken(f"{name} is not an object")
        return Row(value, self.what, self.system)

    def rows(self, name: str) -> list[Row]:
        """The objects of a list inside this one."""
        return rows_under(self.values, name, self.what, self.system)

    def broken(self, why: str) -> Incomplete:
        return broken(self.system, self.what, why)


def row_of(body: object, what: str, system: str) -> Row:
    """The one object that an answer is."""
    if not isinstance(body, dict):
        raise broken(system, what, "it is not an object")
    return Row(body, what, system)


def rows_under(body: object, key: str, what: str, system: str) -> list[Row]:
    """The objects in the list that an answer holds under `key`."""
    rows = body.get(key) if isinstance(body, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise broken(system, what, "it holds no list")
    return [Row(row, what, system) for row in rows]
