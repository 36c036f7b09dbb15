"""Callback entries over the API: what is sent to register one, what is read of them, and deleting one twice."""

from __future__ import annotations

import pytest

from shared.callbacks import CallbackEntry
from shared.errors import Gone, NotPermitted, OutcomeUnknown, Refused
from tests.unit.fakes_manage import RESET, FakeManage, agreement_row, answer, client_of, no

CALLBACKS = "/system/callbacks"
URL = "https://trueup.test/api/callbacks/manage?recordId="


def row(number: int = 7, **changes: object) -> dict[str, object]:
    return {
        "id": number,
        "description": "TrueUp",
        "url": URL,
        "objectId": 1,
        "type": "Agreement",
        "level": "Owner",
        "memberId": 4,
        "inactiveFlag": False,
        "_info": {"enteredBy": "apisync", "updatedBy": "jdoe"},
        **changes,
    }


def test_an_entry_is_for_every_record_and_not_for_what_we_do_ourselves() -> None:
    client, transport = client_of(lambda request: answer(row(), 201))
    assert client.register_callback(URL, "agreement") == CallbackEntry(7, URL, "agreement", "owner", True, "apisync")
    (request,) = transport.requests
    sent = request.json
    assert (request.method, request.path) == ("POST", CALLBACKS)
    assert (sent["url"], sent["type"], sent["level"], sent["objectId"]) == (URL, "agreement", "owner", 1)
    assert sent["isSelfSuppressedFlag"] is True


def test_entries_of_others_are_read_whatever_they_leave_out() -> None:
    others = [{"id": 8}, row(9, inactiveFlag=True, _info={})]
    client, _ = client_of(FakeManage({CALLBACKS: others}))
    assert client.callbacks() == [
        CallbackEntry(8, "", "", "", True, ""),
        CallbackEntry(9, URL, "agreement", "owner", False, ""),
    ]


def test_a_registration_is_never_sent_twice() -> None:
    client, transport = client_of(lambda request: answer(row(), 201), RESET)
    with pytest.raises(OutcomeUnknown):
        client.register_callback(URL, "agreement")
    assert transport.count("POST") == 1


@pytest.mark.parametrize("code", ["NotFound", "ConnectWiseApi"])
def test_an_entry_that_is_gone_is_as_good_as_deleted(code: str) -> None:
    client, transport = client_of(lambda request: no(404, code, "The endpoint does not exist."))
    client.delete_callback(7)
    assert transport.count("DELETE", f"{CALLBACKS}/7") == 1


@pytest.mark.parametrize(("status", "error"), [(403, NotPermitted), (400, Refused)])
def test_a_deletion_that_is_refused_is_told_with_what_to_grant(status: int, error: type[Exception]) -> None:
    client, _ = client_of(lambda request: no(status, "Security"))
    with pytest.raises(error) as refused:
        client.delete_callback(7)
    assert status != 403 or "Table Setup: Delete All" in refused.value.remedy  # type: ignore[attr-defined]


def test_the_company_of_an_agreement_takes_one_call() -> None:
    client, transport = client_of(lambda request: answer(agreement_row(501, 250)))
    assert client.company_of_agreement(501) == 250
    assert [request.path for request in transport.requests] == ["/finance/agreements/501"]
    gone, _ = client_of(lambda request: no(404, "NotFound"))
    with pytest.raises(Gone):
        gone.company_of_agreement(501)
