"""What has been written is sent, again and again until it went out, or is given up after days.

A notice is stored before it is sent, so a crash loses none. One that was being sent when its process died may have gone
out: it is sent again, with the same id. Mail programs and Graph do not let us look, so there it may come twice.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from shared.billing.findings import Finding, FindingKind
from shared.billing.subscribers import Channel
from shared.errors import Misconfigured, Retryable, TrueUpError
from shared.notices.ports import Message, NoticePorts
from shared.state.notices import Notice
from shared.sync.msp import settle

log = logging.getLogger(__name__)

#: Nothing takes so long: an attempt that did has no process any more.
LONGEST_ATTEMPT = timedelta(minutes=15)
#: A notice that did not go out for so long tells nothing new.
GIVEN_UP_AFTER = timedelta(days=3)
_FIRST_WAIT = timedelta(minutes=5)
_LONGEST_WAIT = timedelta(hours=6)


def send_due(ports: NoticePorts) -> int:
    """Tries every notice that is due and says how many went out."""
    now = ports.flows.clock.now()
    return sum(_attempt(ports, notice) for notice in ports.notices.pending() if _is_due(notice, now))


def _is_due(notice: Notice, now: datetime) -> bool:
    if notice.trying_since is not None:
        return now - notice.trying_since > LONGEST_ATTEMPT
    return notice.try_at <= now


def _attempt(ports: NoticePorts, notice: Notice) -> bool:
    taken = ports.notices.take(notice, ports.flows.clock.now())
    if taken is None:
        return False
    try:
        post(ports, Channel(taken.channel), message_of(taken))
    except TrueUpError as error:
        log.warning("notice %s of %s did not go out: %s", taken.id, taken.subscriber, error)
        _failed(ports, taken, error)
        return False
    ports.notices.done(taken, ports.flows.clock.now())
    _settle(ports, taken, [])
    return True


def post(ports: NoticePorts, channel: Channel, message: Message) -> None:
    """Sends a message by a channel. Raises `Misconfigured` for a channel that is not set up, and what that raises."""
    if channel not in ports.posts:
        name = "NOTICE_TEAMS" if channel is Channel.TEAMS else "NOTICE_SMTP or NOTICE_MAILBOX"
        raise Misconfigured([f"{name}: is missing; nothing can be sent by {channel.value} without it"])
    ports.posts[channel].send(message)


def message_of(notice: Notice) -> Message:
    """The notice as its channel takes it."""
    return Message(f"{notice.subscriber}/{notice.id}", notice.to, notice.subject, notice.text, notice.html)


def _failed(ports: NoticePorts, notice: Notice, error: TrueUpError) -> None:
    now = ports.flows.clock.now()
    if now - notice.made > GIVEN_UP_AFTER:
        ports.notices.done(notice, None, str(error))
    else:
        wait = min(_FIRST_WAIT * 2 ** min(notice.tries, 10), _LONGEST_WAIT)
        wait = max(wait, timedelta(seconds=_asked_for(error)))
        ports.notices.put_back(notice, str(error), now + wait)
    _settle(ports, notice, [_finding(notice, error)])


def _asked_for(error: TrueUpError) -> float:
    """Seconds that the other side wants to be left in peace."""
    return (error.retry_after or 0) if isinstance(error, Retryable) else 0


def _finding(notice: Notice, error: TrueUpError) -> Finding:
    return Finding(
        FindingKind.NOTICE_FAILED,
        f"{notice.subscriber}/{notice.to}",
        f"A notice for {notice.subscriber} did not go out by {notice.channel}: {error}.",
        error.remedy or "It is tried again for three days. Correct the subscriber in the rules if it is wrong.",
    )


def _settle(ports: NoticePorts, notice: Notice, current: list[Finding]) -> None:
    key = (FindingKind.NOTICE_FAILED.value, f"{notice.subscriber}/{notice.to}")
    settle(ports.flows, lambda standing: standing == key, current)
