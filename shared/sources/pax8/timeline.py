"""On which days a quantity changed, from a subscription's history. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal

#: The quantity from each day on, oldest first.
Timeline = tuple[tuple[date, Decimal], ...]

#: So many days back a change is told of.
WINDOW = timedelta(days=60)


def timeline(points: Iterable[tuple[date, Decimal]], day: date) -> Timeline:
    """The changes, given from the oldest to the newest: the last of each day counts, also of days ahead.

    It begins with what stood at the beginning of the window before `day`.
    """
    last = dict(points)
    kept: list[tuple[date, Decimal]] = []
    for when, quantity in sorted(last.items()):
        if kept and kept[-1][1] == quantity:
            continue
        if when <= day - WINDOW:
            kept.clear()
        kept.append((when, quantity))
    return tuple(kept)


def day_after(day: date) -> date:
    """The next day; what ends on the last day that there is ends never."""
    return min(day, date.max - timedelta(days=1)) + timedelta(days=1)


def ended(known: Timeline, last_day: date) -> Timeline:
    """The same with nothing left after `last_day`."""
    until = [point for point in known if point[0] <= last_day]
    return (*until, (day_after(last_day), Decimal(0)))


def together(timelines: Sequence[Timeline], day: date) -> Timeline:
    """The changes of the sum inside the window."""
    begins = day - WINDOW
    days = sorted({when for known in timelines for when, _ in known if begins < when <= day})
    changes: list[tuple[date, Decimal]] = []
    standing = _total(timelines, begins)
    for when in days:
        total = _total(timelines, when)
        if total != standing:
            changes.append((when, total))
        standing = total
    return tuple(changes)


def at(known: Timeline, day: date) -> Decimal:
    """The quantity on a day."""
    return next((quantity for when, quantity in reversed(known) if when <= day), Decimal(0))


def _total(timelines: Iterable[Timeline], day: date) -> Decimal:
    return sum((at(known, day) for known in timelines), Decimal(0))
