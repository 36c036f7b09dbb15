"""How to bill: the MSP's rules and each company's own. Values only; the planner gives them meaning.

What a billing profile says stands in `profiles`, what holds changes back in `limits`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum

from shared.billing.contact_rules import NO_CONTACTS, ContactRules
from shared.billing.limits import Approvals, FleetLimit, Guards
from shared.billing.profiles import BillingProfile, CountedOn
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
    whatever the count says. `product` is billed instead of the profile's (bands with products of their own keep them);
    `cost` is what a unit costs the MSP in a billing cycle of its agreement, whatever others tell, and is written on the
    lines. `start`: nothing is billed before that day. `waive_until`: seats that came up to that
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
    product: str | None = None
    cost: Decimal | None = None


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
    contacts: ContactRules = NO_CONTACTS
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
