"""From Huntress's organizations to counts. Pure; what cannot be billed by is `Incomplete`, never a guess.

An organization that does not tell a count has not told zero: the product may be off, or the key may not see it. So the
scope of a reading names only the products that were told.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import NamedTuple

from shared.billing.counts import Count, Customer, Reading, Scope, VendorInvoice
from shared.sources.rows import Row, broken, row_of, rows_under

SOURCE = "huntress"
SYSTEM = "Huntress"
ACCOUNT, ORGANIZATION, ORGANIZATIONS = "the account", "the organization", "the list of organizations"
INVOICES = "the list of invoices"
_NO_INVOICE = ("draft", "voided", "failed")


class Product(NamedTuple):
    """What Huntress sells: our SKU, its name, and the fields that may hold its count, the present one first."""

    sku: str
    name: str
    fields: tuple[str, ...]


PRODUCTS = (
    Product("edr", "Huntress Managed EDR, endpoints", ("agents_count",)),
    Product("itdr", "Huntress Managed ITDR, identities", ("billable_identity_count", "microsoft_365_users_count")),
    Product("sat", "Huntress Managed SAT, learners", ("sat_learner_count",)),
    Product("siem", "Huntress Managed SIEM, log sources", ("logs_sources_count",)),
)


class Page(NamedTuple):
    """One page of organizations, and the parameter that asks for the next one; None on the last."""

    rows: list[Row]
    following: tuple[str, str] | None


def page_of(body: object) -> Page:
    """The organizations on one page."""
    pagination = row_of(body, ORGANIZATIONS, SYSTEM).inner("pagination")
    if pagination is None:
        raise broken(SYSTEM, ORGANIZATIONS, "it does not say whether there is another page")
    return Page(rows_under(body, "organizations", ORGANIZATIONS, SYSTEM), _following(pagination))


def organization_of(body: object) -> Row:
    """The organization that a detail call answers with."""
    return _inside(body, "organization", ORGANIZATION)


def account_name(body: object) -> str:
    """The name of the account that the keys belong to."""
    return _inside(body, "account", ACCOUNT).text("name")


def id_of(row: Row) -> str:
    """An organization's number, as text."""
    return str(row.whole("id"))


def customer_of(row: Row) -> Customer:
    """`reference` is the organization's key, the tag with which agents are installed."""
    tenant = row.hint("identity_provider_tenant_id") or row.hint("microsoft_365_tenant_id")
    return Customer(
        SOURCE, id_of(row), row.text("name"), reference=row.hint("key"), tenant=tenant.casefold() if tenant else None
    )


def newest_invoice_of(body: object) -> VendorInvoice | None:
    """The newest invoice for usage; drafts and voided ones are none. What is not told of an invoice is not held against
    it: the key `has_usage` is missing in older answers.
    """
    found = [
        VendorInvoice(id_of(row), day)
        for row in rows_under(body, "invoices", INVOICES, SYSTEM)
        if row.text("status").casefold() not in _NO_INVOICE
        and row.values.get("has_usage") is not False
        and (day := row.day_or_none("created_at")) is not None
    ]
    return max(found, key=lambda invoice: (invoice.day, int(invoice.id)), default=None)


def counted(row: Row, day: date) -> Reading:
    """The counts of one organization, complete within the products that it tells of; telling of none is no reading."""
    told = [(product, units) for product in PRODUCTS if (units := _told(row, product)) is not None]
    if not told:
        raise row.broken("the organization does not tell the count of any product")
    customer = id_of(row)
    counts = tuple(Count(SOURCE, customer, product.sku, product.name, units) for product, units in told if units)
    return Reading(SOURCE, customer, day, counts, Scope(frozenset(product.sku for product, _ in told)))


def _told(row: Row, product: Product) -> Decimal | None:
    """The count of a product; None where the organization does not tell it."""
    known = (field for field in product.fields if row.values.get(field) is not None)
    return next((Decimal(row.whole(field)) for field in known), None)


def _following(pagination: Row) -> tuple[str, str] | None:
    """By a token; before 2024 by a number. The address of the next page is not followed: it would get our keys."""
    token = pagination.text_or_none("next_page_token")
    if token is not None:
        return "page_token", token
    number = pagination.number_or_none("next_page")
    if number is not None:
        return "page", str(number)
    if pagination.text_or_none("next_page_url") is not None:
        raise pagination.broken("it names a next page with neither token nor number")
    return None


def _inside(body: object, name: str, what: str) -> Row:
    inner = row_of(body, what, SYSTEM).inner(name)
    if inner is None:
        raise broken(SYSTEM, what, f"it holds no {name}")
    return inner
