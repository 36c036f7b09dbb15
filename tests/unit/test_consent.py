"""dev.py consent: what it grants in customers' tenants, what it leaves alone, and what it says."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.identity import CredentialUnavailableError

from local import cli
from local.commands.consent import consent
from shared.errors import Refused
from shared.http.wire import Answer

APP = "e94d7a01-62c8-4f3b-b1d5-07f9a8c2e6d4"
GRAPH = "00000003-0000-0000-c000-000000000000"
ALDER = "bbbbbbbb-0000-4000-8000-000000000001"
BIRCH = "bbbbbbbb-0000-4000-8000-000000000002"
ORGANIZATION = "498476ce-e0fe-48b0-b801-37ba7e2685c6"
USERS = "df021288-bdef-4463-88db-98f22de89214"
NAMES = {ORGANIZATION: "Organization.Read.All", USERS: "User.Read.All"}
DELEGATED = "e1fe6dd8-ba31-4d61-89e7-88639da4683d"


@dataclass
class Tenant:
    """What one directory knows: the roles of the application where it is there, and how long it hides a new one."""

    roles: set[str] | None = None
    hidden_for: int = 0
    status: int | None = None
    refuses: set[str] = field(default_factory=set)
    #: Roles that are there, but that a look just now did not show yet.
    unseen: set[str] = field(default_factory=set)


@dataclass
class Directories:
    """The directories of the world: that of the partner is `home`. Tokens are the names of tenants."""

    tenants: dict[str, Tenant]
    signed_out: set[str] = field(default_factory=set)
    writes: list[str] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    def get_token(self, *scopes: str, tenant_id: str | None = None, **_: Any) -> AccessToken:
        if tenant_id in self.signed_out:
            raise CredentialUnavailableError("no account of pat@birchline.example there")
        return AccessToken(tenant_id or "home", 0)

    def send(self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None, timeout: float) -> Answer:
        name = headers["Authorization"].removeprefix("Bearer ")
        tenant, path = self.tenants[name], url.removeprefix("https://graph.microsoft.com/v1.0").partition("?")[0]
        if tenant.status is not None:
            return Answer(tenant.status, {"request-id": "dddddddd"}, "{}")
        if method == "POST":
            self.writes.append(name)
            return self._written(tenant, path, json.loads(body or b""))
        return self._read(tenant, path)

    def _read(self, tenant: Tenant, path: str) -> Answer:
        if path.startswith("/applications") and (tenant is not self.tenants["home"] or APP not in path):
            return Answer(404, {}, "{}")
        if path == f"/applications(appId='{APP}')":
            access = [{"id": role, "type": "Role"} for role in NAMES] + [{"id": DELEGATED, "type": "Scope"}]
            return said({"requiredResourceAccess": [{"resourceAppId": GRAPH, "resourceAccess": access}]})
        if path == f"/servicePrincipals(appId='{GRAPH}')":
            return said({"id": "graph", "appRoles": [{"id": role, "value": name} for role, name in NAMES.items()]})
        if tenant.roles is None:
            return Answer(404, {}, "{}")
        if path == f"/servicePrincipals(appId='{APP}')":
            return said({"id": "ours"})
        assert path == "/servicePrincipals/ours/appRoleAssignments"
        shown, tenant.unseen = tenant.roles - tenant.unseen, set()
        return said({"value": [{"appRoleId": role} for role in shown]})

    def _written(self, tenant: Tenant, path: str, body: Mapping[str, str]) -> Answer:
        if path == "/servicePrincipals":
            assert (body, tenant.roles) == ({"appId": APP}, None)
            tenant.roles = set()
            return said({"id": "ours"}, 201)
        assert re.fullmatch(r"/servicePrincipals/ours/appRoleAssignments", path)
        assert (body["principalId"], body["resourceId"]) == ("ours", "graph")
        if tenant.hidden_for > 0:
            tenant.hidden_for -= 1
            return Answer(404, {}, "{}")
        assert tenant.roles is not None
        if body["appRoleId"] in tenant.roles | tenant.refuses:
            return Answer(400, {"request-id": "eeeeeeee"}, "{}")
        tenant.roles.add(body["appRoleId"])
        return said({"id": "assignment"}, 201)


def said(body: object, status: int = 200) -> Answer:
    return Answer(status, {}, json.dumps(body))


def world(**tenants: Tenant) -> Directories:
    return Directories(
        {"home": Tenant(), **{{"alder": ALDER, "birch": BIRCH}[name]: each for name, each in tenants.items()}}
    )


def run(world: Directories, *tenants: str, check: bool = False) -> int:
    return consent(APP, tenants, check=check, credential=world, transport=world, sleep=world.slept.append)


def test_a_tenant_gets_the_application_and_the_roles_that_it_asks_for_and_no_other(capsys):
    made = world(alder=Tenant())

    assert run(made, ALDER) == 0
    assert made.tenants[ALDER].roles == set(NAMES)
    assert capsys.readouterr().out.splitlines() == [
        "The registration asks for Organization.Read.All, User.Read.All.",
        f"{ALDER}: granted Organization.Read.All, User.Read.All",
    ]


def test_a_second_time_nothing_is_written(capsys):
    made = world(alder=Tenant({ORGANIZATION}))

    assert run(made, ALDER) == 0
    assert f"{ALDER}: granted User.Read.All\n" in capsys.readouterr().out
    assert made.writes == [ALDER]
    assert run(made, ALDER) == 0
    assert f"{ALDER}: in order\n" in capsys.readouterr().out
    assert made.writes == [ALDER]


def test_a_look_grants_nothing_and_says_what_is_missing(capsys):
    made = world(alder=Tenant({USERS}), birch=Tenant())

    assert run(made, ALDER, BIRCH, check=True) == 1
    assert made.writes == []
    assert capsys.readouterr().out.splitlines()[1:] == [
        f"{ALDER}: without Organization.Read.All",
        f"{BIRCH}: without Organization.Read.All, User.Read.All",
    ]


def test_what_was_made_a_moment_ago_is_waited_for():
    made = world(alder=Tenant(hidden_for=2))

    assert run(made, ALDER) == 0
    assert made.tenants[ALDER].roles == set(NAMES)
    assert made.slept == [5.0, 5.0]


def test_a_role_that_a_look_did_not_show_yet_is_no_failure():
    made = world(alder=Tenant(set(NAMES), unseen={USERS}))

    assert run(made, ALDER) == 0
    assert made.tenants[ALDER].roles == set(NAMES)


def test_a_role_that_is_refused_is_told_and_the_others_stay(capsys):
    made = world(alder=Tenant({ORGANIZATION}, refuses={USERS}))

    assert run(made, ALDER) == 1
    assert made.tenants[ALDER].roles == {ORGANIZATION}
    told = capsys.readouterr().out.splitlines()[1]
    assert "the role User.Read.All" in told
    assert "eeeeeeee" in told
    assert "Privileged Role Administrator" in told


def test_what_was_granted_before_a_role_was_refused_is_told_too(capsys):
    made = world(alder=Tenant(refuses={USERS}))

    assert run(made, ALDER) == 1
    assert made.tenants[ALDER].roles == {ORGANIZATION}
    told = capsys.readouterr().out.splitlines()[1]
    assert told.startswith(f"{ALDER}: granted Organization.Read.All, but Microsoft Graph: ")
    assert "the role User.Read.All" in told


def test_a_tenant_that_refuses_keeps_nobody_from_the_next_and_is_told_with_what_to_do(capsys):
    made = world(alder=Tenant(status=403), birch=Tenant())

    assert run(made, ALDER, BIRCH) == 1
    told = capsys.readouterr().out.splitlines()
    assert told[1].startswith(f"{ALDER}: Microsoft Graph: Microsoft Graph answered 403")
    assert "dddddddd" in told[1]
    assert "Privileged Role Administrator" in told[1]
    assert told[2].startswith(f"{BIRCH}: granted")


def test_who_is_not_signed_in_is_told_how_without_a_name_of_a_person(capsys):
    made = world(alder=Tenant())
    made.signed_out.add(ALDER)

    assert run(made, ALDER) == 1
    told = capsys.readouterr().out
    assert f"az login --tenant {ALDER} --allow-no-subscriptions" in told
    assert "pat@birchline.example" not in told


def test_who_is_signed_in_where_the_registration_is_not_is_told_before_anything_is_granted():
    made = world(alder=Tenant())

    with pytest.raises(Refused, match=f"has no app registration {ALDER}") as refused:
        consent(ALDER, [BIRCH], check=False, credential=made, transport=made)

    assert "az login --tenant" in refused.value.remedy
    assert made.writes == []


def test_what_is_no_id_is_refused_before_anything_is_asked(capsys):
    with pytest.raises(SystemExit):
        cli.main(["consent", "--app", APP, "alder.example"])

    assert "an id has 32 hexadecimal digits" in capsys.readouterr().err
