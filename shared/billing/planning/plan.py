"""The plan of one company: changes in groups, findings, in a fixed order, with a hash that binds what was approved."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from decimal import Decimal
from enum import StrEnum

from shared.billing.agreements import FieldValue
from shared.billing.balance import Balance
from shared.billing.counts import Counted
from shared.billing.findings import Finding
from shared.billing.lines import LedgerRow, LineKey, LineValues, difference
from shared.billing.planning.choices import Choice
from shared.billing.planning.invoiced import Invoiced
from shared.billing.seats import SeatRecord

#: Why a second copy of our own line goes; it takes nothing from what the customer is billed for once.
OWN_COPY = "our own copy"
#: Why an older line of ours ends where a newer one stands already, after a worker died between the two writes.
TAKEN_OVER_ALREADY = "a newer line of ours has taken over"
#: Why a line that is not ours ends: the only write to such a line, and only because a person said so.
ENDED_FOR_OURS = "a person decided that a line of ours takes over"


class GroupKind(StrEnum):
    """What a group does to what the customer pays; `correction`: nothing that recurs changes."""

    ADOPTION = "adoption"
    INCREASE = "increase"
    REDUCTION = "reduction"
    ONE_OFF = "one-off"
    CORRECTION = "correction"


class Guard(StrEnum):
    """What holds a group for a person; `unsound`: it would break what must hold of every result."""

    ALL_ZERO = "all-zero"
    UNITS = "units"
    PERCENT = "percent"
    MONEY = "money"
    CREDIT = "credit"
    INCREASE = "increase"
    USAGE = "usage"
    CHANGES_PER_DAY = "changes-per-day"
    UNSOUND = "unsound"


class ChangeKind(StrEnum):
    """What happens to one addition. An adoption is an update that also writes our stamp."""

    CREATE = "create"
    UPDATE = "update"
    END = "end"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Change:
    """One write to one addition.

    `addition` is None for a create. `before` is None for a create, `after` for a delete. `reason` says why in a few
    words, `sentence` says all of it in one sentence. `monthly` and `one_off` are the money effect in the agreement's
    currency: per invoice from then on, and once. `unit_cost` is what a unit costs the MSP, as far as known. `used` is
    all that the period of a line for usage used, None of every other.
    """

    kind: ChangeKind
    key: LineKey
    addition: int | None
    product: str
    before: LineValues | None
    after: LineValues | None
    reason: str
    sentence: str
    monthly: Decimal
    one_off: Decimal = Decimal(0)
    keeps_price: bool = False
    unit_cost: Decimal | None = None
    used: Decimal | None = None

    @property
    def margin(self) -> Decimal | None:
        """What the change adds to the MSP's margin, per invoice or once; None where the cost is not known."""
        if self.unit_cost is None:
            return None
        more = (_units(self.after) if self.kind is not ChangeKind.END else Decimal(0)) - _units(self.before)
        return self.monthly + self.one_off - more * self.unit_cost

    @property
    def is_of_copy(self) -> bool:
        """Whether it removes our own second copy; the ledger then goes on knowing the first one."""
        return self.reason == OWN_COPY

    @property
    def is_of_another(self) -> bool:
        """Whether it ends a line that is not ours, as a person decided."""
        return self.reason == ENDED_FOR_OURS

    @property
    def lets_go(self) -> bool:
        """Whether the line is not ours afterwards: given back, or gone."""
        if self.after is None:
            return not self.is_of_copy
        return self.before is not None and self.before.is_ours and not self.after.is_ours

    @property
    def is_repair(self) -> bool:
        """Whether it only takes back what would be billed twice; no guard may keep it from that."""
        return self.reason in (OWN_COPY, TAKEN_OVER_ALREADY)

    @property
    def is_guarded(self) -> bool:
        """Whether guards count it: not what only takes back, nor a text alone, which bills nothing."""
        return not self.is_repair and set(self.fields()) != {"invoice_description"}

    def fields(self) -> dict[str, FieldValue]:
        """What is sent to Manage, by field name."""
        return {} if self.after is None else difference(self.before, self.after)

    @property
    def fingerprint(self) -> str:
        """Stable for the same write: tells which changes of an approved group have been written."""
        return _digest(self.bound())

    @property
    def takes_over(self) -> bool:
        """Whether it makes a line ours that was not."""
        return self.before is not None and self.after is not None and not self.before.is_ours and self.after.is_ours

    def bound(self) -> dict[str, object]:
        """What an approval binds: target, fields written with before and after. User names in the text need none."""
        after = self.after
        names = [item.name for item in fields(LineValues)] if after is None else list(self.fields())
        return {
            "kind": self.kind.value,
            "line": str(self.key),
            "addition": self.addition,
            "fields": {
                name: [str(getattr(self.before, name, None)), str(getattr(after, name, None))]
                for name in sorted(names)
                if name != "invoice_description"
            },
        }


def _units(values: LineValues | None) -> Decimal:
    """Units that a line costs the MSP; what is credited once is given back by the vendor, or not billed."""
    if values is None:
        return Decimal(0)
    return values.quantity if values.unit_price >= 0 else -values.quantity


@dataclass(frozen=True, slots=True)
class Group:
    """All changes of one bill item: approved, applied and undone whole. `held` says why a person must look first.

    `guard` is the one that holds it; None also for what was held before guards had names. An `unsound` group would
    break what must hold of every result: it is held, and nobody can approve it.
    """

    bill_item: str
    changes: tuple[Change, ...]
    held: str | None = None
    unsound: bool = False
    guard: Guard | None = None

    @property
    def hash(self) -> str:
        """Stable for the same writes; findings and reading times do not enter it."""
        return _digest([change.bound() for change in self.changes])

    @property
    def kind(self) -> GroupKind:
        if any(change.takes_over for change in self.changes):
            return GroupKind.ADOPTION
        if self.monthly != 0:
            return GroupKind.INCREASE if self.monthly > 0 else GroupKind.REDUCTION
        return GroupKind.ONE_OFF if self.one_off != 0 else GroupKind.CORRECTION

    @property
    def monthly(self) -> Decimal:
        return sum((change.monthly for change in self.changes), Decimal(0))

    @property
    def one_off(self) -> Decimal:
        return sum((change.one_off for change in self.changes), Decimal(0))


def _digest(content: object) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Billed:
    """How one bill item is billed.

    `feeds` are the counts that it takes: source, customer and SKU in canonical form. `profile` is the id of the one
    that bills it, None where it is not billed or nobody knows how; `own`: the company's own licence link says so, else
    a policy does. `quantity` is what its count comes to in billed units and `agreement` where it is billed, None where
    that is not certain tonight. `not_before` is the first day on which it may be billed. `unknown` says why nothing
    certain is known of it. `lines` are our standing additions for it.
    """

    item: str
    name: str
    feeds: tuple[tuple[str, str, str], ...]
    profile: str | None = None
    own: bool = False
    quantity: Decimal | None = None
    agreement: int | None = None
    not_before: date | None = None
    unknown: str | None = None
    read_failed: bool = False
    lines: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What one company's additions should become, and what a person should know.

    `seats` are the seat records after this reading, `ledger` rows to remember without a write, `forgotten` the stamps
    of rows to forget, `frozen` the bill items that are left alone because something is not certain. `unread` are active
    agreements whose additions were not read; with `needs_all` the plan is only good once they were. `invoiced` is what
    to remember anew of how far agreements are invoiced. `sources` feed each bill item, by its id.
    Whether Manage's forecast of their next invoice agrees is not known of the agreements `not_compared`. `billed` tells
    people how each bill item is billed, `balances` what is counted of it beside what is billed. `counted` is what to
    remember of the count days of items that are counted before invoices.
    """

    company: int
    groups: tuple[Group, ...] = ()
    findings: tuple[Finding, ...] = ()
    seats: tuple[SeatRecord, ...] = ()
    ledger: tuple[LedgerRow, ...] = ()
    forgotten: tuple[str, ...] = ()
    frozen: frozenset[str] = frozenset()
    unread: frozenset[int] = frozenset()
    needs_all: bool = False
    not_compared: frozenset[int] = frozenset()
    choices: tuple[Choice, ...] = ()
    spent: frozenset[str] = frozenset()
    invoiced: tuple[Invoiced, ...] = ()
    sources: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    billed: tuple[Billed, ...] = ()
    balances: tuple[Balance, ...] = ()
    counted: Mapping[str, Counted] = field(default_factory=dict)

    @property
    def changes(self) -> tuple[Change, ...]:
        return tuple(change for group in self.groups for change in group.changes)

    @property
    def applicable(self) -> tuple[Group, ...]:
        return tuple(group for group in self.groups if group.held is None)

    @property
    def held(self) -> tuple[Group, ...]:
        return tuple(group for group in self.groups if group.held is not None)
