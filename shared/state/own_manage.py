"""Which ConnectWise Manage the store belongs to: its lines are known by numbers that mean others in another one."""

from __future__ import annotations

from dataclasses import dataclass

from shared.errors import OtherManage
from shared.state.rows import AlreadyThere, Values
from shared.state.tables import TableAccess

TABLE = "Manage"
_PARTITION = _ROW = "own"


@dataclass(frozen=True, slots=True)
class ManageName:
    """What the settings call a Manage: the company of the login and the host, without its port and in lower case."""

    company: str
    host: str

    def __str__(self) -> str:
        return f"company {self.company} at {self.host}"

    def is_same(self, other: ManageName) -> bool:
        """Whether both name the same Manage; the sign-in does not tell upper from lower case."""
        return (self.company.casefold(), self.host) == (other.company.casefold(), other.host)


class OwnManage:
    """Compares what the settings name with what the store belongs to: once per process, as soon as they are the same.

    A store of which nobody has said it yet takes what the settings name when a company is first looked at.
    """

    def __init__(self, tables: TableAccess, named: ManageName) -> None:
        self._tables = tables
        self._named = named
        self._is_ours = False

    def hold(self) -> None:
        """Has the store belong to what the settings name. Raises `OtherManage` where it belongs to another."""
        if not self._is_ours:
            self._compare(self._known() or self._said())

    def check(self) -> None:
        """Raises `OtherManage` where the store belongs to another one than the settings name. Changes nothing."""
        if not self._is_ours:
            self._compare(self._known())

    def problem(self) -> str | None:
        """The same as a sentence for people; None where nothing is wrong."""
        try:
            self.check()
        except OtherManage as error:
            return f"{error}. {error.remedy}"
        return None

    def rename(self) -> tuple[ManageName | None, ManageName]:
        """Says that what the settings name is the store's own Manage; gives what was known before, and the name now."""
        known = self._known()
        self._tables.put(TABLE, _PARTITION, _ROW, _values(self._named))
        return known, self._named

    def _said(self) -> ManageName | None:
        """What is known once the settings' name was stored, where no other worker was faster."""
        try:
            self._tables.insert(TABLE, _PARTITION, _ROW, _values(self._named))
        except AlreadyThere:
            return self._known()
        return self._named

    def _compare(self, known: ManageName | None) -> None:
        if known is not None and not known.is_same(self._named):
            raise OtherManage(
                f"the store belongs to {known}, but the settings name {self._named}: nothing is read or written there",
                system="settings",
                remedy="Put MANAGE_SITE (or MANAGE_BASE_URL) and MANAGE_COMPANY back, or begin with an empty store. If "
                "it is the same Manage under a new name, say so: python dev.py store same-manage.",
            )
        self._is_ours = known is not None

    def _known(self) -> ManageName | None:
        row = self._tables.get(TABLE, _PARTITION, _ROW)
        return None if row is None else ManageName(str(row.values["company"]), str(row.values["host"]))


def _values(name: ManageName) -> Values:
    return {"company": name.company, "host": name.host}
