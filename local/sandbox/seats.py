"""Moves a tenant's seats, so that subscriptions, control totals and holders stay consistent."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from local.sandbox.world import Msp, Subscription, Tenant, User
from local.sandbox.world.skus import PART_NUMBERS
from shared.errors import Gone

Units = Annotated[int, Field(ge=0, le=1_000_000)]


class Seats(BaseModel):
    """`sku` is a skuId or a part number, `tenant` an id or a domain; a number that is left out stays as it is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tenant: str
    sku: str
    enabled: Units | None = None
    consumed: Annotated[int, Field(ge=0, le=10_000)] | None = None


def set_seats(msp: Msp, seats: Seats, today: date) -> dict[str, object]:
    """Makes the active subscriptions add up to `enabled` and exactly `consumed` users hold the SKU.

    A subscription that comes down to nothing is gone; a SKU that nobody bought or holds is no longer listed. Raises
    Gone for an unknown tenant or SKU.
    """
    tenant = msp.tenant_named(seats.tenant)
    if tenant is None:
        raise Gone(f"there is no tenant {seats.tenant!r}", system="sandbox", remedy="GET /_sandbox/msp lists them.")
    sku = _sku_id(tenant, seats.sku)
    if seats.enabled is not None:
        _set_enabled(tenant, sku, seats.enabled, today)
    if seats.consumed is not None:
        _set_consumed(tenant, sku, seats.consumed)
    enabled = sum(item.licenses for item in _active(tenant, sku))
    return {"tenant": tenant.id, "sku": sku, "enabled": enabled, "consumed": tenant.consumed(sku)}


def _sku_id(tenant: Tenant, name: str) -> str:
    wanted = name.casefold()
    by_name = {part.casefold(): sku for sku, part in PART_NUMBERS.items()}
    sku = by_name.get(wanted, wanted)
    if sku not in PART_NUMBERS and sku not in tenant.skus():
        raise Gone(f"there is no SKU {name!r}", system="sandbox", remedy="Name a skuId or a part number such as SPB.")
    return sku


def _active(tenant: Tenant, sku: str) -> list[Subscription]:
    return [item for item in tenant.subscriptions_of(sku) if item.status == "Enabled"]


def _set_enabled(tenant: Tenant, sku: str, enabled: int, today: date) -> None:
    """Seats are added to the MSP's own first subscription and taken from the newest ones."""
    active = _active(tenant, sku)
    missing = enabled - sum(item.licenses for item in active)
    own = next((item for item in active if item.owner == tenant.partner and not item.trial), None)
    if missing > 0 and own is not None:
        own.licenses += missing
    elif missing > 0:
        tenant.subscriptions.append(_bought(tenant, sku, missing, today))
    for item in reversed(active):
        taken = min(item.licenses, max(0, -missing))
        item.licenses -= taken
        missing += taken
    tenant.subscriptions = [item for item in tenant.subscriptions if item.licenses > 0]


def _bought(tenant: Tenant, sku: str, licenses: int, today: date) -> Subscription:
    created = datetime(today.year, today.month, today.day, tzinfo=UTC)
    number = len(tenant.subscriptions)
    return Subscription(
        id=_stable_id(tenant, f"subscription/{sku}/{number}"),
        commerce_id=_stable_id(tenant, f"commerce/{sku}/{number}"),
        sku=sku,
        status="Enabled",
        licenses=licenses,
        created=created,
        renews=created + timedelta(days=365),
        owner=tenant.partner,
    )


def _set_consumed(tenant: Tenant, sku: str, consumed: int) -> None:
    """Licences go to the first users who have none of this SKU; new users join when there are not enough."""
    holders = [user for user in tenant.users if sku in user.skus]
    for user in holders[consumed:]:
        user.skus.discard(sku)
    wanted = consumed - len(holders)
    free = [user for user in tenant.users if sku not in user.skus and user.enabled and not user.guest]
    while len(free) < wanted:
        number = len(tenant.users) + 1
        newcomer = User(_stable_id(tenant, f"user/{number}"), f"Joiner {number}", f"joiner{number}@{tenant.domain}")
        tenant.users.append(newcomer)
        free.append(newcomer)
    for user in free[: max(0, wanted)]:
        user.skus.add(sku)


def _stable_id(tenant: Tenant, name: str) -> str:
    """The same for the same history, so that a demo can be repeated."""
    return str(uuid.uuid5(uuid.UUID(tenant.id), name))
