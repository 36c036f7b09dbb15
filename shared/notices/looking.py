"""What has changed since a subscriber was last looked at, at the price of the companies that were looked at since."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import timedelta

from shared.billing.subscribers import Subscriber
from shared.notices.digest import is_told
from shared.notices.picture import Open, open_of, open_of_msp
from shared.state.notices import Told
from shared.sync.ports import Ports

#: Clocks of two machines may differ so much, and a commit last so long.
_OVERLAP = timedelta(minutes=10)


def open_since(flows: Ports, subscriber: Subscriber, told: Told | None) -> dict[str, list[Open]]:
    """The open findings that it is told of, by company, of those that were looked at since; "" is the MSP itself."""
    found = {"": _wanted(subscriber, open_of_msp(flows))}
    for row in flows.companies.all():
        is_new = told is None or (row.last_at is not None and row.last_at >= told.until - _OVERLAP)
        if is_new and subscriber.is_told_of(row.id):
            found[str(row.id)] = _wanted(subscriber, open_of(row, flows.company_state.load(row.id)))
    return found


def mark_of(*parts: str) -> str:
    """A short digest of a finding or a text."""
    return hashlib.sha256("/".join(parts).encode()).hexdigest()[:12]


def _wanted(subscriber: Subscriber, found: Iterable[Open]) -> list[Open]:
    return [each for each in found if is_told(subscriber, each)]
