"""Readings between the nights: what is billed in arrears counts them all, the highest or the last.

They are made of the sources that a schedule names and kept as they are; the next sync of a company takes those since
its last one into its seat records. A reading that was missed leaves nothing wrong: the others count.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta

from shared.billing.counts import Moment, ReadFailure, Reading
from shared.billing.lines import canonical, is_usage
from shared.billing.rules import CompanyRules, Rules
from shared.billing.seats import SeatRecord
from shared.errors import TrueUpError
from shared.sources.protocol import FleetSource, Source
from shared.sync.fleets import read_fleet
from shared.sync.ports import Ports

log = logging.getLogger(__name__)

#: So long readings are kept for a company that cannot be synced meanwhile.
KEPT = timedelta(days=45)
#: No local day begins earlier than this before its UTC one.
_ZONES = timedelta(hours=14)
#: Begins what is told of a job that did not do all its work.
_FAILED = "failed:"


def read_between(ports: Ports, sources: Iterable[str]) -> str:
    """Reads these sources for the customers of all linked companies, and keeps what they say with its time.

    Manage is neither read nor written. Answers in words what was read.
    """
    at = ports.clock.business_now()
    wanted: dict[str, set[str]] = {}
    for company in ports.companies.all():
        for link in company.links:
            wanted.setdefault(link.source, set()).add(canonical(link.customer))
    told = [_read(ports, name, wanted.get(name, set()), at) for name in sources]
    return "; ".join(sorted(told, key=lambda each: not each.startswith(_FAILED)))


def _read(ports: Ports, name: str, customers: Collection[str], at: datetime) -> str:
    source = ports.sources.get(name)
    if source is None:
        return f"{_FAILED} {name} is not connected"
    try:
        readings = _readings(ports, source, customers, at.date())
        ports.readings.add(name, readings, at)
    except TrueUpError as error:
        log.warning("%s could not be read between the nights: %s", name, error)
        return f"{_FAILED} {name} could not be read: {error}"
    return f"{name}: {len(readings)} of {len(customers)} customers"


def _readings(ports: Ports, source: Source, customers: Collection[str], day: date) -> list[Reading]:
    if not customers:
        return []
    found: Mapping[str, Reading | ReadFailure]
    if isinstance(source, FleetSource):
        found = read_fleet(ports, source, day)
    else:
        found = {customer: source.read(customer, day) for customer in sorted(customers)}
    return [each for each in found.values() if isinstance(each, Reading) and canonical(each.customer) in customers]


def moments_since(
    ports: Ports, company: CompanyRules, seats: Mapping[str, SeatRecord], rules: Rules, as_of: date
) -> tuple[Moment, ...]:
    """What was read of a company since its usage was last taken, oldest first; nothing where it has no usage yet."""
    sources = _read_between(rules)
    links = [link for link in company.linked if link.source in sources]
    seen = [record.seen for line, record in seats.items() if is_usage(line) and record.seen is not None]
    lately = [day for day in seen if day >= as_of - KEPT]
    if not links or not lately:
        return ()
    first = datetime.combine(min(lately), time(), UTC) - _ZONES
    by_moment: dict[datetime, list[Reading]] = {}
    for link in links:
        for stored in ports.readings.since(link.source, link.customer, first):
            by_moment.setdefault(stored.at, []).append(stored.reading)
    return tuple(Moment(at, found[0].day, tuple(found)) for at, found in sorted(by_moment.items()))


def forget_moments(ports: Ports, company: int, rules: Rules) -> None:
    """Lets go of what was read of a company's customers so long ago that nobody takes it any more."""
    sources = _read_between(rules)
    row = ports.companies.get(company) if sources else None
    before = ports.clock.business_now() - KEPT - timedelta(days=1)
    for link in row.links if row is not None else ():
        if link.source in sources:
            ports.readings.forget(link.source, link.customer, before)


def _read_between(rules: Rules) -> frozenset[str]:
    """The sources that some schedule reads between the nights."""
    return frozenset(name for schedule in rules.schedules for name in schedule.sources)
