"""Everything that the demo runs on: storage emulator, sandbox and functions host, started and ended together."""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from local.azurite import Azurite
from local.child import Child
from local.demo.desk import Host, Sandbox
from local.host.keys import DEFAULT_SETTING, MASTER_SETTING
from local.host.process import HostProcess
from shared.bootstrap import make_ports
from shared.environment import setting_names
from shared.settings import PLATFORM_MARKS, load_settings
from shared.sync.ports import Ports

REPOSITORY = Path(__file__).resolve().parents[2]

#: One process works all eight lanes here; on the platform each lane is a process of its own.
ONE_PROCESS = {
    "AzureFunctionsJobHost__extensions__queues__batchSize": "8",
    # Else all eight would have to be done before the next is fetched.
    "AzureFunctionsJobHost__extensions__queues__newBatchThreshold": "7",
    "PYTHON_THREADPOOL_THREAD_COUNT": "16",
    "MANAGE_CALLS_IN_FLIGHT": "8",
}
NOTHING_MORE: Mapping[str, str] = {}
#: Who approves here: a person made up, as nobody can sign in on this machine.
PERSON = "pat@birchline.example"


@dataclass(frozen=True)
class Stage:
    """What is running. `ports` reach the same storage, Manage and vendors as the host does.

    `settings_file` holds the settings in the form of local.settings.json; logs lie beside it.
    """

    host: Host
    sandbox: Sandbox
    ports: Ports
    settings_file: Path


@dataclass(frozen=True)
class Ground:
    """Storage emulator and sandbox, and the settings with which any number of hosts work on them."""

    sandbox: Sandbox
    ports: Ports
    settings: Mapping[str, str]
    settings_file: Path

    def host(self, name: str, *options: str) -> HostProcess:
        """Starts a host whose log lies beside the settings; its timers fire by hand only."""
        log = self.settings_file.with_name(f"{name}.log")
        options = ("--settings", str(self.settings_file.resolve()), "--auth", "--no-timers", *options)
        return HostProcess(REPOSITORY, _environment(self.settings), log=log, options=options)

    def desk(self, host: HostProcess) -> Host:
        """TrueUp's API on one of the hosts."""
        return Host(host.url, self.settings[MASTER_SETTING])


@contextmanager
def set_up(
    companies: int,
    seed: int,
    now: datetime,
    folder: Path,
    *,
    latency: str = "0",
    starting: Callable[[str], None] = lambda _: None,
    more: Mapping[str, str] = NOTHING_MORE,
) -> Iterator[Stage]:
    """A stage for the length of a `with` block; `starting` is told what comes next, `more` are further settings.

    `latency` is the sandbox's, in milliseconds, for all its systems or by system. Raises `Refused` with the end of the
    log of what does not start.
    """
    settings = {**ONE_PROCESS, "TRUEUP_LOCAL_PERSON": f"{PERSON}: TrueUp.Admin", **more}
    with prepared(companies, seed, now, folder, settings, latency=latency, starting=starting) as ground:
        starting("the functions host")
        _fresh(folder / "host.log")
        with ground.host("host", "--drain", "10") as host:
            yield Stage(ground.desk(host), ground.sandbox, ground.ports, ground.settings_file)


@contextmanager
def prepared(
    companies: int,
    seed: int,
    now: datetime,
    folder: Path,
    more: Mapping[str, str],
    *,
    latency: str = "0",
    starting: Callable[[str], None] = lambda _: None,
) -> Iterator[Ground]:
    """Everything but the hosts, for the length of a `with` block. `more` are settings beside the sandbox's own."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        starting("the storage emulator")
        azurite = stack.enter_context(Azurite(log=_fresh(folder / "azurite.log")))
        starting(f"the sandbox with {companies} companies")
        sandbox = stack.enter_context(_sandbox(companies, seed, now, latency, _fresh(folder / "sandbox.log")))
        told = json.loads(sandbox.wait_until_ready(within=120)[0][1])
        settings = {
            **told["settings"],
            **more,
            "AzureWebJobsStorage": azurite.connection_string,
            MASTER_SETTING: secrets.token_urlsafe(24),
            DEFAULT_SETTING: secrets.token_urlsafe(24),
        }
        settings_file = folder / "settings.json"
        settings_file.write_text(json.dumps({"IsEncrypted": False, "Values": settings}, indent=2))
        yield Ground(Sandbox(told["url"]), make_ports(load_settings(settings)), settings, settings_file)


def _sandbox(companies: int, seed: int, now: datetime, latency: str, log: Path) -> Child:
    options = {"companies": companies, "seed": seed, "now": now.isoformat(), "latency-ms": latency}
    arguments = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    return Child(
        "sandbox",
        [sys.executable, "-m", "local.sandbox", *arguments],
        cwd=REPOSITORY,
        environment=_environment({}),
        log=log,
        announcements=[r"^(\{.*\})$"],
    )


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Nothing of a real deployment that this terminal or local.settings.json may know reaches the demo."""
    # A developer's container may set a mark of the platform, where the sandbox's clock is refused.
    unset = dict.fromkeys((*setting_names(), *PLATFORM_MARKS), "")
    return {**os.environ, **unset, "NO_PROXY": "127.0.0.1,localhost", **settings}


def _fresh(log: Path) -> Path:
    log.unlink(missing_ok=True)
    return log
