"""Whose companies are whose: subscribers that are told of the companies of owners, as Manage names these."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

from shared.billing.agreements import Company
from shared.billing.findings import Finding, FindingKind
from shared.billing.rules import Schedule
from shared.billing.subscribers import Subscriber
from shared.errors import TrueUpError
from shared.sync.msp import settle
from shared.sync.night import when_due
from shared.sync.ports import Ports

log = logging.getLogger(__name__)

_HOURLY = Schedule("owners", "owners", "40 * * * *")
_PREFIX = "owner/"


def owned(ports: Ports, subscribers: Sequence[Subscriber]) -> list[Subscriber]:
    """The subscribers with the companies of their owners, by Manage's newest list, which is renewed once an hour.

    While no subscriber names an owner, Manage is not asked. An owner without companies is a finding; who is told of no
    other companies is told nothing. While there is no list, who names owners is left out. Raises what the store raises.
    """
    if not any(subscriber.owners for subscriber in subscribers):
        settle(ports, _is_about_owners, [])
        return list(subscribers)
    companies = _listed(ports)
    if companies is None:
        return [subscriber for subscriber in subscribers if not subscriber.owners]
    settle(ports, _is_about_owners, list(_unknown(subscribers, companies)))
    return [subscriber.with_owned(_companies_of(subscriber, companies)) for subscriber in subscribers]


def _listed(ports: Ports) -> Sequence[Company] | None:
    """Manage's companies; None while they could never be listed."""
    when_due(ports, _HOURLY, lambda: _list_again(ports))
    if (known := ports.directory.companies()) is not None:
        return known.companies
    try:
        _list_again(ports)
    except TrueUpError as error:
        log.warning("whose companies are whose is not known: %s", error)
        return None
    return _listed(ports)


def _list_again(ports: Ports) -> str:
    companies = ports.manage.companies()
    ports.directory.keep_companies(companies, ports.clock.business_now())
    return f"{len(companies)} companies"


def _companies_of(subscriber: Subscriber, companies: Iterable[Company]) -> list[int]:
    wanted = {_plain(owner) for owner in subscriber.owners}
    return [each.id for each in companies if not wanted.isdisjoint(map(_plain, each.owners))]


def _unknown(subscribers: Iterable[Subscriber], companies: Sequence[Company]) -> Iterable[Finding]:
    known = {_plain(owner) for company in companies for owner in company.owners}
    for subscriber in subscribers:
        for owner in subscriber.owners:
            if _plain(owner) not in known:
                yield Finding(
                    FindingKind.SETTINGS,
                    f"{_PREFIX}{subscriber.id}/{_plain(owner)}",
                    f"{subscriber.id} is told of the companies of {owner}, but no company in ConnectWise Manage has a "
                    "territory manager or territory of that name.",
                    "Correct owners under notices in the rules, or set the territory manager of the companies in "
                    "Manage.",
                )


def _is_about_owners(key: tuple[str, str]) -> bool:
    return key[0] == FindingKind.SETTINGS and key[1].startswith(_PREFIX)


def _plain(name: str) -> str:
    return " ".join(name.casefold().split())
