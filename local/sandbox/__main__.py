"""`python -m local.sandbox`: the sandbox as a process of its own."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
from datetime import UTC, datetime
from pathlib import Path

from local.sandbox.server import Options, running
from local.sandbox.systems import SYSTEMS


def main() -> None:
    asyncio.run(_serve(_options()))


async def _serve(options: Options) -> None:
    """Serves until it is interrupted. Prints the settings for TrueUp, one JSON line, when it answers."""
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with running(options) as started:
        ready = {"url": started.url, "tls_url": started.tls_url, "settings": started.sandbox.settings}
        print(json.dumps(ready), flush=True)
        await stopping.wait()


def _options() -> Options:
    parser = argparse.ArgumentParser(prog="python -m local.sandbox", description="Plays Manage and the vendors.")
    parser.add_argument("--port", type=int, default=0, help="plain HTTP; 0 picks a free port")
    parser.add_argument("--tls-port", type=int, default=0, help="TLS; 0 picks a free port")
    parser.add_argument("--companies", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--now", type=_moment, default=datetime.now(UTC), help="for example 2026-11-21T02:00:00Z")
    parser.add_argument("--latency-ms", type=_latency, default={}, dest="latency", help="150, or manage=150,graph=80")
    parser.add_argument("--ca-file", type=Path, help="where to write the certificate authority that clients must trust")
    return Options(**vars(parser.parse_args()))


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _latency(text: str) -> dict[str, float]:
    """Milliseconds for all systems or by system, as seconds by system."""
    if text.isdigit():
        return dict.fromkeys(SYSTEMS, int(text) / 1000)
    parts = dict(part.split("=", 1) for part in text.split(","))
    unknown = parts.keys() - set(SYSTEMS)
    if unknown:
        raise argparse.ArgumentTypeError(f"there is no system {', '.join(sorted(unknown))}")
    return {system: int(milliseconds) / 1000 for system, milliseconds in parts.items()}


if __name__ == "__main__":
    main()
