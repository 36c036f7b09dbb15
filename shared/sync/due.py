"""Companies of which Manage told a change: however often it does, each is looked at once, a minute later, in a run."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from math import ceil

from shared.clock import business_date
from shared.errors import TrueUpError
from shared.state.due import DueCompany
from shared.sync.lanes import start_run
from shared.sync.ports import Ports

log = logging.getLogger(__name__)

#: The kind of the runs over companies that are due.
KIND = "callback"


def make_due(ports: Ports, company: int) -> None:
    """Has a company looked at soon. Nothing is lost once this has returned."""
    at = ports.clock.now() + ports.limits.due_delay
    ports.due.add(company, at)
    _call(ports, at)


@contextmanager
def looked_at_after_a_death(ports: Ports, company: int) -> Iterator[None]:
    """Inside, what a person decided is carried out. Should the worker die, the watchdog has the company looked at.

    Also where it fails: what was decided may be stored already.
    """
    at = ports.clock.now() + timedelta(seconds=ports.limits.lease) + ports.limits.due_delay
    added = ports.due.add(company, at)
    yield
    if added is not None:
        ports.due.done([added])


def called(ports: Ports) -> None:
    """Works on the message that `make_due` sent."""
    ports.due.arrived()
    look(ports)


def look(ports: Ports) -> str | None:
    """Starts a run over the companies that are due, unless one is under way, and answers its id.

    The watchdog asks too: a message that was lost only costs time. A crash between the run and the removal of what it
    took up makes the same run again, which is none.
    """
    due = ports.due.all()
    now = ports.clock.now()
    ripe = [company for company in due if company.at <= now]
    later = [company.at for company in due if company.at > now]
    run = None
    if ripe and not _is_under_way(ports):
        run = _run_id(ports, ripe)
        start_run(ports, run, KIND, [company.company for company in ripe])
        ports.due.done(ripe)
    if later:
        _call(ports, min(later))
    return run


def _is_under_way(ports: Ports) -> bool:
    """One such run at a time: the lanes of several would add up."""
    return any(header.kind == KIND for header in ports.runs.open_headers())


def _run_id(ports: Ports, ripe: Sequence[DueCompany]) -> str:
    """The same for the same companies due at the same times."""
    told = " ".join(f"{company.company}@{company.at.isoformat()}" for company in ripe)
    return f"{business_date(ports.clock).isoformat()}-{KIND}-{hashlib.sha256(told.encode()).hexdigest()[:8]}"


def _call(ports: Ports, at: datetime) -> None:
    """Sends the one message that has the due companies looked at, unless it is on its way."""
    now = ports.clock.now()
    try:
        if ports.due.announce(at, lost_before=now - timedelta(seconds=ports.limits.lease)):
            ports.queue.send_due(delay=max(ceil((at - now).total_seconds()), 0))
    except TrueUpError as error:
        log.warning("no message for the companies that are due, so they wait for the watchdog: %s", error)
