"""Bill items: one policy or licence link applied to a company. Each becomes a line, or a reason why not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from shared.billing.counts import Count, ReadFailure, Reading
from shared.billing.findings import Finding, FindingKind
from shared.billing.lines import canonical
from shared.billing.rules import BillingProfile, CompanyRules, LicenceLink, PriceKind, PriceRule, Rules
from shared.billing.wording import number


@dataclass(frozen=True, slots=True)
class BillItem:
    """What is billed to a company as one line.

    `profile` None means *do not bill*. `counts` are tonight's counts (none inside the scope of complete readings means
    zero). `unknown` says why tonight's quantity or the way to bill it (`billing_unknown`) is not known; the lines of
    such an item are frozen.
    """

    id: str
    source: str
    sku: str
    name: str
    profile: BillingProfile | None
    counts: tuple[Count, ...]
    licence: LicenceLink | None = None
    unknown: str | None = None
    billing_unknown: bool = False

    @property
    def not_before(self) -> date | None:
        """The day from which the company's own choice lets it be billed."""
        if self.licence is None:
            return None
        days = [day for day in (self.licence.start, self.licence.do_not_bill_until) if day is not None]
        return max(days, default=None)

    @property
    def price_rule(self) -> PriceRule:
        """The rule that holds for its price: the licence link's own price before the profile's."""
        rule = self.profile.price if self.profile is not None else PriceRule()
        if self.licence is not None and self.licence.price is not None:
            return PriceRule(PriceKind.CUSTOM, self.licence.price, write_cost=rule.write_cost)
        return rule


def item_id(source: str, sku: str, customer: str | None = None) -> str:
    """The bill item's id: made of what is billed, never of names, so that it survives renaming.

    A licence link that overrides a policy has the policy's id, so that the line stays the same line.
    """
    return "/".join(canonical(part) for part in (source, customer, sku) if part)


@dataclass(frozen=True, slots=True)
class _Readings:
    """Tonight's readings of one company, by source and customer."""

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

    def of(self, source: str, customer: str | None, without: Iterable[str]) -> list[Reading | ReadFailure]:
        left_out = {canonical(name) for name in without}
        return [
            reading
            for (named, whose), reading in sorted(self.by_customer.items(), key=lambda entry: entry[0])
            if named == source and whose not in left_out and (customer is None or whose == canonical(customer))
        ]


def bill_items(
    rules: Rules, company: CompanyRules, readings: Iterable[Reading | ReadFailure]
) -> tuple[list[BillItem], list[Finding]]:
    """Every bill item of a company in a fixed order, and the findings of what is seen but not mapped.

    Policies of SKUs that the customer does not have are items of quantity zero: their lines end, and after the loss of
    the store their stamps are still known.
    """
    tonight = _Readings.of_tonight(readings)
    items: dict[str, BillItem] = {}
    for licence in company.licences:
        item = _item_of_licence(rules, company, licence, tonight)
        items[item.id] = item
    sources = {link.source for link in company.links}
    for policy in rules.policies:
        own_id = item_id(policy.source, policy.sku)
        if policy.source in sources and own_id not in items:
            billing = Billing.by(rules, policy.profile)
            items[own_id] = _item(own_id, policy.source, policy.sku, billing, None, company, tonight)
    return sorted(items.values(), key=lambda item: item.id), _unmapped(items, tonight)


@dataclass(frozen=True, slots=True)
class Billing:
    """How an item is billed: by a profile, not at all (None), or not known because the rules are not whole."""

    profile: BillingProfile | None = None
    unknown: str | None = None

    @classmethod
    def by(cls, rules: Rules, profile: str | None) -> Billing:
        """A policy's or link's profile; None there means *do not bill*. One that does not exist decides nothing."""
        if profile is not None and profile not in rules.profiles:
            return cls(unknown=f"the rules name a profile {profile} that they do not hold")
        return cls(rules.profiles[profile] if profile is not None else None)


def _item_of_licence(rules: Rules, company: CompanyRules, licence: LicenceLink, tonight: _Readings) -> BillItem:
    policy = rules.policy_for(licence.source, licence.sku)
    if licence.do_not_bill:
        billing = Billing()
    elif licence.profile is not None:
        billing = Billing.by(rules, licence.profile)
    elif policy is not None:
        billing = Billing.by(rules, policy.profile)
    else:
        billing = Billing(unknown="neither its licence link nor a policy names a profile")
    own_id = item_id(licence.source, licence.sku, licence.customer)
    return _item(own_id, licence.source, licence.sku, billing, licence, company, tonight)


def _item(
    own_id: str,
    source: str,
    sku: str,
    billing: Billing,
    licence: LicenceLink | None,
    company: CompanyRules,
    tonight: _Readings,
) -> BillItem:
    customer = licence.customer if licence is not None else None
    narrowed = [] if customer is not None else _customers_apart(company, source, sku)
    readings = tonight.of(source, customer, narrowed)
    wanted = canonical(sku)
    found = [tonight.by_sku.get((reading.source, canonical(reading.customer), wanted)) for reading in readings]
    counts = [count for count in found if count is not None]
    name = counts[0].name if counts else (billing.profile.name if billing.profile is not None else sku)
    unknown = billing.unknown or _unknown(readings, sku)
    rules_unknown = billing.unknown is not None
    return BillItem(own_id, source, sku, name, billing.profile, tuple(counts), licence, unknown, rules_unknown)


def _customers_apart(company: CompanyRules, source: str, sku: str) -> list[str]:
    """Customers whose count of this SKU feeds an item of their own."""
    return [
        licence.customer
        for licence in company.licences
        if licence.customer is not None and item_id(licence.source, licence.sku) == item_id(source, sku)
    ]


def _unknown(readings: list[Reading | ReadFailure], sku: str) -> str | None:
    """Why the quantity is not known: one unknown input makes the whole item unknown."""
    if not readings:
        return "no customer of this source is linked to the company any more"
    for reading in readings:
        if isinstance(reading, ReadFailure):
            return f"{reading.source} could not be read"
        if not reading.scope.covers(sku):
            return f"{reading.source} did not tell about this SKU"
    return None


def _unmapped(items: Mapping[str, BillItem], tonight: _Readings) -> list[Finding]:
    """What is counted without a rule that says how to bill it."""
    covered = {(item.source, canonical(item.sku)) for item in items.values()}
    return [
        Finding(
            FindingKind.UNMAPPED,
            f"{reading.source}/{canonical(reading.customer)}/{canonical(count.sku)}",
            f"{count.name}: {number(count.purchased)} bought, but no policy or licence link says how to bill it.",
            "Map this SKU to a billing profile, or say that it is not billed.",
        )
        for reading in tonight.by_customer.values()
        if isinstance(reading, Reading)
        for count in reading.counts
        if (count.source, canonical(count.sku)) not in covered and not count.free and _is_bought(count)
    ]


def _is_bought(count: Count) -> bool:
    paid = count.subscriptions is None or any(not item.trial for item in count.subscriptions)
    return paid and (count.purchased > 0 or count.grace > 0)
