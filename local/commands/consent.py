"""`dev.py consent`: the app registration and its roles in customers' tenants, by the sign-in of who runs it.

What the page of Microsoft does that an administrator of the customer opens, for many tenants in one go. It works as the
person who is signed in at the Azure CLI, by that person's roles in the customer's tenant (GDAP), and leaves nothing
behind but the roles: no permission is added to the registration for it, and no token is kept.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from azure.core.credentials import TokenCredential
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import AzureCliCredential, CredentialUnavailableError

from shared.errors import Gone, Incomplete, NotPermitted, Refused, TrueUpError
from shared.http.wire import Transport
from shared.sources.failures import problem
from shared.sources.http import Ask, VendorHttp
from shared.sources.patience import Patience

SYSTEM = "Microsoft Graph"
GRAPH_URL = "https://graph.microsoft.com/v1.0"
SCOPE = "https://graph.microsoft.com/.default"
PERMISSION = (
    "Sign in at the Azure CLI as somebody who has the roles Cloud Application Administrator and Privileged Role "
    "Administrator in this tenant, by GDAP or there; or have its administrator open the link of docs/deploy.md, step 7."
)
#: Seconds for the calls about one tenant, and between two looks for what was made a moment ago.
_SECONDS = 120.0
_AGAIN_AFTER = 5.0
_AGAIN = 6

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Role:
    """An application role that the registration asks for: by id, of the API with this application id."""

    api: str
    id: str
    name: str


class Directory:
    """One tenant's directory; `None` is the tenant where the person is signed in. Raises errors of `shared.errors`."""

    def __init__(
        self,
        tenant: str | None,
        credential: TokenCredential,
        *,
        transport: Transport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        signed = _Person(tenant, credential)
        self._http = VendorHttp(SYSTEM, GRAPH_URL, signed, permission=PERMISSION, transport=transport, sleep=sleep)
        self._patience = self._http.patience(_SECONDS)
        self._sleep = sleep

    def wanted(self, app: str) -> list[Role]:
        """The application roles that a registration of this tenant asks for."""
        try:
            found = self._read("the app registration", f"/applications(appId='{app}')", "requiredResourceAccess")
        except Gone as error:
            raise Refused(
                f"the tenant in which you are signed in has no app registration {app}.",
                system=SYSTEM,
                request_id=error.request_id,
                remedy="Check the id; or run `az login --tenant` with your own tenant's id, and try again.",
            ) from error
        wanted = [
            Role(api["resourceAppId"], access["id"], access["id"])
            for api in found.get("requiredResourceAccess", [])
            for access in api["resourceAccess"]
            if access["type"] == "Role"
        ]
        names = {api: self._names(api) for api in {role.api for role in wanted}}
        return [Role(role.api, role.id, names[role.api].get(role.id, role.id)) for role in wanted]

    def missing(self, app: str, roles: Sequence[Role]) -> list[Role]:
        """Those of the roles that the application does not have in this tenant; all where it is not known there."""
        try:
            principal = self._principal(app)
        except Gone:
            return list(roles)
        path = f"/servicePrincipals/{principal}/appRoleAssignments"
        had = {row["appRoleId"] for row in self._read("the roles that it has", path)["value"]}
        return [role for role in roles if role.id not in had]

    def grant(self, app: str, roles: Sequence[Role]) -> Iterator[Role]:
        """Gives the application these roles, each as it is asked for. What was just made is not known everywhere."""
        try:
            principal = self._principal(app)
        except Gone:
            principal = self._write("the application", "/servicePrincipals", {"appId": app})["id"]
        for role in roles:
            given = {"principalId": principal, "resourceId": self._principal(role.api), "appRoleId": role.id}
            try:
                self._soon(f"the role {role.name}", f"/servicePrincipals/{principal}/appRoleAssignments", given)
            except Refused as error:
                if self.missing(app, [role]):  # else it is there by now: somebody else's, or seen late
                    raise Refused(
                        error.message, system=SYSTEM, request_id=error.request_id, remedy=PERMISSION
                    ) from error
            yield role

    def _soon(self, what: str, path: str, body: Mapping[str, str]) -> None:
        for left in reversed(range(_AGAIN)):
            try:
                self._write(what, path, body)
            except Gone:
                if not left:
                    raise
                self._sleep(_AGAIN_AFTER)
            else:
                return

    def _principal(self, app: str) -> str:
        """The id of an application in this tenant. Raises `Gone` where it is not known."""
        found: str = self._read("the application", f"/servicePrincipals(appId='{app}')", "id")["id"]
        return found

    def _names(self, api: str) -> dict[str, str]:
        found = self._read("the roles of an API", f"/servicePrincipals(appId='{api}')", "appRoles")
        return {role["id"]: role["value"] for role in found["appRoles"]}

    def _read(self, what: str, path: str, select: str | None = None) -> Any:
        return self._http.read(Ask(what, path, {"$select": select} if select else {}), self._patience)

    def _write(self, what: str, path: str, body: Mapping[str, str]) -> Any:
        """Sent once: a second time it would be refused as there already."""
        return self._http.read_once(Ask(what, path, method="POST", body=body), self._patience)


class _Person:
    """Who is signed in at the Azure CLI, as one tenant knows them."""

    def __init__(self, tenant: str | None, credential: TokenCredential) -> None:
        self._tenant = tenant
        self._credential = credential

    def headers(self, _: Patience, /) -> Mapping[str, str]:
        try:
            token = self._credential.get_token(SCOPE, **({"tenant_id": self._tenant} if self._tenant else {}))
        except (CredentialUnavailableError, ClientAuthenticationError) as error:
            there = f" --tenant {self._tenant} --allow-no-subscriptions" if self._tenant else ""
            raise NotPermitted(
                "the Azure CLI has no sign-in for this tenant.", system=SYSTEM, remedy=f"Run `az login{there}`."
            ) from error
        return {"Authorization": f"Bearer {token.token}"}

    def renewed(self) -> bool:
        return False


def consent(
    app: str,
    tenants: Sequence[str],
    *,
    check: bool,
    credential: TokenCredential | None = None,
    transport: Transport | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Gives the application the roles it asks for in each tenant, or with `check` says which are missing.

    Tells what it did tenant by tenant; one that refuses keeps nobody from the next. Answers 1 where any is without.
    """
    signed = credential or AzureCliCredential(additionally_allowed_tenants=["*"], process_timeout=30)

    def directory(tenant: str | None) -> Directory:
        return Directory(tenant, signed, transport=transport, sleep=sleep)

    roles = _understood(lambda: directory(None).wanted(app))
    print(f"The registration asks for {_names(roles)}.", flush=True)
    without = 0
    for tenant in tenants:
        try:
            told, sound = _understood(partial(_settle, directory(tenant), app, roles, check))
        except TrueUpError as error:
            told, sound = problem(error), False
        print(f"{tenant}: {told}", flush=True)
        without += not sound
    return int(without > 0)


def _settle(directory: Directory, app: str, roles: Sequence[Role], check: bool) -> tuple[str, bool]:
    """What is told of one tenant, and whether the application has there what it asks for."""
    missing = directory.missing(app, roles)
    if not missing:
        return "in order", True
    if check:
        return f"without {_names(missing)}", False
    granted: list[Role] = []
    try:
        granted.extend(directory.grant(app, missing))
    except TrueUpError as error:
        if not granted:
            raise
        return f"granted {_names(granted)}, but {problem(error)}", False
    return f"granted {_names(granted)}", True


def _understood(work: Callable[[], T]) -> T:
    """The answer of some calls. Raises `Incomplete` where one of them does not have the form that it should."""
    try:
        return work()
    except (KeyError, TypeError, AttributeError) as error:
        raise Incomplete(
            "an answer does not have the form that it should.", system=SYSTEM, remedy="Try again; then use the link."
        ) from error


def _names(roles: Sequence[Role]) -> str:
    return ", ".join(sorted(role.name for role in roles)) or "no role"
