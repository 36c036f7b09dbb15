"""The state of companies, a partition each: one transaction commits a step, and one query reads it all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.billing.lines import LedgerRow
from shared.billing.planning.invoiced import Invoiced
from shared.billing.planning.plan import Plan
from shared.billing.seats import SeatRecord
from shared.errors import Refused
from shared.state.balances import CompanyBalance
from shared.state.company_state import (
    AddHistory,
    CompanyState,
    Drop,
    LastCounts,
    OwnRules,
    Put,
    ReadingNote,
    StateChange,
    StateKey,
    StateKind,
)
from shared.state.documents import AFTER_SEPARATOR, SEPARATOR, Document, key_after, key_parts, row_key
from shared.state.large import is_rest, is_whole, rest_of, rest_rows
from shared.state.overview import Overview
from shared.state.records import (
    ChoiceMade,
    Decision,
    HistoryEntry,
    Intent,
    OpenFinding,
    UndoAsked,
    Waiting,
    without_texts,
)
from shared.state.rows import AlreadyThere, Changed, DeleteRow, Operation, PutRow, Row, in_transactions
from shared.state.tables import TableAccess

TABLE = "CompanyState"
_DOCUMENTS: Mapping[StateKind, Document[Any]] = {
    StateKind.RULES: Document("company's rules", OwnRules),
    StateKind.READING: Document("reading", ReadingNote),
    StateKind.SEATS: Document("seat record", SeatRecord),
    StateKind.LEDGER: Document("ledger row", LedgerRow),
    StateKind.INTENT: Document("intent", Intent),
    StateKind.FINDING: Document("finding", OpenFinding),
    StateKind.PLAN: Document("plan", Plan),
    StateKind.WAITING: Document("waiting group", Waiting),
    StateKind.DECISION: Document("decision", Decision),
    StateKind.CHOICE: Document("choice", ChoiceMade),
    StateKind.INVOICED: Document("agreement's invoices", Invoiced),
    StateKind.UNDO: Document("undo", UndoAsked),
    StateKind.OVERVIEW: Document("overview", Overview),
    StateKind.BALANCE: Document("balance", CompanyBalance),
    StateKind.COUNTED: Document("counts before invoices", LastCounts),
}
_HISTORY_DOCUMENT = Document("history entry", HistoryEntry)
#: Written under the lease only, and one of each: they may take several rows.
_MAY_BE_LARGE = frozenset({StateKind.PLAN, StateKind.OVERVIEW, StateKind.COUNTED})
#: How often a company is read that is written meanwhile.
_READS = 3
#: How often rules are written again after somebody else came between. More than that is not chance.
_TRIES = 10
_HISTORY = "~history"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FAR_FUTURE = 10**17


class CompanyStateStore:
    """Reads and commits the state of one company at a time. The caller holds the company's lease."""

    def __init__(self, tables: TableAccess) -> None:
        self._tables = tables

    def load(self, company: int | str) -> CompanyState:
        """All of it but the history, in one query; empty for a company that nothing is known of."""
        rows, rest = self._rows(company)
        found: dict[StateKind, dict[Any, Any]] = {kind: {} for kind in StateKind}
        for row in rows:
            kind, key = _kind_and_key(row)
            found[kind][key] = _DOCUMENTS[kind].decode(row.values, rest_of(row, kind, rest))
        own = found[StateKind.RULES].get("", OwnRules())
        return CompanyState(
            licences=own.licences,
            guards=own.guards,
            adopt_marked=own.adopt_marked,
            billed_through=own.billed_through,
            sharing=own.sharing,
            rules_version=own.version,
            rules_edition=own.edition,
            readings=found[StateKind.READING],
            seats=found[StateKind.SEATS],
            ledger=found[StateKind.LEDGER],
            intents=found[StateKind.INTENT],
            findings=found[StateKind.FINDING],
            plan=found[StateKind.PLAN].get(""),
            waiting=found[StateKind.WAITING],
            decisions=found[StateKind.DECISION],
            choices=found[StateKind.CHOICE],
            invoiced={note.agreement: note for note in found[StateKind.INVOICED].values()},
            undoes=found[StateKind.UNDO],
            overview=found[StateKind.OVERVIEW].get("", Overview()),
            balance=found[StateKind.BALANCE].get(""),
            counted=found[StateKind.COUNTED].get("", LastCounts()),
            rest=frozenset(row.row for row in rest),
        )

    def _rows(self, company: int | str) -> tuple[list[Row], list[Row]]:
        """The rows of documents, and those with the rest of large ones.

        Read again where a document and its rest do not fit: who holds no lease may read while it is written.
        """
        rows: list[Row] = []
        rest: list[Row] = []
        for _ in range(_READS):
            rows, rest = [], []
            for row in self._tables.query(TABLE, str(company), before=_HISTORY):
                (rest if is_rest(row.row) else rows).append(row)
            if is_whole(rows, rest):
                break
        return rows, rest

    def own_rules(self, company: int) -> OwnRules:
        """The rules alone; the defaults for a company that has none."""
        row = self._tables.get(TABLE, str(company), _row_key(StateKind.RULES, ""))
        return OwnRules() if row is None else _DOCUMENTS[StateKind.RULES].decode(row.values)

    def put_rules(self, company: int, own: OwnRules) -> None:
        """Stores a company's rules unless those of the same or of a later edition stand; edition 0 is always stored.

        Needs no lease. Raises `Changed` where others keep writing them.
        """
        kind = StateKind.RULES
        for _ in range(_TRIES):
            row = self._tables.get(TABLE, str(company), _row_key(kind, ""))
            if row is not None and 0 < own.edition <= _DOCUMENTS[kind].decode(row.values).edition:
                return
            values = _DOCUMENTS[kind].encode(own)
            try:
                if row is None:
                    self._tables.insert(TABLE, str(company), _row_key(kind, ""), values)
                else:
                    self._tables.replace(TABLE, row, values)
            except (AlreadyThere, Changed):
                continue
            return
        raise Changed(f"the rules of company {company} change faster than they can be written", system="state")

    def overview(self, company: int) -> Overview:
        """What the last look saw, alone where it fits a row; empty where nobody has looked."""
        row = self._tables.get(TABLE, str(company), _row_key(StateKind.OVERVIEW, ""))
        if row is None:
            return Overview()
        if "generation" in row.values:
            return self.load(company).overview
        found: Overview = _DOCUMENTS[StateKind.OVERVIEW].decode(row.values)
        return found

    def commit(
        self, company: int | str, changes: Sequence[StateChange], rest: frozenset[str] = frozenset()
    ) -> frozenset[str]:
        """Writes the changes in one transaction; only what the service cannot take in one goes in several, in order.

        Of two changes to the same row the later one counts. Safe to repeat. A plan, an overview or the last counts may
        be larger than a row: what does not fit is written before it and what it had before goes after it, so that it
        is whole whenever it is read. `rest` are the rows of that kind as loaded, the answer those that stand now.
        """
        operations: dict[str, Operation] = {}
        large: dict[StateKind, list[PutRow]] = {}
        for change in changes:
            operation, large_rest = _operation(change)
            operations.pop(operation.row, None)
            operations[operation.row] = operation
            if isinstance(change, Put | Drop) and change.kind in _MAY_BE_LARGE:
                large[change.kind] = large_rest
        first = [row for rows in large.values() for row in rows]
        standing = {row.row for row in first}
        last = [DeleteRow(row) for row in sorted(rest - standing) if any(is_rest(row, kind) for kind in large)]
        for batch in in_transactions([*first, *operations.values(), *last]):
            self._tables.transact(TABLE, str(company), batch)
        return (rest | standing) - {row.row for row in last}

    def history(self, company: int | str, limit: int, before: tuple[datetime, str] | None = None) -> list[HistoryEntry]:
        """The newest entries first (those of one moment by id), at most `limit`.

        `before` is (at, id) of the last entry already seen.
        """
        first = f"{_HISTORY}{SEPARATOR}" if before is None else key_after(_history_key(*before))
        rows = self._tables.query(TABLE, str(company), first=first, before=f"{_HISTORY}{AFTER_SEPARATOR}", limit=limit)
        return [_HISTORY_DOCUMENT.decode(row.values) for row in rows]

    def prune_history(self, company: int | str, before: datetime, most: int) -> int:
        """Removes at most so many entries that are older than `before` and says how many; repeat it until none is."""
        first = _history_key(before, "")
        rows = self._tables.query(
            TABLE, str(company), first=first, before=f"{_HISTORY}{AFTER_SEPARATOR}", select=[], limit=most
        )
        operations = [DeleteRow(row.row) for row in rows]
        for batch in in_transactions(operations):
            self._tables.transact(TABLE, str(company), batch)
        return len(operations)

    def erase(self, company: int, edition: int) -> None:
        """Removes everything that is remembered of a company but its history; of that the texts on invoices alone.

        They may name users. What lines were written, when and why stays, for as long as history is kept. So does which
        edit, by its `edition`, made the rules: one that comes late changes nothing, and they go with the company's row.
        Raises `Changed`, with nothing removed, where another edit has made them.
        """
        self._clear_rules(company, edition)
        rows = self._tables.query(
            TABLE, str(company), first=f"{_HISTORY}{SEPARATOR}", before=f"{_HISTORY}{AFTER_SEPARATOR}"
        )
        cleared = (without_texts(_HISTORY_DOCUMENT.decode(row.values)) for row in rows)
        texts = [PutRow(_history_key(entry.at, entry.id), _HISTORY_DOCUMENT.encode(entry)) for entry in cleared]
        for batch in in_transactions(texts):
            self._tables.transact(TABLE, str(company), batch)
        remembered = self._tables.query(TABLE, str(company), before=_HISTORY, select=[])
        rules = _row_key(StateKind.RULES, "")
        for batch in in_transactions([DeleteRow(row.row) for row in remembered if row.row != rules]):
            self._tables.transact(TABLE, str(company), batch)

    def _clear_rules(self, company: int, edition: int) -> None:
        kind = StateKind.RULES
        values = _DOCUMENTS[kind].encode(OwnRules(edition=edition))
        row = self._tables.get(TABLE, str(company), _row_key(kind, ""))
        if row is None:
            self._tables.insert(TABLE, str(company), _row_key(kind, ""), values)
        elif _DOCUMENTS[kind].decode(row.values).edition == edition:
            self._tables.replace(TABLE, row, values)
        else:
            raise Changed(f"the rules of company {company} are just being changed", system="state", remedy="Try again.")


def _operation(change: StateChange) -> tuple[PutRow | DeleteRow, list[PutRow]]:
    """What is done to the row of a change, and the rows with the rest of what does not fit into it."""
    match change:
        case Put(kind, key, value) if kind in _MAY_BE_LARGE:
            values, rest = _DOCUMENTS[kind].encode_split(value)
            return PutRow(_row_key(kind, key), values), rest_rows(kind, values, rest)
        case Put(kind, key, value):
            return PutRow(_row_key(kind, key), _DOCUMENTS[kind].encode(value)), []
        case Drop(kind, key):
            return DeleteRow(_row_key(kind, key)), []
        case AddHistory(entry):
            return PutRow(_history_key(entry.at, entry.id), _HISTORY_DOCUMENT.encode(entry)), []


def _row_key(kind: StateKind, key: StateKey) -> str:
    return row_key(kind, *((key,) if isinstance(key, str) else key))


def _history_key(at: datetime, entry: str) -> str:
    """Sorts the newest entry first: microseconds still to go to a far future, then the id."""
    to_go = _FAR_FUTURE - (at - _EPOCH) // timedelta(microseconds=1)
    return f"{_HISTORY}{SEPARATOR}{row_key(f'{to_go:018d}', entry)}"


def _kind_and_key(row: Row) -> tuple[StateKind, StateKey]:
    kind, *key = key_parts(row.row)
    try:
        return StateKind(kind), key[0] if len(key) == 1 else tuple(key)
    except ValueError:
        raise Refused(
            f"the state of company {row.partition} holds a row of unknown kind {kind!r}",
            system="state",
            remedy="It was written by a newer TrueUp: deploy that one again.",
        ) from None
