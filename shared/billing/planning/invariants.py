"""What must hold of the result, whatever planned it: looked at once more before anything is written.

It is worked out from the plan and the lines alone, not from how the plan came about. A group that would break it is a
fault of the program: it is held, and no approval lets it through.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from itertools import combinations

from shared.billing.agreements import Agreement
from shared.billing.calendar import BillingCalendar, Period
from shared.billing.lines import LedgerRow, LineKey, LineValues, is_usage, stamped_date
from shared.billing.planning.matching import OwnLine
from shared.billing.planning.plan import Change, ChangeKind, Group, Guard, Plan
from shared.billing.seats import SeatRecord
from shared.billing.wording import number, spoken

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known beside the plan: our lines and their ledger, the agreements, their calendars where readable.

    `chosen` are additions that a person told us to adopt or to end.
    """

    lines: tuple[OwnLine, ...]
    ledger: tuple[LedgerRow, ...]
    agreements: Mapping[int, Agreement]
    calendars: Mapping[int, BillingCalendar]
    chosen: frozenset[int] = frozenset()


def sound(plan: Plan, standing: Standing) -> Plan:
    """The plan with every group held that would break what must hold."""
    return replace(plan, groups=tuple(_checked(group, plan, standing) for group in plan.groups))


def _checked(group: Group, plan: Plan, standing: Standing) -> Group:
    broken = next(_violations(group, plan, standing), None)
    return group if broken is None else replace(group, held=broken, guard=Guard.UNSOUND, unsound=True)


def _violations(group: Group, plan: Plan, standing: Standing) -> Iterator[str]:
    lines = _after(group, standing)
    yield from _not_ours(group, standing)
    yield from _outside(group, standing)
    yield from _overlapping(lines, standing)
    yield from _twice(group, lines, plan, standing)


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of ours as it will be."""

    key: LineKey
    values: LineValues

    @property
    def first(self) -> date:
        return self.values.effective_date or date.min

    @property
    def last(self) -> date:
        return self.values.cancelled_date or date.max

    def bills_in(self, period: Period) -> bool:
        return self.first <= period.end and self.last >= period.start

    def __str__(self) -> str:
        until = f" to {spoken(self.last)}" if self.values.cancelled_date is not None else ""
        return f"{number(self.values.quantity)} from {spoken(self.first)}{until}"


def _after(group: Group, standing: Standing) -> list[_Line]:
    """The bill item's own lines once all of the group is written."""
    lines = {
        (line.key.agreement, line.addition.id): _Line(line.key, LineValues.of(line.addition))
        for line in standing.lines
        if line.key.bill_item == group.bill_item
    }
    created: list[_Line] = []
    for change in group.changes:
        place = (change.key.agreement, change.addition or 0)
        if change.after is None:
            lines.pop(place, None)
        elif change.kind is ChangeKind.CREATE:
            created.append(_Line(change.key, change.after))
        elif place in lines or change.after.is_ours:
            lines[place] = _Line(change.key, change.after)
    return [*lines.values(), *created]


def _not_ours(group: Group, standing: Standing) -> Iterator[str]:
    """Only lines of ours are written, those that are taken over, and those that a person chose; a new one has a stamp
    that no line has yet.
    """
    ours = {(line.key.agreement, line.addition.id) for line in standing.lines}
    stamps = {line.addition.serial_number.strip(): f"addition {line.addition.id}" for line in standing.lines}
    for change in group.changes:
        if change.kind is ChangeKind.CREATE:
            stamp = change.after.serial_number if change.after is not None else ""
            if not stamp:
                yield "the stamp of a new line is missing"
            elif stamp in stamps:
                yield f"a new line would carry the stamp {stamp}, but another line has it: {stamps[stamp]}"
            stamps[stamp] = "a new one"
        elif (change.key.agreement, change.addition) not in ours and not _is_let(change, standing):
            yield f"addition {change.addition} is not a line of ours"


def _is_let(change: Change, standing: Standing) -> bool:
    return change.takes_over or change.addition in standing.chosen


def _outside(group: Group, standing: Standing) -> Iterator[str]:
    """A new line bills inside its agreement, which is active."""
    for change in group.changes:
        agreement = standing.agreements.get(change.key.agreement)
        if agreement is None or agreement.agreement_status != "Active":
            yield f"agreement {change.key.agreement} is not an active one of the company"
        elif change.kind is ChangeKind.CREATE and change.after is not None:
            line = _Line(change.key, change.after)
            begins, ends = agreement.bill_start_date or date.min, agreement.end_date or date.max
            if line.first > ends or line.last < begins:
                yield f"a line of {line} lies outside agreement {agreement.id}"


def _overlapping(lines: Iterable[_Line], standing: Standing) -> Iterator[str]:
    """No day is billed by two standing lines of one item, or of one band of it, whatever agreement they are on."""
    billing = [
        line
        for line in lines
        if line.key.is_standing and line.values.quantity != 0 and _is_active(standing, line.key.agreement)
    ]
    for one, other in combinations(billing, 2):
        if one.key.band == other.key.band and one.first <= other.last and other.first <= one.last:
            yield f"two lines would bill the same days: {one}, and {other}"


def _is_active(standing: Standing, agreement: int) -> bool:
    found = standing.agreements.get(agreement)
    return found is not None and found.agreement_status == "Active"


def _twice(group: Group, lines: Iterable[_Line], plan: Plan, standing: Standing) -> Iterator[str]:
    """No period is charged for more seats than there were in it: by its standing line and one-off lines together."""
    records = {record.line: record for record in plan.seats}
    everything = list(lines)
    for key in {change.key for change in group.changes if change.kind is ChangeKind.CREATE}:
        calendar = standing.calendars.get(key.agreement)
        record = _record_of(records, key)
        if key.is_standing or calendar is None or record is None:
            continue
        charged = _charged_once(key, everything, calendar, standing, whole=is_usage(record.line))
        for change in group.changes:
            day = stamped_date(change.after.serial_number) if change.after is not None else None
            if change.key != key or day is None:
                continue
            period = calendar.period_of(day)
            seats = Decimal(1) if key.is_package else record.most_in(period)
            billed = _standing_in(period, key, record, everything) + charged[period.start]
            if billed > seats:
                yield (
                    f"{number(billed)} would be charged for {spoken(period.start)} to {spoken(period.end)}, in which "
                    f"there {'is' if key.is_package else 'were'} {number(seats)} at most"
                )


def _record_of(records: Mapping[str, SeatRecord], key: LineKey) -> SeatRecord | None:
    names = (str(replace(key, kind="standing")), str(key.for_usage()))
    return next((records[name] for name in names if name in records), None)


def _charged_once(
    key: LineKey, lines: Iterable[_Line], calendar: BillingCalendar, standing: Standing, *, whole: bool
) -> Mapping[date, Decimal]:
    """Seats by the first day of their period, credited ones taken off; lines that somebody deleted count as written.

    `whole`: what was used is charged by the lines of all bands together.
    """

    def is_meant(found: LineKey) -> bool:
        return replace(found, band=key.band if whole else found.band) == key

    values = {row.stamp: row.values for row in standing.ledger if is_meant(row.key)}
    values |= {line.values.serial_number.strip(): line.values for line in lines if is_meant(line.key)}
    charged: defaultdict[date, Decimal] = defaultdict(Decimal)
    for stamp, line in values.items():
        day = stamped_date(stamp)
        if day is not None:
            charged[calendar.period_of(day).start] += -line.quantity if line.unit_price < 0 else line.quantity
    return charged


def _standing_in(period: Period, key: LineKey, record: SeatRecord, lines: Iterable[_Line]) -> Decimal:
    """What the standing line was invoiced with, or will be."""
    settled = record.settled(period)
    if settled is not None and settled.standing is not None:
        return settled.standing
    mine = [line for line in lines if line.key == replace(key, kind="standing") and line.bills_in(period)]
    return sum((line.values.quantity for line in mine), _ZERO)
