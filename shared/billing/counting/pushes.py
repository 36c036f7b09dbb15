"""Counts that somebody pushes to us: how pushes come together, and what they tell on a day.

Each SKU keeps the count of the latest time, whatever order pushes arrive in. A complete push also says that there is
nothing else. Times are the caller's, with a zone; the quantity is in units of the SKU.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal

from shared.billing.counts import Count, FailureKind, ReadFailure, Reading, Scope
from shared.billing.lines import canonical

#: As many keys of pushes as are remembered per customer.
_KEYS_KEPT = 50
#: Clocks differ: a push may be so far ahead of ours.
AHEAD = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class PushedCount:
    """What one push says of one SKU; `assigned` is None where it does not tell."""

    sku: str
    quantity: Decimal
    at: datetime
    name: str = ""
    assigned: Decimal | None = None

    def says_the_same_as(self, other: PushedCount) -> bool:
        return (self.quantity, self.assigned) == (other.quantity, other.assigned)


@dataclass(frozen=True, slots=True)
class Push:
    """One push for one customer. `key` is the caller's name for it, `digest` tells its content.

    The counts are all of one time; at most one per SKU. `complete` says that the customer has nothing else.
    """

    key: str
    digest: str
    at: datetime
    counts: tuple[PushedCount, ...]
    complete: bool = False
    customer_name: str = ""


@dataclass(frozen=True, slots=True)
class Pushed:
    """Everything pushed for one customer that still stands. `keys` are those of its last pushes with their digests."""

    customer: str
    name: str = ""
    counts: dict[str, PushedCount] = field(default_factory=dict)
    complete_at: datetime | None = None
    keys: tuple[tuple[str, str], ...] = ()

    @property
    def newest(self) -> datetime | None:
        times = [count.at for count in self.counts.values()]
        return max([*times, self.complete_at] if self.complete_at is not None else times, default=None)


class Contradiction(Exception):
    """A push that cannot be told from one that was taken before, and says something else. The text says which."""


def repeats(standing: Pushed, push: Push) -> bool:
    """Whether this very push was taken before. Raises `Contradiction` for its key with another content."""
    digest = dict(standing.keys).get(push.key)
    if digest is not None and digest != push.digest:
        raise Contradiction("this key was used before, for a push with another content")
    return digest is not None


def taken(standing: Pushed, push: Push) -> tuple[Pushed, int]:
    """What stands after the push, and how many of its counts are older than what stood already.

    Raises `Contradiction` when a push of the same time said something else.
    """
    newer = [count for count in push.counts if _is_news(standing, count)]
    ended = _ended_by(standing, push)
    counts = {sku: count for sku, count in standing.counts.items() if sku not in ended}
    counts |= {canonical(count.sku): count for count in newer}
    complete_at = standing.complete_at
    if push.complete and (complete_at is None or push.at > complete_at):
        complete_at = push.at
    stands = replace(
        standing,
        name=push.customer_name or standing.name,
        counts=counts,
        complete_at=complete_at,
        keys=(*standing.keys, (push.key, push.digest))[-_KEYS_KEPT:],
    )
    return stands, len(push.counts) - len(newer)


def _ended_by(standing: Pushed, push: Push) -> set[str]:
    """The SKUs that a complete push leaves out, so that the customer has none of them any more."""
    if not push.complete:
        return set()
    told = {canonical(count.sku) for count in push.counts}
    left_out = {sku: count for sku, count in standing.counts.items() if sku not in told and count.at <= push.at}
    for count in left_out.values():
        if count.at == push.at and count.quantity > 0:
            raise Contradiction(f"another push of the same time says something else of {count.sku}")
    return set(left_out)


def _is_news(standing: Pushed, count: PushedCount) -> bool:
    known = standing.counts.get(canonical(count.sku))
    if known is None and standing.complete_at is not None:
        known = PushedCount(count.sku, Decimal(0), standing.complete_at)
    if known is None or count.at > known.at:
        return True
    if count.at == known.at and not count.says_the_same_as(known):
        raise Contradiction(f"another push of the same time says something else of {count.sku}")
    return False


def reading_of(
    source: str, customer: str, pushed: Pushed | None, *, now: datetime, age: timedelta, day: date
) -> Reading | ReadFailure:
    """What stands and is not older than `age`; a `ReadFailure` when that is nothing.

    After a fresh complete push everything is known but what is told for a time that is still to come, else only the
    SKUs that were pushed lately.
    """
    if pushed is None:
        return _unknown(source, customer, "Nothing was ever pushed for this customer.")
    is_complete = pushed.complete_at is not None and _is_fresh(pushed.complete_at, now, age)
    fresh = {sku: count for sku, count in pushed.counts.items() if _is_fresh(count.at, now, age)}
    if not (is_complete or fresh):
        hours = int(age.total_seconds() // 3600)
        newest = f"{pushed.newest:%Y-%m-%d %H:%M %Z}" if pushed.newest is not None else "unknown"
        return _unknown(source, customer, f"The newest push is of {newest}: more than {hours} hours old.")
    scope = Scope(without=frozenset(pushed.counts.keys() - fresh)) if is_complete else Scope(frozenset(fresh))
    return Reading(source, customer, day, tuple(_counts(source, customer, fresh.values())), scope)


def _counts(source: str, customer: str, pushed: Iterable[PushedCount]) -> Iterable[Count]:
    for count in sorted(pushed, key=lambda count: count.sku):
        yield Count(source, customer, count.sku, count.name or count.sku, count.quantity, assigned=count.assigned)


def _is_fresh(at: datetime, now: datetime, age: timedelta) -> bool:
    return -AHEAD <= now - at <= age


def _unknown(source: str, customer: str, reason: str) -> ReadFailure:
    remedy = "See why the script that pushes the counts has not run, and let it push again."
    return ReadFailure(source, customer, FailureKind.READ_FAILED, reason, remedy)
