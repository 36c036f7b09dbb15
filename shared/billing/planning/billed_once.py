"""What one-off lines bill, by the periods that they are for. For people to look at; nothing is planned from it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

from shared.billing.balance import BilledOnce
from shared.billing.calendar import Period, month_of, period_on
from shared.billing.counting.items import BillItem
from shared.billing.lines import LineKey, LineValues, stamped_date
from shared.billing.planning.situation import ItemPlan, Situation
from shared.billing.planning.tiers import Tier, packages_of
from shared.billing.profiles import Proration, ProrationRule
from shared.billing.proration import share_of

#: Periods that ended longer before this month are left out: the vendor's invoices for them have long been compared.
_SHOWN_FOR = timedelta(days=100)
_ZERO = Decimal(0)

#: Line, stamp and values; -1 where it is what a line said before.
_Said = tuple[LineKey, str, LineValues, int]


@dataclass(slots=True)
class _Sum:
    """Units and amount of one period's lines; `packages` are so many of each, whatever they hold."""

    units: Decimal = _ZERO
    amount: Decimal = _ZERO
    packages: defaultdict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))

    def __add__(self, other: _Sum) -> _Sum:
        both = _Sum(self.units + other.units, self.amount + other.amount, self.packages.copy())
        for band, number in other.packages.items():
            both.packages[band] += number
        return both

    def units_of(self, used: Decimal | None, packages: Iterable[Tier]) -> Decimal:
        """The units that are billed; a package bills what was used, as far as it reaches."""
        standing = {band for band, number in self.packages.items() if number > 0}
        if not standing or used is None:
            return self.units
        reaches = [each.upto for each in packages if each.bounds in standing]
        bounds = [upto for upto in reaches if upto is not None]
        return self.units + (min(used, max(bounds)) if bounds and len(bounds) == len(standing) else used)


def billed_once(item: BillItem, plan: ItemPlan, situation: Situation) -> tuple[BilledOnce, ...]:
    """The periods of the last months that have one-off lines or should, the oldest first."""
    ours = situation.owned[item.id]
    if not (ours.one_off_lines or ours.one_off_rows or plan.group or plan.usage):
        return ()
    written = _by_period(_written(item, situation), item, situation)
    planned = _by_period(_planned(plan), item, situation)
    used = {Period(each.start, each.end): each for each in plan.usage or ()}
    is_usage = item.profile is not None and item.profile.arrears is not None
    packages = packages_of(item.price_rule)
    oldest = situation.as_of.replace(day=1) - _SHOWN_FOR
    found: list[BilledOnce] = []
    for period in sorted(period for period in {*written, *planned, *used} if period.end >= oldest):
        stands, known = written.get(period, _Sum()), used.get(period)
        quantity = known.used if known is not None else None
        if known is not None:
            stands += _Sum(known.beside, known.amount_beside)
        whole = stands + planned.get(period, _Sum())
        units = whole.units_of(quantity, packages)
        due = quantity if is_usage else units
        amount_due = whole.amount if due == units else None
        billed = stands.units_of(quantity, packages)
        found.append(BilledOnce(period.start, period.end, billed, stands.amount, due, amount_due))
    return tuple(found)


def _written(item: BillItem, situation: Situation) -> Iterator[_Said]:
    """Our one-off lines as they stand, or as they were written where nobody looked tonight."""
    for line in situation.owned[item.id].one_off_lines:
        stamp = line.recorded.stamp if line.recorded is not None else line.addition.serial_number
        yield line.key, stamp, LineValues.of(line.addition), 1
    for row in situation.owned[item.id].one_off_rows:
        if row.key.agreement not in situation.additions.by_agreement:
            yield row.key, row.stamp, row.values, 1


def _planned(plan: ItemPlan) -> Iterator[_Said]:
    for change in plan.group.changes if plan.group is not None else ():
        for said, sign in ((change.after, 1), (change.before, -1)):
            if said is not None and not change.key.is_standing:
                yield change.key, said.serial_number, said, sign


def _by_period(lines: Iterable[_Said], item: BillItem, situation: Situation) -> Mapping[Period, _Sum]:
    sums: defaultdict[Period, _Sum] = defaultdict(_Sum)
    for key, stamp, values, sign in lines:
        day, agreement = stamped_date(stamp), situation.agreements.get(key.agreement)
        if day is not None:
            period = (period_on(agreement, day) if agreement is not None else None) or month_of(day)
            quantity = sign * (-values.quantity if values.unit_price < 0 else values.quantity)
            if key.is_package:
                sums[period].packages[key.band] += quantity
            else:
                sums[period].units += quantity
            sums[period].amount += sign * _amount(values, item, period, situation)
    return sums


def _amount(values: LineValues, item: BillItem, period: Period, situation: Situation) -> Decimal:
    """What the line comes to; Manage prorates what begins within its period where that is left to Manage."""
    begins: date = values.effective_date or period.start
    by_manage = item.profile is not None and item.profile.proration.rule is ProrationRule.MANAGE
    if not by_manage or not period.start < begins <= period.end:
        return values.monthly()
    share = share_of(Proration(ProrationRule.MANAGE, situation.prorate_start_day), period, begins)
    return values.changed(unit_price=share.of_price(values.unit_price)).monthly()
