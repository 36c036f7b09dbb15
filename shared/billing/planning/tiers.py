"""Tiered prices and packages: the bands of a price rule, each billed by a line of its own.

The seats of a band are those above its lower bound, so that the seat-slot rule holds for every band by itself. Of
packages only that of the band reached is billed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from shared.billing.lines import PACKAGE
from shared.billing.profiles import Band, PriceKind, PriceRule
from shared.billing.wording import number


@dataclass(frozen=True, slots=True)
class Tier:
    """Units above `lower`, up to and including `upto`; None: all further ones. `is_package`: together they are one."""

    lower: Decimal
    upto: Decimal | None
    price: Decimal
    product: str | None = None
    is_package: bool = False

    @property
    def bounds(self) -> str:
        """Names the tier in line keys: 0-10, 50-, package-0-100. Schema: stamps are made of it."""
        bounds = f"{number(self.lower)}-{number(self.upto) if self.upto is not None else ''}"
        return PACKAGE + bounds if self.is_package else bounds

    def part_of(self, quantity: Decimal) -> Decimal:
        """How many of so many units lie in this tier."""
        reached = quantity if self.upto is None else min(quantity, self.upto)
        return max(reached - self.lower, Decimal(0))


def part_of(tier: Tier | None, quantity: Decimal) -> Decimal:
    """How many of so many units a line bills: those of its tier, or all."""
    return quantity if tier is None else tier.part_of(quantity)


def tiers_of(rule: PriceRule) -> tuple[Tier | None, ...]:
    """The tiers that have lines of their own; only None for a price that has none."""
    return tuple(_tiers(rule)) if rule.kind in (PriceKind.TIERED, PriceKind.PACKAGE) else (None,)


def packages_of(rule: PriceRule) -> tuple[Tier, ...]:
    """The packages of a price rule, the smallest first; none for every other price."""
    return tuple(_tiers(rule)) if rule.kind is PriceKind.PACKAGE else ()


def _tiers(rule: PriceRule) -> Iterator[Tier]:
    lower = Decimal(0)
    for band in rule.bands:
        yield Tier(lower, band.upto, band.price, band.product, rule.kind is PriceKind.PACKAGE)
        lower = band.upto if band.upto is not None else lower


def band_reached(rule: PriceRule, quantity: Decimal) -> Band:
    """The band whose price all units have with volume prices; an upper bound belongs to its band."""
    return next((band for band in rule.bands if band.upto is None or quantity <= band.upto), rule.bands[-1])
