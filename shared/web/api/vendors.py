"""The JSON routes of what vendors sell and charge: read live from them, for those who bill."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response

from shared.sync.offers import unmapped_products
from shared.sync.reports.months import named_month
from shared.sync.reports.tables import Kind
from shared.sync.reports.vendor_costs import vendor_costs, vendor_costs_file
from shared.sync.shapes.reports import VendorCosts
from shared.sync.shapes.setup import UnmappedProducts
from shared.web.api.reports import FILE, file
from shared.web.principal import Role
from shared.web.requests import House, allows, sees_all

#: A vendor tells of all its customers at once, so nobody asks who may see some companies only.
router = APIRouter(dependencies=[Depends(allows(Role.BILLER)), Depends(sees_all)])

Source = Annotated[str, Path(min_length=1, max_length=60)]
Month = Annotated[str, Query(max_length=7, description="such as 2026-11; empty: this month")]


@router.get("/sources/{source}/products")
def products(ports: House, source: Source) -> UnmappedProducts:
    """What is bought at a vendor and no policy bills: names, terms, price steps, and a suggested profile."""
    return unmapped_products(ports, source)


@router.get("/sources/{source}/costs")
def costs(ports: House, source: Source, month: Month = "") -> VendorCosts:
    """What a vendor charges for a month beside what the agreements bill; of its draft while there is no invoice."""
    return vendor_costs(ports, source, named_month(ports, month))


@router.get("/sources/{source}/costs.{kind}", response_class=Response, responses=FILE)
def costs_table(ports: House, source: Source, kind: Kind, month: Month = "") -> Response:
    """The same as a file."""
    return file("vendor-costs", kind, vendor_costs_file(ports, source, named_month(ports, month), kind))
