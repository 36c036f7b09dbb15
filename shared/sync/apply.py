"""Apply a plan: for each change the intent, the write, the record. Nothing is posted twice in one attempt."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from datetime import timedelta
from uuid import uuid4

from shared.billing.findings import Finding, FindingKind
from shared.billing.plan import Change, ChangeKind, Group, Plan
from shared.errors import NoEffect, NotPermitted, OutcomeUnknown, Refused, Retryable, TrueUpError
from shared.state.companies import Lease
from shared.state.company_state import CompanyState
from shared.state.records import HistoryEntry, Intent
from shared.sync.ports import Ports
from shared.sync.record import close_intent, open_intent, record_applied, record_write

log = logging.getLogger(__name__)


@dataclass
class Applied:
    """What was written and what went wrong. `again_in`: seconds until the company should be looked at again."""

    written: list[ChangeKind] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    done: set[str] = field(default_factory=set)
    again_in: int | None = None


class _Stop(Exception):
    """Nothing more may be written to this company in this attempt."""


def apply_plan(ports: Ports, run: str, actor: str, lease: Lease, state: CompanyState, plan: Plan) -> Applied:
    """Writes every group that no guard holds, in the plan's order, as long as the lease leaves time for it."""
    applied = Applied()
    writer = _Writer(ports, run, actor, lease, plan.company, applied)
    try:
        for group in plan.applicable:
            writer.write(group)
    except _Stop:
        pass
    record_applied(ports, state, plan, applied.findings, applied.done)
    return applied


@dataclass(frozen=True)
class _Writer:
    """Writes the groups of one company in one attempt."""

    ports: Ports
    run: str
    actor: str
    lease: Lease
    company: int
    applied: Applied

    def write(self, group: Group) -> None:
        """All changes of one bill item. A refused change leaves the rest of its group undone."""
        for change in group.changes:
            self._refuse_late_write()
            intent = self._intent(change)
            try:
                self._write(intent)
            except OutcomeUnknown as error:
                self._left_open(intent, error)
            except NoEffect as error:
                self._failed(group, error)
                if change.kind is ChangeKind.CREATE:
                    self._left_open(intent, error)
                close_intent(self.ports, self.company, intent)
                return
            except (NotPermitted, Retryable) as error:
                close_intent(self.ports, self.company, intent)
                self._failed(group, error)
                self.applied.again_in = self.ports.limits.settling if isinstance(error, Retryable) else None
                raise _Stop from error
            except TrueUpError as error:
                close_intent(self.ports, self.company, intent)
                self._failed(group, error)
                return
        self.applied.done.add(group.bill_item)

    def _intent(self, change: Change) -> Intent:
        intent = Intent(uuid4().hex, self.run, self.ports.clock.now(), change)
        open_intent(self.ports, self.company, intent)
        return intent

    def _write(self, intent: Intent) -> None:
        change = intent.change
        manage = self.ports.manage
        addition = None
        if change.kind is ChangeKind.DELETE:
            assert change.addition is not None
            manage.delete_addition(change.key.agreement, change.addition)
        elif change.kind is ChangeKind.CREATE:
            assert change.after is not None
            standing = manage.additions_stamped(change.key.agreement, change.after.serial_number)
            if standing:
                raise Refused(
                    f"addition {standing[0].id} already carries the stamp of the line to create", system="Manage"
                )
            addition = manage.create_addition(change.key.agreement, change.fields())
        else:
            assert change.addition is not None
            addition = manage.update_addition(change.key.agreement, change.addition, change.fields())
        entry = HistoryEntry(
            intent.id,
            intent.at,
            self.run,
            self.actor,
            addition.id if addition is not None else change.addition,
            change,
            manage.last_request_id,
        )
        record_write(self.ports, self.company, intent, entry, addition)
        self.applied.written.append(change.kind)

    def _refuse_late_write(self) -> None:
        """No write begins with less lease left than its own deadline."""
        left = self.lease.until - self.ports.clock.now()
        if left < timedelta(seconds=self.ports.limits.lease * 0.2):
            self.applied.failures.append("the time for this company ran out before everything was written")
            self.applied.again_in = self.ports.limits.busy_delay
            raise _Stop

    def _left_open(self, intent: Intent, error: TrueUpError) -> None:
        """The intent stays; nothing more is written before it was looked for."""
        open_intent(self.ports, self.company, replace(intent, unknown_since=self.ports.clock.now()))
        log.warning("company %s: outcome unknown: %s", self.company, error)
        self.applied.failures.append(f"the outcome of a write is not known: {error}")
        self.applied.again_in = self.ports.limits.settling
        raise _Stop from error

    def _failed(self, group: Group, error: TrueUpError) -> None:
        log.warning("company %s, %s: %s", self.company, group.bill_item, error)
        self.applied.failures.append(str(error))
        self.applied.findings.append(
            Finding(
                FindingKind.WRITE_FAILED,
                group.bill_item,
                f"{group.bill_item} could not be written: {error}.",
                error.remedy or "Look at the line in Manage; TrueUp tries again in the next night.",
            )
        )
