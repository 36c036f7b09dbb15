"""Sources that are read for all customers at once: the night reads and stores, workers take what is fresh."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

from shared.billing.counts import ReadFailure, Reading
from shared.clock import business_date
from shared.errors import TrueUpError
from shared.sources.protocol import FleetSource, GroupSource, PreparedSource, PreparingSource, Source
from shared.sync.ports import Ports

log = logging.getLogger(__name__)

#: So long, within its day, a stored reading is taken for what the customer has; then the customer is read alone.
FRESH = timedelta(hours=2)


def read_fleets(ports: Ports) -> None:
    """Reads every fleet and stores its readings. All at once: no company is looked at before the last has answered.

    A fleet that was not read is no trouble yet: each of its customers is then read alone, and tells why not.
    """
    day = business_date(ports.clock)
    fleets = [source for source in ports.sources.values() if isinstance(source, FleetSource)]
    if fleets:
        with ThreadPoolExecutor(len(fleets)) as threads:
            list(threads.map(lambda source: _read_if_it_answers(ports, source, day), fleets))


def _read_if_it_answers(ports: Ports, source: FleetSource, day: date) -> None:
    try:
        found = read_fleet(ports, source, day)
    except TrueUpError as error:
        log.warning("the fleet of %s could not be read: %s", source.name, error)
    else:
        log.info("the fleet of %s: %s customers", source.name, len(found))


def read_fleet(ports: Ports, source: FleetSource, day: date) -> Mapping[str, Reading | ReadFailure]:
    """Reads one fleet and stores its readings as the newest. Raises a `TrueUpError` when nothing could be read."""
    at = ports.clock.business_now()
    found = source.read_fleet(day, ports.readings.of(source.name))
    ports.readings.put(source.name, [each for each in found.values() if isinstance(each, Reading)], at)
    return found


def prepare(ports: Ports) -> None:
    """Has vendors prepare what is fetched later. What is in the way now is asked for again the next night."""
    for source in ports.sources.values():
        if not isinstance(source, PreparingSource):
            continue
        try:
            source.prepare()
        except TrueUpError as error:
            log.warning("%s does not prepare what is fetched later: %s", source.name, error)


def fetch_prepared(ports: Ports) -> None:
    """Fetches what vendors prepare for us, as far as it is ready. What is in the way now is tried again later."""
    for source in ports.sources.values():
        if not isinstance(source, PreparedSource):
            continue
        try:
            source.fetch_prepared()
        except TrueUpError as error:
            log.warning("what %s prepares could not be fetched: %s", source.name, error)


def read_customer(
    ports: Ports, source: Source, customer: str, day: date, *, live: bool, groups: Collection[str] = ()
) -> Reading | ReadFailure:
    """One customer's counts: of a fleet the stored ones while they are fresh, unless they are wanted `live`.

    `groups` are those by which its users are told apart, where the source can.
    """
    if groups and isinstance(source, GroupSource):
        return source.read_with_groups(customer, day, groups)
    if not isinstance(source, FleetSource):
        return source.read(customer, day)
    stored = None if live else ports.readings.get(source.name, customer)
    now = ports.clock.business_now()
    if stored is not None and stored.reading.day == day and timedelta(0) <= now - stored.at <= FRESH:
        return stored.reading
    reading = source.read(customer, day)
    if isinstance(reading, Reading):
        ports.readings.put(source.name, [reading], now)
    return reading
