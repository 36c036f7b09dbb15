"""What waits for people, and what came of their decisions."""

from __future__ import annotations

from typing_extensions import TypedDict

from shared.sync.shapes import plans
from shared.sync.shapes.desk import CompanyFinding, Unreadable


class WaitingGroup(plans.ShownGroup):
    company: int
    name: str


class WaitingUndo(plans.Undo):
    company: int
    name: str


class Amounts(TypedDict):
    """More or less on every invoice, and once."""

    currency: str
    monthly: float
    one_off: float


class Sum(Amounts):
    kind: str
    held: bool
    groups: int


class Reason(TypedDict):
    """Groups that wait for the same: their kind, and the guard that holds them. `seen` binds a decision to them."""

    kind: str
    held: bool
    guard: str | None
    groups: int
    companies: int
    sums: list[Amounts]
    seen: str


class Waiting(TypedDict):
    sums: list[Sum]
    reasons: list[Reason]
    groups: list[WaitingGroup]
    undoes: list[WaitingUndo]
    nothing_written: str | None
    unreadable: list[Unreadable]


class Question(CompanyFinding):
    company: int
    name: str


class Questions(TypedDict):
    questions: list[Question]
    unreadable: list[Unreadable]


class Whole(Waiting):
    questions: list[Question]


class Stale(TypedDict):
    """A group that is not what is planned any more: as it was approved, and as it is now (null: not at all)."""

    hash: str
    bill_item: str
    reason: str
    before: plans.Group
    now: plans.Group | None


class Approved(plans.Look):
    """What came of approving: hashes that are decided, those that were stale, those of which no group waits."""

    approved: list[str]
    stale: list[Stale]
    unknown: list[str]


class Rejected(TypedDict):
    rejected: list[str]
    unknown: list[str]


class NotUndone(TypedDict):
    bill_item: str
    reason: str


class Undone(TypedDict):
    """`held` groups are undone once their hashes are sent as confirmed. With `again_in` (seconds) it has not ended."""

    run: str
    undone: list[plans.Group]
    refused: list[NotUndone]
    held: list[plans.Group]
    failures: list[str]
    again_in: float | None
    nothing: bool
