"""What a callback from Manage leads to: its company is looked at soon, once, and never because of our own writes."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from shared.callbacks import Callback
from shared.errors import TrueUpError
from shared.state.callbacks import Heard
from shared.state.companies import CompanyRow
from shared.state.records import Outcome
from shared.sync.due import make_due
from shared.sync.ports import Ports

log = logging.getLogger(__name__)

#: Manage wants its answer at once.
_LOOK_UP_SECONDS = 10.0
#: So long a message is remembered, to know it again.
_REMEMBERED = timedelta(days=3)
#: Syncs that ended otherwise wrote nothing.
_MAY_HAVE_WRITTEN = {Outcome.APPLIED.value, Outcome.HELD.value, Outcome.FAILED.value}


def receive(ports: Ports, callback: Callback) -> Heard:
    """Notes what a genuine callback tells. Safe to repeat; raises what the store raises when it does not answer.

    The message is remembered last: after a crash it counts when it is sent again.
    """
    if ports.callbacks.is_known(callback.message):
        return Heard.REPEATED
    heard = _heard(ports, callback)
    ports.callbacks.remember(callback.message, heard, ports.clock.now())
    log.info("callback: %s %s is %s", callback.type, callback.id, heard.value)
    return heard


def forget_old(ports: Ports) -> None:
    """Forgets messages that nobody sends again."""
    ports.callbacks.forget(ports.clock.now() - _REMEMBERED)


def _heard(ports: Ports, callback: Callback) -> Heard:
    company_id = _company_of(ports, callback)
    company = ports.companies.get(company_id) if company_id is not None else None
    if company is None or not (company.links or company.last_run):
        return Heard.IGNORED
    if _is_echo(ports, company, callback.member):
        return Heard.ECHO
    make_due(ports, company.id)
    return Heard.DUE


def _company_of(ports: Ports, callback: Callback) -> int | None:
    """None for what has no company, such as a product, and for an agreement that is gone: the night finds out."""
    if callback.company is not None or callback.type != "agreement":
        return callback.company
    try:
        with ports.manage.deadline(_LOOK_UP_SECONDS):
            return ports.manage.company_of_agreement(callback.id)
    except TrueUpError as error:
        log.info("callback: the company of agreement %s is not known: %s", callback.id, error)
        return None


def _is_echo(ports: Ports, company: CompanyRow, member: str) -> bool:
    """Whether a callback tells of what we wrote ourselves.

    Manage is asked not to tell of that, which may not hold, and whether it names who made a change or who registered is
    not confirmed. So it takes both: our own login, as far as both are known, and a sync that wrote just now or is still
    at it. What is missed of a person's edits in that time, the night sees.
    """
    ours = ports.callbacks.registration().member
    if member and ours and member.casefold() != ours.casefold():
        return False
    now = ports.clock.now()
    if company.lease_until is not None and company.lease_until > now:
        return True
    return company.last_outcome in _MAY_HAVE_WRITTEN and _is_recent(ports, company.last_at, now)


def _is_recent(ports: Ports, at: datetime | None, now: datetime) -> bool:
    return at is not None and now - at < timedelta(seconds=ports.limits.settling)
