"""What there is to tell: read from the store once for everybody whose digest is due."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from shared.billing.planning.plan import Change, Group
from shared.billing.rules import Mode
from shared.state.companies import CompanyRow
from shared.state.company_state import MSP, CompanyState
from shared.state.records import HistoryEntry, Outcome
from shared.sync.approvals import waiting_groups
from shared.sync.ports import Ports
from shared.sync.readable import readable_state

_READ_AT_ONCE = 200
_REQUEST = re.compile(r" \(request [^()]*\)")


@dataclass(frozen=True, slots=True)
class Effect:
    """What something comes to in one currency, "" where Manage tells none: on each invoice from then on, and once."""

    currency: str
    monthly: Decimal
    one_off: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Done:
    """A change that was written: when (UTC), on which business day, and its money effect.

    `only_marks`: it marked a line as ours that was right already. `users_text` is the text on the invoice, which may
    hold the names of users.
    """

    company: int
    name: str
    at: datetime
    day: date
    sentence: str
    effect: Effect
    only_marks: bool = False
    users_text: str = ""


@dataclass(frozen=True, slots=True)
class Waits:
    """A group of a bill item that waits for a person since then (MSP's zone), with the effect of each of its changes.

    `held` is why a guard holds it, None where none does. `only_marks` as for what is done.
    """

    company: int
    name: str
    sentences: tuple[str, ...]
    effects: tuple[Effect, ...]
    held: str | None
    since: datetime
    item: str = ""
    only_marks: bool = False


@dataclass(frozen=True, slots=True)
class Open:
    """A finding that is open since then (MSP's zone); `company` is None for one of the MSP itself."""

    company: int | None
    name: str
    kind: str
    key: str
    text: str
    remedy: str
    opened: datetime


@dataclass(frozen=True, slots=True)
class Failed:
    """A company whose last look failed, and why."""

    company: int
    name: str
    note: str


@dataclass(frozen=True, slots=True)
class Observed:
    """What would be written at a company that is only observed: groups that would raise each invoice."""

    company: int
    raised: tuple[Effect, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """Everything that could be told."""

    done: tuple[Done, ...] = ()
    waits: tuple[Waits, ...] = ()
    open: tuple[Open, ...] = ()
    failed: tuple[Failed, ...] = ()
    observed: tuple[Observed, ...] = ()


def take_picture(ports: Ports, since: datetime) -> Picture:
    """What was written since then (UTC), what waits and what is open now.

    Two round trips a company: its state and its history.
    """
    done: list[Done] = []
    waits: list[Waits] = []
    found = list(open_of_msp(ports))
    failed: list[Failed] = []
    observed: list[Observed] = []
    for row in ports.companies.all():
        state = readable_state(ports, row.id)
        if not isinstance(state, CompanyState):
            failed.append(Failed(row.id, row.name, state))
            continue
        done += _done(row, _entries(ports, row.id, since), state)
        waits += _waits(row, state, ports.time_zone)
        found += open_of(row, state, ports.time_zone)
        failed += _failed(ports, row)
        observed += _observed(row, state)
    return Picture(tuple(done), tuple(waits), tuple(found), tuple(failed), tuple(observed))


def open_of_msp(ports: Ports) -> Iterator[Open]:
    """The open findings of the MSP itself."""
    return _opened(None, "", ports.company_state.load(MSP), ports.time_zone)


def open_of(row: CompanyRow, state: CompanyState, zone: ZoneInfo) -> Iterator[Open]:
    """The open findings of a company."""
    return _opened(row.id, row.name, state, zone)


def without_request(text: str) -> str:
    """The text without the ids of requests, which are others every night."""
    return _REQUEST.sub("", text)


def _opened(company: int | None, name: str, state: CompanyState, zone: ZoneInfo) -> Iterator[Open]:
    for (kind, key), each in sorted(state.findings.items()):
        opened = each.opened.astimezone(zone)
        yield Open(company, name, kind, key, each.finding.text, each.finding.remedy, opened)


def _entries(ports: Ports, company: int, since: datetime) -> Iterator[HistoryEntry]:
    place: tuple[datetime, str] | None = None
    while page := ports.company_state.history(company, _READ_AT_ONCE, place):
        for entry in page:
            if entry.at < since:
                return
            yield entry
        if len(page) < _READ_AT_ONCE:
            return
        place = page[-1].at, page[-1].id


def _done(row: CompanyRow, entries: Iterable[HistoryEntry], state: CompanyState) -> Iterator[Done]:
    for entry in entries:
        change = entry.change
        if change is None:
            continue  # a decision by a person; what came of it is an entry of its own
        text = change.after.invoice_description if change.after is not None else ""
        day = entry.day or entry.at.date()
        effect, only_marks = _effect(change, state), _only_marks(change)
        yield Done(row.id, row.name, entry.at, day, change.sentence, effect, only_marks, text or "")


def _waits(row: CompanyRow, state: CompanyState, zone: ZoneInfo) -> Iterator[Waits]:
    if row.mode is Mode.OBSERVE:
        return
    for group in waiting_groups(state):
        sentences = tuple(change.sentence for change in group.changes)
        since, effects = state.waiting[group.hash].since.astimezone(zone), _effects(group, state)
        only_marks = all(map(_only_marks, group.changes))
        yield Waits(row.id, row.name, sentences, effects, group.held, since, group.bill_item, only_marks)


def _effects(group: Group, state: CompanyState) -> tuple[Effect, ...]:
    return tuple(_effect(change, state) for change in group.changes)


def _only_marks(change: Change) -> bool:
    """Whether a line stays as it was but for the stamp that makes it ours."""
    if change.before is None or change.after is None:
        return False
    return not change.before.is_ours and change.before.changed(serial_number=change.after.serial_number) == change.after


def _effect(change: Change, state: CompanyState) -> Effect:
    """In the currency in which its agreement was last seen to be billed."""
    agreements = (one for one in state.overview.agreements if one.id == change.key.agreement)
    return Effect(next((one.currency or "" for one in agreements), ""), change.monthly, change.one_off)


def _failed(ports: Ports, row: CompanyRow) -> Iterator[Failed]:
    if row.last_outcome != Outcome.FAILED.value:
        return
    run = ports.runs.row(row.last_run, row.id) if row.last_run else None
    note = run.report.note if run is not None and run.report is not None else ""
    yield Failed(row.id, row.name, note)


def _observed(row: CompanyRow, state: CompanyState) -> Iterator[Observed]:
    if row.mode is Mode.OBSERVE and state.plan is not None:
        raised = [effect for group in state.plan.groups if group.monthly > 0 for effect in _effects(group, state)]
        yield Observed(row.id, tuple(raised))
