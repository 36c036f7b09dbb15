"""What Partner Center tells of subscriptions, and counts completed by it. Pure.

Graph tells on which day a subscription renews, but no term; a term is a fact only where Partner Center tells it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

from shared.billing.counts import Count, Subscription, SubscriptionStatus
from shared.sources.rows import Row, broken, row_of, rows_under

SYSTEM = "Partner Center"
TERMS, CUSTOMERS = "the customer's subscriptions", "the list of customers"

_TERM = re.compile(r"P([1-9][0-9]?)([MY])")
#: At most so many days has a month or a year of a term.
_DAYS = {"M": 31, "Y": 366}


@dataclass(frozen=True, slots=True)
class Term:
    """A subscription's term: how long it is (`P1Y`), the last day that is committed to, and what comes after.

    `until` is None where nothing is committed to, or nobody can tell. Up to `undone_until` the commitment can be taken
    back. `renews`: by itself, for another term.
    """

    duration: str | None
    until: date | None
    undone_until: date | None
    renews: bool


def terms_of(body: object) -> dict[str, Term]:
    """The terms of a customer's subscriptions by their ids; what is billed by use has none."""
    found: dict[str, Term] = {}
    for row in _items(body, TERMS):
        key = row.text("id").casefold()
        if key in found:
            raise row.broken("it lists one subscription twice")
        found[key] = _term(row)
    return found


def check_customers(body: object) -> None:
    """Raises `Incomplete` unless this is a list of customers."""
    for row in _items(body, CUSTOMERS, whole=False):
        row.text("id")


def with_terms(counts: Iterable[Count], terms: Mapping[str, Term], day: date) -> tuple[Count, ...]:
    """Counts of a day with what is known of terms; a subscription that Partner Center does not list stays as it is."""

    def told(subscription: Subscription) -> Subscription:
        term = terms.get(subscription.commerce_id or "")
        if term is None:
            return subscription
        is_committed = subscription.status is SubscriptionStatus.ENABLED and not subscription.trial
        until = _committed_until(term, day) if is_committed else None
        return replace(subscription, term=term.duration, auto_renews=term.renews, committed_until=until)

    return _each_subscription(counts, told)


def without_terms(counts: Iterable[Count]) -> tuple[Count, ...]:
    """Counts that could not be completed: no hint takes the place of a fact, what is remembered of a term holds."""
    return _each_subscription(counts, lambda subscription: replace(subscription, committed_until=None))


def _each_subscription(counts: Iterable[Count], changed: Callable[[Subscription], Subscription]) -> tuple[Count, ...]:
    return tuple(
        count if not count.subscriptions else replace(count, subscriptions=tuple(map(changed, count.subscriptions)))
        for count in counts
    )


def _committed_until(term: Term, day: date) -> date | None:
    """The last day of the commitment; none that can still be undone, nor one further away than a term is long.

    What does not renew is given a day far in the future.
    """
    if term.until is None or (term.undone_until is not None and day <= term.undone_until):
        return None
    matched = _TERM.fullmatch(term.duration or "")
    if matched is None or (term.until - day).days > int(matched[1]) * _DAYS[matched[2]]:
        return None
    return term.until


def _term(row: Row) -> Term:
    is_licence = (row.text_or_none("billingType") or "license").casefold() == "license"
    is_active = row.text("status").casefold() == "active"
    end = row.day_or_none("commitmentEndDate")
    ends = end is not None and end > date.min  # Microsoft's programs write the first day that there is for none.
    return Term(
        duration=(row.text_or_none("termDuration") or "").upper() or None,
        until=_last_day(row, end) if end is not None and ends and is_licence and is_active else None,
        undone_until=row.day_or_none("cancellationAllowedUntilDate"),
        renews=row.values.get("autoRenewEnabled") is True,
    )


def _last_day(row: Row, end: date) -> date:
    """In new commerce the end is the last day, before that it was the day after."""
    kind = row.inner("productType")
    is_new = kind is not None and kind.text("id").casefold().endswith("nce")
    return end if is_new else end - timedelta(days=1)


def _items(body: object, what: str, *, whole: bool = True) -> list[Row]:
    """The rows of a list; with `whole` all that there are."""
    rows = rows_under(body, "items", what, SYSTEM)
    total = row_of(body, what, SYSTEM).number_or_none("totalCount")
    if whole and total is not None and total != len(rows):
        raise broken(SYSTEM, what, "it holds another number of rows than it says")
    return rows
