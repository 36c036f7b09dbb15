"""The whole house on this machine: storage emulator, sandbox and functions hosts over the real app."""

from __future__ import annotations

import atexit
import io
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal

import requests
from azure.core.exceptions import ResourceExistsError
from azure.storage.queue import QueueServiceClient
from ruamel.yaml import YAML

from local.azurite import Azurite
from local.host.process import REPOSITORY, HostProcess
from local.sandbox.running import SandboxThread
from local.sandbox.server import Options
from local.sandbox.world.model import Consent, Tenant
from local.sandbox.world.rules import rules_document
from shared.bootstrap import make_ports
from shared.settings import PLATFORM_MARKS, load_settings
from shared.state.runs import RunHeader
from shared.sync import rulebook
from shared.sync.ports import Ports
from tests.integration.waiting import eventually

MASTER, KEY = "the-master-key", "the-function-key"
BEFORE_TWO = datetime(2026, 11, 21, 1, 59, tzinfo=UTC)
TWO = datetime(2026, 11, 21, 2, tzinfo=UTC)
NIGHT = "2026-11-21-nightly"
SECOND = 60  # a bound in seconds for one answer, not a measurement

Json = dict[str, Any]
#: What an addition bills, whatever its id: company, agreement, product, quantity, price, dates, stamp.
Line = tuple[Any, ...]


class House:
    """One made-up MSP and everything that TrueUp runs on. Hosts enforce keys, and their timers fire by hand only."""

    def __init__(self, directory: Path, sandbox: SandboxThread, storage: str, settings: dict[str, str]) -> None:
        self.sandbox = sandbox
        self.settings = {
            **sandbox.settings(),
            "AzureWebJobsStorage": storage,
            "HOST_MASTER_KEY": MASTER,
            "HOST_DEFAULT_KEY": KEY,
            # A night that begins is noticed at once, not after the two seconds of host.json.
            "AzureFunctionsJobHost__extensions__queues__maxPollingInterval": "00:00:00.2",
            **dict.fromkeys(PLATFORM_MARKS, ""),  # the tests may run in a container that looks like the platform
            **settings,
        }
        self._directory = directory
        self._hosts: list[HostProcess] = []
        self._queues = QueueServiceClient.from_connection_string(storage)

    # The host

    def host(self, **settings: str) -> HostProcess:
        """Starts one more host; requests go to the newest one that is alive."""
        return self._start(REPOSITORY, settings)

    def host_of_package(self, python: Path, package: Path, packages: Path) -> HostProcess:
        """Starts a host that has a built package, and of this repository nothing but itself."""
        alone = self._directory / "alone"
        alone.mkdir()
        (alone / "local").symlink_to(REPOSITORY / "local")
        return self._start(package, {"PYTHONPATH": f"{package}:{packages}"}, python=python, cwd=alone)

    def _start(self, app: Path, settings: dict[str, str], **how: Path) -> HostProcess:
        log = self._directory / f"host-{len(self._hosts)}.log"
        options = ("--auth", "--no-timers", "--redelivery", "3", "--drain", "2")
        host = HostProcess(app, {**self.settings, **settings}, log=log, options=options, **how)
        self._hosts.append(host)
        return host

    def url(self, path: str) -> str:
        return next(host.url for host in reversed(self._hosts) if host.exit_code is None) + path

    def get(self, path: str, key: str = KEY) -> requests.Response:
        return requests.get(self.url(path), headers={"x-functions-key": key}, timeout=SECOND)

    def post(self, path: str, body: object, key: str = KEY) -> requests.Response:
        return requests.post(self.url(path), json=body, headers={"x-functions-key": key}, timeout=SECOND)

    def sync(self, company: int, **more: object) -> Json:
        """Syncs one company at once; the outcome."""
        answer = self.post("/api/sync", {"companies": [company], **more})
        assert answer.status_code == 200, answer.text
        outcome: Json = answer.json()
        return outcome

    def fire(self, timer: str, *, times: int = 1) -> None:
        """Runs a timer's function by the admin route, so often at once, and waits until all have succeeded."""
        done = f": {timer} succeeded after "
        before = self.logs().count(done)
        for _ in range(times):
            assert self.post(f"/admin/functions/{timer}", {"input": ""}, MASTER).status_code == 202
        eventually(lambda: self.logs().count(done) >= before + times)

    def logs(self) -> str:
        return "".join(host.log.read_text(errors="replace") for host in self._hosts)

    # The night

    def move_to(self, storage: str) -> None:
        """Hosts that are started from now on, and `ports`, use another storage account."""
        self.settings["AzureWebJobsStorage"] = storage
        self.__dict__.pop("ports", None)

    def start_night(self) -> None:
        """The first tick arranges the schedule, the second finds it due."""
        self.fire("tick")
        self.clock(TWO)
        self.fire("tick")

    def ended(self, run: str, *, within: float = 90) -> RunHeader:
        """The run once it has ended."""
        return eventually(lambda: self._ended(run), within=within, every=0.2)

    def _ended(self, run: str) -> RunHeader | None:
        header = self.ports.runs.header(run)
        return header if header is not None and header.ended is not None else None

    # The store and the queue

    @cached_property
    def ports(self) -> Ports:
        """The same stores that the hosts use, to look into and to stand in for another worker."""
        return make_ports(load_settings(self.settings))

    def import_rules(
        self, mode: Literal["observe", "approve", "auto"], *, proration: Json | None = None, **parts: object
    ) -> None:
        """The made-up MSP's rules, with other parts (`schedules=[…]`) or another proration where these are named."""
        text = io.StringIO()
        document = rules_document(self.sandbox.msp, mode) | parts
        if proration is not None:
            document["profiles"] = [profile | {"proration": dict(proration)} for profile in document["profiles"]]
        YAML().dump(document, text)
        rulebook.import_rules(self.ports, text.getvalue())

    def send(self, content: str) -> None:
        """Puts a message on the sync queue exactly as it stands."""
        queue = self._queues.get_queue_client("sync")
        with suppress(ResourceExistsError):
            queue.create_queue()
        queue.send_message(content)

    def waiting(self, queue: str) -> int:
        """How many messages a queue holds, hidden ones too; 0 for one that nobody has made yet."""
        if all(item.name != queue for item in self._queues.list_queues()):
            return 0
        return int(self._queues.get_queue_client(queue).get_queue_properties().approximate_message_count or 0)

    # The sandbox

    def control(self, method: str, name: str, body: object = None) -> Any:
        answer = requests.request(method, f"{self.sandbox.url}/_sandbox/{name}", json=body, timeout=SECOND)
        assert answer.ok, answer.text
        return answer.json()

    def clock(self, now: datetime) -> None:
        self.control("PUT", "clock", {"now": now.isoformat()})

    def faults(self, *faults: Json) -> None:
        self.control("PUT", "faults", list(faults))

    def seats(self, company: int, sku: str, enabled: int) -> None:
        self.control("PUT", "seats", {"tenant": self._tenant_id(company), "sku": sku, "enabled": enabled})

    def skus(self, company: int) -> list[str]:
        return self._tenant(company).skus()

    def additions(self) -> list[Json]:
        found: list[Json] = self.control("GET", "additions")["additions"]
        return found

    def lines(self) -> list[Line]:
        """Every addition by what it bills, in a fixed order; ids are left out."""
        return sorted((_line(addition) for addition in self.additions()), key=repr)

    def stamps(self) -> list[str]:
        return [line["serialNumber"] for line in self.additions() if line.get("serialNumber", "").startswith("TU1-")]

    def writes(self) -> int:
        """Requests that could have changed something in Manage since the calls were counted anew."""
        calls = self.control("GET", "calls")["calls"]
        return sum(call["count"] for call in calls if call["system"] == "manage" and call["method"] != "GET")

    def forget_calls(self) -> None:
        self.control("DELETE", "calls")

    @property
    def companies(self) -> list[int]:
        """Every linked company."""
        return sorted(linked.company for linked in self.sandbox.msp.linked)

    def readable(self) -> list[int]:
        """The companies whose tenant can be read and has something."""
        return [company for company in self.companies if _is_readable(self._tenant(company))]

    def _tenant_id(self, company: int) -> str:
        return next(linked.tenant for linked in self.sandbox.msp.linked if linked.company == company)

    def _tenant(self, company: int) -> Tenant:
        return self.sandbox.msp.tenants[self._tenant_id(company)]

    def close(self) -> None:
        """Nothing is drained: the storage goes as well."""
        for host in self._hosts:
            if host.exit_code is None:
                host.kill()
        self._queues.close()


#: More than one run of all tests takes, whatever is added; the first is for those that keep apart by names.
_ACCOUNTS = tuple(f"tests{number}" for number in range(1000))
_unused = iter(_ACCOUNTS[1:])


@cache
def emulator() -> Azurite:
    """One storage emulator for all tests of this process, in memory: its start takes longer than that of a host."""
    started = Azurite(accounts=_ACCOUNTS)
    atexit.register(started.stop)
    return started


def an_account() -> str:
    """The connection string of a storage account that nobody has used."""
    return emulator().connection_to(next(_unused))


@contextmanager
def a_house(directory: Path, *, companies: int = 12, seed: int = 7, **settings: str) -> Iterator[House]:
    """A house with an account of its own: runs, rules and queues have fixed names. `settings` are for its hosts."""
    options = Options(companies=companies, seed=seed, now=BEFORE_TWO)
    with SandboxThread(options) as sandbox:
        house = House(directory, sandbox, an_account(), settings)
        try:
            yield house
        finally:
            house.close()


def _is_readable(tenant: Tenant) -> bool:
    return tenant.consent is Consent.GRANTED and not tenant.answers_empty and not tenant.vanished


def _line(addition: Json) -> Line:
    names = ("agreementId", "quantity", "unitPrice", "effectiveDate", "cancelledDate", "serialNumber")
    return (addition["product"]["identifier"], *(addition.get(name) for name in names))
