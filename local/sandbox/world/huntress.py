"""The made-up MSP's account at Huntress: organizations and what is protected in them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from random import Random

_FIRST_ID = 4101


@dataclass(slots=True)
class Organization:
    """One organization, and by SKU what it has; a count that is None is not told.

    `company` is the company in Manage whose rules link it, None where nobody has linked it.
    """

    id: int
    name: str
    key: str
    tenant: str | None
    company: int | None
    counts: dict[str, int | None]


@dataclass(slots=True)
class HuntressAccount:
    """The MSP's account, the key pair of its API, organizations by id, and the days of its invoices, oldest first."""

    name: str
    public_key: str
    private_key: str
    organizations: dict[int, Organization] = field(default_factory=dict)
    invoices: list[date] = field(default_factory=list)

    def add(self, name: str, counts: dict[str, int | None], *, company: int | None, tenant: str | None) -> None:
        number = _FIRST_ID + len(self.organizations)
        self.organizations[number] = Organization(number, name, f"org-{number}", tenant, company, counts)

    def of_company(self, company: int) -> list[Organization]:
        return [item for item in self.organizations.values() if item.company == company]


def organization_counts(rng: Random, users: int) -> dict[str, int | None]:
    """What a customer of this many users has: endpoints always, the other products here and there."""
    return {
        "edr": max(1, round(users * rng.uniform(0.7, 1.4))),
        "itdr": users if rng.random() < 0.6 else None,
        "sat": max(1, round(users * rng.uniform(0.8, 1.0))) if rng.random() < 0.5 else None,
        "siem": rng.randint(1, 4) if rng.random() < 0.15 else None,
    }
