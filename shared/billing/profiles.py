"""How a product is billed: quantity, price, proration and everything else that a billing profile says. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from shared.billing.users import ACTIVE, EVERYBODY, Users


class Basis(StrEnum):
    """Which number of a count is billed. `assigned-active`: who holds it, without disabled accounts and guests."""

    PURCHASED = "purchased"
    ASSIGNED = "assigned"
    ASSIGNED_ACTIVE = "assigned-active"
    GREATER = "greater"


class PriceKind(StrEnum):
    """Where the unit price of a line comes from.

    `cost` is the vendor's price to the MSP with a markup, `retail` the vendor's suggested price. `tiered` charges the
    units of each band at the band's own price, one line per band; `volume` all units at the price of the band reached;
    `package`, of usage only, one of the band reached, however many units it holds.
    """

    KEEP = "keep"
    PRODUCT = "product"
    CUSTOM = "custom"
    COST = "cost"
    RETAIL = "retail"
    TIERED = "tiered"
    VOLUME = "volume"
    PACKAGE = "package"


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
    that another partner sold, `include_trials` trials and who holds them; `without_subscriptions` (ids) and
    `without_statuses` (the vendor's words) leave some out; `users` says who is counted where users are. The sum is
    divided by `divide_by` (units of the count in one billed unit), times `multiply_by`, minus `included` (never
    below 0), at least `minimum` while anything is counted (`minimum_always`: even when nothing is), and rounded to
    a multiple of `rounding_step`.
    """

    basis: Basis = Basis.PURCHASED
    include_grace: bool = True
    include_foreign: bool = False
    include_trials: bool = False
    without_subscriptions: tuple[str, ...] = ()
    without_statuses: tuple[str, ...] = ()
    users: Users = EVERYBODY
    divide_by: Decimal = Decimal(1)
    multiply_by: Decimal = Decimal(1)
    included: Decimal = Decimal(0)
    minimum: Decimal = Decimal(0)
    minimum_always: bool = False
    rounding: Rounding = Rounding.NONE
    rounding_step: Decimal = Decimal(1)

    @property
    def leaves_out_subscriptions(self) -> bool:
        """Whether single subscriptions must be known; the vendor's own total is not enough."""
        return bool(self.without_subscriptions or self.without_statuses)

    @property
    def bills_users(self) -> bool:
        """Whether users who hold it are billed, not what was bought."""
        return self.basis in (Basis.ASSIGNED, Basis.ASSIGNED_ACTIVE)

    @property
    def filters(self) -> tuple[Users, ...]:
        """Counted are those whom all of these take."""
        named = () if self.users.is_everybody else (self.users,)
        return (ACTIVE, *named) if self.basis is Basis.ASSIGNED_ACTIVE else named

    @property
    def needs_holders(self) -> bool:
        """Whether single users must be known; the vendor's own total is not enough."""
        return bool(self.filters)


@dataclass(frozen=True, slots=True)
class Band:
    """Units above the band before, up to and including `upto` (None: all further ones), at a unit price.

    `product` names a product of its own for the band's line; with volume prices only that of usage can have one.
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
        of_bands = [band.product for band in self.price.bands if band.product is not None]
        return (self.product, *of_bands)
