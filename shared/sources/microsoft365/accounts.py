"""From Graph's rows to the accounts of a tenant. Pure; sentences name the list and the field, never a value."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import replace
from datetime import datetime

from shared.contacts.accounts import Account, Accounts
from shared.sources.microsoft365.parse import (
    Row,
    broken,
    flag,
    guid,
    holder_of,
    in_groups,
    optional_text,
    skus_held,
    text,
)

_SKUS, _USERS, _SIGN_INS = "the list of SKUs", "the list of users", "the list of sign-ins"
_SMTP = "smtp:"
_NEVER_EXPIRES = "disablepasswordexpiration"
#: What Graph writes for a time that never was.
_NO_TIME = "0001-01-01"


def accounts_of(
    users: Iterable[Row],
    skus: Iterable[Row],
    sign_ins: Iterable[Row] | None,
    *,
    name_of: Callable[[str, str], str],
    free: Set[str],
    members: Mapping[str, Set[str]],
) -> Accounts:
    """The accounts in rows of users, by name. `sign_ins` None: when they last signed in is not told.

    `name_of` names a SKU by id and part number, `free` are those that Microsoft gives away, `members` the ids of
    everybody in each group that was read. Raises `Incomplete` for what is not what it should be.
    """
    parts = {guid(row, "skuId", _SKUS): text(row, "skuPartNumber", _SKUS) for row in skus}
    signed_in = None if sign_ins is None else {_id(row, _SIGN_INS): _last_sign_in(row) for row in sign_ins}
    found: dict[str, Account] = {}
    for row in users:
        account = _account(row, parts, name_of, free)
        found[account.user.id] = replace(
            account,
            user=in_groups(account.user, members),
            last_sign_in=None if signed_in is None else signed_in.get(account.user.id),
        )
    rows = sorted(found.values(), key=lambda one: (one.user.name.casefold(), one.user.id))
    return Accounts(tuple(rows), sign_ins is not None)


def _account(row: Row, parts: Mapping[str, str], name_of: Callable[[str, str], str], free: Set[str]) -> Account:
    held = sorted(set(skus_held(row, _USERS)))
    mail = optional_text(row, "mail", _USERS) or ""
    phones = _texts(row, "businessPhones")
    policies = (optional_text(row, "passwordPolicies", _USERS) or "").split(",")
    return Account(
        user=holder_of(row, _USERS),
        sign_in_name=optional_text(row, "userPrincipalName", _USERS) or "",
        licences=tuple(sorted({name_of(sku, parts.get(sku, sku)) for sku in held}, key=str.casefold)),
        licensed=any(sku not in free for sku in held),
        synced=flag(row, "onPremisesSyncEnabled", _USERS, absent=False),
        password_never_expires=any(policy.strip().casefold() == _NEVER_EXPIRES for policy in policies),
        created=_moment(row, "createdDateTime", _USERS),
        mail=mail,
        former_mails=_former_mails(_texts(row, "proxyAddresses"), mail),
        given_name=optional_text(row, "givenName", _USERS) or "",
        surname=optional_text(row, "surname", _USERS) or "",
        title=optional_text(row, "jobTitle", _USERS) or "",
        business_phone=phones[0] if phones else "",
        mobile_phone=optional_text(row, "mobilePhone", _USERS) or "",
    )


def _former_mails(addresses: Iterable[str], mail: str) -> tuple[str, ...]:
    """Every other mail address of a user, older primary ones among them; no address of another kind."""
    mails = {one[len(_SMTP) :].strip() for one in addresses if one.casefold().startswith(_SMTP)}
    return tuple(sorted(one for one in mails if one and one.casefold() != mail.casefold()))


def _last_sign_in(row: Row) -> datetime | None:
    """The last successful sign-in; where that is not told the last attempt, a program's on the user's behalf too."""
    activity = row.get("signInActivity")
    if activity is None:
        return None
    if not isinstance(activity, dict):
        raise broken(_SIGN_INS, "signInActivity is not an object")
    successful = _moment(activity, "lastSuccessfulSignInDateTime", _SIGN_INS)
    if successful is not None:
        return successful
    names = ("lastSignInDateTime", "lastNonInteractiveSignInDateTime")
    attempts = [moment for name in names if (moment := _moment(activity, name, _SIGN_INS)) is not None]
    return max(attempts, default=None)


def _id(row: Row, what: str) -> str:
    return text(row, "id", what).casefold()


def _texts(row: Row, field: str) -> list[str]:
    values = row.get(field) or []
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise broken(_USERS, f"{field} is not a list of texts")
    return [value.strip() for value in values if value.strip()]


def _moment(row: Row, field: str, what: str) -> datetime | None:
    """A time (UTC), to the second: fractions may have seven digits."""
    value = optional_text(row, field, what)
    if value is None or value.startswith(_NO_TIME):
        return None
    try:
        return datetime.fromisoformat(f"{value[:19]}+00:00")
    except ValueError:
        raise broken(what, f"{field} is not a time") from None
