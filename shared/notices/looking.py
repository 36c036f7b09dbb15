"""What has changed since a subscriber was last looked at, at the price of the companies that were looked at since."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property

from shared.billing.subscribers import Subscriber
from shared.notices.digest import is_told
from shared.notices.picture import Open, open_of, open_of_msp
from shared.state.companies import CompanyRow
from shared.state.company_state import CompanyState
from shared.state.notices import Told
from shared.sync.ports import Ports
from shared.sync.readable import readable_state

#: Clocks of two machines may differ so much, and a commit last so long.
OVERLAP = timedelta(minutes=10)


@dataclass
class Looks:
    """One round's look at open findings: each company is read once, however many subscribers are told of it.

    A company whose stored state can not be read keeps nobody from being told of the others.
    """

    flows: Ports
    _read: dict[int, list[Open] | None] = field(default_factory=dict)

    def open_since(self, subscriber: Subscriber, told: Told | None) -> dict[str, list[Open]]:
        """The open findings that it is told of, by company, of those looked at since; "" is the MSP itself.

        None of a company that was erased after it was told of: what is found there later is news.
        """
        found = {"": [each for each in self._of_msp if is_told(subscriber, each)]}
        for row in self._companies:
            if row.last_at is None and told is not None and str(row.id) in told.findings:
                found[str(row.id)] = []
                continue
            is_new = told is None or (row.last_at is not None and row.last_at >= told.until - OVERLAP)
            of = self._of(row) if is_new and subscriber.is_told_of(row.id) else None
            if of is not None:
                found[str(row.id)] = [each for each in of if is_told(subscriber, each)]
        return found

    def of(self, company: int | None) -> list[Open]:
        """What is open at a company that was looked at, or at the MSP itself (None), whoever is told of it."""
        return self._of_msp if company is None else self._read.get(company) or []

    @cached_property
    def _companies(self) -> list[CompanyRow]:
        return self.flows.companies.all()

    @cached_property
    def _of_msp(self) -> list[Open]:
        return list(open_of_msp(self.flows))

    def _of(self, row: CompanyRow) -> list[Open] | None:
        if row.id not in self._read:
            state = readable_state(self.flows, row.id)
            self._read[row.id] = (
                list(open_of(row, state, self.flows.time_zone)) if isinstance(state, CompanyState) else None
            )
        return self._read[row.id]


def mark_of(*parts: str) -> str:
    """A short digest of a finding or a text."""
    return hashlib.sha256("/".join(parts).encode()).hexdigest()[:12]
