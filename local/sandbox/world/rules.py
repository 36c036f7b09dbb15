"""The made-up MSP's rules for TrueUp, in the shape of the rules document."""

from __future__ import annotations

from typing import Any, Literal

from local.sandbox.world.model import LinkedCompany, Msp
from local.sandbox.world.msp import INCLUDED_SEATS
from local.sandbox.world.skus import INCLUDED, SKUS, Sku

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
        "companies": [_company(linked, mode) for linked in msp.linked],
    }


def _profiles() -> list[Document]:
    profiles = [_profile(sku) for sku in SKUS.values() if sku.mapped]
    premium = SKUS["M365-BP"]
    included = _profile(premium) | {
        "id": "m365-bp-five-included",
        "name": f"{premium.name}, {INCLUDED_SEATS} seats in the contract",
        "quantity": {"basis": "purchased", "included": INCLUDED_SEATS},
    }
    return [*profiles, included]


def _profile(sku: Sku) -> Document:
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
    return [*billed, *spared]


def _company(linked: LinkedCompany, mode: str) -> Document:
    company: Document = {
        "company": linked.company,
        "name": linked.name,
        "mode": mode,
        "adopt_marked": linked.adopt_marked,
        "links": [{"source": SOURCE, "customer": linked.tenant}],
    }
    if linked.licences:
        company["licences"] = [dict(licence) for licence in linked.licences]
    return company
