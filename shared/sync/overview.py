"""What people are shown of a company: made from what a look saw anyway, kept with its state, asked of nobody again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal

from shared.billing.agreements import Addition, Agreement
from shared.billing.calendar import BillingCalendar, calendar_of
from shared.billing.counts import Count, Reading
from shared.billing.lines import canonical
from shared.billing.planning.plan import Billed, Change, Group, Plan
from shared.billing.planning.planner import Facts
from shared.billing.planning.preview import billed_in
from shared.state.overview import Bought, Licence, Overview, Summary

#: A write, and the addition as Manage then had it; None where it is gone.
Effect = tuple[Change, Addition | None]


def seen(facts: Facts, plan: Plan, before: Overview) -> Overview:
    """What this look saw; of customers and agreements that were not read, what was seen before."""
    read = {(reading.source, canonical(reading.customer)) for reading in facts.readings if isinstance(reading, Reading)}
    linked = {(link.source, canonical(link.customer)) for link in facts.company.linked}
    failed = linked - read
    licences = [
        _licence(count) for reading in facts.readings if isinstance(reading, Reading) for count in reading.counts
    ]
    licences += [old for old in before.licences if (old.source, canonical(old.customer)) in failed]
    return Overview(
        tuple(sorted(licences, key=lambda one: (one.source, canonical(one.customer), one.name, one.sku))),
        _billed(plan, before, failed),
        tuple(sorted(facts.agreements, key=lambda agreement: agreement.id)),
        _in_order(_lines(facts, before)),
    )


def with_effects(overview: Overview, effects: Iterable[Effect]) -> Overview:
    """The overview after writes."""
    lines = {line.id: line for line in overview.lines}
    billed = {one.item: one for one in overview.billed}
    for change, addition in effects:
        number = addition.id if addition is not None else change.addition
        assert number is not None
        if addition is None:
            lines.pop(number, None)
        else:
            lines[number] = _without_text(addition)
        item = canonical(change.key.bill_item)
        if item in billed and change.key.is_standing and not change.is_of_another:
            billed[item] = _with_line(billed[item], number, stays=not (change.lets_go or addition is None))
    return replace(overview, lines=_in_order(lines.values()), billed=tuple(billed.values()))


def summary_of(
    overview: Overview, groups: Iterable[Group], findings: Iterable[tuple[str, str]], facts: Facts
) -> Summary:
    """What lists show: `groups` are what is left to write, `findings` the (kind, key) of the open ones."""
    return Summary(
        findings=by_kind(findings),
        monthly=_monthly(overview, _calendars(overview, facts)),
        planned=_planned(overview, groups, facts),
    )


def after_undo(summary: Summary, overview: Overview, as_of: date, billed_through: Mapping[int, date]) -> Summary:
    """What lists show once writes were taken back: what the lines that stand now bill. The rest is the next look's."""
    found = calendars(overview.agreements, as_of, billed_through)
    return replace(summary, monthly=_monthly(overview, found))


def by_kind(findings: Iterable[tuple[str, str]]) -> dict[str, int]:
    """How many of each kind there are, of findings by (kind, key)."""
    return dict(sorted(Counter(kind for kind, _ in findings).items()))


def calendars(
    agreements: Iterable[Agreement], as_of: date, billed_through: Mapping[int, date]
) -> dict[int, BillingCalendar]:
    """The calendars of those agreements that have one that can be relied on, by agreement."""
    found = {one.id: calendar_of(one, as_of, billed_through.get(one.id)) for one in agreements}
    return {number: calendar for number, calendar in found.items() if isinstance(calendar, BillingCalendar)}


def _monthly(overview: Overview, found: Mapping[int, BillingCalendar]) -> dict[str, Decimal]:
    """By currency, what our standing lines add to the invoice of the first uninvoiced period, per month."""
    ours = {number for one in overview.billed for number in one.lines}
    sums: dict[str, Decimal] = {}
    currencies = _currencies(overview)
    for number, calendar in found.items():
        lines = [line for line in overview.lines if line.agreement_id == number and line.id in ours]
        amount = sum((amount for _, amount in billed_in(lines, calendar.first_uninvoiced)), Decimal(0))
        if amount:
            sums[currencies[number]] = sums.get(currencies[number], Decimal(0)) + _a_month(amount, calendar)
    return sums


def _planned(overview: Overview, groups: Iterable[Group], facts: Facts) -> dict[str, Decimal]:
    currencies, found = _currencies(overview), _calendars(overview, facts)
    sums: dict[str, Decimal] = {}
    for change in (change for group in groups for change in group.changes):
        calendar = found.get(change.key.agreement)
        if calendar is not None and change.monthly:
            currency = currencies[change.key.agreement]
            sums[currency] = sums.get(currency, Decimal(0)) + _a_month(change.monthly, calendar)
    return sums


def _calendars(overview: Overview, facts: Facts) -> dict[int, BillingCalendar]:
    return calendars(overview.agreements, facts.as_of, facts.company.billed_through)


def _currencies(overview: Overview) -> dict[int, str]:
    return {agreement.id: agreement.currency or "" for agreement in overview.agreements}


def _a_month(amount: Decimal, calendar: BillingCalendar) -> Decimal:
    return (amount / calendar.months).quantize(Decimal("0.01"))


def _licence(count: Count) -> Licence:
    bought = None
    if count.subscriptions is not None:
        bought = tuple(
            Bought(
                one.id,
                one.quantity,
                one.status,
                one.trial,
                one.owned,
                one.renews,
                one.committed_until,
                one.term,
                one.auto_renews,
                one.commerce_id,
            )
            for one in count.subscriptions
        )
    users = len(count.holders) if count.holders is not None else None
    return Licence(
        count.source,
        count.customer,
        count.sku,
        count.name,
        count.purchased,
        count.grace,
        count.assigned,
        bought,
        users,
        count.free,
        count.level,
        count.cost,
        count.retail,
    )


def _billed(plan: Plan, before: Overview, failed: Iterable[tuple[str, str]]) -> tuple[Billed, ...]:
    """Tonight's, but of what a failed reading feeds what was known before, with the lines that stand now."""
    known = {one.item: one for one in before.billed}
    found = {
        one.item: replace(known[one.item], lines=one.lines) if one.read_failed and one.item in known else one
        for one in plan.billed
    }
    kept = [one for one in before.billed if one.item not in found and _is_fed_by(one, failed)]
    return tuple(sorted([*found.values(), *kept], key=lambda one: one.item))


def _is_fed_by(billed: Billed, customers: Iterable[tuple[str, str]]) -> bool:
    return any((source, customer) in customers for source, customer, _ in billed.feeds)


def _lines(facts: Facts, before: Overview) -> list[Addition]:
    unread = {agreement.id for agreement in facts.agreements} - facts.additions.keys()
    lines = [line for line in before.lines if line.agreement_id in unread]
    found = calendars(facts.agreements, facts.as_of, facts.company.billed_through)
    for number, additions in facts.additions.items():
        calendar = found.get(number)
        since = min(facts.as_of, calendar.first_uninvoiced.start) if calendar is not None else facts.as_of
        lines += [_without_text(line) for line in additions if line.is_open(since)]
    return lines


def _in_order(lines: Iterable[Addition]) -> tuple[Addition, ...]:
    return tuple(sorted(lines, key=lambda line: (line.agreement_id, line.id)))


def _without_text(line: Addition) -> Addition:
    return replace(line, invoice_description="")


def _with_line(billed: Billed, line: int, *, stays: bool) -> Billed:
    others = [number for number in billed.lines if number != line]
    return replace(billed, lines=tuple([*others, line] if stays else others))
