"""Manage's set-up tables from which a person chooses, and its catalog as far as one adds to it."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError

from shared.billing.agreements import Product
from shared.billing.lines import canonical
from shared.catalog import CatalogChoice, CatalogChoices, NewProduct
from shared.errors import NoEffect
from shared.manage import conditions, readers
from shared.manage.call import Call
from shared.manage.failures import SYSTEM
from shared.manage.paging import read_all
from shared.manage.rows import Flag, Id, Row, Text, Unreadable
from shared.manage.session import Session
from shared.manage.writing import json_number

CATALOG = "/procurement/catalog"
SUBCATEGORIES = "/procurement/subcategories/"
TYPES = "/procurement/types"
UNITS = "/procurement/unitOfMeasures"
AGREEMENT_TYPES = "/finance/agreements/types"


def choices(session: Session) -> CatalogChoices:
    """The active rows of the set-up tables that a product names."""
    return CatalogChoices(_active(session, SUBCATEGORIES), _active(session, TYPES), _active(session, UNITS))


def agreement_types(session: Session) -> list[str]:
    """The names of the active types of agreements."""
    return [each.name for each in _active(session, AGREEMENT_TYPES)]


def named(session: Session, identifier: str) -> list[Product]:
    """The products with this identifier as they stand now, whatever its case, inactive ones too."""
    call = Call("GET", CATALOG, params={"conditions": conditions.equals("identifier", identifier)})
    found = read_all(session, call, readers.product)
    return [product for product in found if canonical(product.identifier) == canonical(identifier)]


def create(session: Session, new: NewProduct) -> Product:
    """Creates a product. Never sent twice: after `OutcomeUnknown` look for its identifier before anything else.

    Raises `NoEffect`, with what was created instead, where the answer says something else than was asked.
    """
    call = Call("POST", CATALOG, body=_body(new))
    made = session.read(call, readers.product)
    differing = _unlike(new, made)
    if differing:
        raise NoEffect(
            f"{call}: product {made.id} does not say what was asked: {', '.join(differing)}",
            system=SYSTEM,
            request_id=session.last_request_id,
            remedy="It is in ConnectWise Manage's catalog: correct it there.",
            answered=made,
        )
    return made


class _Category(Row):
    name: Text = ""


class _ChoiceRow(Row):
    id: Id
    name: Text = ""
    inactive_flag: Flag = False
    category: Annotated[_Category, BeforeValidator(lambda value: value or {})] = Field(default_factory=_Category)


def _active(session: Session, table: str) -> tuple[CatalogChoice, ...]:
    rows = [row for row in read_all(session, Call("GET", table), _choice) if not row.inactive_flag]
    found = [CatalogChoice(row.id, row.name.strip(), row.category.name.strip()) for row in rows]
    return tuple(sorted(found, key=lambda each: (each.category.casefold(), each.name.casefold(), each.id)))


def _choice(row: Any) -> _ChoiceRow:
    try:
        return _ChoiceRow.model_validate(row)
    except ValidationError:
        raise Unreadable("a row of a set-up table cannot be read") from None


def _body(new: NewProduct) -> dict[str, Any]:
    """Every field that money or our stamp depends on is sent: what Manage fills in is its own affair."""
    body: dict[str, Any] = {
        "identifier": new.identifier,
        "description": new.description,
        "customerDescription": new.text,
        "subcategory": {"id": new.subcategory},
        "type": {"id": new.type},
        "productClass": new.product_class,
        "price": json_number("price", new.price),
        "cost": json_number("cost", new.cost),
        "taxableFlag": new.taxable,
        "serializedFlag": False,
        "inactiveFlag": False,
    }
    if new.unit is not None:
        body["unitOfMeasure"] = {"id": new.unit}
    return body | ({"vendorSku": new.vendor_sku} if new.vendor_sku else {})


def _unlike(new: NewProduct, made: Product) -> list[str]:
    asked: dict[str, tuple[object, object]] = {
        "identifier": (canonical(new.identifier), canonical(made.identifier)),
        "price": (new.price, _or_zero(made.price)),
        "cost": (new.cost, _or_zero(made.cost)),
        "taxableFlag": (new.taxable, made.taxable_flag),
        "serializedFlag": (False, made.serialized_flag),
        "inactiveFlag": (False, made.inactive_flag),
    }
    return [f"{name} (asked {wanted}, got {got})" for name, (wanted, got) in asked.items() if wanted != got]


def _or_zero(value: Decimal | None) -> Decimal:
    return value if value is not None else Decimal(0)
