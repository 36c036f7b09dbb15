"""A run and its lanes: never more companies in flight than there are lanes, however many workers exist.

The run's rows are the work list. A message holds the claim of one row; when its company is done, the same transaction
that records the outcome claims the next pending row, whose message goes on the queue. A run ends because every row has
an outcome.

Three counts say how often a company was begun without an end, each where it can be seen, and at `MOST_DEATHS` each of
them gives the company up: `CompanyRow.deaths`, leases of this run that ran out because their worker died; the
deliveries of a message, how often the queue handed it out because its worker did not finish with it; `RunRow.attempts`,
claims of which nothing was heard any more, so that the watchdog gave the row a new claim and message. A company that is
put back (busy, looked at again later, or because the store did not answer) is none of these: its next message is a new
one.
`SyncMessage.tries` counts how often it was to be looked at again; after `MOST_TRIES` its last report stands.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

from shared.billing.rules import Mode
from shared.errors import Busy, Newer, Retryable, TrueUpError
from shared.queues import SyncMessage
from shared.state.records import CompanyReport, Outcome, Signature
from shared.state.rows import Changed
from shared.state.runs import RunHeader, RunRow, Stage
from shared.sync.company import Order, Synced, sync_company
from shared.sync.contacts.sync import is_of_contacts, sync_contacts
from shared.sync.fleet import close_healed, released_sources
from shared.sync.measures import measure_run
from shared.sync.outcomes import MOST_DEATHS, never_ended
from shared.sync.ports import Ports

log = logging.getLogger(__name__)

#: A company that was looked at again so often is recorded as its last report says; the next night looks again.
MOST_TRIES = 3
#: So often a message is put back while the store is away, some ten minutes; then it is parked and becomes a finding.
MOST_UNANSWERED = 20
#: The kind of the runs that a person starts.
DEMAND = "demand"


def start_run(
    ports: Ports,
    run: str,
    kind: str,
    companies: Sequence[int],
    mode: Mode | None = None,
    *,
    approved: Mapping[int, tuple[str, ...]] | None = None,
    signed: Signature | None = None,
) -> bool:
    """Makes the run and fills its lanes; False, and nothing done, when a run with this id exists.

    `approved` are the hashes of groups by company that somebody (`signed`) approved for this run to write.
    """
    header = RunHeader(
        id=run,
        kind=kind,
        mode=mode.value if mode is not None else None,
        rules_version=ports.rules.load().version,
        started=ports.clock.now(),
        signed=signed,
        released=released_sources(ports) if kind == DEMAND else (),
    )
    if not ports.runs.create(header, companies, approved):
        log.info("run %s exists already", run)
        return False
    log.info("run %s starts over %s companies", run, len(companies))
    _fill_lanes(ports, header, ports.limits.lanes)
    if not companies:
        _close(ports, run)
    return True


def work(ports: Ports, message: SyncMessage, deliveries: int) -> None:
    """Works on one message. `deliveries` is how often the queue has handed it out, this time included.

    Expected failures do not raise: they are outcomes. A message that finds its company busy puts itself back unchanged,
    and so does one that finds the store away, or its run's rows written by a newer TrueUp, whose workers are to take it
    while it replaces this one: nobody shall take that for a worker that died. Raises what the queue raises when it does
    not answer either, and the store after too long; the queue then hands the message out again.
    """
    try:
        _work(ports, message, deliveries)
    except (Retryable, Newer) as error:
        if message.unanswered >= MOST_UNANSWERED:
            raise
        log.warning("company %s of run %s is put back: %s", message.company, message.run, error)
        ports.queue.send(message.not_answered(), delay=ports.limits.busy_delay)


def _work(ports: Ports, message: SyncMessage, deliveries: int) -> None:
    row = ports.runs.row(message.run, message.company)
    if row is None or row.claim != message.claim:
        log.info("company %s of run %s is somebody else's by now", message.company, message.run)
        return
    if row.stage is Stage.DONE:
        _send_again(ports, message, row)
        return
    if _is_given_up(row, deliveries):
        _finish(ports, message, row, never_ended(message.company))
        return
    again = message.tries > 0 or message.unanswered > 0 or deliveries > 1 or row.attempts > 0
    try:
        synced = _sync(ports, message, row, again=again)
    except Busy as busy:
        log.info("%s; looking again in %s s", busy, ports.limits.busy_delay)
        _put_back(ports, message, row, ports.limits.busy_delay)
        return
    if synced.again_in is not None and message.tries < MOST_TRIES:
        _put_back(ports, message.tried_again(), row, synced.again_in)
        return
    _finish(ports, message, row, synced.report)


def watch(ports: Ports) -> None:
    """Keeps every open run going: fills, refills and closes it. Runs as often as the watchdog timer says."""
    for header in ports.runs.open_headers():
        try:
            _watch_run(ports, header)
        except TrueUpError as error:
            log.warning("run %s could not be looked after: %s", header.id, error)


def _watch_run(ports: Ports, header: RunHeader) -> None:
    now = ports.clock.now()
    silence = timedelta(seconds=ports.limits.silence)
    if not header.filled:
        if header.started < now - silence:
            ports.runs.fill(header.id)
        return
    for row in ports.runs.reclaim_stale(header.id, now - silence, _new_claim, now):
        message = _message(header, row)
        if _is_given_up(row):
            _finish(ports, message, row, never_ended(row.company))
        else:
            ports.queue.send(message)
    if header.started < now - timedelta(seconds=ports.limits.lease):  # else its starter may be about to fill them
        claimed = ports.runs.counts(header.id).get(Stage.CLAIMED, 0)
        _fill_lanes(ports, header, ports.limits.lanes - claimed)
    _close(ports, header.id)


def _fill_lanes(ports: Ports, header: RunHeader, lanes: int) -> None:
    for row in ports.runs.claim_next(header.id, ports.clock.now(), _new_claim, lanes):
        ports.queue.send(_message(header, row))


def _is_given_up(row: RunRow, deliveries: int = 1) -> bool:
    """Whether so many workers died of this company that the run goes on without it."""
    return row.attempts + deliveries - 1 >= MOST_DEATHS


def _put_back(ports: Ports, message: SyncMessage, row: RunRow, delay: int) -> None:
    """The company waits; its row says so, lest the watchdog take its claim for dead."""
    if ports.runs.keep_claim(row, ports.clock.now()):
        ports.queue.send(message, delay=delay)


def _sync(ports: Ports, message: SyncMessage, row: RunRow, *, again: bool) -> Synced:
    order = Order(message.company, message.run, message.claim, message.mode, message.rules, again=again)
    header = ports.runs.header(message.run) if row.approved else None
    if header is not None and header.signed is not None:
        order = replace(order, actor=header.signed.by, approved=row.approved, signed=header.signed)
    try:
        return sync_contacts(ports, order) if is_of_contacts(message.run) else sync_company(ports, order)
    except Busy:
        raise
    except TrueUpError as error:
        log.warning("company %s of run %s: %s", message.company, message.run, error)
        again_in = ports.limits.busy_delay if isinstance(error, Retryable) else None
        return Synced(CompanyReport(message.company, Outcome.FAILED, str(error)), again_in=again_in)


def _finish(ports: Ports, message: SyncMessage, row: RunRow, report: CompanyReport) -> None:
    try:
        following = ports.runs.finish_and_claim(row, report, ports.clock.now(), _new_claim)
    except Changed:
        log.info("company %s of run %s was finished by somebody else", message.company, message.run)
        return
    if following is not None:
        ports.queue.send(message.for_row(following.company, following.claim or ""))
    else:
        _close(ports, message.run)


def _close(ports: Ports, run: str) -> None:
    """Ends the run when every row is done, and with it what was told of sources that are sound again."""
    if ports.runs.close(run, ports.clock.now()):
        header = ports.runs.header(run)
        assert header is not None
        measure_run(header)
        close_healed(ports, header, ports.rules.load().fleet)


def _send_again(ports: Ports, message: SyncMessage, row: RunRow) -> None:
    """The worker before us recorded its outcome but may have died before it sent the next message."""
    if row.next_company is not None and row.next_claim is not None:
        ports.queue.send(message.for_row(row.next_company, row.next_claim))


def _message(header: RunHeader, row: RunRow) -> SyncMessage:
    mode = Mode(header.mode) if header.mode is not None else None
    return SyncMessage(header.id, row.company, row.claim or "", mode, header.rules_version)


def _new_claim() -> str:
    return uuid4().hex
