"""What is bought at a vendor and mapped by nobody: what it is sold as there, and a profile that would bill it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from shared.billing.counts import Count, Money
from shared.billing.lines import canonical
from shared.billing.vendors import Offer, OfferKind, PriceStep
from shared.errors import Gone, TrueUpError
from shared.sources.protocol import OfferingSource
from shared.sync.currency import only_one
from shared.sync.mapping.skus import skus
from shared.sync.ports import Ports
from shared.sync.shapes import setup as shapes

#: A vendor is asked about so many SKUs at a time, those with the most units.
MOST = 40
_MONTHLY = "monthly"


#: As many characters as the description of a product of Manage takes.
_DESCRIPTION = 60


@dataclass(slots=True)
class _Bought:
    """One SKU over all customers."""

    sku: str
    name: str
    units: Decimal = Decimal(0)
    customers: list[str] = field(default_factory=list)
    costs: set[Money | None] = field(default_factory=set)


def unmapped_products(ports: Ports, source: str) -> shapes.UnmappedProducts:
    """The SKUs that customers of a source have and no policy bills, the most units first, each with its offers and a
    suggested profile as it would stand in the rules.

    `currency` is the one of all that the vendor charges these customers, empty where that is none or several. `problem`
    says why a vendor's offers are missing. Raises `Gone` for a source that is not connected.
    """
    vendor = ports.sources.get(source)
    if vendor is None:
        raise Gone(f"the source {source} is not connected", remedy="Set its settings.")
    rules = ports.rules.load()
    counts = [count for reading in ports.readings.of(source).values() for count in reading.counts]
    found = _bought(count for count in counts if rules.policy_for(source, count.sku) is None)
    offers, problem = _offers(vendor, [each.sku for each in found[:MOST]])
    return {
        "source": source,
        "problem": problem,
        "currency": only_one(count.cost.currency for count in counts if count.cost is not None),
        "products": [_told(each, offers.get(each.sku, [])) for each in found],
    }


def vendors(ports: Ports) -> list[str]:
    """The connected sources whose vendor tells what it sells."""
    return sorted(name for name, source in ports.sources.items() if isinstance(source, OfferingSource))


def proposal(ports: Ports, source: str, sku: str) -> shapes.Proposed:
    """A profile and a product of Manage that would bill a SKU, from what the vendor tells; amounts only of a month.

    A vendor that does not answer leaves them to the person.
    """
    key = canonical(sku)
    name = next((each.name for each in skus(ports).skus if (each.source, each.sku) == (source, key)), sku)
    told, _ = _offers(ports.sources.get(source), [sku])
    offers = next((found for sold, found in told.items() if canonical(sold) == key), [])
    profile = suggested(name, offers)
    return {"profile": profile, "product": _product(profile["product"], name, offers)}


def _product(identifier: str, name: str, offers: list[Offer]) -> shapes.ProposedProduct:
    """A product of Manage as the vendor would have it. A step of several is no price of the product."""
    (offer,) = offers if len(offers) == 1 else (None,)
    alone = offer is not None and offer.term.casefold() == _MONTHLY and len(offer.steps) == 1
    step = offer.steps[0] if offer is not None and alone and not offer.steps[0].whole else None
    return {
        "identifier": re.sub(r'["\\\\]', "", identifier)[:75],
        "description": name[:_DESCRIPTION].strip(),
        "text": name,
        "price": _float(step.retail) if step is not None else None,
        "cost": _float(step.cost) if step is not None else None,
        "vendor_sku": offers[0].vendor_sku[:50] if offers else "",
    }


def _bought(counts: Iterable[Count]) -> list[_Bought]:
    found: dict[str, _Bought] = {}
    for count in counts:
        if count.free or count.purchased <= 0 or _is_trial(count):
            continue
        each = found.setdefault(canonical(count.sku), _Bought(count.sku, count.name))
        each.units += count.purchased
        each.customers.append(count.customer)
        each.costs.add(count.cost)
    return sorted(found.values(), key=lambda each: (-each.units, each.sku))


def _is_trial(count: Count) -> bool:
    """Trials are billed to nobody."""
    return count.subscriptions is not None and all(each.trial for each in count.subscriptions)


def _offers(vendor: object, skus: list[str]) -> tuple[dict[str, list[Offer]], str | None]:
    """What SKUs are sold as; without it what is bought is still told."""
    if not isinstance(vendor, OfferingSource) or not skus:
        return {}, None
    found: dict[str, list[Offer]] = {}
    try:
        for offer in vendor.offers(skus):
            found.setdefault(offer.sku, []).append(offer)
    except TrueUpError as error:
        return {}, f"{error} {error.remedy}".strip()
    return found, None


def _told(bought: _Bought, offers: list[Offer]) -> shapes.Bought:
    (cost,) = bought.costs if len(bought.costs) == 1 else (None,)
    return {
        "sku": bought.sku,
        "name": bought.name,
        "units": float(bought.units),
        "customers": sorted(bought.customers),
        "cost": None if cost is None else {"amount": float(cost.amount), "per": cost.period, "currency": cost.currency},
        "offers": [_offer(offer) for offer in offers],
        "profile": suggested(bought.name, offers),
    }


def _offer(offer: Offer) -> shapes.Offer:
    return {
        "name": offer.name,
        "vendor": offer.vendor,
        "vendor_sku": offer.vendor_sku,
        "term": offer.term,
        "commitment": offer.commitment,
        "kind": offer.kind.value,
        "unit": offer.unit,
        "steps": [
            {"upto": _float(step.upto), "cost": _float(step.cost), "retail": _float(step.retail), "whole": step.whole}
            for step in offer.steps
        ],
    }


def suggested(name: str, offers: list[Offer]) -> dict[str, Any]:
    """A profile as it would stand in the rules, for a person to look at, who says which product of Manage bills it.

    A price is taken from the vendor only where the one offer is for a month: what a term costs is no price per cycle.
    """
    identifier = offers[0].vendor_sku if offers and offers[0].vendor_sku else name
    price = _price(offers[0]) if len(offers) == 1 else None
    short = re.sub(r"[^a-z0-9]+", "-", name.casefold()).strip("-")
    return {"id": short, "name": name, "product": identifier, "price": price or {"kind": "product"}}


def _price(offer: Offer) -> dict[str, Any] | None:
    if offer.term.casefold() != _MONTHLY or not offer.steps or any(step.whole for step in offer.steps):
        return None
    retail = [step.retail for step in offer.steps]
    if None in retail or any(not price for price in retail):
        return None
    if offer.kind is OfferKind.FLAT:
        return {"kind": "retail", "per": "month"}
    if offer.kind is OfferKind.MARKUP or len(offer.steps) < 2:
        return None
    return {"kind": offer.kind.value, "bands": [_band(step) for step in offer.steps], "per": "month"}


def _band(step: PriceStep) -> dict[str, Any]:
    upto = {"upto": _float(step.upto)} if step.upto is not None else {}
    return upto | {"price": _float(step.retail)}


def _float(value: Decimal | None) -> float | None:
    return float(value) if value is not None else None
