"""Telling people: the digests that are due, and at once the findings that have just opened."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial

from shared.billing.rules import Schedule
from shared.billing.subscribers import Frequency, Subscriber
from shared.clock import business_date
from shared.errors import TrueUpError
from shared.notices.digest import Digest, Span, at_once, digest
from shared.notices.looking import OVERLAP, Looks, mark_of
from shared.notices.outbox import send_due
from shared.notices.owners import owned
from shared.notices.picture import Open, Picture, take_picture
from shared.notices.ports import NoticePorts
from shared.notices.render import html_of, subject_of, text_of
from shared.notices.tickets import keep_tickets
from shared.notices.watch import WATCHED
from shared.state.notices import Notice, Told
from shared.sync.night import when_due

log = logging.getLogger(__name__)

#: Days before it is first seen that a subscriber is told of, and the times of its digests.
_LOOKS_BACK = {Frequency.DAILY: 1, Frequency.WEEKLY: 7, Frequency.MONTHLY: 31}
_TIMES = {Frequency.DAILY: "0 {hour} * * *", Frequency.WEEKLY: "0 {hour} * * 1", Frequency.MONTHLY: "0 {hour} 1 * *"}
#: A month, however long: what was written in it is asked for anew for its sums.
_MONTH = timedelta(days=32)
_DAY = timedelta(days=1)
#: So long it stays known what was sent. Once a day what is older goes.
_KEPT = timedelta(days=90)
_DAILY = Schedule("notices-kept", "notices-kept", "30 4 * * *")


@dataclass
class _Album:
    """One picture for all whose digest is due at the same time."""

    ports: NoticePorts
    taken: tuple[datetime, datetime, Picture] | None = None

    def picture(self, since: datetime) -> tuple[datetime, Picture]:
        """Everything since then, and up to when it is whole: what is written a moment before may not be there yet."""
        if self.taken is None or since < self.taken[0]:
            until = self.ports.flows.clock.now() - OVERLAP
            self.taken = since, until, take_picture(self.ports.flows, since)
        return self.taken[1:]


def tell(ports: NoticePorts) -> int:
    """Writes every notice that is due, then sends what has not gone out yet; how many did.

    Raises what the store raises. What one subscriber's notice fails with keeps no other from being told.
    """
    album, looks = _Album(ports), Looks(ports.flows)
    for subscriber in (*owned(ports.flows, ports.flows.rules.load().subscribers), *_alerts(ports)):
        if subscriber.ticket is not None:
            keep_tickets(ports, subscriber, subscriber.ticket, looks)
        elif subscriber.frequency is Frequency.AT_ONCE:
            _tell_at_once(ports, subscriber, looks)
        else:
            since = _told_until(ports, subscriber)
            when_due(ports.flows, _schedule(subscriber), partial(_write_digest, ports, subscriber, since, album))
    when_due(ports.flows, _DAILY, partial(_forget_old, ports))
    return send_due(ports)


def _alerts(ports: NoticePorts) -> list[Subscriber]:
    """Who the settings say is told of what the watch finds, whatever the rules say."""
    return [
        Subscriber(f"alerts/{channel.value}/{to}", channel, (to,), Frequency.AT_ONCE, about=WATCHED)
        for channel, to in ports.alerts
    ]


def _schedule(subscriber: Subscriber) -> Schedule:
    times = _TIMES[subscriber.frequency].format(hour=subscriber.hour)
    return Schedule(f"notice/{subscriber.id}", "notice", times)


def _told_until(ports: NoticePorts, subscriber: Subscriber) -> datetime:
    """Up to when a subscriber knows everything; who is new is told of the days before it was first seen."""
    told = ports.notices.told(subscriber.id)
    if told is not None:
        return told.until
    until = ports.flows.clock.now() - timedelta(days=_LOOKS_BACK[subscriber.frequency])
    ports.notices.add(subscriber.id, Told(until), [])
    return until


def _write_digest(ports: NoticePorts, subscriber: Subscriber, since: datetime, album: _Album) -> str:
    """Writes a digest of everything since the last one. The same day gives the same one again, which is none."""
    now, today = ports.flows.clock.now(), business_date(ports.flows.clock)
    month = _month_told(subscriber.frequency, today)
    until, picture = album.picture(min(since, now - _MONTH, now - (today - month) - _DAY))
    written = digest(subscriber, picture, Span(since, until), month, today)
    if not written.says_something and not subscriber.even_when_empty:
        return "nothing to tell"
    if not ports.notices.add(subscriber.id, Told(until), _notices(ports, subscriber, today.isoformat(), written)):
        return "was written before"
    return subject_of(written)


def _month_told(frequency: Frequency, today: date) -> date:
    """The first day of the month whose leak is told: today's, or that in which the last whole week or month ended.

    However late a digest is written, it tells what it would have told on its day.
    """
    since_then = {Frequency.WEEKLY: today.weekday() + 1, Frequency.MONTHLY: today.day}.get(frequency, 0)
    return (today - timedelta(days=since_then)).replace(day=1)


def _tell_at_once(ports: NoticePorts, subscriber: Subscriber, looks: Looks) -> None:
    """Writes a notice of the findings that have opened since it was last looked, each once while it is open."""
    try:
        now, today = ports.flows.clock.now(), business_date(ports.flows.clock)
        told = ports.notices.told(subscriber.id)
        looked_at = looks.open_since(subscriber, told)
        before: Mapping[str, tuple[str, ...]] = told.findings if told is not None else {}
        new = [
            each
            for of, found in looked_at.items()
            for each in found
            if mark_of(each.kind, each.key) not in before.get(of, ())
        ]
        marks = {of: tuple(mark_of(each.kind, each.key) for each in found) for of, found in looked_at.items()}
        known = {of: found for of, found in {**before, **marks}.items() if found}
        if not new and known == before and len(looked_at) <= 1:
            return
        id_ = _id_of(new, told.until if told is not None else None)
        notices = _notices(ports, subscriber, id_, at_once(subscriber, new, today)) if new else []
        ports.notices.add(subscriber.id, Told(now, known), notices)
    except TrueUpError as error:
        log.error("what to tell %s at once: %s", subscriber.id, error)


def _mark(each: Open) -> str:
    return mark_of(each.kind, each.key)


def _id_of(new: Iterable[Open], until: datetime | None) -> str:
    """The same for the same findings after the same last look: two ticks at once write one notice."""
    told = "".join(sorted(f"{each.company}{_mark(each)}" for each in new))
    return hashlib.sha256(f"{until}{told}".encode()).hexdigest()[:16]


def _notices(ports: NoticePorts, subscriber: Subscriber, id_: str, written: Digest) -> Sequence[Notice]:
    """One for each address."""
    now = ports.flows.clock.now()
    subject, text, html = subject_of(written), text_of(written, ports.console), html_of(written, ports.console)
    return [
        Notice(f"{id_}/{to}", subscriber.id, subscriber.channel.value, to, subject, text, html, now, now)
        for to in dict.fromkeys(subscriber.to)
    ]


def _forget_old(ports: NoticePorts) -> str:
    """Also of who is told nothing any more."""
    return f"{ports.notices.forget(ports.flows.clock.now() - _KEPT)} notices forgotten"
