"""The seat record: what quantity each line key had on which day, and what its periods were charged.

It is the only memory that proration has. For each period, seat number k is charged once: the full price if it existed
on the period's first day, else the share of the period that was left when it first existed. A seat that was charged for
a period is never charged for it again.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from operator import attrgetter

from shared.billing.calendar import Period

#: How long days are remembered: the longest billing period (a year), read a month late.
KEPT_DAYS = 400
#: Days of the shortest billing period.
SHORTEST_PERIOD = 28
_ZERO = Decimal(0)


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
class Settled:
    """What one period, first to last day, has been charged beside one-off lines.

    `standing` is what the standing line said when the period was invoiced, None while it is not. `waived` are seats
    that are not charged for it: those that stood before the item's first sync. `credits`: seats that go within it are
    credited, which is decided when the period begins. `price` is that of a unit when the period was invoiced, None
    while it is not or where that is not known.
    """

    start: date
    end: date
    standing: Decimal | None
    waived: Decimal = _ZERO
    credits: bool = False
    price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class CameTo:
    """What the usage of a period that is over, by its first day, came to in billed units, and the rules that say so.

    `newer` are other rules that hold by now, and `then` what they would have made of it when they came.
    """

    start: date
    quantity: Decimal
    rules: str
    newer: str = ""
    then: Decimal = _ZERO


@dataclass(frozen=True, slots=True)
class Slot:
    """Seats that first existed in a period on one day: those above `below`, up to `upto`."""

    day: date
    below: Decimal
    upto: Decimal


@dataclass(frozen=True, slots=True, order=True)
class Unbilled:
    """Seats since `day` up to `end`, with their amount in the agreement's currency, that a person is to bill.

    What is settled is remembered up to its end, so that it is not told again.
    """

    day: date
    end: date
    quantity: Decimal
    amount: Decimal
    is_settled: bool = False


@dataclass(frozen=True, slots=True)
class Commitment:
    """At least so many are billed until that day, the last one of the vendor's commitment."""

    quantity: Decimal
    until: date


@dataclass(frozen=True, slots=True)
class SeatRecord:
    """One line key's days and periods, oldest first.

    A new day only where the quantity or the first uninvoiced period changed. `seen` is the day of the newest reading.
    A period that is not among `periods` lies before the first sync, or ahead. `from_zero`: the record begins with a
    count that is known to have risen from 0, so that a line that was planned and not written still owes since then.
    `observed` is the last day on which the company of usage in arrears was only observed, or nothing charged for it.
    `gaps` are long times in which usage was not read: the days of the readings before and after. `used` is what periods
    used in all, by their first day, where the vendor dates its usage: of that no day is remembered. `told` is what
    months of long periods used, by their first day within it and before any rule for quantities: vendors do not tell as
    far back. `came_to` is what periods of usage that are over are billed as.
    `ended` is the last day on which rules that billed the usage before did not: nothing is read then. `rules` name what
    counted its newest level. `by_hand` are units of usage that a person has settled, by the day up to which they were
    used, `unbilled` is left to a person to bill, until one says that it is settled.
    """

    line: str
    days: tuple[SeatDay, ...] = ()
    seen: date | None = None
    periods: tuple[Settled, ...] = ()
    from_zero: bool = False
    commitment: Commitment | None = None
    observed: date | None = None
    gaps: tuple[tuple[date, date], ...] = ()
    used: tuple[tuple[date, Decimal], ...] = ()
    told: tuple[tuple[date, Decimal], ...] = ()
    came_to: tuple[CameTo, ...] = ()
    ended: date | None = None
    rules: str = ""
    by_hand: tuple[tuple[date, Decimal], ...] = ()
    unbilled: tuple[Unbilled, ...] = ()

    def with_reading(self, day: date, quantity: Decimal, first_uninvoiced: date | None) -> SeatRecord:
        """The record after one more reading; one older than the newest changes nothing.

        Of one day's readings the last counts, and those that were higher: their seats existed on that day.
        """
        if self.seen is not None and day < self.seen:
            return self
        if day == self.seen and self.days and self.days[-1] == SeatDay(day, quantity, first_uninvoiced):
            return self
        earlier = tuple(entry for entry in self.days if entry.day < day or entry.quantity > quantity)
        last = earlier[-1] if earlier else None
        if last is not None and (last.quantity, last.first_uninvoiced) == (quantity, first_uninvoiced):
            return replace(self, days=earlier, seen=day)
        oldest = day - timedelta(days=KEPT_DAYS)
        kept = _since(earlier, oldest)
        periods = tuple(period for period in self.periods if period.start >= oldest)
        return replace(self, days=(*kept, SeatDay(day, quantity, first_uninvoiced)), seen=day, periods=periods)

    def back_to(self, day: date) -> SeatRecord:
        """The record after the readings of a day, or the newest change since: what was carried on was no reading.

        A change since then was one of the rules, which may have been charged.
        """
        changed = [later.day for before, later in pairwise(self.days) if later.quantity != before.quantity]
        day = max([day, *changed])
        known = tuple(entry for entry in self.days if entry.day <= day)
        return replace(self, days=known, seen=day) if known else self

    def with_periods(self, periods: Iterable[Settled]) -> SeatRecord:
        """The record with these periods settled anew."""
        periods = list(periods)
        if not periods:
            return self
        before = {period.start: period for period in self.periods}
        settled = before | {period.start: period for period in periods}
        return self if settled == before else replace(self, periods=tuple(settled[start] for start in sorted(settled)))

    def settled(self, period: Period) -> Settled | None:
        for entry in self.periods:
            if entry.start == period.start:
                return entry
        return None

    def waiving(self, seats: Mapping[date, Decimal]) -> SeatRecord:
        """The record after more seats are waived, by the first day of the period that is not charged for them."""
        more = [
            replace(entry, waived=entry.waived + seats[entry.start]) for entry in self.periods if entry.start in seats
        ]
        return self.with_periods(more)

    def with_commitment(self, commitment: Commitment | None) -> SeatRecord:
        return self if commitment == self.commitment else replace(self, commitment=commitment)

    def without_credits(self) -> SeatRecord:
        """The record of a line whose seats another one still bills: none of its periods gives anything back."""
        return replace(self, periods=tuple(replace(period, credits=False) for period in self.periods))

    def highest_since(self, day: date) -> Decimal:
        """The highest quantity in force on any day from `day` on; 0 when nothing is known."""
        return max((entry.quantity for entry in _since(self.days, day)), default=_ZERO)

    def slots(self, period: Period) -> list[Slot]:
        """The seats of a period by the day on which they first existed in it, from seat 1 upwards."""
        slots: list[Slot] = []
        highest = _ZERO
        for entry in _since(self.days, period.start):
            day = max(entry.day, period.start)
            if day <= period.end and entry.quantity > highest:
                slots.append(Slot(day, highest, entry.quantity))
                highest = entry.quantity
        return slots

    def with_gap(self, before: date, after: date) -> SeatRecord:
        """The record after nothing was read between two days; gaps too short for a whole period are left out."""
        if (after - before).days <= SHORTEST_PERIOD:
            return self
        oldest = after - timedelta(days=KEPT_DAYS)
        kept = (gap for gap in self.gaps if gap[1] >= oldest)
        return replace(self, gaps=(*kept, (before, after)))

    def with_used(self, used: Mapping[date, Decimal], as_of: date) -> SeatRecord:
        """The record after the vendor told what periods used, by their first day; what it told before stays."""
        return replace(self, used=_newer(self.used, used, as_of))

    def with_told(self, told: Mapping[date, Decimal], as_of: date) -> SeatRecord:
        """The record after the vendor told what months used, by their first day; what it told before stays."""
        return replace(self, told=_newer(self.told, told, as_of))

    def with_came_to(self, known: Iterable[CameTo], as_of: date) -> SeatRecord:
        """The record after it was worked out what periods that are over came to."""
        by_start = {each.start: each for each in (*self.came_to, *known)}
        oldest = as_of - timedelta(days=KEPT_DAYS)
        return replace(self, came_to=tuple(by_start[start] for start in sorted(by_start) if start >= oldest))

    def going_on(self, as_of: date) -> SeatRecord:
        """The record of usage that is billed again: there was none on the days on which it was not."""
        if self.ended is None or self.seen is None or self.ended <= self.seen:
            return self
        since = self.with_reading(self.seen + timedelta(days=1), _ZERO, None)
        return replace(since, seen=min(self.ended + timedelta(days=1), as_of))

    def counted_anew(self, since: date) -> SeatRecord:
        """The record of which nothing counts that was read until now of the period that began `since`."""
        earlier = tuple(entry for entry in self.days if entry.day < since)
        return replace(self, days=(*earlier, SeatDay(since, _ZERO, None)))

    def most_in(self, period: Period) -> Decimal:
        """The most of a period: on any of its days, or in all where the vendor dates it."""
        return max([dict(self.used).get(period.start, _ZERO), *(entry.quantity for entry in self.in_force(period))])

    def most_before(self, day: date) -> Decimal:
        """The highest quantity in force on any of the 31 days before a day; 0 when nothing is known."""
        known = _since(self.days, day - timedelta(days=31))
        return max((entry.quantity for entry in known if entry.day < day), default=_ZERO)

    def used_before(self, day: date) -> Decimal:
        """What the newest period before a day used, where the vendor dates it; 0 when nothing is known."""
        return next((quantity for start, quantity in reversed(self.used) if start < day), _ZERO)

    def was_read_in(self, period: Period) -> bool:
        """Whether any reading was made on a day of a period, as far as is known."""
        return not any(before < period.start and period.end < after for before, after in self.gaps)

    def settled_by_hand(self, period: Period) -> Decimal:
        """The units of a period that a person has settled."""
        return sum((units for day, units in self.by_hand if period.start <= day <= period.end), _ZERO)

    def in_force(self, period: Period) -> list[SeatDay]:
        """The entries in force on any day of a period, oldest first."""
        return [entry for entry in _since(self.days, period.start) if entry.day <= period.end]

    def levels(self, period: Period) -> list[tuple[date, Decimal]]:
        """The last quantity of each day of a period on which it changed, and that of the first day known."""
        found = {max(entry.day, period.start): entry.quantity for entry in self.in_force(period)}
        return sorted(found.items())


def _newer(
    known: tuple[tuple[date, Decimal], ...], told: Mapping[date, Decimal], as_of: date
) -> tuple[tuple[date, Decimal], ...]:
    oldest = as_of - timedelta(days=KEPT_DAYS)
    return tuple(sorted((start, used) for start, used in (dict(known) | dict(told)).items() if start >= oldest))


_day_of = attrgetter("day")


def _since(days: tuple[SeatDay, ...], day: date) -> tuple[SeatDay, ...]:
    """The entries in force on or after a day: those from it on, or the one before that still held on it."""
    first = bisect_left(days, day, key=_day_of)
    begins_there = first < len(days) and days[first].day == day
    return days[first if begins_there else max(first - 1, 0) :]
