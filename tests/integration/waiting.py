"""Waiting for something that another process does: by looking at it, never longer than a bound."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(look: Callable[[], T], *, within: float = 30, every: float = 0.05) -> T:
    """What `look` gives, as soon as it is true. Raises `AssertionError` with the last look `within` seconds later."""
    deadline = time.monotonic() + within
    pause = threading.Event()
    while not (seen := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"still {seen!r} after {within:g} s")
        pause.wait(every)
    return seen
