"""What a person should know of usage in arrears: what is not billed by itself, and what fell to nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta

from shared.billing.calendar import Period
from shared.billing.findings import Finding, FindingKind
from shared.billing.planning.dated import LATE_DAYS, is_of_days
from shared.billing.planning.doubts import product_for
from shared.billing.planning.one_offs import ChargedOnce
from shared.billing.planning.situation import Doubt, Situation, Target, UsedPeriod
from shared.billing.planning.usage_lines import Used, amount_of, usage_lines
from shared.billing.planning.usage_periods import by_other_rules, left_out, periods_over, used_by
from shared.billing.seats import SeatRecord
from shared.billing.wording import money, number, spoken


def odd_usage(
    target: Target, record: SeatRecord, charged: ChargedOnce, told: Iterable[UsedPeriod], situation: Situation
) -> list[Finding]:
    """Everything that a person should know of what was used; `told` are the periods that are over."""
    return [
        *_left_out(target, record, charged, told, situation),
        *_by_other_rules(target, record),
        *_not_read(target, record, charged, situation),
        *_partly_charged(target, record, charged, situation),
        *_fell_to_nothing(target, record, situation),
        *_not_in_catalog(target, situation),
    ]


def _not_read(target: Target, record: SeatRecord, charged: ChargedOnce, situation: Situation) -> list[Finding]:
    """What a period used of which nothing was read nobody knows: a person has to look, unless that is charged."""
    dated, late = is_of_days(target.item, record), situation.as_of - timedelta(days=LATE_DAYS)
    how = "is not known to the end" if dated else "was not read on any day"
    return [
        Finding(
            FindingKind.READ_FAILED,
            f"{target.item.id}/{period.start.isoformat()}",
            f"{target.item.name}: its usage {how} from {spoken(period.start)} to "
            f"{spoken(period.end)}; nothing is billed for that period.",
            "Look the usage up at its vendor and bill it by hand.",
        )
        for period in periods_over(target, record, situation)
        if used_by(target, record, period, charged.elsewhere) is None and not (dated and period.end >= late)
    ]


def _partly_charged(target: Target, record: SeatRecord, charged: ChargedOnce, situation: Situation) -> list[Finding]:
    """A level has no days: of a period that is charged in part on another agreement a person bills the rest."""
    until = charged.elsewhere
    if until is None or is_of_days(target.item, record):
        return []
    return [
        Finding(
            FindingKind.CALENDAR_UNSUPPORTED,
            f"{target.item.id}/{period.start.isoformat()}",
            f"{target.item.name}: its usage from {spoken(period.start)} to {spoken(period.end)} is not billed here: "
            f"the agreement that it was billed on before, whose periods are others, charges it up to {spoken(until)}.",
            "Bill what was used after that day by hand.",
        )
        for period in periods_over(target, record, situation)
        if period.start <= until < period.end
    ]


def _fell_to_nothing(target: Target, record: SeatRecord, situation: Situation) -> list[Finding]:
    """Nothing is written for a period that used nothing, so that no guard can hold it: a person is told.

    Where units are included in the agreement, nothing to bill is nothing odd.
    """
    periods = periods_over(target, record, situation)
    if len(periods) < 2 or target.profile.quantity.included > 0:
        return []
    earlier, newest = periods
    dated = is_of_days(target.item, record)
    before = record.used_before(newest.start) if dated else used_by(target, record, earlier)
    if not before or used_by(target, record, newest) != 0:
        return []
    return [
        Finding(
            FindingKind.NO_USAGE,
            f"{target.item.id}/{newest.start.isoformat()}",
            f"{target.item.name}: nothing was used from {spoken(newest.start)} to {spoken(newest.end)}, but "
            f"{number(before)} in the period before; nothing is billed.",
            "Look at the vendor whether that is right. What it tells late of the days of that period is billed with "
            "the next invoice; a level that it told wrongly is yours to bill by hand.",
        )
    ]


def _left_out(
    target: Target, record: SeatRecord, charged: ChargedOnce, told: Iterable[UsedPeriod], situation: Situation
) -> Iterator[Finding]:
    """What a vendor told late of a period, after rules had changed by which it would be more than was billed."""
    for each in told:
        period = Period(each.start, each.end)
        more = left_out(target, record, period, charged.elsewhere)
        if more <= 0 or each.used is None:
            continue
        before, after = (
            amount_of(usage_lines(target, Used(period, used, each.beside), charged, situation))
            for used in (each.used, each.used + more)
        )
        amount = f" ({money(after - before)})" if before is not None and after is not None else ""
        yield Finding(
            FindingKind.UNBILLED,
            f"{target.item.id}/{period.start.isoformat()}",
            f"{target.item.name}: {number(more)} more{amount} were told late of {spoken(period.start)} to "
            f"{spoken(period.end)}; they are not billed by themselves, because the rules for its quantity changed "
            "after that period was over.",
            "Bill them by hand, unless they are not owed by the rules of then.",
        )


def _by_other_rules(target: Target, record: SeatRecord) -> Iterator[Finding]:
    """A level that was counted by other rules is in other units: of today's period it does not count."""
    before = by_other_rules(record, target.current)
    if before > 0:
        yield Finding(
            FindingKind.UNBILLED,
            f"{target.item.id}/{target.current.start.isoformat()}",
            f"{target.item.name}: the rules for its quantity changed since {spoken(target.current.start)}; of this "
            f"period only what is read after that is billed, and not the {number(before)} that other rules made of it.",
            "Nothing, if it does not fall below what it was before; else bill the rest by hand.",
        )


def _not_in_catalog(target: Target, situation: Situation) -> Iterator[Finding]:
    """The products of bands that no line can be written of, told before a month reaches one."""
    for product in target.products:
        try:
            product_for(product, situation)
        except Doubt as doubt:
            yield doubt.finding
