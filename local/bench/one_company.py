"""One company at a time in this process: round trips to the tables, CPU, and the planner alone."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import requests

from local.azurite import ACCOUNT
from local.bench.budgets import Measured
from local.bench.by_hand import worked
from local.bench.nights import FLEETS, SEED
from local.demo.director import Director
from local.demo.performance import FOLDER, OPENING
from local.demo.stage import Stage, set_up
from local.sandbox.world import Msp, Tenant, make_msp
from local.sandbox.world.model import Consent
from local.sandbox.world.rules import SOURCE
from local.sandbox.world.skus import SKUS
from shared.billing.planning.planner import plan_company
from shared.billing.rules import Mode
from shared.clock import business_date
from shared.errors import Refused
from shared.state.records import Outcome
from shared.sync.company import Order, sync_company
from shared.sync.observe import observe
from shared.sync.ports import Ports

#: The company of the budgets.
SKUS_HELD, USERS, AGREEMENTS = 9, 50, 2
NEXT_NIGHT = OPENING + timedelta(days=1)

_COMPANIES = 80
_SYNCS = 30
_PLANS = 200
_BARE_CALLS = 200


@dataclass
class _Sent:
    """What went out over `requests` in a block: to the tables and to everything else."""

    tables: int = 0
    others: int = 0
    last_read: requests.PreparedRequest | None = None


@dataclass(frozen=True)
class _Stopped:
    """A clock like the platform's, which costs no call as the sandbox's own does; its day is the made-up MSP's."""

    day: datetime

    def now(self) -> datetime:
        return datetime.now(UTC)

    def business_now(self) -> datetime:
        return self.day


def one_company(_: int) -> Iterator[Measured]:
    """The measures that need no latency, on a sandbox of their own."""
    with set_up(_COMPANIES, SEED, OPENING, FOLDER.with_name("bench")) as stage:
        msp = make_msp(_COMPANIES, SEED, OPENING.date())
        Director(stage, msp, lambda *_: None).put_rules_in_force(Mode.AUTO)
        company = _ordinary_company(stage, msp)
        yield _tables(stage)
        yield _cpu(replace(stage.ports, clock=_Stopped(NEXT_NIGHT)), company)
        yield _plan(stage.ports, company)


def _tables(stage: Stage) -> Measured:
    """Round trips of a worker for a company with nothing to do, its row of the run included: in the next night, as of
    what is the same as in the last one is noted that it was read again.
    """
    _worked(stage.ports)
    stage.sandbox.set_clock(NEXT_NIGHT)
    trips = _worked(stage.ports)
    remark = (
        f"the median of {len(trips)} unchanged companies of a run, without the one for each customer of Pax8, Huntress "
        f"and Cove; the most is {max(trips)}, of the lanes that close the run"
    )
    return Measured("tables", statistics.median(trips), 8, "trips", remark)


def _worked(ports: Ports) -> list[int]:
    """Works a run to its end; the round trips of each company that was unchanged, but for stored readings."""
    trips: dict[int, int] = {}
    run, before = "", 0
    messages = worked(ports)
    with _sent() as sent:
        for message in messages:
            trips[message.company] = sent.tables - before
            run, before = message.run, sent.tables
    unchanged = [row.company for row in ports.runs.rows(run) if row.report and row.report.outcome is Outcome.UNCHANGED]
    stored = Counter(company.id for company in ports.companies.all() for link in company.links if link.source in FLEETS)
    return [trips[company] - stored[company] for company in unchanged]


def _cpu(ports: Ports, company: int) -> Measured:
    """CPU of a whole sync as a run does it, less what as many calls cost with bare clients.

    That is `requests` for Manage and Graph, and the storage SDK, read one small row with, for the tables.
    """
    version = ports.rules.load().version
    with _sent() as sent:
        _sync(ports, company, version)
    others = sent.others + 1  # Graph's one call goes over another client
    whole = _cpu_of(lambda: _sync(ports, company, version), _SYNCS)
    read = sent.last_read
    assert read is not None
    with requests.Session() as session:
        bare = _cpu_of(lambda: session.send(read, timeout=30).content, _BARE_CALLS)
    table = _cpu_of(ports.rules.head, _BARE_CALLS)
    remark = (
        f"{whole * 1000:.1f} ms with {others} calls of {bare * 1000:.2f} ms with the bare HTTP client and "
        f"{sent.tables} of {table * 1000:.2f} ms with the bare storage SDK; the least of {_SYNCS}"
    )
    return Measured("cpu", (whole - others * bare - sent.tables * table) * 1000, 10, "ms", remark)


def _plan(ports: Ports, company: int) -> Measured:
    row = ports.companies.company_rules(company)
    facts = observe(
        ports,
        row,
        ports.company_state.load(company),
        ports.rules.load(),
        business_date(ports.clock),
        live=False,
        night=None,
    ).facts
    seconds = _least(time.perf_counter, lambda: plan_company(facts), _PLANS)
    remark = f"{SKUS_HELD} SKUs, {USERS} users, {len(facts.agreements)} agreements; the least of {_PLANS}"
    return Measured("plan", seconds * 1000, 2, "ms", remark)


def _ordinary_company(stage: Stage, msp: Msp) -> int:
    """A company with nine SKUs, fifty users and two agreements, synced until it is unchanged.

    It is no customer of other vendors: their SKUs would come on top of the nine.
    """
    for linked in msp.linked:
        tenant = msp.tenants[linked.tenant]
        if _can_be_ordinary(tenant) and len(stage.ports.manage.agreements(linked.company)) == AGREEMENTS:
            _link_only(stage.ports, linked.company, SOURCE)
            for sku in _nine_skus(tenant):
                enabled = USERS if sku == SKUS["M365-BP"].id else USERS // 5
                stage.sandbox.set_seats(tenant.id, sku, enabled=enabled, consumed=enabled)
            for _ in range(3):
                if _sync(stage.ports, linked.company) is Outcome.UNCHANGED:
                    return linked.company
    raise Refused("the sandbox has no company that can be made ordinary", system="bench", remedy="Try another seed.")


def _link_only(ports: Ports, company: int, source: str) -> None:
    rules = ports.companies.company_rules(company)
    ports.companies.put_rules(replace(rules, links=tuple(link for link in rules.links if link.source == source)))


def _can_be_ordinary(tenant: Tenant) -> bool:
    paid = {sku.id for sku in SKUS.values()}
    held = paid & set(tenant.skus())
    readable = tenant.consent is Consent.GRANTED and not tenant.answers_empty
    return readable and len(tenant.users) <= USERS and len(held) <= SKUS_HELD


def _nine_skus(tenant: Tenant) -> Sequence[str]:
    """What the tenant has, filled up with other paid SKUs; Business Premium, which all users get, among them."""
    held = [sku.id for sku in SKUS.values() if sku.id in tenant.skus()]
    return list(dict.fromkeys([SKUS["M365-BP"].id, *held, *(sku.id for sku in SKUS.values())]))[:SKUS_HELD]


def _sync(ports: Ports, company: int, rules: int | None = None) -> Outcome:
    return sync_company(ports, Order(company, "bench", "bench", rules=rules)).report.outcome


def _cpu_of(work: Callable[[], object], times: int) -> float:
    """The least CPU of this process in seconds, all its threads, that one time took: others disturb the rest."""
    return _least(time.process_time, work, times)


def _least(clock: Callable[[], float], work: Callable[[], object], times: int) -> float:
    seconds = []
    for _ in range(times):
        started = clock()
        work()
        seconds.append(clock() - started)
    return min(seconds)


@contextmanager
def _sent() -> Iterator[_Sent]:
    """Counts at the one place through which Manage's client and the storage SDK both send."""
    sent = _Sent()
    original = requests.Session.send

    def send(session: requests.Session, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        if urlsplit(request.url or "").path.startswith(f"/{ACCOUNT}"):
            sent.tables += 1
        else:
            sent.others += 1
            sent.last_read = request if request.method == "GET" else sent.last_read
        return original(session, request, **options)

    requests.Session.send = send  # type: ignore[method-assign, assignment]
    try:
        yield sent
    finally:
        requests.Session.send = original  # type: ignore[method-assign]
