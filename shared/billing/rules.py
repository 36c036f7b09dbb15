"""How to bill: profiles, SKU policies, licence links, guards. Values only; the planner gives them meaning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum

from shared.billing.subscribers import ServiceHealth, Subscriber
from shared.billing.users import EVERYBODY, Users


class Mode(StrEnum):
    """What a sync may do to a company, from the most careful to the least."""

    OBSERVE = "observe"
    APPROVE = "approve"
    AUTO = "auto"

    def at_most(self, other: Mode | None) -> Mode:
        """The more careful of two modes."""
        order = list(Mode)
        return self if other is None or order.index(self) <= order.index(other) else other


class Basis(StrEnum):
    """Which number of a count is billed."""

    PURCHASED = "purchased"
    ASSIGNED = "assigned"
    ASSIGNED_ACTIVE = "assigned-active"
    GREATER = "greater"


class PriceKind(StrEnum):
    """Where the unit price of a line comes from.

    `cost` is the vendor's price to the MSP with a markup, `retail` the vendor's suggested price. `tiered` charges the
    units of each band at the band's own price, one line per band; `volume` all units at the price of the band reached.
    """

    KEEP = "keep"
    PRODUCT = "product"
    CUSTOM = "custom"
    COST = "cost"
    RETAIL = "retail"
    TIERED = "tiered"
    VOLUME = "volume"


class PricePeriod(StrEnum):
    """What a price is for: one billing cycle of the agreement, or one month, of which a cycle has 1, 3, 6 or 12."""

    CYCLE = "cycle"
    MONTH = "month"


class BelowCost(StrEnum):
    """What becomes of a line whose price is below what a unit costs the MSP: it is written, or left alone and told."""

    ALLOW = "allow"
    REFUSE = "refuse"


class BillOption(StrEnum):
    """Manage's `billCustomer`."""

    BILLABLE = "Billable"
    DO_NOT_BILL = "DoNotBill"
    NO_CHARGE = "NoCharge"


class Rounding(StrEnum):
    """Where a quantity between two steps goes; half a step goes up with `nearest`."""

    NONE = "none"
    UP = "up"
    DOWN = "down"
    NEAREST = "nearest"


@dataclass(frozen=True, slots=True)
class QuantityRule:
    """From counts to a quantity, in this order: what is counted, conversion, included, minimum, rounding.

    Counted is the basis. `include_grace` bills expired subscriptions in their grace period, `include_foreign` those
    that another partner sold, `include_trials` trials; `without_subscriptions` (ids) leaves some out; `users` says who
    is counted where users are. The sum is divided by `divide_by` (units of the count in one billed unit), times
    `multiply_by`, minus `included` (never below 0), at least `minimum` while anything is counted (`minimum_always`:
    even when nothing is), and rounded to a multiple of `rounding_step`.
    """

    basis: Basis = Basis.PURCHASED
    include_grace: bool = True
    include_foreign: bool = False
    include_trials: bool = False
    without_subscriptions: tuple[str, ...] = ()
    users: Users = EVERYBODY
    divide_by: Decimal = Decimal(1)
    multiply_by: Decimal = Decimal(1)
    included: Decimal = Decimal(0)
    minimum: Decimal = Decimal(0)
    minimum_always: bool = False
    rounding: Rounding = Rounding.NONE
    rounding_step: Decimal = Decimal(1)

    @property
    def bills_users(self) -> bool:
        """Whether users who hold it are billed, not what was bought."""
        return self.basis in (Basis.ASSIGNED, Basis.ASSIGNED_ACTIVE)

    @property
    def needs_holders(self) -> bool:
        """Whether single users must be known; the vendor's own total is not enough."""
        return self.basis is Basis.ASSIGNED_ACTIVE or not self.users.is_everybody


@dataclass(frozen=True, slots=True)
class Band:
    """Units above the band before, up to and including `upto` (None: all further ones), at a unit price.

    `product` names a product of its own for a tiered band's line.
    """

    upto: Decimal | None
    price: Decimal
    product: str | None = None


@dataclass(frozen=True, slots=True)
class PriceRule:
    """The unit price. `keep` leaves what stands; a new line has the product's price.

    `per` says what the amounts here, the product's price and the vendor's monthly prices are for; a line's unit price
    is per billing cycle of its agreement, and a month is multiplied only where `per` is `month`. `markup` is in percent
    of the vendor's cost, `decimals` are those of the unit price. `write_cost` also writes the vendor's cost as the
    line's unit cost. `bands` are in ascending order, the last one open. `below_cost` says what a billed price may be.
    """

    kind: PriceKind = PriceKind.KEEP
    amount: Decimal | None = None
    markup: Decimal = Decimal(0)
    bands: tuple[Band, ...] = ()
    per: PricePeriod = PricePeriod.CYCLE
    decimals: int = 2
    write_cost: bool = False
    below_cost: BelowCost = BelowCost.ALLOW


class ProrationRule(StrEnum):
    """What a seat costs in the period in which it appears after the first day.

    With `manage` Manage works it out itself, on agreements that prorate: its first day counts.
    """

    NONE = "none"
    FULL = "full"
    COMPUTED = "computed"
    MANAGE = "manage"


class DriftRule(StrEnum):
    """What becomes of a line of ours that a person edits: a person is asked, it is put back, or it stays for now."""

    ASK = "ask"
    RESTORE = "restore"
    ACCEPT = "accept"


class Decrease(StrEnum):
    """What becomes of seats that go in the middle of a period: charged until its end, or the rest credited."""

    KEEP = "keep"
    CREDIT = "credit"


class Arrears(StrEnum):
    """Usage is billed once a period is over: by what was read last in it, or by the most on any day."""

    LAST = "last"
    HIGHEST = "highest"


class CountedOn(StrEnum):
    """When counts are taken, which then hold until the next time.

    Every night, on the day on which the vendor's own invoice to the MSP appears, or on the day before the next invoice
    of the agreement that it is billed on.
    """

    NIGHT = "night"
    VENDOR_INVOICE = "vendor-invoice"
    BEFORE_INVOICE = "before-invoice"


class Dated(StrEnum):
    """On which day a change of the count begins to be charged.

    By the vendor's own day of the change where it tells one, or always by the day of the count that showed it.
    """

    VENDOR = "vendor"
    COUNT = "count"


class StartDay(StrEnum):
    """Whether the day on which a seat appears counts: the distributors exclude it, Manage and Microsoft include it."""

    EXCLUDED = "excluded"
    INCLUDED = "included"


class FirstSync(StrEnum):
    """What a bill item owes for the days before its first sync.

    `next-period`: nothing, it is right from the first uninvoiced period on. `prorate`: as if it had appeared today.
    `full-period`: the whole period in which it is first seen.
    """

    NEXT_PERIOD = "next-period"
    PRORATE = "prorate"
    FULL_PERIOD = "full-period"


@dataclass(frozen=True, slots=True)
class Proration:
    """How changes within a period are billed: unless a profile says otherwise, by the days that are left of it.

    `always_split` ends a line and begins another for every change, so that each line stays true for its period even
    when invoices are deleted and run again. `decrease: credit` is for the computed rule.
    """

    rule: ProrationRule = ProrationRule.COMPUTED
    start_day: StartDay = StartDay.EXCLUDED
    first_sync: FirstSync = FirstSync.NEXT_PERIOD
    always_split: bool = False
    decrease: Decrease = Decrease.KEEP
    dated: Dated = Dated.VENDOR

    @property
    def credits(self) -> bool:
        """Whether the rest of a period is credited for seats that go, in periods that begin while this holds."""
        return self.decrease is Decrease.CREDIT and self.rule is ProrationRule.COMPUTED


@dataclass(frozen=True, slots=True)
class BillingProfile:
    """How to bill a product.

    `agreement_types` empty allows every type. `replaces` names further products whose open lines block a first create.
    `taxable` None leaves Manage's default. `invoice_text` may hold {product} {quantity} and {users}; empty leaves
    Manage's own text. `update_only` never creates a line. `arrears` bills usage: one line for each period that is over,
    no standing line. `combine` bills all SKUs whose policies name the profile as one item, `split` every subscription
    as an item of its own. `commitment_floor` bills a split subscription for at least what was committed to, until the
    commitment's last day. `counted_on` says when counts are taken, None as the MSP's rules say for all such profiles.
    """

    id: str
    name: str
    product: str
    agreement_types: tuple[str, ...] = ()
    quantity: QuantityRule = QuantityRule()
    price: PriceRule = PriceRule()
    proration: Proration = Proration()
    bill_option: BillOption = BillOption.BILLABLE
    taxable: bool | None = None
    invoice_text: str = ""
    replaces: tuple[str, ...] = ()
    update_only: bool = False
    combine: bool = False
    split: bool = False
    drift: DriftRule = DriftRule.ASK
    commitment_floor: bool = False
    arrears: Arrears | None = None
    counted_on: CountedOn | None = None

    @property
    def products(self) -> tuple[str, ...]:
        """Every product that lines of this profile can have."""
        return (self.product, *(band.product for band in self.price.bands if band.product is not None))


@dataclass(frozen=True, slots=True)
class SkuPolicy:
    """MSP-wide: this SKU at this source is billed by that profile; `profile` None means *do not bill*."""

    source: str
    sku: str
    profile: str | None


@dataclass(frozen=True, slots=True)
class CompanyLink:
    """This company = this customer at this source, or those of its users whom `users` takes. Several are fine.

    `removed`: a person says that the customer is not the company's any more, so that lines that it alone fed end. A
    link that is merely gone says nothing: such lines are left alone.
    """

    source: str
    customer: str
    users: Users = EVERYBODY
    removed: bool = False


@dataclass(frozen=True, slots=True)
class LicenceLink:
    """A company's own choice for a SKU; it overrides the policy field by field.

    `customer` narrows it to one of several customers at the source, `users` to some of those who hold it; `part` is a
    short id of one's own that tells several links for one SKU apart, each a line. `do_not_bill` is for ever;
    `do_not_bill_until` is given instead of it and names the day on which billing starts. `quantity` fixes the quantity
    whatever the count says. `start`: nothing is billed before that day. `waive_until`: seats that came up to that
    day are not charged for the part of a period in which they came.
    """

    source: str
    sku: str
    customer: str | None = None
    profile: str | None = None
    agreement: int | None = None
    price: Decimal | None = None
    quantity: Decimal | None = None
    start: date | None = None
    do_not_bill: bool = False
    do_not_bill_until: date | None = None
    waive_until: date | None = None
    part: str | None = None
    users: Users = EVERYBODY


@dataclass(frozen=True, slots=True)
class ReductionLimit:
    """A reduction of one bill item is held when it goes *beyond* any of these.

    `percent` (of the highest quantity of the last 30 days) is not asked for reductions of up to `small` units;
    `units` is in units, `money` in currency per billing cycle.
    """

    percent: Decimal = Decimal(30)
    small: Decimal = Decimal(3)
    units: Decimal = Decimal(25)
    money: Decimal = Decimal(500)


@dataclass(frozen=True, slots=True)
class IncreaseLimit:
    """An increase of an item by more than `small` units is held when it goes *beyond* `factor` times what stood.

    What stood is the highest quantity of the last 30 days. Usage of a level in arrears is held likewise, measured
    against the most of the month before its period.
    """

    factor: Decimal = Decimal(5)
    small: Decimal = Decimal(25)


class CompareForecast(StrEnum):
    """Which agreements' next invoices are compared with Manage's own forecast.

    That its forecast is without taxes is not documented: `untaxed` leaves agreements out that charge them.
    """

    NONE = "none"
    UNTAXED = "untaxed"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Guards:
    """What holds a plan for a person to look at.

    More than `changes_per_day` changes of one company in one business day, those written already included, are held.
    So is an agreement of which more than `invoiced_at_once` periods were invoiced between two looks. An agreement with
    lines of ours is told of `ends_within_days` before it ends. `compare_forecast` holds nothing either: it only tells.
    """

    reduction: ReductionLimit = ReductionLimit()
    increase: IncreaseLimit = IncreaseLimit()
    all_to_zero: bool = True
    changes_per_day: int = 200
    invoiced_at_once: int = 1
    ends_within_days: int = 30
    compare_forecast: CompareForecast = CompareForecast.UNTAXED


@dataclass(frozen=True, slots=True)
class Approvals:
    """How long a group waits, and a decision about one holds, before a person must look again. In days."""

    expire_days: int = 14


@dataclass(frozen=True, slots=True)
class FleetLimit:
    """A run is only planned for a source once more than `percent` of its companies reduce or are held for that source.

    Asked as soon as `after` companies with the source are done.
    """

    percent: Decimal = Decimal(20)
    after: int = 20


@dataclass(frozen=True, slots=True)
class Schedule:
    """A job and when it runs: five cron fields in the MSP's own time zone. `sources` are those that it reads."""

    id: str
    job: str
    cron: str
    sources: tuple[str, ...] = ()


#: What was done in so many days can be undone: no less is kept.
UNDO_DAYS = 60


@dataclass(frozen=True, slots=True)
class Retention:
    """For how many days the store keeps what was done to companies, and the runs; at least `UNDO_DAYS` each."""

    history_days: int = 730
    runs_days: int = 400


@dataclass(frozen=True, slots=True)
class Remit:
    """The companies that a person sees and decides about, by Manage's record numbers; `name` is that of signing in.

    `only` these, or all `without` these; every company where both are empty.
    """

    name: str = ""
    only: tuple[int, ...] = ()
    without: tuple[int, ...] = ()

    @property
    def is_limited(self) -> bool:
        return bool(self.only or self.without)

    def covers(self, company: int) -> bool:
        return company not in self.without and (not self.only or company in self.only)


#: Of whom the rules say nothing, and of administrators, who could change what they say.
EVERYTHING = Remit()


@dataclass(frozen=True, slots=True)
class Rules:
    """The MSP-wide rules, at one version. `adoptable_marks` are beginnings of other tools' serial numbers.

    `counted_on` holds for profiles that say nothing of their own.
    """

    version: int
    profiles: Mapping[str, BillingProfile] = field(default_factory=dict)
    policies: tuple[SkuPolicy, ...] = ()
    guards: Guards = Guards()
    schedules: tuple[Schedule, ...] = ()
    adoptable_marks: tuple[str, ...] = ("Unite", "Cloudconsole")
    approvals: Approvals = Approvals()
    fleet: FleetLimit = FleetLimit()
    retention: Retention = Retention()
    subscribers: tuple[Subscriber, ...] = ()
    people: tuple[Remit, ...] = ()
    service_health: ServiceHealth | None = None
    counted_on: CountedOn = CountedOn.NIGHT

    def when_counted(self, profile: BillingProfile) -> CountedOn:
        """When counts of a profile are taken. What was used is counted every night, whatever the others do."""
        if profile.arrears is not None:
            return CountedOn.NIGHT
        return profile.counted_on or self.counted_on

    def remit_of(self, person: str) -> Remit:
        """Of the person with this name, whatever its case."""
        wanted = person.strip().casefold()
        return next((remit for remit in self.people if remit.name.strip().casefold() == wanted), EVERYTHING)

    def policy_for(self, source: str, sku: str) -> SkuPolicy | None:
        wanted = (source, sku.strip().casefold())
        return next((item for item in self.policies if (item.source, item.sku.strip().casefold()) == wanted), None)


@dataclass(frozen=True, slots=True)
class CompanyRules:
    """One company's own rules.

    `adopt_marked` confirms that lines marked by another tool may be adopted here. `billed_through` overrides our
    reading of Manage: the last day that is invoiced, by agreement.
    """

    company: int
    name: str
    mode: Mode = Mode.OBSERVE
    links: tuple[CompanyLink, ...] = ()
    licences: tuple[LicenceLink, ...] = ()
    adopt_marked: bool = False
    guards: Guards | None = None
    billed_through: Mapping[int, date] = field(default_factory=dict)

    @property
    def linked(self) -> tuple[CompanyLink, ...]:
        """The links in force."""
        return tuple(link for link in self.links if not link.removed)
