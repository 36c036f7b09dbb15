"""Whether everything stands as a night needs it: asks the store, Manage and every source something small.

Nothing is written: neither to Manage nor to a vendor nor to the store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from shared.billing.rules import Schedule
from shared.clock import spoken_moment
from shared.environment import for_example
from shared.errors import Gone, NotPermitted, TrueUpError
from shared.state.backups import Backups
from shared.sync.backups import missing
from shared.sync.night import JOBS, LONGEST_JOB
from shared.sync.ports import Ports
from shared.sync.unfinished import why_nothing_is_written

#: Ticks come every few minutes: a job that is due for so long has nobody who starts it.
LATE = timedelta(minutes=30)
#: A night a day, with two hours to spare for a long one.
NIGHT_EVERY = timedelta(hours=26)

#: The connections that there always are.
STORAGE = "storage"
MANAGE = "ConnectWise Manage"
ALARMS = "alarms"
_TITLES = {"microsoft365": "Microsoft 365", "azure": "Azure", "pax8": "Pax8", "huntress": "Huntress", "cove": "Cove"}

_FORBIDDEN = 403
_NEWEST = 50
#: No catalog item is called so; asking for it shows whether the catalog may be read.
_NO_PRODUCT = "trueup-doctor"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. `problems` are sentences that say what is wrong and what to do; none: in order.

    `warnings` say what stands in the way of no night, but had better be done.
    """

    name: str
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def check_up(ports: Ports) -> Iterator[Check]:
    """Every check in turn. Where the store cannot be read, what stands in it is not looked at."""
    store = _store(ports)
    yield store
    yield _manage(ports, in_store=not store.problems)
    yield from check_sources(ports)
    if not store.problems:
        yield from check_stored(ports)
    yield check_alarms(ports)
    yield from (_channel(ports, name) for name in sorted(ports.channels))


def check_alarms(ports: Ports) -> Check:
    """Whether anybody hears it when something fails, or is about to; nobody is asked."""
    shown = {each.name: each.value for each in ports.settings}
    warnings = []
    if not shown.get("NOTICE_ALERTS"):
        warnings.append(
            "Nobody is told when a night, the storage or Manage fails. Set NOTICE_ALERTS, to two channels at best, "
            f"{for_example('NOTICE_ALERTS')}."
        )
    if shown.get("MICROSOFT_CREDENTIAL") == "secret" and not shown.get("NOTICE_SECRETS_END"):
        warnings.append(
            "Nobody is told before the client secret of Microsoft 365 ends, and with it every reading of a tenant. Set "
            f"its last day in NOTICE_SECRETS_END, {for_example('NOTICE_SECRETS_END')}."
        )
    return Check(ALARMS, warnings=tuple(warnings))


def check_stored(ports: Ports) -> Iterator[Check]:
    """What the store tells: its Manage, rules, schedules, last night, messages that nobody could work on, backups."""
    yield _stored("store's Manage", _own_manage, ports)
    yield _stored("rules", _rules, ports)
    yield _stored("schedules", _schedules, ports)
    yield _stored("last night", _last_night, ports)
    yield _stored("poison", _poison, ports)
    if ports.backups is not None:
        yield _stored("last backup", partial(_last_backup, ports.backups), ports)


def check_sources(ports: Ports) -> Iterator[Check]:
    """One check for each source, by its name."""
    for name in sorted(ports.sources):
        yield _source(ports, name)


def connections(ports: Ports) -> dict[str, str]:
    """The systems that are connected and can be checked by themselves: id and name."""
    return {"storage": "Storage", "manage": MANAGE, **{name: _TITLES.get(name, name) for name in sorted(ports.sources)}}


def check_connection(ports: Ports, connection: str) -> Check:
    """The check of one connection or channel by its id. Raises `Gone` for one that the settings do not make."""
    if connection == "storage":
        return _store(ports)
    if connection == "manage":
        return _manage(ports, in_store=not _store(ports).problems)
    if connection in ports.channels:
        return _channel(ports, connection)
    if connection not in ports.sources:
        raise Gone(f"{connection} is not connected", remedy="Name one of those that the first steps show.")
    return _source(ports, connection)


def _source(ports: Ports, name: str) -> Check:
    return Check(name, tuple(ports.sources[name].check()))


def _channel(ports: Ports, name: str) -> Check:
    try:
        ports.channels[name].check()
    except TrueUpError as error:
        return Check(name, (told(error),))
    return Check(name)


def _store(ports: Ports) -> Check:
    problems = []
    for ask in (ports.companies.all, ports.queue.check):
        try:
            ask()
        except TrueUpError as error:
            problems.append(told(error))
    return Check(STORAGE, tuple(problems))


def _stored(name: str, look: Callable[[Ports], Iterator[str]], ports: Ports) -> Check:
    try:
        return Check(name, tuple(look(ports)))
    except TrueUpError as error:
        return Check(name, (told(error),))


def told(error: TrueUpError) -> str:
    """What went wrong and what to do, as a problem of a check."""
    return f"{error}. {error.remedy}".strip()


def _manage(ports: Ports, *, in_store: bool) -> Check:
    """Each permission that reading takes. Whether lines may be added and edited shows only when one is."""
    problems = []
    for ask in _questions(ports, in_store):
        try:
            ask()
        except NotPermitted as error:
            problems.append(told(error))
            if error.status != _FORBIDDEN:
                break  # nobody lets us in, so the other questions would say the same
        except TrueUpError as error:
            problems.append(told(error))
            break
    return Check(MANAGE, tuple(dict.fromkeys(problems)))


def _questions(ports: Ports, in_store: bool) -> Iterator[Callable[[], object]]:
    """The first company (or none), its agreements and their lines, the catalog, and the callbacks if there are any."""
    known = ports.companies.all() if in_store else []
    company = min((row.id for row in known), default=1)

    def lines() -> None:
        for agreement in ports.manage.agreements(company)[:1]:
            ports.manage.additions(agreement.id)

    yield lambda: ports.manage.companies([company])
    yield lines
    yield lambda: ports.manage.products([_NO_PRODUCT])
    if ports.callback_url is not None:
        yield ports.manage.callbacks


def _own_manage(ports: Ports) -> Iterator[str]:
    if why := ports.own_manage.problem():
        yield why


def _rules(ports: Ports) -> Iterator[str]:
    if why := why_nothing_is_written(ports):
        yield why


def _schedules(ports: Ports) -> Iterator[str]:
    schedules = ports.rules.load().schedules
    if not any(schedule.job == "nightly" for schedule in schedules):
        yield "No schedule has the job nightly, so no night runs. Add one to the rules and import them."
    for schedule in schedules:
        yield from _schedule(ports, schedule)


def _schedule(ports: Ports, schedule: Schedule) -> Iterator[str]:
    state = ports.schedules.get(schedule.id)
    if schedule.job not in JOBS:
        yield f"{schedule.id}: there is no job {schedule.job}. Name one of {', '.join(sorted(JOBS))} in the rules."
    elif state is None or state.next_due is None or state.cron != schedule.cron:
        yield f"{schedule.id}: no tick has seen these times yet. If it stays so for minutes, the app is not running."
    elif state.running_since is not None:
        if ports.clock.now() - state.running_since > LONGEST_JOB:
            since = _at(ports, state.running_since)
            yield f"{schedule.id}: runs since {since}. It was killed; the next tick starts it again."
    elif ports.clock.business_now() - state.next_due > LATE:
        due = _at(ports, state.next_due)
        yield f"{schedule.id}: was due at {due} and nobody started it. Is the app running? See its log."
    elif (state.last_outcome or "").startswith("failed"):
        yield f"{schedule.id}: {state.last_outcome}. Correct what it names; it is tried again at its next time."


def _last_backup(backups: Backups, ports: Ports) -> Iterator[str]:
    record = backups.record.known()
    since = missing(record, ports.clock.now(), ports.time_zone) if record is not None else None
    if since is not None:
        yield f"{since} The function backup tries again every hour."


def _last_night(ports: Ports) -> Iterator[str]:
    night = next((header for header in ports.runs.headers(_NEWEST) if header.kind == "nightly"), None)
    if night is None:
        yield "No night has run yet. Import rules with a schedule, and wait for its time or ask for a run."
        return
    age = ports.clock.now() - night.started
    if age > NIGHT_EVERY:
        began = _at(ports, night.started)
        yield f"The last one began at {began}, more than {_hours(NIGHT_EVERY)} ago. Look at the schedules."
    if night.ended is None and age > NIGHT_EVERY:
        yield f"{night.id} has not ended. The watchdog ends it; if it does not, the app is not running."
    if failed := night.outcomes.get("failed", 0):
        yield f"{night.id}: {failed} of {night.companies} companies failed. /console/runs/{night.id} says why."
    if night.stopped:
        sources = ", ".join(night.stopped)
        yield f"{night.id}: only planned for {sources}, whose counts moved too much. Approve its plans."


def _poison(ports: Ports) -> Iterator[str]:
    messages = ports.poison.all()
    if messages:
        oldest = _at(ports, messages[0].since)
        yield f"{len(messages)} could not be worked on, the oldest since {oldest}. Try them again or dismiss them."


def _at(ports: Ports, time: datetime) -> str:
    return spoken_moment(time, ports.time_zone)


def _hours(span: timedelta) -> str:
    return f"{span // timedelta(hours=1)} hours"
