"""The daily backup of the store."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from shared.clock import spoken_moment
from shared.errors import TrueUpError
from shared.state.backups import BackupRecord, Backups
from shared.state.copies import Copy
from shared.sync.ports import Ports

log = logging.getLogger(__name__)

#: A backup waits for the end of open runs until the one before is so old.
WAITS_UNTIL = timedelta(hours=36)
#: A store is backed up once a day, and missed one day at most.
BACKED_UP_WITHIN = timedelta(hours=48)


def back_up(ports: Ports) -> str:
    """Makes the backup of the day (UTC) unless there is one, and removes those that are no longer kept.

    It waits while a run is open, so that a restored store is one between two nights, but not for ever. What keeps it
    from being made is noted, for the watch to tell. Answers in words what it did.
    """
    backups, now = ports.backups, ports.clock.now()
    if backups is None:
        return "none are made"
    try:
        told = _of_today(ports, backups, now)
    except TrueUpError as error:
        log.error("no backup: %s", error)
        told = f"failed: {error}"
        backups.record.note(now, None, f"{error} {error.remedy}".strip())
    else:
        log.info("backup: %s", told)
    return told


def _of_today(ports: Ports, backups: Backups, now: datetime) -> str:
    there = backups.blobs.all()
    newest = there[-1].written if there else None
    kept_from = (there[-1].day if there else now.date()) - timedelta(days=backups.days)
    if there and there[-1].day == now.date():
        told = "there is one of today"
    elif ports.runs.open_headers() and newest is not None and now - newest < WAITS_UNTIL:
        told = "waits for the end of a run"
    else:
        copy = Copy(backups.store)
        backups.blobs.write(now.date(), copy)
        newest, told = now, f"{copy.rows:,} rows"
    backups.record.note(now, newest)
    # Counted from the newest one that there was before: none go while none are made.
    old = [each.day for each in there if each.day < kept_from]
    for day in old:
        backups.blobs.delete(day)
    return f"{told}, {len(old)} removed" if old else told


def missing(record: BackupRecord, now: datetime, zone: ZoneInfo) -> str | None:
    """What is told where the store was not backed up for too long, with what was in the way; None where it was."""
    if now - (record.newest or record.since) <= BACKED_UP_WITHIN:
        return None
    newest = record.newest and f"last backed up on {spoken_moment(record.newest, zone)}"
    problem = f" What was in the way: {record.problem}" if record.problem else ""
    return f"The store was {newest or 'never backed up'}.{problem}"
