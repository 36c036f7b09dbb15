"""Nobody is counted twice: the same users may not feed two companies or two lines without provably disjoint filters.

This is checked on a document that holds together otherwise: only then is it certain which counts feed what.
"""

from __future__ import annotations

from collections.abc import Mapping

from shared.billing.counting.feeds import Fed, ItemRule, clashes, fed_items, item_id, item_rules
from shared.billing.lines import canonical
from shared.billing.profiles import Basis, QuantityRule
from shared.billing.rules import CompanyRules
from shared.rules.checks import listed
from shared.rules.document import RulesDocument
from shared.rules.tree import Outline, Path
from shared.rules.values import to_values


def check_counted_once(found: Outline, document: RulesDocument) -> None:
    """Adds a problem for every place whose users another place counts as well."""
    rules, companies = to_values(document, version=0)
    items = {company.company: item_rules(rules, company) for company in companies}
    places = {company.company: _places(position, company) for position, company in enumerate(companies)}
    for company in companies:
        _check_quantities(found, items[company.company], places[company.company])
    fed = [each for company, own in items.items() for each in fed_items(company, own)]
    between: dict[tuple[Path, Path], list[str]] = {}
    for one, other in clashes(fed):
        alone = one.company != other.company
        first, second = sorted(_place(each, places, alone=alone) for each in (one, other))
        between.setdefault((first, second), []).append(one.feed.sku)
    for (first, second), skus in between.items():
        found.add(second, _twice(found, first, sorted(set(skus)), within=first[:2] == second[:2]))


def _places(position: int, company: CompanyRules) -> Mapping[str, Path]:
    """Where a company's licence links stand, by the id of their bill item, and its links, by source and customer."""
    path: Path = ("companies", position)
    licences = {
        item_id(licence.source, licence.sku, licence.customer, licence.part): (*path, "licences", at)
        for at, licence in enumerate(company.licences)
    }
    links = {_link(link.source, link.customer): (*path, "links", at) for at, link in enumerate(company.links)}
    return {**licences, **links}


def _place(fed: Fed, places: Mapping[int, Mapping[str, Path]], *, alone: bool) -> Path:
    """Between two companies their links are at odds, inside one its licence links."""
    link = _link(fed.feed.source, fed.feed.customer)
    return places[fed.company][link if alone else fed.item]


def _link(source: str, customer: str) -> str:
    return f"{source} {canonical(customer)}"


def _check_quantities(found: Outline, items: list[ItemRule], places: Mapping[str, Path]) -> None:
    for item in items:
        if item.unknown is not None:
            found.add(places[item.id], f"cannot be billed: {item.unknown}; leave one of them out")
        if item.licence is not None and item.profile is not None and _counts_nobody(item, item.profile.quantity):
            found.add(
                places[item.id],
                f"takes only accounts that profile {item.profile.id} leaves out by basis assigned-active, so nobody "
                "would be counted; name a profile with basis: assigned",
            )


def _counts_nobody(item: ItemRule, quantity: QuantityRule) -> bool:
    """Whether a link takes only kinds of account that its profile's basis leaves out."""
    filters = [users for feed in item.feeds for users in feed.users]
    return quantity.basis is Basis.ASSIGNED_ACTIVE and any(users.only.accounts for users in filters)


def _twice(found: Outline, other: Path, skus: list[str], *, within: bool) -> str:
    if within:
        return (
            f"counts the same users as {found.place(other)}; give both users whose departments, offices or domains "
            "never meet, or leave out with one (without) what the other counts (only)"
        )
    return (
        f"the customer is also linked at {found.place(other)}, and these SKUs would be billed twice: "
        f"{listed(skus)}; remove a link, give them do_not_bill: true at one of the companies, or give both links users "
        "that never meet"
    )
