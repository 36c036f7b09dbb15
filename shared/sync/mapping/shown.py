"""What mapping tells, as JSON-shaped values; times are ISO 8601, UTC."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.billing.counts import Customer
from shared.rules.editing import Edit, Section
from shared.sync.mapping.links import Links
from shared.sync.mapping.matching import Proposal
from shared.sync.rule_edits import Edited, Preview

Json = dict[str, Any]


def links(found: Links) -> Json:
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


def edited(done: Edited) -> Json:
    """What was changed, and the edition since then."""
    return {"edition": done.edition, "changed": [str(each) for each in done.what]}


def previewed(preview: Preview) -> Json:
    """What would be changed, at this edition."""
    return {"edition": preview.edition, "changes": [str(each) for each in preview.what]}


def edit_of(section: str, fields: Mapping[str, Any], company: int | None, *, drop: bool) -> Edit:
    return Edit(Section(section), fields, company, drop)


def _proposal(proposal: Proposal) -> Json:
    return {
        **_customer(proposal.customer),
        "company": proposal.company,
        "company_name": proposal.name,
        "confidence": proposal.confidence,
        "evidence": list(proposal.evidence),
    }


def _customer(customer: Customer) -> Json:
    return {
        "source": customer.source,
        "customer": customer.id,
        "name": customer.name,
        "domains": list(customer.domains),
        "reference": customer.reference,
    }
