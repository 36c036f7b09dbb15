"""The seat record of one bill item tonight: goes on where it was, or begins anew with a first sync."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

from shared.billing.agreements import Addition
from shared.billing.calendar import BillingCalendar, Period
from shared.billing.counting.items import BillItem, CountDay
from shared.billing.findings import FindingKind
from shared.billing.lines import LineKey, is_usage
from shared.billing.planning.matching import OwnLine
from shared.billing.planning.moves import LONGEST_GAP, comes_back, goes_on_from
from shared.billing.planning.one_offs import charged_once
from shared.billing.planning.owed import Billed, lines_billed, settled_at_first_sync, settled_since
from shared.billing.planning.situation import Doubt, Situation, Target
from shared.billing.profiles import FirstSync
from shared.billing.rules import Mode
from shared.billing.seats import SeatDay, SeatRecord, Settled

#: Stands for the agreement in the record of an item that has not been billed anywhere yet.
NOWHERE_YET = 0

_ZERO = Decimal(0)


def with_tonight(
    key: LineKey,
    calendar: BillingCalendar | None,
    quantity: Decimal,
    situation: Situation,
    dated: Iterable[tuple[date, Decimal]] = (),
    count_day: CountDay | None = None,
    none_on: date | None = None,
) -> SeatRecord:
    """The record with tonight's reading, written whatever is planned. No calendar: it could not be read.

    `dated` are the vendor's own days and the quantity from each on; those since the last reading count, and that of its
    own day, on which more may have come after it. On a count day those since the last such day do, but for what came
    and went again in between. `none_on` is the day of the last reading of an item without a record, if that told of
    none.
    """
    first = calendar.first_uninvoiced.start if calendar is not None else None
    line = str(key)
    record = situation.seats.get(line) or SeatRecord(line)
    if count_day is not None and count_day.since is not None:
        record = record.back_to(count_day.since)
        if count_day.was_none and not record.days:
            record = record.with_reading(count_day.since, _ZERO, None)
        most = max([quantity, *(entry.quantity for entry in record.days[-1:])])
        dated = [(day, min(then, most)) for day, then in dated]
    elif none_on is not None and not record.days and none_on >= situation.as_of - timedelta(days=LONGEST_GAP):
        record = record.with_reading(none_on, _ZERO, None)
    seen = record.seen
    for day, then in dated:
        if seen is not None and seen <= day < situation.as_of:
            record = record.with_reading(day, then, first)
    return record.with_reading(situation.as_of, quantity, first)


def not_billed(item: BillItem, situation: Situation) -> tuple[SeatRecord, ...]:
    """The item's records on a night on which it is not billed or has nothing: they begin anew with nothing.

    One that is counted and comes to nothing is remembered too, so that it is known to rise from 0 later.
    """
    lines = {line for line in situation.record_lines.get(item.id, ()) if not is_usage(line)}
    if item.profile is not None and item.counts:
        lines.add(str(LineKey(situation.company.company, NOWHERE_YET, item.id)))
    return tuple(nothing_since(line, situation.as_of) for line in sorted(lines))


def nothing_since(line: str, day: date) -> SeatRecord:
    """A record that begins with nothing."""
    return SeatRecord(line, (SeatDay(day, _ZERO, None),), day)


def of_standing_lines(
    record: SeatRecord,
    target: Target,
    situation: Situation,
    continues: date | None = None,
    before: Decimal = _ZERO,
) -> SeatRecord:
    """The record of a line of ours; as it is where there is none. Lines without one are the baseline: nothing is owed
    for the time before. Where all of them have ended and there was none last, it is charged from its rise.

    An item that comes back from another line, on the day `continues`, owes nothing here for the time that the other one
    billed; `before` seats of it stood there.
    """
    own = [line for line in situation.owned[target.item.id].standing_lines if line.key == target.key]
    if not own:
        return record
    lines = [line.addition for line in own]
    billed = lines_billed(lines)
    if comes_back(record, lines, continues, situation):
        since = goes_on_from(target, continues, situation)
        if since is not None:
            return _priced(_gone_on(record, target, billed, since, before), lines)
    elif _goes_on(record, target.calendar, situation):
        _refuse_undone(record, target)
        settled = record.with_periods(_settled_since(record, target, billed))
        return _priced(_not_charged_again(settled, record, own), lines)
    have_ended = all(line.cancelled_date is not None and line.cancelled_date < target.as_of for line in lines)
    if have_ended and _rose_from_zero(record, target.item, situation):
        return _priced(_risen(_without_what_is_over(record, situation), target, billed), lines)
    begun = _begun(record, target, FirstSync.NEXT_PERIOD, billed)
    return _priced(_owing_nothing_yet(begun, target, lines, situation), lines)


def _refuse_undone(record: SeatRecord, target: Target) -> None:
    """Raises `Doubt` where invoices were undone: their lines may have been changed since, and nobody knows what the
    next invoice will take.
    """
    first = target.first_uninvoiced.start
    undone = [period for period in record.periods if period.standing is not None and period.start >= first]
    if undone and not target.profile.proration.always_split:
        raise Doubt(
            FindingKind.PERIOD_MOVED,
            target.item.id,
            f"{target.item.name}: invoices of agreement {target.agreement.id} were undone; its lines are left alone.",
            "Invoice the agreement again, or name the last invoiced day under billed_through.",
        )


def of_first_sync(
    record: SeatRecord,
    target: Target,
    adopted: Addition | None,
    situation: Situation,
    continues: date | None = None,
    before: Decimal = _ZERO,
) -> tuple[SeatRecord, FirstSync]:
    """The record of an item that gets its first line here, with what lines of the product have billed before.

    An item whose count is known to have been 0 before is prorated since the day on which it rose, one that goes on
    from another line on the day `continues` since then, with the `before` seats that the other one billed; every other
    begins as the profile says. Until its first line is written it begins anew each night, unless it rose from 0.
    """
    # Other tiers bill other seats.
    standing = situation.owned[target.item.id].standing_lines
    lines = [line.addition for line in standing if line.key.band in ("", target.key.band)]
    lines += situation.others.get(target.product.identifier.casefold(), [])
    billed = lines_billed(lines)
    if continues is not None:
        there = [line for line in lines if line.agreement_id == target.agreement.id]
        return _gone_on(record, target, lines_billed(there), continues, before), FirstSync.PRORATE
    if adopted is None and record.from_zero and _goes_on(record, target.calendar, situation):
        return record.with_periods(_settled_since(record, target, billed)), FirstSync.PRORATE
    if adopted is None and (_rose_from_zero(record, target.item, situation) or _has_just_begun(target)):
        return _risen(record, target, billed), FirstSync.PRORATE
    first_sync = target.profile.proration.first_sync
    return _begun(record, target, first_sync, billed), first_sync


def _gone_on(record: SeatRecord, target: Target, billed: Billed, continues: date, before: Decimal) -> SeatRecord:
    """The record of an item that goes on here since the day `continues`; `before` seats stood elsewhere."""
    begun = _begun(record, target, FirstSync.PRORATE, billed, since=continues)
    if continues < target.as_of:
        carried = min(before, begun.days[-1].quantity)
        began = replace(begun.days[-1], day=continues, quantity=carried)
        begun = replace(begun, days=(began, replace(begun.days[-1], day=target.as_of)))
    return replace(begun, from_zero=True)


def kept(record: SeatRecord, mode: Mode) -> SeatRecord:
    """What is remembered of a record: a company that is only observed begins anew when it is billed."""
    return record if mode is not Mode.OBSERVE else replace(record, periods=(), from_zero=False, unbilled=())


def _rose_from_zero(record: SeatRecord, item: BillItem, situation: Situation) -> bool:
    """Whether it is known to have been none before tonight: of this line, of the item, or of everything told."""
    nowhere = str(LineKey(situation.company.company, NOWHERE_YET, item.id))
    lately = situation.as_of - timedelta(days=LONGEST_GAP)
    for line in (record.line, nowhere):
        before = situation.seats.get(line)
        if before is not None and before.seen is not None and lately <= before.seen < situation.as_of:
            return before.days[-1].quantity == 0
    return situation.was_zero(item)


def _risen(record: SeatRecord, target: Target, billed: Billed) -> SeatRecord:
    """The record of an item that was none, and is charged from the day on which it rose."""
    rose = _since_zero(record)
    begun = _begun(record, target, FirstSync.PRORATE, billed, since=rose[0].day)
    return replace(begun, days=rose, from_zero=True)


def _without_what_is_over(record: SeatRecord, situation: Situation) -> SeatRecord:
    """The record of an item that was none meanwhile, without what was read here before that."""
    before = situation.seats.get(record.line)
    if before is None or before.seen is None or before.days[-1].quantity == 0:
        return record
    since = tuple(entry for entry in record.days if entry.day > before.seen)
    return replace(record, days=since or (replace(record.days[-1], day=situation.as_of),))


def _since_zero(record: SeatRecord) -> tuple[SeatDay, ...]:
    """The record's days since it was last none, at least the newest: each rise has its own day."""
    rose: list[SeatDay] = [record.days[-1]]
    for entry in reversed(record.days[:-1]):
        if entry.quantity == 0:
            break
        rose.insert(0, entry)
    return tuple(rose)


def _has_just_begun(target: Target) -> bool:
    """Whether the company's own start lies in today's period: TrueUp was not to bill it before."""
    start = target.item.not_before
    return start is not None and target.current.start < start <= target.as_of


def _settled_since(record: SeatRecord, target: Target, billed: Billed) -> list[Settled]:
    credits = target.profile.proration.credits
    return settled_since(record, target.calendar, billed, target.as_of, credits=credits)


def _not_charged_again(settled: SeatRecord, before: SeatRecord, own: list[OwnLine]) -> SeatRecord:
    """Where somebody has lowered a line to what is counted tonight, and an invoice was made since the last look as
    well, nobody knows which came first: the seats that TrueUp had written there count as charged for.
    """
    counted = settled.days[-1].quantity
    rows = [(line.addition, line.recorded.values.quantity) for line in own if line.recorded is not None]
    if not [line for line, written in rows if line.quantity == counted < written]:
        return settled
    written = lines_billed(replace(line, quantity=max(quantity, line.quantity)) for line, quantity in rows)
    known = {each.start for each in before.periods if each.standing is not None}
    lacking = {
        each.start: written(Period(each.start, each.end)) - each.standing
        for each in settled.periods
        if each.standing is not None and not each.credits and each.start not in known
    }
    return settled.waiving({start: seats for start, seats in lacking.items() if seats > 0})


def _owing_nothing_yet(begun: SeatRecord, target: Target, lines: list[Addition], situation: Situation) -> SeatRecord:
    """Where lines are the baseline, seats that one of them bills from a later period on are waived before: nobody knows
    since when they are there.
    """
    billed, once = lines_billed(lines), charged_once(target, situation).seats
    held = max((line.quantity for line in lines if line.cancelled_date is None), default=_ZERO)
    known = min(held, begun.days[-1].quantity)
    lacking = {
        each.start: known - billed(Period(each.start, each.end)) - once.get(each.start, _ZERO)
        for each in begun.periods
        if each.standing is None
    }
    return begun.waiving({start: seats for start, seats in lacking.items() if seats > 0})


def at_price(record: SeatRecord, price: Decimal) -> SeatRecord:
    """The record of a line that begins at this price; it holds for periods that were invoiced before it came, too."""
    priced = [replace(each, price=price) for each in record.periods if each.standing is not None and each.price is None]
    return record.with_periods(priced)


def _priced(record: SeatRecord, lines: list[Addition]) -> SeatRecord:
    """The record with the price at which each period was invoiced, looked at before a new price is written tonight."""
    priced: list[Settled] = []
    for settled in record.periods:
        price = _price_in(settled, lines) if settled.standing is not None else None
        if price != settled.price:
            priced.append(replace(settled, price=price))
    return record.with_periods(priced)


def _price_in(settled: Settled, lines: list[Addition]) -> Decimal | None:
    """The price at which a period was invoiced, as far as that is known: that of the newest line that began by then."""
    if settled.price is not None:
        return settled.price
    charging = [line for line in lines if line.quantity != 0] or lines
    oldest_first = sorted(charging, key=lambda line: (line.effective_date or date.min, line.id))
    begun = [line for line in oldest_first if (line.effective_date or date.min) <= settled.end]
    return (begun[-1:] or oldest_first)[0].unit_price


def _goes_on(record: SeatRecord, calendar: BillingCalendar, situation: Situation) -> bool:
    """A record goes on while it is billed by, was read lately, and the agreement's periods stay the same."""
    if not record.periods or situation.company.mode is Mode.OBSERVE:
        return False
    before = situation.seats.get(record.line)
    lately = situation.as_of - timedelta(days=LONGEST_GAP)
    newest = record.periods[-1]
    period = calendar.period_of(newest.start)
    same = (period.start, period.end) == (newest.start, newest.end)
    return same and before is not None and before.seen is not None and before.seen >= lately


def _begun(
    record: SeatRecord, target: Target, first_sync: FirstSync, billed: Billed, since: date | None = None
) -> SeatRecord:
    """`since`: the day on which it began, where that is not today or the first day of the period."""
    quantity, as_of = record.days[-1].quantity, target.as_of
    day = target.current.start if first_sync is FirstSync.FULL_PERIOD else min(since or as_of, as_of)
    begun = SeatDay(day, quantity, target.first_uninvoiced.start)
    credits = target.profile.proration.credits
    periods = settled_at_first_sync(target.calendar, first_sync, billed, quantity, day, as_of, credits=credits)
    return SeatRecord(record.line, (begun,), as_of, tuple(periods))
