"""The seat record: what quantity each line key had on which day. The only memory that proration has."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal

#: How long days are remembered: the longest billing period (a year), read a month late.
KEPT_DAYS = 400


@dataclass(frozen=True, slots=True)
class SeatDay:
    """From `day` on the count said `quantity`; `first_uninvoiced` began the first period not yet invoiced on that day.

    `day` is the local day of the reading that first showed it, never the day of a write. `first_uninvoiced` is None
    where the agreement's calendar could not be read.
    """

    day: date
    quantity: Decimal
    first_uninvoiced: date | None


@dataclass(frozen=True, slots=True)
class SeatRecord:
    """One line key's days, oldest first: a new entry only where the quantity or the first uninvoiced period changed.

    Quantity on the first day of a period, and each later day on which the highest quantity so far rose, follow from
    it. `seen` is the day of the newest reading.
    """

    line: str
    days: tuple[SeatDay, ...] = ()
    seen: date | None = None

    def with_reading(self, day: date, quantity: Decimal, first_uninvoiced: date | None) -> SeatRecord:
        """The record after one more reading; one older than the newest changes nothing, the same day is replaced."""
        if self.seen is not None and day < self.seen:
            return self
        earlier = tuple(entry for entry in self.days if entry.day < day)
        last = earlier[-1] if earlier else None
        if last is not None and (last.quantity, last.first_uninvoiced) == (quantity, first_uninvoiced):
            return replace(self, days=earlier, seen=day)
        kept = _since(earlier, day - timedelta(days=KEPT_DAYS))
        return replace(self, days=(*kept, SeatDay(day, quantity, first_uninvoiced)), seen=day)

    def highest_since(self, day: date) -> Decimal:
        """The highest quantity in force on any day from `day` on; 0 when nothing is known."""
        return max((entry.quantity for entry in _since(self.days, day)), default=Decimal(0))


def _since(days: tuple[SeatDay, ...], day: date) -> tuple[SeatDay, ...]:
    """The entries in force on or after a day: those from it on, and the one before that still held on it."""
    earlier = [entry for entry in days if entry.day <= day]
    return (*earlier[-1:], *(entry for entry in days if entry.day > day))
