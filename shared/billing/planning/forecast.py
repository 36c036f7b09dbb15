"""What the next invoice comes to by an agreement's additions, beside what Manage itself forecasts for it.

It only tells; no line is held or frozen for it. What Manage's forecast includes beside additions at their full price is
not documented, so agreements that are invoiced for more than those are left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from shared.billing.agreements import Addition, Agreement, Recap
from shared.billing.calendar import BillingCalendar, Period, Unsupported
from shared.billing.findings import Finding, FindingKind
from shared.billing.limits import CompareForecast
from shared.billing.planning.preview import billed_in, in_cents, units_of
from shared.billing.planning.situation import Situation
from shared.billing.profiles import BillOption
from shared.billing.wording import money, spoken

_CENT = Decimal("0.01")


def compared(situation: Situation) -> tuple[list[Finding], frozenset[int]]:
    """A finding for every agreement where the two differ, and the agreements of which that is not known tonight."""
    findings: list[Finding] = []
    unknown: set[int] = set()
    if situation.guards.compare_forecast is CompareForecast.NONE:
        return findings, frozenset()
    for agreement in situation.agreements.values():
        if agreement.agreement_status != "Active":
            continue
        additions = situation.additions.by_agreement.get(agreement.id)
        if additions is None:
            unknown.add(agreement.id)
            continue
        ours = _forecast(agreement, additions, situation)
        if ours is None:
            continue
        theirs = _amount(situation.recaps.get(agreement.id), agreement)
        if theirs is None:
            unknown.add(agreement.id)
        elif abs(theirs - ours.amount) > _CENT + ours.rounded_off:
            findings.append(_mismatch(agreement, ours, theirs))
    return findings, frozenset(unknown)


def subject_of_forecast(agreement: int) -> str:
    """The key of a finding about an agreement's forecast."""
    return f"forecast/{agreement}"


@dataclass(frozen=True, slots=True)
class _Forecast:
    """What the invoice of a period comes to, each line rounded to cents, and how much rounding may have changed."""

    period: Period
    amount: Decimal
    rounded_off: Decimal


def _forecast(agreement: Agreement, additions: Iterable[Addition], situation: Situation) -> _Forecast | None:
    """None where the invoice may hold anything else than additions at their full price."""
    calendar = situation.calendars[agreement.id]
    if isinstance(calendar, Unsupported) or _holds_more(agreement, calendar, situation):
        return None
    period = calendar.first_uninvoiced
    lines = [line for line in additions if line.bill_customer == BillOption.BILLABLE and units_of(line) != 0]
    if agreement.prorate_flag and any(_is_prorated(line, calendar) for line in lines):
        return None
    billed = billed_in(lines, period)
    taxed = agreement.taxable or any(line.taxable_flag for line, _ in billed)
    if taxed and situation.guards.compare_forecast is CompareForecast.UNTAXED:
        return None
    off = sum((abs(in_cents(amount) - amount) for _, amount in billed), Decimal(0))
    return _Forecast(period, sum((in_cents(amount) for _, amount in billed), Decimal(0)), off)


def _holds_more(agreement: Agreement, calendar: BillingCalendar, situation: Situation) -> bool:
    """Whether a flat amount, work, children, or what only Manage can work out goes on the invoice too."""
    part = not calendar.is_whole_inside(calendar.first_uninvoiced)
    children = any(other.parent_agreement_id == agreement.id for other in situation.agreements.values())
    otherwise = situation.retroactive or agreement.id in situation.company.billed_through
    return part or children or otherwise or agreement.bill_amount != 0 or agreement.invoices_work


def _is_prorated(line: Addition, calendar: BillingCalendar) -> bool:
    """Whether Manage may bill a part of a period for it: of the one that is next, or late of the one before."""
    period = calendar.first_uninvoiced
    before = calendar.period_of(period.day_before)
    starts_inside = before.start <= _start(line) <= period.end and _start(line) != period.start
    return starts_inside or (line.cancelled_date is not None and period.start <= line.cancelled_date < period.end)


def _start(line: Addition) -> date:
    return line.effective_date or date.min


def _amount(recap: Recap | None, agreement: Agreement) -> Decimal | None:
    """What Manage forecasts for the very invoice that the agreement is at; None where it does not say."""
    if (
        recap is None
        or recap.name != agreement.name
        or recap.next_invoice_date != agreement.next_invoice_date
        or recap.unbilled_periods > 1
    ):
        return None
    return recap.next_invoice_amount


def _mismatch(agreement: Agreement, ours: _Forecast, theirs: Decimal) -> Finding:
    period = f"{spoken(ours.period.start)} to {spoken(ours.period.end)}"
    return Finding(
        FindingKind.FORECAST_MISMATCH,
        subject_of_forecast(agreement.id),
        f"Agreement {agreement.id} ({agreement.name}): Manage forecasts {money(theirs)} for its next invoice, but its "
        f"additions for {period} come to {money(ours.amount)}. Nothing is held for it.",
        "Look at the agreement's next invoice in Manage before it is sent. Where additions are billed otherwise than "
        "TrueUp takes them, calibrate it for this Manage; where the forecast holds something else, say "
        "compare_forecast: none in the guards.",
    )
