"""From Pax8's invoices to charges. Pure; what is not what it should be raises `Incomplete`."""

from __future__ import annotations

from shared.billing.vendors import ONCE, Charge
from shared.sources.pax8.parse import ONCE_TERMS, currency_of, id_of, plain_term
from shared.sources.pax8.usage import ARREARS
from shared.sources.rows import Row

#: Another invoice with another number has taken the place of these.
_TAKEN_BACK = frozenset({"void", "credited"})


def stands(invoice: Row) -> bool:
    """Whether an invoice is in force."""
    return (invoice.text_or_none("status") or "").casefold() not in _TAKEN_BACK


def charge_of(item: Row, invoice: str | None) -> Charge:
    """One item of an invoice, or of a draft."""
    sku = _sku(item)
    name = item.text_or_none("productName") or item.text_or_none("description") or item.text("type")
    return Charge(
        customer=id_of(item, "companyId") if item.text_or_none("companyId") is not None else None,
        sku=sku,
        name=name,
        kind=_kind(item, sku),
        start=item.day_or_none("startPeriod"),
        end=item.day_or_none("endPeriod"),
        quantity=item.amount("quantity"),
        total=item.amount("costTotal"),
        currency=currency_of(item),
        invoice=invoice,
        used=sku is not None and sku.endswith(ARREARS),
    )


def _kind(item: Row, sku: str | None) -> str:
    """Pax8's word, but for what is bought once: its term says so, whatever the item is called."""
    is_once = sku is not None and sku.rpartition(":")[2] in ONCE_TERMS
    return ONCE if is_once else item.text("type").casefold()


def _sku(item: Row) -> str | None:
    """As of a subscription: `2 Year` on an invoice is `2-Year` there."""
    product, term = item.text_or_none("productId"), item.text_or_none("term")
    if product is None or term is None:
        return None
    return f"{id_of(item, 'productId')}:{plain_term(term)}"
