"""The companies that TrueUp knows: name, mode, links, last outcome, and the lease that lets one worker in at a time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from shared.billing.rules import EVERYTHING, CompanyLink, CompanyRules, Mode, Remit
from shared.errors import Busy, Gone
from shared.state.company_state import OwnRules
from shared.state.company_state_store import CompanyStateStore
from shared.state.documents import Document
from shared.state.ignored import IgnoredSku, holds_ignored, ignored_before
from shared.state.overview import Summary
from shared.state.rows import AlreadyThere, Changed, Row
from shared.state.tables import TableAccess

TABLE = "Companies"
_PARTITION = "company"
_SYSTEM = "state"
#: What stands in the place of the name of a company that was erased.
ERASED = "erased"
#: How often a write is tried again after somebody else came between. More than that is not chance.
_TRIES = 10


@dataclass(frozen=True, slots=True)
class CompanyRow:
    """One company. Times are UTC.

    `lease_token` grows with every lease and never falls: of two holders the one with the lower token is stale.
    `deaths` counts leases of `lease_run` in a row that ran out because their worker died. `waiting` counts groups that
    wait for a person, `decided` those that one decided about and that are not done with. `before_undo` is the mode from
    which an undo took the company to a more careful one, until a person changes the mode on purpose. `summary` is as of
    the last look. `rules_edition` is that of the edit that made its rules: `OwnRules` of another one do not go with it.
    `ignored` are SKUs that are no finding here.
    """

    id: int
    name: str
    mode: Mode = Mode.OBSERVE
    links: tuple[CompanyLink, ...] = ()
    last_outcome: str | None = None
    last_run: str | None = None
    last_at: datetime | None = None
    lease_owner: str | None = None
    lease_until: datetime | None = None
    lease_run: str | None = None
    lease_token: int = 0
    deaths: int = 0
    waiting: int = 0
    decided: int = 0
    summary: Summary = field(default_factory=Summary)
    before_undo: Mode | None = None
    rules_edition: int = 0
    ignored: tuple[IgnoredSku, ...] = ()


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on one company until `until` (UTC), and the company as it was when the lease was taken."""

    company: CompanyRow
    owner: str
    token: int
    until: datetime
    etag: str


_DOCUMENT = Document("company", CompanyRow)


class CompanyStore:
    """One row per company in one partition, so that one query lists them all."""

    def __init__(self, tables: TableAccess, remit: Remit = EVERYTHING) -> None:
        self._tables = tables
        self._states = CompanyStateStore(tables)
        self._remit = remit

    def narrowed(self, remit: Remit) -> CompanyStore:
        """The same companies for somebody who sees only those of a remit: the others are not known."""
        return CompanyStore(self._tables, remit)

    def all(self) -> list[CompanyRow]:
        """Every company, by id."""
        rows = self._read(self._tables.query(TABLE, _PARTITION))
        return [row for row in rows if self._remit.covers(row.id)]

    def get(self, company: int) -> CompanyRow | None:
        if not self._remit.covers(company):
            return None
        row = self._tables.get(TABLE, _PARTITION, _row_key(company))
        return None if row is None else self._read([row])[0]

    def put_rules(
        self,
        rules: CompanyRules,
        sharing: Collection[int] = (),
        *,
        keep_mode: bool = False,
        version: int = 0,
        edition: int = 0,
    ) -> None:
        """Stores a company's rules, and the company when it is new; lease and last outcome stay.

        `sharing` are the other companies that are linked to one of its customers. `keep_mode`: a company that is known
        keeps the mode that it has. `version` is that of the MSP-wide rules beside which they were made. `edition` is
        that of the edit: what it or a later one has stored stays, so that several may put the same edit in force.

        What its sync reads under the lease is written first: a company is never listed before its rules are there.
        """
        own = OwnRules(
            rules.licences,
            rules.adopt_marked,
            rules.guards,
            dict(rules.billed_through),
            tuple(sorted(sharing)),
            version,
            edition,
        )
        self._states.put_rules(rules.company, own)

        def ruled(standing: CompanyRow | None) -> CompanyRow:
            company = standing or CompanyRow(rules.company, rules.name)
            if 0 < edition <= company.rules_edition:
                return company
            told = replace(company, name=rules.name, links=rules.links, rules_edition=edition)
            if standing is not None and keep_mode:
                return told
            return replace(told, mode=rules.mode, before_undo=None)

        self._update(rules.company, ruled)

    def company_rules(self, company: int) -> CompanyRules:
        """The rules as they were put. Raises `Gone` for a company that is not known, `Changed` while they are put."""
        for _ in range(_TRIES):
            row = self.get(company)
            if row is None:
                raise _unknown(company)
            own = self._states.own_rules(company)
            if row.rules_edition == own.edition:
                return CompanyRules(
                    row.id,
                    row.name,
                    row.mode,
                    row.links,
                    own.licences,
                    own.adopt_marked,
                    own.guards,
                    own.billed_through,
                )
        raise just_changed(company)

    def at_most(self, company: int, mode: Mode) -> None:
        """Makes the company's mode this one for an undo, unless it is more careful already.

        What it was before is remembered. Raises `Gone` when the company is not known.
        """

        def careful(standing: CompanyRow | None) -> CompanyRow:
            if standing is None:
                raise _unknown(company)
            careful_mode = standing.mode.at_most(mode)
            if careful_mode is standing.mode:
                return standing
            return replace(standing, mode=careful_mode, before_undo=standing.before_undo or standing.mode)

        self._update(company, careful)

    def change_ignored(
        self, company: int, add: Iterable[IgnoredSku] = (), drop: Collection[tuple[str, str]] = ()
    ) -> None:
        """Says which SKUs, by source and canonical form, are no finding at a company from its next look on.

        Raises `Gone` when the company is not known.
        """

        def changed(standing: CompanyRow | None) -> CompanyRow:
            if standing is None:
                raise _unknown(company)
            ignored = {each.key: each for each in (*standing.ignored, *add) if each.key not in drop}
            return replace(standing, ignored=tuple(ignored.values()))

        self._update(company, changed)

    def take_lease(self, company: int, owner: str, seconds: float, now: datetime, *, run: str | None = None) -> Lease:
        """Takes the company for so many seconds, on behalf of a run if there is one.

        Raises `Busy` while somebody holds it, `Gone` when it is not known. The same owner gets no second lease either:
        its first one may be at work in a process that is not dead yet.
        """
        until = now + timedelta(seconds=seconds)

        def taken(standing: CompanyRow | None) -> CompanyRow:
            free = _free(standing, company, now)
            return replace(
                free,
                lease_owner=owner,
                lease_until=until,
                lease_run=run,
                lease_token=free.lease_token + 1,
                deaths=_deaths(free, run),
            )

        held, etag = self._update(company, taken)
        return Lease(held, owner, held.lease_token, until, etag)

    def release(
        self,
        lease: Lease,
        *,
        outcome: str | None,
        run: str | None,
        now: datetime,
        groups: tuple[int, int] | None = None,
        summary: Summary | None = None,
    ) -> None:
        """Gives the company back and records how the sync ended (`outcome` None: it did nothing worth recording).

        `groups`: how many wait for a person and how many were decided about; None where nobody looked, as
        with `summary`.

        Raises `Busy` when somebody else took the company after this lease had run out; nothing is written then.
        Safe to repeat.
        """
        row = Row(_PARTITION, _row_key(lease.company.id), {}, lease.etag)

        def released(company: CompanyRow) -> CompanyRow:
            waiting, decided = groups or (company.waiting, company.decided)
            free = _released(company, outcome, run, now)
            return replace(free, waiting=waiting, decided=decided, summary=summary or company.summary)

        try:
            self._tables.replace(TABLE, row, _DOCUMENT.encode(released(lease.company)))
        except Changed:
            # A person saved the company's rules meanwhile, or the lease is stale: the token tells.
            self._update(lease.company.id, lambda company: released(_still_held(company, lease)))

    def erase(self, lease: Lease) -> None:
        """Gives the company back with nothing but its number, under which its history stands.

        No night looks at it any more. Raises `Busy` when somebody else took it after this lease had run out, and
        `Changed` when an edit of the rules came between: it may be linked again.
        """

        def erased(company: CompanyRow | None) -> CompanyRow:
            held = _still_held(company, lease)
            if held.rules_edition != lease.company.rules_edition:
                raise just_changed(held.id)
            return CompanyRow(held.id, ERASED, lease_token=held.lease_token, rules_edition=held.rules_edition)

        self._update(lease.company.id, erased)

    def _update(self, company: int, change: Callable[[CompanyRow | None], CompanyRow]) -> tuple[CompanyRow, str]:
        """Reads the row, changes it, writes it unless somebody else did meanwhile, else again. Gives row and etag."""
        key = _row_key(company)
        for _ in range(_TRIES):
            row = self._tables.get(TABLE, _PARTITION, key)
            new = change(None if row is None else self._read([row])[0])
            values = _DOCUMENT.encode(new)
            try:
                if row is None:
                    return new, self._tables.insert(TABLE, _PARTITION, key, values)
                return new, self._tables.replace(TABLE, row, values)
            except (AlreadyThere, Changed):
                continue
        raise Changed(f"company {company} changes faster than it can be written", system=_SYSTEM)

    def _read(self, rows: Iterable[Row]) -> list[CompanyRow]:
        """The companies of rows; with those that an older version wrote goes what is ignored there."""
        stored = [(row, _DOCUMENT.decode(row.values)) for row in rows]
        if all(holds_ignored(row) for row, _ in stored):
            return [company for _, company in stored]
        before = ignored_before(self._tables)
        return [
            company if holds_ignored(row) else replace(company, ignored=before.get(company.id, ()))
            for row, company in stored
        ]


def _row_key(company: int) -> str:
    return f"{company:010d}"


def _released(company: CompanyRow, outcome: str | None, run: str | None, now: datetime) -> CompanyRow:
    free = replace(company, lease_owner=None, lease_until=None, lease_run=None, deaths=0)
    return free if outcome is None else replace(free, last_outcome=outcome, last_run=run, last_at=now)


def _still_held(company: CompanyRow | None, lease: Lease) -> CompanyRow:
    if company is None or company.lease_token != lease.token:
        raise Busy(
            f"the lease of company {lease.company.id} ran out and somebody else took it",
            system=_SYSTEM,
            remedy="Nothing to do: the other worker records what it finds.",
        )
    return company


def _free(company: CompanyRow | None, id_: int, now: datetime) -> CompanyRow:
    if company is None:
        raise _unknown(id_)
    if company.lease_until is not None and company.lease_until > now:
        raise Busy(
            f"company {id_} is being worked on",
            system=_SYSTEM,
            remedy="Wait until the other worker is done.",
            retry_after=(company.lease_until - now).total_seconds(),
        )
    return company


def _deaths(free: CompanyRow, run: str | None) -> int:
    """A lease that ran out without being given back had a worker that died; how many of the same run did so."""
    died = free.lease_until is not None and run is not None and free.lease_run == run
    return free.deaths + 1 if died else 0


def just_changed(company: int) -> Changed:
    """Part of a company's rules is of one edit and part of another: nothing is to be concluded from them."""
    return Changed(
        f"the rules of company {company} are just being changed",
        system=_SYSTEM,
        remedy="Nothing to do: the next look finds them whole. If it does not, after a restored backup that was made "
        "during an edit, import the rules again.",
    )


def _unknown(company: int) -> Gone:
    return Gone(
        f"company {company} is not known", system=_SYSTEM, remedy="Add the company to the rules and import them again."
    )
