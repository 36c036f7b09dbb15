"""What a look at a company leaves behind for the reports: what is counted of it beside what is billed."""

from __future__ import annotations

import logging
from collections.abc import Collection

from shared.billing.balance import remembering, settled
from shared.billing.planning.plan import Plan
from shared.billing.rules import Mode
from shared.clock import business_date
from shared.errors import TrueUpError
from shared.state.balances import CompanyBalance
from shared.state.company_state import CompanyState, Put, StateKind
from shared.sync.ports import Ports

log = logging.getLogger(__name__)


def record_balance(ports: Ports, state: CompanyState, plan: Plan, mode: Mode, written: Collection[str]) -> None:
    """Keeps the balance of a company where it is another one than last time, and with the first look of a month.

    `written` are the bill items of which everything that was planned stands in Manage now. The report is told to the
    company's state last: what a worker that died has not stored, the next look stores. A failure harms no sync.
    """
    day, last = business_date(ports.clock), state.balance
    tonight = [settled(each) if set(each.bill_item.split(" + ")) <= set(written) else each for each in plan.balances]
    items = remembering(tonight, last.items if last is not None else (), plan.unread)
    balance = CompanyBalance(plan.company, day, mode, items)
    if last is not None and (last.items, last.mode) == (items, mode) and _month(last) == _month(balance):
        return
    try:
        ports.balances.put(balance)
        ports.company_state.commit(plan.company, [Put(StateKind.BALANCE, "", balance)])
    except TrueUpError as error:
        log.warning("company %s: its balance could not be kept: %s", plan.company, error)


def _month(balance: CompanyBalance) -> tuple[int, int]:
    return balance.day.year, balance.day.month
