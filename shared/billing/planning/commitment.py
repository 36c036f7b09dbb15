"""The floor of a commitment: until its last day a subscription is billed for at least what was committed to.

The vendor charges the MSP until then, also for seats or a whole subscription that went away before. What was committed
to is the highest quantity read within the commitment; one that gets a later last day begins anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from shared.billing.counting.items import BillItem
from shared.billing.seats import Commitment, SeatRecord


def commitment_of(
    item: BillItem, quantity: Decimal, records: Iterable[SeatRecord | None], as_of: date
) -> Commitment | None:
    """The commitment in force today, None where there is none or the profile does not ask for it.

    `quantity` is what is measured tonight, `records` what is remembered of the item's lines.
    """
    if item.profile is None or not item.profile.commitment_floor:
        return None
    remembered = [record.commitment for record in records if record is not None and record.commitment is not None]
    standing = next((commitment for commitment in remembered if commitment.until >= as_of), None)
    told = [
        subscription.committed_until
        for count in item.counts
        for subscription in count.subscriptions or ()
        if subscription.committed_until is not None and subscription.committed_until >= as_of
    ]
    if not told:
        return standing
    until = max(told)
    if standing is None or until > standing.until:  # new, or renewed for as many as are read from then on
        return Commitment(quantity, until)
    return Commitment(max(quantity, standing.quantity), until)
