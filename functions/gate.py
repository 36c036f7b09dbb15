"""How often one address may ask what anybody may ask: more is turned away before anything is done for it.

Each process counts for itself, so an app of several instances lets through as many times more; the most instances that
there may be is a setting of the deployment. It keeps one sender from costing much, not many from costing something.
"""

from __future__ import annotations

import functools
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

import azure.functions as func

from functions.answers import answer

Handler = Callable[[func.HttpRequest], func.HttpResponse]

#: Addresses that one gate remembers; beyond, the one that asked longest ago is forgotten.
_MOST_ADDRESSES = 5000


class Gate:
    """Lets `per_minute` requests of one address through at once, and as many more within a minute."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = per_minute
        self._clock = clock
        self._lock = threading.Lock()
        #: What each address has left, and when that was so, in seconds of the clock.
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, request: func.HttpRequest) -> int:
        """0 where the request may pass, else the seconds until the next one of its address may."""
        sender, now = address(request), self._clock()
        with self._lock:
            left, since = self._left.pop(sender, (float(self._most), now))
            left = min(left + (now - since) * self._most / 60, self._most)
            passes = left >= 1
            self._left[sender] = (left - 1 if passes else left, now)
            while len(self._left) > _MOST_ADDRESSES:
                self._left.popitem(last=False)
        return 0 if passes else math.ceil((1 - left) * 60 / self._most)


def limited(gate: Gate) -> Callable[[Handler], Handler]:
    """Has a handler called for requests only that its gate lets through."""

    def decorated(handler: Handler) -> Handler:
        @functools.wraps(handler)
        def handled(request: func.HttpRequest) -> func.HttpResponse:
            seconds = gate.wait(request)
            return too_many(seconds) if seconds else handler(request)

        return handled

    return decorated


def too_many(seconds: int) -> func.HttpResponse:
    """What is answered to a request that may not pass."""
    response = answer({"error": "too many requests", "remedy": f"Wait {seconds} s before the next one."}, 429)
    response.headers["Retry-After"] = str(seconds)
    return response


def address(request: func.HttpRequest) -> str:
    """Who sent a request, as the platform's front end saw it: the last entry, without its port.

    Those before it are the sender's own words. Empty where there is no front end, as on one machine.
    """
    last = str(request.headers.get("x-forwarded-for", "")).rpartition(",")[2].strip()
    host, _, port = last.rpartition(":")
    single = host.startswith("[") or host.count(":") == 0
    return host if host and port.isdigit() and single else last
