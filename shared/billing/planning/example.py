"""A worked example of a billing profile: a made-up company, one change on one day, and the invoices after it.

The real planner works on made-up facts, and Manage is played as we read it: an invoice bills what every line in force
in its period says. What the example shows is therefore what a night would do.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

from shared.billing.agreements import Addition, Agreement, Product
from shared.billing.calendar import BillingCalendar, Period, calendar_of
from shared.billing.counts import AccountKind, Count, Counted, Holder, Money, Reading, Subscription, SubscriptionStatus
from shared.billing.limits import Guards, IncreaseLimit, ReductionLimit
from shared.billing.lines import LedgerRow
from shared.billing.planning.plan import Change
from shared.billing.planning.planner import Facts, plan_company
from shared.billing.profiles import BillingProfile, BillOption, CountedOn, PriceKind, ProrationRule
from shared.billing.proration import Share
from shared.billing.rules import CompanyLink, CompanyRules, Mode, Rules, SkuPolicy
from shared.billing.seats import SeatRecord

_COMPANY = _AGREEMENT = 1
_SOURCE, _CUSTOMER, _SKU = "microsoft365", "example", "example"
_FAR = Decimal(10**12)
#: Guards do not belong into an example: they would hold it for a person.
_UNGUARDED = Guards(
    ReductionLimit(Decimal(100), _FAR, _FAR, _FAR),
    IncreaseLimit(_FAR, _FAR),
    all_to_zero=False,
    changes_per_day=10**6,
    invoiced_at_once=10**6,
)
_CENT = Decimal("0.01")
_NEVER = Period(date.min, date.min)
#: As many invoices as are shown.
_INVOICES = 2


@dataclass(frozen=True, slots=True)
class Scene:
    """On `day` the count changes from `before` units to `after`.

    `price` is what a unit costs wherever the profile takes that from elsewhere: the catalog, or the vendor, for a
    month. `cycle` is Manage's billing cycle of the agreement; with `invoiced` the period that holds the day is invoiced
    already.
    """

    day: date
    before: Decimal
    after: Decimal
    price: Decimal
    cycle: str = "Monthly"
    invoiced: bool = True


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """One line of an invoice, in the agreement's currency."""

    text: str
    quantity: Decimal
    unit_price: Decimal
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Invoice:
    """What the made-up company is billed for one period."""

    period: Period
    lines: tuple[InvoiceLine, ...]

    @property
    def total(self) -> Decimal:
        return sum((line.amount for line in self.lines), Decimal(0))


@dataclass(frozen=True, slots=True)
class Example:
    """What the nights said, by their days, the invoices after the change, and why nothing was written where so."""

    sentences: tuple[tuple[date, str], ...]
    invoices: tuple[Invoice, ...]
    findings: tuple[str, ...]


def worked(profile: BillingProfile, scene: Scene) -> Example:
    """The example of a profile. The first count was there long before the day and is billed already."""
    play = _Play(profile, scene)
    today = play.period_of(scene.day)
    play.first_uninvoiced = play.period_of(today.day_before)
    play.night(play.first_uninvoiced.start, scene.before, replace(profile, update_only=False))
    play.invoice()
    play.night(today.start, scene.before, profile)
    play.told.clear()
    play.findings.clear()
    if scene.invoiced:
        play.invoice()
    play.night(scene.day, scene.after, profile)
    invoices = []
    for _ in range(_INVOICES):
        # What is counted before an invoice is counted the day before it.
        if profile.counted_on is CountedOn.BEFORE_INVOICE and play.first_uninvoiced.day_before > scene.day:
            play.night(play.first_uninvoiced.day_before, scene.after, profile)
        # What is used is billed once its period is over: by the first night after it.
        play.night(max(play.first_uninvoiced.start, scene.day), scene.after, profile)
        invoices.append(play.invoice())
    return Example(tuple(dict.fromkeys(play.told)), tuple(invoices), tuple(dict.fromkeys(play.findings)))


@dataclass
class _Play:
    """The made-up company in the course of the example."""

    profile: BillingProfile
    scene: Scene
    lines: dict[int, Addition] = field(default_factory=dict)
    ledger: dict[str, LedgerRow] = field(default_factory=dict)
    seats: dict[str, SeatRecord] = field(default_factory=dict)
    told: list[tuple[date, str]] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    skus: frozenset[str] = frozenset()
    counted: dict[str, Counted] = field(default_factory=dict)
    invoiced_lines: set[int] = field(default_factory=set)
    first_uninvoiced: Period = _NEVER

    def period_of(self, day: date) -> Period:
        return self._calendar(day).period_of(day)

    def night(self, day: date, units: Decimal, profile: BillingProfile) -> None:
        """Plans, and writes all of it."""
        plan = plan_company(self._facts(day, units, profile))
        self.seats |= {record.line: record for record in plan.seats}
        self.ledger |= {row.stamp: row for row in plan.ledger}
        self.counted = dict(plan.counted)
        self.skus = frozenset({_SKU}) if units else frozenset()
        self.findings += [finding.text for finding in plan.findings]
        for change in plan.changes:
            self.told.append((day, change.sentence))
            self._write(change, day)

    def invoice(self) -> Invoice:
        """Invoices the first period that is not invoiced."""
        period = self.first_uninvoiced
        lines = [line for each in self.lines.values() for line in self._billed(each, period)]
        self.invoiced_lines |= {line.id for line in self.lines.values() if _begins(line) <= period.end}
        self.first_uninvoiced = self.period_of(period.end + timedelta(days=1))
        return Invoice(period, tuple(lines))

    def _billed(self, line: Addition, period: Period) -> Iterable[InvoiceLine]:
        """What a line bills with the invoice of a period; a line that Manage prorates also for the period it began."""
        if line.bill_customer != BillOption.BILLABLE or line.quantity == 0 or _begins(line) > period.end:
            return
        text = line.invoice_description or f"{line.product}: {self.profile.name}"
        if self._prorates and _begins(line) < period.start and line.id not in self.invoiced_lines:
            yield _invoice_line(line, text, _left(self.period_of(_begins(line)), _begins(line)))
        if line.is_open(period.start):
            begins = max(_begins(line), period.start) if self._prorates else period.start
            yield _invoice_line(line, text, _left(period, begins))

    @property
    def _prorates(self) -> bool:
        return self.profile.proration.rule is ProrationRule.MANAGE

    def _write(self, change: Change, day: date) -> None:
        number = change.addition or 1 + len(self.lines)
        standing = self.lines.get(number) or _nothing(number, change.product)
        line = self.lines[number] = replace(standing, **change.fields())  # type: ignore[arg-type]
        assert change.after is not None
        self.ledger[line.serial_number] = LedgerRow(
            line.serial_number, change.key, number, change.product, change.after, change.keeps_price, day
        )

    def _facts(self, day: date, units: Decimal, profile: BillingProfile) -> Facts:
        rules = Rules(1, {profile.id: profile}, (SkuPolicy(_SOURCE, _SKU, profile.id),), _UNGUARDED)
        reading = Reading(_SOURCE, _CUSTOMER, day, (self._count(units),) if units else ())
        return Facts(
            as_of=day,
            rules=rules,
            company=CompanyRules(_COMPANY, "Example", Mode.AUTO, (CompanyLink(_SOURCE, _CUSTOMER),)),
            readings=(reading,),
            at_invoices=(reading,),
            agreements=(self._agreement(),),
            additions={_AGREEMENT: tuple(self.lines.values())},
            products={
                name: Product(number, name, profile.name, self.scene.price, Decimal(0))
                for number, name in enumerate(profile.products, 1)
            },
            ledger=tuple(self.ledger.values()),
            seats=dict(self.seats),
            last_counted={(_SOURCE, _CUSTOMER): self.skus},
            counted=self.counted,
        )

    def _count(self, units: Decimal) -> Count:
        """So many billed units before anything is multiplied, included or rounded."""
        rule = self.profile.quantity
        raw = units * rule.divide_by
        users = self._users(int(raw)) if rule.bills_users else None
        bought = (Subscription("example", raw, SubscriptionStatus.ENABLED, owned=True),)
        price = Money(self.scene.price, "month")
        return Count(
            _SOURCE, _CUSTOMER, _SKU, self.profile.name, raw, Decimal(0), raw, bought, users, cost=price, retail=price
        )

    def _users(self, many: int) -> tuple[Holder, ...]:
        """So many users of the kind that the profile counts."""
        only = self.profile.quantity.users.only
        one = Holder(
            "",
            "",
            enabled=AccountKind.DISABLED not in only.accounts[:1],
            guest=AccountKind.GUESTS in only.accounts[:1],
            department=next(iter(only.departments), ""),
            office=next(iter(only.offices), ""),
            domain=next(iter(only.domains), ""),
            groups=only.groups[:1],
        )
        return tuple(replace(one, id=f"user-{number}", name=f"User {number}") for number in range(many))

    def _agreement(self) -> Agreement:
        return Agreement(
            id=_AGREEMENT,
            name="Example",
            company_id=_COMPANY,
            type=next(iter(self.profile.agreement_types), "Example"),
            agreement_status="Active",
            billing_cycle=self.scene.cycle,
            invoicing_cycle="CalendarYear",
            period_type="Current",
            start_date=date(self.scene.day.year - 3, 1, 1),
            end_date=None,
            bill_start_date=date(self.scene.day.year - 3, 1, 1),
            next_invoice_date=self.first_uninvoiced.start,
            prorate_flag=self._prorates,
        )

    def _calendar(self, day: date) -> BillingCalendar:
        known = replace(self._agreement(), next_invoice_date=day)
        found = calendar_of(known, day)
        assert isinstance(found, BillingCalendar)
        return found


def _nothing(number: int, product: str) -> Addition:
    """A line before its first write."""
    return Addition(number, _AGREEMENT, 0, product, Decimal(0), Decimal(0), Decimal(0), BillOption.BILLABLE, None)


def _begins(line: Addition) -> date:
    return line.effective_date or date.min


def _left(period: Period, begins: date) -> Share:
    """What is left of a period from a day on, the day itself included: as Manage prorates."""
    return Share(period.days - period.index_of(begins) + 1, period.days)


def _invoice_line(line: Addition, text: str, share: Share) -> InvoiceLine:
    unit = line.unit_price if share.is_whole else share.of_price(line.unit_price)
    amount = (line.quantity * unit).quantize(_CENT, ROUND_HALF_UP)
    return InvoiceLine(text, line.quantity, unit, amount)


def takes_price(profile: BillingProfile) -> bool:
    """Whether the example needs a price because the profile names none of its own."""
    return profile.price.kind not in (PriceKind.CUSTOM, PriceKind.TIERED, PriceKind.VOLUME, PriceKind.PACKAGE)
