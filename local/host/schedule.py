"""NCRONTAB, the platform's schedule language: second, minute, hour, day, month, weekday; always UTC.

Stricter than Unix cron and different: weekdays are 0-6, day and weekday must both fit, a reversed range is swapped.
Source: the grammar of the NCrontab library that the platform uses.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from croniter import CroniterBadDateError, croniter

from shared.errors import Misconfigured

MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")

ITEM = re.compile(r"(?:\*|(?P<low>\w+)(?:-(?P<high>\w+))?)(?:/(?P<step>\d+))?")


@dataclass(frozen=True, slots=True)
class Field:
    """One of the six fields: its bounds, inclusive, and the names that stand for its numbers from `low` on."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()

    def values(self, text: str) -> set[int]:
        """Every number that fits a field like `1,5-10/2,Mon`. Raises `ValueError`."""
        return {value for item in text.split(",") for value in self._item(item)}

    def _item(self, text: str) -> range:
        match = ITEM.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is no value, range or step")
        step = int(match["step"] or 1)
        if step < 1:
            raise ValueError("a step must be at least 1")
        if match["low"] is None:
            return range(self.low, self.high + 1, step)
        first = self._number(match["low"])
        if match["high"] is not None:
            first, last = sorted((first, self._number(match["high"])))
        else:
            last = self.high if match["step"] else first
        return range(first, last + 1, step)

    def _number(self, text: str) -> int:
        if text.isascii() and text.isdigit():
            number = int(text)
        elif len(text) >= 3 and (fitting := [name for name in self.names if name.startswith(text.lower())]):
            number = self.low + self.names.index(fitting[0])
        else:
            raise ValueError(f"{text!r} is not a number" + (" or a name" if self.names else ""))
        if not self.low <= number <= self.high:
            raise ValueError(f"{number} is not in {self.low}-{self.high}")
        return number


FIELDS = (
    Field("second", 0, 59),
    Field("minute", 0, 59),
    Field("hour", 0, 23),
    Field("day", 1, 31),
    Field("month", 1, 12, MONTHS),
    Field("weekday", 0, 6, WEEKDAYS),
)


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule that was understood; `plain` is the same one in numbers only."""

    plain: str

    def after(self, moment: datetime) -> datetime:
        """The first time due after an aware moment."""
        due: datetime = croniter(self.plain, moment, second_at_beginning=True, day_or=False).get_next(datetime)
        return due


def parse(expression: str, now: datetime) -> Schedule:
    """Raises `Misconfigured` saying which field is wrong, or that the schedule is never due after `now`."""
    parts = expression.split()
    if len(parts) != len(FIELDS):
        raise Misconfigured([f"schedule {expression!r} must have six fields: second minute hour day month weekday"])
    plain = []
    for field, part in zip(FIELDS, parts, strict=True):
        try:
            plain.append(",".join(map(str, sorted(field.values(part)))))
        except ValueError as error:
            raise Misconfigured([f"schedule {expression!r}: {field.name}: {error}"]) from error
    schedule = Schedule(" ".join(plain))
    try:
        schedule.after(now)
    except CroniterBadDateError:
        raise Misconfigured([f"schedule {expression!r} is never due"]) from None
    return schedule
