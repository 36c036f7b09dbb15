"""What a month would have come to by the counts, beside what the agreements' lines billed for it.

For companies that are only observed: nothing was written for them. A seat is charged once a month, whole where it was
there on the first day, else by the profile's proration; lines bill what they said when the month was last uninvoiced.
Prices of longer billing cycles are spread evenly over their months.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from shared.billing.balance import ZERO, Balance
from shared.billing.calendar import Period
from shared.billing.profiles import Proration
from shared.billing.proration import share_of
from shared.billing.wording import money, number, spoken

_CENT = Decimal("0.01")
#: An item's balance from a day on; None while it had none.
Step = tuple[date, Balance | None]


@dataclass(frozen=True, slots=True)
class Shadow:
    """One bill item in one month, in the agreement's currency; `would` None where no price was known.

    `arithmetic` says in words how `would` comes about.
    """

    bill_item: str
    name: str
    currency: str | None
    would: Decimal | None
    billed: Decimal
    arithmetic: str

    @property
    def leak(self) -> Decimal | None:
        """What was billed too little; below zero where it was too much."""
        return None if self.would is None else self.would - self.billed


def shadow_of(month: Period, steps: Sequence[Step]) -> Shadow:
    """One bill item in a month, by its balances in the order of their days, at least one of which is not None.

    What was first seen within the month is taken to have been there on its first day.
    """
    last = next(balance for _, balance in reversed(steps) if balance is not None)
    would, told = _would(month, steps)
    return Shadow(last.bill_item, last.name, last.currency, would, _billed(month, steps), told)


def _would(month: Period, steps: Sequence[Step]) -> tuple[Decimal | None, str]:
    highest, total, parts = ZERO, ZERO, []
    for position, (day, balance) in enumerate(steps):
        due = balance.due if balance is not None else ZERO
        if due is None or balance is None or due <= highest:
            continue
        price = _price(balance)
        if price is None:
            return None, "no price is known"
        more, share = due - highest, share_of(_proration(balance), month, month.start if position == 0 else day)
        unit = price if share.is_whole else share.of_price(price)
        total += (more * unit).quantize(_CENT, ROUND_HALF_UP)
        days = "" if share.is_whole else f"{share.days} of {share.of} days × "
        since = "" if position == 0 else f"{number(more)} more since {spoken(day)}: "
        each = "" if share.is_whole else f" = {money(unit)} each"
        parts.append(f"{since}{number(more)} × {days}{money(price)}{each} = {money(more * unit)}")
        highest = due
    return total, "; ".join(parts) or "nothing"


def _billed(month: Period, steps: Sequence[Step]) -> Decimal:
    """What the lines said when the month was last not invoiced, as far as that was seen."""
    seen = [balance for _, balance in steps if balance is not None]
    before = [each for each in seen if each.uninvoiced_from is None or each.uninvoiced_from <= month.start]
    standing = before[-1] if before else seen[0]
    return (standing.amount_billed / (standing.months or 1)).quantize(_CENT, ROUND_HALF_UP)


def _price(balance: Balance) -> Decimal | None:
    """A unit's price for a month."""
    if balance.amount_due is None or not balance.due:
        return None
    return (balance.amount_due / balance.due / (balance.months or 1)).quantize(Decimal("0.00001"), ROUND_HALF_UP)


def _proration(balance: Balance) -> Proration:
    return Proration(balance.proration, balance.start_day)
