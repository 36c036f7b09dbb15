"""Who is signed in, as the platform's sign-in tells it, and what that person may do.

The platform writes the `X-MS-CLIENT-PRINCIPAL` headers and takes away what a caller sends under these names, but only
where its sign-in is switched on: everywhere else they are whatever the caller wrote, and are not looked at.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

#: A principal with hundreds of groups is far below this; more is not read.
_LARGEST_HEADER = 64 * 1024
_PRINCIPAL = "x-ms-client-principal"
#: Claims that name a person, in the order of preference.
_NAMES = ("preferred_username", "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn", "upn", "email", "name")
_ROLES = ("roles", "http://schemas.microsoft.com/ws/2008/06/identity/claims/role")


class Role(StrEnum):
    """The app roles in Entra ID, from the least to the most; each may do what those before it may."""

    READER = "TrueUp.Reader"
    BILLER = "TrueUp.Biller"
    ADMIN = "TrueUp.Admin"


@dataclass(frozen=True, slots=True)
class Principal:
    """A signed-in person: the name that stands in the history, and the roles."""

    name: str
    roles: frozenset[Role]

    def may(self, role: Role) -> bool:
        order = list(Role)
        return any(order.index(own) >= order.index(role) for own in self.roles)


@dataclass(frozen=True, slots=True)
class Access:
    """Whether the platform's sign-in stands before the app, or who is taken for signed in on this machine."""

    platform: bool = False
    stand_in: Principal | None = None

    def principal(self, headers: Mapping[str, str]) -> Principal | None:
        """The person of a request by its headers (names in lower case); None for one who is not signed in."""
        if not self.platform:
            return self.stand_in
        return _read(headers.get(_PRINCIPAL, ""))


def _read(header: str) -> Principal | None:
    """The principal in the platform's header. What is not whole is nobody."""
    if not header or len(header) > _LARGEST_HEADER:
        return None
    try:
        told = json.loads(base64.b64decode(header, validate=True))
        claims = [(str(claim["typ"]), str(claim["val"])) for claim in told["claims"]]
    except (binascii.Error, ValueError, TypeError, KeyError, RecursionError):
        return None
    names = [told.get("name_typ"), *_NAMES]
    name = next((value for wanted in names for kind, value in claims if kind == wanted and value.strip()), None)
    if name is None:
        return None
    role_kinds = [told.get("role_typ"), *_ROLES]
    given = {value for kind, value in claims if kind in role_kinds}
    return Principal(name.strip(), frozenset(role for role in Role if role.value in given))
