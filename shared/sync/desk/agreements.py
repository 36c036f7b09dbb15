"""The agreements of a company: each line beside what the plan makes of it, and what the next invoice comes to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import date
from decimal import Decimal

from shared.billing.agreements import Addition, Agreement
from shared.billing.calendar import BillingCalendar, Period, Unsupported, calendar_of
from shared.billing.planning.plan import Change
from shared.billing.planning.preview import billed_in, in_cents, with_changes
from shared.state.company_state import CompanyState
from shared.sync.shapes import desk as shapes


def agreements(state: CompanyState, changes: Sequence[Change], as_of: date) -> list[shapes.Agreement]:
    """The active agreements, and others with lines of ours; `changes` are what the plan would write."""
    overview = state.overview
    ours = {number for billed in overview.billed for number in billed.lines}
    ours |= {row.addition_id for row in state.ledger.values()}
    told = []
    for agreement in overview.agreements:
        lines = [line for line in overview.lines if line.agreement_id == agreement.id]
        if agreement.agreement_status == "Active" or any(line.id in ours for line in lines):
            own = [change for change in changes if change.key.agreement == agreement.id]
            calendar = calendar_of(agreement, as_of, state.billed_through.get(agreement.id))
            told.append(_told(agreement, lines, own, calendar, ours))
    return told


def currencies(state: CompanyState) -> dict[int, str]:
    """What each agreement is billed in, empty where Manage does not say."""
    return {agreement.id: agreement.currency or "" for agreement in state.overview.agreements}


def line(addition: Addition) -> shapes.Line:
    """One addition, as far as it concerns the invoice."""
    return {
        "addition": addition.id if addition.id > 0 else None,
        "agreement": addition.agreement_id,
        "product": addition.product,
        "quantity": float(addition.quantity),
        "less_included": float(addition.less_included),
        "unit_price": float(addition.unit_price),
        "bill_customer": addition.bill_customer,
        "effective_date": _day(addition.effective_date),
        "cancelled_date": _day(addition.cancelled_date),
    }


def _told(
    agreement: Agreement,
    lines: Sequence[Addition],
    changes: Sequence[Change],
    calendar: BillingCalendar | Unsupported,
    ours: Collection[int],
) -> shapes.Agreement:
    after = with_changes(lines, changes)
    return {
        "id": agreement.id,
        "name": agreement.name,
        "type": agreement.type,
        "status": agreement.agreement_status,
        "currency": agreement.currency or "",
        "cycle": agreement.billing_cycle,
        "next_invoice_date": _day(agreement.next_invoice_date),
        "lines": _side_by_side(lines, after, ours),
        "invoice": _invoice(agreement, lines, after, calendar),
    }


def _side_by_side(
    before: Iterable[Addition], after: Iterable[Addition], ours: Collection[int]
) -> list[shapes.LineBeside]:
    """Every line that stands or will stand, by product; `before` None for a new one, `after` None for one that goes."""
    standing, wanted = ({each.id: each for each in lines} for lines in (before, after))
    every = {**standing, **wanted}
    ordered = sorted(every.values(), key=lambda one: (one.product.casefold(), one.id <= 0, one.id, -one.id))
    return [
        {
            "product": one.product,
            "ours": one.id in ours or one.id <= 0,
            "change": _change(standing.get(one.id), wanted.get(one.id)),
            "before": line(standing[one.id]) if one.id in standing else None,
            "after": line(wanted[one.id]) if one.id in wanted else None,
        }
        for one in ordered
    ]


def _change(before: Addition | None, after: Addition | None) -> str:
    """What becomes of a line: `new`, `removed`, `changed`, only `adopted` (or given back), or `none`."""
    if before is None or after is None:
        return "new" if before is None else "removed"
    if line(before) != line(after):
        return "changed"
    return "adopted" if before.serial_number != after.serial_number else "none"


def _invoice(
    agreement: Agreement, before: Iterable[Addition], after: Iterable[Addition], calendar: BillingCalendar | Unsupported
) -> shapes.Invoice:
    """What the additions come to on the next invoice, as they stand and with the plan; or why nobody can say."""
    if isinstance(calendar, Unsupported):
        return {"reason": f"it {calendar.reason}"}
    period = calendar.first_uninvoiced
    return {
        "reason": None,
        "from": period.start.isoformat(),
        "to": period.end.isoformat(),
        "before": _amount(before, period),
        "after": _amount(after, period),
        "beside": _beside(agreement),
    }


def _amount(lines: Iterable[Addition], period: Period) -> float:
    return float(sum((in_cents(amount) for _, amount in billed_in(lines, period)), Decimal(0)))


def _beside(agreement: Agreement) -> list[str]:
    """What else goes on that invoice, as far as is known."""
    told = []
    if agreement.bill_amount:
        told.append(f"the agreement's own amount of {in_cents(agreement.bill_amount)}")
    if agreement.invoices_work:
        told.append("work, expenses or products of tickets")
    if agreement.prorate_flag:
        told.append("what Manage prorates by itself")
    if agreement.taxable:
        told.append("taxes")
    return told


def _day(day: date | None) -> str | None:
    return day.isoformat() if day is not None else None
