"""The fleet breaker: when many companies at once reduce or are held for one source, a person looks before the rest.

Counted are companies that apply by themselves, each when it is done and in the transaction that says so: the counts are
exact whatever lanes there are and however often workers die. A run that has stopped for a source stays so. A run on
demand that is started while the finding is open goes on where the night has stopped: a person has looked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from shared.billing.counts import Reading
from shared.billing.findings import Finding, FindingKind
from shared.billing.limits import FleetLimit
from shared.billing.planning.plan import Change, Group
from shared.billing.planning.planner import Facts
from shared.billing.rules import Mode
from shared.state.company_state import MSP, Drop, Put, StateKind
from shared.state.records import OpenFinding
from shared.state.runs import RunHeader
from shared.state.tallies import Tally
from shared.sync.decisions import Judged
from shared.sync.ports import Ports

_KEY = "fleet/"


def counted_for_fleet(facts: Facts, judged: Judged, earlier: Iterable[Change], mode: Mode) -> dict[str, bool]:
    """Every source that was read of a company; True where it reduces or is held. Empty where it does not apply itself.

    `earlier` are changes that earlier looks of the same run wrote.
    """
    if mode is not Mode.AUTO:
        return {}
    undecided = [group for group in judged.plan.groups if judged.is_undecided(group)]
    moving = {group.bill_item for group in undecided if group.held is not None or _reduces(group.changes)}
    written = list(earlier)
    moving |= {change.key.bill_item for change in written if _reduces([change])}
    sources = {source for item in moving for source in judged.plan.sources.get(item, ())}
    return {reading.source: reading.source in sources for reading in facts.readings if isinstance(reading, Reading)}


def stopped_sources(ports: Ports, run: str, facts: Facts, groups: Sequence[Group]) -> tuple[str, ...]:
    """The sources for which the run only plans by now. A single company is no run, and what people approved is written.

    Asked only where something is to be written.
    """
    header = ports.runs.header(run) if groups else None
    if header is None or header.signed is not None:
        return ()
    counts, limit = ports.runs.tally(run), facts.rules.fleet
    stopped = set(header.stopped)
    for source in sorted(counts.keys() - {*header.stopped, *header.released}):
        if _is_beyond(counts[source], limit):
            ports.runs.stop(run, source)
            _open(ports, _finding(run, source, counts[source], limit))
            stopped.add(source)
    return tuple(sorted(stopped))


def goes_on(judged: Judged, group: Group, stopped: Sequence[str]) -> bool:
    """Whether a group is written although the run has stopped for these sources: it has another, or only takes back."""
    fed_by = judged.plan.sources.get(group.bill_item, ())
    return not set(fed_by) & set(stopped) or all(change.is_repair for change in group.changes)


def only_planned(stopped: Sequence[str]) -> str:
    """Why the company's groups were left, for its row of the run."""
    return f"only planned for {', '.join(stopped)}: too many companies of this run reduce or are held there"


def released_sources(ports: Ports) -> tuple[str, ...]:
    """The sources for which a run has stopped, and of which a person knows therefore."""
    findings = ports.company_state.load(MSP).findings
    return tuple(sorted(key.removeprefix(_KEY) for _, key in findings if key.startswith(_KEY)))


def close_healed(ports: Ports, header: RunHeader, limit: FleetLimit) -> None:
    """After a run: what is told of a source closes when the run came past enough companies and did not stop for it."""
    standing = released_sources(ports)
    if not standing:
        return
    counts = ports.runs.tally(header.id)
    healed = [
        Drop(StateKind.FINDING, (FindingKind.HELD.value, f"{_KEY}{source}"))
        for source in standing
        if source not in header.stopped and counts.get(source, Tally()).companies >= limit.after
    ]
    if healed:
        ports.company_state.commit(MSP, healed)


def _reduces(changes: Iterable[Change]) -> bool:
    return sum((change.monthly for change in changes if change.is_guarded), Decimal(0)) < 0


def _is_beyond(counts: Tally, limit: FleetLimit) -> bool:
    return counts.companies >= max(limit.after, 1) and counts.moving * 100 > limit.percent * counts.companies


def _open(ports: Ports, finding: Finding) -> None:
    key = (finding.kind.value, finding.key)
    ports.company_state.commit(MSP, [Put(StateKind.FINDING, key, OpenFinding(finding, ports.clock.now()))])


def _finding(run: str, source: str, counts: Tally, limit: FleetLimit) -> Finding:
    return Finding(
        FindingKind.HELD,
        f"{_KEY}{source}",
        f"In run {run} {counts.moving} of the first {counts.companies} companies reduce or are held for {source}, more "
        f"than {limit.percent:f} %: for {source} the rest of the run is only planned.",
        f"Look at what is planned. If {source} is right, start a sync of all companies: it writes what the guards of "
        "each company let through. If it is not, wait until it is.",
    )
