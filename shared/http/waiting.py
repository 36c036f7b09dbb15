"""How long to wait before a request is sent again."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from shared.http.wire import Answer

_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 16.0


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
