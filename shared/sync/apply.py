"""Apply a plan: for each change the intent, the write, the record. Nothing is posted twice in one attempt."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import date
from typing import NoReturn
from uuid import uuid4

from shared.billing.agreements import Addition
from shared.billing.findings import Finding, FindingKind
from shared.billing.lines import LineValues
from shared.billing.planning.plan import Change, ChangeKind, Group
from shared.clock import business_date
from shared.errors import Gone, NoEffect, NotPermitted, OutcomeUnknown, Refused, Retryable, TrueUpError
from shared.state.companies import Lease
from shared.state.company_state import CompanyState
from shared.state.records import Decision, HistoryEntry, Intent, Signature
from shared.sync.decisions import Judged
from shared.sync.invoicing import Watch
from shared.sync.measures import measure_write
from shared.sync.overview import Effect
from shared.sync.ports import Ports
from shared.sync.record import close_intent, open_intent, record_applied, record_write

log = logging.getLogger(__name__)


@dataclass
class Applied:
    """What reached Manage and what went wrong. `again_in`: seconds until the company should be looked at again."""

    written: list[ChangeKind] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    done: set[str] = field(default_factory=set)
    again_in: int | None = None


@dataclass(frozen=True)
class Errand:
    """In which run and on whose behalf something is written.

    `note` and `signed` are part of every history entry; `undoes` are the entries that a change takes back, by the
    change's fingerprint.
    """

    run: str
    actor: str
    note: str = ""
    signed: Signature | None = None
    undoes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Sent:
    """What a write left: the addition as Manage now has it, None for one that is gone, and the write's request id."""

    addition: Addition | None
    request: str | None


class _Stop(Exception):
    """Nothing more may be written to this company in this attempt."""


def apply_plan(
    ports: Ports, errand: Errand, lease: Lease, state: CompanyState, judged: Judged, watch: Watch
) -> Applied:
    """Writes the watched groups, in order, as long as the lease leaves time for it; `judged` is what is shown.

    What a person approved is written in that person's name. Expected failures do not raise: they stand in the answer.
    """
    applied = Applied()
    invoiced = {note.agreement: note.first_uninvoiced for note in watch.notes(writing=True)}
    writer = _Writer(ports, errand, lease, state, invoiced, applied)
    with suppress(_Stop):
        for group in watch.groups:
            writer.write(group, judged.approved.get(group.bill_item))
    _look_after_writing(ports, errand, watch, applied)
    unmoved = watch.notes(writing=False) if applied.again_in is None else []
    with suppress(_Stop), writer.remembering():
        record_applied(ports, state, judged.plan, applied.findings, applied.done, applied.effects, unmoved)
    return applied


def _look_after_writing(ports: Ports, errand: Errand, watch: Watch, applied: Applied) -> None:
    """An agreement that was invoiced meanwhile is told of, and the company is looked at again, as when it is unsure."""
    try:
        moved = watch.moved()
    except TrueUpError as error:
        company = watch.plan.company
        log.warning("company %s in run %s: not known whether it was invoiced meanwhile: %s", company, errand.run, error)
        applied.again_in = applied.again_in or ports.limits.busy_delay
        return
    if moved:
        applied.findings += moved
        applied.failures += [finding.text for finding in moved]
        applied.again_in = applied.again_in or ports.limits.busy_delay


@dataclass(frozen=True)
class _Writer:
    """Writes the groups of one company in one attempt."""

    ports: Ports
    errand: Errand
    lease: Lease
    state: CompanyState
    invoiced: Mapping[int, date]
    applied: Applied

    @property
    def company(self) -> int:
        return self.lease.company.id

    def write(self, group: Group, approved: Decision | None) -> None:
        """All changes of one bill item. A refused change leaves the rest of its group undone."""
        for change in group.changes:
            self._refuse_late_write()
            intent = self._intent(change, approved)
            with self.remembering():
                open_intent(self.ports, self.company, intent)
            try:
                sent = self._send(change)
            except TrueUpError as error:
                self._after_failure(group, intent, error)
                return
            approved = approved.having_written(change) if approved is not None else None
            self._written(intent, sent, approved)
        self.applied.done.add(group.bill_item)

    def _intent(self, change: Change, approved: Decision | None) -> Intent:
        hash_, signed = (approved.group.hash, approved.signed) if approved is not None else (None, self.errand.signed)
        return Intent(
            uuid4().hex,
            self.errand.run,
            self.ports.clock.now(),
            change,
            approved=hash_,
            signed=signed,
            uninvoiced_from=self.invoiced.get(change.key.agreement),
            undoes=self.errand.undoes.get(change.fingerprint, ()),
            note=self.errand.note,
        )

    @contextmanager
    def remembering(self) -> Iterator[None]:
        """Inside, only the store is asked. Where it fails, what was sent stands in its intent: look before going on."""
        try:
            yield
        except TrueUpError as error:
            log.warning("company %s in run %s: not recorded: %s", self.company, self.errand.run, error)
            self.applied.failures.append(f"what was done could not be recorded: {error}")
            self.applied.again_in = self.ports.limits.busy_delay
            raise _Stop from error

    def _send(self, change: Change) -> _Sent:
        """The one write to Manage. A line is looked for before it is made and after; one that stands is looked at."""
        if change.kind is ChangeKind.CREATE:
            return self._create(change)
        manage = self.ports.manage
        agreement, addition = change.key.agreement, change.addition
        assert addition is not None
        if change.kind is ChangeKind.DELETE:
            with suppress(Gone):  # a delete that took effect before its answer got lost, or somebody else's
                self._refuse_edited(change, addition)
                manage.delete_addition(agreement, addition)
            return _Sent(None, manage.last_request_id)
        self._refuse_edited(change, addition)
        return _Sent(manage.update_addition(agreement, addition, change.fields()), manage.last_request_id)

    def _refuse_edited(self, change: Change, addition: int) -> None:
        """What a person did to a line since it was planned is neither overwritten nor taken for ours."""
        if LineValues.of(self.ports.manage.addition(change.key.agreement, addition)) != change.before:
            raise Retryable(
                f"addition {addition} does not say any more what it said when it was planned; it was left as it is",
                system="Manage",
                remedy="Nothing to do: the company is looked at again and planned anew.",
            )

    def _create(self, change: Change) -> _Sent:
        manage = self.ports.manage
        agreement = change.key.agreement
        assert change.after is not None
        standing = manage.additions_stamped(agreement, change.after.serial_number)
        if standing:
            raise Refused(f"addition {standing[0].id} already carries the stamp of the line to create", system="Manage")
        made = manage.create_addition(agreement, change.fields())
        sent = _Sent(made, manage.last_request_id)
        if not manage.additions_stamped(agreement, change.after.serial_number):
            raise OutcomeUnknown(
                f"Manage answered with addition {made.id}, but does not list it",
                system="Manage",
                request_id=sent.request,
                remedy="Nothing to do: it is looked for again before it is made again.",
            )
        return sent

    def _written(self, intent: Intent, sent: _Sent, approved: Decision | None = None, note: str = "") -> None:
        addition = sent.addition
        self.applied.written.append(intent.change.kind)
        self.applied.effects.append((intent.change, addition))
        number = addition.id if addition is not None else intent.change.addition
        entry = HistoryEntry(
            intent.id,
            intent.at,
            intent.run,
            intent.signed.by if intent.signed is not None else self.errand.actor,
            number,
            intent.change,
            sent.request,
            "; ".join(part for part in (intent.note, note) if part),
            business_date(self.ports.clock),
            intent.signed,
            intent.uninvoiced_from,
            intent.undoes,
        )
        with self.remembering():
            record_write(self.ports, self.state, intent, entry, addition, approved)
            measure_write(self.company, entry)

    def _after_failure(self, group: Group, intent: Intent, error: TrueUpError) -> None:
        """What is left of an intent after Manage's call failed, and whether other items may still be written."""
        if isinstance(error, OutcomeUnknown):
            self._left_open(intent, error)
        self._failed(group, error)
        if isinstance(error, NoEffect):
            self._without_effect(intent, error)
            return
        with self.remembering():
            close_intent(self.ports, self.company, intent)
        if isinstance(error, NotPermitted | Retryable):
            self.applied.again_in = self.ports.limits.settling if isinstance(error, Retryable) else None
            raise _Stop from error

    def _without_effect(self, intent: Intent, error: NoEffect) -> None:
        """A new line is looked for before anything else; of a standing one is recorded what Manage took of the change.

        Otherwise what it took would look like a person's edit the next time.
        """
        change = intent.change
        if change.kind is ChangeKind.CREATE:
            self._left_open(intent, error)
        answered = error.answered
        if isinstance(answered, Addition) and LineValues.of(answered) != change.before:
            self._written(intent, _Sent(answered, error.request_id), note=f"in part: {error}")
            return
        with self.remembering():
            close_intent(self.ports, self.company, intent)

    def _refuse_late_write(self) -> None:
        """No write begins with less lease left than its own deadline."""
        if self.lease.until - self.ports.clock.now() < self.ports.limits.write_time:
            self.applied.failures.append("the time for this company ran out before everything was written")
            self.applied.again_in = self.ports.limits.busy_delay
            raise _Stop

    def _left_open(self, intent: Intent, error: TrueUpError) -> NoReturn:
        """The intent stays; nothing more is written before it was looked for."""
        log.warning("company %s in run %s: outcome unknown: %s", self.company, self.errand.run, error)
        self.applied.failures.append(f"the outcome of a write is not known: {error}")
        self.applied.again_in = self.ports.limits.settling
        with self.remembering():
            open_intent(self.ports, self.company, replace(intent, unknown_since=self.ports.clock.now()))
        raise _Stop from error

    def _failed(self, group: Group, error: TrueUpError) -> None:
        log.warning("company %s in run %s: %s: %s", self.company, self.errand.run, group.bill_item, error)
        self.applied.failures.append(str(error))
        self.applied.findings.append(
            Finding(
                FindingKind.WRITE_FAILED,
                group.bill_item,
                f"{group.bill_item} could not be written: {error}.",
                error.remedy or "Look at the line in Manage; TrueUp tries again in the next night.",
            )
        )
