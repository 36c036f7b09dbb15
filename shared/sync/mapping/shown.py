"""What mapping tells, as JSON-shaped values; times are ISO 8601, UTC."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.billing.counts import Customer
from shared.rules.editing import Edit, Section
from shared.sync.mapping.exchange import Uploaded
from shared.sync.mapping.links import Links
from shared.sync.mapping.matching import Proposal
from shared.sync.mapping.skus import Skus, Unmapped
from shared.sync.rule_edits import Edited, Preview
from shared.sync.shapes import mapping as shapes


def links(found: Links) -> shapes.Links:
    """Where every listed customer stands; `companies` can be linked. `listed` has Manage under `manage`."""
    return {
        "edition": found.edition,
        "seen": found.seen,
        "linked": found.linked,
        "proposals": [_proposal(each) for each in found.proposals],
        "unmatched": [_customer(each) for each in found.unmatched],
        "ignored": [
            {**_customer(customer), "by": signed.by, "since": signed.at.isoformat()}
            for customer, signed in found.ignored
        ],
        "companies": [{"id": company.id, "name": company.name} for company in found.companies],
        "listed": {name or "manage": at.isoformat() for name, at in found.listed.items()},
    }


def skus(found: Skus) -> shapes.Skus:
    """Every SKU with counts, and where a vendor tells it what all of them cost in a month, by currency."""
    return {
        "edition": found.edition,
        "skus": [
            {
                "source": each.source,
                "sku": each.sku,
                "name": each.name,
                "companies": each.companies,
                "purchased": float(each.purchased),
                "assigned": float(each.assigned) if each.assigned is not None else None,
                "monthly_cost": {currency: float(amount) for currency, amount in sorted(each.cost.items())},
                "free": each.free,
                "mapped": each.policy,
                "profile": each.profile,
                "companies_with_own_choice": each.own,
            }
            for each in found.skus
        ],
        "profiles": [{"id": id_, "name": name} for id_, name in found.profiles],
    }


def unmapped(found: Skus) -> shapes.Unmapped:
    """What no rule says how to bill, company by company, and what somebody has hidden."""
    return {
        "edition": found.edition,
        "unmapped": [_unmapped(each) for each in found.unmapped],
        "ignored": [_unmapped(each) for each in found.ignored],
    }


def _unmapped(each: Unmapped) -> shapes.UnmappedSku:
    licence, signed = each.licence, each.ignored
    told: shapes.UnmappedSku = {
        "company": each.company,
        "company_name": each.company_name,
        "source": licence.source,
        "customer": licence.customer,
        "sku": licence.sku,
        "name": licence.name,
        "purchased": float(licence.purchased),
        "assigned": float(licence.assigned) if licence.assigned is not None else None,
    }
    return told if signed is None else {**told, "by": signed.by, "since": signed.at.isoformat()}


def edited(done: Edited) -> shapes.Edited:
    """What was changed, and the edition since then."""
    return {"edition": done.edition, "changed": [str(each) for each in done.what]}


def previewed(preview: Preview) -> shapes.Previewed:
    """What would be changed, at this edition."""
    return {"edition": preview.edition, "changes": [str(each) for each in preview.what]}


def uploaded(found: Uploaded) -> shapes.Uploaded:
    """What a file would change, field by field, and the hash under which it is confirmed."""
    return {
        "hash": found.preview.hash,
        "edition": found.preview.edition,
        "rows": found.rows,
        "changes": [
            {"entry": each.entry, "field": each.field, "before": each.before, "after": each.after}
            for each in found.preview.what
        ],
    }


def edit_of(section: str, fields: Mapping[str, Any], company: int | None, *, drop: bool) -> Edit:
    return Edit(Section(section), fields, company, drop)


def _proposal(proposal: Proposal) -> shapes.Proposal:
    return {
        **_customer(proposal.customer),
        "company": proposal.company,
        "company_name": proposal.name,
        "confidence": proposal.confidence,
        "evidence": list(proposal.evidence),
    }


def _customer(customer: Customer) -> shapes.Customer:
    return {
        "source": customer.source,
        "customer": customer.id,
        "name": customer.name,
        "domains": list(customer.known_domains),
        "verified_domains": list(customer.verified),
        "reference": customer.reference,
    }
