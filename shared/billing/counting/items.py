"""Bill items: what the rules make of tonight's counts. Each becomes a line, or a reason why not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from shared.billing.counting.feeds import Feed, ItemRule, counted_twice, item_rules, subscription_id
from shared.billing.counting.leftover import left_over
from shared.billing.counting.narrowing import held_by_some, of_subscription
from shared.billing.counts import Count, ReadFailure, Reading, Subscription
from shared.billing.findings import Finding, FindingKind
from shared.billing.lines import canonical
from shared.billing.profiles import BillingProfile, CountedOn, PriceKind, PriceRule
from shared.billing.rules import CompanyRules, LicenceLink, Rules
from shared.billing.wording import number, spoken


@dataclass(frozen=True, slots=True)
class CountDay:
    """What a bill item that is counted on certain days means tonight.

    `waits` says why nothing was counted yet that could be billed. Of a count that is taken tonight `since` is the day
    of the one before, and `was_none` whether there was nothing to bill then, nor while the company was only observed
    since; None where there was no day before.
    `all_zero`: on the day by which it is billed every count of its source was zero.
    """

    waits: str | None = None
    since: date | None = None
    was_none: bool | None = None
    all_zero: bool = False


@dataclass(frozen=True, slots=True)
class BillItem:
    """What is billed to a company as one line.

    `profile` None means *do not bill*. `told` are tonight's counts as their sources told them, `counts` what of them
    feeds this item (none inside the scope of complete readings means zero). `subscription` is the id of the only one
    that a split item bills. `unknown` says why tonight's quantity or the way to bill it (`billing_unknown`) is not
    known; the lines of such an item are frozen. `read_failed`: a reading that it needs failed, which has a finding of
    its own. `before_invoice`: it is counted on the day before its agreement's next invoice, and `count_day` says what
    that means tonight. `former` is the profile of one that is not billed, where the rules still name it.
    """

    id: str
    name: str
    profile: BillingProfile | None
    feeds: tuple[Feed, ...]
    counts: tuple[Count, ...] = ()
    told: tuple[Count, ...] = ()
    licence: LicenceLink | None = None
    subscription: str | None = None
    unknown: str | None = None
    billing_unknown: bool = False
    read_failed: bool = False
    before_invoice: bool = False
    count_day: CountDay | None = None
    former: BillingProfile | None = None

    @property
    def is_part(self) -> bool:
        """Whether it is that of a single subscription, which may be gone."""
        return self.profile is not None and self.profile.split

    @property
    def whole_id(self) -> str:
        """The id of the item that a split one is a part of, else its own."""
        return self.id.rpartition(subscription_id(""))[0] or self.id if self.is_part else self.id

    @property
    def combines(self) -> bool:
        """Whether several SKUs feed it."""
        return len({(feed.source, feed.sku) for feed in self.feeds}) > 1

    @property
    def is_of_some_users(self) -> bool:
        """Whether filters beside its profile's narrow who is counted."""
        return any(feed.users for feed in self.feeds)

    @property
    def counts_holders(self) -> bool:
        """Whether how many are billed depends on who holds it."""
        return self.is_of_some_users or (self.profile is not None and self.profile.quantity.needs_holders)

    @property
    def names_holders(self) -> bool:
        """Whether the text on the invoice names who holds it."""
        return self.profile is not None and "{users}" in self.profile.invoice_text

    @property
    def sources(self) -> tuple[str, ...]:
        return tuple(sorted({feed.source for feed in self.feeds}))

    @property
    def not_before(self) -> date | None:
        """The day from which the company's own choice lets it be billed."""
        if self.licence is None:
            return None
        days = [day for day in (self.licence.start, self.licence.do_not_bill_until) if day is not None]
        return max(days, default=None)

    @property
    def own_cost(self) -> Decimal | None:
        """What the company's own choice says that a unit costs the MSP; None where it says nothing."""
        return self.licence.cost if self.licence is not None else None

    @property
    def price_rule(self) -> PriceRule:
        """The rule that holds for its price: the licence link's own price before the profile's, for any package."""
        rule = self.profile.price if self.profile is not None else PriceRule()
        own = self.licence.price if self.licence is not None else None
        if own is None:
            return rule
        if rule.kind is PriceKind.PACKAGE:
            return replace(rule, bands=tuple(replace(band, price=own) for band in rule.bands))
        return PriceRule(PriceKind.CUSTOM, own, write_cost=rule.write_cost, below_cost=rule.below_cost)


@dataclass(frozen=True, slots=True)
class _Readings:
    """Tonight's readings of one company, by source and customer, and their counts by SKU too; ids in canonical form."""

    by_customer: Mapping[tuple[str, str], Reading | ReadFailure]
    by_sku: Mapping[tuple[str, str, str], Count]

    @classmethod
    def of_tonight(cls, readings: Iterable[Reading | ReadFailure]) -> _Readings:
        by_customer = {(reading.source, canonical(reading.customer)): reading for reading in readings}
        by_sku = {
            (source, customer, canonical(count.sku)): count
            for (source, customer), reading in by_customer.items()
            if isinstance(reading, Reading)
            for count in reading.counts
        }
        return cls(by_customer, by_sku)

    def failed(self, feed: Feed) -> bool:
        return not isinstance(self.by_customer.get((feed.source, feed.customer)), Reading)

    def why_unknown(self, feed: Feed) -> str | None:
        reading = self.by_customer.get((feed.source, feed.customer))
        if not isinstance(reading, Reading):
            return f"{feed.source} could not be read"
        return None if reading.scope.covers(feed.sku) else f"{feed.source} did not tell how many there are"


def bill_items(
    rules: Rules,
    company: CompanyRules,
    readings: Iterable[Reading | ReadFailure],
    *,
    sharing: Iterable[CompanyRules] = (),
    known: Iterable[str] = (),
    at_invoices: Iterable[Reading] = (),
) -> tuple[list[BillItem], list[Finding]]:
    """Every bill item of a company in a fixed order, and the findings of what is seen but not billed.

    Policies of SKUs that the customer does not have are items of quantity zero: their lines end, and after the loss of
    the store their stamps are still known. `sharing` are other companies linked to one of the same customers: an item
    that would count somebody twice is unknown. `known` are ids of bill items that something is remembered of: a
    subscription that has vanished is one of them, and nowhere else. `at_invoices` are the readings of the vendors'
    newest invoices, which some profiles bill by.
    """
    tonight = _Readings.of_tonight(readings)
    then = _Readings.of_tonight(at_invoices)
    own, others = item_rules(rules, company), tuple(sharing)
    twice = counted_twice(company, own, others, rules)
    remembered = sorted(set(known))
    items: list[BillItem] = []
    for rule in own:
        counted_on = rules.when_counted(rule.profile) if rule.profile is not None else CountedOn.NIGHT
        items += _items(
            replace(rule, unknown=twice[rule.id]) if rule.id in twice else rule,
            then if counted_on is CountedOn.VENDOR_INVOICE else tonight,
            remembered,
            before_invoice=counted_on is CountedOn.BEFORE_INVOICE,
        )
    nobodys = left_over(rules, company, own, others, tonight.by_sku)
    return sorted(items, key=lambda item: item.id), [*_unmapped(own, tonight), *nobodys]


def at_moment(item: BillItem, readings: Iterable[Reading]) -> BillItem | None:
    """The item as it was counted when these readings were made; None where they do not tell all that feeds it."""
    then = _Readings.of_tonight(readings)
    if any(then.why_unknown(feed) is not None for feed in item.feeds):
        return None
    found = as_told(item, then.by_sku.values())
    return None if item.is_part and any(count.subscriptions is None for count in found.told) else found


def as_told(item: BillItem, told: Iterable[Count]) -> BillItem:
    """The item as these counts told of it; of a single subscription that they leave out there was nothing."""
    by_sku = {(count.source, canonical(count.customer), canonical(count.sku)): count for count in told}
    found = [(feed, count) for feed in item.feeds if (count := by_sku.get(feed.count)) is not None]
    counts = [held_by_some(count, feed.users) for feed, count in found]
    if item.is_part:
        counts = [
            of_subscription(count, single)
            for _, count in found
            for single in count.subscriptions or ()
            if item.id.endswith(subscription_id("", single.id))
        ]
    return replace(item, counts=tuple(counts), told=tuple(count for _, count in found))


def _items(rule: ItemRule, tonight: _Readings, known: Sequence[str], *, before_invoice: bool) -> list[BillItem]:
    whole = _whole(rule, tonight, before_invoice=before_invoice)
    if rule.profile is not None and not rule.profile.split:
        return [whole]
    prefix = subscription_id(rule.id)
    gone = {prefix + name[len(prefix) :].split("/", 1)[0] for name in known if name.startswith(prefix)}
    if rule.profile is not None:
        return _split(whole, gone)
    # Lines of single subscriptions end with the item that is not billed; a profile that splits no more is a person's.
    return [whole, *(replace(whole, id=name) for name in sorted(gone))]


def _whole(rule: ItemRule, tonight: _Readings, *, before_invoice: bool) -> BillItem:
    """The item as one line."""
    found = [(feed, count) for feed in rule.feeds if (count := tonight.by_sku.get(feed.count)) is not None]
    told = tuple(count for _, count in found)
    name = rule.profile.name if rule.profile is not None else rule.name
    if len({count.sku for count in told}) == 1:
        name = told[0].name
    not_read = next((why for feed in rule.feeds if (why := tonight.why_unknown(feed)) is not None), None)
    not_fed = None if rule.feeds or rule.removed else "no customer of its source is linked to the company any more"
    contradictory = _contradiction(rule, found)
    return BillItem(
        id=rule.id,
        name=name,
        profile=rule.profile,
        feeds=rule.feeds,
        counts=tuple(held_by_some(count, feed.users) for feed, count in found),
        told=told,
        licence=rule.licence,
        unknown=rule.unknown or contradictory or not_fed or not_read,
        billing_unknown=(rule.unknown or contradictory) is not None,
        read_failed=not_read is not None and any(map(tonight.failed, rule.feeds)),
        before_invoice=before_invoice,
        former=rule.former,
    )


def _contradiction(rule: ItemRule, found: Sequence[tuple[Feed, Count]]) -> str | None:
    """Why the profile cannot bill what is counted."""
    if rule.profile is None or not found:
        return None
    if not rule.profile.quantity.bills_users and any(feed.users and not count.is_nothing for feed, count in found):
        return "only some users of its customer are counted here, but its profile bills what is purchased"
    is_named = rule.licence is not None and rule.licence.quantity is not None
    if rule.profile.arrears is None and not is_named and any(count.level for _, count in found):
        return "it is a level that goes up and down, which is billed with arrears: highest (or last) in its profile"
    return None


def _split(whole: BillItem, gone: Iterable[str]) -> list[BillItem]:
    """An item for every subscription; one that is remembered and not told of any more has nothing.

    What is told of a subscription holds even where another customer's reading failed; that one has vanished, only where
    everything was read. Where there is none at all, a count day remembers that of the item as a whole.
    """
    if any(count.subscriptions is None for count in whole.told):
        why = "its profile bills every subscription as a line of its own, but its source lists none"
        whole = replace(whole, unknown=whole.unknown or why, billing_unknown=True)
    found: dict[str, list[tuple[Count, Subscription]]] = {}
    for count in whole.told:
        for subscription in count.subscriptions or ():
            found.setdefault(subscription_id(whole.id, subscription.id), []).append((count, subscription))
    items = [_of_subscription(whole, name, parts) for name, parts in found.items()]
    items += [replace(whole, id=name, counts=()) for name in gone if name not in found]
    return items if items or not (whole.billing_unknown or whole.before_invoice) else [whole]


def _of_subscription(whole: BillItem, name: str, parts: Sequence[tuple[Count, Subscription]]) -> BillItem:
    count, subscription = parts[0]
    until = subscription.renews or subscription.committed_until
    return replace(
        whole,
        id=name,
        name=count.name + (f" (term to {spoken(until)})" if until is not None else ""),
        counts=tuple(of_subscription(each, single) for each, single in parts),
        told=tuple(each for each, _ in parts),
        subscription=canonical(subscription.id),
        unknown=whole.unknown if whole.billing_unknown else None,
    )


def _unmapped(own: Iterable[ItemRule], tonight: _Readings) -> list[Finding]:
    """What is counted without a rule that says how to bill it."""
    covered = {feed.count for rule in own for feed in rule.feeds}
    return [
        Finding(
            FindingKind.UNMAPPED,
            "/".join(key),
            f"{count.name}: {number(count.purchased)} bought, but no policy or licence link says how to bill it.",
            "Map this SKU to a billing profile, or say that it is not billed.",
        )
        for key, count in tonight.by_sku.items()
        if key not in covered and not count.free and _is_bought(count)
    ]


def _is_bought(count: Count) -> bool:
    paid = count.subscriptions is None or any(not item.trial for item in count.subscriptions)
    return paid and (count.purchased > 0 or count.grace > 0)
