"""Which SKU a subscription is of, by the id under which its vendor charges it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from shared.state.companies import CompanyStore
from shared.state.company_state_store import CompanyStateStore

#: So many companies' rows are read at once.
_AT_ONCE = 8


class SubscriptionSkus:
    """Made from what the last look at each company saw."""

    def __init__(self, companies: CompanyStore, company_state: CompanyStateStore) -> None:
        self._companies = companies
        self._company_state = company_state

    def of(self, source: str) -> dict[str, str]:
        """The SKU by commerce id, in lower case, of every subscription that a linked company has at a source."""
        linked = [row.id for row in self._companies.all() if any(link.source == source for link in row.links)]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            overviews = list(pool.map(self._company_state.overview, linked))
        return {
            one.commerce_id.casefold(): licence.sku
            for overview in overviews
            for licence in overview.licences
            for one in licence.bought or ()
            if licence.source == source and one.commerce_id
        }
