"""A night in which nothing has changed, worked by the functions host in eight lanes, with slow systems behind it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta

from local.bench.budgets import Measured
from local.demo.director import Director
from local.demo.night import Night
from local.demo.performance import FOLDER, OPENING
from local.demo.stage import set_up
from local.sandbox.world import make_msp
from shared.billing.rules import Mode

SEED = 7
LANES = 8
#: Of every call to Manage and to Graph, in milliseconds.
LATENCY = 150


def nights(companies: int) -> Iterator[Measured]:
    """Calls and wall time of an unchanged night, then one company synced on demand, the host being idle."""
    latency = f"manage={LATENCY},graph={LATENCY},entra={LATENCY}"
    with set_up(companies, SEED, OPENING, FOLDER.with_name("bench"), latency=latency) as stage:
        director = Director(stage, make_msp(companies, SEED, OPENING.date()), lambda *_: None)
        director.put_rules_in_force(Mode.AUTO)
        director.arrange()
        today = OPENING.date()
        director.night("applied", today)
        night = director.night("quiet", today + timedelta(days=1))
        yield _calls(night)
        yield _wall(night)
        unchanged = next(row["company"] for row in night.rows if row["outcome"] == "unchanged")
        started = time.monotonic()
        stage.host.sync(unchanged)
        yield Measured(
            "forced", time.monotonic() - started, 3.0, "s", f"one company by POST /api/sync, {LATENCY} ms a call"
        )


def _calls(night: Night) -> Measured:
    """Against one call to Graph, one for the agreements and one per agreement billed on, for every company."""
    read = {addition["agreementId"] for addition in night.before.values() if _is_ours(addition)}
    companies = night.run["companies"]
    total = night.calls["total"]
    allowed = (2 * companies + len(read)) / companies
    remark = (
        f"{total['graph']} to Graph, {total['manage']} to Manage; {len(read)} agreements billed on, sweeps read more"
    )
    return Measured("calls", (total["graph"] + total["manage"]) / companies, allowed, "a company", remark)


def _wall(night: Night) -> Measured:
    calls = sum(night.calls["total"][system] for system in ("manage", "graph"))
    floor = calls * LATENCY / 1000 / LANES
    remark = f"{night.seconds:.1f} s for {calls} calls of {LATENCY} ms in {LANES} lanes ({floor:.1f} s)"
    return Measured("night", night.seconds / floor, 1.25, "× ideal", remark)


def _is_ours(addition: dict[str, object]) -> bool:
    return str(addition.get("serialNumber") or "").startswith("TU1-")
