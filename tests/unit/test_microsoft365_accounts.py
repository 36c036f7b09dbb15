"""Everybody in a tenant, from Graph's rows: what each field means, and what a tenant may keep to itself."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from shared.contacts.accounts import Account
from shared.errors import Gone, Incomplete, NotPermitted
from tests.unit.fake_graph import (
    FLOW_FREE,
    SPB,
    TENANT,
    FakeCredential,
    FakeGraph,
    FakeTenant,
    group_row,
    sku_row,
    source,
    user_row,
)

BATCH = "POST /v1.0/$batch"
WHOLE = {
    "givenName": "Robin",
    "surname": "Vale",
    "mail": "robin@alder.example",
    "proxyAddresses": ["SMTP:robin@alder.example", "smtp:r.vale@alder.example", "sip:robin@alder.example"],
    "jobTitle": "Dentist",
    "businessPhones": ["+1 555 0100"],
    "mobilePhone": "+1 555 0199",
    "onPremisesSyncEnabled": True,
    "passwordPolicies": "DisablePasswordExpiration, DisableStrongPassword",
    "createdDateTime": "2021-02-17T09:30:00.1234567Z",
}


def tenant(*users, **values) -> FakeTenant:
    return FakeTenant(skus=[sku_row(), sku_row(FLOW_FREE, "FLOW_FREE")], users=list(users), **values)


def accounts(graph: FakeGraph, *groups: str, sign_ins: bool = False):
    return source(graph).accounts(TENANT, groups, sign_ins=sign_ins)


def one(*, sign_ins: bool = False, **fields) -> Account:
    (row,) = accounts(FakeGraph({TENANT: tenant(user_row(1, **fields))}), sign_ins=sign_ins).rows
    return row


def test_an_account_tells_what_an_export_and_a_contact_need() -> None:
    row = one(**WHOLE)
    assert (row.given_name, row.surname, row.mail) == ("Robin", "Vale", "robin@alder.example")
    assert row.former_mails == ("r.vale@alder.example",)
    assert (row.title, row.business_phone, row.mobile_phone) == ("Dentist", "+1 555 0100", "+1 555 0199")
    assert row.synced
    assert row.password_never_expires
    assert row.created == datetime(2021, 2, 17, 9, 30, tzinfo=UTC)
    assert row.licences == ("Microsoft 365 Business Premium",)


def test_what_a_user_does_not_have_is_empty() -> None:
    row = one(mail=None, jobTitle=" ", businessPhones=[], onPremisesSyncEnabled=None, passwordPolicies=None)
    assert (row.mail, row.title, row.business_phone, row.synced, row.password_never_expires) == (
        "",
        "",
        "",
        False,
        False,
    )
    assert row.created is None


def test_a_licence_that_microsoft_gives_away_is_shown_but_makes_nobody_licensed() -> None:
    graph = FakeGraph(
        {
            TENANT: tenant(
                user_row(1, FLOW_FREE), user_row(2, SPB, FLOW_FREE), user_row(3, "") | {"assignedLicenses": []}
            )
        }
    )
    rows = accounts(graph).rows
    assert [(len(row.licences), row.licensed) for row in rows] == [(1, False), (2, True), (0, False)]


@pytest.mark.parametrize(("users", "calls"), [(999, 1), (1000, 2), (2500, 3)])
def test_every_page_is_read(users: int, calls: int) -> None:
    graph = FakeGraph({TENANT: tenant(*(user_row(number) for number in range(users)))})
    assert len(accounts(graph).rows) == users
    assert graph.calls == [BATCH, *["GET /v1.0/users"] * (calls - 1)]


@pytest.mark.parametrize(
    ("activity", "last"),
    [
        (None, None),
        ({"lastSuccessfulSignInDateTime": "2026-11-20T08:15:00Z", "lastSignInDateTime": "2026-11-21T00:00:00Z"}, 20),
        (
            {"lastSignInDateTime": "2026-11-18T00:00:00Z", "lastNonInteractiveSignInDateTime": "2026-11-19T08:15:00Z"},
            19,
        ),
        ({"lastSignInDateTime": "0001-01-01T00:00:00Z"}, None),
    ],
)
def test_the_last_sign_in_is_the_last_that_succeeded_or_the_last_attempt(activity, last) -> None:
    found = one(sign_ins=True, signInActivity=activity).last_sign_in
    assert found == (None if last is None else datetime(2026, 11, last, 8, 15, tzinfo=UTC))


@pytest.mark.parametrize("status", [400, 403])
def test_a_tenant_that_does_not_tell_of_sign_ins_tells_everything_else(status: int) -> None:
    graph = FakeGraph({TENANT: tenant(user_row(1))}, no_sign_ins=status)
    found = accounts(graph, sign_ins=True)
    assert (len(found.rows), found.sign_ins_told, found.rows[0].last_sign_in) == (1, False, None)


def test_groups_are_told_of_everybody() -> None:
    group = group_row()
    graph = FakeGraph({TENANT: tenant(user_row(1), user_row(2), groups=[group], members={group["id"]: [user_row(2)]})})
    assert [row.user.groups for row in accounts(graph, "Front desk").rows] == [(), ("Front desk",)]


@pytest.mark.parametrize(
    "fields",
    [{"businessPhones": "1"}, {"mail": 7}, {"createdDateTime": "soon"}, {"assignedLicenses": None}, {"id": ""}],
)
def test_what_cannot_be_understood_is_no_list_of_accounts_and_no_value_is_told(fields) -> None:
    with pytest.raises(Incomplete) as error:
        one(**fields)
    assert "Person 1" not in str(error.value)


def test_no_tenant_and_no_consent_are_errors_that_say_what_to_do() -> None:
    with pytest.raises(Gone, match="not a tenant id"):
        source(FakeGraph()).accounts("contoso", (), sign_ins=False)
    refusing = FakeCredential({TENANT: NotPermitted("AADSTS65001", remedy="Consent.")})
    with pytest.raises(NotPermitted):
        source(FakeGraph(), refusing).accounts(TENANT, (), sign_ins=False)
