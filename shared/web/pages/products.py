"""The pages of what vendors sell: what is bought and billed by nobody, and a product of Manage made from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import ValidationError

from shared.errors import TrueUpError
from shared.sync import catalog, offers
from shared.sync.ports import Ports
from shared.web.api.catalog import AskedProduct
from shared.web.pages.frame import acts, next_page, render
from shared.web.pages.profiles import Sent
from shared.web.principal import Role
from shared.web.requests import Admin, Biller, House, allows, person, sees_all

router = APIRouter(include_in_schema=False, dependencies=[Depends(allows(Role.READER)), Depends(sees_all)])

_PATH = "/console/mapping/products"
_NEW = f"{_PATH}/new"
Text = Annotated[str, Query(max_length=200)]

#: What is said at a field that does not fit.
_WRONG = {
    "identifier": 'must be a text of up to 75 characters without " and \\',
    "description": "must be a text of up to 60 characters",
    "text": "must be a text of up to 6000 characters",
    "subcategory": "must be chosen",
    "type": "must be chosen",
    "unit": "must be one of those shown",
    "product_class": "must be one of those shown",
    "price": "must be an amount such as 25.00",
    "cost": "must be an amount such as 20.00",
    "vendor_sku": "must be a text of up to 50 characters",
}
#: Everything that the form holds.
_TYPED = (*_WRONG, "taxable", "source", "sku")
_CLASSES = {"NonInventory": "Non-inventory", "Agreement": "Agreement", "Service": "Service"}


@router.get(_PATH)
def for_sale(request: Request, ports: House, who: Biller, source: Text = "") -> Response:
    """What is bought at a vendor and mapped by nobody, with its offers, asked of the vendor now."""
    vendors = offers.vendors(ports)
    chosen = source if source in vendors else next(iter(vendors), "")
    shown = offers.unmapped_products(ports, chosen) if chosen else None
    return render(
        request, "products.html", vendors=vendors, source=chosen, shown=shown, may=who.may(Role.ADMIN), kinds=_KINDS
    )


_KINDS = {
    "flat": "one price",
    "volume": "the step reached prices all",
    "tiered": "each step at its own price",
    "mark-up": "by markup",
}


@router.get(_NEW)
def new_product(request: Request, ports: House, who: Admin, source: Text = "", sku: Text = "") -> Response:
    """The form of a product, filled in with what the vendor tells of a SKU."""
    told: Mapping[str, object] = offers.proposal(ports, source, sku)["product"] if source and sku else {}
    texts = {name: f"{value:.2f}" if isinstance(value, float) else str(value or "") for name, value in told.items()}
    return _form(request, ports, {**texts, "source": source, "sku": sku}, {})


@router.post(f"{_PATH}/preview", dependencies=acts)
def preview(request: Request, ports: House, who: Admin, texts: Sent) -> Response:
    """What would be created. Nothing is sent, so the page is the answer."""
    return _tried(
        request, ports, texts, lambda asked: _form(request, ports, texts, {}, catalog.previewed(ports, asked))
    )


@router.post(f"{_PATH}/create", dependencies=acts)
def create(request: Request, ports: House, who: Admin, texts: Sent) -> Response:
    """Creates the product, and leads to a new profile that bills by it."""

    def created(asked: catalog.NewProduct) -> Response:
        done = catalog.create_product(ports, asked, person(who, request))
        told = "had been created already, by an attempt of which nobody knew the end" if done.earlier else "was created"
        named = {name: texts.get(name, "") for name in ("source", "sku")} | {"product": done.product.identifier}
        notice = (
            f"{done.product.identifier} {told} in ConnectWise Manage as {done.product.id}. A profile can name it now."
        )
        return next_page(request, f"/console/profiles/edit?{urlencode(named)}", notice)

    return _tried(request, ports, texts, created)


def _tried(
    request: Request, ports: Ports, texts: Mapping[str, str], work: Callable[[catalog.NewProduct], Response]
) -> Response:
    """Does something with the product as typed; what is wrong is shown in the form, where everything typed stays."""
    try:
        asked = AskedProduct.model_validate(_fields(texts)).product()
    except ValidationError as error:
        wrong = dict.fromkeys(str(each["loc"][0]) for each in error.errors())
        return _form(request, ports, texts, {name: _WRONG[name] for name in wrong})
    try:
        return work(asked)
    except TrueUpError as error:
        return _form(request, ports, texts, {"": f"{error}. {error.remedy}"})


def _fields(texts: Mapping[str, str]) -> dict[str, str | bool | None]:
    """What the form gives; what is empty and may be is left to its default."""
    typed: dict[str, str | bool | None] = {name: texts.get(name, "").strip() for name in _WRONG}
    return {**typed, "unit": typed["unit"] or None, "cost": typed["cost"] or "0", "taxable": bool(texts.get("taxable"))}


def _form(
    request: Request,
    ports: Ports,
    texts: Mapping[str, str],
    problems: Mapping[str, str],
    shown: Mapping[str, Any] | None = None,
) -> Response:
    """The form as typed. `problems` by field, "" for the whole; `shown` is what would be created."""
    wrong, choices = dict(problems), None
    try:
        choices = catalog.choices(ports)
    except TrueUpError as error:
        wrong.setdefault("", f"{error}. {error.remedy}")
    return render(
        request,
        "product.html",
        422 if wrong else 200,
        texts={**dict.fromkeys(_TYPED, ""), **texts},
        problems=wrong,
        choices=choices,
        classes=_CLASSES,
        shown=shown,
    )
