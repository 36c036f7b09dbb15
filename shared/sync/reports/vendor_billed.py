"""What is billed for a vendor's charges: what stood when it made its invoice, and what was billed once since."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal

from shared.billing.balance import ZERO, Balance, BilledOnce
from shared.billing.counting.feeds import ItemRule, subscription_id
from shared.billing.lines import canonical
from shared.billing.vendors import Charge
from shared.clock import business_date
from shared.state.companies import CompanyRow
from shared.sync.ports import Ports
from shared.sync.reports.months import last_of, month_after, this_month

#: Usage is billed within so many months after the vendor's invoice, or nobody bills it any more.
_LATER = 2
_MONTH_DAYS = 31
#: Stands between the ids of items that are told as one.
_TOGETHER = " + "


@dataclass(slots=True)
class Line:
    """The charges of one bill item of a company, or of what belongs to none; `verdict` where no comparison is made."""

    verdict: str
    company: CompanyRow | None
    rule: ItemRule | None
    charges: list[Charge] = field(default_factory=list)

    @property
    def is_usage(self) -> bool:
        return self.rule is not None and self.rule.profile is not None and self.rule.profile.arrears is not None

    @property
    def tells_units(self) -> bool:
        """Whether any charge says how much the customer has: parts of months and credits do not."""
        return any(charge.tells_units for charge in self.charges)


@dataclass(frozen=True, slots=True)
class Billed:
    """What is billed for the charges of a line: `units` that stand, or of usage those of its periods.

    `currency` is None where nobody looked. `due` is told of periods longer than a month: the charges of one month do
    not say it. `is_over` is False while such a period goes on, or what is charged for it still grows. `joined`: other
    items' units are among them. `longer`: the vendor charges for more than a month at once.
    """

    units: Decimal = ZERO
    monthly: Decimal = ZERO
    once: Decimal = ZERO
    currency: str | None = None
    due: Decimal | None = None
    is_over: bool = True
    joined: bool = False
    longer: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """Balances by company and bill item: as the month's last look saw them, and as those since did."""

    then: Mapping[int, Mapping[str, Balance]]
    since: Mapping[int, Mapping[str, Balance]]
    today: date


def seen_since(ports: Ports, month: date) -> Seen:
    """What the looks of a month and of the next ones saw."""
    looks = [{row.id: _by_item(balance.items) for row, balance in last_of(ports, month).whole()}]
    later = month_after(month)
    while later <= this_month(ports) and len(looks) <= _LATER:
        looks.append({row.id: _by_item(balance.items) for row, balance in last_of(ports, later).whole()})
        later = month_after(later)
    since: dict[int, dict[str, Balance]] = {}
    for look in looks:
        for company, items in look.items():
            since.setdefault(company, {}).update(items)
    return Seen(looks[0], since, business_date(ports.clock))


def _by_item(items: Iterable[Balance]) -> dict[str, Balance]:
    return {canonical(item.bill_item): item for item in items}


def billed_for(line: Line, seen: Seen) -> Billed:
    billed = _for_usage(line, seen) if line.is_usage else _for_standing(line, seen)
    return replace(billed, is_over=False) if any(charge.growing for charge in line.charges) else billed


def _for_standing(line: Line, seen: Seen) -> Billed:
    """What stands, with one-off lines of the periods in which charged parts of a month begin."""
    balances = _of_item(line, seen.then)
    if not balances:
        return Billed()
    starts = [charge.start for charge in line.charges if charge.start and not charge.is_of_a_whole_period]
    return Billed(
        units=sum((item.billed for item in balances), ZERO),
        monthly=sum((item.amount_billed / (item.months or 1) for item in balances), ZERO),
        once=sum((each.amount_billed for each in _periods(_of_item(line, seen.since), starts)), ZERO),
        currency=only({item.currency or "" for item in balances}),
        joined=any(_TOGETHER in item.bill_item for item in balances),
        longer=any(item.longer for item in balances),
    )


def _for_usage(line: Line, seen: Seen) -> Billed:
    """What is billed of the agreements' periods in which the charges begin."""
    balances = _of_item(line, seen.since)
    starts = [charge.start for charge in line.charges if charge.start]
    periods = _periods(balances, starts)
    longer = any((each.end - each.start).days > _MONTH_DAYS for each in periods)
    return Billed(
        units=sum((each.billed for each in periods), ZERO),
        once=sum((each.amount_billed for each in periods), ZERO),
        currency=only({item.currency or "" for item in balances}) if balances else None,
        due=sum((each.due or ZERO for each in periods), ZERO) if longer else None,
        is_over=not any(_goes_on(item, start, seen.today) for item in balances for start in starts),
    )


def _goes_on(item: Balance, start: date, today: date) -> bool:
    """Whether the agreement's period that holds a day was not over at the last look, and may not be today."""
    longest = timedelta(days=_MONTH_DAYS * (item.months or 1))
    return item.over_until is not None and item.over_until < start and start + longest >= today


def _periods(balances: Iterable[Balance], starts: Collection[date]) -> list[BilledOnce]:
    """The one-off lines for the periods that hold one of these days."""
    return [once for item in balances for once in item.once if any(once.holds(day) for day in starts)]


def _of_item(line: Line, seen: Mapping[int, Mapping[str, Balance]]) -> list[Balance]:
    """The balances of a line's item, alone or together with others, or of its parts where every subscription is one."""
    if line.rule is None or line.company is None:
        return []
    whole, parts = canonical(line.rule.id), subscription_id(line.rule.id)
    told = seen.get(line.company.id, {})
    return [balance for item, balance in told.items() if whole in item.split(_TOGETHER) or item.startswith(parts)]


def are_of_a_month(line: Line, billed: Billed) -> bool:
    """Whether the charges are for one month, as what is billed for them: parts of it only correct the amount."""
    whole = [charge for charge in line.charges if charge.tells_units]
    return bool(whole) and billed.due is None and not billed.joined and all(map(_is_a_month, whole))


def _is_a_month(charge: Charge) -> bool:
    return charge.start is not None and charge.end is not None and 27 <= (charge.end - charge.start).days <= _MONTH_DAYS


def only(values: set[str]) -> str:
    return next(iter(values)) if len(values) == 1 else ""
