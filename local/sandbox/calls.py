"""What was asked of the sandbox: requests by system, method and route, and the most in flight at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from local.sandbox.systems import SYSTEMS, route_of, system_of

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class CallBook:
    """Counts every request to a system, from its arrival to its answer; the controls are not counted."""

    def __init__(self) -> None:
        self._calls: Counter[tuple[str, str, str]] = Counter()
        self._in_flight: Counter[str] = Counter()
        self._in_flight_max: Counter[str] = Counter()

    def clear(self) -> None:
        """Forgets what was counted; requests under way stay in flight."""
        self._calls.clear()
        self._in_flight_max = Counter(self._in_flight)

    def to_json(self) -> dict[str, Any]:
        calls = [
            {"system": system, "method": method, "route": route, "count": count}
            for (system, method, route), count in sorted(self._calls.items())
        ]
        total = dict.fromkeys(SYSTEMS, 0)
        for (system, _, _), count in self._calls.items():
            total[system] += count
        return {"calls": calls, "in_flight_max": {name: self._in_flight_max[name] for name in SYSTEMS}, "total": total}

    @property
    def middleware(self) -> Any:
        """Goes around everything else, so that delays and faults are counted as time in flight."""

        @web.middleware
        async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
            system = system_of(request.path)
            if system is None:
                return await handler(request)
            self._calls[system, request.method, route_of(request)] += 1
            self._in_flight[system] += 1
            self._in_flight_max[system] = max(self._in_flight_max[system], self._in_flight[system])
            try:
                return await handler(request)
            finally:
                self._in_flight[system] -= 1

        return count
