"""`dev.py soak`: two nights undisturbed, the same two in a storm, and what differs afterwards."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from local.demo.director import Director
from local.demo.stage import REPOSITORY, prepared, set_up
from local.sandbox.world import Msp, make_msp
from local.soak.compare import Left, differences
from local.soak.storm import start_hosts
from local.soak.worlds import (
    BEFORE,
    FIRST,
    SECOND,
    StormyWorld,
    failed,
    left_by,
    move_seats,
    put_rules_in_force,
    quiet_night,
)

FOLDER = REPOSITORY / ".local" / "soak"
#: Short leases: what a killed host held is taken over while we wait.
STORM_SETTINGS = {"TRUEUP_LEASE_SECONDS": "5"}

Say = Callable[[str], None]


@dataclass(frozen=True)
class Calm:
    """What an undisturbed night leaves, how many calls it made, and the companies it could not finish."""

    left: Left
    calls: int
    failed: frozenset[int]


def soak(companies: int, kills: int, seed: int, *, folder: Path = FOLDER) -> int:
    """Prints what happened and every difference; 0 only if there is none. Everything that is started is ended."""
    started = time.monotonic()

    def say(what: str) -> None:
        print(f"{time.monotonic() - started:6.0f} s  {what}", flush=True)

    say(f"soak of {companies} companies with {kills} kills, seed {seed}")
    shutil.rmtree(folder, ignore_errors=True)
    msp = make_msp(companies, seed, BEFORE.date())
    calm = _undisturbed(msp, companies, folder / "calm", say)
    found = _disturbed(msp, companies, kills, calm, folder / "storm", say)
    for difference in found:
        print(f"  {difference}")
    say("nothing differs" if not found else f"{len(found)} differences; repeat it with --seed {seed}")
    return 1 if found else 0


def _undisturbed(msp: Msp, companies: int, folder: Path, say: Say) -> Mapping[date, Calm]:
    with set_up(companies, msp.seed, BEFORE, folder) as stage:
        director = Director(stage, msp, lambda *_: None)
        put_rules_in_force(stage.ports, msp)
        director.arrange()
        calm = {}
        for day in (FIRST, SECOND):
            if day == SECOND:
                move_seats(director, msp.seed)
            night = director.night("applied", day)
            quiet = quiet_night(director, day)
            say(f"{day} undisturbed: {_counted(night.reached)} in {night.seconds:.0f} s")
            left = left_by(stage.ports, quiet.after)
            calls = sum(night.calls["total"].values())
            calm[day] = Calm(left, calls, frozenset(failed(stage.ports, night.run["id"])))
        return calm


def _disturbed(msp: Msp, companies: int, kills: int, calm: Mapping[date, Calm], folder: Path, say: Say) -> list[str]:
    """Both nights in a storm, healed, and compared with the undisturbed ones. Gives the differences, with the day."""
    found: list[str] = []
    with ExitStack() as stack:
        ground = stack.enter_context(prepared(companies, msp.seed, BEFORE, folder, STORM_SETTINGS))
        world = StormyWorld(ground, msp, start_hosts(ground), msp.seed)
        stack.callback(lambda: _end(world))
        put_rules_in_force(ground.ports, msp)
        world.director().arrange()
        # Most is written in the first night, where every company is new.
        for day, share in ((FIRST, kills - kills // 3), (SECOND, kills // 3)):
            if day == SECOND:
                move_seats(world.director(), msp.seed)
            found += _night_in_a_storm(world, day, share, calm[day], say)
    return found


def _night_in_a_storm(world: StormyWorld, day: date, kills: int, calm: Calm, say: Say) -> list[str]:
    stormed = world.storm(day, kills, calm.calls)
    night = stormed.runs[0]
    gave_up = failed(world.ports, night) - calm.failed
    say(f"{day} in the storm: {stormed.kills} kills over {len(stormed.runs)} runs")
    healing = world.heal(day, set(calm.failed))
    say(f"{day} healed in {len(healing)} runs; the night had left {len(gave_up)} companies for them")
    quiet = quiet_night(world.director(), day)
    found = differences(calm.left, left_by(world.ports, quiet.after))
    if quiet.writes_counted:
        found.append(f"the night after wrote {quiet.writes_counted} times")
    found += [f"company {company} has no outcome" for company in _without_outcome(world, stormed.runs)]
    return [f"{day}: {difference}" for difference in found]


def _without_outcome(world: StormyWorld, runs: tuple[str, ...]) -> list[int]:
    return [row.company for run in runs for row in world.ports.runs.rows(run) if row.report is None]


def _end(world: StormyWorld) -> None:
    for host in world.hosts:
        if host.exit_code is None:
            host.kill()


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "nothing"
