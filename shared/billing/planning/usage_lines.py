"""What the usage of one period is billed as: one line, one for each band of its price, or the package reached.

Units are charged once, whatever bands they were charged in: the first ones count as charged first. A package is charged
once a period; where a late value reaches a larger one, that is billed and the smaller one is given back. So are units
that were charged at the price of a band, where a late value lifts all of them into another one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal

from shared.billing.calendar import Period
from shared.billing.lines import PACKAGE
from shared.billing.planning.doubts import product_for
from shared.billing.planning.one_offs import ChargedOnce, Once
from shared.billing.planning.owed import Owed, billed_in
from shared.billing.planning.pricing import price_of_band, unit_price
from shared.billing.planning.situation import Doubt, Situation, Target
from shared.billing.planning.tiers import Tier, band_reached, packages_of, part_of, tiers_of
from shared.billing.profiles import PriceKind
from shared.billing.proration import Share

_ZERO, _ONE = Decimal(0), Decimal(1)


@dataclass(frozen=True, slots=True)
class Used:
    """What a period used in all, and how much of it other lines than one-off ones charge."""

    period: Period
    quantity: Decimal
    otherwise: Decimal


@dataclass(frozen=True, slots=True)
class UsageLine:
    """A line that is still to be written for what a period used; `back` is one that it gives back, else None."""

    target: Target
    owed: Owed
    back: Once | None = None


def usage_lines(target: Target, used: Used, charged: ChargedOnce, situation: Situation) -> list[UsageLine]:
    """What is not charged yet, smallest band first. Raises `Doubt` where a band has no product to be written with."""
    once = [line for line in charged.lines if line.start == used.period.start]
    packages = packages_of(target.item.price_rule)
    if packages:
        return list(_as_package(target, used, packages, once, situation))
    if any(line.band.startswith(PACKAGE) for line in once):
        return []
    lifted = _lifted(target, used, once)
    if lifted:
        return list(_as_volume(target, used, lifted, once, situation))
    return list(_by_units(target, used, once, situation))


def amount_of(lines: Iterable[UsageLine]) -> Decimal | None:
    """What lines come to at the prices of tonight, in the agreement's currency; None where no price is known."""
    total = _ZERO
    with suppress(Doubt):
        for line in lines:
            price = unit_price(line.target, None, keeps=False) if line.back is None else line.back.unit_price
            total += line.owed.quantity * price
        return total
    return None


def _by_units(target: Target, used: Used, once: Collection[Once], situation: Situation) -> Iterator[UsageLine]:
    tiers = tiers_of(target.item.price_rule)
    charged: defaultdict[str, Decimal] = defaultdict(Decimal)
    for (band, _, _), lines in _standing(once).items():
        charged[band] += _units(lines)
    bands = {_band(tier) for tier in tiers}
    left = used.quantity - used.otherwise - sum(charged.values(), _ZERO)
    first = used.otherwise + sum((units for band, units in charged.items() if band not in bands), _ZERO)
    for tier in tiers:
        units = part_of(tier, used.quantity) - max(charged[_band(tier)], part_of(tier, first))
        units = min(units, left)
        if units > 0:
            left -= units
            yield UsageLine(_in_band(target, tier, used, situation), _owed(target, used.period, units))


def _standing(once: Iterable[Once]) -> dict[tuple[str, str, Decimal], list[Once]]:
    """The lines by band, product and price, but those that were given back."""
    found: defaultdict[tuple[str, str, Decimal], list[Once]] = defaultdict(list)
    for line in once:
        found[line.band, line.product.casefold(), line.unit_price].append(line)
    return {said: lines for said, lines in found.items() if _units(lines) > 0}


def _units(lines: Iterable[Once]) -> Decimal:
    return sum((line.quantity for line in lines), _ZERO)


def _lifted(target: Target, used: Used, once: Collection[Once]) -> list[list[Once]]:
    """Of a volume price, the lines whose units all have the price of another band by now.

    None where any line has a price that its units do not have today: prices that change change nothing of the past.
    """
    if target.item.price_rule.kind is not PriceKind.VOLUME:
        return []
    standing = _standing(once)
    most = max([used.quantity, *(_units(lines) + used.otherwise for lines in standing.values())])
    reached = _said_by_band(target, most)
    others = {said: lines for said, lines in standing.items() if said != reached}
    if any(said != _said_by_band(target, _units(lines) + used.otherwise) for said, lines in others.items()):
        return []
    return list(others.values())


def _said_by_band(target: Target, quantity: Decimal) -> tuple[str, str, Decimal]:
    """Band, product and price of a line of so many units."""
    band = band_reached(target.item.price_rule, quantity)
    return "", (band.product or target.profile.product).casefold(), price_of_band(band, target)


def _as_volume(
    target: Target, used: Used, lifted: Iterable[list[Once]], once: Iterable[Once], situation: Situation
) -> Iterator[UsageLine]:
    """All units at the price of the band reached; those of other bands are given back as they were charged."""
    whole, lifted = _in_band(target, None, used, situation), list(lifted)
    kept = [lines for lines in _standing(once).values() if lines not in lifted]
    more = used.quantity - used.otherwise - sum(map(_units, kept), _ZERO)
    if more > 0:
        yield UsageLine(whole, _owed(target, used.period, more))
    for lines in lifted:
        back = max(lines, key=lambda line: line.quantity)
        there = replace(whole, product=product_for(back.product, situation))
        yield UsageLine(there, _owed(target, used.period, -_units(lines)), back)


def _as_package(
    target: Target, used: Used, packages: Iterable[Tier], once: Iterable[Once], situation: Situation
) -> Iterator[UsageLine]:
    """A period that anything else charges, such as a package that the price has no more, is not billed again."""
    by_band: defaultdict[str, list[Once]] = defaultdict(list)
    for line in once:
        by_band[line.band].append(line)
    standing = {band: lines for band, lines in by_band.items() if sum(line.quantity for line in lines) > 0}
    packages = list(packages)
    if used.quantity <= 0 or used.otherwise > 0 or not standing.keys() <= {package.bounds for package in packages}:
        return
    reached = next(package for package in packages if package.upto is None or used.quantity <= package.upto)
    kept = max([reached, *(package for package in packages if package.bounds in standing)], key=_lower)
    if kept.bounds not in standing:
        yield UsageLine(_in_band(target, kept, used, situation), _owed(target, used.period, _ONE))
    for package in packages:
        if package.bounds in standing and package != kept:
            lines = standing[package.bounds]
            back = max(lines, key=lambda line: line.unit_price)
            smaller, many = _in_band(target, package, used, situation), sum((line.quantity for line in lines), _ZERO)
            yield UsageLine(smaller, _owed(target, used.period, -many), back)


def _in_band(target: Target, tier: Tier | None, used: Used, situation: Situation) -> Target:
    """The target with the product of its band, and all that the period used."""
    rule = target.item.price_rule
    band = band_reached(rule, used.quantity) if rule.kind is PriceKind.VOLUME else tier
    named = band.product if band is not None else None
    product = target.product if named is None else product_for(named, situation)
    key = replace(target.key, band=_band(tier))
    return replace(target, product=product, key=key, total=used.quantity, tier=tier)


def _owed(target: Target, period: Period, quantity: Decimal) -> Owed:
    """All of a period's price, whenever in it that was used."""
    whole = Share(period.days, period.days)
    return Owed(period, period.start, quantity, whole, billed_in(target.calendar, period, target.as_of))


def _band(tier: Tier | None) -> str:
    return "" if tier is None else tier.bounds


def _lower(tier: Tier) -> Decimal:
    return tier.lower
