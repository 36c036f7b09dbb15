"""The tick and its jobs: schedules in the MSP's own time zone, the night a run over linked companies."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial

from shared.billing.rules import Schedule
from shared.clock import business_date
from shared.errors import Retryable, TrueUpError
from shared.state.schedules import ScheduleState
from shared.sync import callbacks, poison
from shared.sync.catalog import settle_products
from shared.sync.contacts.sync import CONTACTS, close_unwanted, contact_run
from shared.sync.fleets import fetch_prepared, prepare, read_fleets
from shared.sync.lanes import start_run
from shared.sync.moments import begin_reading
from shared.sync.msp import notice_customers
from shared.sync.observe import night_of
from shared.sync.ports import Ports
from shared.sync.registration import keep_registered
from shared.sync.retention import prune
from shared.sync.unfinished import finish_edit
from shared.sync.vendor_invoices import take_counts

log = logging.getLogger(__name__)

#: A job only lists customers and fills a run; one of which so long nothing was heard was killed, and the next tick
#: starts it again.
LONGEST_JOB = timedelta(minutes=15)


def nightly(ports: Ports) -> str:
    """Starts a run over the linked companies, then lists each vendor's customers and notices new and vanished ones.

    What is read for all customers at once is read before, so that the run finds it; all that can wait comes after, lest
    a vendor that does not answer keep the run from starting. Beside that it tidies up: messages told long enough,
    callbacks heard long ago, our registration for them, products of which nobody knows whether they were created.

    Companies that were ever looked at stay in it: lines of ours may stand where the links are gone. The run's id is the
    business day's, so that two ticks make one run. Answers in words what it did.
    """
    finish_edit(ports)
    companies = ports.companies.all()
    read_fleets(ports)
    take_counts(ports)
    run = night_of(business_date(ports.clock))
    wanted = [company.id for company in companies if company.links or company.last_run is not None]
    started = start_run(ports, run, "nightly", wanted)
    findings = [*notice_customers(ports, companies), *keep_registered(ports)]
    poison.close_old(ports)
    settle_products(ports)
    callbacks.forget_old(ports)
    prune(ports)
    prepare(ports)
    return f"{run}: {'started' if started else 'was there already'}, {len(wanted)} companies, {len(findings)} findings"


def contacts(ports: Ports) -> str:
    """Starts the business day's run over the companies whose contacts are kept. Answers in words what it did."""
    run, wanted = contact_run(ports)
    close_unwanted(ports, wanted)
    started = start_run(ports, run, CONTACTS, wanted)
    return f"{run}: {'started' if started else 'was there already'}, {len(wanted)} companies"


#: What each job does, for the schedule that starts it; None where the queue goes on with it and says how it ends.
JOBS: Mapping[str, Callable[[Ports, Schedule], str | None]] = {
    "nightly": lambda ports, _: nightly(ports),
    "contacts": lambda ports, _: contacts(ports),
    "hourly": begin_reading,
}


def tick(ports: Ports) -> list[str]:
    """Starts every scheduled job that is due, once, then fetches what vendors prepared. Answers what each job did."""
    schedules = ports.rules.load().schedules
    told = [did for each in schedules if (did := when_due(ports, each, partial(_run, ports, each))) is not None]
    fetch_prepared(ports)
    return told


def when_due(ports: Ports, schedule: Schedule, job: Callable[[], str | None]) -> str | None:
    """Runs a job once its schedule is due, and answers in words what it did; None where it is not due.

    What fails for now is started again by the next tick, as is what was killed; what fails otherwise waits for its
    next time.
    """
    now = ports.clock.business_now()
    state = ports.schedules.get(schedule.id)
    if state is None or state.next_due is None or state.cron != schedule.cron:
        ports.schedules.arrange(schedule.id, schedule.cron, _next_due(schedule, now))
        return None
    if not _is_due(state, now, ports.clock.now()):
        return None
    if not ports.schedules.take(state, ports.clock.now(), _next_due(schedule, now)):
        return None
    again: datetime | None = None
    try:
        outcome = job()
    except Retryable as error:
        # A store that is away for a moment must not cost a night.
        log.warning("job %s, which the next tick starts again: %s", schedule.job, error)
        outcome, again = f"failed, to be started again: {error}", now
    except TrueUpError as error:
        log.error("job %s: %s", schedule.job, error)
        outcome = f"failed: {error}"
    if outcome is None:
        return "goes on in the queue"
    ports.schedules.finish(schedule.id, outcome, ports.clock.now(), again=again)
    return outcome


def _is_due(state: ScheduleState, business_now: datetime, now: datetime) -> bool:
    """Due at its time, or again when the process that ran it was killed; never beside itself."""
    if state.running_since is not None:
        return now - state.running_since > LONGEST_JOB
    return state.next_due is not None and state.next_due <= business_now


def _next_due(schedule: Schedule, after: datetime) -> datetime:
    """The schedule's next time, in the MSP's zone, as UTC."""
    from croniter import croniter  # only the tick needs it

    due: datetime = croniter(schedule.cron, after).get_next(datetime)
    return due.astimezone(UTC)


def _run(ports: Ports, schedule: Schedule) -> str | None:
    job = JOBS.get(schedule.job)
    if job is None:
        return f"there is no job {schedule.job}; the jobs are {', '.join(sorted(JOBS))}"
    ports.own_manage.hold()
    told = job(ports, schedule)
    log.info("job %s: %s", schedule.job, told)
    return told
