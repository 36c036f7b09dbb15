"""What TrueUp remembers of a company: the kinds of it, their values, and how they change."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum

from shared.billing.counts import Counted
from shared.billing.limits import Guards
from shared.billing.lines import LedgerRow
from shared.billing.planning.invoiced import Invoiced
from shared.billing.planning.plan import Plan
from shared.billing.rules import LicenceLink
from shared.billing.seats import SeatRecord
from shared.state.balances import CompanyBalance
from shared.state.overview import Overview
from shared.state.records import ChoiceMade, Decision, HistoryEntry, Intent, OpenFinding, UndoAsked, Waiting

#: The partition of what concerns no company: the findings of the MSP itself.
MSP = "msp"


@dataclass(frozen=True, slots=True)
class OwnRules:
    """The part of a company's rules that only its own sync reads: see `CompanyRules`.

    `sharing` are the other companies that are linked to one of its customers. `version` is that of the MSP-wide rules
    beside which they were made, `edition` that of the edit that made them.
    """

    licences: tuple[LicenceLink, ...] = ()
    adopt_marked: bool = False
    guards: Guards | None = None
    billed_through: dict[int, date] = field(default_factory=dict)
    sharing: tuple[int, ...] = ()
    version: int = 0
    edition: int = 0


@dataclass(frozen=True, slots=True)
class ReadingNote:
    """What the newest reading of one customer said, or why it failed.

    `skus` holds purchased and assigned (None where the vendor cannot tell) by SKU. `day` is the local day of the
    reading. `subscriptions` are their ids, None where that was not remembered. `failure` is a plain sentence without a
    user's name.
    """

    source: str
    customer: str
    day: date
    skus: dict[str, tuple[Decimal, Decimal | None]] = field(default_factory=dict)
    failure: str | None = None
    subscriptions: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class LastCounts:
    """What was counted on the last days before agreements' invoices, by bill item."""

    items: dict[str, Counted] = field(default_factory=dict)


class StateKind(StrEnum):
    """The kinds of rows, with the keys they have. The value begins the row's key; all of them sort before history."""

    RULES = "rules"  # OwnRules; key ""
    READING = "reading"  # ReadingNote; key (source, customer)
    SEATS = "seats"  # SeatRecord; key: the line
    LEDGER = "ledger"  # LedgerRow; key: the stamp
    INTENT = "intent"  # Intent; key: its id
    FINDING = "finding"  # OpenFinding; key (kind, key)
    PLAN = "plan"  # Plan; key ""
    WAITING = "waiting"  # Waiting; key: the group's hash
    DECISION = "decision"  # Decision; key: the group's hash
    CHOICE = "choice"  # ChoiceMade; key: its subject
    INVOICED = "invoiced"  # Invoiced; key: the agreement
    UNDO = "undo"  # UndoAsked; key (run, bill item)
    OVERVIEW = "overview"  # Overview; key ""
    BALANCE = "balance"  # CompanyBalance; key ""
    COUNTED = "counted"  # LastCounts; key ""


StateValue = (
    OwnRules
    | ReadingNote
    | SeatRecord
    | LedgerRow
    | Intent
    | OpenFinding
    | Plan
    | Waiting
    | Decision
    | Invoiced
    | ChoiceMade
    | UndoAsked
    | Overview
    | CompanyBalance
    | LastCounts
)
#: One part, or several; a `StrEnum` counts as its text.
StateKey = str | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Put:
    """Store a value under its kind and key, whatever was there."""

    kind: StateKind
    key: StateKey
    value: StateValue


@dataclass(frozen=True, slots=True)
class Drop:
    """Remove what is stored under a kind and key; it may be gone already."""

    kind: StateKind
    key: StateKey


@dataclass(frozen=True, slots=True)
class AddHistory:
    """Add an entry to the history. Adding the same entry again changes nothing."""

    entry: HistoryEntry


StateChange = Put | Drop | AddHistory


@dataclass(frozen=True, slots=True)
class CompanyState:
    """Everything remembered of one company but its history.

    `sharing` are the other companies that are linked to one of its customers, `rules_version` that of the MSP-wide
    rules beside which the company's own were made, `rules_edition` that of the edit that made them. `readings` by
    (source, customer), `seats` by line, `ledger` by stamp, `intents` by id, `findings` by (kind, key). `plan` is the
    one that waits for a person, or was last shown; `waiting` and `decisions` are by the hash of its groups, `choices`
    by subject, `invoiced` by agreement. `overview` is what the last look saw, for people, `balance` what it counted
    beside what was billed, as far as that changed, `counted` what items that are counted before invoices were on their
    last day. `rest` are the keys of the rows beside those of large documents.
    """

    licences: tuple[LicenceLink, ...] = ()
    guards: Guards | None = None
    adopt_marked: bool = False
    billed_through: dict[int, date] = field(default_factory=dict)
    sharing: tuple[int, ...] = ()
    rules_version: int = 0
    rules_edition: int = 0
    readings: dict[tuple[str, str], ReadingNote] = field(default_factory=dict)
    seats: dict[str, SeatRecord] = field(default_factory=dict)
    ledger: dict[str, LedgerRow] = field(default_factory=dict)
    intents: dict[str, Intent] = field(default_factory=dict)
    findings: dict[tuple[str, str], OpenFinding] = field(default_factory=dict)
    plan: Plan | None = None
    waiting: dict[str, Waiting] = field(default_factory=dict)
    decisions: dict[str, Decision] = field(default_factory=dict)
    choices: dict[str, ChoiceMade] = field(default_factory=dict)
    invoiced: dict[int, Invoiced] = field(default_factory=dict)
    undoes: dict[tuple[str, str], UndoAsked] = field(default_factory=dict)
    overview: Overview = field(default_factory=Overview)
    balance: CompanyBalance | None = None
    counted: LastCounts = field(default_factory=LastCounts)
    rest: frozenset[str] = frozenset()

    @property
    def to_decide(self) -> tuple[int, int]:
        """How many groups wait for a person, and how many decisions and undoes are not done with."""
        return len(self.waiting), len(self.decisions) + len(self.undoes)
