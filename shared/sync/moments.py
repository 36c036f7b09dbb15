"""Readings between the nights: what is billed in arrears counts them all, the highest or the last.

They are made of the sources that a schedule names and kept as they are; the next sync of a company takes those since
its last one into its seat records. A reading that was missed leaves nothing wrong: the others count.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta

from shared.billing.counts import Moment, ReadFailure, Reading
from shared.billing.lines import canonical, is_usage
from shared.billing.rules import CompanyLink, CompanyRules, Rules, Schedule
from shared.billing.seats import SeatRecord
from shared.errors import TrueUpError
from shared.queues import ReadMessage
from shared.sources.protocol import FleetSource, Source
from shared.sync.fleets import read_fleet
from shared.sync.ports import Ports

log = logging.getLogger(__name__)

#: After so long a worker leaves the next customers to another: the platform ends it after ten minutes.
ENOUGH = timedelta(minutes=4)
#: So long readings are kept for a company that cannot be synced meanwhile.
KEPT = timedelta(days=45)
#: No local day begins earlier than this before its UTC one.
_ZONES = timedelta(hours=14)
#: Begins what is told of a job that did not do all its work.
_FAILED = "failed:"


def begin_reading(ports: Ports, schedule: Schedule) -> None:
    """Has the sources of a schedule read for the customers of all linked companies, one after the other, by workers.

    Manage is neither read nor written. The schedule goes on until a worker says how its last source went.
    """
    state = ports.schedules.get(schedule.id)
    if state is not None and state.last_started is not None:
        at = ports.clock.business_now()
        ports.queue.send_reading(ReadMessage(schedule.id, state.last_started, at, schedule.sources))


def go_on(ports: Ports, message: ReadMessage) -> None:
    """Reads the next source, or as many of its customers as there is time for, and keeps what they say.

    A worker that is killed leaves its message on the queue; what it has read is read again and changes nothing.
    """
    if not ports.schedules.goes_on(message.schedule, message.begun, ports.clock.now()):
        log.info("a reading of schedule %s has ended, or was begun anew", message.schedule)
        return
    left = _read_next(ports, message)
    if left.left:
        ports.queue.send_reading(left)
        return
    told = "; ".join(sorted(left.told, key=lambda each: not each.startswith(_FAILED)))
    log.info("schedule %s: %s", message.schedule, told)
    ports.schedules.finish(message.schedule, told, ports.clock.now())


def _read_next(ports: Ports, message: ReadMessage) -> ReadMessage:
    """What is left after this worker's part, with what came of it in words."""
    name = message.left[0]
    source = ports.sources.get(name)
    if source is None:
        return message.after_source(f"{_FAILED} {name} is not connected")
    customers = _linked_to(ports, name)
    try:
        if isinstance(source, FleetSource):
            found = read_fleet(ports, source, message.at.date()) if customers else {}
            read, until = _kept(ports, name, found.values(), customers, message.at), None
        else:
            read, until = _read_some(ports, source, [each for each in customers if each > message.after], message.at)
    except TrueUpError as error:
        log.warning("%s could not be read between the nights: %s", name, error)
        return message.after_source(f"{_FAILED} {name} could not be read: {error}")
    if until is not None:
        return message.up_to(until, read)
    return message.after_source(f"{name}: {message.read + read} of {len(customers)} customers")


def _linked_to(ports: Ports, source: str) -> list[str]:
    """The customers of all companies at a source, in a fixed order."""
    links = [link for company in ports.companies.all() for link in company.links]
    return sorted({canonical(link.customer) for link in links if link.source == source})


def _read_some(ports: Ports, source: Source, customers: Sequence[str], at: datetime) -> tuple[int, str | None]:
    """Reads customers one after the other: how many were, and up to which one where the time was too short for all."""
    begun, found = ports.clock.now(), []
    for number, customer in enumerate(customers, 1):
        found.append(source.read(customer, at.date()))
        if number < len(customers) and ports.clock.now() - begun > ENOUGH:
            return _kept(ports, source.name, found, customers, at), customer
    return _kept(ports, source.name, found, customers, at), None


def _kept(
    ports: Ports, source: str, found: Iterable[Reading | ReadFailure], customers: Collection[str], at: datetime
) -> int:
    """Keeps what was read of these customers with its time, and says of how many."""
    wanted = [each for each in found if canonical(each.customer) in customers]
    for each in wanted:
        if isinstance(each, ReadFailure):
            why = (each.kind, each.request_id, each.reason)
            log.warning("a customer of %s was not read between the nights (%s, request %s): %s", source, *why)
    readings = [each for each in wanted if isinstance(each, Reading)]
    ports.readings.add(source, readings, at)
    return len(readings)


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


def forget_moments(ports: Ports, links: Iterable[CompanyLink], rules: Rules) -> None:
    """Lets go of what was read of linked customers so long ago that nobody takes it any more."""
    sources = _read_between(rules)
    before = ports.clock.business_now() - KEPT - timedelta(days=1)
    for link in links:
        if link.source in sources:
            ports.readings.forget(link.source, link.customer, before)


def _read_between(rules: Rules) -> frozenset[str]:
    """The sources that some schedule reads between the nights."""
    return frozenset(name for schedule in rules.schedules for name in schedule.sources)
