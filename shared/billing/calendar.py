"""When an agreement is billed: its periods, and the first one that is not invoiced yet.

Our reading of Manage stands here and nowhere else: with period type *Current* the invoice dated in a period covers that
period, so `nextInvoiceDate` lies in the first uninvoiced one.

Only what can be billed without proration is supported: monthly, calendar-anchored, *Current* agreements whose first
uninvoiced period still lies ahead. Everything else answers `Unsupported` with the reason, and nothing is written there.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import date, timedelta

from shared.billing.agreements import Agreement
from shared.billing.wording import spoken


@dataclass(frozen=True, slots=True)
class Period:
    """A billing period, first to last day."""

    start: date
    end: date

    @property
    def day_before(self) -> date:
        return self.start - timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Unsupported:
    """Why nothing is written on an agreement: a clause that completes "it …"."""

    reason: str


@dataclass(frozen=True, slots=True)
class BillingCalendar:
    """The periods of one agreement, as far as they are needed to write: the first one not yet invoiced."""

    first_uninvoiced: Period


def month_of(day: date) -> Period:
    """The calendar month that holds a day."""
    last = calendar.monthrange(day.year, day.month)[1]
    return Period(day.replace(day=1), day.replace(day=last))


def calendar_of(agreement: Agreement, as_of: date) -> BillingCalendar | Unsupported:
    """The calendar of an agreement on a business day, or why it cannot be relied on."""
    if agreement.parent_agreement_id is not None:
        return Unsupported("is a child agreement that bills with its parent")
    if agreement.billing_cycle != "Monthly":
        return Unsupported(f"is billed {agreement.billing_cycle or 'in a cycle that could not be read'}, not Monthly")
    if agreement.invoicing_cycle != "CalendarYear":
        return Unsupported(f"has the invoicing cycle {agreement.invoicing_cycle or 'unknown'}, not CalendarYear")
    if agreement.period_type != "Current":
        return Unsupported(f"has the period type {agreement.period_type or 'unknown'}, not Current")
    return _ahead(agreement, as_of)


def _ahead(agreement: Agreement, as_of: date) -> BillingCalendar | Unsupported:
    """The first uninvoiced period, if it lies wholly ahead and wholly inside the agreement."""
    if agreement.bill_start_date is not None and agreement.bill_start_date > as_of:
        return Unsupported(f"is billed only from {spoken(agreement.bill_start_date)} on")
    if agreement.next_invoice_date is None:
        return Unsupported("has no next invoice date")
    first = month_of(agreement.next_invoice_date)
    if first.start <= as_of:
        return Unsupported(f"has an invoice due on {spoken(agreement.next_invoice_date)} for days that have begun")
    if agreement.end_date is not None and agreement.end_date < first.end:
        return Unsupported(f"ends on {spoken(agreement.end_date)}, before its next period is over")
    return BillingCalendar(first)
