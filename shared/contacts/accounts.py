"""The accounts of a customer's users, as a vendor's directory tells of them. They are shown, and kept nowhere."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from shared.billing.counts import Holder
from shared.billing.users import Users


@dataclass(frozen=True, slots=True)
class Account:
    """One user's account. Never in a log, an error or a finding.

    `user` is the same as where licences are counted. `licences` are readable names, of SKUs that the vendor gives away
    too; `licensed`: one of them is not given away. `former_mails` are further addresses that reach the user, older ones
    among them. A text is empty where the user has none. `last_sign_in` is None for one who never signed in, or where
    that is not told.
    """

    user: Holder
    sign_in_name: str
    licences: tuple[str, ...] = ()
    licensed: bool = False
    synced: bool = False
    password_never_expires: bool = False
    created: datetime | None = None
    last_sign_in: datetime | None = None
    mail: str = field(default="", repr=False)
    former_mails: tuple[str, ...] = field(default=(), repr=False)
    given_name: str = field(default="", repr=False)
    surname: str = field(default="", repr=False)
    title: str = field(default="", repr=False)
    business_phone: str = field(default="", repr=False)
    mobile_phone: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Accounts:
    """All accounts of one customer, by name. `sign_ins_told`: it is known when each last signed in."""

    rows: tuple[Account, ...]
    sign_ins_told: bool = False

    def among(self, users: Users) -> Accounts | None:
        """Those of the users who are counted; None where that hangs on something the vendor did not tell of one."""
        taken = users.among(tuple(row.user for row in self.rows))
        if taken is None:
            return None
        ids = {user.id for user in taken}
        return replace(self, rows=tuple(row for row in self.rows if row.user.id in ids))
