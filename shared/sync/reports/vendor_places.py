"""Whose the things are that a vendor tells: companies by their links, bill items by what feeds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.billing.counting.feeds import ItemRule, item_rules
from shared.billing.lines import canonical
from shared.state.companies import CompanyRow
from shared.sync.ports import Ports


@dataclass(frozen=True, slots=True)
class Places:
    """The linked companies of a source by number, the companies of each customer, and the bill items of each company.

    `feeding` is the bill item that a SKU of a customer feeds at a company; ids of customers and SKUs are canonical.
    """

    companies: Mapping[int, CompanyRow]
    owners: Mapping[str, Sequence[int]]
    items: Mapping[tuple[int, str], ItemRule]
    feeding: Mapping[tuple[int, str, str], ItemRule]

    @classmethod
    def of(cls, ports: Ports, source: str) -> Places:
        """By the rules as they are now."""
        companies = {row.id: row for row in ports.companies.all() if any(link.source == source for link in row.links)}
        owners: dict[str, list[int]] = {}
        items: dict[tuple[int, str], ItemRule] = {}
        feeding: dict[tuple[int, str, str], ItemRule] = {}
        rules = ports.rules.load()
        for number in companies:
            own = ports.companies.company_rules(number)
            for link in own.linked:
                if link.source == source:
                    owners.setdefault(canonical(link.customer), []).append(number)
            for rule in item_rules(rules, own):
                feeds = [feed for feed in rule.feeds if feed.source == source]
                if feeds:
                    items[number, rule.id] = rule
                    feeding |= {(number, feed.customer, feed.sku): rule for feed in feeds}
        return cls(companies, owners, items, feeding)

    def companies_of(self, customer: str) -> Sequence[int]:
        """Those that are linked to a customer."""
        return self.owners.get(canonical(customer), ())

    def item_of(self, company: int, customer: str, sku: str) -> ItemRule | None:
        """What a SKU of a customer feeds at a company; None where no rule names it."""
        return self.feeding.get((company, canonical(customer), canonical(sku)))


def customer_names(ports: Ports, source: str) -> dict[str, str]:
    """What the source calls its customers, by their ids, as they were last listed."""
    listed = ports.directory.customers().get(source)
    return {canonical(each.id): each.name for each in listed.customers} if listed is not None else {}
