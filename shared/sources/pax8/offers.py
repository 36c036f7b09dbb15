"""From Pax8's products and prices to offers. Pure; what is not what it should be raises `Incomplete`."""

from __future__ import annotations

from collections.abc import Iterable

from shared.billing.vendors import Offer, OfferKind, PriceStep
from shared.sources.pax8.parse import plain_term
from shared.sources.rows import Row


def offers_of(product_id: str, product: Row, pricing: Iterable[Row]) -> list[Offer]:
    """Every offer of a product: one for each term and commitment."""
    return [_offer(product_id, product, row) for row in pricing]


def _offer(product_id: str, product: Row, row: Row) -> Offer:
    term = row.text("billingTerm")
    return Offer(
        sku=f"{product_id}:{plain_term(term)}",
        name=product.text("name"),
        vendor=product.text_or_none("vendorName") or "",
        vendor_sku=product.text_or_none("vendorSku") or "",
        term=term,
        commitment=row.text_or_none("commitmentTerm"),
        kind=_kind(row),
        unit=row.text_or_none("unitOfMeasurement"),
        steps=_steps(row),
    )


def _kind(row: Row) -> OfferKind:
    try:
        return OfferKind(row.text("type").casefold())
    except ValueError:
        raise row.broken("a price is of a type that we do not know") from None


def _steps(row: Row) -> tuple[PriceStep, ...]:
    """By the number at which they begin. The last one is open, whatever is told of its end."""
    rates = sorted(row.rows("rates"), key=lambda rate: rate.number_or_none("startQuantityRange") or 0)
    return tuple(
        PriceStep(
            upto=rate.number_or_none("endQuantityRange") if place < len(rates) else None,
            cost=rate.number_or_none("partnerBuyRate"),
            retail=rate.number_or_none("suggestedRetailPrice"),
            whole=(rate.text_or_none("chargeType") or "").casefold() == "flat rate",
        )
        for place, rate in enumerate(rates, start=1)
    )
