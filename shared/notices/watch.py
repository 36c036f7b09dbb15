"""The watch: what nobody would notice by itself becomes a finding, and is told at once.

Findings of companies that matter as much (an agreement that ends, a consent that is lost) come from their own looks.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import partial

from shared.billing.counts import Relationship
from shared.billing.findings import Finding, FindingKind
from shared.billing.lines import canonical
from shared.billing.rules import Schedule
from shared.billing.wording import spoken
from shared.clock import business_date
from shared.errors import TrueUpError
from shared.notices.ports import NoticePorts
from shared.sources.protocol import RelatedSource
from shared.state.companies import CompanyRow
from shared.state.company_state import MSP
from shared.sync.backups import missing
from shared.sync.checkup import check_connection, connections
from shared.sync.msp import settle
from shared.sync.night import when_due
from shared.sync.observe import night_of
from shared.sync.ports import Ports

log = logging.getLogger(__name__)

#: What the alerts of the settings are told of, beside everything that `watch` finds.
WATCHED = (
    FindingKind.NIGHT_MISSING,
    FindingKind.BACKUP_MISSING,
    FindingKind.QUEUE_STUCK,
    FindingKind.SECRET_ENDING,
    FindingKind.REFUSED,
    FindingKind.RELATIONSHIP_ENDING,
    FindingKind.CUSTOMER_GONE,
    FindingKind.CONSENT_LOST,
    FindingKind.POISON,
    FindingKind.NOTICE_FAILED,
    FindingKind.AGREEMENT_NOT_ACTIVE,
    FindingKind.RULES_UNFINISHED,
)

#: A night that began at its time is done so long after it: a daily one is missed 26 hours after the last.
NIGHT_DONE_AFTER = timedelta(hours=2)
#: A message that could be taken for so long has nobody who takes it.
QUEUE_MOVES_WITHIN = timedelta(hours=1)
#: So many days before its end a secret, or a relationship with a customer, is told.
TOLD_BEFORE = 30
#: Manage and every vendor are asked something small once an hour.
_HOURLY = Schedule("watch", "watch", "20 * * * *")
_NEWEST = 50
_ENDED = "/ended"
_EVERY_TICK = frozenset(
    {FindingKind.NIGHT_MISSING, FindingKind.BACKUP_MISSING, FindingKind.QUEUE_STUCK, FindingKind.SECRET_ENDING}
)


def watch(ports: NoticePorts) -> None:
    """Opens and closes the findings of the watch. Raises what the store and the queue raise."""
    found = [*_nights(ports.flows), *_backups(ports.flows), *_queue(ports.flows), *_secrets(ports)]
    settle(ports.flows, lambda key: key[0] in _EVERY_TICK, found)
    when_due(ports.flows, _HOURLY, lambda: f"{_ask_everybody(ports.flows)}, {_look_at_relationships(ports.flows)}")


def _nights(ports: Ports) -> Iterator[Finding]:
    """Each nightly schedule whose last time has no night that has ended."""
    now = ports.clock.business_now()
    for schedule in ports.rules.load().schedules:
        expected = _expected(ports, schedule, now - NIGHT_DONE_AFTER) if schedule.job == "nightly" else None
        if expected is not None and not _has_ended(ports, expected):
            yield Finding(
                FindingKind.NIGHT_MISSING,
                schedule.id,
                f"The night of {spoken(expected)} has not been finished; nothing is known of what customers use "
                "since the one before.",
                "Look at /api/runs for a run that is stuck, at the log for errors, and whether the app is running.",
            )


def _expected(ports: Ports, schedule: Schedule, by: datetime) -> date | None:
    """The day of the night that should have ended by then; None before a schedule was due for the first time."""
    from croniter import croniter

    state = ports.schedules.get(schedule.id)
    if state is None or state.next_due is None or (state.last_started is None and state.next_due > by):
        return None
    due: datetime = croniter(schedule.cron, by).get_prev(datetime)
    return due.date()


def _has_ended(ports: Ports, expected: date) -> bool:
    """Whether the night of that day, or a later one, has ended. Ids of nights sort by their day."""
    headers = ports.runs.headers(_NEWEST)
    nights = [header.id for header in headers if header.kind == "nightly" and header.ended is not None]
    return any(night >= night_of(expected) for night in nights)


def _backups(ports: Ports) -> Iterator[Finding]:
    if ports.backups is None:
        return
    now = ports.clock.now()
    told = missing(ports.backups.record.load(now), now, ports.time_zone)
    if told is not None:
        yield Finding(
            FindingKind.BACKUP_MISSING,
            "store",
            told,
            "Look whether the function backup is disabled, and at the log for its errors; it tries again every hour.",
        )


def _queue(ports: Ports) -> Iterator[Finding]:
    since = ports.queue.waiting_since()
    if since is not None and ports.clock.now() - since > QUEUE_MOVES_WITHIN:
        yield Finding(
            FindingKind.QUEUE_STUCK,
            "sync",
            f"The first message of the queue waits since {since.astimezone(UTC):%Y-%m-%d %H:%M} UTC; nobody takes it.",
            "Look whether the app is running and its function sync_worker is not disabled.",
        )


def _secrets(ports: NoticePorts) -> Iterator[Finding]:
    today = business_date(ports.flows.clock)
    for name, end in sorted(ports.secrets_end.items()):
        left = (end - today).days
        if left <= TOLD_BEFORE:
            ends = f"ends on {spoken(end)}" if left >= 0 else f"ended on {spoken(end)}"
            yield Finding(
                FindingKind.SECRET_ENDING,
                name,
                f"The secret or certificate of {name} {ends}; without it nothing of {name} can be read.",
                "Make a new one and put it into the vault; where NOTICE_SECRETS_END has its last day, set that too.",
            )


def _ask_everybody(ports: Ports) -> str:
    """Asks Manage and every source something small; who refuses us is a finding until it answers."""
    refused = []
    for connection, name in connections(ports).items():
        if connection == "storage":
            continue  # where it does not answer, this finding could not be written
        problems = check_connection(ports, connection).problems
        if problems:
            text = f"{name} does not answer us as it should: {' '.join(problems)}"
            refused.append(
                Finding(FindingKind.REFUSED, connection, text, "Correct what it says, then it closes by itself.")
            )
    settle(ports, lambda key: key[0] == FindingKind.REFUSED, refused)
    return f"{len(refused)} connections refuse us"


def _look_at_relationships(ports: Ports) -> str:
    """What lets us into a linked customer and ends soon, or has ended, is a finding.

    It closes once what lasts is told of, or the customer is not linked any more. A vendor that does not answer leaves
    everything as it was, and what is not told of any more has ended rather than healed.
    """
    linked = {
        (link.source, canonical(link.customer)): row
        for row in ports.companies.all()
        for link in row.links
        if not link.removed
    }
    latest = business_date(ports.clock) + timedelta(days=TOLD_BEFORE)
    told = 0
    for source in ports.sources.values():
        if not isinstance(source, RelatedSource):
            continue
        try:
            relationships = {canonical(each.customer): each for each in source.relationships()}
        except TrueUpError as error:
            log.info("when relationships at %s end is not known: %s", source.name, error)
            continue
        of_source = {customer: row for (name, customer), row in linked.items() if name == source.name}
        vanished = _told_of(ports, source.name) - relationships.keys()
        found = [
            finding
            for customer, row in of_source.items()
            for finding in _ends(source.name, customer, row, relationships.get(customer), latest, customer in vanished)
        ]
        settle(ports, partial(_is_relationship_of, source.name), found)
        told += len(found)
    return f"{told} relationships have ended or end soon"


def _told_of(ports: Ports, source: str) -> set[str]:
    """The customers whose relationship is a finding now."""
    findings = ports.company_state.load(MSP).findings
    told = (key[1].removeprefix(f"{source}/") for key in findings if _is_relationship_of(source, key))
    return {customer.removesuffix(_ENDED) for customer in told}


def _is_relationship_of(source: str, key: tuple[str, str]) -> bool:
    return key[0] == FindingKind.RELATIONSHIP_ENDING and key[1].startswith(f"{source}/")


def _ends(
    source: str, customer: str, company: CompanyRow, known: Relationship | None, latest: date, vanished: bool
) -> Iterator[Finding]:
    """One that has ended has a key of its own: it is told at once, although it was told that it would end."""
    whose = f"{known.name if known is not None else f'customer {customer}'} at {source}"
    if vanished or (known is not None and known.over):
        yield Finding(
            FindingKind.RELATIONSHIP_ENDING,
            f"{source}/{customer}{_ENDED}",
            f"The relationship with {whose} has ended; {company.name} (company {company.id}) may not be readable any "
            "more.",
            "Have the customer approve a new relationship, or say removed: true at the link if it has left.",
        )
    elif known is not None and known.ends is not None and known.ends <= latest:
        yield Finding(
            FindingKind.RELATIONSHIP_ENDING,
            f"{source}/{customer}",
            f"The relationship with {whose} ends on {spoken(known.ends)}; {company.name} (company {company.id}) "
            "cannot be read without it.",
            "Have the customer approve a new relationship, one that is extended by itself.",
        )
