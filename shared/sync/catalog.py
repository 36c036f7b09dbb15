"""A product of Manage's catalog that a person has TrueUp create: proposed, shown before, created once, and recorded.

Manage has no idempotency key, so that a product is asked for in writing before it is sent, and looked for by its
identifier first. While nobody knows what became of it, nothing with that identifier is sent again.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.billing.agreements import Product
from shared.catalog import CLASSES, CatalogChoices, NewProduct
from shared.errors import NoEffect, OutcomeUnknown, Refused, TrueUpError
from shared.state.directory import ProductAsked
from shared.state.rows import AlreadyThere, Changed
from shared.sync.approvals import Person, sign
from shared.sync.currency import house_currency
from shared.sync.editions import new_entry, put_in_force
from shared.sync.ports import Ports
from shared.sync.shapes import setup as shapes
from shared.sync.unfinished import finish_edit

__all__ = [
    "CLASSES",
    "CatalogChoices",
    "Created",
    "NewProduct",
    "choices",
    "create_product",
    "previewed",
    "settle_products",
]

log = logging.getLogger(__name__)

_SYSTEM = "ConnectWise Manage"
#: So often another change of the rules may come between when the history is written.
_TRIES = 5
#: So many of the last changes of the rules may tell already that a product was created.
_RECENT = 50


@dataclass(frozen=True, slots=True)
class Created:
    """The product as it stands. `earlier`: an attempt of which nobody knew the end had created it already."""

    product: Product
    earlier: bool


def choices(ports: Ports) -> CatalogChoices:
    """What a product can be filed under, asked of Manage now."""
    return ports.manage.catalog_choices()


def previewed(ports: Ports, new: NewProduct) -> shapes.FiledProduct:
    """What would be created, in words, after a look whether it can be. Raises as `create_product`; sends nothing."""
    _must_be_free(ports, new, ports.manage.products_named(new.identifier))
    filed = _filed(ports.manage.catalog_choices(), new)
    return {
        "identifier": new.identifier,
        "description": new.description,
        "text": new.text,
        **filed,
        "product_class": new.product_class,
        "price": float(new.price),
        "cost": float(new.cost),
        "currency": house_currency(ports),
        "taxable": new.taxable,
        "vendor_sku": new.vendor_sku,
    }


def create_product(ports: Ports, new: NewProduct, person: Person) -> Created:
    """Creates the product, once, and notes in the history of the rules who did.

    Raises `Refused` where the catalog has its identifier already, where what it is filed under is not there, and while
    nobody knows what became of an earlier attempt or a change of the rules is in force for part of the companies;
    `OutcomeUnknown` where this one ends so; and what Manage raises.
    """
    finish_edit(ports).checked()  # else it could not be told who had it created
    standing = ports.directory.product_asked(new.identifier)
    found = ports.manage.products_named(new.identifier)
    if found and standing is not None:
        _record(ports, standing, found[0])
        return Created(found[0], earlier=True)
    _must_be_free(ports, new, found)
    _filed(ports.manage.catalog_choices(), new)
    asked = ProductAsked(new.identifier, _told(new), sign(ports, person))
    try:
        ports.directory.ask_for_product(asked, instead=standing)
    except (AlreadyThere, Changed):
        raise _somebody_else(new) from None
    try:
        made = ports.manage.create_product(new)
    except OutcomeUnknown as error:
        raise _unknown(ports, asked, error) from error
    except NoEffect as error:
        if isinstance(error.answered, Product):
            _record(ports, asked, error.answered)
        raise
    except TrueUpError:
        ports.directory.forget_product(new.identifier)
        raise
    _record(ports, asked, made)
    return Created(made, earlier=False)


def settle_products(ports: Ports) -> None:
    """Looks for every product of which nobody knows whether it was created, and notes what became of it.

    What Manage or the store does not answer now is left to the next night.
    """
    for asked in ports.directory.products_asked():
        if ports.clock.now() < _settled(ports, asked):
            continue
        try:
            found = ports.manage.products_named(asked.identifier)
            if found:
                _record(ports, asked, found[0])
            else:
                ports.directory.forget_product(asked.identifier)
        except TrueUpError as error:
            log.warning("not known what became of product %s: %s", asked.identifier, error)


def _must_be_free(ports: Ports, new: NewProduct, found: Sequence[Product]) -> None:
    if found:
        raise Refused(
            f"the catalog has a product {new.identifier} already: {found[0].description} ({found[0].id})",
            system=_SYSTEM,
            remedy="Name that one in the profile, or choose another identifier.",
        )
    standing = ports.directory.product_asked(new.identifier)
    if standing is not None and ports.clock.now() < _settled(ports, standing):
        raise Refused(
            f"nobody knows yet what became of {new.identifier}, which {standing.signed.by} has asked for",
            system=_SYSTEM,
            remedy=f"Try it again after {_clock(ports, standing)}: by then it is in the catalog or not.",
        )


def _filed(found: CatalogChoices, new: NewProduct) -> shapes.Filed:
    """The names of what the product is filed under."""
    subcategory = next((each for each in found.subcategories if each.id == new.subcategory), None)
    type_ = next((each for each in found.types if each.id == new.type), None)
    unit = next((each for each in found.units if each.id == new.unit), None)
    if subcategory is None or type_ is None or (unit is None and new.unit is not None):
        raise Refused(
            "Manage does not have the subcategory, the type or the unit that was chosen",
            system=_SYSTEM,
            remedy="Load the form again and choose among those that it shows.",
        )
    return {
        "category": subcategory.category,
        "subcategory": subcategory.name,
        "type": type_.name,
        "unit": unit.name if unit is not None else None,
    }


def _record(ports: Ports, asked: ProductAsked, made: Product) -> None:
    """Notes who had it created, unless a worker did that died then, and only then forgets that it was asked for."""
    what = f"product {made.identifier} was created in ConnectWise Manage as {made.id}: {asked.what}"
    if not any(what in entry.what for entry in ports.rules.history(_RECENT)):
        _note(ports, what, Person(asked.signed.by, asked.signed.origin))
    ports.directory.forget_product(asked.identifier)


def _note(ports: Ports, what: str, person: Person) -> None:
    for left in reversed(range(_TRIES)):
        head, rows = finish_edit(ports).checked(), ports.companies.all()
        try:
            put_in_force(ports, head, None, [], rows, new_entry(ports, head, rows, [what], person, "console"))
            break
        except Changed:
            if not left:
                raise


def _told(new: NewProduct) -> str:
    return f"{new.description}, price {new.price:f}, cost {new.cost:f}"


def _somebody_else(new: NewProduct) -> Refused:
    return Refused(
        f"somebody else creates {new.identifier} just now",
        system=_SYSTEM,
        remedy="Look at the catalog in a minute.",
    )


def _unknown(ports: Ports, asked: ProductAsked, error: OutcomeUnknown) -> OutcomeUnknown:
    return OutcomeUnknown(
        f"nobody knows yet whether {asked.identifier} was created: {error}",
        system=_SYSTEM,
        request_id=error.request_id,
        remedy=f"Create it again after {_clock(ports, asked)}: it is looked for first, never made twice.",
    )


def _clock(ports: Ports, asked: ProductAsked) -> str:
    """The time of day, in the MSP's zone, from when on it is settled."""
    return f"{_settled(ports, asked).astimezone(ports.time_zone):%H:%M %Z}"


def _settled(ports: Ports, asked: ProductAsked) -> datetime:
    """From when on a product that is not there was never made."""
    return asked.signed.at + timedelta(seconds=ports.limits.settling)
