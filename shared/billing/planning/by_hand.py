"""What no line of ours bills and a person is to bill: told every night until one says that it is settled."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from shared.billing.calendar import BillingCalendar, Period
from shared.billing.counting.items import BillItem
from shared.billing.findings import Finding, FindingKind
from shared.billing.lines import LineKey
from shared.billing.planning.choices import subject_of_hand
from shared.billing.planning.matching import OwnLine
from shared.billing.planning.one_offs import is_charged
from shared.billing.planning.owed import Owed, lines_billed
from shared.billing.planning.situation import ItemPlan, Situation, Target
from shared.billing.profiles import BillOption
from shared.billing.proration import share_of
from shared.billing.rules import Mode
from shared.billing.seats import SeatRecord, Unbilled
from shared.billing.wording import money, number, spoken

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class LeftByHand:
    """What a person should know; the records that remember it, and the subjects of choices that settled it."""

    findings: tuple[Finding, ...] = ()
    seats: tuple[SeatRecord, ...] = ()
    spent: tuple[str, ...] = ()


def left_by_hand(results: Iterable[tuple[BillItem, ItemPlan]], situation: Situation) -> LeftByHand:
    """All that is left to a person of a company, also of items that no rule mentions any more."""
    findings: list[Finding] = []
    seats: list[SeatRecord] = []
    spent: list[str] = []
    planned = {item.id: (item.name, plan.seats) for item, plan in results}
    for name in sorted(planned.keys() | situation.record_lines.keys()):
        called, tonight = planned.get(name, (name, ()))
        before = {line: situation.seats[line] for line in situation.record_lines.get(name, ())}
        records = before | {record.line: record for record in tonight}
        subject = subject_of_hand(name)
        settles = subject in situation.choices
        if settles:
            spent.append(subject)
        known = {
            line: _known(before.get(line), record, situation.as_of, settles=settles) for line, record in records.items()
        }
        left = sorted(each for entries in known.values() for each in entries if not each.is_settled)
        if left:
            findings.append(_finding(called, left, subject))
        seats += [
            replace(records[line], unbilled=kept) for line, kept in known.items() if records[line].unbilled != kept
        ]
    return LeftByHand(tuple(findings), tuple(seats), tuple(spent))


def _known(before: SeatRecord | None, now: SeatRecord, as_of: date, *, settles: bool) -> tuple[Unbilled, ...]:
    """A record forgets nothing of it where it begins anew. What was told before tonight is what a person settles."""
    told = before.unbilled if before is not None else ()
    new = [each for each in now.unbilled if each not in told]
    told = tuple(replace(each, is_settled=True) for each in told) if settles else told
    return tuple(sorted(each for each in (*told, *new) if not each.is_settled or each.end >= as_of))


def _finding(name: str, left: Iterable[Unbilled], subject: str) -> Finding:
    told = ", and ".join(
        f"{number(each.quantity)} from {spoken(each.day)} to {spoken(each.end)} ({money(each.amount)})" for each in left
    )
    return Finding(
        FindingKind.UNBILLED,
        subject,
        f"{name}: {told}: no line of ours bills that, because the period lies in part outside its agreement, or the "
        "line was about to end for another one.",
        "Bill it by hand, unless it is not owed; then say here that it is settled.",
    )


def risen_before_the_end(target: Target, staying: Collection[LineKey], situation: Situation) -> tuple[Unbilled, ...]:
    """What has risen tonight while lines that the item leaves have an end that is still to come, at their price.

    One-off lines follow the lines that stay, and those begin after that end.
    """
    going = [
        line
        for line in situation.owned[target.item.id].standing_lines
        if line.key not in staying and line.addition.quantity > 0 and line.addition.is_open(target.as_of)
    ]
    observes = situation.company.mode is Mode.OBSERVE
    if not going or observes or target.profile.bill_option is not BillOption.BILLABLE:
        return ()
    last = max(line.addition.cancelled_date or date.max for line in going)
    calendar, newest = situation.calendars[going[-1].key.agreement], going[-1].addition
    if last == date.max or newest.bill_customer != BillOption.BILLABLE or not isinstance(calendar, BillingCalendar):
        return ()
    periods = calendar.from_until(calendar.period_of(target.as_of), calendar.after(calendar.period_of(last)))
    return tuple(_risen(target, periods, going, situation))


def _risen(target: Target, periods: Iterable[Period], going: list[OwnLine], situation: Situation) -> Iterator[Unbilled]:
    records = [situation.seats[line] for line in situation.record_lines.get(target.item.id, ())]
    keys = {str(line.key) for line in going}
    billed = lines_billed(line.addition for line in going)
    for period in periods:
        seats = sum((record.most_in(period) for record in records if record.line in keys), _ZERO)
        told = [each.quantity for record in records for each in record.unbilled if each.end == period.end]
        more = target.total - max(seats, billed(period)) - sum(told, _ZERO)
        day = max(target.as_of, period.start)
        owed = Owed(period, day, more, share_of(target.profile.proration, period, day), period)
        amount = more * owed.share.of_price(going[-1].addition.unit_price)
        if more > 0 and amount > 0 and is_charged(target, owed):
            yield Unbilled(day, period.end, more, amount)
