"""What people are shown of a company without asking anybody: what its last look saw, and the sums that lists show."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from shared.billing.agreements import Addition, Agreement
from shared.billing.counts import Money, SubscriptionStatus
from shared.billing.planning.plan import Billed


@dataclass(frozen=True, slots=True)
class Bought:
    """One subscription of a licence, as its source told it."""

    id: str
    quantity: Decimal
    status: SubscriptionStatus
    trial: bool = False
    owned: bool | None = None
    renews: date | None = None
    committed_until: date | None = None
    term: str | None = None
    auto_renews: bool | None = None
    commerce_id: str | None = None


@dataclass(frozen=True, slots=True)
class Licence:
    """One SKU that a customer has: the count without its users, of whom only the number is kept where it is known."""

    source: str
    customer: str
    sku: str
    name: str
    purchased: Decimal
    grace: Decimal = Decimal(0)
    assigned: Decimal | None = None
    bought: tuple[Bought, ...] | None = None
    users: int | None = None
    free: bool = False
    level: bool = False
    cost: Money | None = None
    retail: Money | None = None


@dataclass(frozen=True, slots=True)
class Overview:
    """What the last look at a company saw.

    Of a customer or an agreement that was not read then, what was last seen of it. `lines` are the additions that bill
    today or later, or with the next invoice, without their texts, which may name users.
    """

    licences: tuple[Licence, ...] = ()
    billed: tuple[Billed, ...] = ()
    agreements: tuple[Agreement, ...] = ()
    lines: tuple[Addition, ...] = ()


@dataclass(frozen=True, slots=True)
class Summary:
    """What a list of companies shows of one.

    `findings` counts the open ones by kind. `monthly` is what standing lines of ours add to the next invoice, per
    month, by currency (empty where Manage tells none); `planned` what the plan would change of that.
    """

    findings: dict[str, int] = field(default_factory=dict)
    monthly: dict[str, Decimal] = field(default_factory=dict)
    planned: dict[str, Decimal] = field(default_factory=dict)
