"""Plans, decisions and findings of companies, and what came of looking at one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NotRequired

from typing_extensions import TypedDict


class Values(TypedDict):
    """What an addition says. The text on the invoice may name users: it is told to signed-in people only."""

    product_id: int
    quantity: float
    unit_price: float
    effective_date: str | None
    cancelled_date: str | None
    serial_number: str
    bill_customer: str
    taxable_flag: bool | None
    unit_cost: float | None
    invoice_description: NotRequired[str]


class Change(TypedDict):
    """One write to one addition; `before` null for a create, `after` for a delete."""

    kind: str
    agreement: int
    addition: int | None
    product: str
    before: Values | None
    after: Values | None
    text_changes: bool
    reason: str
    sentence: str
    monthly: float
    one_off: float


class Group(TypedDict):
    """All changes of one bill item; `held` says why a guard holds it."""

    hash: str
    bill_item: str
    kind: str
    held: str | None
    guard: str | None
    monthly: float
    one_off: float
    changes: list[Change]


class Signed(TypedDict):
    """Who, when, and from which address."""

    by: str
    at: str
    origin: str


class Decision(Signed):
    why: str


class Standing(TypedDict):
    """`waiting` since when, `approved` or `rejected` by whom, or only `planned`.

    `expired`: when it had waited too long before. `written` counts changes of what was approved that are written.
    """

    state: str
    since: NotRequired[str]
    expired: NotRequired[str | None]
    decision: NotRequired[Decision]
    written: NotRequired[int]


class ShownGroup(Group, Standing):
    """A group with what became of it; `currency` is that of its agreement, "" where Manage tells none."""

    currency: str


class Groups(TypedDict):
    groups: list[Group]


class ShownGroups(TypedDict):
    groups: list[ShownGroup]


class Undo(Signed):
    """An undo that was begun and has not ended."""

    run: str
    bill_item: str | None


class Choice(Signed):
    """What a person chose about a bill item or a stray addition."""

    kind: str
    subject: str
    additions: list[int]


class Finding(TypedDict):
    """Something that a person should know; `choices` are what can be chosen about it."""

    kind: str
    key: str
    text: str
    remedy: str
    choices: list[str]
    opened: str


class CompanyState(TypedDict):
    """A company as its last look left it."""

    id: int
    name: str
    mode: str
    outcome: str | None
    last_run: str | None
    last_at: str | None
    plan: ShownGroups
    undoes: list[Undo]
    choices: list[Choice]


class CompanyPlan(CompanyState):
    findings: list[Finding]


class Outcome(TypedDict):
    """How one look at a company ended. `seconds` it took; `calls` by system."""

    company: int
    outcome: str
    note: str
    planned: Mapping[str, int]
    written: Mapping[str, int]
    findings: Mapping[str, int]
    monthly_delta: float
    seconds: float
    calls: Mapping[str, int]
    waiting: int


class Report(Outcome):
    """`stale` counts approvals that were not carried out."""

    stale: int


class Look(Outcome):
    """The same with what it planned; `again_in`: seconds until it is worth asking again."""

    again_in: float | None
    plan: Groups


class Synced(Look):
    stale: int


class HistoryEntry(TypedDict):
    """One thing that was done (`change`) or decided (`signed`)."""

    id: str
    at: str
    day: str | None
    run: str
    actor: str
    addition: int | None
    bill_item: str | None
    change: Change | None
    request_id: str | None
    note: str
    signed: Signed | None


class History(TypedDict):
    """Newest first; `next` is the `before` of the next page."""

    entries: list[HistoryEntry]
    next: str | None
