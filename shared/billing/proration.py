"""What a part of a period costs: the share that is left, and the amount of one unit.

Prorated unit amounts are rounded half-up to the currency's minor unit, then multiplied by the quantity.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from shared.billing.calendar import Period
from shared.billing.profiles import Proration, ProrationRule, StartDay

_MINOR_UNIT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Share:
    """So many of a period's days."""

    days: int
    of: int

    def of_price(self, price: Decimal) -> Decimal:
        """The amount of one unit at this price per period."""
        return (price * self.days / self.of).quantize(_MINOR_UNIT, rounding=ROUND_HALF_UP)

    @property
    def is_whole(self) -> bool:
        return self.days == self.of


def share_of(proration: Proration, period: Period, day: date) -> Share:
    """What a seat costs in the period in which it exists from `day` on; whole if it existed on the first day."""
    length, index = period.days, period.index_of(day)
    if index <= 1 or proration.rule is ProrationRule.FULL:
        return Share(length, length)
    if proration.rule is ProrationRule.NONE:
        return Share(0, length)
    return Share(length - index + (1 if proration.start_day is StartDay.INCLUDED else 0), length)
