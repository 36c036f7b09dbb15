"""Billing periods as Manage lays them out: months, quarters, half-years and years from an anchor."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta

#: Months of a billing option; agreements with other options are not invoiced by the sandbox.
MONTHS = {"Monthly": 1, "Quarterly": 3, "SemiAnnual": 6, "Yearly": 12}

#: Calendar periods begin with a year.
CALENDAR = date(2000, 1, 1)


@dataclass(frozen=True)
class Period:
    """A billing period, first and last day included."""

    first: date
    last: date

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    def index(self, day: date) -> int:
        """The day's number in the period, from 1."""
        return (day - self.first).days + 1

    def __contains__(self, day: date) -> bool:
        return self.first <= day <= self.last


@dataclass(frozen=True)
class Periods:
    """Periods of some months each, one of which begins on `anchor`."""

    anchor: date
    months: int

    def holding(self, day: date) -> Period:
        """The period that a day lies in."""
        number = ((day.year - self.anchor.year) * 12 + day.month - self.anchor.month) // self.months
        if self._start(number) > day:
            number -= 1
        return Period(self._start(number), self._start(number + 1) - timedelta(days=1))

    def after(self, period: Period) -> Period:
        return self.holding(period.last + timedelta(days=1))

    def _start(self, number: int) -> date:
        return add_months(self.anchor, number * self.months)


def add_months(day: date, months: int) -> date:
    """The same day some months later; the month's last day where it has no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
