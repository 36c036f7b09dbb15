"""How each bill item is billed tonight, for people to look at. Nothing is planned from it."""

from __future__ import annotations

from decimal import Decimal

from shared.billing.counting.items import BillItem
from shared.billing.findings import Finding
from shared.billing.planning.doubts import agreement_for
from shared.billing.planning.plan import Billed
from shared.billing.planning.situation import Doubt, Situation
from shared.billing.profiles import BillingProfile


def how_billed(item: BillItem, situation: Situation) -> Billed | None:
    """How the item is billed; None for one that nothing was told of and that has no line, as of most policies."""
    lines = tuple(line.addition.id for line in situation.owned[item.id].standing_lines)
    if not (item.told or lines):
        return None
    quantity, agreement = _certain(item, item.profile, situation) if item.profile is not None else (None, None)
    return Billed(
        item.id,
        item.name,
        tuple(feed.count for feed in item.feeds),
        item.profile.id if item.profile is not None else None,
        item.licence is not None,
        quantity,
        agreement,
        item.not_before,
        item.unknown,
        item.read_failed,
        lines,
    )


def _certain(item: BillItem, profile: BillingProfile, situation: Situation) -> tuple[Decimal | None, int | None]:
    """Quantity and agreement, as far as there is no doubt about them; the plan's findings tell what the doubt is."""
    quantity = situation.measures.get(item.id)
    if isinstance(quantity, Finding):
        return None, None
    try:
        return quantity, agreement_for(item, profile, situation).id
    except Doubt:
        return quantity, None
