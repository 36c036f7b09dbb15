"""What the store lets go of, a little every night, by the retention that the rules name.

Never what is open, nor what says which lines are ours; never what was done in the days that can be undone. A failure
here is told to the log and harms no run: the next night goes on where this one stopped.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta

from shared.billing.lines import LedgerRow, stamped_date
from shared.billing.rules import UNDO_DAYS
from shared.billing.seats import KEPT_DAYS, SeatRecord
from shared.errors import TrueUpError
from shared.state.company_state import MSP
from shared.sync.moments import forget_moments
from shared.sync.ports import Ports

log = logging.getLogger(__name__)

#: As many entries of one company's history go at once: a few transactions.
_MOST_ENTRIES = 500
#: The rows of old runs that one night removes, and those of the run that goes beyond.
_MOST_ROWS = 20_000
#: Months of balances that are looked for beyond those kept: more were let go of by the nights before.
_MONTHS_BACK = 2


def prune(ports: Ports) -> None:
    """Lets go of the oldest runs and history, and of balances and changes of the rules that are as old."""
    with _harmless("old runs"):
        before = ports.clock.now() - _days(ports.rules.load().retention.runs_days)
        runs = ports.runs.prune(before, _MOST_ROWS)
        log.info("%s runs from before %s are not kept any more", runs, before.date())
    with _harmless("old history"):
        _prune_history(ports)
    with _harmless("old balances"):
        month = history_kept_since(ports).date()
        for _ in range(_MONTHS_BACK):
            month = month.replace(day=1) - timedelta(days=1)
            ports.balances.forget(month)
    with _harmless("old changes of the rules"):
        ports.rules.prune_history(history_kept_since(ports), _MOST_ENTRIES)


def _prune_history(ports: Ports) -> None:
    """The MSP's own, and that of companies with their readings; each company has its day of the week for it."""
    rules, now = ports.rules.load(), ports.clock.now()
    before = now - _days(rules.retention.history_days)
    ports.company_state.prune_history(MSP, before, _MOST_ENTRIES)
    for company in ports.companies.all():
        if company.id % 7 == now.weekday():
            with _harmless(f"the history of company {company.id}"):
                ports.company_state.prune_history(company.id, before, _MOST_ENTRIES)
                forget_moments(ports, company.links, rules)


def history_kept_since(ports: Ports) -> datetime:
    """All that was done since then (UTC) is kept; of what is older some may be gone already."""
    return ports.clock.now() - _days(ports.rules.load().retention.history_days)


def is_outlived(record: SeatRecord, as_of: date) -> bool:
    """Whether a seat record was not read for so long that no period could still be charged by it."""
    return record.seen is not None and record.seen < as_of - timedelta(days=KEPT_DAYS)


def outlived_one_offs(ledger: Iterable[LedgerRow], seats: Collection[SeatRecord], as_of: date) -> set[str]:
    """The stamps of one-off lines that ended long ago, and whose period no seat record remembers.

    As long as one does, the row says that the period was charged.
    """
    remembered = [(period.start, period.end) for record in seats for period in record.periods]
    long_ago = as_of - timedelta(days=KEPT_DAYS)
    return {
        row.stamp
        for row in ledger
        if not row.key.is_standing
        and row.values.cancelled_date is not None
        and row.values.cancelled_date < long_ago
        and not _is_within(stamped_date(row.stamp), remembered)
    }


def _is_within(day: date | None, periods: Iterable[tuple[date, date]]) -> bool:
    return day is None or any(start <= day <= end for start, end in periods)


def _days(days: int) -> timedelta:
    return timedelta(days=max(days, UNDO_DAYS))


@contextmanager
def _harmless(what: str) -> Iterator[None]:
    try:
        yield
    except TrueUpError as error:
        log.warning("%s could not be pruned: %s", what, error)
