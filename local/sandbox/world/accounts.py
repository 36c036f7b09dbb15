"""The made-up MSP's accounts with Huntress, Cove and Pax8: who is a customer there, and what Manage bills for it."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from local.sandbox.pax8.world import paid_for, sell
from local.sandbox.world.books import Books
from local.sandbox.world.cove import CoveTree, furnish
from local.sandbox.world.huntress import HuntressAccount, organization_counts
from local.sandbox.world.lines import bill
from local.sandbox.world.model import LinkedCompany, Msp
from local.sandbox.world.tenants import guid
from local.sandbox.world.vendors import COVE, HUNTRESS, PAX8, products_of

_HUNTRESS_SHARE, _COVE_SHARE = 0.45, 0.35
#: Of so many customers one has a second organization, for an office of its own.
_SECOND_OFFICE = 0.2


def huntress_account(seed: int) -> HuntressAccount:
    """The MSP's account, without organizations."""
    rng = Random(f"huntress/{seed}")
    return HuntressAccount("Northbeam Managed IT", f"hk_{guid(rng)}", f"hs_{guid(rng)}")


def cove_tree(seed: int) -> CoveTree:
    """The MSP at Cove, without customers."""
    rng = Random(f"cove/{seed}")
    return CoveTree("Northbeam Managed IT (backup@northbeam.example)", f"api-{guid(rng)[:8]}", f"cv-{guid(rng)}")


def open_accounts(msp: Msp, books: Books) -> None:
    """Customers at all vendors, and their lines in Manage."""
    _open_huntress(msp, books)
    _open_cove(msp, books)
    _open_pax8(msp, books)


def _open_huntress(msp: Msp, books: Books) -> None:
    """Organizations for nearly half of the linked companies, and one that nobody has linked."""
    account = msp.huntress
    for linked in msp.linked:
        own = Random(f"huntress/{msp.seed}/{linked.company}")
        if own.random() >= _HUNTRESS_SHARE:
            continue
        users = _users(msp, linked)
        account.add(linked.name, organization_counts(own, users), company=linked.company, tenant=linked.tenant)
        if own.random() < _SECOND_OFFICE:
            first = account.of_company(linked.company)[0].counts
            second = {sku: None if units is None else max(1, units // 4) for sku, units in first.items()}
            account.add(f"{linked.name}, second office", second, company=linked.company, tenant=None)
        parts = [organization.counts for organization in account.of_company(linked.company)]
        totals = {sku: sum(part[sku] or 0 for part in parts) for sku in parts[0]}
        _keep_lines(books, own, linked, HUNTRESS, totals)
    newcomer = organization_counts(Random(f"huntress/{msp.seed}/newcomer"), 6)
    account.add("Quarrystone Labs", newcomer, company=None, tenant=None)


def _open_cove(msp: Msp, books: Books) -> None:
    """Customers for a third of the linked companies; of two that nobody has linked one is in trial."""
    tree = msp.cove
    for linked in msp.linked:
        own = Random(f"cove/{msp.seed}/{linked.company}")
        if own.random() >= _COVE_SHARE:
            continue
        customer = tree.add_partner(linked.name, "EndCustomer", company=linked.company)
        furnish(tree, own, customer, _users(msp, linked))
        _keep_lines(books, own, linked, COVE, tree.counts_of(customer.id))
    for name, state in (("Quarrystone Labs", "InTrial"), ("Fernhollow Orchards", "InProduction")):
        customer = tree.add_partner(name, "EndCustomer")
        customer.state = state
        furnish(tree, Random(f"cove/{msp.seed}/{name}"), customer, 8)


def _open_pax8(msp: Msp, books: Books) -> None:
    """Every third of the linked companies buys through Pax8, and one customer whom nobody has linked."""
    buyers = msp.linked[::3]
    sell(
        msp.pax8,
        msp.seed,
        ((linked.company, linked.name, msp.tenants[linked.tenant].domain) for linked in buyers),
        msp.today,
    )
    for linked in buyers:
        own = Random(f"pax8/{msp.seed}/{linked.company}")
        for company in msp.pax8.of_company(linked.company):
            _keep_lines(books, own, linked, PAX8, paid_for(msp.pax8, company))


def _users(msp: Msp, linked: LinkedCompany) -> int:
    return max(1, sum(1 for _ in msp.tenants[linked.tenant].licensed_users()))


def _keep_lines(books: Books, rng: Random, linked: LinkedCompany, source: str, totals: Mapping[str, int]) -> None:
    """Lines for what the company has, drifted, on its first agreement of each product's type."""
    agreements = books.records.of_parent("agreements", linked.company)
    for product in products_of(source):
        if totals.get(product.sku):
            agreement = next(item for item in agreements if item["type"]["name"] == product.agreement_type)
            bill(books, rng, agreement, product, totals[product.sku])
