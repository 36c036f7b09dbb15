"""Ten days in the life of the customers: whose seats go up and down before the last night."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from local.sandbox.world import Msp

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


def choose_moves(msp: Msp, billed: Mapping[int, frozenset[str]], seed: int) -> list[Move]:
    """A seeded choice among what TrueUp bills: `billed` are the SKUs with a line of ours, by company.

    Every other move takes seats away where there are enough, never so many that a guard would hold the change.
    """
    rng = Random(f"moves/{seed}")
    movable = [linked for linked in msp.linked if billed.get(linked.company)]
    chosen = rng.sample(movable, k=-(-len(movable) // _ONE_IN))
    moves: list[Move] = []
    for linked in sorted(chosen, key=lambda linked: linked.company):
        tenant = msp.tenants[linked.tenant]
        sku = rng.choice(sorted(billed[linked.company]))
        seats = sum(item.licenses for item in tenant.subscriptions_of(sku) if item.status == "Enabled")
        shrinks = len(moves) % 2 == 1 and seats >= _SMALLEST_TO_SHRINK
        enabled = seats - 1 if shrinks else seats + rng.randint(1, 4)
        moves.append(Move(tenant.id, sku, enabled, min(tenant.consumed(sku), enabled)))
    return moves
