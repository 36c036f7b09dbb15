"""One company on the sandbox's Manage, in memory: nights as TrueUp plans and writes them, invoices as Manage runs them.

What is read and written goes through the adapter's own translation, so that what a switch changes about Manage is
answered by its setting and by nothing else.
"""

from __future__ import annotations

import calendar as months
import itertools
import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal

from local.sandbox.clock import Clock
from local.sandbox.manage import additions, agreements
from local.sandbox.manage.instance import Instance
from local.sandbox.manage.invoices import list_invoices, run_invoices, undo_invoice
from local.sandbox.manage.records import ManageRecords, Record, day_of, day_text
from local.sandbox.switches import Switches
from shared.billing.agreements import Addition
from shared.billing.limits import Guards, ReductionLimit
from shared.billing.planning.plan import Change, ChangeKind, Plan
from shared.billing.planning.planner import Facts, plan_company
from shared.billing.profiles import BillingProfile, PriceKind, PriceRule, Proration, ProrationRule, StartDay
from shared.manage import readers
from shared.manage.rows import parsed
from shared.manage.settings import CancelledDay
from shared.manage.writing import create_body, patch_body
from tests import builders as b
from tests.unit.sandbox_manage import AGREEMENT, CYCLES, add_line, small_msp

UNGUARDED = Guards(ReductionLimit(Decimal(100), Decimal(0), Decimal(10**6), Decimal(10**9)), all_to_zero=False)
LENGTHS = {"Monthly": 1, "Quarterly": 3, "SemiAnnual": 6, "Yearly": 12}
#: Counts by the day on which a night came past them.
History = list[tuple[date, int]]


# ---- calendars, on their own


@dataclass(frozen=True)
class Contract:
    """How an agreement is billed, from its first billed day on."""

    start: date
    cycle: str = "Monthly"
    anchored: str = "CalendarYear"
    period_type: str = "Current"
    prorates: bool = False

    def periods(self) -> list[tuple[date, date]]:
        """First and last days, from the period of the first billed day on."""
        anchor = self.start if self.anchored == "ContractYear" else date(self.start.year, 1, 1)
        starts = [_later(anchor, LENGTHS[self.cycle] * number) for number in range(81)]
        found = [(first, after - timedelta(days=1)) for first, after in itertools.pairwise(starts)]
        return [period for period in found if period[1] >= self.start]


def _later(day: date, count: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + count, 12)
    return date(year, month + 1, min(day.day, months.monthrange(year, month + 1)[1]))


# ---- what is owed, from the history alone


def seats_owed(
    periods: Iterable[tuple[date, date]],
    history: History,
    invoiced_on: dict[date, date],
    proration: Proration,
    price: Decimal,
) -> Decimal:
    """The seat-slot rule: seat number k of a period is charged once, in full if it was there on the first day.

    Else it is charged the share of the period that is left. A period that is invoiced ahead is charged what was counted
    by then, and at once and in full what comes until it begins, whatever goes away afterwards.
    """
    return sum((_owed_for(period, history, invoiced_on[period[0]], proration, price) for period in periods), Decimal(0))


def _owed_for(period: tuple[date, date], history: History, run: date, proration: Proration, price: Decimal) -> Decimal:
    first, last = period
    existed = _counted(history, first)
    by_then = [(day, count) for day, count in history if day < run]
    is_ahead = not by_then or by_then[-1][0] < first
    charged = (by_then[-1][1] if by_then else 0) if is_ahead else existed
    owed = charged * price
    if proration.rule is ProrationRule.NONE:
        return owed
    highest = max([charged, existed, *(count for day, count in history if run <= day <= first)])
    owed += (highest - charged) * price
    for day, count in history:
        if first < day <= last and count > highest:
            owed += (count - highest) * _share(period, day, proration, price)
            highest = count
    return owed


def _counted(history: History, day: date) -> int:
    """The count in force on a day."""
    return next((count for seen, count in reversed(history) if seen <= day), 0)


def _share(period: tuple[date, date], day: date, proration: Proration, price: Decimal) -> Decimal:
    """What one seat costs that comes on a day after the first."""
    if proration.rule is ProrationRule.FULL:
        return price
    length, left = (period[1] - period[0]).days + 1, (period[1] - day).days
    left += proration.start_day is StartDay.INCLUDED
    return (price * left / length).quantize(Decimal("0.01"), ROUND_HALF_UP)


# ---- the company


@dataclass
class SandboxCompany:
    """One agreement with one bill item. `told` are the switches that TrueUp's settings know of.

    `invoiced` is how many of its periods are invoiced, `invoiced_on` when each was first, by its first day.
    """

    contract: Contract
    profile: BillingProfile
    switches: Switches
    told: Switches = field(default_factory=Switches)
    records: ManageRecords = field(default_factory=small_msp)
    ledger: dict = field(default_factory=dict)
    seats: dict = field(default_factory=dict)
    skus: frozenset[str] = frozenset()
    counted: dict = field(default_factory=dict)
    invoiced: int = 0
    invoiced_on: dict[date, date] = field(default_factory=dict)

    def __post_init__(self) -> None:
        contract = self.contract
        self.clock = Clock(datetime.combine(contract.start, time(2), UTC))
        self.instance = Instance(self.records, self.clock, self.switches)
        due = contract.start if contract.period_type == "Current" else contract.start - timedelta(days=1)
        self.agreement.update(
            billingCycle={"id": CYCLES[contract.cycle], "name": contract.cycle},
            invoicingCycle=contract.anchored,
            periodType=contract.period_type,
            prorateFlag=contract.prorates,
            startDate=day_text(contract.start),
            billStartDate=day_text(contract.start),
            nextInvoiceDate=day_text(due),
        )
        self.periods = contract.periods()

    @property
    def agreement(self) -> Record:
        return self.records.collections["agreements"][AGREEMENT]

    @property
    def cancelled_day(self) -> CancelledDay:
        return CancelledDay.BILLED if self.told.cancelled_day_billed else CancelledDay.FREE

    @property
    def next_period(self) -> tuple[date, date]:
        return self.periods[self.invoiced]

    # TrueUp

    def facts(self, day: date, quantity: int) -> Facts:
        self.clock.set(datetime.combine(day, time(2), UTC))
        options = {cycle["id"]: cycle["billingOptions"] for cycle in self.records.all("billingCycles")}
        agreement = readers.agreement(_sent(agreements.view(self.instance, self.agreement)), options)
        catalog = [readers.product(_sent(item)) for item in self.records.all("catalog")]
        return b.facts(
            b.reading(b.count(quantity), day=day),
            additions=self.lines(),
            agreements=[agreement],
            products=catalog,
            rules=b.rules(self.profile, guards=UNGUARDED),
            ledger=tuple(self.ledger.values()),
            seats=self.seats,
            as_of=day,
            last_counted={(b.SOURCE, b.TENANT): self.skus},
            counted=self.counted,
            retroactive=self.told.retroactive_change,
            prorate_start_day=StartDay.INCLUDED if self.told.prorate_start_day_included else StartDay.EXCLUDED,
        )

    def lines(self) -> list[Addition]:
        return [self._read(record) for record in self.records.of_parent("additions", AGREEMENT)]

    def plan(self, day: date, quantity: int) -> Plan:
        return plan_company(self.facts(day, quantity))

    def night(self, day: date, quantity: int) -> Plan:
        """Plans, applies and records."""
        plan = self.plan(day, quantity)
        self.seats |= {record.line: record for record in plan.seats}
        self.ledger |= {row.stamp: row for row in plan.ledger}
        self.counted = dict(plan.counted)
        self.skus = frozenset({b.PREMIUM}) if quantity else frozenset()
        for change in plan.changes:
            self._write(change)
        return plan

    def _write(self, change: Change) -> None:
        assert change.kind is not ChangeKind.DELETE
        if change.addition is None:
            body = create_body(change.fields(), self.cancelled_day)
            asked = additions.new(self.instance, self.agreement, body)
            record = self.records.add("additions", asked, now=self.clock.now())
            self.records.uninvoiced.add(record["id"])
        else:
            operations = patch_body(change.fields(), self.cancelled_day)
            after = additions.changed(self.instance, self.records.get("additions", change.addition), operations)
            record = self.records.replace("additions", after, now=self.clock.now())
        written = self._read(record)
        row = b.recorded(written, keeps_price=change.keeps_price)
        self.ledger[written.serial_number] = replace(row, key=change.key)

    def _read(self, record: Record) -> Addition:
        return readers.addition(_sent(additions.view(self.instance, record)), AGREEMENT, self.cancelled_day)

    # Manage

    def line_before(self, quantity: int, price: Decimal) -> None:
        """A line that a person has kept since the agreement began."""
        effective = day_text(self.contract.start)
        add_line(self.records, quantity=float(quantity), unitPrice=float(price), effectiveDate=effective)

    def invoice(self, day: date) -> None:
        """Invoices the next period."""
        first, last = self.next_period
        (made,) = run_invoices(self.records, self.clock, self.switches, day_of(self.agreement, "nextInvoiceDate"))
        assert made["period"] == {"from": first.isoformat(), "to": last.isoformat()}
        self.invoiced_on.setdefault(first, day)
        self.invoiced += 1

    def undo(self) -> None:
        """Deletes the newest invoice."""
        undo_invoice(self.records, self.invoices()[-1]["id"])
        self.invoiced -= 1

    def invoices(self) -> list[Record]:
        return list_invoices(self.records)

    def billed(self) -> Decimal:
        """All that stands on invoices."""
        return sum((Decimal(str(line["amount"])) for made in self.invoices() for line in made["lines"]), Decimal(0))


def profile(proration: Proration, price: Decimal, **values: object) -> BillingProfile:
    """Bills a price of its own, on an agreement of any type."""
    own = PriceRule(PriceKind.CUSTOM, price)
    return b.profile(agreement_types=(), price=own, proration=proration, **values)


def _sent(view: Record) -> Record:
    """A record as it arrives."""
    return parsed(json.dumps(view))
