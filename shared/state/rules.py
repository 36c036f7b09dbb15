"""The MSP-wide rules, in versions: a run pins one at its start and sees it whole, whatever is saved meanwhile."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from shared.billing.rules import Rules
from shared.errors import Gone
from shared.state.documents import AFTER_SEPARATOR, SEPARATOR, Document, key_parts, row_key
from shared.state.edits import (
    ENTRY,
    HISTORY,
    CompanyEdit,
    RulesEntry,
    Unfinished,
    companies_of,
    edit_rows,
    entry_key,
    number,
    rows_of,
    rows_until,
    to_go,
)
from shared.state.rows import (
    AlreadyThere,
    Changed,
    DeleteRow,
    InsertRow,
    Operation,
    PutRow,
    ReplaceRow,
    Row,
    in_transactions,
)
from shared.state.rules_rows import rows_of_rules, rules_of
from shared.state.tables import TableAccess

TABLE = "Rules"
#: People who edit rules save a version with each edit; a run needs the one that it began with until it has ended.
KEPT_VERSIONS = 20
_PARTITION = "rules"
_HEAD = "head"
_SYSTEM = "state"


@dataclass(frozen=True, slots=True)
class SavedVersion:
    """A version that can be loaded. `saving` names the save that wrote it, `rows` how many rows it wrote."""

    version: int
    saving: str
    rows: int


@dataclass(frozen=True, slots=True)
class Head:
    """The versions kept, newest first; the first one is in force. `edition` grows with every edit, of companies too.

    `unfinished` is the edit that made this edition while not every company has what it says.
    """

    kept: tuple[SavedVersion, ...] = ()
    edition: int = 0
    unfinished: Unfinished | None = None

    @property
    def version(self) -> int:
        return self.kept[0].version if self.kept else 0


_HEAD_DOCUMENT = Document("head of the rules", Head)


class RulesStore:
    """Loads and saves the rules. Versions do not change once saved, so they are kept in the process.

    Every save writes rows of its own and then switches the head to them: a reader finds the old version or the new one,
    never half of one, and what a save that died has left, like a version no longer kept, a later save sweeps away.
    """

    def __init__(self, tables: TableAccess) -> None:
        self._tables = tables
        self._loaded: dict[int, Rules] = {}

    def load(self, version: int | None = None) -> Rules:
        """The rules in force, or one of the last versions; version 0, empty, before the first import.

        A version this process has loaded before costs no round trip when asked for by number. Raises `Gone` for a
        version no longer kept.
        """
        if version is not None and version in self._loaded:
            return self._loaded[version]
        head, _ = self._head()
        wanted = head.version if version is None else version
        if wanted not in self._loaded:
            self._loaded[wanted] = Rules(0) if wanted == 0 else self._read(_saved(head, wanted))
            for old in sorted(self._loaded)[: -KEPT_VERSIONS - 1]:
                self._loaded.pop(old, None)
        return self._loaded[wanted]

    def head(self) -> Head:
        """The versions kept and the edition in force."""
        return self._head()[0]

    def save(
        self,
        rules: Rules,
        *,
        expected: int,
        edition: int | None = None,
        entry: RulesEntry | None = None,
        companies: Sequence[CompanyEdit] = (),
    ) -> int:
        """Makes these rules the ones in force and gives their version, one above `expected`.

        `edition`, where it is given, must be the one in force too. `entry` is added to the history in the same step,
        with what it makes of `companies`: the edit stays unfinished until `finish`, and nobody makes another one.
        Raises `Changed` when the version in force is not `expected`: somebody else saved meanwhile.
        """
        head, standing = self._head()
        _must_be(head, expected, edition)
        self._sweep(head)
        rows = list(rows_of_rules(rules))
        saved = SavedVersion(expected + 1, uuid.uuid4().hex, len(rows))
        prefix = _prefix(saved)
        inserts = [InsertRow(f"{prefix}{key}", document) for key, document in rows]
        self._put_in_force(head, standing, (saved, *head.kept)[:KEPT_VERSIONS], inserts, entry, companies)
        return saved.version

    def note(self, entry: RulesEntry, *, edition: int, companies: Sequence[CompanyEdit] = ()) -> None:
        """Makes an edition of the rules in which only companies' own change. Raises `Changed` as `save` does."""
        head, standing = self._head()
        _must_be(head, head.version, edition)
        self._put_in_force(head, standing, head.kept, [], entry, companies)

    def companies(self, edit: Unfinished) -> list[CompanyEdit]:
        """What an unfinished edit makes of companies. Raises `Changed` where somebody has just finished it."""
        first, before = rows_of(edit)
        found = companies_of(self._tables.query(TABLE, _PARTITION, first=first, before=before))
        if len(found) != edit.companies:
            raise Changed(f"edition {edit.edition} of the rules was finished while it was read", system=_SYSTEM)
        return found

    def finish(self, edit: Unfinished) -> None:
        """Notes that everything that an edit tells is stored. Does nothing where somebody else has noted it."""
        head, standing = self._head()
        if standing is None or head.unfinished != edit:
            return
        operations: list[Operation] = [
            ReplaceRow(_HEAD, standing.etag, _HEAD_DOCUMENT.encode(replace(head, unfinished=None)))
        ]
        key = entry_key(edit.edition, edit.id)
        told = self._tables.get(TABLE, _PARTITION, key)
        if told is not None:
            operations.append(PutRow(key, ENTRY.encode(replace(ENTRY.decode(told.values), done=True))))
        try:
            self._tables.transact(TABLE, _PARTITION, operations)
        except Changed:
            return  # while an edit is unfinished only its end changes the head
        first, before = rows_of(edit)
        self._remove([row.row for row in self._tables.query(TABLE, _PARTITION, first=first, before=before, select=[])])

    def history(self, limit: int, before: int | None = None) -> list[RulesEntry]:
        """The newest changes of the rules, at most `limit`; those before an edition."""
        first = f"{HISTORY}{SEPARATOR}" if before is None else row_key(HISTORY, to_go(before - 1))
        rows = self._tables.query(TABLE, _PARTITION, first=first, before=f"{HISTORY}{AFTER_SEPARATOR}", limit=limit)
        return [ENTRY.decode(row.values) for row in rows]

    def prune_history(self, before: datetime, most: int) -> int:
        """Removes at most so many changes from before then (UTC), never the newest, and says how many.

        Later editions were made later, so halving finds where the old ones begin.
        """
        old, kept = 0, self._head()[0].edition
        while kept - old > 1:
            middle = (old + kept) // 2
            newest = self.history(1, before=middle + 1)
            if newest and newest[0].signed.at >= before:
                kept = middle
            else:
                old = middle
        first, last = row_key(HISTORY, to_go(old)), f"{HISTORY}{AFTER_SEPARATOR}"
        rows = list(self._tables.query(TABLE, _PARTITION, first=first, before=last, select=[], limit=most))
        self._remove([row.row for row in rows])
        return len(rows)

    def _head(self) -> tuple[Head, Row | None]:
        row = self._tables.get(TABLE, _PARTITION, _HEAD)
        return (Head(), None) if row is None else (_HEAD_DOCUMENT.decode(row.values), row)

    def _put_in_force(
        self,
        head: Head,
        standing: Row | None,
        kept: tuple[SavedVersion, ...],
        inserts: Sequence[InsertRow],
        entry: RulesEntry | None,
        companies: Sequence[CompanyEdit],
    ) -> None:
        """Stores what is new, then switches the head to it; what edits that died have left goes."""
        first, before = rows_until(head.edition)
        self._remove([row.row for row in self._tables.query(TABLE, _PARTITION, first=first, before=before, select=[])])
        new = Head(kept, entry.edition if entry is not None else head.edition + 1)
        if entry is not None and companies:
            inserts = [*inserts, *edit_rows(entry, companies)]
            new = replace(new, unfinished=Unfinished(entry.edition, entry.id, len(companies)))
        for batch in in_transactions(inserts):
            self._tables.transact(TABLE, _PARTITION, batch)
        try:
            self._switch(standing, new, entry)
        except (AlreadyThere, Changed):
            self._remove([insert.row for insert in inserts])
            raise _superseded(head.version, self._head()[0].version) from None

    def _switch(self, standing: Row | None, head: Head, entry: RulesEntry | None) -> None:
        """The head, and with it what is told of the change: both or neither."""
        values = _HEAD_DOCUMENT.encode(head)
        operations: list[Operation] = [
            InsertRow(_HEAD, values) if standing is None else ReplaceRow(_HEAD, standing.etag, values)
        ]
        if entry is not None:
            told = replace(entry, done=head.unfinished is None)
            operations.append(InsertRow(entry_key(entry.edition, entry.id), ENTRY.encode(told)))
        self._tables.transact(TABLE, _PARTITION, operations)

    def _read(self, saved: SavedVersion) -> Rules:
        prefix = _prefix(saved)
        rows = list(self._tables.query(TABLE, _PARTITION, first=prefix, before=prefix[:-1] + AFTER_SEPARATOR))
        if len(rows) != saved.rows:
            # Saves that came between have swept this version away.
            raise Changed(f"version {saved.version} of the rules was replaced while it was read", system=_SYSTEM)
        return rules_of(saved.version, rows)

    def _sweep(self, head: Head) -> None:
        """Removes versions no longer kept and what dead saves left. A save still under way is above the head."""
        kept = {saved.saving for saved in head.kept}
        above = f"{number(head.version + 1)}{SEPARATOR}"
        rows = self._tables.query(TABLE, _PARTITION, before=above, select=[])
        self._remove([row.row for row in rows if key_parts(row.row)[1] not in kept])

    def _remove(self, keys: Sequence[str]) -> None:
        for batch in in_transactions([DeleteRow(key) for key in keys]):
            self._tables.transact(TABLE, _PARTITION, batch)


def _prefix(saved: SavedVersion) -> str:
    return f"{row_key(number(saved.version), saved.saving)}{SEPARATOR}"


def _saved(head: Head, version: int) -> SavedVersion:
    found = next((saved for saved in head.kept if saved.version == version), None)
    if found is None:
        raise Gone(
            f"version {version} of the rules is not kept any more (the newest is {head.version})",
            system=_SYSTEM,
            remedy="Start a new run: it takes the rules in force.",
        )
    return found


def _must_be(head: Head, version: int, edition: int | None) -> None:
    if head.version != version:
        raise _superseded(version, head.version)
    if head.unfinished is not None:
        raise Changed(
            f"edition {head.edition} of the rules is not in force for every company yet",
            system=_SYSTEM,
            remedy="Wait a moment: it is put in force by itself. Then repeat the change if it is still wanted.",
        )
    if edition not in (None, head.edition):
        raise Changed(
            f"the rules are at edition {head.edition}, not {edition}: somebody else changed them",
            system=_SYSTEM,
            remedy="Look at the rules as they are now, and repeat the change if it is still wanted.",
        )


def _superseded(expected: int, found: int) -> Changed:
    return Changed(
        f"the rules are at version {found}, not {expected}: somebody else saved them",
        system=_SYSTEM,
        remedy="Export the rules again, repeat the change there, and import them.",
    )
