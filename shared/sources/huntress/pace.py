"""Keeps the pace that Huntress allows: sixty requests in any sixty seconds, for all clients of an account together."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace

from shared.http.wire import Answer, Transport

MOST_REQUESTS = 60
#: A second more than Huntress's own window, since it counts arrivals and we count departures.
WINDOW_SECONDS = 61.0
#: Seconds to wait after a 429 that names no time: somebody else's requests leave the window one by one.
ROOM_SECONDS = 30


class PacedWire:
    """A transport that waits before a request that Huntress would refuse; shared by all threads of this process."""

    def __init__(self, wire: Transport, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self._wire = wire
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._sent: deque[float] = deque()

    def send(self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None, timeout: float) -> Answer:
        self._take_a_place()
        answer = self._wire.send(method, url, headers=headers, body=body, timeout=timeout)
        if answer.status == 429 and answer.header("retry-after") is None:
            return replace(answer, headers={**answer.headers, "Retry-After": str(ROOM_SECONDS)})
        return answer

    def _take_a_place(self) -> None:
        """Whoever waits keeps the lock, so that requests leave in the order in which they came."""
        with self._lock:
            while len(self._sent) >= MOST_REQUESTS:
                pause = self._sent[0] + WINDOW_SECONDS - self._clock()
                if pause > 0:
                    self._sleep(pause)
                else:
                    self._sent.popleft()
            self._sent.append(self._clock())
