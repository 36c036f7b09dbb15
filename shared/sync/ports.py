"""What the flows need of the world. The composition root (`shared.bootstrap`) makes the real ones, tests make fakes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from shared.billing.agreements import Addition, Agreement, Company, Fields, Product
from shared.clock import Clock
from shared.queues import Queue
from shared.sources.protocol import Source
from shared.state.companies import CompanyStore
from shared.state.company_state import CompanyStateStore
from shared.state.rules import RulesStore
from shared.state.runs import RunStore
from shared.state.schedules import ScheduleStore


class Manage(Protocol):
    """ConnectWise Manage as the flows use it. Every method may raise `TrueUpError`; a list is complete or an error."""

    @property
    def last_request_id(self) -> str | None:
        """Manage's id of this thread's last call, for the history."""

    def deadline(self, seconds: float) -> AbstractContextManager[None]:
        """No call inside takes longer than what is left of these seconds."""

    def companies(self, ids: Sequence[int] | None = None) -> list[Company]: ...

    def agreements(self, company_id: int) -> list[Agreement]: ...

    def additions(self, agreement_id: int) -> list[Addition]: ...

    def additions_stamped(self, agreement_id: int, stamp: str) -> list[Addition]: ...

    def products(self, identifiers: Collection[str]) -> dict[str, Product]: ...

    def create_addition(self, agreement_id: int, fields: Fields) -> Addition: ...

    def update_addition(self, agreement_id: int, addition_id: int, fields: Fields) -> Addition: ...

    def delete_addition(self, agreement_id: int, addition_id: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Limits:
    """How much at once and for how long. `lease` is in seconds; everything else follows from it.

    One company may take 4/5 of its lease; what a write did is looked for again after two leases; a claim of which
    nothing was heard for four leases is given to another worker.
    """

    lanes: int = 8
    lease: int = 300

    @property
    def company_deadline(self) -> float:
        """Never more than the 230 s in which the platform wants an HTTP answer."""
        return min(self.lease * 0.8, 200)

    @property
    def settling(self) -> int:
        return self.lease * 2

    @property
    def silence(self) -> int:
        return self.lease * 4

    @property
    def busy_delay(self) -> int:
        return max(self.lease // 10, 1)


@dataclass(frozen=True, slots=True)
class Ports:
    """Everything outside that a flow may touch."""

    clock: Clock
    queue: Queue
    manage: Manage
    sources: Mapping[str, Source]
    rules: RulesStore
    companies: CompanyStore
    company_state: CompanyStateStore
    runs: RunStore
    schedules: ScheduleStore
    limits: Limits = Limits()
