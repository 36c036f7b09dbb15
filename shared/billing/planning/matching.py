"""Whose line is it? Stamp first, then the recorded addition id, then adoption; everything else is not ours.

A line we do not own is never written.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from operator import attrgetter

from shared.billing.agreements import Addition
from shared.billing.counting.items import BillItem
from shared.billing.lines import (
    FIRST_STAMPED_YEAR,
    LedgerRow,
    LineKey,
    canonical,
    has_our_prefix,
    is_adopted,
    is_line_of,
)
from shared.billing.planning.tiers import tiers_of
from shared.billing.profiles import BillOption


@dataclass(frozen=True, slots=True)
class Additions:
    """The additions that were read, by agreement, and which active agreements were not read.

    `all` are those in the order of agreement and id, `by_id` the same by both.
    """

    by_agreement: Mapping[int, tuple[Addition, ...]]
    unread: frozenset[int]
    all: Sequence[Addition]
    by_id: Mapping[tuple[int, int], Addition]

    @classmethod
    def of(cls, by_agreement: Mapping[int, tuple[Addition, ...]], unread: frozenset[int]) -> Additions:
        in_order = {number: sorted(by_agreement[number], key=attrgetter("id")) for number in sorted(by_agreement)}
        by_id = {(number, line.id): line for number, lines in in_order.items() for line in reversed(lines)}
        return cls(by_agreement, unread, [line for lines in in_order.values() for line in lines], by_id)

    def get(self, agreement: int, addition: int) -> Addition | None:
        return self.by_id.get((agreement, addition))


@dataclass(frozen=True, slots=True)
class OwnLine:
    """An addition that is ours, with what we last wrote there if the ledger still knows."""

    addition: Addition
    key: LineKey
    recorded: LedgerRow | None

    @property
    def is_as_adopted(self) -> bool:
        """Whether its price, and whether it is billed at all, are a person's: it was taken over as it stood."""
        return self.recorded.keeps_price if self.recorded is not None else is_adopted(self.addition)


@dataclass(frozen=True, slots=True)
class Owned:
    """What is ours of one bill item: additions in the order of agreement and id, and all that the ledger knows of it.

    Either is told apart into what stands and what bills once.
    """

    lines: Sequence[OwnLine] = ()
    rows: Sequence[LedgerRow] = ()
    standing_lines: Sequence[OwnLine] = ()
    standing_rows: Sequence[LedgerRow] = ()
    one_off_lines: Sequence[OwnLine] = ()
    one_off_rows: Sequence[LedgerRow] = ()

    @classmethod
    def of(cls, lines: Sequence[OwnLine], rows: Sequence[LedgerRow]) -> Owned:
        standing_lines = [line for line in lines if line.key.is_standing]
        standing_rows = [row for row in rows if row.key.is_standing]
        if len(standing_lines) == len(lines) and len(standing_rows) == len(rows):
            return cls(lines, rows, standing_lines, standing_rows)
        one_off_lines = [line for line in lines if not line.key.is_standing]
        one_off_rows = [row for row in rows if not row.key.is_standing]
        return cls(lines, rows, standing_lines, standing_rows, one_off_lines, one_off_rows)


_NOTHING = Owned()


def owned_by_item(
    company: int, items: Iterable[BillItem], additions: Additions, ledger: Iterable[LedgerRow]
) -> dict[str, Owned]:
    """What is ours of each of these bill items, by id."""
    recorded: dict[tuple[int, int], LedgerRow] = {}
    rows: defaultdict[str, list[LedgerRow]] = defaultdict(list)
    for row in ledger:
        recorded[row.key.agreement, row.addition_id] = row
        rows[canonical(row.key.bill_item)].append(row)
    by_id = {item.id: item for item in items}
    lines: defaultdict[str, list[OwnLine]] = defaultdict(list)
    for addition in additions.all:
        recorded_there = recorded.get((addition.agreement_id, addition.id))
        owner = _owner(company, by_id, addition, recorded_there)
        if owner is not None:
            lines[owner.bill_item].append(OwnLine(addition, owner, recorded_there))
    ours = lines.keys() | rows.keys()
    return {item: Owned.of(lines[item], rows[item]) if item in ours else _NOTHING for item in by_id}


def _bands(item: BillItem) -> list[str]:
    """The bands of the lines that an item can have, besides the one without any."""
    tiers = tiers_of(item.price_rule)
    return ["", *(tier.bounds for tier in tiers if tier is not None)]


def _owner(company: int, items: Mapping[str, BillItem], addition: Addition, row: LedgerRow | None) -> LineKey | None:
    """`items` are tonight's by id."""
    if row is not None and row.stamp == addition.serial_number.strip() and row.key.bill_item in items:
        return row.key
    if has_our_prefix(addition):
        standing = [
            LineKey(company, addition.agreement_id, item.id, band=band)
            for item in items.values()
            for band in _bands(item)
        ]
        keys = [key for line in standing for key in (line, line.for_one_off())]
        return next((key for key in keys if is_line_of(addition, key)), None)
    forgotten_stamp = row is not None and not addition.serial_number.strip()
    if row is not None and forgotten_stamp and row.values.product_id == addition.product_id:
        return row.key if row.key.bill_item in items else None
    return None


def strays(
    additions: Additions, owned: Mapping[str, Owned], ledger: Iterable[LedgerRow], as_of: date
) -> list[Addition]:
    """Open additions with our prefix whose hash fits no bill item: Manage copies agreements with their additions.

    Lines of bill items that no rule mentions any more are no strays: the ledger knows them.
    """
    known = {line.addition.id for ours in owned.values() for line in ours.lines} | {row.addition_id for row in ledger}
    return [
        addition
        for addition in additions.all
        if addition.id not in known and has_our_prefix(addition) and addition.is_open(as_of)
    ]


def others_by_product(
    additions: Additions, agreements: Collection[int], ours: Collection[int]
) -> dict[str, list[Addition]]:
    """Lines on these agreements that belong to no bill item, whatever their serial number, by case-folded product."""
    found: dict[str, list[Addition]] = {}
    for addition in additions.all:
        if addition.agreement_id in agreements and addition.id not in ours:
            found.setdefault(addition.product.casefold(), []).append(addition)
    return found


def why_not_adoptable(
    addition: Addition, key: LineKey, product_id: int, start: date, marks: Collection[str], *, marks_confirmed: bool
) -> str | None:
    """The reason why a person has to decide about a line, or None if it may be adopted to bill from `start` on."""
    return _of_another(addition, key, product_id, marks, marks_confirmed=marks_confirmed) or _not_ordinary(
        addition, start
    )


def why_not_even_chosen(addition: Addition, key: LineKey, product_id: int, start: date) -> str | None:
    """The reason why not even a person can have a line adopted; whose mark it carries does not matter then."""
    return _stands_elsewhere(addition, key, product_id) or _not_ordinary(addition, start)


def _of_another(
    addition: Addition, key: LineKey, product_id: int, marks: Collection[str], *, marks_confirmed: bool
) -> str | None:
    serial = addition.serial_number.strip()
    elsewhere = _stands_elsewhere(addition, key, product_id)
    if elsewhere is not None:
        return elsewhere
    if has_our_prefix(addition):
        return "it carries a TrueUp stamp that belongs to no bill item of this company"
    if serial and not any(serial.casefold().startswith(mark.casefold()) for mark in marks):
        return f"its serial number is {serial!r}"
    if serial and not marks_confirmed:
        return f"it carries another tool's mark ({serial!r}) and adopting those is not confirmed for this company"
    return None


def _stands_elsewhere(addition: Addition, key: LineKey, product_id: int) -> str | None:
    if addition.agreement_id != key.agreement:
        return f"it stands on another agreement ({addition.agreement_id})"
    if addition.product_id != product_id:
        return f"it is a line of {addition.product}, which this profile replaces"
    return None


def _not_ordinary(addition: Addition, start: date) -> str | None:
    if addition.less_included != 0:
        return "it bills less the included quantity"
    if addition.cancelled_date is not None:
        return f"it ends on {addition.cancelled_date.isoformat()}"
    if addition.bill_customer != BillOption.BILLABLE:
        return f"it is set to {addition.bill_customer}"
    if addition.quantity < 0 or addition.unit_price <= 0:
        return f"it bills {addition.quantity} at {addition.unit_price}"
    begins = addition.effective_date or start
    if begins > start:
        return f"it begins only on {begins.isoformat()}"
    if begins.year < FIRST_STAMPED_YEAR:
        return f"it begins in {begins.year}, which a stamp cannot tell"
    return None
