"""What a test or a demo turns at Pax8: `PUT /_sandbox/pax8`."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from local.sandbox.pax8.world import SOLD, Company, Json, Pax8World, Product, changed, company_row, subscription_row
from shared.errors import Gone

Status = Literal["Active", "Cancelled", "PendingManual", "PendingAutomated", "PendingCancel", "Trial", "Converted"]


class Pax8Change(BaseModel):
    """`company` is an id or a name, `product` an id or a name; what is left out stays as it is.

    `day` is the day from which Pax8 says that the change holds, today when left out. `usage` is what the vendor posts
    of `resource_group` for the month of that day. Without a product the company itself is changed: `deleted`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    company: str
    product: str | None = None
    quantity: Annotated[int, Field(ge=0, le=100_000)] | None = None
    status: Status | None = None
    day: date | None = None
    deleted: bool | None = None
    usage: Annotated[float, Field(ge=0, le=1_000_000)] | None = None
    resource_group: str = "production"


def change(world: Pax8World, wanted: Pax8Change, now: datetime) -> Json:
    """The company or the subscription as it is afterwards; a product that it does not have yet is bought.

    Raises `Gone` for an unknown company or product.
    """
    company = world.company_named(wanted.company)
    if company is None:
        remedy = "GET /_sandbox/msp lists them."
        raise Gone(f"there is no Pax8 company {wanted.company!r}", system="sandbox", remedy=remedy)
    if wanted.deleted is not None:
        company.status = "Deleted" if wanted.deleted else "Active"
    if wanted.product is None:
        return company_row(company)
    return _change_product(world, company, _product(wanted.product), wanted, now)


def _change_product(world: Pax8World, company: Company, product: Product, wanted: Pax8Change, now: datetime) -> Json:
    day = wanted.day or now.date()
    standing = world.of(company.id, product.id)
    if not standing:
        item = world.buy(company, product, wanted.quantity or 0, day, wanted.status or "Active")
    else:
        item = standing[0]
        quantity = item.now.quantity if wanted.quantity is None else wanted.quantity
        changed(item, quantity, wanted.status or item.now.status, day, now)
    if wanted.usage is not None:
        world.post_usage(item, wanted.resource_group, wanted.usage, day.replace(day=1))
    return subscription_row(item, item.now)


def _product(name: str) -> Product:
    wanted = name.casefold()
    found = next((item for item in SOLD if wanted in (item.id, item.name.casefold())), None)
    if found is None:
        names = ", ".join(item.name for item in SOLD)
        raise Gone(f"there is no Pax8 product {name!r}", system="sandbox", remedy=f"There are {names}.")
    return found
