"""`python -m local.host --app DIR --port P`: run a function app until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
from pathlib import Path

from aiohttp import web

from local.host.admin import Admin
from local.host.functions import Function, index, with_settings
from local.host.http import HttpFront
from local.host.invoke import Invoker, worker_threads
from local.host.keys import Keys, read_keys
from local.host.queues import QueuePump
from local.host.routes import RouteTable
from local.host.settings import HostSettings, add_local_settings, read_host_settings
from local.host.storage import QueueStore
from local.host.timers import TimerLoop
from shared.errors import Misconfigured

log = logging.getLogger("host")


class Host:
    """A function app with its pumps, its timers and its HTTP front, put together from settings."""

    def __init__(self, functions: list[Function], settings: HostSettings, options: argparse.Namespace) -> None:
        self._functions = functions
        self._options = options
        self._stop = asyncio.Event()
        self._store = QueueStore(os.environ, settings.queues.message_encoding)
        self._invoker = Invoker(worker_threads(os.environ), self._store, settings.function_timeout)
        self._admin = Admin(functions, self._invoker)
        keys: Keys | None = read_keys(os.environ) if options.auth else None
        table = RouteTable(functions, settings.route_prefix)
        self._front = HttpFront(table, invoker=self._invoker, admin=self._admin, keys=keys)
        self._pumps = [self._pump(function, settings) for function in self._of("queueTrigger")]
        # A schedule is checked even where the timers are off: the platform would refuse a wrong one.
        timers = [TimerLoop(item, invoker=self._invoker, stop=self._stop) for item in self._of("timerTrigger")]
        self._timers = [] if options.no_timers else timers

    async def run(self) -> None:
        """Serve until a signal asks to stop, then give running handlers `--drain` seconds."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        runner = web.AppRunner(self._front.application(), access_log=None, shutdown_timeout=self._options.drain)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self._options.port).start()
        jobs = [asyncio.create_task(pump.run()) for pump in self._pumps]
        jobs += [asyncio.create_task(timer.run()) for timer in self._timers]
        print(f"host ready on http://127.0.0.1:{runner.addresses[0][1]}: {len(self._functions)} functions", flush=True)
        await self._until_stopped(jobs)
        log.info("stopping; handlers have %g s", self._options.drain)
        jobs.append(asyncio.create_task(self._admin.drained()))
        _, unfinished = (await asyncio.gather(asyncio.wait(jobs, timeout=self._options.drain), runner.cleanup()))[0]
        if unfinished:
            log.warning("%d pumps or timers were still busy; what they held will be delivered again", len(unfinished))
        await self._store.close()

    async def _until_stopped(self, jobs: list[asyncio.Task[None]]) -> None:
        """Waits for the signal. A pump or a timer that ends before it has a defect: its error ends the host."""
        stopped = asyncio.create_task(self._stop.wait())
        await asyncio.wait({stopped, *jobs}, return_when=asyncio.FIRST_COMPLETED)
        if not stopped.done():
            await asyncio.gather(*(job for job in jobs if job.done()))

    def _of(self, kind: str) -> list[Function]:
        return [function for function in self._functions if function.kind == kind]

    def _pump(self, function: Function, settings: HostSettings) -> QueuePump:
        return QueuePump(
            function,
            store=self._store,
            invoker=self._invoker,
            options=settings.queues,
            redelivery=self._options.redelivery,
            stop=self._stop,
        )


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.host", description="Run a function app on this machine.")
    parser.add_argument("--app", type=Path, default=Path.cwd(), help="the directory with function_app.py and host.json")
    parser.add_argument("--port", type=int, default=7071, help="0 picks a free one")
    parser.add_argument("--settings", type=Path, help="instead of local.settings.json in the app directory")
    parser.add_argument("--auth", action="store_true", help="enforce keys: HOST_MASTER_KEY and HOST_DEFAULT_KEY")
    parser.add_argument("--no-timers", action="store_true", help="timers run only by POST /admin/functions/NAME")
    parser.add_argument("--redelivery", type=int, default=600, help="seconds until a dead host's message comes back")
    parser.add_argument("--drain", type=float, default=30, help="seconds that handlers have after SIGTERM")
    parser.add_argument("--index", action="store_true", help="print the functions as JSON and end")
    return parser.parse_args(arguments)


async def serve(options: argparse.Namespace) -> None:
    functions = with_settings(index(options.app), os.environ)
    await Host(functions, read_host_settings(options.app, os.environ), options).run()


def main() -> None:
    options = parse_arguments(sys.argv[1:])
    options.app = options.app.resolve()
    logging.basicConfig(level="INFO", format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("azure").setLevel("WARNING")
    try:
        settings_file = options.settings or options.app / "local.settings.json"
        if options.settings or settings_file.exists():
            add_local_settings(settings_file.resolve(), os.environ)
        os.chdir(options.app)
        if options.index:
            functions = index(options.app)
            print(json.dumps([{"name": function.name, "bindings": function.bindings} for function in functions]))
            return
        asyncio.run(serve(options))
    except Misconfigured as error:
        raise SystemExit("\n".join(["The functions host cannot start:", *error.problems])) from error
    # A handler that outlives its drain must not keep the process alive: the platform kills it as well.
    logging.shutdown()
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
