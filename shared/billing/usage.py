"""What customers used of a cloud in one billing month, as the vendor rated it; told again every night, never memory."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class MonthlyUsage:
    """One customer's usage of one billing month: amounts of money by subscription and day. `currency` is ISO 4217."""

    customer: str
    name: str
    currency: str
    amounts: tuple[tuple[str, date, Decimal], ...]


@dataclass(frozen=True, slots=True)
class Export:
    """How far the export of one billing month (its first day) is.

    `operation` is the address at which the vendor says how far it is with the one that was begun at `begun`, None while
    none runs; it is not asked again before `again`. `taken` is when the one that is stored was begun, None while none
    is.
    """

    month: date
    operation: str | None = None
    begun: datetime | None = None
    again: datetime | None = None
    taken: datetime | None = None
