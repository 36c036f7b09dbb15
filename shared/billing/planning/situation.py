"""What the planner of one bill item looks at, what it answers, and how it says that it is in doubt."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from shared.billing.agreements import Addition, Agreement, Product, Recap
from shared.billing.calendar import BillingCalendar, Period, Unsupported
from shared.billing.counting.feeds import Feed
from shared.billing.counting.items import BillItem
from shared.billing.counts import Moment
from shared.billing.findings import Finding, FindingKind
from shared.billing.limits import Guards
from shared.billing.lines import LedgerRow, LineKey
from shared.billing.planning.choices import Choice, Choices
from shared.billing.planning.invoiced import Invoiced
from shared.billing.planning.matching import Additions, Owned
from shared.billing.planning.plan import Group
from shared.billing.planning.tiers import Tier
from shared.billing.profiles import BillingProfile, StartDay
from shared.billing.rules import CompanyRules
from shared.billing.seats import SeatRecord


@dataclass(frozen=True, slots=True)
class Situation:
    """One company tonight, prepared for its bill items.

    `products` are keyed by case-folded identifier, `calendars` by agreement. `owned` is what is ours by bill item id,
    `others` the lines on active agreements that belong to no bill item, by case-folded product. `billed_agreements`
    are those that lines of ours stand on, or stood on. `record_lines` are the keys of the seat records by bill item.
    `measures` are the quantities to bill of the items that are
    billed and not unknown, or the doubts about them, by id. `contested` are products (case-folded) that several bill
    items want to find a line for, `counted` those that something is counted for. `last_counted` are the SKUs
    (case-folded) of the last complete reading before tonight, by (source, customer); `last_subscriptions` likewise
    their subscriptions, nothing where that was not remembered; `last_read` their days.
    `invoiced` is how far each agreement was invoiced at the last look, `choices` what people chose, by subject.
    `recaps` are Manage's forecasts, as far as they were read. `retroactive`, `prorate_start_day` and `moments` mean
    what they mean in `Facts`.
    """

    as_of: date
    company: CompanyRules
    marks: tuple[str, ...]
    agreements: Mapping[int, Agreement]
    calendars: Mapping[int, BillingCalendar | Unsupported]
    billed_agreements: frozenset[int]
    products: Mapping[str, Product]
    additions: Additions
    owned: Mapping[str, Owned]
    others: Mapping[str, list[Addition]]
    strays: tuple[Addition, ...]
    ledger: tuple[LedgerRow, ...]
    seats: Mapping[str, SeatRecord]
    record_lines: Mapping[str, list[str]]
    measures: Mapping[str, Decimal | Finding]
    contested: frozenset[str]
    counted: frozenset[str]
    in_doubt: frozenset[str]
    last_counted: Mapping[tuple[str, str], frozenset[str]]
    invoiced: Mapping[int, Invoiced]
    guards: Guards
    last_subscriptions: Mapping[tuple[str, str], frozenset[str]]
    choices: Choices
    recaps: Mapping[int, Recap]
    retroactive: bool
    prorate_start_day: StartDay
    moments: tuple[Moment, ...]
    last_read: Mapping[tuple[str, str], date]

    def measured(self, item: BillItem) -> Decimal:
        """The quantity to bill of an item that is billed and not unknown. Raises `Doubt` where that is not certain."""
        found = self.measures[item.id]
        if isinstance(found, Finding):
            raise Doubt.about(found)
        return found

    def none_on(self, item: BillItem) -> date | None:
        """The day of the last readings before tonight, if every customer that feeds the item had none; else None."""
        customers = ((feed.source, feed.customer) for feed in item.feeds)
        days = [self.last_read[customer] for customer in customers if customer in self.last_read]
        return max(days, default=None) if self.was_zero(item) else None

    def was_zero(self, item: BillItem) -> bool:
        """Whether the last complete reading before tonight of every customer that feeds the item told of none.

        Of users it is only known whether anybody held the SKU. What is counted on certain days was, or was not, on the
        last one.
        """
        if item.count_day is not None and item.count_day.was_none is not None:
            return item.count_day.was_none
        return bool(item.feeds) and all(self._was_none(feed, item.subscription) for feed in item.feeds)

    def _was_none(self, feed: Feed, subscription: str | None) -> bool:
        if subscription is None:
            last = self.last_counted.get((feed.source, feed.customer))
            return last is not None and feed.sku not in last
        last = self.last_subscriptions.get((feed.source, feed.customer))
        return last is not None and subscription not in last

    def open_lines(self, products: Collection[str], day: date) -> list[Addition]:
        """Lines of these products on any active agreement that are not ours and still bill on a day."""
        return [line for product in products for line in self.others.get(product.casefold(), ()) if line.is_open(day)]


@dataclass(frozen=True, slots=True)
class UsedPeriod:
    """What was used in a period that is over, in billed units (None: not known), from its first day to its last.

    `beside` are units that other lines than our one-off ones bill of it, at `amount_beside`, or that a person settled.
    """

    start: date
    end: date
    used: Decimal | None
    beside: Decimal
    amount_beside: Decimal


@dataclass(frozen=True, slots=True)
class ItemPlan:
    """What is planned for one bill item.

    `ledger` are rows to remember without writing to Manage, `forgotten` the stamps of rows to forget. `frozen`: nothing
    certain is known, the line stays as it is. `needs_all`: the answer holds only once the additions of every active
    agreement were read. `choices` are to be remembered as they now are, `spent` the subjects of those dealt with.
    `usage` tells people of usage in arrears by the periods that are over.
    """

    group: Group | None = None
    findings: tuple[Finding, ...] = ()
    seats: tuple[SeatRecord, ...] = ()
    ledger: tuple[LedgerRow, ...] = ()
    forgotten: tuple[str, ...] = ()
    frozen: bool = False
    needs_all: bool = False
    choices: tuple[Choice, ...] = ()
    spent: tuple[str, ...] = ()
    usage: tuple[UsedPeriod, ...] | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """Where a line of a bill item is billed and with what. `key` is that of its standing line there.

    `total` is the quantity of the whole item, of usage that of the period; `tier` the part of it that this line bills,
    None for all of it; `retroactive` means what it means in `Facts`.
    """

    item: BillItem
    profile: BillingProfile
    agreement: Agreement
    calendar: BillingCalendar
    product: Product
    key: LineKey
    as_of: date
    total: Decimal
    tier: Tier | None = None
    retroactive: bool = False

    @property
    def current(self) -> Period:
        """The period that holds today."""
        return self.calendar.period_of(self.as_of)

    @property
    def first_uninvoiced(self) -> Period:
        return self.calendar.first_uninvoiced

    @property
    def bills_usage(self) -> bool:
        """Whether what it bills is known once a period is over."""
        return self.profile.arrears is not None

    @property
    def products(self) -> tuple[str, ...]:
        """Products of which another's line would bill the same: all that usage may come to, else its own."""
        if not self.bills_usage:
            return (self.product.identifier,)
        return tuple({product.casefold(): product for product in self.profile.products}.values())

    @property
    def splits(self) -> bool:
        """Whether a line that was invoiced stays as it is, and a new one says what changes."""
        return self.retroactive or self.profile.proration.always_split

    def was_invoiced(self, addition: Addition) -> bool:
        """Whether the line began in a period that is invoiced."""
        return (addition.effective_date or date.min) < self.first_uninvoiced.start


class Doubt(Exception):
    """Raised inside the planner where it cannot be sure: the bill item freezes and the finding says why."""

    def __init__(self, kind: FindingKind, key: str, text: str, remedy: str) -> None:
        super().__init__(text)
        self.finding = Finding(kind, key, text, remedy)

    @classmethod
    def about(cls, found: Finding) -> Doubt:
        """The doubt that a finding tells of."""
        return cls(found.kind, found.key, found.text, found.remedy)
