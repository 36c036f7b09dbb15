"""Which groups of users the rules name, and at which customers: a source reads the members of no others."""

from __future__ import annotations

from collections.abc import Iterable

from shared.billing.counting.feeds import item_rules
from shared.billing.lines import canonical
from shared.billing.rules import CompanyRules, Rules


def groups_named(rules: Rules, companies: Iterable[CompanyRules]) -> dict[tuple[str, str], tuple[str, ...]]:
    """The groups, as the rules write them, by source and customer (ids in canonical form) that they are asked of."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for company in companies:
        for rule in item_rules(rules, company) if _names_groups(rules, company) else ():
            own = () if rule.profile is None else rule.profile.quantity.users.groups
            for feed in rule.feeds:
                named = (*own, *(group for users in feed.users for group in users.groups))
                words = found.setdefault((feed.source, feed.customer), {})
                words |= {canonical(group): group for group in named}
    return {customer: tuple(words[key] for key in sorted(words)) for customer, words in found.items() if words}


def _names_groups(rules: Rules, company: CompanyRules) -> bool:
    """Hardly any rules do, and this is asked for every company."""
    filters = [profile.quantity.users for profile in rules.profiles.values()]
    filters += [link.users for link in company.links] + [licence.users for licence in company.licences]
    return any(users.groups for users in filters)
