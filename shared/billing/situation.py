"""What the planner of one bill item looks at, what it answers, and how it says that it is in doubt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from shared.billing.agreements import Addition, Agreement, Product
from shared.billing.calendar import Period
from shared.billing.findings import Finding, FindingKind
from shared.billing.items import BillItem
from shared.billing.lines import LedgerRow, LineKey
from shared.billing.matching import Additions, OwnLine
from shared.billing.plan import Group
from shared.billing.rules import BillingProfile, CompanyRules
from shared.billing.seats import SeatRecord


@dataclass(frozen=True, slots=True)
class Situation:
    """One company tonight, prepared for its bill items.

    `products` are keyed by case-folded identifier. `owned` are our lines by bill item id. `contested` are products
    (case-folded) that several bill items want to find a line for, `counted` those that something is counted for.
    """

    as_of: date
    company: CompanyRules
    marks: tuple[str, ...]
    agreements: Mapping[int, Agreement]
    products: Mapping[str, Product]
    additions: Additions
    owned: Mapping[str, list[OwnLine]]
    strays: tuple[Addition, ...]
    ledger: tuple[LedgerRow, ...]
    seats: Mapping[str, SeatRecord]
    contested: frozenset[str]
    counted: frozenset[str]
    in_doubt: frozenset[str]

    def known_additions(self) -> set[int]:
        """Ids of the additions that belong to some bill item of the company."""
        return {line.addition.id for lines in self.owned.values() for line in lines}


@dataclass(frozen=True, slots=True)
class ItemPlan:
    """What is planned for one bill item.

    `ledger` are rows to remember without writing to Manage. `frozen`: nothing certain is known, the line stays as it
    is. `needs_all`: the answer holds only once the additions of every active agreement were read.
    """

    group: Group | None = None
    findings: tuple[Finding, ...] = ()
    seats: SeatRecord | None = None
    ledger: tuple[LedgerRow, ...] = ()
    frozen: bool = False
    needs_all: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """Where a bill item is billed, with what, and from when on: the first uninvoiced period of its agreement."""

    item: BillItem
    profile: BillingProfile
    agreement: Agreement
    period: Period
    product: Product
    key: LineKey


class Doubt(Exception):
    """Raised inside the planner where it cannot be sure: the bill item freezes and the finding says why."""

    def __init__(self, kind: FindingKind, key: str, text: str, remedy: str) -> None:
        super().__init__(text)
        self.finding = Finding(kind, key, text, remedy)
