"""What a company's vendors count of one bill item, beside what its agreements bill. It only tells.

Amounts are per billing cycle of the agreement: those of a plan's groups where one is planned, otherwise the difference
in units at the price of what stands, which is marked as estimated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from shared.billing.profiles import ProrationRule, StartDay

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, order=True)
class BilledOnce:
    """What one-off lines bill for one period, from its first day to its last: parts of it, or what was used in it.

    `due` is what they should bill, None where that is not known. Lines that stand and bill the same usage count too.
    Amounts are in the agreement's currency, `amount_due` None where no price is known.
    """

    start: date
    end: date
    billed: Decimal
    amount_billed: Decimal
    due: Decimal | None
    amount_due: Decimal | None

    def holds(self, day: date) -> bool:
        return self.start <= day <= self.end


@dataclass(frozen=True, slots=True, order=True)
class Balance:
    """One bill item: what is to be billed, beside what its lines bill.

    `counted` are the units that the vendor counts, `due` what the rules make of them (None: not known tonight),
    `billed` the units of its lines from the first period on that a change would still reach. `amount_billed` and
    `amount_due` are per billing cycle of `months` in the agreement's currency; None where no price is known, and an
    estimate where no plan names it. Of what nobody has mapped `product` is empty. The agreement is invoiced up to the
    day before `uninvoiced_from`; `proration` and `start_day` say what a part of a period costs.

    `sources` feed it. `gone`: a customer or SKU of which the vendor tells nothing any more. `cost` is what the MSP pays
    for it per billing cycle, None where nobody tells that in the agreement's currency; `longer` says that the vendor
    may charge for more than a month at once. `once` are its one-off lines of the last months. Of `usage` in arrears
    nothing stands: units and amounts are those of the newest period that is over and known; `over_until` is the last
    day of those that are over.
    """

    bill_item: str
    name: str
    product: str
    counted: Decimal
    due: Decimal | None
    billed: Decimal = ZERO
    amount_due: Decimal | None = None
    amount_billed: Decimal = ZERO
    estimated: bool = False
    agreement: int | None = None
    currency: str | None = None
    months: int | None = None
    uninvoiced_from: date | None = None
    proration: ProrationRule = ProrationRule.COMPUTED
    start_day: StartDay = StartDay.EXCLUDED
    sources: tuple[str, ...] = ()
    gone: bool = False
    cost: Decimal | None = None
    longer: bool = False
    once: tuple[BilledOnce, ...] = ()
    usage: bool = False
    over_until: date | None = None

    @property
    def units(self) -> Decimal | None:
        """Units that should be billed and are not; below zero where too many are."""
        return None if self.due is None else self.due - self.billed

    @property
    def amount(self) -> Decimal | None:
        """The same in money, per billing cycle."""
        return None if self.amount_due is None else self.amount_due - self.amount_billed


def settled(balance: Balance) -> Balance:
    """What it becomes by writing what is planned."""
    once = tuple(_settled_once(each) for each in balance.once)
    if balance.due is None or balance.amount_due is None:
        return replace(balance, once=once)
    return replace(balance, billed=balance.due, amount_billed=balance.amount_due, once=once)


def _settled_once(once: BilledOnce) -> BilledOnce:
    if once.due is None or once.amount_due is None:
        return once
    return replace(once, billed=once.due, amount_billed=once.amount_due)


def remembering(tonight: Sequence[Balance], before: Sequence[Balance], unread: frozenset[int]) -> tuple[Balance, ...]:
    """Tonight's balances; what is not known tonight stays as it was the night before.

    `unread` are active agreements whose additions were not read: what they bill without a count is not seen.
    """
    last = {balance.bill_item: balance for balance in before}
    named = {balance.bill_item for balance in tonight}
    known = [_known_last(balance, last) if balance.due is None else balance for balance in tonight]
    unseen = [each for each in before if each.bill_item not in named and not each.due and each.agreement in unread]
    return tuple(sorted([*known, *unseen], key=lambda balance: balance.bill_item))


def _known_last(balance: Balance, last: Mapping[str, Balance]) -> Balance:
    """As it was last known; that its customer is gone is known tonight."""
    return replace(last.get(balance.bill_item, balance), gone=balance.gone)
