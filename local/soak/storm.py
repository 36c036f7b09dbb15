"""The storm: faults at the outside systems, and hosts on one queue that are killed at random moments."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from random import Random

from local.demo.desk import Host, Json, Sandbox
from local.demo.stage import Ground
from local.host.process import HostProcess

HOSTS = 2

_ADDITIONS = "/finance/agreements/{agreement}/additions"
#: What goes wrong while the storm lasts, each with the share of the requests that it hits.
FAULTS: tuple[Json, ...] = (
    {"system": "manage", "fault": "latency:30"},
    {"system": "graph", "fault": "latency:30"},
    {"system": "manage", "fault": "latency:700", "probability": 0.02},
    {"system": "manage", "fault": "429:1", "probability": 0.02},
    {"system": "manage", "fault": "502-html", "probability": 0.02},
    {"system": "manage", "fault": "500-timeout", "probability": 0.01},
    {"system": "manage", "fault": "reset-before", "probability": 0.01},
    {"system": "manage", "method": "GET", "fault": "truncated", "probability": 0.01},
    *(
        {"system": "manage", "method": method, "route": _ADDITIONS, "fault": fault, "probability": 0.04}
        for method in ("POST", "PATCH", "DELETE")
        for fault in ("reset-after", "late-commit:1500", "no-effect", "html-200")
    ),
    {"system": "graph", "fault": "503-html", "probability": 0.03},
    {"system": "graph", "fault": "429:1", "probability": 0.02},
    {"system": "graph", "fault": "truncated", "probability": 0.02},
    {"system": "entra", "fault": "503-html", "probability": 0.05},
)

#: Seconds after which a message comes back whose host was killed.
_REDELIVERY = 3
#: A storm asks for more than a calm night: answers get lost, and work is begun again.
_LONGEST_LIFE = 4
#: Seconds that a host lives at most, also where nothing is asked of the outside systems.
_LONGEST_WAIT = 8.0
#: Up to so many seconds pass between the request that was waited for and the kill: the answer may be on its way, the
#: store may be written.
_JITTER = 0.08
_LOOK_EVERY = 0.02


class Storm:
    """Hosts that are killed until `kills` are spent; after that they live on. `spacing` is a number of requests.

    A host dies a random number of requests after it has begun, `_LONGEST_LIFE` times `spacing` at the most, so that
    kills fall into the work, however fast this machine is.
    """

    def __init__(self, ground: Ground, kills: int, spacing: float, seed: str) -> None:
        self._ground = ground
        self.killed = 0
        self._kills = kills
        self._over = threading.Event()
        self._spacing = spacing
        self._seed = seed
        self._lock = threading.Lock()
        self._living: dict[int, HostProcess] = {}

    @property
    def is_spent(self) -> bool:
        return self.killed >= self._kills

    def desks(self) -> list[Host]:
        """The hosts that live at this moment; any of them may be dead when it is asked."""
        with self._lock:
            return [self._ground.desk(host) for host in self._living.values()]

    @contextmanager
    def raging(self, hosts: Sequence[HostProcess]) -> Iterator[list[HostProcess]]:
        """Kills these hosts and their successors inside the block. The list holds the survivors when it is left."""
        survivors: list[HostProcess] = []
        self._living = dict(enumerate(hosts))
        with ThreadPoolExecutor(len(hosts)) as pool:
            haunted = [pool.submit(self._haunt, number, host) for number, host in enumerate(hosts)]
            try:
                yield survivors
            finally:
                self._over.set()
                survivors += [future.result() for future in haunted]

    def _haunt(self, number: int, host: HostProcess) -> HostProcess:
        """Kills one host after the other; gives the one that is left when no kills are."""
        chance = Random(f"{self._seed}/{number}")
        sandbox = Sandbox(self._ground.sandbox.url)
        while True:
            self._let_live(chance, sandbox)
            if not self._may_kill():
                return host
            with self._lock:
                del self._living[number]
            host.kill()
            host = self._ground.host(f"host-{number}", "--redelivery", str(_REDELIVERY))
            with self._lock:
                self._living[number] = host

    def _let_live(self, chance: Random, sandbox: Sandbox) -> None:
        ends = time.monotonic() + chance.uniform(0.2, _LONGEST_WAIT)
        enough = _requests(sandbox) + chance.uniform(0, _LONGEST_LIFE * self._spacing)
        while not self._over.is_set() and time.monotonic() < ends and _requests(sandbox) < enough:
            time.sleep(_LOOK_EVERY)
        time.sleep(chance.uniform(0, _JITTER))

    def _may_kill(self) -> bool:
        with self._lock:
            if self._over.is_set() or self.is_spent:
                return False
            self.killed += 1
            return True


def start_hosts(ground: Ground) -> list[HostProcess]:
    return [ground.host(f"host-{number}", "--redelivery", str(_REDELIVERY)) for number in range(HOSTS)]


def _requests(sandbox: Sandbox) -> int:
    return sum(sandbox.calls()["total"].values())
