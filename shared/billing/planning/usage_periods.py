"""Usage in arrears by period: which periods are over and billed, and what each of them used."""

from __future__ import annotations

import hashlib
from dataclasses import fields, replace
from datetime import date, timedelta
from decimal import Decimal
from operator import attrgetter

from shared.billing.calendar import Period, month_of, period_on
from shared.billing.counting.items import BillItem
from shared.billing.planning.dated import is_of_days, used_in
from shared.billing.planning.situation import Situation, Target
from shared.billing.profiles import Arrears, BillingProfile
from shared.billing.rules import Mode
from shared.billing.seats import CameTo, SeatRecord

#: So many periods back a late value is still billed.
PERIODS_BACK = 2
#: Stands for rules where a period was not over when it was billed no more: it came to so much as far as it was read.
AS_FAR_AS_READ = ""
#: Stands for rules where a period came to so much by other rules than those that count it since a day within it.
BY_OTHER_RULES = "other"
_ZERO = Decimal(0)


def period_at(line: str, day: date, situation: Situation) -> Period:
    """The period of a line key's agreement that holds a day, also where nothing can be written there."""
    there = situation.agreements.get(int(line.split("/", 2)[1]))
    return (period_on(there, day) if there is not None else None) or month_of(day)


def periods_over(target: Target, record: SeatRecord, situation: Situation) -> list[Period]:
    """The last periods that ended before today, since the first reading; none in which a company that is billed now was
    only observed, as others billed those, nor any for which the profile charged nothing, or that ended while the usage
    was not to be billed.
    """
    begun = record.days[0].day
    if record.ended is not None:
        begun = max(begun, record.ended + timedelta(days=1))
    if record.observed is not None and situation.company.mode is not Mode.OBSERVE:
        begun = max(begun, record.observed + timedelta(days=1))
    periods: list[Period] = []
    period = target.current
    for _ in range(PERIODS_BACK):
        period = target.calendar.period_of(period.day_before)
        if begun <= period.end:
            periods.insert(0, period)
    return periods


def used_by(target: Target, record: SeatRecord, period: Period, elsewhere: date | None = None) -> Decimal | None:
    """What a period used; None where nobody knows. What was charged `elsewhere` up to a day is left out.

    Rules that were changed since the period was over make no more of it than it came to before.
    """
    used, before = _by_the_rules(target, record, period, elsewhere), _came_to(record, period)
    changed = before is not None and before.rules != _rules_of(target)
    return min(used, before.quantity) if used is not None and before is not None and changed else used


def with_what_they_came_to(
    target: Target, record: SeatRecord, situation: Situation, elsewhere: date | None
) -> SeatRecord:
    """The record that remembers what the periods that are over came to, and by which rules."""
    found: list[CameTo] = []
    rules = _rules_of(target)
    for period in periods_over(target, record, situation):
        used, by_rules = used_by(target, record, period, elsewhere), _by_the_rules(target, record, period, elsewhere)
        if used is None or by_rules is None:
            continue
        before = _came_to(record, period) or CameTo(period.start, used, rules)
        if before.rules == rules:
            found.append(CameTo(period.start, used, rules))
        else:
            known = before if before.newer == rules else replace(before, newer=rules, then=by_rules)
            found.append(replace(known, quantity=used))
    return record.with_came_to(found, target.as_of)


def left_out(target: Target, record: SeatRecord, period: Period, elsewhere: date | None = None) -> Decimal:
    """What came late of a period and is not billed, because rules that are newer than the period make more of it."""
    by_rules, before = _by_the_rules(target, record, period, elsewhere), _came_to(record, period)
    if by_rules is None or before is None or before.rules == _rules_of(target):
        return _ZERO
    return max(min(by_rules - before.then, by_rules - before.quantity), _ZERO)


def _came_to(record: SeatRecord, period: Period) -> CameTo | None:
    known = next((each for each in record.came_to if each.start == period.start), None)
    return None if known is None or known.rules in (AS_FAR_AS_READ, BY_OTHER_RULES) else known


def in_units_of_today(record: SeatRecord, item: BillItem, profile: BillingProfile, current: Period) -> SeatRecord:
    """The record whose newest levels are counted by the rules of tonight: those of other rules in today's period are no
    such units, and count no more.
    """
    rules = _named(_counted_by(profile, item))
    held = [entry for entry in record.in_force(current) if entry.quantity > 0]
    if record.rules in ("", rules) or not held:
        return replace(record, rules=rules)
    read = [CameTo(current.start, entry.quantity, BY_OTHER_RULES) for entry in held if entry.day >= current.start]
    highest = sorted(read, key=attrgetter("quantity"))[-1:]
    return replace(record.counted_anew(current.start).with_came_to(highest, current.start), rules=rules)


def by_other_rules(record: SeatRecord, current: Period) -> Decimal:
    """What was read of today's period before the rules for its quantity changed, in the units of then."""
    known = (each.quantity for each in record.came_to if each.start == current.start and each.rules == BY_OTHER_RULES)
    return next(known, _ZERO)


def _rules_of(target: Target) -> str:
    """Names what makes a quantity of what is used: changes with the rules for it and with what feeds it."""
    feeds = sorted(f"{feed.source}/{feed.customer}/{feed.sku}" for feed in target.item.feeds)
    return _named((target.profile.arrears, *_counted_by(target.profile, target.item), feeds))


def _counted_by(profile: BillingProfile, item: BillItem) -> tuple[object, ...]:
    """What makes billed units of a count: a quantity that a person fixed, and what the rule says."""
    rule, licence = profile.quantity, item.licence
    said = [
        f"{each.name}={getattr(rule, each.name)}" for each in fields(rule) if getattr(rule, each.name) != each.default
    ]
    return (licence.quantity if licence is not None else None, said)


def _named(rules: tuple[object, ...]) -> str:
    return hashlib.sha256(repr(rules).encode()).hexdigest()[:12]


def _by_the_rules(target: Target, record: SeatRecord, period: Period, elsewhere: date | None) -> Decimal | None:
    """Of a level nobody knows which part of it is left elsewhere: its period is none that is billed here."""
    if is_of_days(target.item, record):
        return used_in(target.item, target.profile, record, period, elsewhere)
    if elsewhere is not None and period.start <= elsewhere:
        return _ZERO
    if not record.was_read_in(period):
        return None
    within = [entry.quantity for entry in record.in_force(period)]
    return max(within) if target.profile.arrears is Arrears.HIGHEST else within[-1]
