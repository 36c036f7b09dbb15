"""Where a bill item lands, and every reason not to touch it: agreement, calendar, product, edits by people."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from shared.billing.agreements import Agreement, Product
from shared.billing.calendar import BillingCalendar, Unsupported
from shared.billing.counting.items import BillItem
from shared.billing.findings import FindingKind
from shared.billing.lines import LedgerRow, LineValues, canonical
from shared.billing.planning.elsewhere import rows_elsewhere
from shared.billing.planning.matching import OwnLine
from shared.billing.planning.observations import in_other_currency, jumped
from shared.billing.planning.situation import Doubt, Situation
from shared.billing.profiles import BillingProfile, PriceKind
from shared.billing.wording import number, spoken


def agreement_for(item: BillItem, profile: BillingProfile, situation: Situation) -> Agreement:
    """The agreement that the item is billed on; once chosen it is sticky. Raises `Doubt`."""
    if not situation.agreements:
        raise Doubt(
            FindingKind.AMBIGUOUS_AGREEMENT,
            "company",
            f"Manage has no agreement of company {situation.company.company}.",
            "Correct the company's id in the rules, or make an agreement in Manage.",
        )
    if item.licence is not None and item.licence.agreement is not None:
        named = item.licence.agreement
        return _active(item, situation.agreements.get(named), named)
    standing = _standing_agreements(item, situation)
    if len(standing) > 1:
        raise Doubt(
            FindingKind.AMBIGUOUS_AGREEMENT,
            item.id,
            f"{item.name}: lines of ours stand on agreement {_listed(standing)}.",
            "Name the agreement on which it is to be billed in a licence link; the lines on the others then end.",
        )
    chosen = next(iter(standing), None) or _where_it_last_stood(item, situation)
    if chosen is not None:
        return _active(item, situation.agreements.get(chosen), chosen)
    return _only_one_allowed(item, profile, situation)


def _standing_agreements(item: BillItem, situation: Situation) -> set[int]:
    """The active agreements on which lines of this item stand; those that have an end already only if no other does."""
    ours = situation.owned[item.id]
    ends = [(line.key.agreement, line.addition.cancelled_date) for line in ours.standing_lines]
    ends += [
        (row.key.agreement, row.values.cancelled_date)
        for row in ours.standing_rows
        if row.key.agreement not in situation.additions.by_agreement
    ]
    active = [(number, last) for number, last in ends if _is_active(situation.agreements.get(number))]
    lasting = {number for number, last in active if last is None}
    return lasting or {number for number, last in active if _is_open(last, situation.as_of)}


def _where_it_last_stood(item: BillItem, situation: Situation) -> int | None:
    lines = situation.owned[item.id].standing_lines
    newest = max(lines, key=lambda line: (line.addition.effective_date or date.min, line.addition.id), default=None)
    if newest is not None:
        return newest.key.agreement
    standing = situation.owned[item.id].standing_rows
    rows = [row for row in standing if is_paused(row, situation) is not None]
    rows += rows_elsewhere(standing, situation.agreements, situation.as_of)
    return rows[0].key.agreement if rows else None


def _is_active(agreement: Agreement | None) -> bool:
    return agreement is not None and agreement.agreement_status == "Active"


def _is_open(cancelled: date | None, day: date) -> bool:
    return cancelled is None or cancelled >= day


def _only_one_allowed(item: BillItem, profile: BillingProfile, situation: Situation) -> Agreement:
    types = {canonical(name) for name in profile.agreement_types}
    allowed = [
        agreement
        for agreement in situation.agreements.values()
        if agreement.agreement_status == "Active"
        and agreement.billing_cycle != "NotRecurring"
        and (not types or canonical(agreement.type) in types)
    ]
    if len(allowed) == 1:
        return allowed[0]
    kinds = " or ".join(profile.agreement_types) or "any type"
    found = f"{len(allowed)} ({_listed({agreement.id for agreement in allowed})})" if allowed else "none"
    raise Doubt(
        FindingKind.AMBIGUOUS_AGREEMENT,
        item.id,
        f"{item.name}: exactly one active agreement of {kinds} is needed, there is {found}.",
        "Name the agreement in a licence link of this company, or correct the agreement types of the profile.",
    )


def _active(item: BillItem, agreement: Agreement | None, named: int) -> Agreement:
    if agreement is not None and agreement.agreement_status == "Active":
        return agreement
    state = "is no agreement of this company" if agreement is None else f"is {agreement.agreement_status}"
    raise Doubt(
        FindingKind.AGREEMENT_NOT_ACTIVE,
        item.id,
        f"{item.name}: agreement {named} {state}; its lines are left alone.",
        "Renew the agreement in Manage, or name another one in a licence link.",
    )


def calendar_for(item: BillItem, agreement: Agreement, situation: Situation) -> BillingCalendar:
    """The agreement's periods. Raises `Doubt` where they cannot be relied on."""
    calendar = situation.calendars[agreement.id]
    if isinstance(calendar, Unsupported):
        raise Doubt(
            FindingKind.CALENDAR_UNSUPPORTED,
            item.id,
            f"{item.name}: nothing is written on agreement {agreement.id} ({agreement.name}), because it "
            f"{calendar.reason}.",
            "Correct this company's lines by hand, or bill them on an agreement that is invoiced monthly, quarterly, "
            "half-yearly or yearly.",
        )
    odd = jumped(agreement, calendar, situation) or in_other_currency(agreement, situation)
    if odd is not None:
        raise Doubt.about(odd)
    return calendar


def product_for(identifier: str, situation: Situation) -> Product:
    """The catalog item that a profile or tier names, if lines of it can be written. Raises `Doubt`."""
    product = situation.products.get(identifier.casefold())
    if product is None:
        raise Doubt(
            FindingKind.PRODUCT_MISSING,
            f"product/{identifier}",
            f"Manage's catalog has no product {identifier}.",
            "Create the product in Manage, or correct the product of the profile.",
        )
    if product.inactive_flag or product.serialized_flag:
        state = "is inactive" if product.inactive_flag else "is serialized, so that its lines cannot carry our stamp"
        raise Doubt(
            FindingKind.PRODUCT_INACTIVE,
            f"product/{identifier}",
            f"The product {identifier} {state}.",
            "Correct the product in Manage's catalog, or name another one in the profile.",
        )
    return product


def refuse_paused(item: BillItem, situation: Situation) -> None:
    """A line of ours that a person deleted, ended or made another is never re-created by itself. Raises `Doubt`."""
    for row in situation.owned[item.id].standing_rows:
        told = is_paused(row, situation)
        if told is not None:
            raise Doubt(
                FindingKind.PAUSED,
                item.id,
                f"{item.name}: our line {row.addition_id} on agreement {row.key.agreement} {told}; billing of this "
                "item is paused.",
                "Resume its billing, or stop it; or undo the edit in Manage.",
            )


def are_paused(item: BillItem, situation: Situation) -> bool | None:
    """Whether a person ended or deleted a line of an item; None where not every line of it was read."""
    rows = situation.owned[item.id].standing_rows
    if any(row.key.agreement not in situation.additions.by_agreement for row in rows):
        return None
    return any(is_paused(row, situation) for row in rows)


def is_paused(row: LedgerRow, situation: Situation) -> str | None:
    """What a person did to a line that we take for standing; None where nothing was done or the line was not read."""
    if not _is_open(row.values.cancelled_date, situation.as_of):
        return None
    if row.key.agreement not in situation.additions.by_agreement:
        return None
    line = situation.additions.get(row.key.agreement, row.addition_id)
    if line is None:
        return "was deleted by somebody"
    if row.was_made_another(line):
        return f"was made a line of {line.product} by somebody"
    if row.is_outlasted_by(line):
        return None
    if line.cancelled_date is not None and line.cancelled_date != row.values.cancelled_date:
        return f"was ended by somebody on {spoken(line.cancelled_date)}"
    return None


def refuse_edited(item: BillItem, line: OwnLine, wanted: LineValues) -> None:
    """A person's edit of our line is never overwritten, unless it already says what we want. Raises `Doubt`."""
    row = line.recorded
    if row is None:
        return
    actual = LineValues.of(line.addition)
    edits = edits_of(item, row, actual)
    if not edits or all(getattr(wanted, name) == getattr(actual, name) for name in edits):
        return
    told = "; ".join(f"{name} is {_said(actual, name)}, TrueUp wrote {_said(row.values, name)}" for name in edits)
    raise Edited(
        line,
        wanted,
        item.id,
        f"{item.name}: somebody changed our line {line.addition.id}: {told}. The line is left alone.",
        "Restore what TrueUp wrote, or accept the edit until the count or a rule changes.",
    )


class Edited(Doubt):
    """A person edited a line of ours, and TrueUp would write `wanted` there."""

    def __init__(self, line: OwnLine, wanted: LineValues, key: str, text: str, remedy: str) -> None:
        super().__init__(FindingKind.DRIFT, key, text, remedy)
        self.line = line
        self.wanted = wanted


def edits_of(item: BillItem, row: LedgerRow, actual: LineValues) -> list[str]:
    """Fields that no longer say what we last wrote there; a price that we keep is a person's to change."""
    names = ["quantity", "effective_date", "cancelled_date", "product_id", "bill_customer", "taxable_flag"]
    if actual.serial_number.strip():
        names.append("serial_number")
    if not row.keeps_price and item.price_rule.kind is not PriceKind.KEEP:
        names.append("unit_price")
    return [name for name in names if getattr(row.values, name) != getattr(actual, name)]


def _said(values: LineValues, name: str) -> str:
    value = getattr(values, name)
    if isinstance(value, date):
        return spoken(value)
    return number(value) if isinstance(value, Decimal) else str(value)


def _listed(agreements: set[int]) -> str:
    return ", ".join(str(agreement) for agreement in sorted(agreements))
