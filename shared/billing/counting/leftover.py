"""Users whom the rules leave over where they divide those of a customer between several lines or companies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from shared.billing.counting.feeds import ItemRule, item_rules
from shared.billing.counts import AccountKind, Count
from shared.billing.findings import Finding, FindingKind
from shared.billing.lines import canonical
from shared.billing.rules import CompanyRules, Rules
from shared.billing.users import Users, taken_by_all

#: The filters of users with which one bill item of a company takes a count, and the kinds of account it leaves out.
_Taker = tuple[int, tuple[Users, ...], frozenset[AccountKind]]


def left_over(
    rules: Rules,
    company: CompanyRules,
    own: Sequence[ItemRule],
    sharing: Iterable[CompanyRules],
    counts: Mapping[tuple[str, str, str], Count],
) -> list[Finding]:
    """A finding for every count some of whose users nobody takes; of companies that share it the first one tells.

    What no part of it can tell, because its source does not, has findings of its own.
    """
    if not any(feed.users for rule in own for feed in rule.feeds):
        return []
    takers: dict[tuple[str, str, str], list[_Taker]] = {}
    _add(takers, company.company, own)
    for other in sharing:
        _add(takers, other.company, item_rules(rules, other))
    found: list[Finding] = []
    for key, count in counts.items():
        left = _nobodys(count, takers.get(key, []), company)
        if left:
            found.append(
                Finding(
                    FindingKind.UNMAPPED,
                    "/".join((*key, "users")),
                    f"{count.name}: {left} of {len(count.holders or ())} users who hold it are counted by no line, "
                    "because the rules divide the users and no part takes these.",
                    "Give a link or licence link with a filter of users to them as well, or one that says that they "
                    "are not billed.",
                )
            )
    return found


def _add(takers: dict[tuple[str, str, str], list[_Taker]], company: int, rules: Iterable[ItemRule]) -> None:
    for rule in rules:
        counted = rule.profile.quantity.filters if rule.profile is not None else ()
        for feed in rule.feeds:
            left_out = frozenset(kind for users in (*feed.users, *counted) for kind in users.without.accounts)
            takers.setdefault(feed.count, []).append((company, feed.users, left_out))


def _nobodys(count: Count, takers: list[_Taker], company: CompanyRules) -> int:
    """How many users nobody takes of those that are divided here; 0 where it cannot be told, or another tells it.

    A kind of account that everybody leaves out is left out on purpose.
    """
    companies = {number for number, _, _ in takers}
    if min(companies, default=None) != company.company or not all(filters for _, filters, _ in takers):
        return 0
    divided = count.holders
    if len(companies) == 1:  # whom its link leaves out the company does not take at all
        divided = taken_by_all(divided, _of_link(count, company))
    parts = [taken_by_all(divided, filters) for _, filters, _ in takers]
    if divided is None or any(part is None for part in parts):
        return 0
    unwanted = frozenset.intersection(*(left_out for _, _, left_out in takers))
    wanted = {holder.id for holder in divided if unwanted.isdisjoint(holder.accounts)}
    return len(wanted - {holder.id for part in parts for holder in part or ()})


def _of_link(count: Count, company: CompanyRules) -> list[Users]:
    named = (count.source, canonical(count.customer))
    return [link.users for link in company.linked if (link.source, canonical(link.customer)) == named]
