"""Lines of ours that a bill item leaves behind: it is not to be billed, or it moves to another agreement or tier."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from shared.billing.calendar import Period
from shared.billing.counting.items import BillItem
from shared.billing.lines import LineKey
from shared.billing.planning.changes import ending
from shared.billing.planning.doubts import calendar_for
from shared.billing.planning.matching import OwnLine
from shared.billing.planning.plan import TAKEN_OVER_ALREADY, Change
from shared.billing.planning.schedule import takes_effect
from shared.billing.planning.situation import Situation
from shared.billing.profiles import Proration


@dataclass(frozen=True, slots=True)
class Leaving:
    """What ends these lines, the last day that any of them bills (None: there are none), and how many they bill."""

    changes: tuple[Change, ...] = ()
    last_day: date | None = None
    quantity: Decimal = Decimal(0)

    @property
    def continues_on(self) -> date | None:
        """The day on which another line goes on: billed-through belongs to the bill item."""
        return self.last_day + timedelta(days=1) if self.last_day is not None else None

    def begins_after(self, day: date) -> bool:
        """Whether the item is still billed by the lines that it leaves on this day."""
        return self.last_day is not None and self.last_day >= day


_NOTHING = Leaving()


def lines_leaving(item: BillItem, staying: Collection[LineKey], situation: Situation, reason: str) -> Leaving:
    """The standing lines of an item but those that stay, each ended on its own agreement. Raises `Doubt`."""
    lines = situation.owned[item.id].standing_lines
    going = [line for line in lines if line.key not in staying]
    if not going:
        return _NOTHING
    changes: list[Change] = []
    last: dict[date, Decimal] = {}
    begun = [line.addition.effective_date for line in lines if line.key in staying]
    for line in going:
        ended, last_day = _ended(item, line, situation, reason, [day for day in begun if day is not None])
        changes += ended
        # One that was set to 0 before it began still says from when on another line goes on.
        begins = line.addition.effective_date
        if last_day is not None and (line.addition.quantity > 0 or (begins is not None and begins > situation.as_of)):
            last[last_day] = last.get(last_day, Decimal(0)) + line.addition.quantity
    return Leaving(tuple(changes), *max(last.items(), default=(None, Decimal(0))))


def _ended(
    item: BillItem, line: OwnLine, situation: Situation, reason: str, begun: Collection[date]
) -> tuple[list[Change], date | None]:
    """What ends one line, and its last billed day. Nothing is written on an agreement that is over itself.

    `begun` are the first days of the lines that stay: a worker may have died after it wrote the one that takes over.
    """
    agreement = situation.agreements.get(line.key.agreement)
    last_day = line.addition.cancelled_date
    if agreement is None or agreement.agreement_status != "Active":
        ends = [day for day in (last_day, agreement.end_date if agreement is not None else None) if day is not None]
        return [], min(ends, default=None)
    if last_day is not None:
        return [], last_day
    calendar = calendar_for(item, agreement, situation)
    start = takes_effect(calendar, Proration(), situation.as_of, rises=False)
    begins = line.addition.effective_date
    first = calendar.first_uninvoiced.start
    taken_over = [day for day in begun if first <= day < start.start and (begins is None or begins < day)]
    if taken_over:
        start = Period(min(taken_over), min(taken_over))
        reason = TAKEN_OVER_ALREADY
    # What comes before a line that has not begun yet is charged by one-off lines already.
    billed = start.day_before if begins is None or begins < start.start else begins - timedelta(days=1)
    return ending(item, line, start, reason), billed
