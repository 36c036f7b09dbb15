"""The accounts of a company's customers, asked of their directories now and kept nowhere."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from shared.billing.rules import CompanyLink
from shared.contacts.accounts import Accounts
from shared.errors import Incomplete, TrueUpError
from shared.sources.protocol import AccountSource
from shared.state.companies import CompanyRow
from shared.sync.ports import Ports

_NOBODY = Accounts(())


@dataclass(frozen=True, slots=True)
class Told:
    """The accounts of one customer of a company; `error` says why nothing is known of them."""

    company: int
    name: str
    source: str
    customer: str
    accounts: Accounts = _NOBODY
    error: TrueUpError | None = None


def links_of(ports: Ports, row: CompanyRow) -> list[CompanyLink]:
    """The company's links to customers whose vendor keeps accounts."""
    sources = {name for name, source in ports.sources.items() if isinstance(source, AccountSource)}
    return [link for link in row.links if not link.removed and link.source in sources]


def told_of(
    ports: Ports, row: CompanyRow, link: CompanyLink, *, groups: Collection[str] = (), sign_ins: bool = True
) -> Told:
    """The accounts of one customer, each with which of `groups` he or she is in.

    Of a tenant that several companies share only those who are this company's.
    """
    source = ports.sources[link.source]
    assert isinstance(source, AccountSource)
    try:
        asked = tuple(dict.fromkeys((*link.users.groups, *groups)))
        found = source.accounts(link.customer, asked, sign_ins=sign_ins).among(link.users)
        if found is None:
            raise Incomplete(
                "it is not told which of the users are this company's",
                system=link.source,
                remedy="Look at the groups that the company's link names: each must be there once, with its members.",
            )
    except TrueUpError as error:
        return Told(row.id, row.name, link.source, link.customer, error=error)
    return Told(row.id, row.name, link.source, link.customer, found)
