"""Usage that the vendor dates: what a period used, also one that is longer than what the vendor tells at once.

Of such a period each month is remembered once it is known to its end, as the vendor told it last; the profile's rule
for quantities is asked for the whole period.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

from shared.billing.calendar import Period, month_of
from shared.billing.counting.items import BillItem
from shared.billing.counting.quantities import charged, is_dated, used_within
from shared.billing.profiles import BillingProfile, QuantityRule, Rounding
from shared.billing.seats import SeatRecord

#: So many days after a period what the vendor dates should be known to its end.
LATE_DAYS = 10
#: What vendors date they tell for two months at least.
_TOLD_AT_ONCE = 62
_ZERO, _HUNDREDTH = Decimal(0), Decimal("0.01")


def is_of_days(item: BillItem, record: SeatRecord) -> bool:
    """Whether the vendor dates what is used, or did as long as there was something; not where a person fixed it."""
    is_fixed = item.licence is not None and item.licence.quantity is not None
    return not is_fixed and (is_dated(item.told) or bool(record.told))


def with_months(
    record: SeatRecord, item: BillItem, profile: BillingProfile, periods: Iterable[Period], as_of: date
) -> SeatRecord:
    """The record with what each month of long periods used, as far as the vendor tells it to its end.

    A month of which it tells nothing any more, and told nothing before, used nothing; nor did one before the first day
    of what is known to have been none until then.
    """
    known, begun = dict(record.told), record.days[0].day if record.from_zero else date.min
    told: dict[date, Decimal] = {}
    for month in (month for period in periods if _is_long(period) for month in _months(period)):
        raw = _raw(item, profile, month) if item.counts else None
        is_over = not item.counts and month.end < as_of - timedelta(days=LATE_DAYS)
        if raw is not None:
            told[month.start] = raw
        elif month.start not in known and (is_over or month.end < begun):
            told[month.start] = _ZERO
    return record.with_told(told, as_of)


def used_in(
    item: BillItem, profile: BillingProfile, record: SeatRecord, period: Period, elsewhere: date | None = None
) -> Decimal | None:
    """What a period used in billed units: the sum of its days, from the company's own start on.

    Days that are charged `elsewhere`, up to that one, are left out. None while it is not known to its end.
    """
    first = period.start if item.not_before is None else max(period.start, item.not_before)
    first = first if elsewhere is None else max(first, elsewhere + timedelta(days=1))
    rule = profile.quantity
    if first > period.end:
        used: Decimal | None = _ZERO
    else:
        used = used_within(item.counts, rule, first, period.end) if item.counts or not _is_long(period) else None
    if used is None and elsewhere is None and _is_long(period):
        used = _remembered(record, rule, period)
    return None if used is None else in_hundredths(used, rule)


def in_hundredths(used: Decimal, rule: QuantityRule) -> Decimal:
    """What was used as the rule rounds it, else to hundredths: Manage takes no endless decimals."""
    hundredths = used.quantize(_HUNDREDTH, rounding=ROUND_HALF_UP)
    return used if rule.rounding is not Rounding.NONE or used == hundredths else hundredths


def _remembered(record: SeatRecord, rule: QuantityRule, period: Period) -> Decimal | None:
    known = dict(record.told)
    months = [month.start for month in _months(period)]
    return charged(sum((known[start] for start in months), _ZERO), rule) if known.keys() >= set(months) else None


def _raw(item: BillItem, profile: BillingProfile, month: Period) -> Decimal | None:
    """What a month used before the profile's rule makes a quantity of it."""
    first = month.start if item.not_before is None else max(month.start, item.not_before)
    plain = replace(
        profile.quantity,
        divide_by=Decimal(1),
        multiply_by=Decimal(1),
        included=_ZERO,
        minimum=_ZERO,
        minimum_always=False,
        rounding=Rounding.NONE,
    )
    return _ZERO if first > month.end else used_within(item.counts, plain, first, month.end)


def _is_long(period: Period) -> bool:
    return period.days > _TOLD_AT_ONCE


def _months(period: Period) -> Iterator[Period]:
    """Its calendar months; the first and the last one as far as they are inside."""
    start = period.start
    while start <= period.end:
        month = Period(start, min(month_of(start).end, period.end))
        yield month
        start = month.end + timedelta(days=1)
