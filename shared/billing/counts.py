"""What a vendor says a customer has: counts, readings, and failed readings as a type of their own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from shared.billing.lines import canonical


class AccountKind(StrEnum):
    """What an account may be beside a member's that is enabled; it may be both."""

    DISABLED = "disabled"
    GUESTS = "guests"


@dataclass(frozen=True, slots=True)
class Holder:
    """A user who holds a licence. `name` may be printed on an invoice, never in a log.

    `department`, `office` and `domain` (of the sign-in name) are empty where the user has none, `groups` (ids or names)
    likewise; None where the source does not tell. `groups_told`: the groups of which it tells whether the user is in
    them, None where that is all there are.
    """

    id: str
    name: str
    enabled: bool = True
    guest: bool = False
    department: str | None = None
    office: str | None = None
    domain: str | None = None
    groups: tuple[str, ...] | None = None
    groups_told: tuple[str, ...] | None = None

    @property
    def accounts(self) -> tuple[AccountKind, ...]:
        """Which kinds of account it is."""
        if self.enabled and not self.guest:
            return ()
        disabled, guest = (AccountKind.DISABLED,), (AccountKind.GUESTS,)
        return (() if self.enabled else disabled) + (guest if self.guest else ())


@dataclass(frozen=True, slots=True)
class Money:
    """A price or cost of one unit, as the vendor tells it.

    `period` says what the amount pays for: a month, a year, the whole term, the unit once and for all (of what was
    used), or unknown where the vendor does not tell.
    `currency` is an ISO 4217 code, None where the vendor does not tell; nobody guesses either.
    """

    amount: Decimal
    period: Literal["month", "year", "term", "once", "unknown"]
    currency: str | None = None


class SubscriptionStatus(StrEnum):
    """Life of a subscription. Only ENABLED and WARNING (expired, in its grace period) can be billed."""

    ENABLED = "enabled"
    WARNING = "warning"
    SUSPENDED = "suspended"
    LOCKED_OUT = "lockedout"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Usage:
    """What was used on single days, as the vendor dates it; nothing on those that are not among `days`.

    Known to its end from `since` to `until`, both included: later days may still grow.
    """

    days: tuple[tuple[date, Decimal], ...]
    since: date
    until: date

    def within(self, start: date, end: date) -> Decimal | None:
        """What was used from `start` to `end`, both included; None while that is not known to its end."""
        if start < self.since or end > self.until:
            return None
        return sum((amount for day, amount in self.days if start <= day <= end), Decimal(0))


@dataclass(frozen=True, slots=True)
class Subscription:
    """One purchase of a SKU. `owned` is False when another partner sold it, None when the vendor does not tell.

    `committed_until` is the last day of a commitment: the vendor charges at least the quantity until then. `changed` as
    on `Count`, for this subscription alone. `revision` is the vendor's mark that changes with the subscription. `usage`
    where it is charged for what was used. `term` is how long it runs (`P1M`, `P1Y`), `auto_renews` whether for another
    term by itself; None where the vendor does not tell. `vendor_status` is the vendor's own word, None where it has
    none but ours.
    """

    id: str
    quantity: Decimal
    status: SubscriptionStatus
    trial: bool = False
    owned: bool | None = None
    commerce_id: str | None = None
    started: date | None = None
    renews: date | None = None
    committed_until: date | None = None
    changed: tuple[tuple[date, Decimal], ...] = ()
    revision: str | None = None
    usage: Usage | None = None
    term: str | None = None
    auto_renews: bool | None = None
    vendor_status: str | None = None


@dataclass(frozen=True, slots=True)
class Count:
    """What one customer has of one SKU at one source, in units of that SKU.

    `purchased` and `grace` are the vendor's own totals (active, and expired but in grace): the control totals of
    `subscriptions` where the vendor lists those (`subscriptions` is None where it does not). `assigned` is None when
    the vendor cannot tell, `holders` where it does not tell who they are. `free` marks SKUs the vendor gives away;
    nobody wants to hear that they are unmapped.

    `cost` is what one unit costs the MSP, `retail` the vendor's price for the customer; None where it tells none, or
    more than one for this SKU. `changed` holds the vendor's own days: on each, oldest first and over the last 60 days
    at most, the whole quantity of this count changed to the number beside it. Empty where the vendor tells no days.
    `level` marks a level such as storage, which goes up and down: the highest of a period is what the vendor bills.
    """

    source: str
    customer: str
    sku: str
    name: str
    purchased: Decimal
    grace: Decimal = Decimal(0)
    assigned: Decimal | None = None
    subscriptions: tuple[Subscription, ...] | None = None
    holders: tuple[Holder, ...] | None = None
    free: bool = False
    cost: Money | None = None
    retail: Money | None = None
    changed: tuple[tuple[date, Decimal], ...] = ()
    level: bool = False

    @property
    def is_nothing(self) -> bool:
        return not (self.purchased or self.grace or self.assigned or self.subscriptions or self.holders)


@dataclass(frozen=True, slots=True)
class Scope:
    """The SKUs a reading is authoritative for: absent inside the scope means zero, outside means unknown.

    `skus` None means every SKU of that customer at that source, but those of `without`; ids in canonical form.
    """

    skus: frozenset[str] | None = None
    without: frozenset[str] = frozenset()

    def covers(self, sku: str) -> bool:
        wanted = canonical(sku)
        return (self.skus is None or wanted in self.skus) and wanted not in self.without


@dataclass(frozen=True, slots=True)
class Reading:
    """The counts of one customer on one day (in the MSP's zone), complete within `scope`; at most one count per SKU."""

    source: str
    customer: str
    day: date
    counts: tuple[Count, ...]
    scope: Scope = Scope()


@dataclass(frozen=True, slots=True)
class Moment:
    """What customers of one company had at a moment between two syncs: one reading of each, all of the same day."""

    at: datetime
    day: date
    readings: tuple[Reading, ...]


@dataclass(frozen=True, slots=True)
class Counted:
    """What a bill item was counted as on its last count day, as its sources told it; all parts of a split item.

    `first_uninvoiced` began the first period of `agreement` that was not invoiced on that day, None where that could
    not be read. `all_zero`: every count of a source of it was zero. `observed_some`: there was some on the last night
    since then on which the company was only observed.
    """

    day: date
    agreement: int
    first_uninvoiced: date | None
    counts: tuple[Count, ...] = ()
    all_zero: bool = False
    observed_some: bool = False


class FailureKind(StrEnum):
    """Why nothing is known; the values are finding kinds."""

    READ_FAILED = "read-failed"
    CONSENT_LOST = "consent-lost"
    CUSTOMER_GONE = "customer-gone"


@dataclass(frozen=True, slots=True)
class ReadFailure:
    """A read that told nothing. It has no counts, so it can never be mistaken for a reading of zero.

    `reason` and `remedy` are plain sentences; neither holds a secret, a token or a user's name.
    """

    source: str
    customer: str
    kind: FailureKind
    reason: str
    remedy: str
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Customer:
    """The vendor's own record of a customer. `partner` is the partner tenant or account it was listed by.

    `domains` and `reference` (what the MSP itself wrote there, such as Manage's company id) help a person to find the
    company; they never decide. `verified` are domains of which the vendor has made sure that they are the customer's.
    `tenant` is the Microsoft 365 tenant that the vendor says it has.
    """

    source: str
    id: str
    name: str
    partner: str | None = None
    domains: tuple[str, ...] = ()
    reference: str | None = None
    tenant: str | None = None
    verified: tuple[str, ...] = ()

    @property
    def known_domains(self) -> tuple[str, ...]:
        """Every domain once, the verified ones first."""
        return tuple(dict.fromkeys((*self.verified, *self.domains)))


@dataclass(frozen=True, slots=True)
class Relationship:
    """What lets us into a customer, and its last day; None where it is renewed by itself. `over`: it has ended."""

    source: str
    customer: str
    name: str
    ends: date | None
    over: bool = False


@dataclass(frozen=True, slots=True)
class VendorInvoice:
    """An invoice of a vendor to the MSP, and the day on which it was made."""

    id: str
    day: date
