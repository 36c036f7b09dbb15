"""What a vendor offers the MSP, and what it charges it. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum


class OfferKind(StrEnum):
    """How a vendor prices units: all alike, all at the price of the step reached, each at its own step's, by markup."""

    FLAT = "flat"
    VOLUME = "volume"
    TIERED = "tiered"
    MARKUP = "mark-up"


@dataclass(frozen=True, slots=True)
class PriceStep:
    """A step of a price: units up to `upto` (None: all further ones) cost the MSP `cost` and a customer `retail` each.

    `whole`: the amounts are for the step, not for a unit. Amounts are None where the vendor tells none.
    """

    upto: Decimal | None
    cost: Decimal | None
    retail: Decimal | None
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Offer:
    """What one SKU is sold as: the vendor's words, its term, and its price by steps, the lowest first."""

    sku: str
    name: str
    vendor: str
    vendor_sku: str
    term: str
    commitment: str | None
    kind: OfferKind
    unit: str | None
    steps: tuple[PriceStep, ...]


#: What vendors call a period that is charged from its beginning: Pax8 the first word, Microsoft the others.
_WHOLE = frozenset({"subscription", "new", "renew", "cyclecharge"})
#: The kind of a charge for what is bought once, which nobody has from period to period.
ONCE = "one-time"


@dataclass(frozen=True, slots=True)
class Charge:
    """One item of a vendor's invoice to the MSP. `invoice` None: of a draft that may still change.

    `kind` is the vendor's own word (a subscription, a part of a month, a credit), or `ONCE`. `customer` and `sku` are
    None for what belongs to none. `start` and `end` are as the vendor writes them: it does not say whether the last day
    is among them. `total` is what the item costs the MSP before tax, below zero for a credit. `used`: it is for usage,
    which is counted in money. `subscription` is what it is for, where the vendor names one. `growing`: more of
    what it is for is still to come.
    """

    customer: str | None
    sku: str | None
    name: str
    kind: str
    start: date | None
    end: date | None
    quantity: Decimal
    total: Decimal
    currency: str | None
    invoice: str | None
    used: bool = False
    subscription: str | None = None
    growing: bool = False

    @property
    def is_of_a_whole_period(self) -> bool:
        """Whether its quantity is what the customer has: parts of months and credits only correct the amount."""
        return self.kind in _WHOLE

    @property
    def is_once(self) -> bool:
        """Whether it is for what is bought once, such as a setup: it is in no count, so no rule bills it."""
        return self.kind == ONCE

    @property
    def tells_units(self) -> bool:
        """Whether it says how much the customer has, or used."""
        return self.used or self.is_of_a_whole_period

    @property
    def units(self) -> Decimal:
        """What it says of how much the customer has, used, or bought once."""
        if self.used:
            return self.total
        return self.quantity if self.is_of_a_whole_period or self.is_once else Decimal(0)


@dataclass(frozen=True, slots=True)
class UsageSoFar:
    """What a vendor says was used up to now of what it charges afterwards: it goes on changing until it is invoiced.

    `cost` is what it would charge the MSP, `retail` its price for the customer; None where it does not tell. `currency`
    likewise.
    """

    customer: str
    sku: str
    name: str
    cost: Decimal | None
    retail: Decimal | None
    currency: str | None


@dataclass(frozen=True, slots=True)
class MonthlyCharges:
    """What a vendor charges for one customer in one billing month; of no customer where it is empty."""

    customer: str
    charges: tuple[Charge, ...]
