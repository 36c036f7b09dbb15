"""Runs the nights: moves the clock, fires the timer, waits until the run has ended, and looks at what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime
from datetime import time as clock_time
from typing import TypeVar

from local.demo.moves import choose_growth, choose_moves
from local.demo.night import WRITTEN_AS, Json, Name, Night, Told
from local.demo.stage import Stage
from local.demo.vendors import Rmm
from local.sandbox.world import Msp
from local.sandbox.world.rules import rules_document
from shared.billing.rules import Mode
from shared.errors import Incomplete
from shared.rules.document import RulesDocument
from shared.rules.writing import write_rules
from shared.state.company_state import MSP
from shared.sync.rulebook import import_rules

#: When the made-up MSP's night begins, by its schedule, in UTC.
NIGHTFALL = clock_time(2, 0, tzinfo=UTC)
SCHEDULE = "nightly"

#: Seconds: a night of the demo takes a few; what takes longer than this is stuck.
LONGEST_NIGHT = 240
#: Looking costs the host some of the time it works in.
_LOOK_EVERY = 0.5
#: What an RMM has come to watch in ten days.
_MORE_AGENTS = 3
#: As many changes of one company as a night of the demo can write.
_NEWEST = 50

T = TypeVar("T")
Progress = Callable[[str, int, int], None]


class Director:
    """One demo on a stage. `progress` is told which night it is, and how many companies of how many are done.

    With `rmm` one company has what its RMM pushes before every night.
    """

    def __init__(self, stage: Stage, msp: Msp, progress: Progress, rmm: Rmm | None = None) -> None:
        self._stage = stage
        self.msp = msp
        self._progress = progress
        self._rmm = rmm

    def arrange(self) -> None:
        """The first tick ever only notes when the schedule is due; the clock stands before nightfall."""
        self._stage.host.fire("tick")
        until(lambda: self._stage.ports.schedules.get(SCHEDULE), "the first tick to arrange the schedule", 60)

    def put_rules_in_force(self, mode: Mode) -> str:
        """The made-up MSP's rules with every company in this mode; answers the document."""
        rules = rules_document(self.msp, mode.value)
        rules = self._rmm.added_to(rules) if self._rmm is not None else rules
        text = write_rules(RulesDocument.model_validate(rules))
        import_rules(self._stage.ports, text)
        return text

    def pass_days(self, until: date, seed: int) -> tuple[int, int]:
        """Invoices are run up to that day, and on it seats, endpoints, agents and devices move.

        Answers how many invoices, and how many customers' seats.
        """
        self._stage.sandbox.set_clock(datetime.combine(until, NIGHTFALL))
        invoices = self._stage.sandbox.run_invoices(until.isoformat())
        billed = self.billed()
        for growth in choose_growth(self.msp, billed):
            self._stage.sandbox.set_counts(growth.control, growth.body)
        if self._rmm is not None:
            self._rmm.agents += _MORE_AGENTS
        moves = choose_moves(self.msp, billed, seed)
        for move in moves:
            self._stage.sandbox.set_seats(move.tenant, move.sku, enabled=move.enabled, consumed=move.consumed)
        return invoices, len(moves)

    def night(self, name: Name, day: date) -> Night:
        """One night, from the tick at nightfall to the end of its run. Raises `Incomplete` when it does not end."""
        host, sandbox = self._stage.host, self._stage.sandbox
        before = sandbox.additions()
        nightfall = datetime.combine(day, NIGHTFALL)
        sandbox.set_clock(nightfall)
        if self._rmm is not None:
            self._rmm.push(host, nightfall)
        sandbox.forget_calls()
        fired = datetime.now(UTC)
        host.fire("tick")
        run = until(lambda: self._ended(f"{day.isoformat()}-nightly"), f"the night of {day}", LONGEST_NIGHT)
        until(self._is_over, "the tick to note that its job is done", 60)
        calls, after = sandbox.calls(), sandbox.additions()
        details = {row["company"]: host.company(row["company"]) for row in run["rows"] if _is_of_interest(row)}
        return Night(
            name=name,
            day=day,
            run=run,
            details=details,
            findings=host.status()["findings"],
            examples=self._examples(details.values()),
            calls=calls,
            before=before,
            after=after,
            seconds=round((datetime.fromisoformat(run["ended"]) - fired).total_seconds(), 1),
            written=tuple(self._written(run)),
        )

    def _ended(self, run_id: str) -> Json | None:
        run = self._stage.host.run(run_id)
        if run is None:
            return None
        self._progress(run_id, sum(bool(row["outcome"]) for row in run["rows"]), run["companies"])
        return run if run["ended"] else None

    def _is_over(self) -> bool:
        state = self._stage.ports.schedules.get(SCHEDULE)
        return state is not None and state.running_since is None

    def _written(self, run: Json) -> Iterator[Told]:
        """What the run wrote, from the histories of the companies it wrote to."""
        for row in run["rows"]:
            if row.get("written"):
                name = self._stage.host.company(row["company"])["name"]
                for entry in self._stage.ports.company_state.history(row["company"], _NEWEST):
                    change = entry.change
                    if entry.run == run["id"] and change is not None:
                        yield Told(name, WRITTEN_AS[change.kind.value], change.monthly, change.sentence)

    def _examples(self, details: Iterable[Json]) -> dict[str, str]:
        """One open finding in words by its kind, those of the MSP itself among them."""
        open_ones = [(item["kind"], item["text"]) for detail in details for item in detail["findings"]]
        own = self._stage.ports.company_state.load(MSP).findings.values()
        open_ones += [(each.finding.kind.value, each.finding.text) for each in own]
        return dict(reversed(open_ones))

    def billed(self) -> dict[int, frozenset[str]]:
        """The bill items that stand on a line of ours, by company."""
        return {
            linked.company: frozenset(
                row.key.bill_item
                for row in self._stage.ports.company_state.load(linked.company).ledger.values()
                if row.values.quantity > 0
            )
            for linked in self.msp.linked
        }


def until(look: Callable[[], T | None], what: str, within: float) -> T:
    """What `look` answers, as soon as it is true. Raises `Incomplete` when it is not `within` seconds."""
    deadline = time.monotonic() + within
    while not (seen := look()):
        if time.monotonic() > deadline:
            raise Incomplete(
                f"waited {within:g} s for {what} in vain",
                system="demo",
                remedy="Read host.log: it lies where the settings of the demo do, as a rule in .local/demo.",
            )
        time.sleep(_LOOK_EVERY)
    return seen


def _is_of_interest(row: Json) -> bool:
    """Whether a person would open this company after the night."""
    return bool(row.get("planned") or row.get("findings")) or row["outcome"] in ("held", "failed", None)
