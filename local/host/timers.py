"""Timer triggers: each waits for its schedule and runs its function, never two runs of it at once."""

from __future__ import annotations

import asyncio
import json
import logging
from datetime import UTC, datetime

from azure.functions.meta import Datum

from local.host.functions import Function
from local.host.invoke import Invoker
from local.host.schedule import parse
from shared.errors import Misconfigured

log = logging.getLogger("host.timers")


class TimerLoop:
    """Fires one function on its schedule until `stop` is set. Ticks that fall into a run are left out."""

    def __init__(self, function: Function, *, invoker: Invoker, stop: asyncio.Event) -> None:
        self._function = function
        self._invoker = invoker
        self._stop = stop
        try:
            self._schedule = parse(function.trigger["schedule"], _now())
        except Misconfigured as error:
            raise Misconfigured([f"function {function.name}: {problem}" for problem in error.problems]) from error

    async def run(self) -> None:
        """Returns after `stop`, when no run is under way."""
        last = _now()
        if self._function.trigger.get("runOnStartup"):
            await self._fire(last)
        while not self._stop.is_set():
            # The loop may wake a little before the second: counting from the last due time never fires it twice.
            due = self._schedule.after(max(last, _now()))
            try:
                await asyncio.wait_for(self._stop.wait(), (due - _now()).total_seconds())
            except TimeoutError:
                await self._fire(last)
                last = due

    async def _fire(self, last: datetime) -> None:
        following = self._schedule.after(_now())
        try:
            await self._invoker.invoke(self._function, tick(last, following))
        except Exception:
            log.exception("timer %s failed; it runs again when it is next due", self._function.name)


def tick(last: datetime, following: datetime) -> Datum:
    """What a timer's handler receives: when it was last due, and when it is due again."""
    status = {"Last": last.isoformat(), "Next": following.isoformat(), "LastUpdated": last.isoformat()}
    payload = {"Schedule": {"AdjustForDST": True}, "ScheduleStatus": status, "IsPastDue": False}
    return Datum(json.dumps(payload), "json")


def _now() -> datetime:
    return datetime.now(UTC)
