"""What the rules say of a company before anything is counted: its bill items, and which counts feed each of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import combinations

from shared.billing.lines import canonical
from shared.billing.profiles import BillingProfile
from shared.billing.rules import CompanyRules, LicenceLink, Rules, SkuPolicy
from shared.billing.users import Users, are_disjoint

#: Begins the id of a bill item that several SKUs feed; no source has this name.
COMBINED = "combined"
_MARKS = str.maketrans({"%": "%25", "/": "%2f", "#": "%23", "@": "%40"})


@dataclass(frozen=True, slots=True)
class Feed:
    """One SKU of one customer, ids in canonical form; of its users those whom every filter takes (none: everybody)."""

    source: str
    customer: str
    sku: str
    users: tuple[Users, ...] = ()

    @property
    def count(self) -> tuple[str, str, str]:
        """Names the count that feeds."""
        return (self.source, self.customer, self.sku)


@dataclass(frozen=True, slots=True)
class ItemRule:
    """What the rules say of one bill item. `profile` None means *do not bill*; `unknown` says why they do not say how.

    `name` is what to call it while nothing is counted and no profile bills it. `removed`: every link that could feed it
    was removed by a person. `former` is the profile of an item that is not billed, where the rules still name one.
    """

    id: str
    name: str
    profile: BillingProfile | None
    feeds: tuple[Feed, ...]
    licence: LicenceLink | None = None
    unknown: str | None = None
    removed: bool = False
    former: BillingProfile | None = None


@lru_cache(maxsize=65536)
def item_id(source: str, sku: str, customer: str | None = None, part: str | None = None) -> str:
    """The bill item's id: made of what is billed, never of names, so that it survives renaming.

    A licence link that overrides a policy has the policy's id, so that the line stays the same line. Marks inside ids
    are escaped, so that two items never have one id.
    """
    whole = "/".join(_escaped(name) for name in (source, customer, sku) if name)
    return f"{whole}#{_escaped(part)}" if part else whole


def subscription_id(item: str, subscription: str = "") -> str:
    """The id of the bill item for one subscription of a split item; without one, what all of them begin with."""
    return f"{item}/@{_escaped(subscription)}"


def item_rules(rules: Rules, company: CompanyRules) -> list[ItemRule]:
    """Every bill item that the rules make at a company, counted or not, by id.

    A licence link for a SKU takes it out of its policy, one for a single customer only that customer.
    """
    links = _Links.of(company)
    found = [_of_licence(rules, links, licence) for licence in company.licences]
    overridden = {_sku(licence) for licence in company.licences if licence.customer is None}
    sources = {link.source for link in company.links}
    combined: dict[str, list[SkuPolicy]] = {}
    for policy in rules.policies:
        if policy.source not in sources:
            continue
        profile = rules.profiles.get(policy.profile) if policy.profile is not None else None
        if profile is not None and profile.combine:
            combined.setdefault(profile.id, []).append(policy)
        elif _sku(policy) not in overridden:
            found.append(_of_policy(rules, links, policy))
    for name, policies in combined.items():
        found.append(_of_combination(rules.profiles[name], links, policies, overridden))
    by_id = {rule.id: rule for rule in found}
    return [_ended_with_links(by_id[name], company) for name in sorted(by_id)]


@dataclass(frozen=True, slots=True)
class Fed:
    """One count that a billed item of a company takes; `filters` are all that hold for its users."""

    company: int
    item: str
    feed: Feed
    filters: tuple[Users, ...]

    def is_apart_from(self, other: Fed) -> bool:
        """Whether no user can be counted by both."""
        return are_disjoint(self.filters, other.filters)


def fed_items(company: int, rules: Iterable[ItemRule]) -> list[Fed]:
    """What the billed items of a company take, in their order."""
    return [
        Fed(company, rule.id, feed, (*feed.users, *rule.profile.quantity.filters))
        for rule in rules
        if rule.profile is not None and rule.unknown is None
        for feed in rule.feeds
    ]


def clashes(fed: Iterable[Fed]) -> list[tuple[Fed, Fed]]:
    """Pairs that take the same count without filters that prove that nobody is counted twice; in the order given."""
    by_count: dict[tuple[str, str, str], list[Fed]] = {}
    for each in fed:
        by_count.setdefault(each.feed.count, []).append(each)
    return [
        (one, other)
        for entries in by_count.values()
        for one, other in combinations(entries, 2)
        if not one.is_apart_from(other)
    ]


def counted_twice(
    company: CompanyRules, own: Collection[ItemRule], sharing: Iterable[CompanyRules], rules: Rules
) -> dict[str, str]:
    """Why items of a company would count somebody twice, by id. `sharing` are companies with one of its customers."""
    others = [fed for other in sharing for fed in fed_items(other.company, item_rules(rules, other))]
    if not others and _take_each_once(own):
        return {}
    fed = [*fed_items(company.company, own), *others]
    found: dict[str, str] = {}
    for pair in clashes(fed):
        for one, rival in (pair, pair[::-1]):
            if one.company == company.company:
                whose = f" of company {rival.company}" if rival.company != one.company else ""
                found.setdefault(
                    one.item,
                    f"what it counts of {one.feed.sku} at {one.feed.source}/{one.feed.customer} feeds "
                    f"{rival.item}{whose} as well, and no filter of users proves that nobody is counted twice",
                )
    return found


def _take_each_once(rules: Iterable[ItemRule]) -> bool:
    """Whether no two items take the same count, billed or not: then nobody can be counted twice."""
    feeds = [feed.count for rule in rules for feed in rule.feeds]
    return len(set(feeds)) == len(feeds)


def _escaped(name: str) -> str:
    return canonical(name).translate(_MARKS)


def _sku(chosen: SkuPolicy | LicenceLink) -> tuple[str, str]:
    return (chosen.source, canonical(chosen.sku))


def _of_licence(rules: Rules, links: _Links, licence: LicenceLink) -> ItemRule:
    policy = rules.policy_for(licence.source, licence.sku)
    named = licence.profile if licence.profile is not None or policy is None else policy.profile
    wanted = canonical(licence.customer) if licence.customer is not None else None
    feeds = tuple(
        feed if licence.users.is_everybody else replace(feed, users=(*feed.users, licence.users))
        for feed in links.feeds(licence.source, licence.sku, apart=wanted is None)
        if wanted is None or feed.customer == wanted
    )
    profile, unknown = None, None
    if not licence.do_not_bill and licence.profile is None and policy is None:
        unknown = "neither its licence link nor a policy names a profile"
    elif not licence.do_not_bill:
        profile, unknown = _billing(rules, named)
    former = rules.profiles.get(named) if licence.do_not_bill and named is not None else None
    if licence.product is not None:
        profile, former = (each and replace(each, product=licence.product) for each in (profile, former))
    if licence.quantity is not None and profile is not None and profile.split:
        unknown = "its licence link fixes a quantity, which its profile would bill per subscription"
    item = item_id(licence.source, licence.sku, licence.customer, licence.part)
    return ItemRule(item, licence.sku, profile, feeds, licence, unknown, former=former)


def _of_policy(rules: Rules, links: _Links, policy: SkuPolicy) -> ItemRule:
    feeds = links.feeds(policy.source, policy.sku, apart=True)
    item = item_id(policy.source, policy.sku)
    profile, unknown = _billing(rules, policy.profile)
    return ItemRule(item, policy.sku, profile, feeds, unknown=unknown)


def _of_combination(
    profile: BillingProfile, links: _Links, policies: Sequence[SkuPolicy], overridden: Set[tuple[str, str]]
) -> ItemRule:
    """The SKUs of a combining profile as one item; once licence links took every one out of it, it is not billed."""
    item = item_id(COMBINED, profile.id)

    def fed(by: Iterable[SkuPolicy], *, apart: bool) -> tuple[Feed, ...]:
        feeds = [feed for policy in by for feed in links.feeds(policy.source, policy.sku, apart=apart)]
        return tuple(sorted(feeds, key=lambda feed: feed.count))

    left = fed((policy for policy in policies if _sku(policy) not in overridden), apart=True)
    if left:
        return ItemRule(item, profile.name, profile, left)
    return ItemRule(item, profile.name, None, fed(policies, apart=False), former=profile)


def _ended_with_links(rule: ItemRule, company: CompanyRules) -> ItemRule:
    """An item that nobody feeds any more because a person removed its links is not billed."""
    if rule.feeds:
        return rule
    customer = rule.licence.customer if rule.licence is not None else None
    removed = [
        link
        for link in company.links
        if link.removed
        and rule.id.startswith((f"{_escaped(link.source)}/", f"{COMBINED}/"))
        and customer in (None, link.customer)
    ]
    name = rule.profile.name if rule.profile is not None else rule.name
    if not removed:
        return rule
    former = rule.profile or rule.former
    return replace(rule, name=name, profile=None, unknown=None, removed=True, former=former)


def _billing(rules: Rules, profile: str | None) -> tuple[BillingProfile | None, str | None]:
    """A policy's or link's profile; None there means *do not bill*. One that does not exist decides nothing: why."""
    if profile is not None and profile not in rules.profiles:
        return None, f"the rules name a profile {profile} that they do not hold"
    return (rules.profiles[profile] if profile is not None else None), None


@dataclass(frozen=True, slots=True)
class _Links:
    """A company's links by source, in the order of customers, and the customers for which a SKU has its own item."""

    by_source: Mapping[str, list[tuple[str, tuple[Users, ...]]]]
    apart: Mapping[tuple[str, str], set[str]]

    @classmethod
    def of(cls, company: CompanyRules) -> _Links:
        by_source: dict[str, list[tuple[str, tuple[Users, ...]]]] = {}
        for customer, link in sorted(
            ((canonical(link.customer), link) for link in company.linked), key=lambda each: each[0]
        ):
            users = () if link.users.is_everybody else (link.users,)
            by_source.setdefault(link.source, []).append((customer, users))
        apart: dict[tuple[str, str], set[str]] = {}
        for licence in company.licences:
            if licence.customer is not None:
                apart.setdefault(_sku(licence), set()).add(canonical(licence.customer))
        return cls(by_source, apart)

    def feeds(self, source: str, sku: str, *, apart: bool) -> tuple[Feed, ...]:
        """The SKU at every customer of a source; `apart` leaves out those for which the SKU has an item of its own."""
        wanted = canonical(sku)
        own = self.apart.get((source, wanted), set()) if apart else set()
        linked = self.by_source.get(source, [])
        return tuple(Feed(source, customer, wanted, users) for customer, users in linked if customer not in own)
