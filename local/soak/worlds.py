"""The two worlds: the same made-up MSP, its nights undisturbed in one and in a storm in the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from datetime import time as clock_time
from random import Random

from local.demo.desk import Host, Json
from local.demo.director import NIGHTFALL, SCHEDULE, Director, until
from local.demo.night import Night
from local.demo.stage import Ground, Stage
from local.host.process import HostProcess
from local.sandbox.world import Msp
from local.sandbox.world.rules import rules_document
from local.soak.compare import Left
from local.soak.storm import FAULTS, Storm
from shared.errors import Incomplete, TrueUpError
from shared.rules.document import RulesDocument
from shared.rules.writing import write_rules
from shared.state.records import Outcome
from shared.sync.ports import Ports
from shared.sync.rulebook import import_rules

FIRST = date(2026, 11, 21)
BEFORE = datetime.combine(FIRST, clock_time(1, 59, tzinfo=NIGHTFALL.tzinfo))
#: On this day invoices have been run, and seats have moved; the night two days later finds it.
MOVED = date(2026, 12, 1)
SECOND = date(2026, 12, 3)
#: So often seats are moved, so that most companies have something to write.
_ROUNDS = 3
#: More than a company of the soak can have.
_ALL_HISTORY = 2000
#: After so many runs without any disturbance every company must be done.
_HEALING = 4
#: Between two looks at a night in the storm, in seconds.
_LOOK_EVERY = 1.0


def put_rules_in_force(ports: Ports, msp: Msp) -> None:
    """Every company in auto mode, and what comes in the middle of a period is charged for the days left."""
    document = rules_document(msp, "auto")
    document["profiles"] = [profile | {"proration": {"rule": "computed"}} for profile in document["profiles"]]
    import_rules(ports, write_rules(RulesDocument.model_validate(document)))


def move_seats(director: Director, seed: int) -> None:
    for moves in range(_ROUNDS):
        director.pass_days(MOVED, seed + moves)


def left_by(ports: Ports, additions: Mapping[int, Json]) -> Left:
    companies = [company.id for company in ports.companies.all()]
    return Left(
        additions,
        {company: ports.company_state.load(company) for company in companies},
        {company: ports.company_state.history(company, _ALL_HISTORY) for company in companies},
    )


def failed(ports: Ports, run: str) -> set[int]:
    """The companies that a run could not finish; in a made-up MSP a few never can be read."""
    rows = ports.runs.rows(run)
    return {row.company for row in rows if row.report is None or row.report.outcome is Outcome.FAILED}


@dataclass(frozen=True)
class Stormed:
    """What a night in a storm went through: kills, and its runs by id."""

    kills: int
    runs: tuple[str, ...]


@dataclass
class StormyWorld:
    """The disturbed one. `hosts` are those that live; every night leaves its survivors."""

    ground: Ground
    msp: Msp
    hosts: list[HostProcess]
    seed: int

    @property
    def ports(self) -> Ports:
        return self.ground.ports

    def director(self) -> Director:
        """What moves this world while no storm rages."""
        desk = self.ground.desk(self.hosts[0])
        stage = Stage(desk, self.ground.sandbox, self.ground.ports, self.ground.settings_file)
        return Director(stage, self.msp, lambda *_: None)

    def storm(self, day: date, kills: int, calls: int) -> Stormed:
        """A night in a storm of so many kills, until its run has ended. `calls` are those of an undisturbed one.

        Where the night is over before the kills are spent, every company is looked at once more.
        """
        sandbox = self.ground.sandbox
        chance = Random(f"soak/{self.seed}/{day}")
        storm = Storm(self.ground, kills, calls / max(kills, 1), f"soak/{self.seed}/{day}")
        night = f"{day.isoformat()}-nightly"
        runs = [night]
        sandbox.set_clock(datetime.combine(day, NIGHTFALL))
        sandbox.set_faults(FAULTS)
        self.ground.desk(self.hosts[0]).fire("tick")
        until(lambda: self._has_begun(night), f"the night of {day} to begin", 120)
        ends = time.monotonic() + 120 + 10 * kills
        with storm.raging(self.hosts) as survivors:
            while not storm.is_spent and time.monotonic() < ends:
                time.sleep(_LOOK_EVERY)
                self._disturb(storm.desks(), chance)
                if not self.ports.runs.open_headers():
                    runs += _asked(storm.desks(), Host.sync_all)
        self.hosts = survivors
        sandbox.set_faults([])
        self._let_end(f"the runs of {day}")
        return Stormed(storm.killed, tuple(runs))

    def heal(self, day: date, never: set[int]) -> list[str]:
        """Looks at every company again, undisturbed, until only those fail that `never` can be read. Gives the runs."""
        runs: list[str] = []
        for _ in range(_HEALING):
            runs.append(self.ground.desk(self.hosts[0]).sync_all())
            self._let_end(f"the healing of {day}")
            if failed(self.ports, runs[-1]) <= never:
                return runs
        stuck = ", ".join(map(str, sorted(failed(self.ports, runs[-1]) - never)))
        raise Incomplete(f"companies {stuck} still fail after {_HEALING} runs without any disturbance", system="soak")

    def _has_begun(self, night: str) -> bool:
        """Whether the tick is through: one that is killed is made up for a quarter of an hour later."""
        schedule = self.ports.schedules.get(SCHEDULE)
        return self.ports.runs.header(night) is not None and schedule is not None and schedule.running_since is None

    def _disturb(self, desks: Sequence[Host], chance: Random) -> None:
        """The watchdog's turn, and a person who wants one company at once."""
        company = chance.choice(self.msp.linked).company
        _asked(desks, lambda desk: desk.fire("watchdog"))
        _asked(chance.sample(desks, len(desks)), lambda desk: desk.sync(company))

    def _let_end(self, what: str) -> None:
        """Fires the watchdog until every run has ended."""

        def ended() -> bool:
            self.ground.desk(self.hosts[0]).fire("watchdog")
            return not self.ports.runs.open_headers()

        until(ended, what, 600)


def _asked(desks: Sequence[Host], ask: Callable[[Host], str | Json | None]) -> list[str]:
    """The answer of the first host that gives one: any of them may be killed over it."""
    for desk in desks:
        with suppress(TrueUpError):
            answer = ask(desk)
            return [answer] if isinstance(answer, str) else []
    return []


def quiet_night(director: Director, day: date) -> Night:
    """The night after: it must have nothing to write."""
    return director.night("quiet", day + timedelta(days=1))
