"""Usage that was read and that nothing bills any more: told with its amount until a person has settled it.

Its link was removed, it is not to be billed, no rule mentions it, its agreement is over, or it waited too long. It is
never billed by rules that no longer say so, and never dropped without a word.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

from shared.billing.calendar import BillingCalendar, Period
from shared.billing.counting.items import BillItem
from shared.billing.findings import Finding, FindingKind
from shared.billing.lines import LedgerRow, LineKey, canonical, is_usage, stamped_date
from shared.billing.planning.arrears import kept_by_others, standing_in
from shared.billing.planning.choices import subject_of_usage
from shared.billing.planning.dated import LATE_DAYS
from shared.billing.planning.doubts import product_for
from shared.billing.planning.history import nothing_since
from shared.billing.planning.one_offs import charged_once
from shared.billing.planning.owed import lines_billed
from shared.billing.planning.situation import Doubt, ItemPlan, Situation, Target
from shared.billing.planning.usage_lines import Used, amount_of, usage_lines
from shared.billing.planning.usage_periods import AS_FAR_AS_READ, period_at
from shared.billing.profiles import Arrears, BillingProfile
from shared.billing.rules import Mode
from shared.billing.seats import KEPT_DAYS, CameTo, SeatRecord
from shared.billing.wording import money, number, spoken

_ZERO, _CENT = Decimal(0), Decimal("0.01")


@dataclass(frozen=True, slots=True)
class UsageLeft:
    """What a person should know; the records of what one has settled, and the subjects of those choices."""

    findings: tuple[Finding, ...] = ()
    seats: tuple[SeatRecord, ...] = ()
    spent: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Kept:
    """The usage of one bill item as it is remembered, and why periods that ended before a day are not billed.

    `item` is None where no rule mentions it, `profile` where none is known that bills or billed it. `is_billed`: newer
    periods are. `is_frozen`: it may be billed another night.
    """

    name: str
    record: SeatRecord
    why: str
    item: BillItem | None = None
    profile: BillingProfile | None = None
    before: date = date.max
    is_billed: bool = False
    is_frozen: bool = False

    @property
    def is_over(self) -> bool:
        """Whether a record that begins anew forgets nothing that will be billed."""
        return not (self.is_billed or self.is_frozen)


@dataclass(frozen=True, slots=True)
class _Left:
    """What is not billed of a period, up to a day of it; `amount` is None where no price is known."""

    period: Period
    until: date
    quantity: Decimal
    amount: Decimal | None

    def __str__(self) -> str:
        told = f"{number(self.quantity)} used from {spoken(self.period.start)} to {spoken(self.until)}"
        return told if self.amount is None else f"{told} ({money(self.amount.quantize(_CENT, ROUND_HALF_UP))})"


def ended_usage(item: BillItem, situation: Situation) -> tuple[SeatRecord, ...]:
    """The records of usage that is not to be billed: they remember what was read until then, and when that was."""
    found: list[SeatRecord] = []
    for line in situation.record_lines.get(item.id, ()):
        record = situation.seats[line]
        if is_usage(line) and record.seen is not None:
            known = record
            if record.ended is None or record.ended < record.seen:
                period = period_at(record.line, record.seen, situation)
                until_then = CameTo(period.start, _most(record, period, item.former), AS_FAR_AS_READ)
                known = record.with_came_to([until_then], situation.as_of)
            found.append(replace(known, ended=situation.as_of))
    return tuple(found)


def usage_left(results: Iterable[tuple[BillItem, ItemPlan]], situation: Situation) -> UsageLeft:
    """What is left of all usage that was read of a company that is billed."""
    records = _newest(situation)
    if not records or situation.company.mode is Mode.OBSERVE:
        return UsageLeft()
    planned = {item.id: (item, plan) for item, plan in results}
    findings: list[Finding] = []
    seats: list[SeatRecord] = []
    spent: list[str] = []
    for name, record in records.items():
        kept = _of_item(record, *planned[name], situation) if name in planned else _of_nothing(name, record)
        left, subject = list(_left(kept, situation)), subject_of_usage(name)
        if subject in situation.choices:
            spent.append(subject)
            seats += _settled(kept, name, left, situation)
        elif left:
            findings.append(_finding(kept, left, subject))
    return UsageLeft(tuple(findings), tuple(seats), tuple(spent))


def _newest(situation: Situation) -> dict[str, SeatRecord]:
    """The newest record of each item's usage, by the item's id: it moves with it from agreement to agreement."""
    found: dict[str, SeatRecord] = {}
    for line, record in situation.seats.items():
        if is_usage(line):
            name = _name(line)
            found[name] = max(found.get(name, record), record, key=lambda each: each.seen or date.min)
    return found


def _name(line: str) -> str:
    """The id of the bill item whose usage a line key names."""
    return line.split("/", 2)[2].removesuffix("/usage")


def _of_nothing(name: str, record: SeatRecord) -> _Kept:
    return _Kept(f"Usage of {name}", record, "no rule mentions it any more")


def _of_item(before: SeatRecord, item: BillItem, plan: ItemPlan, situation: Situation) -> _Kept:
    tonight = [each for each in plan.seats if is_usage(each.line)]
    record = max(tonight, key=lambda each: each.seen or date.min, default=before)
    if item.unknown is not None or plan.frozen:
        late = situation.as_of - timedelta(days=LATE_DAYS)
        why = item.unknown or "something is in its way, of which another finding tells"
        return _Kept(item.name, record, why, item, item.profile, late, is_frozen=True)
    if item.profile is None:
        why = "it is not to be billed" if item.feeds else "its link was removed"
        return _Kept(item.name, record, why, item, item.former)
    if plan.usage is None:
        return _Kept(item.name, record, "its profile bills no usage any more", item)
    begins = plan.usage[0].start if plan.usage else period_at(record.line, situation.as_of, situation).start
    why = "that is too long ago"
    why = why if record.ended is None else f"it was not to be billed then, or {why}"
    return _Kept(item.name, record, why, item, item.profile, begins, is_billed=True)


def _finding(kept: _Kept, left: Iterable[_Left], subject: str) -> Finding:
    told = ", and ".join(map(str, left))
    return Finding(
        FindingKind.UNBILLED,
        subject,
        f"{kept.name}: {told} were never billed, and are not billed by themselves, because {kept.why}.",
        "Bill them by hand, unless they are not owed; then say here that they are settled.",
    )


def _settled(kept: _Kept, name: str, left: Collection[_Left], situation: Situation) -> Iterator[SeatRecord]:
    """The records once nothing of what is left is remembered but that a person has settled it: where it is billed again
    within that period, those units are not.
    """
    if not kept.is_over:
        until = max((each.period.end for each in left), default=date.min)
        yield replace(kept.record, observed=max(until, kept.record.observed or date.min))
        return
    oldest = situation.as_of - timedelta(days=KEPT_DAYS)
    before = [(day, units) for day, units in kept.record.by_hand if day >= oldest]
    by_hand = (*before, *((each.until, each.quantity) for each in left))
    for line in situation.record_lines.get(name, ()):
        if is_usage(line):
            yield replace(nothing_since(line, situation.as_of), ended=situation.as_of, by_hand=by_hand)


def _left(kept: _Kept, situation: Situation) -> Iterator[_Left]:
    record = kept.record
    used = {
        period: quantity
        for period, quantity in _used(kept, situation).items()
        if quantity > 0 and period.end < kept.before and (record.observed is None or period.end > record.observed)
    }
    lines = list(_lines(kept, situation)) if used else []
    for period, quantity in sorted(used.items()):
        by_lines = _by_lines(period, quantity, quantity - record.settled_by_hand(period), lines)
        priced = (_by_profile(kept, period, quantity, situation) or by_lines) if by_lines[0] > 0 else by_lines
        if priced[0] > 0:
            yield _Left(period, min(period.end, record.seen or period.end), *priced)


def _used(kept: _Kept, situation: Situation) -> Mapping[Period, Decimal]:
    """What periods came to while they were billed; where none is any more, also what was read since.

    Of what the vendor dates nothing is known before a period is over.
    """
    record, oldest = kept.record, situation.as_of - timedelta(days=KEPT_DAYS)
    known = {each.start: each.quantity for each in record.came_to if each.start >= oldest}
    used = {period_at(record.line, start, situation): quantity for start, quantity in known.items()}
    if not kept.is_billed and record.seen is not None:
        period = period_at(record.line, record.seen, situation)
        while period not in used and period.end >= max(record.days[0].day, oldest):
            used[period] = _most(record, period, kept.profile) if record.was_read_in(period) else _ZERO
            period = period_at(record.line, period.day_before, situation)
    return used


def _most(record: SeatRecord, period: Period, profile: BillingProfile | None) -> Decimal:
    """What was read of a period: the last or, as where nobody knows what counts, the highest."""
    read = [entry.quantity for entry in record.in_force(period)]
    return read[-1] if profile is not None and profile.arrears is Arrears.LAST else max(read, default=_ZERO)


def _by_profile(
    kept: _Kept, period: Period, used: Decimal, situation: Situation
) -> tuple[Decimal, Decimal | None] | None:
    """What of it no line charges and what that comes to, by the profile that billed it; None where nobody can tell."""
    agreement = situation.agreements.get(int(kept.record.line.split("/", 2)[1]))
    if kept.item is None or kept.profile is None or kept.profile.arrears is None or agreement is None:
        return None
    item, calendar = replace(kept.item, profile=kept.profile), situation.calendars[agreement.id]
    if not isinstance(calendar, BillingCalendar):
        calendar = BillingCalendar(period.start, _months(period), period)
    key = LineKey(situation.company.company, agreement.id, item.id)
    try:
        product = product_for(kept.profile.product, situation)
        target = Target(item, kept.profile, agreement, calendar, product, key, situation.as_of, used)
        charged = charged_once(target, situation)
        others = lines_billed(kept_by_others(target, situation))(period) + standing_in(period, target, situation)
        others += kept.record.settled_by_hand(period)
        lines = usage_lines(target, Used(period, used, others), charged, situation)
    except Doubt:
        return None
    packages = any(line.target.key.is_package for line in lines)
    left = used if packages else sum((line.owed.quantity for line in lines), _ZERO)
    return left, amount_of(lines)


def _months(period: Period) -> int:
    after = period.end + timedelta(days=1)
    return (after.year - period.start.year) * 12 + after.month - period.start.month


def _lines(kept: _Kept, situation: Situation) -> Iterator[tuple[Period, LedgerRow]]:
    """Our one-off lines of the item by the period that they are for, the newest one last."""
    name = _name(kept.record.line)
    rows = [row for row in situation.ledger if not row.key.is_standing and canonical(row.key.bill_item) == name]
    dated = [(day, row) for row in rows if (day := stamped_date(row.stamp)) is not None]
    for day, row in sorted(dated, key=lambda each: (each[0], each[1].addition_id)):
        yield period_at(str(row.key), day, situation), row


def _by_lines(
    period: Period, used: Decimal, left: Decimal, lines: Sequence[tuple[Period, LedgerRow]]
) -> tuple[Decimal, Decimal | None]:
    """The same by our own lines alone, at the price of the newest one; `left` is what a person has not settled.

    A package charges all of a period, and so does a line for another period that holds some of its days.
    """
    for there, row in lines:
        if there != period and there.start <= period.end and period.start <= there.end:
            left -= used
        elif there == period:
            units = -row.values.quantity if row.values.unit_price < 0 else row.values.quantity
            left -= used * units if row.key.is_package else units
    values, is_plain = (lines[-1][1].values, lines[-1][1].key.band == "") if lines else (None, False)
    return left, left * values.unit_price if values is not None and is_plain and values.unit_price > 0 else None
