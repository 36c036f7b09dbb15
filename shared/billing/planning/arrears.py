"""Usage in arrears: one-off lines for each period that is over, none that bills ahead.

What a period used is known when a reading was made after its last day. Readings between two syncs count as those of a
sync do, each on its own day. Where the vendor dates its usage, a period used the sum of its days, once the vendor tells
them to the period's end. A value that comes late, or rises afterwards, goes on the next invoice, less what its one-off
lines charge already. A period in which nothing was read is not billed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from operator import itemgetter

from shared.billing.agreements import Addition, Agreement
from shared.billing.calendar import Period
from shared.billing.counting.items import BillItem, at_moment
from shared.billing.counting.quantities import is_dated
from shared.billing.findings import Finding, FindingKind
from shared.billing.lines import LineKey, LineValues, is_usage
from shared.billing.planning.changes import removal
from shared.billing.planning.choices import ChoiceKind, chosen_about_others
from shared.billing.planning.dated import in_hundredths, is_of_days, used_in, with_months
from shared.billing.planning.doubts import calendar_for, product_for
from shared.billing.planning.leaving import lines_leaving
from shared.billing.planning.line_plan import ends_others, refuse_beside_others
from shared.billing.planning.matching import OwnLine
from shared.billing.planning.observations import measured
from shared.billing.planning.one_offs import ChargedOnce, charged_once, written_once
from shared.billing.planning.owed import lines_billed
from shared.billing.planning.plan import Group
from shared.billing.planning.schedule import without_copies
from shared.billing.planning.situation import Doubt, ItemPlan, Situation, Target, UsedPeriod
from shared.billing.planning.usage_findings import odd_usage
from shared.billing.planning.usage_lines import UsageLine, Used, usage_lines
from shared.billing.planning.usage_periods import (
    in_units_of_today,
    period_at,
    periods_over,
    used_by,
    with_what_they_came_to,
)
from shared.billing.profiles import BillingProfile, BillOption
from shared.billing.rules import Mode
from shared.billing.seats import SeatDay, SeatRecord, Settled

#: What the vendor dates and tells for the first time was used in so many days: a month, and until it is invoiced.
_NEW_DAYS = 45
_ZERO = Decimal(0)


def has_usage(item: BillItem, situation: Situation) -> bool:
    """Whether usage of an item was ever read: its last period is billed although nothing is counted any more.

    What the vendor dates was read also where the newest month has none yet.
    """
    in_arrears = item.profile is not None and item.profile.arrears is not None
    return (in_arrears and is_dated(item.told)) or any(_usage_of(item, situation))


def _usage_of(item: BillItem, situation: Situation) -> Iterator[tuple[str, SeatRecord]]:
    return ((line, situation.seats[line]) for line in situation.record_lines.get(item.id, ()) if is_usage(line))


def plan_usage(
    item: BillItem,
    profile: BillingProfile,
    agreement: Agreement,
    quantity: Decimal,
    observed: tuple[Finding, ...],
    situation: Situation,
) -> ItemPlan:
    """The lines of each period that is over and not charged yet; standing lines of the item end."""
    key = LineKey(situation.company.company, agreement.id, item.id)
    usage = replace(key, kind="usage")
    record = _with_readings(str(usage), item, profile, quantity, situation)
    is_observed = situation.company.mode is Mode.OBSERVE or profile.bill_option is not BillOption.BILLABLE
    record = replace(record, observed=situation.as_of) if is_observed else record
    told: tuple[UsedPeriod, ...] | None = None
    try:
        calendar = calendar_for(item, agreement, situation)
        product = product_for(profile.product, situation)
        target = Target(item, profile, agreement, calendar, product, key, situation.as_of, quantity)
        record = _with_dated(target, record, situation)
        charged = charged_once(target, situation)
        record = with_what_they_came_to(target, record, situation, charged.elsewhere)
        told = _told(target, record, charged, situation)
        leaving = lines_leaving(item, (), situation, "it is billed in arrears from now on")
        if _owed(target, record, charged, situation):
            if situation.additions.unread:
                return ItemPlan(findings=observed, seats=(record,), frozen=True, needs_all=True)
            refuse_beside_others(target, situation)
            _refuse_where_only_lines_are_updated(target)
        owing = _owed(target, record, charged, situation, kept_by_others(target, situation))
        written = [written_once(line.target, record, line.owed, line.back, charged.numbers) for line in owing]
        copies = [change for copy in _copies(target, situation) for change in removal(target, copy)]
        ends = ends_others(target, max(target.first_uninvoiced, target.current), situation)
    except Doubt as doubt:
        return ItemPlan(findings=(*observed, doubt.finding), seats=(record,), frozen=True, usage=told)
    changes = (*ends, *copies, *(change for once in written for change in once.changes), *leaving.changes)
    group = Group(item.id, changes) if changes else None
    untimely = (finding for once in written for finding in once.untimely)
    found = odd_usage(target, record, charged, told, situation)
    return ItemPlan(group, (*observed, *untimely, *found), (record,), usage=told)


def _refuse_where_only_lines_are_updated(target: Target) -> None:
    if target.profile.update_only:
        raise Doubt(
            FindingKind.BLOCKED_CREATE,
            target.item.id,
            f"{target.item.name}: its usage takes a new line for each period, and the profile {target.profile.id} "
            "never creates one.",
            "Let the profile create lines (update_only: false), or bill the usage by hand.",
        )


def _with_readings(
    line: str, item: BillItem, profile: BillingProfile, quantity: Decimal, situation: Situation
) -> SeatRecord:
    """The record with what was read since the last sync, then with tonight's reading. A new one begins tonight.

    What was used is the item's, wherever it is billed: the record moves with it to another agreement.
    """
    so_far = [(seats.seen or date.min, name == line, seats) for name, seats in _usage_of(item, situation)]
    record = replace(max(so_far, key=itemgetter(0, 1))[2], line=line) if so_far else _new(line, item, situation)
    record = record.going_on(situation.as_of)
    current = period_at(line, situation.as_of, situation)
    counted = in_units_of_today(record, item, profile, current)
    if record.seen is not None:
        # Readings of a period that other rules counted are no such units.
        changed = record.rules not in ("", counted.rules)
        since = max(record.seen, current.start) if changed else record.seen
        for day, then in _told_since(since, item, profile, situation):
            counted = _with_reading(counted, day, then, item, profile)
    return _with_reading(counted, situation.as_of, quantity, item, profile)


def _new(line: str, item: BillItem, situation: Situation) -> SeatRecord:
    """A record that begins tonight, or where the vendor dates what it never told of before, with its first day."""
    used = [
        day
        for count in item.counts
        for part in count.subscriptions or ()
        for day, amount in (part.usage.days if part.usage is not None else ())
        if amount
    ]
    first, as_of = min(used, default=situation.as_of), situation.as_of
    if first < as_of - timedelta(days=_NEW_DAYS) or not situation.was_zero(item):
        return SeatRecord(line)
    return SeatRecord(line, (SeatDay(min(first, as_of), _ZERO, None),), as_of, from_zero=True)


def _with_reading(
    record: SeatRecord, day: date, quantity: Decimal, item: BillItem, profile: BillingProfile
) -> SeatRecord:
    # What the vendor dates it tells again every night: of it nothing but its beginning needs to be remembered.
    is_level = not is_of_days(item, record) and (item.not_before is None or item.not_before <= day)
    existing = in_hundredths(quantity, profile.quantity) if is_level else _ZERO
    record = record if record.seen is None else record.with_gap(record.seen, day)
    return record.with_reading(day, existing, None)


def _with_dated(target: Target, record: SeatRecord, situation: Situation) -> SeatRecord:
    """The record with what the vendor tells of the periods that are over, where it dates its usage."""
    if not is_of_days(target.item, record):
        return record
    item, profile, over = target.item, target.profile, periods_over(target, record, situation)
    record = with_months(record, item, profile, [*over, target.current], target.as_of)
    used = {period.start: used_in(item, profile, record, period) for period in over}
    return record.with_used({start: known for start, known in used.items() if known is not None}, target.as_of)


def _told_since(
    day: date, item: BillItem, profile: BillingProfile, situation: Situation
) -> Iterator[tuple[date, Decimal]]:
    """What each moment from a day on told of the item; none that did not tell all of it or contradicts itself."""
    for moment in situation.moments:
        then = at_moment(item, moment.readings) if moment.day >= day else None
        if then is not None:
            with suppress(Doubt):
                yield moment.day, measured(then, profile)


def _copies(target: Target, situation: Situation) -> list[OwnLine]:
    """Second copies of our own one-off lines: of two with one identity one bills too much."""
    there = target.agreement.id
    owned = situation.owned[target.item.id].one_off_lines
    return without_copies([line for line in owned if line.key.agreement == there])[1]


def kept_by_others(target: Target, situation: Situation) -> list[Addition]:
    """Lines that people kept have charged it too, also of products that ours replace, but those beside which a person
    wants ours.
    """
    beside = chosen_about_others(situation.choices, target.item.id, ChoiceKind.CREATE_ANYWAY)
    products = {product.casefold() for product in (*target.products, *target.profile.replaces)}
    others = [line for product in sorted(products) for line in situation.others.get(product, ())]
    return [line for line in others if line.id not in beside]


def _owed(
    target: Target, record: SeatRecord, charged: ChargedOnce, situation: Situation, kept: Sequence[Addition] = ()
) -> list[UsageLine]:
    """What the periods that are over used, less what our lines and `kept` ones charge for them and what a person has
    settled, oldest first.
    """
    others = lines_billed(kept)
    owed: list[UsageLine] = []
    for period in periods_over(target, record, situation):
        quantity = used_by(target, record, period, charged.elsewhere)
        if quantity is not None:
            otherwise = standing_in(period, target, situation) + others(period) + record.settled_by_hand(period)
            used = Used(period, quantity, otherwise)
            owed += usage_lines(target, used, charged, situation)
    return owed


def _told(target: Target, record: SeatRecord, charged: ChargedOnce, situation: Situation) -> tuple[UsedPeriod, ...]:
    """For people: what the periods that are over used, and what of it our one-off lines need not bill."""
    kept = kept_by_others(target, situation)
    lines = [*kept, *(line.addition for line in situation.owned[target.item.id].standing_lines)]
    return tuple(
        UsedPeriod(
            period.start,
            period.end,
            used_by(target, record, period, charged.elsewhere),
            lines_billed(kept)(period) + standing_in(period, target, situation) + record.settled_by_hand(period),
            sum((LineValues.of(line).monthly() for line in lines if lines_billed([line])(period)), _ZERO),
        )
        for period in periods_over(target, record, situation)
    )


def standing_in(period: Period, target: Target, situation: Situation) -> Decimal:
    """What standing lines of the item charged for a period: at least what they said when it was invoiced, although they
    may have been lowered since.
    """
    invoiced = sum(
        (
            max(
                (each.standing or _ZERO for each in situation.seats[line].periods if _overlaps(each, period)),
                default=_ZERO,
            )
            for line in situation.record_lines.get(target.item.id, ())
            if not is_usage(line)
        ),
        _ZERO,
    )
    return max(lines_billed(line.addition for line in situation.owned[target.item.id].standing_lines)(period), invoiced)


def _overlaps(settled: Settled, period: Period) -> bool:
    return settled.start <= period.end and period.start <= settled.end
