"""Every change as one plain sentence with its arithmetic, the same in console, history and reports."""

from __future__ import annotations

from bisect import bisect_left
from datetime import date
from decimal import Decimal

from shared.billing.counting.items import BillItem
from shared.billing.lines import LineValues
from shared.billing.planning.owed import Owed
from shared.billing.planning.tiers import Tier
from shared.billing.wording import money, number, signed, spoken

#: Longest invoice text that Manage takes.
LONGEST_TEXT = 6000


def monthly_effect(before: LineValues | None, after: LineValues | None) -> Decimal:
    """What the change adds to each invoice from then on, in the agreement's currency."""
    return (after.monthly() if after else Decimal(0)) - (before.monthly() if before else Decimal(0))


def created(item: BillItem, after: LineValues) -> str:
    return (
        f"{item.name}: a new line of {number(after.quantity)} from {_day(after.effective_date)}: "
        f"{number(after.quantity)} × {money(after.unit_price)} = {money(after.monthly())} an invoice."
    )


def updated(item: BillItem, before: LineValues, after: LineValues, start: date) -> str:
    parts = []
    difference = after.quantity - before.quantity
    if difference:
        more = f"{number(abs(difference))} {'more' if difference > 0 else 'fewer'}"
        parts.append(f"{number(after.quantity)} instead of {number(before.quantity)}, {more}")
    if after.unit_price != before.unit_price:
        parts.append(f"{money(after.unit_price)} each instead of {money(before.unit_price)}")
    if after.unit_cost != before.unit_cost:
        before_cost = money(before.unit_cost) if before.unit_cost is not None else "none"
        parts.append(f"cost {money(after.unit_cost or Decimal(0))} each instead of {before_cost}")
    if after.bill_customer != before.bill_customer:
        parts.append(f"{after.bill_customer} instead of {before.bill_customer}")
    if after.taxable_flag != before.taxable_flag:
        parts.append("taxable" if after.taxable_flag else "not taxable")
    if after.serial_number != before.serial_number:
        parts.append("its stamp is written back")
    if not parts:
        return f"{item.name}: the text on the invoice is brought up to date."
    effect = signed(monthly_effect(before, after))
    return f"{item.name}: from {spoken(start)} {'; '.join(parts)}: {effect} an invoice."


def adopted(item: BillItem, before: LineValues, after: LineValues, start: date) -> str:
    if before.quantity == after.quantity:
        return f"{item.name}: the line of {number(after.quantity)} is right; TrueUp takes care of it from now on."
    told = updated(item, before, before.changed(quantity=after.quantity), start)
    return f"{told[:-1]}; TrueUp takes care of the line from now on."


def ended(item: BillItem, before: LineValues, reason: str, last_day: date | None) -> str:
    when = f"ends with {spoken(last_day)}" if last_day is not None else "is set to 0 before it begins"
    effect = signed(-before.monthly())
    return f"{item.name}: the line of {number(before.quantity)} {when}, because {reason}: {effect} an invoice."


def used_once(item: BillItem, owed: Owed, price: Decimal, tier: Tier | None, total: Decimal) -> str:
    """Usage, billed once its period is over. `total` is all that the period used, `tier` the part of it on this line.

    A quantity below 0 gives back a package that a larger one replaces, or units that all have another price by now.
    """
    many, period = number(abs(owed.quantity)), f"{spoken(owed.period.start)} to {spoken(owed.period.end)}"
    told = f"{many} used{_of_band(tier)} for {period}"
    if tier is None and owed.quantity < 0:
        told = f"{number(total)} used for {period}, no more {many} at {money(price)}"
    if tier is not None and tier.is_package:
        no_more = "no more " if owed.quantity < 0 else ""
        told = f"{number(total)} used for {period}, {no_more}the package{_of_band(tier)}"
    credited = " credited" if owed.quantity < 0 else ""
    in_all = f"{money(abs(owed.quantity) * price)}{credited} in all"
    billed = f"billed with the period from {spoken(owed.billed_in.start)}"
    return f"{item.name}: {told}: {many} × {money(price)} = {in_all}, {billed}."


def _of_band(tier: Tier | None) -> str:
    if tier is None:
        return ""
    above = f" above {number(tier.lower)}" if tier.lower else ""
    upto = f" up to {number(tier.upto)}" if tier.upto is not None else ""
    return above + upto


def charged_once(item: BillItem, owed: Owed, price: Decimal, *, by_manage: bool = False) -> str:
    """`by_manage`: Manage works the amount out."""
    many = number(abs(owed.quantity))
    change = "more" if owed.quantity > 0 else "fewer"
    unit = price if owed.share.is_whole else owed.share.of_price(price)
    total = money(abs(owed.quantity) * unit)
    in_all = f"{total} in all" if owed.quantity > 0 else f"{total} credited in all"
    billed = f"billed with the period from {spoken(owed.billed_in.start)}"
    if by_manage:
        billed = "prorated by Manage on its next invoice"
    if owed.share.is_whole:
        return (
            f"{item.name}: {many} {change} for {spoken(owed.period.start)} to {spoken(owed.period.end)}: "
            f"{many} × {money(price)} = {in_all}, {billed}."
        )
    return (
        f"{item.name}: {many} {change} since {spoken(owed.day)}: {owed.share.days} of {owed.share.of} days × "
        f"{money(price)} = {money(unit)} each, {in_all}, {billed}."
    )


def one_off_text(product: str, owed: Owed, used: Decimal | None = None) -> str:
    """What a one-off line says on the invoice; with `used`, how much a package held."""
    prorated = "" if owed.share.is_whole else "Prorated for "
    prorated = prorated if owed.quantity > 0 else f"Credit: {prorated}"
    first = owed.period.start if owed.share.is_whole else owed.day
    held = "" if used is None else f", {number(used)} used"
    return f"{product} - {prorated}{first:%m/%d/%Y}-{owed.period.end:%m/%d/%Y}{held}"


def removed(item: BillItem, before: LineValues) -> str:
    return f"{item.name}: a second copy of our own line of {number(before.quantity)} is removed."


def invoice_text(template: str, product: str, quantity: Decimal, users: list[str]) -> str:
    """The text for the invoice, with {product}, {quantity} and {users} (one name a line, sorted).

    Manage takes 6,000 characters: names beyond are left out on purpose and their number is said.
    """
    if not template:
        return ""
    names = sorted(users, key=str.casefold)

    def shortened(kept: int) -> str:
        left_out = [f"… and {len(names) - kept} more"] if kept < len(names) else []
        return _filled(template, product, quantity, [*names[:kept], *left_out])

    if len(shortened(len(names))) <= LONGEST_TEXT:
        return shortened(len(names))
    most = bisect_left(range(len(names)), True, key=lambda kept: len(shortened(kept)) > LONGEST_TEXT) - 1
    return shortened(max(most, 0))[:LONGEST_TEXT]


def _filled(template: str, product: str, quantity: Decimal, lines: list[str]) -> str:
    filled = template.replace("{product}", product).replace("{quantity}", number(quantity))
    return filled.replace("{users}", "\n".join(lines))


def _day(day: date | None) -> str:
    return spoken(day) if day is not None else "the beginning"
