"""Keep the contacts of one company: under its lease look, write what may be written, remember, release."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from uuid import uuid4

from shared.billing.contact_rules import ContactMode
from shared.billing.findings import Finding, FindingKind
from shared.clock import business_date
from shared.contacts.contacts import Contact, digests, same
from shared.contacts.kept import Kept, Kind, Written, after, ageing, otherwise
from shared.contacts.plan import Change
from shared.errors import Busy, NoEffect, OutcomeUnknown, Refused, Retryable, TrueUpError
from shared.sources.protocol import AccountSource
from shared.state.companies import Lease
from shared.state.company_state import AddHistory
from shared.state.records import CompanyReport, HistoryEntry, Outcome
from shared.sync.company import Order, Synced, attempted
from shared.sync.contacts.look import Look, look_at
from shared.sync.msp import settle
from shared.sync.ports import Ports
from shared.sync.unfinished import ONLY_PLANNED, InForce, finish_edit

log = logging.getLogger(__name__)

#: The kind of the runs that keep contacts. Their ids end so, by which their messages are told from those of nights.
CONTACTS = "contacts"
#: The words of runs for what was done.
_WORDS = {Kind.CREATE: "created", Kind.DEACTIVATE: "ended"}


def is_of_contacts(run: str) -> bool:
    return run.endswith(f"-{CONTACTS}")


def contact_run(ports: Ports) -> tuple[str, list[int]]:
    """The id of the business day's run, and the companies that have contacts kept."""
    rules = ports.rules.load().contacts
    sources = {name for name, source in ports.sources.items() if isinstance(source, AccountSource)}
    wanted = [
        row.id
        for row in ports.companies.all()
        if rules.mode_of(row.id) is not ContactMode.NONE and any(link.source in sources for link in row.links)
    ]
    return f"{business_date(ports.clock).isoformat()}-{CONTACTS}", wanted


def close_unwanted(ports: Ports, wanted: Collection[int]) -> None:
    """Closes what was told of companies whose contacts are not kept any more."""
    keys = {_key(company) for company in wanted}
    settle(ports, lambda key: key[1].startswith(f"{CONTACTS}/") and key[1] not in keys, [])


def sync_contacts(ports: Ports, order: Order) -> Synced:
    """One company under its lease, like `sync_company`: what goes wrong with it is its outcome.

    While an edit of the rules is in force for part of the companies only, nothing is written.

    Raises `Busy` when another worker holds the company, `Gone` when it is not known, `OtherManage` when the store
    belongs to another Manage, and what the store raises.
    """
    started = time.monotonic()
    ports.own_manage.hold()
    in_force = finish_edit(ports)
    lease = ports.companies.take_lease(order.company, order.owner, ports.limits.lease, ports.clock.now(), run=order.run)
    synced = Synced(CompanyReport(order.company, Outcome.FAILED, "the worker stopped before the company was done"))
    try:
        synced = attempted(ports, lease, lambda: _under_lease(ports, order, lease, in_force))
    finally:
        ports.companies.release(lease, outcome=None, run=None, now=ports.clock.now())
    report = replace(synced.report, seconds=round(time.monotonic() - started, 3))
    log.info("contacts of company %s in run %s: %s", order.company, order.run, report.outcome.value)
    return replace(synced, report=report)


def _under_lease(ports: Ports, order: Order, lease: Lease, in_force: InForce) -> Synced:
    try:
        look = look_at(ports, order.company)
        if look.mode is ContactMode.NONE:
            _tell(ports, order.company, [])
            return Synced(CompanyReport(order.company, Outcome.SKIPPED, "the rules have no contacts kept here"))
        ports.contact_rows.put(order.company, look.resolved.rows)
        writer = _Writer(ports, order.company, lease, look)
        if look.mode is ContactMode.AUTO and not in_force.left:
            writer.write_all()
        if look.released and not _waits(look, writer):
            ports.contact_rows.take_back_release(order.company)
        _record(ports, order, writer.done)
        _forget(ports, look)
        _tell(ports, order.company, _findings(look, writer))
    except Busy:
        raise
    except Retryable as error:
        log.warning("contacts of company %s in run %s: %s", order.company, order.run, error)
        report = CompanyReport(order.company, Outcome.FAILED, str(error))
        return Synced(report, again_in=ports.limits.busy_delay)
    except TrueUpError as error:
        log.warning("contacts of company %s in run %s: %s", order.company, order.run, error)
        _tell(ports, order.company, [_failed(order.company, lease.company.name, [str(error)], error.remedy)])
        return Synced(CompanyReport(order.company, Outcome.FAILED, str(error)))
    waits = [seconds for seconds in (ceil(look.resolved.wait), writer.again_in) if seconds]
    report = _report(look, writer)
    if in_force.left:
        report = replace(report, note="; ".join(part for part in (report.note, ONLY_PLANNED) if part))
    return Synced(report, again_in=max(waits, default=None))


def _waits(look: Look, writer: _Writer) -> bool:
    """Whether what a person released is still to be carried out."""
    return look.released == look.plan.leaving and len(writer.done) < len(look.plan.changes)


def _report(look: Look, writer: _Writer) -> CompanyReport:
    planned, failures = look.plan.changes, [*(str(one.error) for one in look.unread), *writer.failures]
    if failures:
        outcome = Outcome.FAILED
    elif look.plan.held and look.mode is ContactMode.AUTO:
        outcome = Outcome.HELD
    elif writer.done:
        outcome = Outcome.APPLIED
    else:
        outcome = Outcome.PLANNED if planned else Outcome.UNCHANGED
    note = "; ".join(part for part in (look.plan.held and f"held: {look.plan.held}", *failures) if part)
    waiting = 1 if look.plan.held else 0
    return CompanyReport(look.company, outcome, note, _counted(planned), _counted(writer.done), waiting=waiting)


def _forget(ports: Ports, look: Look) -> None:
    """What is remembered of users goes as long after they are gone as the history of a company does."""
    read = {(each.source, each.customer) for each in look.directories if each.accounts}
    there = {account.user.id for each in look.directories for account in each.accounts}
    rows = [row for row in ports.contact_rows.of(look.company).values() if (row.source, row.customer) in read]
    days = ports.rules.load().retention.history_days
    changed, forgotten = ageing(rows, there, business_date(ports.clock), days)
    ports.contact_rows.put(look.company, changed)
    ports.contact_rows.forget(look.company, forgotten)


def _findings(look: Look, writer: _Writer) -> list[Finding]:
    """What a person should know or decide. That a tenant was not read the night tells already."""
    found = []
    if look.plan.held and look.mode is ContactMode.AUTO:
        text = f"{look.name} (company {look.company}): {look.plan.held}; nobody is deactivated meanwhile."
        remedy = "Look at the company's contacts in the console, and release them there or correct the rules."
        found.append(Finding(FindingKind.HELD, _key(look.company), text, remedy))
    if writer.failures:
        found.append(_failed(look.company, look.name, writer.failures, ""))
    return found


def _failed(company: int, name: str, failures: Sequence[str], remedy: str) -> Finding:
    more = f", and {len(failures) - 1} more" if len(failures) > 1 else ""
    text = f"{name} (company {company}): contacts could not be kept: {failures[0]}{more}."
    remedy = remedy or "Look at the contact in Manage and at the user in the directory; it is tried again every day."
    return Finding(FindingKind.WRITE_FAILED, _key(company), text, remedy)


def _tell(ports: Ports, company: int, current: Sequence[Finding]) -> None:
    """Opens what is the case, and closes what has healed."""
    settle(ports, lambda key: key[1] == _key(company), current)


def _key(company: int) -> str:
    return f"{CONTACTS}/{company}"


def _counted(changes: tuple[Change, ...] | list[Change]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for change in changes:
        word = _WORDS.get(change.kind, "updated")
        counts[word] = counts.get(word, 0) + 1
    return dict(sorted(counts.items()))


def _record(ports: Ports, order: Order, done: list[Change]) -> None:
    """What was done stands in the company's history, in numbers: no name is stored."""
    if not done:
        return
    told = ", ".join(f"{count} {word}" for word, count in _counted(done).items())
    entry = HistoryEntry(
        uuid4().hex,
        ports.clock.now(),
        order.run,
        "trueup" if order.signed is None else order.actor,
        None,
        None,
        note=f"contacts: {told}",
        day=business_date(ports.clock),
        signed=order.signed,
    )
    ports.company_state.commit(order.company, [AddHistory(entry)])


@dataclass
class _Writer:
    """Writes the changes of one company in one attempt, each after it is remembered that it was begun.

    `again_in`: seconds until the company should be looked at again.
    """

    ports: Ports
    company: int
    lease: Lease
    look: Look
    done: list[Change] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    again_in: int | None = None

    def write_all(self) -> None:
        """As long as the lease leaves time for it. A change that is refused costs only itself."""
        for change in self.look.plan.applicable:
            if self.lease.until - self.ports.clock.now() < self.ports.limits.write_time:
                self.again_in = self.ports.limits.busy_delay
                return
            try:
                self._write(change)
            except OutcomeUnknown as error:
                self._failed(change, error)
                self.again_in = self.ports.limits.settling
                return
            except Retryable as error:
                self._failed(change, error)
                self.again_in = self.ports.limits.busy_delay
                return
            except TrueUpError as error:
                self._failed(change, error)

    def _write(self, change: Change) -> None:
        """What fails stays begun: the next look sees what of it has happened. What was not made is not looked for."""
        wrote = digests(change.account, change.after)
        row = replace(self._row(change), begun=Written(change.kind, self.ports.clock.now(), wrote))
        if change.kind is Kind.ADOPT and not change.after:
            assert change.contact is not None
            self.ports.contact_rows.put(self.company, [after(row, change.contact)])
        else:
            self.ports.contact_rows.put(self.company, [row])
            contact = self._sent(change, row)
            self.ports.contact_rows.put(self.company, [after(row, contact.id)])
        self.done.append(change)

    def _sent(self, change: Change, row: Kept) -> Contact:
        """The contact as it stands then. A contact that is made later, and not by this, is a person's."""
        try:
            return self._send(change)
        except OutcomeUnknown:
            raise
        except TrueUpError as error:
            made = error.answered if isinstance(error, NoEffect) else None
            if change.kind is Kind.CREATE and isinstance(made, Contact):
                self.ports.contact_rows.put(self.company, [otherwise(row, made, self.look.rules)])
            elif change.kind is Kind.CREATE:
                self.ports.contact_rows.put(self.company, [replace(row, begun=None)])
            raise

    def _row(self, change: Change) -> Kept:
        standing = self.look.kept.get(change.account)
        if standing is None or change.kind in (Kind.CREATE, Kind.ADOPT):
            return Kept(change.account, change.source, change.customer, change.contact)
        return standing

    def _send(self, change: Change) -> Contact:
        desk, rules = self.ports.contacts, self.look.rules
        if change.contact is None:
            return desk.create(self.company, change.after, rules)
        standing = desk.contact(change.contact)
        says = standing.says(rules)
        as_planned = all(same(name, says.get(name, ""), value) for name, value in change.before.items())
        as_planned &= standing.inactive is (change.kind is Kind.REACTIVATE)
        if standing.company != self.company or not as_planned:
            raise Refused(
                f"contact {change.contact} was changed meanwhile",
                system="ConnectWise Manage",
                remedy="Nothing to do: the next look goes by what it says then.",
            )
        return desk.change(standing, change.after, rules, inactive=change.kind is Kind.DEACTIVATE)

    def _failed(self, change: Change, error: TrueUpError) -> None:
        """The directory's id says which user it is, and no log or finding says the name."""
        told = f"{change.kind.value} for user {change.account}: {error}"
        log.warning("company %s, contacts: %s", self.company, told)
        self.failures.append(told)
