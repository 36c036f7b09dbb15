"""The made-up MSP as a whole: who belongs to whom, and which company has which trouble."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from random import Random

from local.sandbox.manage.account import Account
from local.sandbox.manage.records import ManageRecords
from local.sandbox.pax8.world import make_pax8
from local.sandbox.world.accounts import cove_tree, huntress_account, open_accounts
from local.sandbox.world.books import Books, Calendar, open_company
from local.sandbox.world.lines import bill_tenant, billed_skus, owed
from local.sandbox.world.model import Consent, LinkedCompany, Msp, Partner, Tenant
from local.sandbox.world.names import company_names
from local.sandbox.world.skus import SKUS, Sku
from local.sandbox.world.tenants import LARGE_TENANT, guid, make_tenant, usual_size

#: Seats that some companies have in their contract and are not billed for (profile `m365-bp-five-included`).
INCLUDED_SEATS = 5
SPARED = "PBI-PRO"


@dataclass(frozen=True, slots=True)
class Part:
    """What is special about one company. Most companies play none of these parts."""

    consent: Consent = Consent.GRANTED
    answers_empty: bool = False
    vanished: bool = False
    calendar: Calendar = Calendar.USUAL
    large: bool = False


#: The parts, most wanted first, with the number of companies from which on each is played.
_PARTS = (
    (6, Part(consent=Consent.MISSING)),
    (8, Part(calendar=Calendar.TWICE)),
    (10, Part(answers_empty=True)),
    (10, Part(consent=Consent.GONE, vanished=True)),
    (12, Part(consent=Consent.INCOMPLETE)),
    (15, Part(consent=Consent.ROLE_DENIED)),
    (15, Part(calendar=Calendar.QUARTERLY)),
    (16, Part(calendar=Calendar.CONTRACT)),
    (17, Part(calendar=Calendar.FUTURE)),
    (18, Part(calendar=Calendar.EXPIRED)),
    (20, Part(calendar=Calendar.CHILD)),
    (25, Part(calendar=Calendar.TWICE)),
    (30, Part(large=True)),
)


def make_msp(companies: int, seed: int, today: date) -> Msp:
    """An MSP with `companies` linked companies, the same for the same arguments.

    Beside those there are one or two customers of a partner tenant (from 8 companies on) whose company nobody has
    linked yet.
    """
    if companies < 1:
        raise ValueError("an MSP needs at least one company")
    rng = Random(f"msp/{seed}")
    partners = (
        Partner(guid(rng), "Northbeam Managed IT", "northbeam.example"),
        Partner(guid(rng), "Northbeam Coastal", "northbeam-coastal.example"),
    )
    books = Books(ManageRecords(), today)
    books.set_up()
    msp = Msp(
        seed=seed,
        today=today,
        records=books.records,
        account=Account("northbeam", f"pub{guid(rng)[:12]}", f"priv{guid(rng)[:12]}", guid(rng)),
        partners=partners,
        tenants={p.id: Tenant(p.id, p.name, p.domain, partner=None) for p in partners},
        client_id=guid(rng),
        client_secret=f"sandbox~{guid(rng)}",
        huntress=huntress_account(seed),
        cove=cove_tree(seed),
        pax8=make_pax8(seed),
    )
    names = company_names(rng)
    parts, homes = _cast(rng, companies), _homes(rng, companies, partners)
    for index, (name, part, home) in enumerate(zip(names, parts, homes, strict=False)):
        msp.linked.append(_link_company(msp, books, Random(f"company/{seed}/{index}"), name=name, part=part, home=home))
    for _ in range((companies >= 8) + (companies >= 30)):
        _new_customer(msp, books, rng, next(names))
    open_accounts(msp, books)
    return msp


def _cast(rng: Random, companies: int) -> list[Part]:
    """One part per company, dealt at random."""
    parts = [part for least, part in _PARTS if companies >= least]
    parts += [Part(consent=Consent.MISSING)] * (companies // 100)
    parts += [Part()] * (companies - len(parts))
    rng.shuffle(parts)
    return parts


def _homes(rng: Random, companies: int, partners: tuple[Partner, ...]) -> list[str | None]:
    """The partner tenant of each company's tenant; None for direct ones. A few are with the second partner."""
    few = max(1, companies // 12) if companies >= 6 else 0
    homes: list[str | None] = [partners[1].id] * few + [None] * max(few // 2, few and 1)
    homes += [partners[0].id] * (companies - len(homes))
    rng.shuffle(homes)
    return homes


def _link_company(msp: Msp, books: Books, rng: Random, *, name: str, part: Part, home: str | None) -> LinkedCompany:
    if part.vanished:
        home = msp.partners[0].id
    size = LARGE_TENANT if part.large else usual_size(rng)
    tenant = make_tenant(rng, name, home, size, msp.today)
    tenant.consent, tenant.answers_empty = part.consent, part.answers_empty
    tenant.vanished = part.vanished
    msp.tenants[tenant.id] = tenant
    company, agreements = open_company(books, rng, name, tenant, part.calendar)
    licences = tuple(_licences(rng, tenant))
    bill_tenant(books, rng, tenant, agreements, _quantities(tenant, licences))
    return LinkedCompany(company["id"], name, tenant.id, licences, adopt_marked=rng.random() < 0.5)


def _licences(rng: Random, tenant: Tenant) -> Iterator[dict[str, object]]:
    """A few companies have terms of their own: seats included in the contract, or a product they get for nothing."""
    premium, spared = SKUS["M365-BP"].id, SKUS[SPARED].id
    if rng.random() < 0.08 and owed(tenant, premium) > INCLUDED_SEATS:
        yield {"source": "microsoft365", "sku": premium, "profile": "m365-bp-five-included"}
    if rng.random() < 0.25 and owed(tenant, spared):
        yield {"source": "microsoft365", "sku": spared, "do_not_bill": True}


def _quantities(tenant: Tenant, licences: tuple[dict[str, object], ...]) -> Iterator[tuple[Sku, int]]:
    """What the tenant's lines should say."""
    chosen = {licence["sku"]: licence for licence in licences}
    for sku in billed_skus(tenant):
        licence = chosen.get(sku.id, {})
        quantity = owed(tenant, sku.id) - (INCLUDED_SEATS if "profile" in licence else 0)
        if quantity > 0 and "do_not_bill" not in licence:
            yield sku, quantity


def _new_customer(msp: Msp, books: Books, rng: Random, name: str) -> None:
    """A customer who has just come: in the partner's list and in Manage, linked by nobody."""
    tenant = make_tenant(rng, name, msp.partners[0].id, usual_size(rng), msp.today)
    msp.tenants[tenant.id] = tenant
    open_company(books, rng, name, tenant, Calendar.USUAL)
