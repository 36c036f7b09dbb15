"""Whose line is it? Stamp first, then the recorded addition id, then adoption; everything else is not ours.

A line we do not own is never written.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from shared.billing.agreements import Addition
from shared.billing.counting.items import BillItem
from shared.billing.lines import FIRST_STAMPED_YEAR, LedgerRow, LineKey, has_our_prefix, is_adopted, is_line_of
from shared.billing.planning.tiers import tiers_of
from shared.billing.profiles import BillOption


@dataclass(frozen=True, slots=True)
class Additions:
    """The additions that were read, by agreement, and which active agreements were not read."""

    by_agreement: Mapping[int, tuple[Addition, ...]]
    unread: frozenset[int]

    def all(self) -> Iterable[Addition]:
        for agreement in sorted(self.by_agreement):
            yield from sorted(self.by_agreement[agreement], key=lambda addition: addition.id)

    def get(self, agreement: int, addition: int) -> Addition | None:
        return next((line for line in self.by_agreement.get(agreement, ()) if line.id == addition), None)


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


def own_lines(
    company: int, items: Iterable[BillItem], additions: Additions, ledger: Iterable[LedgerRow]
) -> dict[str, list[OwnLine]]:
    """Our additions by bill item id, in the order of agreement and addition id."""
    recorded = {(row.key.agreement, row.addition_id): row for row in ledger}
    names = {item.id: _bands(item) for item in items}
    found: dict[str, list[OwnLine]] = {item: [] for item in names}
    for addition in additions.all():
        row = recorded.get((addition.agreement_id, addition.id))
        owner = _owner(company, names, addition, row)
        if owner is not None:
            found[owner.bill_item].append(OwnLine(addition, owner, row))
    return found


def _bands(item: BillItem) -> list[str]:
    """The bands of the lines that an item can have, besides the one without any."""
    tiers = tiers_of(item.price_rule)
    return ["", *(tier.bounds for tier in tiers if tier is not None)]


def _owner(
    company: int, names: Mapping[str, Collection[str]], addition: Addition, row: LedgerRow | None
) -> LineKey | None:
    """`names` are the bands by bill item id."""
    if row is not None and row.stamp == addition.serial_number.strip() and row.key.bill_item in names:
        return row.key
    if has_our_prefix(addition):
        standing = [
            LineKey(company, addition.agreement_id, item, band=band) for item, bands in names.items() for band in bands
        ]
        keys = [key for line in standing for key in (line, line.for_one_off())]
        return next((key for key in keys if is_line_of(addition, key)), None)
    forgotten_stamp = row is not None and not addition.serial_number.strip()
    if row is not None and forgotten_stamp and row.values.product_id == addition.product_id:
        return row.key if row.key.bill_item in names else None
    return None


def strays(
    additions: Additions, owned: Mapping[str, list[OwnLine]], ledger: Iterable[LedgerRow], as_of: date
) -> list[Addition]:
    """Open additions with our prefix whose hash fits no bill item: Manage copies agreements with their additions.

    Lines of bill items that no rule mentions any more are no strays: the ledger knows them.
    """
    known = {line.addition.id for lines in owned.values() for line in lines} | {row.addition_id for row in ledger}
    return [
        addition
        for addition in additions.all()
        if has_our_prefix(addition) and addition.id not in known and addition.is_open(as_of)
    ]


def others_by_product(
    additions: Additions, agreements: Collection[int], ours: Collection[int]
) -> dict[str, list[Addition]]:
    """Lines on these agreements that belong to no bill item, whatever their serial number, by case-folded product."""
    found: dict[str, list[Addition]] = {}
    for addition in additions.all():
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
