"""How many calls go out to other systems while something is at work, wherever in the adapters they are made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_counted: ContextVar[Counter[str] | None] = ContextVar("calls", default=None)


@contextmanager
def counting() -> Iterator[Counter[str]]:
    """Counts the calls that this thread makes inside the block, by system; repeated ones count each time."""
    calls: Counter[str] = Counter()
    before = _counted.set(calls)
    try:
        yield calls
    finally:
        _counted.reset(before)


def count_call(system: str) -> None:
    """Notes that a request is sent to a system. Nothing where nobody counts."""
    calls = _counted.get()
    if calls is not None:
        calls[system] += 1
