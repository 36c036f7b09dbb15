"""Usage in arrears by period: which periods are over and billed, and what each of them used."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

from shared.billing.calendar import Period
from shared.billing.dated import is_of_days, used_in
from shared.billing.profiles import Arrears
from shared.billing.rules import Mode
from shared.billing.seats import SeatRecord
from shared.billing.situation import Situation, Target

#: So many periods back a late value is still billed.
_PERIODS_BACK = 2
_ZERO = Decimal(0)


def periods_over(target: Target, record: SeatRecord, situation: Situation) -> list[Period]:
    """The last periods that ended before today, since the first reading; none in which a company that is billed now was
    only observed: others billed those.
    """
    begun = record.days[0].day
    if record.observed is not None and situation.company.mode is not Mode.OBSERVE:
        begun = max(begun, record.observed + timedelta(days=1))
    periods: list[Period] = []
    period = target.current
    for _ in range(_PERIODS_BACK):
        period = target.calendar.period_of(period.day_before)
        if begun <= period.end:
            periods.insert(0, period)
    return periods


def used_by(target: Target, record: SeatRecord, period: Period, elsewhere: date | None = None) -> Decimal | None:
    """What a period used; None where nobody knows. What was charged `elsewhere` up to a day is left out.

    Of a level nobody knows which part of it is left: its period is none that is billed here.
    """
    if is_of_days(target.item, record):
        return used_in(target.item, target.profile, record, period, elsewhere)
    if elsewhere is not None and period.start <= elsewhere:
        return _ZERO
    if not record.was_read_in(period):
        return None
    within = [entry.quantity for entry in record.in_force(period)]
    return max(within) if target.profile.arrears is Arrears.HIGHEST else within[-1]
