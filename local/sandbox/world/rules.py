"""The made-up MSP's rules for TrueUp, in the shape of the rules document."""

from __future__ import annotations

from typing import Any, Literal

from local.sandbox.world.model import LinkedCompany, Msp
from local.sandbox.world.msp import INCLUDED_SEATS
from local.sandbox.world.skus import INCLUDED, SKUS, Sku
from local.sandbox.world.vendors import COVE, HUNTRESS, PAX8, UNBILLED, VENDOR_PRODUCTS, VendorProduct

Document = dict[str, Any]
SOURCE = "microsoft365"


def rules_document(msp: Msp, mode: Literal["observe", "approve", "auto"] = "observe") -> Document:
    """Profiles, policies and linked companies, every company in `mode`: a plain dict, ready to be written as YAML."""
    return {
        "guards": {"all_to_zero": True, "reduction": {"percent": 30, "small": 3, "units": 25, "money": 500}},
        # Its first nights take back what people have left standing for years.
        "fleet": {"percent": 60, "after": 20},
        "adoptable_marks": ["Unite", "Cloudconsole"],
        "schedules": [{"id": "nightly", "job": "nightly", "cron": "0 2 * * *"}],
        "profiles": _profiles(),
        "policies": _policies(),
        "companies": [_company(msp, linked, mode) for linked in msp.linked],
    }


def _profiles() -> list[Document]:
    profiles = [_profile(sku) for sku in SKUS.values() if sku.mapped]
    vendors = [_profile(product) for product in VENDOR_PRODUCTS]
    premium = SKUS["M365-BP"]
    included = _profile(premium) | {
        "id": "m365-bp-five-included",
        "name": f"{premium.name}, {INCLUDED_SEATS} seats in the contract",
        "quantity": {"basis": "purchased", "included": INCLUDED_SEATS},
    }
    return [*profiles, included, *vendors]


def _profile(sku: Sku | VendorProduct) -> Document:
    return {
        "id": sku.profile,
        "name": sku.name,
        "product": sku.product,
        "agreement_types": [sku.agreement_type],
        "quantity": {"basis": "purchased", "include_grace": True, "include_foreign": False},
        "price": {"kind": "keep"},
        "bill_option": "Billable",
    }


def _policies() -> list[Document]:
    billed = [{"source": SOURCE, "sku": sku.id, "profile": sku.profile} for sku in SKUS.values() if sku.mapped]
    spared = [{"source": SOURCE, "sku": SKUS[product].id, "do_not_bill": True} for product in INCLUDED]
    vendors = [{"source": item.source, "sku": item.sku, "profile": item.profile} for item in VENDOR_PRODUCTS]
    unbilled = [{"source": source, "sku": sku, "do_not_bill": True} for source, sku in UNBILLED]
    return [*billed, *spared, *vendors, *unbilled]


def _company(msp: Msp, linked: LinkedCompany, mode: str) -> Document:
    organizations = [{"source": HUNTRESS, "customer": str(item.id)} for item in msp.huntress.of_company(linked.company)]
    backed_up = [{"source": COVE, "customer": str(item.id)} for item in msp.cove.of_company(linked.company)]
    resold = [{"source": PAX8, "customer": item.id} for item in msp.pax8.of_company(linked.company)]
    company: Document = {
        "company": linked.company,
        "name": linked.name,
        "mode": mode,
        "adopt_marked": linked.adopt_marked,
        "links": [{"source": SOURCE, "customer": linked.tenant}, *organizations, *backed_up, *resold],
    }
    if linked.licences:
        company["licences"] = [dict(licence) for licence in linked.licences]
    return company
