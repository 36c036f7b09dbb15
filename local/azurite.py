"""The storage emulator: Azurite as a child process, on free ports or on the usual ones."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from local.child import Child
from shared.errors import Misconfigured

REPOSITORY = Path(__file__).resolve().parents[1]

#: The emulator's account where no others are named. Its key is public: every installation of the emulator has the same.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

SERVICES = ("Blob", "Queue", "Table")
#: Where `UseDevelopmentStorage=true` looks for them, in that order.
DEFAULT_PORTS = (10000, 10001, 10002)


class Azurite:
    """A running emulator. With a `location` its data stays there; without one it is kept in memory and lost."""

    def __init__(
        self,
        location: Path | None = None,
        *,
        ports: Sequence[int] = (0, 0, 0),
        log: Path | None = None,
        within: float = 60,
        repository: Path = REPOSITORY,
        accounts: Sequence[str] = (ACCOUNT,),
    ) -> None:
        """Returns once every service answers; raises `Refused` when they do not `within` seconds.

        `ports` are those of the services, 0 picks a free one. Each of the `accounts` has tables, queues and containers
        of its own, and all have the one key. `repository` is where `npm ci` put the emulator; without
        it, or without Node, `Misconfigured` says what to do.
        """
        program = _program(repository)
        self._scratch = Path(tempfile.mkdtemp(prefix="azurite-"))
        self._child = Child(
            "Azurite",
            [*program, *_storage(location), *_options(ports)],
            cwd=self._scratch,
            log=log or self._scratch / "azurite.log",
            announcements=[rf"Azurite {service} service is successfully listening at (\S+)" for service in SERVICES],
            environment={**os.environ, "AZURITE_ACCOUNTS": ";".join(f"{account}:{KEY}" for account in accounts)},
        )
        self._urls = [match[1] for match in self._child.wait_until_ready(within)]
        self.connection_string = self.connection_to(accounts[0])

    def connection_to(self, account: str) -> str:
        """The connection string of one of the accounts; `connection_string` is that of the first."""
        blob, queue, table = (f"{url}/{account}" for url in self._urls)
        return (
            f"DefaultEndpointsProtocol=http;AccountName={account};AccountKey={KEY};"
            f"BlobEndpoint={blob};QueueEndpoint={queue};TableEndpoint={table};"
        )

    @property
    def pid(self) -> int:
        return self._child.pid

    def stop(self) -> None:
        """End this emulator. Stopping twice does no harm."""
        if self._child.exit_code is None:
            self._child.terminate(within=10)
        shutil.rmtree(self._scratch, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


@contextmanager
def running_azurite(location: Path | None = None) -> Iterator[Azurite]:
    """An emulator for the length of a `with` block."""
    with Azurite(location) as azurite:
        yield azurite


def _program(repository: Path) -> list[str]:
    """Node with Azurite's script: not through the `.bin` shell link, so that the id we end is Node's own."""
    node = shutil.which("node")
    if node is None:
        raise Misconfigured(["Node.js is not installed: install Node 20 or later"], system="Azurite")
    link = repository / "node_modules" / ".bin" / "azurite"
    if not link.exists():
        raise Misconfigured([f"Azurite is not installed: run `npm ci` in {repository}"], system="Azurite")
    return [node, str(link.resolve())]


def _storage(location: Path | None) -> list[str]:
    if location is None:
        return ["--inMemoryPersistence"]
    location.mkdir(parents=True, exist_ok=True)
    return ["--location", str(location.resolve())]


def _options(ports: Sequence[int]) -> list[str]:
    pairs = [(f"--{service.lower()}Port", str(port)) for service, port in zip(SERVICES, ports, strict=True)]
    return [*itertools.chain(*pairs), "--silent", "--disableTelemetry", "--skipApiVersionCheck"]
