"""When to repeat a call and when a write is in doubt: decisions without side effects.

A repeated POST makes a second billed line, since Manage has no idempotency key. GET, DELETE and the PATCH of absolute
values may be sent again.
"""

from __future__ import annotations

import re

from shared.http.wire import Answer, NoAnswer

MOST_ATTEMPTS = 4

#: A wait longer than this, in seconds, is left to the queue: a worker does not sit on a company's lease.
LONGEST_WAIT = 60.0

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
