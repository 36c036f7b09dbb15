"""When to repeat a call, when a write is in doubt, how long to wait: decisions without side effects.

A repeated POST makes a second billed line, since Manage has no idempotency key. GET, DELETE and the PATCH of absolute
values may be sent again.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from shared.manage.transport import Answer, NoAnswer

MOST_ATTEMPTS = 4

#: A wait longer than this, in seconds, is left to the queue: a worker does not sit on a company's lease.
LONGEST_WAIT = 60.0

_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 16.0
_TIMED_OUT = re.compile(r"time-?out|timed out", re.IGNORECASE)


def may_repeat(method: str, result: Answer | NoAnswer) -> bool:
    """Whether the call may be sent again after this result."""
    if method == "POST":
        return not result.sent if isinstance(result, NoAnswer) else result.status == 429
    return isinstance(result, NoAnswer) or is_passing(result)


def is_passing(answer: Answer) -> bool:
    """Whether the failure passes by itself. Manage's own query time-outs are a 500 with that word in the text."""
    if answer.status == 500:
        return _TIMED_OUT.search(answer.text) is not None
    return answer.status in {408, 429, 502, 503, 504}


def leaves_doubt(method: str, result: Answer | NoAnswer) -> bool:
    """Whether a write may have happened although it was not confirmed. A 429 was turned away before it was executed."""
    if method == "GET":
        return False
    if isinstance(result, NoAnswer):
        return result.sent
    return result.status >= 500 or result.status == 408


def backoff(attempt: int, chance: float) -> float:
    """Seconds to wait after the attempt with this number (from 1), when the other side named no time.

    Doubles from 1 to 16; `chance` in [0, 1) takes up to half of it away, so that lanes do not return in step.
    """
    full = min(_FIRST_PAUSE * 2 ** (attempt - 1), _LONGEST_PAUSE)
    return float(full * (1 - chance / 2))


def retry_after(answer: Answer, now: datetime) -> float | None:
    """Seconds that the answer asks us to wait: `Retry-After` in seconds or as an HTTP date; None when it names none.

    A date is measured against the answer's own `Date`, so that a wrong clock here does not matter; else against `now`.
    """
    value = (answer.header("retry-after") or "").strip()
    if re.fullmatch(r"\d+(\.\d+)?", value):
        return float(value)
    until = _http_date(value)
    if until is None:
        return None
    return max(0.0, (until - (_http_date(answer.header("date") or "") or now)).total_seconds())


def _http_date(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
