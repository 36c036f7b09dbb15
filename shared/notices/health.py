"""The health of customers' services: asked for once an hour, told in tickets."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

from shared.billing.findings import Finding, FindingKind
from shared.billing.lines import canonical
from shared.billing.rules import Schedule
from shared.billing.subscribers import Channel, Frequency, ServiceHealth, Subscriber
from shared.errors import NotPermitted, Retryable, TrueUpError
from shared.health import ServiceIssue
from shared.notices.issues import OpenIssues, changed_tickets, is_chosen
from shared.notices.ports import NoticePorts
from shared.notices.tickets import work_on_tickets
from shared.sources.protocol import HealthSource
from shared.state.companies import CompanyRow
from shared.state.health import KnownHealth
from shared.sync.msp import settle
from shared.sync.night import when_due

log = logging.getLogger(__name__)

_HOURLY = Schedule("service-health", "service-health", "50 * * * *")
#: One look takes no longer; whom it did not come to is asked first by the next.
LONGEST_LOOK = timedelta(minutes=10)
#: So many customers in a row that could not be asked for now: the vendor is away, not they.
MOST_IN_A_ROW = 5
#: What a customer's vendor told last counts for so long while nothing more can be read.
BELIEVED_FOR = timedelta(days=7)
#: A customer that could not be read for so long is told of.
_TOLD_AFTER = timedelta(days=1)
_KEY = "service-health"
_MOST_NAMES = 10

#: A customer by its source and id there, and the companies that it belongs to.
Customers = Mapping[tuple[str, str], list[CompanyRow]]


@dataclass
class _Look:
    """What one look has learned: what is known of customers it asked, and the issues they told of."""

    known: dict[tuple[str, str], KnownHealth] = field(default_factory=dict)
    told: dict[str, ServiceIssue] = field(default_factory=dict)


def look_at_services(ports: NoticePorts) -> None:
    """Asks every customer's vendor once an hour, where the rules want tickets of it, and works on these tickets.

    Raises what the store raises; what a vendor or Manage fails with is a finding, and the next round goes on.
    """
    rule = ports.flows.rules.load().service_health
    if rule is None:
        settle(ports.flows, _is_ours, [])
        return
    desk = Subscriber("service-health/desk", Channel.TICKET, (rule.board,), Frequency.AT_ONCE, ticket=rule.ticket)
    write_down = partial(_look_and_write_down, ports, rule, desk)
    work_on_tickets(ports, desk, rule.ticket, lambda: _told(when_due(ports.flows, _HOURLY, write_down)))


def _is_ours(key: tuple[str, str]) -> bool:
    return key[1] == _KEY


def _told(outcome: str | None) -> None:
    if outcome is not None:
        log.info("service health: %s", outcome)


def _look_and_write_down(ports: NoticePorts, rule: ServiceHealth, desk: Subscriber) -> str:
    """What should stand in tickets is written before what is known: a look that dies between the two is repeated."""
    customers, before = _customers(ports), ports.health.all()
    look = _ask(ports, rule, customers, before)
    known = {key: each for key, each in (before | look.known).items() if key in customers}
    believed = _believed(known, ports.flows.clock.now())
    heard = {row.id for key in believed for row in customers[key]}
    issues = OpenIssues(_companies_by_issue(believed, customers), look.told, heard)
    rows = ports.ticket_rows.of(desk.id)
    changed = changed_tickets(rule, desk, rows, issues, ports.flows.time_zone)
    for row in changed:
        ports.ticket_rows.save(row)
    ports.health.keep(list(look.known.values()), [each for key, each in before.items() if key not in customers])
    settle(ports.flows, _is_ours, list(_unread(ports, known, customers)))
    asked = f"{len(look.known)} of {len(customers)} customers asked"
    return f"{asked}, {len(issues.companies)} issues open, {len(changed)} tickets to bring up to date"


def _customers(ports: NoticePorts) -> Customers:
    found: dict[tuple[str, str], list[CompanyRow]] = {}
    for row in ports.flows.companies.all():
        for link in row.links:
            if not link.removed and isinstance(ports.flows.sources.get(link.source), HealthSource):
                found.setdefault((link.source, canonical(link.customer)), []).append(row)
    return found


def _ask(
    ports: NoticePorts, rule: ServiceHealth, customers: Customers, before: Mapping[tuple[str, str], KnownHealth]
) -> _Look:
    """Asks one customer after the other, first who waits for longest."""
    look, in_a_row, clock = _Look(), 0, ports.flows.clock
    ends = clock.now() + LONGEST_LOOK
    for key in sorted(customers, key=lambda each: (_asked(before.get(each)), each)):
        if in_a_row == MOST_IN_A_ROW or clock.now() >= ends:
            log.warning("service health: %s of %s customers were asked", len(look.known), len(customers))
            break
        known = replace(before.get(key) or KnownHealth(*key, clock.now()), asked=clock.now())
        try:
            chosen = [issue for issue in _open_issues(ports, *key) if is_chosen(rule, issue)]
        except TrueUpError as error:
            log.warning("service health of %s at %s: %s", key[1], key[0], error)
            in_a_row = in_a_row + 1 if isinstance(error, Retryable) else 0
            since, refused = known.failing_since or known.asked, isinstance(error, NotPermitted)
            look.known[key] = replace(known, failing_since=since, refused=refused)
            continue
        in_a_row = 0
        ids = tuple(issue.id for issue in chosen)
        look.known[key] = KnownHealth(*key, asked=known.asked, read=known.asked, issues=ids)
        look.told |= {issue.id: _newer(look.told.get(issue.id), issue) for issue in chosen}
    return look


def _asked(known: KnownHealth | None) -> str:
    return "" if known is None else known.asked.isoformat()


def _open_issues(ports: NoticePorts, source: str, customer: str) -> list[ServiceIssue]:
    vendor = ports.flows.sources[source]
    assert isinstance(vendor, HealthSource), "only such customers are asked"
    return list(vendor.open_issues(customer))


def _newer(one: ServiceIssue | None, other: ServiceIssue) -> ServiceIssue:
    """Of the same issue at two customers the one with the later news, the first where both are as new."""
    if one is None or other.news_at is None:
        return one or other
    return other if one.news_at is None or other.news_at > one.news_at else one


def _believed(known: Mapping[tuple[str, str], KnownHealth], now: datetime) -> dict[tuple[str, str], KnownHealth]:
    return {key: each for key, each in known.items() if each.read is not None and now - each.read <= BELIEVED_FOR}


def _companies_by_issue(
    believed: Mapping[tuple[str, str], KnownHealth], customers: Customers
) -> dict[str, dict[int, str]]:
    found: dict[str, dict[int, str]] = {}
    for key, each in believed.items():
        for id_ in each.issues:
            found.setdefault(id_, {}).update({row.id: row.name for row in customers[key]})
    return found


def _unread(
    ports: NoticePorts, known: Mapping[tuple[str, str], KnownHealth], customers: Customers
) -> Iterator[Finding]:
    """What nobody learns of is told once for all customers, not for each."""
    now = ports.flows.clock.now()
    refused = [key for key, each in known.items() if each.refused]
    silent = [
        key
        for key, each in known.items()
        if not each.refused and each.failing_since is not None and now - each.failing_since >= _TOLD_AFTER
    ]
    if refused:
        yield Finding(
            FindingKind.CONSENT_LOST,
            _KEY,
            f"The service health of {_names(refused, customers)} may not be read: the app lacks the application role "
            "ServiceHealth.Read.All there, or its consent.",
            "Have an administrator of each grant it, or leave service_health out of the rules.",
        )
    if silent:
        yield Finding(
            FindingKind.READ_FAILED,
            _KEY,
            f"The service health of {_names(silent, customers)} could not be read for a day.",
            "Nothing to do if it closes by itself; otherwise look at the log for what Microsoft answers.",
        )


def _names(keys: list[tuple[str, str]], customers: Customers) -> str:
    names = sorted({row.name for key in keys for row in customers[key]})
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more
