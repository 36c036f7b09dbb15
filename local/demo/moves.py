"""Ten days in the life of the customers: whose seats, endpoints and devices go up and down before the last night."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random

from local.sandbox.world import Msp
from local.sandbox.world.rules import SOURCE

#: One in so many companies moves seats.
_ONE_IN = 2
_SMALLEST_TO_SHRINK = 4


@dataclass(frozen=True)
class Move:
    """A tenant's new number of seats of one SKU, and how many of them are assigned."""

    tenant: str
    sku: str
    enabled: int
    consumed: int


@dataclass(frozen=True)
class Growth:
    """What a customer of another vendor has more of: the sandbox's control for that vendor, and what it is told."""

    control: str
    body: dict[str, object]


#: The bill items with a line of ours, by company.
Billed = Mapping[int, frozenset[str]]


def choose_growth(msp: Msp, billed: Billed) -> Iterator[Growth]:
    """Two more endpoints and one more workstation, at the first company that is billed for them."""
    company = _first(billed, "huntress/edr")
    if company is not None:
        organization = msp.huntress.of_company(company)[0]
        yield Growth("huntress", {"organization": organization.id, "edr": (organization.counts["edr"] or 0) + 2})
    company = _first(billed, "cove/workstation")
    if company is not None:
        customer = msp.cove.of_company(company)[0].id
        yield Growth("cove", {"customer": customer, "workstation": msp.cove.counts_of(customer)["workstation"] + 1})


def _first(billed: Billed, item: str) -> int | None:
    return min((company for company, items in billed.items() if item in items), default=None)


def choose_moves(msp: Msp, billed: Billed, seed: int) -> list[Move]:
    """A seeded choice among the seats that TrueUp bills.

    Every other move takes seats away where there are enough, never so many that a guard would hold the change.
    """
    rng = Random(f"moves/{seed}")
    seats = {company: _skus(items) for company, items in billed.items()}
    movable = [linked for linked in msp.linked if seats.get(linked.company)]
    chosen = rng.sample(movable, k=-(-len(movable) // _ONE_IN))
    moves: list[Move] = []
    for linked in sorted(chosen, key=lambda linked: linked.company):
        tenant = msp.tenants[linked.tenant]
        sku = rng.choice(seats[linked.company])
        bought = sum(item.licenses for item in tenant.subscriptions_of(sku) if item.status == "Enabled")
        shrinks = len(moves) % 2 == 1 and bought >= _SMALLEST_TO_SHRINK
        enabled = bought - 1 if shrinks else bought + rng.randint(1, 4)
        moves.append(Move(tenant.id, sku, enabled, min(tenant.consumed(sku), enabled)))
    return moves


def _skus(items: frozenset[str]) -> list[str]:
    """The SKUs of Microsoft 365 among the bill items."""
    return sorted({item.rpartition("/")[2] for item in items if item.startswith(f"{SOURCE}/")})
