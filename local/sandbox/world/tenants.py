"""Made-up Microsoft 365 tenants: who works there, what was bought, and who holds it."""

from __future__ import annotations

import math
import uuid
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from random import Random

from local.sandbox.world.model import Subscription, Tenant, User
from local.sandbox.world.names import person_name, slug
from local.sandbox.world.skus import FABRIC_FREE, FREE_SKUS, POWER_AUTOMATE_FREE, SKUS, TEAMS_EXPLORATORY

#: The tenant of another partner, who sold some of the subscriptions.
FOREIGN_PARTNER = "b7c9a1de-52f4-4f0e-9a63-0c1d7be2f684"
#: Users of the one tenant that needs more than one page of 999.
LARGE_TENANT = 1_180

MEDIAN_USERS = 12
_SPREAD = 1.35
_LARGEST_USUAL = 900
_BUSINESS_LIMIT = 300


@dataclass(frozen=True, slots=True)
class Addon:
    """A SKU that comes beside the main plan: in what share of tenants, and for what share of their users at most."""

    product: str
    tenants: float
    users: float


_ADDONS = (
    Addon("TEAMS-PHONE", 0.30, 0.80),
    Addon("PBI-PRO", 0.25, 0.15),
    Addon("DEF-P1", 0.20, 1.00),
    Addon("ENTRA-P1", 0.12, 1.00),
    Addon("PROJECT-P3", 0.15, 0.10),
    Addon("M365-COPILOT", 0.20, 0.15),
    Addon("VISIO-P2", 0.20, 0.10),
    Addon("TEAMS-ROOMS", 0.06, 0.05),
    Addon("EXO-ARCHIVE", 0.10, 0.30),
)


def guid(rng: Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def usual_size(rng: Random) -> int:
    """Licensed users of a tenant: log-normal around a dozen, some above 300."""
    return min(_LARGEST_USUAL, max(1, round(rng.lognormvariate(math.log(MEDIAN_USERS), _SPREAD))))


def make_tenant(rng: Random, name: str, partner: str | None, size: int, today: date) -> Tenant:
    """A tenant with `size` licensed users. Subscriptions of a direct tenant name no owner."""
    domain = f"{slug(name)}.example"
    tenant = Tenant(id=guid(rng), name=name, domain=domain, partner=partner)
    tenant.users = [_user(rng, domain) for _ in range(size)]
    _give_main_plans(rng, tenant)
    _give_addons(rng, tenant)
    shop = Shop(rng, partner, today)
    for sku in list(tenant.skus()):
        tenant.subscriptions += shop.subscriptions(sku, tenant.consumed(sku))
    _give_free(rng, tenant, shop)
    tenant.users += [_user(rng, domain, licensed=False) for _ in range(size // 20 + 1)]
    return tenant


def _user(rng: Random, domain: str, *, licensed: bool = True) -> User:
    name = person_name(rng)
    guest = rng.random() < (0.01 if licensed else 0.5)
    local = f"{slug(name)}{rng.randrange(1000)}"
    upn = f"{local}_partner.example#EXT#@{domain}" if guest else f"{local}@{domain}"
    return User(id=guid(rng), name=name, upn=upn, enabled=rng.random() > 0.04, guest=guest)


def _give_main_plans(rng: Random, tenant: Tenant) -> None:
    """Business plans below 300 users, enterprise plans above; some people have a mailbox only."""
    if len(tenant.users) < _BUSINESS_LIMIT:
        main = rng.choices(("M365-BP", "M365-BS", "M365-BB", "O365-E3"), (50, 30, 14, 6))[0]
        second = rng.choice([plan for plan in ("M365-BP", "M365-BS", "M365-BB") if plan != main])
        shares = {main: rng.uniform(70, 95), second: rng.uniform(0, 15), "EXO-P1": rng.uniform(0, 15)}
    else:
        shares = {"M365-E3": 55.0, "M365-E5": 12.0, "M365-F3": 25.0, "EXO-P1": 8.0}
    plans = rng.choices(list(shares), list(shares.values()), k=len(tenant.users))
    for user, product in zip(tenant.users, plans, strict=True):
        user.skus.add(SKUS[product].id)


def _give_addons(rng: Random, tenant: Tenant) -> None:
    for addon in _ADDONS:
        if rng.random() < addon.tenants:
            holders = max(1, round(len(tenant.users) * addon.users * rng.uniform(0.2, 1.0)))
            for user in rng.sample(tenant.users, holders):
                user.skus.add(SKUS[addon.product].id)


def _give_free(rng: Random, tenant: Tenant, shop: Shop) -> None:
    shares = {POWER_AUTOMATE_FREE: 0.7, FABRIC_FREE: 0.45, TEAMS_EXPLORATORY: 0.1}
    for free in FREE_SKUS:
        if rng.random() < shares[free]:
            for user in rng.sample(tenant.users, rng.randint(1, min(4, len(tenant.users)))):
                user.skus.add(free.id)
            tenant.subscriptions.append(shop.subscription(free.id, free.units, owner=None))


@dataclass(frozen=True, slots=True)
class Shop:
    """Buys subscriptions for one tenant."""

    rng: Random
    partner: str | None
    today: date

    def subscription(
        self, sku: str, licenses: int, *, owner: str | None, status: str = "Enabled", trial: bool = False
    ) -> Subscription:
        bought = self.today - timedelta(days=self.rng.randint(20, 900))
        renews = self.today + timedelta(days=self.rng.randint(1, 330))
        return Subscription(
            id=guid(self.rng),
            commerce_id=guid(self.rng),
            sku=sku,
            status=status,
            licenses=licenses,
            created=_midnight(bought),
            renews=_midnight(renews),
            owner=owner,
            trial=trial,
        )

    def subscriptions(self, sku: str, held: int) -> list[Subscription]:
        """What was bought for `held` users: often more, sometimes expired, a trial or bought elsewhere."""
        bought = held + (0 if self.rng.random() < 0.4 else 1 + round(held * self.rng.uniform(0, 0.15)))
        if sku == SKUS["M365-COPILOT"].id and self.rng.random() < 0.35:
            return [self.subscription(sku, max(25, held), owner=self.partner, trial=True)]
        fate = self.rng.random()
        if fate < 0.03:
            return [self.subscription(sku, bought, owner=self.partner, status="Suspended")]
        if fate < 0.06:
            return [self.subscription(sku, bought, owner=self.partner, status="Warning")]
        if fate < 0.10:
            elsewhere = max(1, bought // 3)
            own = bought - elsewhere
            parts = [self.subscription(sku, elsewhere, owner=FOREIGN_PARTNER)]
            return [self.subscription(sku, own, owner=self.partner), *parts] if own else parts
        if fate < 0.25 and bought > 1:
            first = self.rng.randint(1, bought - 1)
            return [self.subscription(sku, part, owner=self.partner) for part in (first, bought - first)]
        return [self.subscription(sku, bought, owner=self.partner)]


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
