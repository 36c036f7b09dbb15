"""The users of customers, asked of their directories when somebody wants them, and kept nowhere.

Who took them out stands in the history of each company, with their number and without their names.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.contacts.accounts import Account
from shared.errors import Gone
from shared.sheets.writing import Written, csv_of, workbook_of
from shared.state.companies import CompanyRow
from shared.state.records import Signature
from shared.sync.accounts import Told, links_of, told_of
from shared.sync.approvals import Person, new_run, sign
from shared.sync.ports import Ports
from shared.sync.shapes import people as shapes
from shared.sync.verdicts import record_note

COLUMNS = (
    "company id",
    "company",
    "tenant",
    "name",
    "sign-in name",
    "licences",
    "enabled",
    "guest",
    "directory-synced",
    "password never expires",
    "last sign-in (UTC)",
    "created (UTC)",
    "problem",
)

#: After so long no further company is begun: with the longest read of a tenant it is still within an HTTP answer.
ENOUGH = timedelta(seconds=60)
#: One file: with so many users no further company is begun. A company is in it whole or not at all.
MOST_USERS = 20_000
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Export:
    """What was read. `following`: the companies after this id are not in it, and are asked for next; None: that is all.

    `left` counts them.
    """

    told: tuple[Told, ...]
    following: int | None = None
    left: int = 0


def accounts_of_company(ports: Ports, company: int) -> list[Told]:
    """The accounts of every tenant that a company is linked to. Raises `Gone` for a company that is not known."""
    row = ports.companies.get(company)
    if row is None:
        raise Gone(f"company {company} is not known", remedy="Add the company to the rules and import them.")
    return _of_company(ports, row)


def export_company(ports: Ports, company: int, person: Person) -> Export:
    """The same, and it stands in the company's history. Raises `Gone` for a company that is not known."""
    told = accounts_of_company(ports, company)
    _record(ports, company, told, sign(ports, person), new_run(ports, "users"))
    return Export(tuple(told))


def export_all(ports: Ports, person: Person, after: int = 0) -> Export:
    """The accounts of all companies with a higher id, as many as there is time and room for."""
    rows = [row for row in ports.companies.all() if row.id > after and links_of(ports, row)]
    signed, run, begun = sign(ports, person), new_run(ports, "users"), ports.clock.now()

    def exported(row: CompanyRow) -> list[Told]:
        told = _of_company(ports, row)
        _record(ports, row.id, told, signed, run)
        return told

    found: list[Told] = []
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for at in range(0, len(rows), _AT_ONCE):
            if at and (ports.clock.now() - begun > ENOUGH or users_in(found) >= MOST_USERS):
                return Export(tuple(found), rows[at - 1].id, len(rows) - at)
            found += [told for one in pool.map(exported, rows[at : at + _AT_ONCE]) for told in one]
    return Export(tuple(found))


def users_in(told: Sequence[Told]) -> int:
    return sum(len(one.accounts.rows) for one in told)


def users_csv(export: Export) -> bytes:
    """The users as CSV; what could not be read comes first, and what is not in it."""
    return csv_of(_table(export))


def users_workbook(export: Export) -> bytes:
    """The same as XLSX."""
    return workbook_of([_table(export)])


def shown(told: Told) -> shapes.Accounts:
    """The accounts of one customer for people and programs; `problem` and `remedy` where they could not be read."""
    return {
        "company": told.company,
        "name": told.name,
        "customer": told.customer,
        "problem": str(told.error) if told.error is not None else None,
        "remedy": told.error.remedy if told.error is not None else None,
        "sign_ins_told": told.accounts.sign_ins_told,
        "accounts": [_account(row) for row in told.accounts.rows],
    }


def _of_company(ports: Ports, row: CompanyRow) -> list[Told]:
    return [told_of(ports, row, link) for link in links_of(ports, row)]


def _record(ports: Ports, company: int, told: Sequence[Told], signed: Signature, run: str) -> None:
    note = f"{users_in(told)} users exported"
    record_note(ports, company, run, signed, note)


def _table(export: Export) -> Written:
    failed = [
        (str(one.company), one.name, one.customer, *[""] * 9, f"NOT READ: {one.error} {one.error.remedy}".strip())
        for one in export.told
        if one.error is not None
    ]
    if export.following is not None:
        why = f"THE EXPORT GOES ON: {export.left} companies after company {export.following} are not in this file"
        failed.insert(0, (*[""] * 12, f"{why}. Ask for the next part."))
    return Written("users", COLUMNS, [*failed, *(_row(one, row) for one in export.told for row in one.accounts.rows)])


def _row(told: Told, account: Account) -> tuple[str, ...]:
    user = account.user
    flags = (user.enabled, user.guest, account.synced, account.password_never_expires)
    last = _minute(account.last_sign_in) or ("never" if told.accounts.sign_ins_told else "not told")
    return (
        str(told.company),
        told.name,
        told.customer,
        user.name,
        account.sign_in_name,
        "; ".join(account.licences),
        *("yes" if flag else "no" for flag in flags),
        last,
        _minute(account.created),
        "",
    )


def _account(account: Account) -> shapes.Account:
    user = account.user
    return {
        "name": user.name,
        "sign_in_name": account.sign_in_name,
        "licences": list(account.licences),
        "enabled": user.enabled,
        "guest": user.guest,
        "synced": account.synced,
        "password_never_expires": account.password_never_expires,
        "last_sign_in": account.last_sign_in.isoformat() if account.last_sign_in is not None else None,
        "created": account.created.isoformat() if account.created is not None else None,
    }


def _minute(moment: datetime | None) -> str:
    return moment.strftime("%Y-%m-%d %H:%M") if moment is not None else ""
