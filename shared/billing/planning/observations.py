"""What tonight's counts and agreements say: a bill item's quantity, and what a clerk wants to know in any case."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from decimal import Decimal

from shared.billing.agreements import Agreement
from shared.billing.calendar import BillingCalendar, Unsupported
from shared.billing.counting.feeds import Feed
from shared.billing.counting.items import BillItem
from shared.billing.counting.quantities import (
    control_difference,
    dated_quantities,
    holders_difference,
    purchased,
    quantity_of,
    users_limit,
)
from shared.billing.counts import Count
from shared.billing.findings import Finding, FindingKind
from shared.billing.lines import LedgerRow, canonical
from shared.billing.planning.choices import subject_of_agreement
from shared.billing.planning.invoiced import is_watched, why_in_doubt, why_other_currency
from shared.billing.planning.situation import Doubt, Situation
from shared.billing.profiles import Basis, BillingProfile, Dated, QuantityRule
from shared.billing.users import groups_not_told
from shared.billing.wording import number, spoken


def measured(item: BillItem, profile: BillingProfile) -> Decimal:
    """The quantity to bill. Raises `Doubt` where the vendor contradicts itself or does not tell."""
    if item.licence is not None and item.licence.quantity is not None:
        return item.licence.quantity
    for count in item.told:
        difference = _difference(item, count, profile.quantity)
        if difference is not None:
            raise Doubt(
                FindingKind.CONTROL_TOTAL,
                _about(item.id, item, count),
                f"{count.name}: {difference}; nothing is changed.",
                "Wait a night; if it stays, compare the numbers in the vendor's portal.",
            )
        if mixed := _trials_among_some(item, count, profile.quantity):
            raise Doubt(
                FindingKind.READ_FAILED,
                _about(item.id, item, count),
                f"{count.name}: {mixed}; nothing is changed.",
                "Buy licences for all users, take them from some, or bill all users by include_trials.",
            )
    quantity = quantity_of(item.counts, profile.quantity)
    if quantity is None:
        raise Doubt(
            FindingKind.READ_FAILED,
            item.id,
            f"{item.name}: {_not_told(item, profile.quantity)}.",
            _UNTOLD_REMEDY[bool(_groups_not_told(item, profile.quantity))],
        )
    return quantity


def measures_of(items: Iterable[BillItem]) -> dict[str, Decimal | Finding]:
    """The quantity to bill of each item, or the doubt about it, by id; none of those that are unknown or not billed."""
    found: dict[str, Decimal | Finding] = {}
    for item in items:
        if item.profile is not None and item.unknown is None:
            try:
                found[item.id] = measured(item, item.profile)
            except Doubt as doubt:
                found[item.id] = doubt.finding
    return found


def _difference(item: BillItem, count: Count, rule: QuantityRule) -> str | None:
    """How the vendor contradicts itself about the numbers that are billed, in words; None when it does not."""
    if not rule.bills_users:
        return control_difference(count)
    difference = holders_difference(count) if item.counts_holders else None
    return difference or (control_difference(count) if users_limit(count, rule) is not None else None)


def _trials_among_some(item: BillItem, count: Count, rule: QuantityRule) -> str | None:
    """Why nobody knows how many of some users hold a licence that is paid for, in words; None where it is known."""
    limit = users_limit(count, rule)
    users = count.assigned if item.is_of_some_users else None
    if not limit or users is None or users <= limit:
        return None
    return (
        f"{number(users)} users hold it, {number(limit)} licences are paid for and the others are trials, and nothing "
        "tells how many of the users who are counted here hold a trial"
    )


def _about(item_id: str, item: BillItem, count: Count) -> str:
    """The key of a finding about one of the counts that feed an item."""
    return f"{item_id}/{count.customer}" + (f"/{canonical(count.sku)}" if item.combines else "")


#: What to do about a number that was not told, and about groups whose members were not.
_UNTOLD_REMEDY = {
    False: "Bill this item by something that its source tells.",
    True: "Check that the customer has exactly one group of that id or name, that its members are not hidden, and that "
    "TrueUp may read them; or correct the filter of users.",
}


def _groups_not_told(item: BillItem, rule: QuantityRule) -> list[str]:
    """The groups that filters of an item name and whose members its source did not tell, each once."""
    found: dict[str, None] = {}
    for feed in item.feeds:
        named = [group for users in (*feed.users, rule.users) for group in users.groups]
        holders = [holder for count in item.told if _feeds(count, feed) for holder in count.holders or ()]
        found |= dict.fromkeys(group for holder in holders[:1] for group in groups_not_told(holder, named))
    return list(found)


def _feeds(count: Count, feed: Feed) -> bool:
    return (count.source, canonical(count.customer), canonical(count.sku)) == feed.count


def _not_told(item: BillItem, rule: QuantityRule) -> str:
    if groups := _groups_not_told(item, rule):
        return f"its source does not tell who is in group {', '.join(groups)}, by which users are told apart"
    if item.counts_holders:
        return "its source does not tell who holds it, or not what the filter of users asks for"
    if rule.leaves_out_subscriptions:
        return "its source lists no single subscriptions, or does not tell how many are assigned"
    return "its source does not tell how many are assigned"


def dated_by_vendor(item: BillItem, profile: BillingProfile) -> tuple[tuple[date, Decimal], ...]:
    """The vendor's own days of change and the quantity to bill from each on; none for a fixed quantity, nor where the
    profile charges changes from the day of the count on. What came before the item is billed comes on its first day.
    """
    if profile.proration.dated is Dated.COUNT or (item.licence is not None and item.licence.quantity is not None):
        return ()
    dated = dated_quantities(item.counts, profile.quantity)
    if not dated:
        return ()
    start = item.not_before or date.min
    return tuple({max(day, start): then for day, then in dated}.items())


def unassigned(item: BillItem) -> tuple[Finding, ...]:
    """Licences that are paid for and assigned to nobody; of all subscriptions together."""
    if item.profile is None or item.profile.quantity.basis is not Basis.PURCHASED:
        return ()
    return tuple(
        Finding(
            FindingKind.UNASSIGNED,
            _about(item.whole_id, item, count),
            f"{count.name}: {number(bought - count.assigned)} of {number(bought)} licences are assigned to nobody.",
            "Tell the customer, or reduce the subscription at its next renewal.",
        )
        for count in item.told
        if count.assigned is not None
        and (bought := purchased(count, item.profile.quantity)) is not None
        and bought > count.assigned
    )


def foreign(item: BillItem) -> tuple[Finding, ...]:
    """Licences that another partner sold, where the profile bills what was bought and leaves them out."""
    if item.profile is None or item.profile.quantity.bills_users:
        return ()
    rule = item.profile.quantity
    found: list[Finding] = []
    for count in item.told:
        if not any(one.owned is False for one in count.subscriptions or ()):
            continue
        bought, with_foreign = purchased(count, rule), purchased(count, replace(rule, include_foreign=True))
        if bought is None or with_foreign is None or bought == with_foreign:
            continue
        text = (
            f"{count.name}: {number(with_foreign - bought)} of the licences bought are another partner's; not billed."
        )
        remedy = (
            "If the customer pays you for them, say include_foreign: true in the profile; if never, name their "
            "subscriptions under without_subscriptions."
        )
        found.append(Finding(FindingKind.FOREIGN, _about(item.whole_id, item, count), text, remedy))
    return tuple(found)


#: What to do about a line of which nothing is known: its customers were read and did not tell, or it has none.
_UNKNOWN_REMEDY = {
    True: "Look at the vendor whether the customer still has it and our key may see it; else say that the item is not "
    "billed, or end the line by hand.",
    False: "Link the company to its customer again; or say removed: true at the link, and the line ends.",
}


def unknown(item: BillItem, situation: Situation) -> tuple[Finding, ...]:
    """Why nothing is known of an item, where no failed reading says so already."""
    if item.billing_unknown:
        told = f"{item.name}: nothing is changed, because {item.unknown}."
        return (Finding(FindingKind.SETTINGS, item.id, told, "Correct the rules and import them again."),)
    if item.read_failed or not any(line.addition.is_open(situation.as_of) for line in situation.owned[item.id].lines):
        return ()
    return (
        Finding(
            FindingKind.UNMAPPED,
            f"link/{item.id}",
            f"{item.name}: our line stands, but {item.unknown}; it is left alone.",
            _UNKNOWN_REMEDY[bool(item.feeds)],
        ),
    )


def orphans(ledger: Iterable[LedgerRow], situation: Situation) -> list[Finding]:
    """Lines of ours that stand while no rule mentions their bill item any more."""
    standing = {}
    for row in ledger:
        if row.key.is_standing and canonical(row.key.bill_item) not in situation.owned:
            line = situation.additions.get(row.key.agreement, row.addition_id)
            if line is not None and line.is_open(situation.as_of):
                standing[row.key.bill_item] = row.product
    return [
        Finding(
            FindingKind.UNMAPPED,
            f"line/{bill_item}",
            f"A line of {product} stands for {bill_item}, but no rule mentions it any more; the line is left alone.",
            f"Map {bill_item} again for company {situation.company.company}, say that it is not billed, or end the "
            "line by hand.",
        )
        for bill_item, product in standing.items()
    ]


def jumped(agreement: Agreement, calendar: BillingCalendar, situation: Situation) -> Finding | None:
    """An agreement with lines of ours whose invoices have jumped, so that nobody knows what they took."""
    if agreement.id not in situation.billed_agreements or not is_watched(situation.company, agreement.id):
        return None
    odd = why_in_doubt(calendar, situation.invoiced.get(agreement.id), situation.guards.invoiced_at_once)
    if odd is None:
        return None
    return Finding(
        FindingKind.PERIOD_MOVED,
        f"agreement/{agreement.id}",
        f"Nothing is written on agreement {agreement.id} ({agreement.name}), because {odd}.",
        "Compare its last invoices with its lines, then name the last invoiced day under billed_through of this "
        "company; take that out again when the next night is over.",
    )


def in_other_currency(agreement: Agreement, situation: Situation) -> Finding | None:
    """An agreement with lines of ours whose prices were meant in another currency."""
    if agreement.id not in situation.billed_agreements:
        return None
    seen = situation.invoiced.get(agreement.id)
    odd = why_other_currency(agreement, seen, situation.company, situation.choices)
    if odd is None:
        return None
    return Finding(
        FindingKind.CURRENCY,
        subject_of_agreement(agreement.id),
        f"Nothing is written on agreement {agreement.id} ({agreement.name}), because {odd}.",
        "Look at the prices of its lines, and at those that profiles and licence links name for them; then confirm the "
        "currency with the choice confirm about this finding.",
    )


def on_agreements(situation: Situation) -> list[Finding]:
    """What a person should know of the active agreements that lines of ours stand on, whatever is counted."""
    found: list[Finding | None] = []
    for agreement in situation.agreements.values():
        if agreement.agreement_status != "Active":
            continue
        found += [_ends_soon(agreement, situation), in_other_currency(agreement, situation)]
        calendar = situation.calendars[agreement.id]
        if not isinstance(calendar, Unsupported):
            found.append(jumped(agreement, calendar, situation))
    return [finding for finding in found if finding is not None]


def _ends_soon(agreement: Agreement, situation: Situation) -> Finding | None:
    """An agreement that is about to end, with lines of ours that bill on it until then."""
    if agreement.end_date is None or (agreement.end_date - situation.as_of).days > situation.guards.ends_within_days:
        return None
    lines = [
        line
        for own in situation.owned.values()
        for line in own.standing_lines
        if line.key.agreement == agreement.id
        and line.addition.quantity > 0
        and line.addition.is_open(agreement.end_date)
    ]
    if not lines:
        return None
    return Finding(
        FindingKind.AGREEMENT_NOT_ACTIVE,
        f"agreement/{agreement.id}/ends",
        f"Agreement {agreement.id} ({agreement.name}) ends on {spoken(agreement.end_date)}; "
        f"{len(lines)} line(s) of ours are not billed after that day.",
        "Renew the agreement in Manage, or name another one in licence links of this company.",
    )


def billed_for_nothing(item: BillItem, profile: BillingProfile, situation: Situation) -> tuple[Finding, ...]:
    """A line that is not ours and bills a product of which nothing is counted: a person must look."""
    if profile.product.casefold() in situation.contested or profile.product.casefold() in situation.counted:
        return ()
    lines = situation.open_lines([profile.product], situation.as_of)
    return tuple(
        Finding(
            FindingKind.CANDIDATES,
            f"{item.id}/{line.id}",
            f"{item.name}: addition {line.id} bills {number(line.quantity)} × {line.product}, but nothing is counted.",
            "End the line in Manage if the customer does not have it any more.",
        )
        for line in lines
        if line.quantity > 0
    )
