"""What is remembered beside the core's own records: outcomes, intents, history, open findings."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum

from shared.billing.findings import Finding
from shared.billing.lines import canonical
from shared.billing.planning.choices import Choice
from shared.billing.planning.plan import Change, Group


class Outcome(StrEnum):
    """How a sync of one company ended."""

    UNCHANGED = "unchanged"
    APPLIED = "applied"
    PLANNED = "planned"
    HELD = "held"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Signature:
    """Who decided something, when (UTC) and from which address."""

    by: str
    at: datetime
    origin: str = ""


class Verdict(StrEnum):
    """What a person decided about a group."""

    APPROVED = "approved"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided about one group as it was shown, in which run, and why.

    It holds for exactly that group's changes. `written` are fingerprints of those that an approval has written already:
    what is left of a group after a worker died is still the group that was decided about.
    """

    verdict: Verdict
    group: Group
    signed: Signature
    run: str
    why: str = ""
    written: tuple[str, ...] = ()

    @property
    def left(self) -> list[str]:
        """Fingerprints of the changes that are not written yet, in the group's order."""
        return [change.fingerprint for change in self.group.changes if change.fingerprint not in self.written]

    def is_about(self, group: Group) -> bool:
        """Whether a group as it is planned now is what was decided about, or what is left of it."""
        same_item = group.bill_item == self.group.bill_item
        return same_item and sorted(change.fingerprint for change in group.changes) == sorted(self.left)

    def having_written(self, change: Change) -> Decision:
        return replace(self, written=(*self.written, change.fingerprint))


@dataclass(frozen=True, slots=True)
class UndoAsked:
    """An undo of what `run` wrote (`bill_item` None: to all of them), from before its first write until it has ended.

    It writes in `own_run`. `confirmed` are hashes of groups that it writes although a guard holds them.
    """

    run: str
    own_run: str
    signed: Signature
    bill_item: str | None = None
    confirmed: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        return self.run, canonical(self.bill_item or "")


@dataclass(frozen=True, slots=True)
class ChoiceMade:
    """A choice, and who made it."""

    choice: Choice
    signed: Signature


@dataclass(frozen=True, slots=True)
class Waiting:
    """A group that waits for a person: since when (UTC).

    `expired` is set where it had waited too long before: then it was planned anew, and waits again since then.
    """

    bill_item: str
    since: datetime
    expired: datetime | None = None


@dataclass(frozen=True, slots=True)
class Intent:
    """Written before a change is sent to Manage, removed in the transaction that records its result.

    `unknown_since` is set once the outcome is unknown: nothing is sent again for this line before its effect was looked
    for, and while none is to be seen not before it had two leases' time to arrive. `approved` is the hash of the group
    that a person approved, `signed` by whom. `uninvoiced_from` began the first period that the agreement was not
    invoiced for, `undoes` are the history entries that it takes back.
    """

    id: str
    run: str
    at: datetime
    change: Change
    unknown_since: datetime | None = None
    approved: str | None = None
    signed: Signature | None = None
    uninvoiced_from: date | None = None
    undoes: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """What was done to one addition, when, why and by which run; newest first in the store.

    `at` is UTC, `day` the business date, which older entries do not know. `change` is None for what only a person
    decided; `signed` tells who decided or approved. `uninvoiced_from` began the first period that the agreement was not
    invoiced for at the time, `undoes` are the ids of entries that this write took back.
    """

    id: str
    at: datetime
    run: str
    actor: str
    addition: int | None
    change: Change | None
    request_id: str | None = None
    note: str = ""
    day: date | None = None
    signed: Signature | None = None
    uninvoiced_from: date | None = None
    undoes: tuple[str, ...] = ()


def without_texts(entry: HistoryEntry) -> HistoryEntry:
    """The entry without what stands on invoices beside product and price, which may name users."""
    change = entry.change
    if change is None:
        return entry
    before = change.before.changed(invoice_description="") if change.before is not None else None
    after = change.after.changed(invoice_description="") if change.after is not None else None
    return replace(entry, change=replace(change, before=before, after=after))


@dataclass(frozen=True, slots=True)
class OpenFinding:
    """A finding with the time at which it opened."""

    finding: Finding
    opened: datetime


@dataclass(frozen=True, slots=True)
class CompanyReport:
    """What one sync did: stored in the run's row and with the company.

    `waiting` counts groups that wait for a person, `stale` approved ones that are no longer what is planned. `fleet`
    has the sources that were read, True where the company reduces or is held; empty where it does not apply by itself.
    `calls` counts the requests that were sent to other systems, by system.
    """

    company: int
    outcome: Outcome
    note: str = ""
    planned: dict[str, int] = field(default_factory=dict)
    written: dict[str, int] = field(default_factory=dict)
    findings: dict[str, int] = field(default_factory=dict)
    monthly_delta: str = "0"
    seconds: float = 0.0
    waiting: int = 0
    stale: int = 0
    fleet: dict[str, bool] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)
