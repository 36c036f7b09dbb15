"""The fault matrix, read and tried: real adapters against the sandbox, on a store in memory and clocks of our own."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import requests
from ruamel.yaml import YAML

from local.sandbox.faults import FAULTS
from local.sandbox.running import SandboxThread
from local.sandbox.server import Options
from local.sandbox.world.model import Consent, LinkedCompany
from local.sandbox.world.rules import rules_document
from local.sandbox.world.skus import CLOUD, SKUS
from shared.billing.agreements import Addition
from shared.manage.client import ManageClient
from shared.settings import Settings, load_settings
from shared.sources.microsoft365.source import Microsoft365Source
from shared.state.records import Outcome
from shared.sync import rulebook
from shared.sync.company import Order, Synced, sync_company
from shared.sync.ports import Ports
from tests.fakes.house import House
from tests.integration.fault_matrix import expectations
from tests.integration.waiting import eventually

#: Where each kind of call goes: system, method and route.
CALLS = {
    "agreements": ("manage", "GET", "/finance/agreements"),
    "additions": ("manage", "GET", "/finance/agreements/{agreement}/additions"),
    "product": ("manage", "GET", "/procurement/catalog"),
    "create": ("manage", "POST", "/finance/agreements/{agreement}/additions"),
    "update": ("manage", "PATCH", "/finance/agreements/{agreement}/additions/{addition}"),
    "delete": ("manage", "DELETE", "/finance/agreements/{agreement}/additions/{addition}"),
    "batch": ("graph", "POST", "/$batch"),
    "token": ("entra", "POST", "/oauth2/v2.0/token"),
}
KINDS = {"create": "created", "delete": "ended"}

Json = dict[str, Any]


@dataclass
class Time:
    """Seconds as the adapters see them: a pause costs nothing but these, and every look at the clock takes one."""

    passed: float = 0.0

    def now(self) -> float:
        self.passed += 1
        return self.passed

    def pause(self, seconds: float) -> None:
        self.passed += seconds


@dataclass
class World:
    """A made-up MSP with every company settled, so that there is nothing to write but what a test arranges."""

    sandbox: SandboxThread
    settings: Settings
    house: House = field(default_factory=House)
    tries: Iterator[int] = field(default_factory=itertools.count)

    def ports(self) -> Ports:
        """A new process: nothing is kept of tokens and catalogs."""
        time = Time()
        assert self.settings.microsoft is not None
        microsoft = Microsoft365Source(self.settings.microsoft, sleep=time.pause)
        manage = ManageClient(self.settings.manage, pause=time.pause, clock=time.now)
        return replace(self.house.ports, manage=manage, sources={microsoft.name: microsoft})

    def sync(self, company: int) -> Synced:
        return sync_company(self.ports(), Order(company, f"run-{next(self.tries)}", "me"))

    def control(self, method: str, name: str, body: object = None) -> Any:
        answer = requests.request(method, f"{self.sandbox.url}/_sandbox/{name}", json=body, timeout=60)
        assert answer.ok, answer.text
        return answer.json()

    def faults(self, *faults: Json) -> None:
        self.control("PUT", "faults", list(faults))

    def additions(self) -> dict[int, Json]:
        return {line["id"]: line for line in self.control("GET", "additions")["additions"]}

    def seats(self, linked: LinkedCompany, sku: str, enabled: int) -> None:
        self.control("PUT", "seats", {"tenant": linked.tenant, "sku": sku, "enabled": enabled})

    def ours(self, company: int) -> list[Addition]:
        """The standing lines of ours, as the ledger knows them and Manage has them."""
        rows = self.house.ports.company_state.load(company).ledger.values()
        manage = ManageClient(self.settings.manage)
        found = {line.id: line for on in {row.key.agreement for row in rows} for line in manage.additions(on)}
        return [found[row.addition_id] for row in rows if row.addition_id in found]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    options = Options(companies=12, seed=7, now=datetime(2026, 11, 21, 2, tzinfo=UTC))
    with SandboxThread(options) as sandbox:
        settings = {**sandbox.settings(), "AzureWebJobsStorage": "UseDevelopmentStorage=true"}
        made = World(sandbox, load_settings(settings))
        document = rules_document(sandbox.msp, "auto")
        # Without proration a seat more changes one line and adds none: one write per look to go wrong.
        plain = [profile | {"proration": {"rule": "none"}} for profile in document["profiles"]]
        text = io.StringIO()
        companies = [_of_microsoft(each) for each in document["companies"]]
        YAML().dump(document | {"profiles": plain, "companies": companies}, text)
        rulebook.import_rules(made.ports(), text.getvalue())
        yield made


def _of_microsoft(company: dict[str, Any]) -> dict[str, Any]:
    """The company with its Microsoft 365 alone: the other vendors are not connected here."""
    return company | {
        name: [each for each in company.get(name, ()) if each["source"] == "microsoft365"]
        for name in ("links", "licences")
    }


@pytest.fixture(scope="module")
def settled(world: World) -> list[LinkedCompany]:
    """Companies with lines of ours, nothing left to write and nothing to say."""
    msp = world.sandbox.msp
    readable = [linked for linked in msp.linked if msp.tenants[linked.tenant].consent is Consent.GRANTED]
    for linked in readable:
        world.sync(linked.company)
    calm = [
        linked
        for linked in readable
        if world.sync(linked.company).report.outcome is Outcome.UNCHANGED and world.ours(linked.company)
    ]
    assert len(calm) >= 3
    return calm


@pytest.fixture(scope="module")
def unused(world: World, settled: list[LinkedCompany]) -> Iterator[tuple[LinkedCompany, str]]:
    """Companies with SKUs that they do not have and that are billed where a line of ours stands already."""
    tenants = world.sandbox.msp.tenants
    return iter(
        [
            (linked, sku.id)
            for sku in SKUS.values()
            for linked in settled
            if sku.mapped and sku.agreement_type == CLOUD and sku.id not in tenants[linked.tenant].skus()
        ]
    )


@pytest.fixture(autouse=True)
def no_faults(world: World) -> Iterator[None]:
    yield
    world.faults()


@dataclass(frozen=True)
class Pending:
    """One write that a company needs. `is_done` says whether Manage shows it, exactly once."""

    company: int
    kind: str
    is_done: Callable[[], bool]


def more_seats(world: World, settled: list[LinkedCompany]) -> Pending:
    """One seat more on a line of ours."""
    linked, line = next(
        (linked, line)
        for linked in settled
        for line in world.ours(linked.company)
        if line.product in SKUS and line.cancelled_date is None
    )
    sku = SKUS[line.product].id
    world.seats(linked, sku, int(line.quantity) + 1 + _included(linked, sku))

    def is_done() -> bool:
        return Decimal(str(world.additions()[line.id]["quantity"])) == line.quantity + 1

    return Pending(linked.company, "updated", is_done)


def _included(linked: LinkedCompany, sku: str) -> int:
    return 5 if any(licence["sku"] == sku and "profile" in licence for licence in linked.licences) else 0


def new_line(world: World, unused: Iterator[tuple[LinkedCompany, str]]) -> Pending:
    """Four seats of a SKU that the company did not have."""
    linked, sku = next(unused)
    known = set(world.additions())
    world.seats(linked, sku, 4)

    def is_done() -> bool:
        new = [line for number, line in world.additions().items() if number not in known]
        return [line["quantity"] for line in new] == [4.0]

    return Pending(linked.company, "created", is_done)


def second_copy(world: World, settled: list[LinkedCompany], unused: Iterator[tuple[LinkedCompany, str]]) -> Pending:
    """A line of ours that no invoice has seen stands twice, as after a create that came late."""
    made = new_line(world, unused)
    known = set(world.additions())
    world.sync(made.company)
    (line,) = (line for line in world.ours(made.company) if line.id not in known)
    before = set(world.additions())
    names = ("product_id", "quantity", "unit_price", "effective_date", "serial_number", "bill_customer")
    manage = ManageClient(world.settings.manage)
    copy = manage.create_addition(line.agreement_id, {name: getattr(line, name) for name in names})
    assert copy.id not in before
    return Pending(made.company, "ended", lambda: set(world.additions()) == before)


@pytest.mark.parametrize(("call", "fault", "expected"), expectations())
def test_what_comes_of_a_fault(
    world: World,
    settled: list[LinkedCompany],
    unused: Iterator[tuple[LinkedCompany, str]],
    call: str,
    fault: str,
    expected: str,
) -> None:
    if call == "create":
        pending = new_line(world, unused)
    else:
        pending = second_copy(world, settled, unused) if call == "delete" else more_seats(world, settled)
    not_ours = {number: line for number, line in world.additions().items() if not _is_ours(line)}
    system, method, route = CALLS[call]
    word, _, once = fault.partition(" ")
    rule: Json = {"system": system, "method": method, "route": route, "fault": word}
    world.faults(rule | ({"count": 1} if once else {}))
    look = world.sync(pending.company)
    world.faults()
    _EXPECTED[expected](world, pending, look)
    assert pending.is_done()
    assert world.sync(pending.company).report.outcome is Outcome.UNCHANGED
    assert not world.house.ports.company_state.load(pending.company).intents
    assert not {"read-failed", "write-failed", "paused"} & set(world.house.kinds(pending.company))
    assert {number: line for number, line in world.additions().items() if not _is_ours(line)} == not_ours


def _is_ours(line: Json) -> bool:
    return str(line.get("serialNumber") or "").startswith("TU1-")


def _applied(pending: Pending, look: Synced) -> None:
    assert (look.report.outcome, look.report.written) == (Outcome.APPLIED, {pending.kind: 1}), look.report


def _ok(world: World, pending: Pending, look: Synced) -> None:
    _applied(pending, look)


def _not(world: World, pending: Pending, look: Synced) -> None:
    assert (look.report.outcome, look.report.written) == (Outcome.FAILED, {}), look.report
    assert look.report.note
    assert not pending.is_done()
    assert {"read-failed", "write-failed"} & set(world.house.kinds(pending.company))
    _applied(pending, world.sync(pending.company))


def _finding(world: World, pending: Pending, look: Synced) -> None:
    assert look.report.written == {}
    assert look.report.findings
    assert not pending.is_done()
    _applied(pending, world.sync(pending.company))


def _doubted(look: Synced) -> None:
    assert (look.report.outcome, look.report.written) == (Outcome.FAILED, {}), look.report
    assert "not known" in look.report.note
    assert look.again_in


def _unknown(world: World, pending: Pending, look: Synced) -> None:
    _doubted(look)
    _doubted(world.sync(pending.company))
    assert not pending.is_done()
    world.house.clock.pass_by(seconds=world.house.ports.limits.settling)
    _applied(pending, world.sync(pending.company))


def _done(world: World, pending: Pending, look: Synced) -> None:
    _doubted(look)
    eventually(pending.is_done)
    _applied(pending, world.sync(pending.company))


def _believed(world: World, pending: Pending, look: Synced) -> None:
    _applied(pending, look)
    assert not pending.is_done()
    _applied(pending, world.sync(pending.company))


_EXPECTED: dict[str, Callable[[World, Pending, Synced], None]] = {
    "ok": _ok,
    "not": _not,
    "finding": _finding,
    "unknown": _unknown,
    "done": _done,
    "believed": _believed,
}


def test_the_matrix_knows_every_fault_that_there_is() -> None:
    listed = {fault.split()[0].partition(":")[0] for _, fault, _ in expectations()}
    assert listed == FAULTS - {"expired-visa"}  # Cove's own, see its tests
