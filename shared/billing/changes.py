"""The changes that a standing line can need, each with its reason, its sentence and its money effect."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from shared.billing.agreements import Addition, FieldValue
from shared.billing.calendar import Period, month_of
from shared.billing.doubts import refuse_edited
from shared.billing.findings import FindingKind
from shared.billing.items import BillItem
from shared.billing.lines import LineKey, LineKind, LineValues, is_adopted, stamp_of
from shared.billing.matching import OwnLine
from shared.billing.plan import OWN_COPY, Change, ChangeKind
from shared.billing.pricing import NoPrice, unit_price
from shared.billing.sentences import adopted, created, ended, invoice_text, monthly_effect, removed, updated
from shared.billing.situation import Doubt, Target


def creation(target: Target, quantity: Decimal) -> Change:
    """A new line from the first day of the first uninvoiced period on."""
    product, start = target.product, target.period.start
    after = LineValues(
        product_id=product.id,
        quantity=quantity,
        unit_price=_price(target, None, keeps=False),
        effective_date=start,
        serial_number=stamp_of(target.key, product.id, start),
        bill_customer=target.profile.bill_option.value,
        taxable_flag=target.profile.taxable,
        invoice_description=_text(target, quantity),
    )
    sentence = created(target.item, after)
    return Change(
        ChangeKind.CREATE,
        target.key,
        None,
        product.identifier,
        None,
        after,
        "counted",
        sentence,
        monthly_effect(None, after),
    )


def adoption(target: Target, line: Addition, quantity: Decimal) -> Change:
    """Takes over a line that people kept so far: its quantity and its serial number change, nothing else."""
    before = LineValues.of(line)
    stamp = stamp_of(target.key, line.product_id, line.effective_date or target.period.start, LineKind.ADOPTED)
    after = before.changed(quantity=quantity, serial_number=stamp)
    sentence = adopted(target.item, before, after, target.period.start)
    return _on_line(ChangeKind.UPDATE, target.key, line, (before, after), "adopted", sentence, keeps_price=True)


def update(target: Target, line: OwnLine, quantity: Decimal, as_of: date) -> list[Change]:
    """What brings our line up to date, in place; nothing where it already says what it should."""
    item, addition = target.item, line.addition
    before = LineValues.of(addition)
    _refuse_other_product(target, addition)
    keeps = _keeps_price(line)
    after = before.changed(quantity=quantity, unit_price=_price(target, addition, keeps=keeps))
    if line.recorded is not None and not keeps:
        after = after.changed(bill_customer=target.profile.bill_option.value)
        if target.profile.taxable is not None:
            after = after.changed(taxable_flag=target.profile.taxable)
    if line.recorded is not None and not addition.serial_number.strip():
        after = after.changed(serial_number=line.recorded.stamp)
    if line.recorded is not None:
        written = line.recorded.values
        refuse_edited(
            item, line, after.changed(effective_date=written.effective_date, cancelled_date=written.cancelled_date)
        )
    _refuse_ended(item, addition)
    text = _text(target, quantity)
    if text and (after != before or _text_is_due(line, as_of)):
        after = after.changed(invoice_description=text)
    if after == before:
        return []
    sentence = updated(item, before, after, target.period.start)
    return [_on_line(ChangeKind.UPDATE, line.key, addition, (before, after), "counted", sentence, keeps_price=keeps)]


def ending(item: BillItem, line: OwnLine, period: Period, reason: str) -> list[Change]:
    """Ends our line with the last day before the first uninvoiced period; one that begins later is set to 0."""
    addition = line.addition
    if addition.cancelled_date is not None:
        return []
    before = LineValues.of(addition)
    standing = line.recorded.values if line.recorded is not None else before
    ends: dict[str, FieldValue]
    begins_later = addition.effective_date is not None and addition.effective_date >= period.start
    if begins_later:
        kind, ends, last_day = ChangeKind.UPDATE, {"quantity": Decimal(0)}, None
    else:
        kind, ends, last_day = ChangeKind.END, {"cancelled_date": period.day_before}, period.day_before
    refuse_edited(item, line, standing.changed(**ends))
    after = before.changed(**ends)
    if after == before:
        return []
    sentence = ended(item, before, reason, last_day)
    keeps = _keeps_price(line)
    return [_on_line(kind, line.key, addition, (before, after), reason, sentence, keeps_price=keeps)]


def removal(item: BillItem, copy: OwnLine, period: Period) -> Change:
    """Removes our own second copy of a line: deleted where no invoice covers any of its days, else set to nothing."""
    addition = copy.addition
    before = LineValues.of(addition)
    kind, after = ChangeKind.DELETE, None
    if addition.effective_date is None or addition.effective_date < period.start:
        kind, after = ChangeKind.END, before.changed(quantity=Decimal(0), cancelled_date=addition.effective_date)
    sentence = removed(item, before)
    return _on_line(kind, copy.key, addition, (before, after), OWN_COPY, sentence)


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
    return Change(kind, key, line.id, line.product, before, after, reason, sentence, effect, keeps_price=keeps_price)


def _keeps_price(line: OwnLine) -> bool:
    return line.recorded.keeps_price if line.recorded is not None else is_adopted(line.addition)


def _refuse_other_product(target: Target, addition: Addition) -> None:
    if addition.product_id != target.product.id:
        raise Doubt(
            FindingKind.CANDIDATES,
            target.item.id,
            f"{target.item.name}: our line {addition.id} is for {addition.product}, the profile now names "
            f"{target.product.identifier}; the line is left alone.",
            "End the line at the end of a period, or name its product in the profile again.",
        )


def _refuse_ended(item: BillItem, addition: Addition) -> None:
    if addition.cancelled_date is not None:
        raise Doubt(
            FindingKind.PERIOD_MOVED,
            item.id,
            f"{item.name}: our line {addition.id} ends inside a period that is not invoiced yet, but is counted again.",
            "Clear its cancelled date in Manage, or let it end and wait for the next period.",
        )


def _price(target: Target, standing: Addition | None, *, keeps: bool) -> Decimal:
    price = unit_price(target.item, target.product, standing, keeps=keeps)
    if isinstance(price, NoPrice):
        raise Doubt(
            FindingKind.PRICE,
            target.item.id,
            f"{target.item.name}: its price {price.reason}; nothing is written.",
            f"Give {target.product.identifier} a price in Manage, or the profile or licence link one of its own.",
        )
    return price


def _text(target: Target, quantity: Decimal) -> str:
    users = {holder.id: holder.name for count in target.item.counts for holder in count.holders}
    return invoice_text(target.profile.invoice_text, target.product.description, quantity, list(users.values()))


def _text_is_due(line: OwnLine, as_of: date) -> bool:
    """User names alone are brought up to date once a period."""
    row = line.recorded
    return row is not None and row.text_written is not None and row.text_written < month_of(as_of).start
