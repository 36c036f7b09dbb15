"""The balance of every bill item tonight: what is to be billed of it, and what its lines bill."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from shared.billing.agreements import Addition, Agreement
from shared.billing.balance import ZERO, Balance, BilledOnce
from shared.billing.calendar import BillingCalendar
from shared.billing.counting.items import BillItem
from shared.billing.counts import FailureKind, ReadFailure, Reading
from shared.billing.findings import Finding
from shared.billing.lines import canonical
from shared.billing.planning.billed_once import billed_once
from shared.billing.planning.cost import bought, cost_of, is_charged_by_the_term, monthly_cost
from shared.billing.planning.due_amount import Stands, due_amount, estimate
from shared.billing.planning.line_plan import has_begun
from shared.billing.planning.situation import ItemPlan, Situation
from shared.billing.profiles import BillingProfile, Proration, ProrationRule, StartDay


def balances(
    situation: Situation,
    planned: Iterable[tuple[BillItem, ItemPlan]],
    unmapped: Iterable[Finding],
    readings: Iterable[Reading | ReadFailure],
) -> tuple[Balance, ...]:
    """The balance of every bill item that is counted or billed, and of what is counted without a rule, by item.

    Items whose lines nobody can tell apart, because they are of one product and not ours, are told as one. Usage in
    arrears has no standing quantity: it is told by the newest period that is over.
    """
    readings = tuple(readings)
    left = _left(readings)
    both = [_side(item, plan, situation, left) for item, plan in planned]
    sides = [side for side in both if not _is_usage(side.item)]
    shared = _claimed(sides, situation)
    begins = _first_days(situation)
    telling = [side for side in sides if side.item.counts or side.looks_for_lines or side.item.id in shared]
    found = [
        _balance(group, shared.get(group[0].item.id, ()), begins, situation) for group in _together(telling, shared)
    ]
    found += [_of_usage(side, situation) for side in both if _is_usage(side.item)]
    told = [balance for balance in found if balance.counted or balance.due or balance.billed or balance.once]
    return tuple(sorted([*told, *_unmapped(unmapped, readings)], key=lambda balance: balance.bill_item))


@dataclass(frozen=True, slots=True)
class _Side:
    """One bill item with its own plan, lines and units to bill (None: not known), and whether its customer is gone."""

    item: BillItem
    plan: ItemPlan
    own: tuple[Addition, ...]
    due: Decimal | None
    left: bool

    @property
    def products(self) -> tuple[str, ...]:
        return self.item.profile.products if self.item.profile is not None else ()

    @property
    def looks_for_lines(self) -> bool:
        return self.due != 0 or bool(self.own)

    @property
    def longer(self) -> bool:
        return any(is_charged_by_the_term(count) for count in self.item.counts)

    @property
    def gone(self) -> bool:
        """Whether its customer is gone, or complete readings tell nothing of it any more."""
        return self.left or (self.due == 0 and self.item.unknown is None and not self.item.told)


def _left(readings: Iterable[Reading | ReadFailure]) -> frozenset[tuple[str, str]]:
    """Customers that are gone, by source."""
    failed = (each for each in readings if isinstance(each, ReadFailure))
    return frozenset(
        (each.source, canonical(each.customer)) for each in failed if each.kind is FailureKind.CUSTOMER_GONE
    )


def _side(item: BillItem, plan: ItemPlan, situation: Situation, gone: frozenset[tuple[str, str]]) -> _Side:
    own = tuple(line.addition for line in situation.owned[item.id].standing_lines)
    left = bool(gone and item.feeds) and all((feed.source, feed.customer) in gone for feed in item.feeds)
    return _Side(item, plan, own, _due(item, situation), left)


def _due(item: BillItem, situation: Situation) -> Decimal | None:
    if item.profile is None or not has_begun(item, situation.as_of):
        return ZERO
    if item.unknown is not None:
        return None
    measured = situation.measures[item.id]
    return None if isinstance(measured, Finding) else measured


def _is_usage(item: BillItem) -> bool:
    return item.profile is not None and item.profile.arrears is not None


def _claimed(sides: Iterable[_Side], situation: Situation) -> dict[str, tuple[Addition, ...]]:
    """Lines that are not ours, by the id of the first item that bills their product.

    Of several such items those that look for lines come before those of which nothing is counted.
    """
    claims: dict[str, list[Addition]] = {}
    taken: set[int] = set()
    for side in sorted(sides, key=lambda side: (not side.looks_for_lines, side.item.id)):
        own = {line.agreement_id for line in side.own}
        for line in situation.open_lines(side.products, situation.as_of):
            if line.id not in taken and (not own or line.agreement_id in own):
                taken.add(line.id)
                claims.setdefault(side.item.id, []).append(line)
    return {item: tuple(lines) for item, lines in claims.items()}


def _together(sides: Sequence[_Side], claimed: Mapping[str, Sequence[Addition]]) -> list[list[_Side]]:
    """Every item for itself, but those that could bill the same lines of others together; who claims them first."""
    rest = sorted(sides, key=lambda side: (side.item.id not in claimed, side.item.id))
    groups: list[list[_Side]] = []
    while rest and rest[0].item.id in claimed:
        first = rest.pop(0)
        products = {canonical(line.product) for line in claimed[first.item.id]}
        joined = [
            side for side in rest if side.looks_for_lines and products & {canonical(name) for name in side.products}
        ]
        groups.append([first, *joined])
        rest = [side for side in rest if side not in joined]
    return [*groups, *([side] for side in rest)]


def _balance(
    sides: Sequence[_Side], others: Sequence[Addition], begins: Mapping[int, date], situation: Situation
) -> Balance:
    first = sides[0]
    agreement = _agreement(sides, others, situation)
    calendar = _calendar(agreement.id if agreement is not None else None, situation)
    own = [line for side in sides for line in side.own]
    lines = [line for line in (*own, *others) if _bills_on(begins.get(line.agreement_id, situation.as_of), line)]
    due = _sum_of(side.due for side in sides)
    stands = Stands(
        product=first.products[0] if first.products else (lines[0].product if lines else ""),
        units=sum((line.quantity - line.less_included for line in lines), ZERO),
        amount=sum((_amount(line) for line in lines), ZERO),
        months=calendar.months if calendar is not None else None,
    )
    amount_due, estimated = due_amount(stands, due, first.item, [side.plan for side in sides], situation)
    proration, start_day = _proration(first.item.profile, situation)
    return Balance(
        bill_item=" + ".join(side.item.id for side in sides),
        name=" + ".join(side.item.name for side in sides),
        product=stands.product,
        counted=_counted(sides),
        due=due,
        billed=stands.units,
        amount_due=amount_due,
        amount_billed=stands.amount,
        estimated=estimated,
        agreement=agreement.id if agreement is not None else None,
        currency=_currency(agreement, situation),
        months=stands.months,
        uninvoiced_from=calendar.first_uninvoiced.start if calendar is not None else None,
        proration=proration,
        start_day=start_day,
        sources=_sources(sides),
        gone=all(side.gone for side in sides),
        longer=any(side.longer for side in sides),
        cost=_sum_of(cost_of(side.item, side.due, agreement, calendar, situation.products) for side in sides),
        once=tuple(once for side in sides for once in billed_once(side.item, side.plan, situation)),
    )


def _currency(agreement: Agreement | None, situation: Situation) -> str | None:
    """The agreement's; while none is known, that of all the company's agreements if it is one."""
    if agreement is not None:
        return agreement.currency
    found = {each.currency for each in situation.agreements.values()}
    return found.pop() if len(found) == 1 else None


def _of_usage(side: _Side, situation: Situation) -> Balance:
    """Usage in arrears, by the newest period that is over and known; nothing is due while none is over."""
    agreement = _agreement([side], (), situation)
    calendar = _calendar(agreement.id if agreement is not None else None, situation)
    once = billed_once(side.item, side.plan, situation)
    nothing = BilledOnce(
        situation.as_of, situation.as_of, ZERO, ZERO, *((ZERO, ZERO) if side.plan.usage == () else (None, None))
    )
    newest = next((each for each in reversed(once) if each.due is not None), nothing)
    stands = Stands(
        product=next(iter(side.products), ""),
        units=newest.billed,
        amount=newest.amount_billed,
        months=calendar.months if calendar is not None else None,
    )
    amount_due = newest.amount_due
    if amount_due is None:
        amount_due = estimate(stands, newest.due, side.item, situation)
    return Balance(
        bill_item=side.item.id,
        name=side.item.name,
        product=stands.product,
        counted=_counted([side]),
        due=newest.due,
        billed=stands.units,
        amount_due=amount_due,
        amount_billed=stands.amount,
        estimated=newest.amount_due is None and amount_due is not None,
        agreement=agreement.id if agreement is not None else None,
        currency=_currency(agreement, situation),
        months=stands.months,
        sources=_sources([side]),
        gone=side.left,
        cost=cost_of(side.item, newest.due, agreement, calendar, situation.products),
        once=once,
        usage=True,
        over_until=calendar.period_of(situation.as_of).day_before if calendar is not None else None,
    )


def _sum_of(parts: Iterable[Decimal | None]) -> Decimal | None:
    """None where one of them is not known."""
    total = ZERO
    for part in parts:
        if part is None:
            return None
        total += part
    return total


def _counted(sides: Sequence[_Side]) -> Decimal:
    return sum((bought(side.item, count) for side in sides for count in side.item.counts), ZERO)


def _sources(sides: Sequence[_Side]) -> tuple[str, ...]:
    return tuple(sorted({source for side in sides for source in side.item.sources}))


def _proration(profile: BillingProfile | None, situation: Situation) -> tuple[ProrationRule, StartDay]:
    """What a part of a period costs, and whether the day on which it begins is part of it."""
    proration = profile.proration if profile is not None else Proration()
    by_manage = proration.rule is ProrationRule.MANAGE
    return proration.rule, situation.prorate_start_day if by_manage else proration.start_day


def _agreement(sides: Sequence[_Side], others: Sequence[Addition], situation: Situation) -> Agreement | None:
    """Where the lines stand or are to stand; the company's only active agreement where there is no line."""
    for side in sides:
        if side.plan.group is not None:
            return situation.agreements.get(side.plan.group.changes[0].key.agreement)
    for lines in (*(side.own for side in sides), others):
        if lines:
            return situation.agreements.get(lines[0].agreement_id)
    active = [each for each in situation.agreements.values() if each.agreement_status == "Active"]
    return active[0] if len(active) == 1 else None


def _calendar(agreement: int | None, situation: Situation) -> BillingCalendar | None:
    found = situation.calendars.get(agreement) if agreement is not None else None
    return found if isinstance(found, BillingCalendar) else None


def _first_days(situation: Situation) -> dict[int, date]:
    """The first day of the first period of each agreement that begins after today and is not invoiced."""
    return {
        agreement: max(calendar.first_uninvoiced, calendar.after(calendar.period_of(situation.as_of))).start
        for agreement, calendar in situation.calendars.items()
        if isinstance(calendar, BillingCalendar)
    }


def _bills_on(day: date, line: Addition) -> bool:
    return line.is_open(day) and (line.effective_date is None or line.effective_date <= day)


def _amount(line: Addition) -> Decimal:
    return (line.quantity - line.less_included) * line.unit_price if line.bill_customer == "Billable" else ZERO


def _unmapped(findings: Iterable[Finding], readings: Iterable[Reading | ReadFailure]) -> list[Balance]:
    """What is counted and bought without a rule that says how to bill it: no price is known, and nobody is billed.

    Findings about a part of what is counted are not among them: the rest of it is billed.
    """
    counts = {
        "/".join((reading.source, canonical(reading.customer), canonical(count.sku))): count
        for reading in readings
        if isinstance(reading, Reading)
        for count in reading.counts
    }
    found = [(finding.key, counts[finding.key]) for finding in findings if finding.key in counts]
    units = [(key, count, count.purchased + count.grace) for key, count in found]
    return [
        Balance(
            *(key, count.name, "", counted, counted),
            currency=count.cost.currency if count.cost is not None else None,
            sources=(count.source,),
            cost=monthly_cost(count),
        )
        for key, count, counted in units
    ]
