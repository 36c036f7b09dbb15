"""What the sandbox knows of a made-up MSP: its tenants and what they hold, and who in Manage they belong to."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from local.sandbox.manage.account import Account
from local.sandbox.manage.records import ManageRecords
from local.sandbox.pax8.world import Pax8World
from local.sandbox.world.cove import CoveTree
from local.sandbox.world.huntress import HuntressAccount
from local.sandbox.world.skus import PART_NUMBERS

_DEPARTMENTS = ("Sales", "Operations", "Finance", "Service", None)
_TITLES = ("Clerk", "Engineer", "Manager", None)
_OFFICES = ("Harbour Lane", "Mill Road", None)


class Consent(StrEnum):
    """What the app may do in a tenant; everything but GRANTED is answered the way Microsoft answers it."""

    GRANTED = "granted"
    MISSING = "missing"  # never consented: no token, AADSTS700016
    INCOMPLETE = "incomplete"  # consent was withdrawn in part: no token, AADSTS65001
    ROLE_DENIED = "role-denied"  # a token, and 403 Authorization_RequestDenied from Graph
    GONE = "gone"  # the tenant does not exist any more: no token, AADSTS90002


@dataclass(slots=True)
class Subscription:
    """One purchase of a SKU. `owner` is the partner tenant that sold it; None where Microsoft names nobody."""

    id: str
    commerce_id: str
    sku: str
    status: str
    licenses: int
    created: datetime
    renews: datetime
    owner: str | None
    trial: bool = False


@dataclass(slots=True)
class User:
    """An account. `skus` are the ids of the SKUs it holds, `mails` its addresses, the one in use first."""

    id: str
    name: str
    upn: str
    enabled: bool = True
    guest: bool = False
    skus: set[str] = field(default_factory=set)
    mails: list[str] = field(default_factory=list)
    title: str | None = None

    def __post_init__(self) -> None:
        """A guest has no mailbox here."""
        self.mails = self.mails or ([] if self.guest else [self.upn])
        self.title = self.title or _TITLES[int(self.id[-3:], 16) % len(_TITLES)]

    @property
    def number(self) -> int:
        """One that follows from the id, for what an account keeps for ever."""
        return int(self.id[-4:], 16)

    @property
    def department(self) -> str | None:
        """One of a few, or none; it follows from the id, so that an account keeps it for ever."""
        return _DEPARTMENTS[int(self.id[-2:], 16) % len(_DEPARTMENTS)]

    @property
    def office(self) -> str | None:
        return _OFFICES[int(self.id[-4:-2], 16) % len(_OFFICES)]


@dataclass(frozen=True, slots=True)
class Group:
    """A group of users and of groups in it (ids)."""

    id: str
    name: str
    members: tuple[str, ...]
    hidden: bool = False


@dataclass(slots=True)
class Tenant:
    """A Microsoft 365 tenant. `partner` is the partner tenant that lists it as a customer; None for a direct one.

    `answers_empty` makes Graph answer 200 with no rows, which is not the same as a customer who has nothing.
    `vanished` takes it off the partner's list: it has ended the relationship. `relationship_ends`: the relationship is
    not extended.
    """

    id: str
    name: str
    domain: str
    partner: str | None
    consent: Consent = Consent.GRANTED
    answers_empty: bool = False
    vanished: bool = False
    relationship_ends: date | None = None
    subscriptions: list[Subscription] = field(default_factory=list)
    users: list[User] = field(default_factory=list)

    def skus(self) -> list[str]:
        """Every SKU that is bought or held, in the order in which it was first bought."""
        bought = dict.fromkeys(subscription.sku for subscription in self.subscriptions)
        held = dict.fromkeys(sku for user in self.users for sku in sorted(user.skus))
        return list(bought | held)

    def subscriptions_of(self, sku: str) -> list[Subscription]:
        return [subscription for subscription in self.subscriptions if subscription.sku == sku]

    def consumed(self, sku: str) -> int:
        return sum(sku in user.skus for user in self.users)

    def groups(self) -> dict[str, Group]:
        """By id: everybody in Sales, everybody in Service, the front office that both are, and one that hides who."""

        def group(name: str, *members: str, hidden: bool = False) -> Group:
            return Group(str(uuid.uuid5(uuid.UUID(self.id), name)), name, members, hidden)

        teams = [
            group(team, *(user.id for user in self.users if user.department == team)) for team in ("Sales", "Service")
        ]
        every = [*teams, group("Front office", *(team.id for team in teams)), group("Board", hidden=True)]
        return {each.id: each for each in every}

    def everybody_in(self, group: str) -> list[str]:
        """The ids of all that is in a group, also through groups in it, each once."""
        groups, found, ahead = self.groups(), dict[str, None](), [group]
        while ahead:
            for member in groups[ahead.pop()].members:
                if member not in found:
                    found[member] = None
                    ahead += [member] if member in groups else []
        return list(found)

    def licensed_users(self) -> Iterator[User]:
        return (user for user in self.users if user.skus)


@dataclass(frozen=True, slots=True)
class Partner:
    """A partner tenant of the MSP; the first one has most of the customers."""

    id: str
    name: str
    domain: str


@dataclass(frozen=True, slots=True)
class LinkedCompany:
    """A company in Manage, the tenant that belongs to it, and its own licence choices (as in the rules document)."""

    company: int
    name: str
    tenant: str
    licences: tuple[dict[str, object], ...] = ()
    adopt_marked: bool = False


@dataclass(slots=True)
class Msp:
    """The made-up MSP. `linked` are the companies that the rules know; other tenants of a partner are new customers."""

    seed: int
    today: date
    records: ManageRecords
    account: Account
    partners: tuple[Partner, ...]
    tenants: dict[str, Tenant]
    client_id: str
    client_secret: str
    huntress: HuntressAccount
    cove: CoveTree
    pax8: Pax8World
    linked: list[LinkedCompany] = field(default_factory=list)

    def customers_of(self, partner: str) -> list[Tenant]:
        """The tenants in the partner's list of customers: all of its own that have not vanished from it."""
        return [t for t in self.tenants.values() if t.partner == partner and not t.vanished]

    def direct_tenants(self) -> list[Tenant]:
        partners = {partner.id for partner in self.partners}
        return [tenant for tenant in self.tenants.values() if tenant.partner is None and tenant.id not in partners]

    def tenant_named(self, name: str) -> Tenant | None:
        """By id or domain, in any case."""
        wanted = name.casefold()
        found = self.tenants.get(wanted)
        return found or next((t for t in self.tenants.values() if t.domain == wanted), None)


def part_number(sku: str) -> str:
    return PART_NUMBERS.get(sku, sku)
