"""When an agreement is billed: its periods, and the first one that is not invoiced yet.

Our reading of Manage stands here and nowhere else. With period type *Current* the invoice dated in a period covers
that period, so `nextInvoiceDate` lies in the first uninvoiced one; with *Future* it covers the following period. Where
Manage is set up otherwise, "billed through" says so for one agreement.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

from shared.billing.agreements import Agreement
from shared.billing.wording import spoken

#: Months of a period by Manage's billing option. Every other option is not supported.
_MONTHS = {"Monthly": 1, "Quarterly": 3, "SemiAnnual": 6, "Yearly": 12}
#: So many periods may be invoiced ahead; a date further away is taken for a mistake.
MOST_AHEAD = 3
#: Periods of calendar years begin where this day's do; only its month and day matter.
_NEW_YEAR = date(2000, 1, 1)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """A billing period, first to last day."""

    start: date
    end: date

    @property
    def days(self) -> int:
        return (self.end - self.start).days + 1

    @property
    def day_before(self) -> date:
        return self.start - _DAY

    def index_of(self, day: date) -> int:
        """1 for the first day."""
        return (day - self.start).days + 1


@dataclass(frozen=True, slots=True)
class Unsupported:
    """Why nothing is written on an agreement: a clause that completes "it …"."""

    reason: str


@dataclass(frozen=True, slots=True)
class BillingCalendar:
    """The periods of one agreement. `anchor` is the first day of one of them, `months` their length.

    `first_day` and `last_day` bound what the agreement bills.
    """

    anchor: date
    months: int
    first_uninvoiced: Period
    first_day: date | None = None
    last_day: date | None = None

    def period_of(self, day: date) -> Period:
        return _period_of(self.anchor, self.months, day)

    def after(self, period: Period) -> Period:
        return _period_of(self.anchor, self.months, period.end + _DAY)

    def from_until(self, first: Period, end: Period) -> Iterator[Period]:
        """The periods from `first` up to, not including, `end`."""
        while first.start < end.start:
            yield first
            first = self.after(first)

    def is_whole_inside(self, period: Period) -> bool:
        begins_before = self.first_day is None or self.first_day <= period.start
        return begins_before and (self.last_day is None or period.end <= self.last_day)


def month_of(day: date) -> Period:
    """The calendar month that holds a day."""
    return _period_of(_NEW_YEAR, 1, day)


def period_on(agreement: Agreement, day: date) -> Period | None:
    """The period of an agreement's cycle that holds a day, also where it is billed no more; None where it has none."""
    months, anchor = _MONTHS.get(agreement.billing_cycle or ""), _anchor(agreement)
    return _period_of(anchor, months, day) if months is not None and anchor is not None else None


def calendar_of(agreement: Agreement, as_of: date, billed_through: date | None = None) -> BillingCalendar | Unsupported:
    """The calendar of an agreement on a business day, or why it cannot be relied on."""
    months = _MONTHS.get(agreement.billing_cycle or "")
    anchor = _anchor(agreement)
    if agreement.parent_agreement_id is not None:
        return Unsupported("is a child agreement that bills with its parent")
    if months is None:
        return Unsupported(f"is billed {agreement.billing_cycle or 'in a cycle that could not be read'}")
    if anchor is None:
        return Unsupported(f"has the invoicing cycle {agreement.invoicing_cycle or 'unknown'} and no bill start date")
    if agreement.period_type not in ("Current", "Future"):
        return Unsupported(f"has the period type {agreement.period_type or 'unknown'}")
    if agreement.bill_start_date is not None and agreement.bill_start_date > as_of:
        return Unsupported(f"is billed only from {spoken(agreement.bill_start_date)} on")
    first = _first_uninvoiced(agreement, anchor, months, billed_through)
    if first is None:
        return Unsupported("has no next invoice date")
    if first.start > _months_later(as_of, MOST_AHEAD * months):
        return Unsupported(f"is invoiced until {spoken(first.day_before)}, more than {MOST_AHEAD} periods ahead")
    if agreement.end_date is not None and agreement.end_date < first.start:
        return Unsupported(f"ends on {spoken(agreement.end_date)}, and all of it is invoiced")
    return BillingCalendar(anchor, months, first, agreement.bill_start_date, agreement.end_date)


def _anchor(agreement: Agreement) -> date | None:
    if agreement.invoicing_cycle == "CalendarYear":
        return _NEW_YEAR
    return agreement.bill_start_date if agreement.invoicing_cycle == "ContractYear" else None


def _first_uninvoiced(agreement: Agreement, anchor: date, months: int, billed_through: date | None) -> Period | None:
    if billed_through is not None:
        return _period_of(anchor, months, billed_through + _DAY)
    if agreement.next_invoice_date is None:
        return None
    dated_in = _period_of(anchor, months, agreement.next_invoice_date)
    if agreement.period_type == "Current":
        return dated_in
    return _period_of(anchor, months, dated_in.end + _DAY)


@lru_cache(maxsize=4096)
def _period_of(anchor: date, months: int, day: date) -> Period:
    """Counted from the anchor, so that a day 31 comes back after a shorter month."""
    number = ((day.year - anchor.year) * 12 + day.month - anchor.month) // months
    if _months_later(anchor, number * months) > day:
        number -= 1
    start = _months_later(anchor, number * months)
    return Period(start, _months_later(anchor, (number + 1) * months) - _DAY)


def _months_later(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
