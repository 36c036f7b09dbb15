"""What is remembered beside the core's own records: outcomes, intents, history, open findings."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from shared.billing.findings import Finding
from shared.billing.plan import Change


class Outcome(StrEnum):
    """How a sync of one company ended."""

    UNCHANGED = "unchanged"
    APPLIED = "applied"
    PLANNED = "planned"
    HELD = "held"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Intent:
    """Written before a change is sent to Manage, removed in the transaction that records its result.

    `unknown_since` is set once the outcome is unknown: nothing is sent again for this line before its effect was looked
    for, and while none is to be seen not before it had two leases' time to arrive.
    """

    id: str
    run: str
    at: datetime
    change: Change
    unknown_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """What was done to one addition, when, why and by which run; newest first in the store.

    `at` is UTC, `day` the business date, which older entries do not know.
    """

    id: str
    at: datetime
    run: str
    actor: str
    addition: int | None
    change: Change
    request_id: str | None = None
    note: str = ""
    day: date | None = None


@dataclass(frozen=True, slots=True)
class OpenFinding:
    """A finding with the time at which it opened."""

    finding: Finding
    opened: datetime


@dataclass(frozen=True, slots=True)
class CompanyReport:
    """What one sync did: stored in the run's row and with the company."""

    company: int
    outcome: Outcome
    note: str = ""
    planned: dict[str, int] = field(default_factory=dict)
    written: dict[str, int] = field(default_factory=dict)
    findings: dict[str, int] = field(default_factory=dict)
    monthly_delta: str = "0"
    seconds: float = 0.0
