"""Nights in the functions host, eight lanes wide, with slow systems behind it: a quiet one, one with changes, many."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from local.bench.budgets import Measured
from local.bench.by_hand import worked
from local.demo.director import NIGHTFALL, Director, until
from local.demo.moves import choose_moves
from local.demo.performance import FOLDER, OPENING
from local.demo.stage import Stage, set_up
from local.sandbox.systems import SYSTEMS
from local.sandbox.world import Msp, make_msp
from shared.billing.findings import FindingKind
from shared.billing.rules import Mode
from shared.state.records import Outcome
from shared.state.runs import RunHeader
from shared.sync.observe import night_of
from shared.sync.ports import Ports

SEED = 7
LANES = 8
#: Of every call to every system at night, in milliseconds: so long that lanes wait for the systems and not for each
#: other, as they do here, where one process works all of them. On the platform each lane is a process of its own.
LATENCY = 400
#: The same, while one company is synced on demand.
FORCED_LATENCY = 150
#: One company of so many has other seats in the night with changes.
ONE_IN = 33
#: The made-up MSP of `thousand`.
MANY = 1000

#: So many companies are looked at at once before what is measured; that is no part of the measure.
HANDS = 4

#: A night is stuck that takes longer, in seconds: in all, and for each company.
_LONGEST, _LONGEST_EACH = 120, 2
#: Where one of these is open, every active agreement is read: the line that it speaks of may stand on any.
_ASKS_FOR_ALL = {FindingKind.STRAY, FindingKind.CANDIDATES, FindingKind.BLOCKED_CREATE}
#: The vendors that tell of all customers at once.
FLEETS = ("pax8", "huntress", "cove")


@dataclass(frozen=True)
class _Night:
    """One night. `calls` are by system, `to_read` the agreements whose additions it must read.

    `customers` are linked ones by source, `seconds` go from nightfall to the end of the run, `written` are changes that
    reached Manage. `direct` are the tenants that no partner tenant lists: each is asked for its name.
    """

    run: RunHeader
    calls: Mapping[str, int]
    to_read: int
    customers: Mapping[str, int]
    direct: int
    seconds: float

    @property
    def written(self) -> int:
        return sum(self.run.written.values())


def measures(name: str) -> tuple[str, ...]:
    """What is measured of each night, by its name."""
    return tuple(f"{each}-{name}" for each in ("graph", "manage", *FLEETS, "night"))


def nights(companies: int) -> Iterator[Measured]:
    """Calls and wall time of a quiet night, of one in which 3 % of the companies have other seats, and of one sync."""
    with set_up(companies, SEED, OPENING, FOLDER.with_name("bench")) as stage:
        director = _billed_already(stage, companies)
        tomorrow = OPENING.date() + timedelta(days=1)
        yield from _measures("quiet", _night(stage, tomorrow, director.msp))
        _change_seats(stage, director, companies)
        yield from _measures("changed", _night(stage, tomorrow + timedelta(days=1), director.msp))
        yield _forced(stage)


def thousand(_: int) -> Iterator[Measured]:
    """The quiet night of a thousand companies, once."""
    with set_up(MANY, SEED, OPENING, FOLDER.with_name("bench")) as stage:
        director = _billed_already(stage, MANY)
        yield from _measures("thousand", _night(stage, OPENING.date() + timedelta(days=1), director.msp))


def _billed_already(stage: Stage, companies: int) -> Director:
    """Every company was looked at and what it owes is written, in this process and without latency."""
    director = Director(stage, make_msp(companies, SEED, OPENING.date()), lambda *_: None)
    director.put_rules_in_force(Mode.AUTO)
    director.arrange()
    for _ in worked(stage.ports, hands=HANDS):
        pass
    return director


def _slow(stage: Stage, milliseconds: int) -> None:
    stage.sandbox.set_faults([{"system": system, "fault": f"latency:{milliseconds}"} for system in SYSTEMS])


def _change_seats(stage: Stage, director: Director, companies: int) -> None:
    moves = choose_moves(director.msp, director.billed(), SEED)
    for move in moves[: -(-companies // ONE_IN)]:
        stage.sandbox.set_seats(move.tenant, move.sku, enabled=move.enabled, consumed=move.consumed)


def _night(stage: Stage, day: date, msp: Msp) -> _Night:
    """From the tick at nightfall to the end of its run. It is looked at in the tables, which costs the host nothing."""
    companies = stage.ports.companies.all()
    to_read = sum(_agreements_to_read(stage.ports, company.id, day) for company in companies)
    _slow(stage, LATENCY)
    stage.sandbox.set_clock(datetime.combine(day, NIGHTFALL))
    stage.sandbox.forget_calls()
    fired = datetime.now(UTC)
    stage.host.fire("tick")

    def ended() -> RunHeader | None:
        header = stage.ports.runs.header(night_of(day))
        return header if header is not None and header.ended is not None else None

    run = until(ended, f"the night of {day}", _LONGEST + _LONGEST_EACH * len(companies))
    assert run.ended is not None
    links = Counter(link.source for company in stage.ports.companies.all() for link in company.links)
    seconds = (run.ended - fired).total_seconds()
    return _Night(run, stage.sandbox.calls()["total"], to_read, links, len(msp.direct_tenants()), seconds)


def _measures(name: str, night: _Night) -> Iterator[Measured]:
    yield _graph(name, night)
    yield _manage(name, night)
    yield from (_vendor(name, night, vendor) for vendor in FLEETS)
    yield _wall(name, night)


def _graph(name: str, night: _Night) -> Measured:
    """Against one call for every company and one more for direct tenants; what is the same for all, once by a lane."""
    companies, calls = night.run.companies, night.calls["graph"]
    remark = (
        f"{calls} to Graph for {companies} companies, {night.direct} of them direct tenants;"
        f" {night.calls['entra']} to Entra, for tokens"
    )
    allowed = (companies + night.direct + LANES) / companies
    return Measured(f"graph-{name}", calls / companies, allowed, "a company", remark)


def _manage(name: str, night: _Night) -> Measured:
    """Against one call for the agreements and one per agreement to read, for every company.

    A change may take four: whether it is there already, the write, and the agreement before and after. What is the same
    for all companies is read by every lane that begins: the catalog, the billing cycles and the forecasts.
    """
    companies, calls = night.run.companies, night.calls["manage"]
    allowed = (companies + night.to_read + 4 * night.written + 3 * LANES) / companies
    remark = (
        f"{calls} to Manage for {companies} companies with {night.to_read} agreements to read, {night.written} writes"
    )
    return Measured(f"manage-{name}", calls / companies, allowed, "a company", remark)


def _vendor(name: str, night: _Night, vendor: str) -> Measured:
    """Against one call for every customer: reading a vendor's customers together is never to take more."""
    calls, customers = night.calls[vendor], night.customers[vendor]
    remark = f"{calls} to {vendor} for {customers} linked customers of {night.run.companies} companies"
    return Measured(f"{vendor}-{name}", calls / max(customers, 1), 1, "a customer", remark)


def _wall(name: str, night: _Night) -> Measured:
    calls = sum(night.calls.values())
    floor = calls * LATENCY / 1000 / LANES
    remark = f"{night.seconds:.1f} s for {calls} calls of {LATENCY} ms in {LANES} lanes ({floor:.1f} s)"
    return Measured(f"night-{name}", night.seconds / floor, 1.25, "× ideal", remark)


def _forced(stage: Stage) -> Measured:
    _slow(stage, FORCED_LATENCY)
    unchanged = next(row.id for row in stage.ports.companies.all() if row.last_outcome == Outcome.UNCHANGED.value)
    started = time.monotonic()
    stage.host.sync(unchanged)
    remark = f"one company by POST /api/sync, {FORCED_LATENCY} ms a call"
    return Measured("forced", time.monotonic() - started, 3.0, "s", remark)


def _agreements_to_read(ports: Ports, company: int, day: date) -> int:
    """Those that lines of ours are billed on; every active one once a week, and where that is not enough."""
    state = ports.company_state.load(company)
    billed_on = {row.key.agreement for row in state.ledger.values()}
    active = {each.id for each in state.overview.agreements if each.agreement_status == "Active"}
    wants_all = any(FindingKind(kind) in _ASKS_FOR_ALL for kind, _ in state.findings)
    return len(billed_on | active if wants_all or not billed_on or company % 7 == day.weekday() else billed_on)
