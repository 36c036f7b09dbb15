"""The changes that a bill item can need, each with its reason, its sentence and its money effect."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from shared.billing.agreements import Addition, FieldValue
from shared.billing.calendar import Period
from shared.billing.counting.items import BillItem
from shared.billing.counting.quantities import holders_counted
from shared.billing.lines import LineKey, LineKind, LineValues, one_off_stamp, stamp_of
from shared.billing.planning.doubts import refuse_edited
from shared.billing.planning.matching import OwnLine
from shared.billing.planning.owed import Owed
from shared.billing.planning.plan import ENDED_FOR_OURS, OWN_COPY, Change, ChangeKind
from shared.billing.planning.pricing import known_cost, unit_cost, unit_price
from shared.billing.planning.sentences import (
    adopted,
    charged_once,
    created,
    ended,
    invoice_text,
    monthly_effect,
    one_off_text,
    removed,
    updated,
    used_once,
)
from shared.billing.planning.situation import Target
from shared.billing.profiles import BillOption, ProrationRule

TAKEN_OVER = "a new line takes over"
#: Manage prorates it: a line of the full price that begins on the day itself.
PRORATED_BY_MANAGE = "prorated by Manage"
#: What an invoice takes from a line to charge it.
_CHARGED = ("quantity", "unit_price", "bill_customer", "taxable_flag")


def creation(target: Target, quantity: Decimal, start: Period, ended: OwnLine | None = None) -> Change:
    """A new standing line from the first day of a period on; it goes on with the price of ours that has ended, and with
    what else of that is a person's.
    """
    keeps = ended is not None and ended.is_as_adopted
    price = unit_price(target, ended.addition if ended is not None else None, keeps=keeps)
    after = _new_line(target, quantity, start, price, LineKind.ADOPTED if keeps else LineKind.STANDING)
    if keeps and ended is not None:
        after = _as_adopted(after, ended)
    return _create(target.key, target, after, created(target.item, after), keeps_price=keeps)


def _as_adopted(new: LineValues, line: OwnLine) -> LineValues:
    """A new line that goes on with an adopted one: billed and taxed as a person says, with the text of that one where
    the profile has none.
    """
    said = line.addition
    text = new.invoice_description or said.invoice_description
    return new.changed(bill_customer=said.bill_customer, taxable_flag=said.taxable_flag, invoice_description=text)


def adoption(target: Target, line: Addition, quantity: Decimal, start: Period) -> Change:
    """Takes over a line that people kept so far: its quantity and its serial number change, nothing else."""
    before = LineValues.of(line)
    stamp = stamp_of(target.key, line.product_id, line.effective_date or start.start, LineKind.ADOPTED)
    after = before.changed(quantity=quantity, serial_number=stamp)
    sentence = adopted(target.item, before, after, start.start)
    return _on_line(ChangeKind.UPDATE, target.key, line, (before, after), "adopted", sentence, keeps_price=True)


def update(target: Target, line: OwnLine, quantity: Decimal, start: Period) -> list[Change]:
    """What brings our line up to date, in place; nothing where it already says what it should."""
    addition = line.addition
    before = LineValues.of(addition)
    after = _brought_up_to_date(target, line, before, quantity)
    text = _text(target, quantity)
    if text and (after != before or _text_is_due(target, line)):
        after = after.changed(invoice_description=text)
    if after == before:
        return []
    sentence = updated(target.item, before, after, start.start)
    keeps = line.is_as_adopted
    return [_on_line(ChangeKind.UPDATE, line.key, addition, (before, after), "counted", sentence, keeps_price=keeps)]


def bills_otherwise(target: Target, line: OwnLine, quantity: Decimal) -> bool:
    """Whether our line, brought up to date, would charge anything else than it does."""
    before = LineValues.of(line.addition)
    after = _brought_up_to_date(target, line, before, quantity)
    return any(getattr(after, name) != getattr(before, name) for name in _CHARGED)


def split(target: Target, line: OwnLine, quantity: Decimal, start: Period) -> list[Change]:
    """A new line says the new quantity from a period on, the old one ends the day before and stays true until then."""
    before = LineValues.of(line.addition)
    current = _brought_up_to_date(target, line, before, quantity)
    keeps = line.is_as_adopted
    kind = LineKind.ADOPTED if keeps else LineKind.STANDING
    new = _new_line(target, quantity, start, current.unit_price, kind)
    if keeps:
        new = _as_adopted(new, line)
    after = before.changed(cancelled_date=start.day_before)
    told = updated(target.item, before, before.changed(quantity=quantity, unit_price=new.unit_price), start.start)
    return [
        _create(target.key, target, new, told, keeps_price=keeps),
        _on_line(
            ChangeKind.END,
            line.key,
            line.addition,
            (before, after),
            TAKEN_OVER,
            ended(target.item, before, TAKEN_OVER, start.day_before),
            keeps_price=keeps,
        ),
    ]


def replacement(
    target: Target, line: OwnLine, quantity: Decimal, start: Period, again: OwnLine | None = None
) -> list[Change]:
    """A line of the product that the profile now names goes on from a period on, the old one ends the day before.

    `again` is a line of that product that was set to 0 and begins with that period.
    """
    reason = f"{target.product.identifier} takes over"
    new = update(target, again, quantity, start) if again is not None else [creation(target, quantity, start)]
    return [*new, *ending(target.item, line, start, reason)]


def ending(item: BillItem, line: OwnLine, start: Period, reason: str) -> list[Change]:
    """Ends our line with the last day before a period; one that begins later is set to 0."""
    addition = line.addition
    if addition.cancelled_date is not None:
        return []
    before = LineValues.of(addition)
    standing = line.recorded.values if line.recorded is not None else before
    ends: dict[str, FieldValue]
    begins_later = addition.effective_date is not None and addition.effective_date >= start.start
    if begins_later:
        kind, ends, last_day = ChangeKind.UPDATE, {"quantity": Decimal(0)}, None
    else:
        kind, ends, last_day = ChangeKind.END, {"cancelled_date": start.day_before}, start.day_before
    refuse_edited(item, line, standing.changed(**ends))
    after = before.changed(**ends)
    if after == before:
        return []
    sentence = ended(item, before, reason, last_day)
    keeps = line.is_as_adopted
    return [_on_line(kind, line.key, addition, (before, after), reason, sentence, keeps_price=keeps)]


def ending_of_another(target: Target, line: Addition, start: Period) -> Change:
    """Ends a line that is not ours with the last day before ours begins, because a person decided so."""
    before = LineValues.of(line)
    begins_later = line.effective_date is not None and line.effective_date >= start.start
    after = before.changed(quantity=Decimal(0)) if begins_later else before.changed(cancelled_date=start.day_before)
    kind = ChangeKind.UPDATE if begins_later else ChangeKind.END
    sentence = ended(target.item, before, ENDED_FOR_OURS, None if begins_later else start.day_before)
    there = replace(target.key, agreement=line.agreement_id)
    return _on_line(kind, there, line, (before, after), ENDED_FOR_OURS, sentence)


def one_off(target: Target, owed: Owed, price: Decimal, number: int) -> Change | None:
    """A line that bills once what a period owes beyond the standing line; None where that is an amount of nothing.

    It is dated from the first to the last day of the period that it is billed in, so that Manage's own proration
    leaves it alone; where Manage is to prorate, from the day itself to the end of its own period, at the full price.
    """
    if target.profile.bill_option is not BillOption.BILLABLE:
        return None
    by_manage = target.profile.proration.rule is ProrationRule.MANAGE and not owed.share.is_whole
    by_manage = by_manage and owed.period.end >= target.as_of
    amount = price if by_manage or owed.share.is_whole else owed.share.of_price(price)
    if amount == 0:
        return None
    first, last = (owed.day, owed.period.end) if by_manage else (owed.billed_in.start, owed.billed_in.end)
    after = LineValues(
        product_id=target.product.id,
        quantity=abs(owed.quantity),
        unit_price=amount if owed.quantity > 0 else -amount,
        effective_date=first,
        cancelled_date=last,
        serial_number=one_off_stamp(target.key, target.product.id, owed.day, number),
        bill_customer=target.profile.bill_option.value,
        taxable_flag=target.profile.taxable,
        invoice_description=one_off_text(target.product.description, owed, _used_in_package(target)),
        unit_cost=_share_of_cost(target, owed, whole=by_manage),
    )
    once = after.quantity * owed.share.of_price(price) if by_manage else after.monthly()
    return Change(
        ChangeKind.CREATE,
        target.key.for_one_off(),
        None,
        target.product.identifier,
        None,
        after,
        PRORATED_BY_MANAGE if by_manage else "owed",
        _told_once(target, owed, price, by_manage=by_manage),
        Decimal(0),
        one_off=once,
        unit_cost=owed.share.of_price(known_cost(target)),
        used=target.total if target.bills_usage and owed.quantity > 0 else None,
    )


def _told_once(target: Target, owed: Owed, price: Decimal, *, by_manage: bool) -> str:
    if target.bills_usage:
        return used_once(target.item, owed, price, target.tier, target.total)
    return charged_once(target.item, owed, price, by_manage=by_manage)


def _used_in_package(target: Target) -> Decimal | None:
    """What a period used, where its line says nothing of it."""
    return target.total if target.tier is not None and target.tier.is_package else None


def _share_of_cost(target: Target, owed: Owed, *, whole: bool) -> Decimal | None:
    cost = unit_cost(target)
    if cost is None:
        return None
    amount = cost if whole or owed.share.is_whole else owed.share.of_price(cost)
    return amount if owed.quantity > 0 else -amount


def removal(target: Target, copy: OwnLine) -> list[Change]:
    """Removes our own second copy of a line: deleted where no invoice covers any of its days, else set to nothing."""
    addition = copy.addition
    before = LineValues.of(addition)
    kind, after = ChangeKind.DELETE, None
    if addition.effective_date is None or addition.effective_date < target.first_uninvoiced.start:
        last_day = addition.effective_date or target.first_uninvoiced.day_before
        kind, after = ChangeKind.END, before.changed(quantity=Decimal(0), cancelled_date=last_day)
    if after == before:
        return []
    sentence = removed(target.item, before)
    return [_on_line(kind, copy.key, addition, (before, after), OWN_COPY, sentence)]


def _brought_up_to_date(target: Target, line: OwnLine, before: LineValues, quantity: Decimal) -> LineValues:
    """What our line, which says `before`, should say but for its text. Raises `Doubt` where a person has edited it."""
    addition = line.addition
    keeps = line.is_as_adopted
    price = unit_price(target, addition, keeps=keeps)
    cost = unit_cost(target)
    says: dict[str, FieldValue] = {"quantity": quantity, "unit_price": price}
    if cost is not None:
        says["unit_cost"] = cost
    if not keeps:
        says["bill_customer"] = target.profile.bill_option.value
        if target.profile.taxable is not None:
            says["taxable_flag"] = target.profile.taxable
    if line.recorded is not None and not addition.serial_number.strip():
        says["serial_number"] = line.recorded.stamp
    after = before.changed(**says)
    if line.recorded is None or line.recorded.values == before:
        return after
    written = line.recorded.values
    wanted = after.changed(effective_date=written.effective_date, cancelled_date=written.cancelled_date)
    if keeps:
        # That it is not billed any more is a person's to say, and holds for what would be charged beside it.
        wanted = wanted.changed(bill_customer=written.bill_customer)
    refuse_edited(target.item, line, wanted)
    return after


def _new_line(target: Target, quantity: Decimal, start: Period, price: Decimal, kind: LineKind) -> LineValues:
    return LineValues(
        product_id=target.product.id,
        quantity=quantity,
        unit_price=price,
        effective_date=start.start,
        serial_number=stamp_of(target.key, target.product.id, start.start, kind),
        bill_customer=target.profile.bill_option.value,
        taxable_flag=target.profile.taxable,
        invoice_description=_text(target, quantity),
        unit_cost=unit_cost(target),
    )


def _create(key: LineKey, target: Target, after: LineValues, sentence: str, *, keeps_price: bool = False) -> Change:
    effect = monthly_effect(None, after)
    return Change(
        ChangeKind.CREATE,
        key,
        None,
        target.product.identifier,
        None,
        after,
        "counted",
        sentence,
        effect,
        keeps_price=keeps_price,
        unit_cost=known_cost(target),
    )


def _on_line(
    kind: ChangeKind,
    key: LineKey,
    line: Addition,
    values: tuple[LineValues, LineValues | None],
    reason: str,
    sentence: str,
    *,
    keeps_price: bool = False,
) -> Change:
    """A change of an addition that stands."""
    before, after = values
    effect = monthly_effect(before, None if kind is ChangeKind.END else after)
    monthly, once = (effect, Decimal(0)) if key.is_standing else (Decimal(0), effect)
    return Change(
        kind,
        key,
        line.id,
        line.product,
        before,
        after,
        reason,
        sentence,
        monthly,
        once,
        keeps_price=keeps_price,
        unit_cost=line.unit_cost,
    )


def _text(target: Target, quantity: Decimal) -> str:
    if not target.profile.invoice_text:
        return ""
    named = target.item.counts if target.item.names_holders else ()
    counted = [holders_counted(count, target.profile.quantity) or () for count in named]
    users = {holder.id: holder.name for holders in counted for holder in holders}
    return invoice_text(target.profile.invoice_text, target.product.description, quantity, list(users.values()))


def _text_is_due(target: Target, line: OwnLine) -> bool:
    """User names alone are brought up to date once a period."""
    row = line.recorded
    return row is not None and row.text_written is not None and row.text_written < target.current.start
