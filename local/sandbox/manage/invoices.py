"""The invoice run: bills agreements by Manage's rules, as far as they are known.

An invoice dated in a period covers that period (period type Current) or the one after it (Future). It copies every
Billable addition in force in the covered period; what is changed afterwards shows on the next invoice only. On an
agreement that prorates (`prorateFlag`)

* a line that starts inside the covered period is billed for the rest of that period;
* a line that was added in a period already invoiced is caught up on the next invoice, for the rest of the period in
  which it starts, and billed for the covered period besides.

Without the flag both are billed one full period, the covered one. A prorated unit price is rounded half-up to cents
before it is multiplied by the quantity. Not played: the agreement's flat amount, billing a child agreement with its
parent (it is billed by its own dates), and immediate invoices for prorated additions.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from local.sandbox.clock import Clock
from local.sandbox.manage import agreements
from local.sandbox.manage.periods import CALENDAR, MONTHS, Period, Periods, add_months
from local.sandbox.manage.records import ManageRecords, Record, day_of, day_text
from local.sandbox.switches import Switches
from shared.errors import Gone, Refused

CENT = Decimal("0.01")


@dataclass(frozen=True)
class Line:
    """One line of an invoice, before it is written down."""

    addition: Record
    quantity: Decimal
    unit_price: Decimal
    first: date
    last: date

    @property
    def amount(self) -> Decimal:
        return (self.quantity * self.unit_price).quantize(CENT, ROUND_HALF_UP)

    def to_json(self) -> Record:
        return {
            "addition": self.addition["id"],
            "product": self.addition["product"]["identifier"],
            "quantity": float(self.quantity),
            "unitPrice": float(self.unit_price),
            "amount": float(self.amount),
            "from": self.first.isoformat(),
            "to": self.last.isoformat(),
        }


@dataclass(frozen=True)
class Draft:
    """The next invoice of an agreement, as it would be made now; `seen` are the additions it comes past."""

    agreement: Record
    due: date
    period: Period
    next_due: date
    lines: tuple[Line, ...]
    seen: frozenset[int]

    @property
    def total(self) -> Decimal:
        return sum((line.amount for line in self.lines), Decimal(0))


def run_invoices(records: ManageRecords, clock: Clock, switches: Switches, through: date) -> list[dict[str, Any]]:
    """Bills every agreement whose next invoice date is `through` or earlier, repeatedly; returns the new invoices.

    Each is `{"id", "agreement", "date", "period": {"from", "to"}, "lines": [{"addition", "product", "quantity",
    "unitPrice", "amount", "from", "to"}]}`: agreement and addition by id, the product by identifier, calendar dates.
    """
    made = []
    for agreement in records.all("agreements"):
        while (draft := draft_invoice(records, switches, agreement)) is not None and draft.due <= through:
            made.append(_issue(records, clock, draft))
    return made


def list_invoices(records: ManageRecords) -> list[dict[str, Any]]:
    """Every invoice that stands, oldest first, in the shape of `run_invoices`."""
    return [records.billed[number] for number in sorted(records.billed)]


def undo_invoice(records: ManageRecords, invoice_id: int) -> None:
    """Deletes an agreement's newest invoice; its period can be invoiced again.

    Raises Gone when there is no such invoice, Refused when a newer one of that agreement stands.
    """
    invoice = records.billed.get(invoice_id)
    if invoice is None:
        raise Gone(f"there is no invoice {invoice_id}", system="sandbox manage", remedy="List the invoices.")
    newest = records.of_parent("invoices", invoice["agreement"])[-1]["id"]
    if newest != invoice_id:
        raise Refused(
            f"invoice {newest} of the same agreement is newer", system="sandbox manage", remedy=f"Undo {newest} first."
        )
    records.uninvoiced |= records.first_billed.pop(invoice_id)
    del records.billed[invoice_id]
    records.remove("invoices", invoice_id)
    agreement = records.collections["agreements"][invoice["agreement"]]
    agreement["nextInvoiceDate"] = day_text(date.fromisoformat(invoice["date"]))
    records.touch(agreement)


def draft_invoice(records: ManageRecords, switches: Switches, agreement: Record) -> Draft | None:
    """The agreement's next invoice; None when it has none: not recurring, or over by then."""
    due, periods = day_of(agreement, "nextInvoiceDate"), _periods(records, agreement)
    if due is None or periods is None or agreements.status_on(agreement, due) in ("Cancelled", "Expired"):
        return None
    dated_in = periods.holding(due)
    following = periods.after(dated_in)
    period = following if agreement.get("periodType") == "Future" else dated_in
    end = None if agreement.get("noEndingDateFlag") else day_of(agreement, "endDate")
    if end is not None and end < period.first:
        return None
    # From a month's last days the same day may miss the next period.
    next_due = min(max(add_months(due, periods.months), following.first), following.last)
    biller = _Biller(records, switches, agreement, periods, period)
    additions = records.of_parent("additions", agreement["id"])
    lines = tuple(line for addition in additions for line in biller.lines(addition))
    seen = frozenset(addition["id"] for addition in additions if biller.start(addition) <= period.last)
    return Draft(agreement, due, period, next_due, lines, seen)


def _periods(records: ManageRecords, agreement: Record) -> Periods | None:
    """The agreement's billing periods; None for a cycle or an anchor that the sandbox does not know."""
    cycle = records.get("billingCycles", agreement.get("billingCycle", {}).get("id", 0)) or {}
    months = MONTHS.get(cycle.get("billingOptions", ""))
    contract = agreement.get("invoicingCycle") == "ContractYear"
    anchor = day_of(agreement, "billStartDate") or day_of(agreement, "startDate") if contract else CALENDAR
    return None if months is None or anchor is None else Periods(anchor, months)


@dataclass(frozen=True)
class _Biller:
    """Bills the additions of one agreement for one period."""

    records: ManageRecords
    switches: Switches
    agreement: Record
    periods: Periods
    period: Period

    def lines(self, addition: Record) -> list[Line]:
        """What one addition puts on the invoice."""
        if addition["billCustomer"] != "Billable":
            return []
        lines = [self._caught_up(addition), self._in_period(addition, self.period), *self._retroactive(addition)]
        return [line for line in lines if line is not None and (line.quantity or self.switches.zero_lines_printed)]

    def start(self, addition: Record) -> date:
        """The first day that an addition can bill: nothing is billed before the agreement's bill start."""
        days = (day_of(addition, "effectiveDate"), day_of(self.agreement, "billStartDate"))
        return max((day for day in days if day is not None), default=date.min)

    def _end(self, addition: Record) -> date:
        """The last day that an addition bills."""
        cancelled = day_of(addition, "cancelledDate")
        if cancelled is None:
            return date.max
        return cancelled if self.switches.cancelled_day_billed else cancelled - timedelta(days=1)

    def _in_period(self, addition: Record, period: Period) -> Line | None:
        """The addition's line for a period, None when it is in force on none of its days."""
        first, last = max(self.start(addition), period.first), min(self._end(addition), period.last)
        if first > last:
            return None
        price = Decimal(str(addition.get("unitPrice", 0)))
        days = self._days_billed(period, first, last)
        if days != period.days:
            price = (price * days / period.days).quantize(CENT, ROUND_HALF_UP)
        return Line(addition, _billed_quantity(addition), price, first, last)

    def _days_billed(self, period: Period, first: date, last: date) -> int:
        """How many of a period's days are billed for a line in force from `first` to `last`."""
        if not self.agreement.get("prorateFlag"):
            return period.days
        days = period.days - period.index(first) + 1
        if first > period.first and not self.switches.prorate_start_day_included:
            days -= 1
        if self.switches.cancellation_prorated:
            days -= (period.last - last).days
        return max(days, 0)

    def _caught_up(self, addition: Record) -> Line | None:
        """The rest of the period in which a new line starts, when that was invoiced before the line was added."""
        start = self.start(addition)
        is_new = addition["id"] in self.records.uninvoiced and start < self.period.first
        if not is_new or not self.agreement.get("prorateFlag") or start == date.min:
            return None
        return self._in_period(addition, self.periods.holding(start))

    def _retroactive(self, addition: Record) -> list[Line]:
        """By switch: what the addition says now about its last invoiced period, less what was billed for that."""
        if not self.switches.retroactive_change:
            return []
        issued = self.records.of_parent("invoices", self.agreement["id"])
        invoices = [self.records.billed[invoice["id"]] for invoice in issued]
        if not invoices:
            return []
        period = self.periods.holding(date.fromisoformat(invoices[-1]["period"]["from"]))
        billed = [
            Decimal(str(line["amount"]))
            for bill in invoices
            for line in bill["lines"]
            if line["addition"] == addition["id"] and date.fromisoformat(line["from"]) in period
        ]
        now = self._in_period(addition, period)
        difference = (now.amount if now else Decimal(0)) - sum(billed, Decimal(0))
        return [Line(addition, Decimal(1), difference, period.first, period.last)] if billed and difference else []


def _billed_quantity(addition: Record) -> Decimal:
    """The quantity less what is included; what is included never makes it negative."""
    quantity = Decimal(str(addition.get("quantity", 0)))
    included = Decimal(str(addition.get("lessIncluded") or 0))
    return max(quantity - included, Decimal(0)) if included else quantity


def _issue(records: ManageRecords, clock: Clock, draft: Draft) -> dict[str, Any]:
    """Writes the invoice down and moves the agreement on to the next one."""
    agreement, total = draft.agreement, float(draft.total)
    invoice = {
        "type": "Agreement",
        "status": {"id": 1, "name": "New"},
        "company": agreement["company"],
        "agreement": {"id": agreement["id"], "name": agreement["name"]},
        "applyToType": "Agreement",
        "applyToId": agreement["id"],
        "date": day_text(draft.due),
        "agreementAmount": total,
        "subtotal": total,
        "total": total,
        "balance": total,
    }
    stored = records.add("invoices", invoice, now=clock.now())
    stored["invoiceNumber"] = str(10000 + stored["id"])
    billed = {
        "id": stored["id"],
        "agreement": agreement["id"],
        "date": draft.due.isoformat(),
        "period": {"from": draft.period.first.isoformat(), "to": draft.period.last.isoformat()},
        "lines": [line.to_json() for line in draft.lines],
    }
    records.billed[stored["id"]] = billed
    records.first_billed[stored["id"]] = set(draft.seen & records.uninvoiced)
    records.uninvoiced -= draft.seen
    agreement["nextInvoiceDate"] = day_text(draft.next_due)
    records.touch(agreement, now=clock.now())
    return billed
