"""The functions host: a timer's runs, one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import azure.functions as func
import pytest

from local.host import timers
from local.host.functions import Function
from local.host.invoke import Invoker
from local.host.storage import QueueStore
from local.host.timers import TimerLoop
from shared.errors import Misconfigured


def run_until(handler: Callable[..., Any], happened: Callable[[], bool], **trigger: Any) -> None:
    """Run a timer until something has happened, then stop it and wait for its end."""

    async def run() -> None:
        stop = asyncio.Event()
        with ThreadPoolExecutor(1) as pool:
            invoker = Invoker(pool, QueueStore({}, "base64"), timeout=None)
            function = Function("nightly", handler, {"type": "timerTrigger", "name": "timer", **trigger})
            running = asyncio.create_task(TimerLoop(function, invoker=invoker, stop=stop).run())
            async with asyncio.timeout(20):
                while not happened():
                    await asyncio.sleep(0.005)
            stop.set()
            await running

    asyncio.run(run())


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that moves a minute whenever somebody looks at it."""
    moment = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)

    def now() -> datetime:
        nonlocal moment
        moment += timedelta(minutes=1)
        return moment

    monkeypatch.setattr(timers, "_now", now)


@pytest.mark.usefixtures("hasty")
def test_a_timer_never_overlaps_itself() -> None:
    running, most, runs = 0, 0, 0

    async def handler(timer: func.TimerRequest) -> None:
        nonlocal running, most, runs
        running += 1
        most = max(most, running)
        for _ in range(20):
            await asyncio.sleep(0)
        running -= 1
        runs += 1

    run_until(handler, lambda: runs >= 5, schedule="* * * * * *")
    assert most == 1


@pytest.mark.usefixtures("hasty")
def test_a_run_that_fails_does_not_end_the_timer() -> None:
    runs = 0

    def handler(timer: func.TimerRequest) -> None:
        nonlocal runs
        runs += 1
        raise RuntimeError("as asked")

    run_until(handler, lambda: runs >= 3, schedule="* * * * * *")


def test_a_timer_runs_on_startup_only_where_it_says_so() -> None:
    seen: list[func.TimerRequest] = []
    run_until(seen.append, lambda: True, schedule="0 0 0 29 2 *")
    assert seen == []

    def handler(timer: func.TimerRequest) -> None:
        seen.append(timer)

    run_until(handler, lambda: bool(seen), schedule="0 0 0 29 2 *", runOnStartup=True)
    assert [timer.past_due for timer in seen] == [False]
    assert "-02-29T00:00:00" in seen[0].schedule_status["Next"]


def test_a_wrong_schedule_is_told_with_the_functions_name() -> None:
    with pytest.raises(Misconfigured, match="function nightly: schedule '0 2"):
        run_until(lambda timer: None, lambda: True, schedule="0 2 * * *")
