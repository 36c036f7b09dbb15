"""The JSON routes that create a product in Manage's catalog from what a vendor sells."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field

from shared.sync import catalog
from shared.sync.catalog import NewProduct
from shared.sync.offers import proposal
from shared.sync.shapes import setup as shapes
from shared.web.api.approvals import Asked
from shared.web.principal import Role
from shared.web.requests import Admin, House, allows, our_own, person, sees_all

router = APIRouter(dependencies=[Depends(allows(Role.ADMIN)), Depends(sees_all)])

#: What a condition of Manage's cannot hold, or a line of a table.
_UNFIT = r'"\\\x00-\x1f\x7f'
_PLAIN = rf"^[^{_UNFIT}]*[^\s{_UNFIT}][^{_UNFIT}]*$"
Amount = Annotated[Decimal, Field(ge=0, le=10**9, max_digits=15, decimal_places=5)]
Row = Annotated[int, Field(gt=0, lt=10**10)]
Name = Annotated[str, Query(min_length=1, max_length=200)]


class AskedProduct(Asked):
    """A product to create. `subcategory`, `type` and `unit` are ids of `GET /catalog/choices`."""

    identifier: Annotated[str, Field(pattern=_PLAIN, max_length=75)]
    description: Annotated[str, Field(pattern=r"\S", max_length=60)]
    text: Annotated[str, Field(pattern=r"\S", max_length=6000)]
    subcategory: Row
    type: Row
    unit: Row | None = None
    product_class: Annotated[str, Field(pattern=f"^({'|'.join(catalog.CLASSES)})$")] = catalog.CLASSES[0]
    price: Amount
    cost: Amount = Decimal(0)
    taxable: bool = False
    vendor_sku: Annotated[str, Field(max_length=50)] = ""

    def product(self) -> NewProduct:
        return NewProduct(
            self.identifier.strip(),
            self.description.strip(),
            self.text.strip(),
            self.subcategory,
            self.type,
            self.unit,
            self.product_class,
            self.price,
            self.cost,
            self.taxable,
            self.vendor_sku.strip(),
        )


class CreateProduct(AskedProduct):
    """`preview` only tells what would be created, after a look whether it can be."""

    preview: bool = False


@router.get("/catalog/choices")
def choices(ports: House) -> shapes.CatalogChoices:
    """What a product can be filed under in Manage, asked now: active subcategories, types and units."""
    found = catalog.choices(ports)
    return {
        "subcategories": [
            {"id": each.id, "name": each.name, "category": each.category} for each in found.subcategories
        ],
        "types": [{"id": each.id, "name": each.name} for each in found.types],
        "units": [{"id": each.id, "name": each.name} for each in found.units],
        "product_classes": list(catalog.CLASSES),
    }


@router.get("/catalog/proposal")
def propose(ports: House, source: Name, sku: Name) -> shapes.Proposed:
    """A product of Manage and a profile that would bill a SKU, from what its vendor tells."""
    return proposal(ports, source, sku)


@router.post("/catalog/products", dependencies=[Depends(our_own)], response_model_exclude_unset=True)
def create(request: Request, ports: House, who: Admin, asked: CreateProduct) -> shapes.CreatedProduct:
    """Creates the product, once; `earlier` says that an attempt of which nobody knew the end had done so."""
    if asked.preview:
        return {"would_create": catalog.previewed(ports, asked.product())}
    done = catalog.create_product(ports, asked.product(), person(who, request))
    return {"id": done.product.id, "identifier": done.product.identifier, "earlier": done.earlier}
