"""Profiles that are counted on the day before their agreement's next invoice.

What was counted on that day holds until the next one: what vendors tell on other days is not billed, and changes
nothing about what is. A day that was missed, or on which a customer could not be read, is made up by the next night. An
invoice date that moves takes the day with it; a count that was made on the day before it, or since, will do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta

from shared.billing.agreements import Agreement
from shared.billing.calendar import BillingCalendar
from shared.billing.counting.items import BillItem, CountDay, as_told
from shared.billing.counting.quantities import quantity_of
from shared.billing.counts import Count, Counted, ReadFailure, Reading
from shared.billing.findings import Finding, FindingKind
from shared.billing.planning.doubts import agreement_for
from shared.billing.planning.guards import emptied_sources
from shared.billing.planning.observations import measured
from shared.billing.planning.situation import Doubt, Situation
from shared.billing.profiles import BillingProfile
from shared.billing.rules import Mode
from shared.billing.wording import spoken

_DAY = timedelta(days=1)


def on_count_days(
    items: Sequence[BillItem],
    situation: Situation,
    last: Mapping[str, Counted],
    readings: Iterable[Reading | ReadFailure],
) -> tuple[list[BillItem], Mapping[str, Counted]]:
    """Those that are counted before invoices with tonight's counts on their day, with the `last` ones on others; and
    what is to be remembered of count days by item, split ones whole.
    """
    emptied = emptied_sources(readings)
    looked = [_looked_at(item, situation, last.get(item.whole_id)) for item in items]
    # Parts are remembered together: where one is not known, all are counted again.
    unsure = {item.whole_id for item, tonight in looked if tonight is None}
    counted = _carried(items, situation, last)
    told: dict[str, dict[Count, None]] = {}
    for item, tonight in looked:
        if tonight is not None and item.whole_id not in unsure:
            together = told.setdefault(item.whole_id, {}) | dict.fromkeys(_remembered(item))
            told[item.whole_id] = together
            all_zero = bool(emptied.intersection(item.sources))
            counted[item.whole_id] = replace(tonight, counts=tuple(together), all_zero=all_zero)
    return [item for item, _ in looked], counted


def _carried(items: Sequence[BillItem], situation: Situation, last: Mapping[str, Counted]) -> dict[str, Counted]:
    """What was counted last, and what there was since while the company is only observed."""
    carried = {item.whole_id: last[item.whole_id] for item in items if item.before_invoice and item.whole_id in last}
    if situation.company.mode is not Mode.OBSERVE:
        return carried
    unknown = {item.whole_id for item in items if item.unknown is not None}
    some = {item.whole_id for item in items if not all(count.is_nothing for count in item.told)}
    return {
        whole: then if whole in unknown else replace(then, observed_some=whole in some)
        for whole, then in carried.items()
    }


def _looked_at(item: BillItem, situation: Situation, last: Counted | None) -> tuple[BillItem, Counted | None]:
    """The item as it is billed tonight, and what it was counted as if that is tonight."""
    if not item.before_invoice or item.billing_unknown or item.profile is None:
        return item, None
    try:
        agreement = agreement_for(item, item.profile, situation)
    except Doubt:
        return item, None
    eve = _eve(agreement)
    if eve is None:
        return _waiting(item, situation, "its agreement has no next invoice date"), None
    if _is_due(eve, agreement, situation, last):
        return _counted_tonight(item, item.profile, agreement, situation, last)
    if last is None:
        return _waiting(item, situation, f"it is counted first on {spoken(eve)}"), None
    if not item.feeds and item.unknown is not None:
        return item, None
    if item.counts_holders and any(count.holders is None for count in last.counts):
        return _waiting(item, situation, f"who holds it is counted first on {spoken(eve)}"), None
    day = CountDay(all_zero=last.all_zero)
    return replace(as_told(item, last.counts), unknown=None, read_failed=False, count_day=day), None


def _remembered(item: BillItem) -> Iterator[Count]:
    """What was told of an item; of whom only where that is asked for until the next count day."""
    needed = item.counts_holders or item.names_holders
    return (count if needed else replace(count, holders=None) for count in item.told)


def _waiting(item: BillItem, situation: Situation, why: str) -> BillItem:
    """Nothing of it is touched; where it has neither a count nor a line there is nothing to wait with."""
    if not (item.told or situation.owned[item.id].lines):
        return item
    return replace(item, unknown=why, count_day=CountDay(waits=why))


def _counted_tonight(
    item: BillItem, profile: BillingProfile, agreement: Agreement, situation: Situation, last: Counted | None
) -> tuple[BillItem, Counted | None]:
    """A reading that failed or contradicts itself is no count: the next night makes it up."""
    try:
        measured(item, profile)
    except Doubt:
        return item, None
    if item.unknown is not None:
        return item, None
    if last is not None:
        then = quantity_of(as_told(item, last.counts).counts, profile.quantity)
        item = replace(item, count_day=CountDay(since=last.day, was_none=then == 0 and not last.observed_some))
    return item, Counted(situation.as_of, agreement.id, _first_uninvoiced(agreement, situation))


def _eve(agreement: Agreement) -> date | None:
    """The day before the agreement's next invoice."""
    return None if agreement.next_invoice_date is None else agreement.next_invoice_date - _DAY


def _is_due(eve: date, agreement: Agreement, situation: Situation, last: Counted | None) -> bool:
    """Whether the day has come and nothing was counted since, or an invoice was made without a count of its own."""
    if situation.as_of >= eve and (last is None or last.day < eve):
        return True
    calendar = situation.calendars[agreement.id]
    if last is None or last.agreement != agreement.id or last.first_uninvoiced is None:
        return False
    if not isinstance(calendar, BillingCalendar):
        return False
    return calendar.first_uninvoiced > calendar.after(calendar.period_of(last.first_uninvoiced))


def _first_uninvoiced(agreement: Agreement, situation: Situation) -> date | None:
    calendar = situation.calendars[agreement.id]
    return calendar.first_uninvoiced.start if isinstance(calendar, BillingCalendar) else None


def without_a_day(item: BillItem, agreement: Agreement) -> tuple[Finding, ...]:
    """That the agreement of an item never says when it is to be counted."""
    if agreement.next_invoice_date is not None:
        return ()
    return (
        Finding(
            FindingKind.CALENDAR_UNSUPPORTED,
            item.id,
            f"{item.name}: it is counted on the day before the next invoice of agreement {agreement.id} "
            f"({agreement.name}), which has no next invoice date; nothing is changed.",
            "Set the agreement's next invoice date in Manage, or have the profile counted every night.",
        ),
    )
