"""Contacts that are kept: which user's each is and digests of what was last written, so that no name is stored."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from shared.contacts.kept import Kept
from shared.state.documents import AFTER_SEPARATOR, SEPARATOR, Document, row_key
from shared.state.records import Signature
from shared.state.rows import DeleteRow, PutRow, in_transactions
from shared.state.tables import TableAccess

TABLE = "Contacts"
_KEPT, _RELEASED = "kept", "released"


@dataclass(frozen=True, slots=True)
class Released:
    """Deactivations that a person released, by their mark."""

    mark: str
    signed: Signature


_ROW = Document("kept contact", Kept)
_RELEASE = Document("release of contacts", Released)


class ContactStore:
    """One partition per company: a row per user, and one for what was last released."""

    def __init__(self, tables: TableAccess) -> None:
        self._tables = tables

    def of(self, company: int) -> dict[str, Kept]:
        """Every user of a company of whom something is remembered, by account."""
        rows = self._tables.query(TABLE, str(company), first=_KEPT + SEPARATOR, before=_KEPT + AFTER_SEPARATOR)
        return {kept.account: kept for kept in (_ROW.decode(row.values) for row in rows)}

    def put(self, company: int, rows: Iterable[Kept]) -> None:
        """Stores what is remembered of users, whatever was there."""
        for batch in in_transactions([PutRow(row_key(_KEPT, row.account), _ROW.encode(row)) for row in rows]):
            self._tables.transact(TABLE, str(company), batch)

    def forget(self, company: int, accounts: Iterable[str]) -> None:
        """Nothing is remembered of these users any more."""
        for batch in in_transactions([DeleteRow(row_key(_KEPT, account)) for account in accounts]):
            self._tables.transact(TABLE, str(company), batch)

    def forget_all(self, company: int) -> None:
        """Nothing is remembered of any user of a company any more."""
        rows = self._tables.query(TABLE, str(company), select=[])
        for batch in in_transactions([DeleteRow(row.row) for row in rows]):
            self._tables.transact(TABLE, str(company), batch)

    def released(self, company: int) -> str:
        """The mark of what was last released; "" where nothing was."""
        row = self._tables.get(TABLE, str(company), _RELEASED)
        return "" if row is None else _RELEASE.decode(row.values).mark

    def take_back_release(self, company: int) -> None:
        """What is released is released once."""
        self._tables.delete(TABLE, str(company), _RELEASED)

    def release(self, company: int, released: Released) -> None:
        self._tables.put(TABLE, str(company), _RELEASED, _RELEASE.encode(released))
