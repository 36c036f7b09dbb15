"""What Huntress tells of organizations, agents and invoices, as it stands in its answers.

A product that is not active in an organization is not told at all.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from local.sandbox.world.huntress import HuntressAccount, Organization

Row = dict[str, Any]

ACCOUNT_ID = 3107
#: The field of an organization that tells the count of a SKU.
COUNT_FIELDS = {
    "edr": "agents_count",
    "itdr": "billable_identity_count",
    "sat": "sat_learner_count",
    "siem": "logs_sources_count",
}
_FIRST_INVOICE = 9001
_AGENTS_OF_ONE = 10_000
_PLATFORMS = (("windows", "Windows 11 Pro"), ("windows", "Windows Server 2022"), ("darwin", "macOS 15.1"))
_MADE, _CHANGED = "2024-02-01T09:30:00Z", "2026-01-12T14:05:11Z"


def organization_summary(organization: Organization) -> Row:
    """For the controls, in the words of our rules."""
    return {"id": organization.id, "company": organization.company, "name": organization.name, **organization.counts}


def organization_row(organization: Organization) -> Row:
    told = {COUNT_FIELDS[sku]: units for sku, units in organization.counts.items() if units is not None}
    return {
        "id": organization.id,
        "account_id": ACCOUNT_ID,
        "name": organization.name,
        "key": organization.key,
        "identity_provider_tenant_id": organization.tenant,
        "incident_reports_count": 0,
        "report_recipients": [],
        "created_at": _MADE,
        "updated_at": _CHANGED,
        **told,
    }


def usages(organization: Organization) -> Row:
    """What only the detail call tells; the key of a product that is not active is absent."""
    counts = organization.counts
    told: Row = {}
    if (edr := counts["edr"]) is not None:
        told["edr"] = {"billable_agents_count": edr, "unresponsive_agents_count": 0}
    if (itdr := counts["itdr"]) is not None:
        told["itdr"] = [{"type": "microsoft", "billable_identities_count": itdr, "total_identities_count": itdr}]
    if (sat := counts["sat"]) is not None:
        told["sat"] = {"learners_count": sat}
    if (siem := counts["siem"]) is not None:
        told["siem"] = {"billable_log_sources_count": siem, "retention": "90/7"}
    return told


def agent_rows(organization: Organization) -> list[Row]:
    """One for each endpoint that is counted."""
    first = organization.id * _AGENTS_OF_ONE
    return [_agent(organization, first + number) for number in range(1, (organization.counts["edr"] or 0) + 1)]


def invoice_rows(account: HuntressAccount) -> list[Row]:
    """The oldest first, and at the end a draft for what is going on."""
    made = [_invoice(number, day, "paid") for number, day in enumerate(account.invoices, start=_FIRST_INVOICE)]
    return [*made, _invoice(_FIRST_INVOICE + len(made), date(2099, 1, 1), "draft")]


def report_row(invoice: Row) -> Row:
    """The same as a billing report, which does not say whether it is for usage."""
    return {name: value for name, value in invoice.items() if name != "has_usage"}


def _agent(organization: Organization, number: int) -> Row:
    platform, system = _PLATFORMS[number % len(_PLATFORMS)]
    return {
        "id": number,
        "account_id": ACCOUNT_ID,
        "organization_id": organization.id,
        "hostname": f"{organization.key}-{number}",
        "platform": platform,
        "os": system,
        "arch": "x86_64",
        "version": "0.14.46",
        "version_number": 14046,
        "mac_addresses": [],
        "tags": [],
        "created_at": _MADE,
        "updated_at": _CHANGED,
        "last_callback_at": _CHANGED,
    }


def _invoice(number: int, day: date, status: str) -> Row:
    """An amount is in minor units, and nothing is said of single organizations."""
    return {
        "id": number,
        "amount": 41830,
        "currency_type": "usd",
        "plan": "Managed EDR",
        "quantity": 120,
        "status": status,
        "has_usage": True,
        "receipt": None,
        "created_at": f"{day.isoformat()}T03:12:40Z",
        "updated_at": f"{day.isoformat()}T03:12:40Z",
    }
