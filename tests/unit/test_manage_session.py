from __future__ import annotations

import logging
import threading
from collections.abc import Mapping

import pytest

from shared.errors import Misconfigured, OtherManage, OutcomeUnknown, Refused, Retryable, TrueUpError
from shared.http.wire import Answer, NoAnswer
from shared.manage.call import Call
from shared.manage.client import ADDITION, ADDITIONS, COMPANIES
from shared.manage.session import Session
from shared.manage.settings import ManageSettings
from tests.unit.fakes_manage import (
    BASE,
    NOT_CONNECTED,
    PRIVATE_KEY,
    RESET,
    FakeTransport,
    Request,
    answer,
    no,
    session_of,
    settings,
)

READ = Call("GET", ADDITIONS, {"agreement": 501})
POST = Call("POST", ADDITIONS, {"agreement": 501}, body={"invoiceDescription": "Vera Holm"})
PATCH = Call("PATCH", ADDITION, {"agreement": 501, "addition": 9001}, body=[{"op": "replace", "value": "Vera Holm"}])
DELETE = Call("DELETE", ADDITION, {"agreement": 501, "addition": 9001})


def test_the_credentials_follow_the_known_vector() -> None:
    session, transport, _ = session_of(company="acme", public_key="PUB", private_key="PRIV")
    session.send(READ)
    headers = transport.requests[0].headers
    assert headers["Authorization"] == "Basic YWNtZStQVUI6UFJJVg=="
    assert headers["clientId"] == "0f6d2c9e-3b41-4a57-8e0d-c5a1b7e92d34"
    assert headers["User-Agent"].startswith("TrueUp/")


@pytest.mark.parametrize(
    ("version", "accept"),
    [(None, "application/json"), ("2025.16", "application/vnd.connectwise.com+json; version=2025.16")],
)
def test_the_version_is_asked_for_only_when_it_is_pinned(version: str | None, accept: str) -> None:
    session, transport, _ = session_of(api_version=version)
    session.send(READ)
    assert transport.requests[0].headers["Accept"] == accept


def test_a_body_is_json_in_utf_8() -> None:
    session, transport, _ = session_of()
    session.send(Call("POST", ADDITIONS, {"agreement": 501}, body={"invoiceDescription": "Zwölf"}))
    assert transport.requests[0].body == '{"invoiceDescription": "Zwölf"}'.encode()
    assert transport.requests[0].headers["Content-Type"] == "application/json; charset=utf-8"


def test_everything_but_plain_characters_in_a_query_is_percent_encoded() -> None:
    session, transport, _ = session_of()
    session.send(Call("GET", COMPANIES, params={"conditions": 'name = "A&B% +\'*[x]"'}))
    assert transport.requests[0].url == (
        f"{BASE}/company/companies?conditions=name%20%3D%20%22A%26B%25%20%2B%27%2A%5Bx%5D%22"
    )


@pytest.mark.parametrize("call", [READ, PATCH, DELETE], ids=lambda call: call.method)
def test_what_may_be_repeated_is_repeated_with_growing_pauses(call: Call) -> None:
    session, transport, time = session_of(no(503), RESET, no(500, message="Timeout expired"))
    assert session.send(call).ok
    assert len(transport.requests) == 4
    assert time.pauses == [1, 2, 4]
    assert {request.body for request in transport.requests} == {transport.requests[0].body}


def test_a_read_gives_up_after_four_attempts() -> None:
    session, transport, _ = session_of(*[no(502)] * 9)
    with pytest.raises(Retryable) as error:
        session.send(READ)
    assert type(error.value) is Retryable
    assert len(transport.requests) == 4


@pytest.mark.parametrize("call", [PATCH, DELETE], ids=lambda call: call.method)
@pytest.mark.parametrize("last", [no(504), RESET, no(429), NOT_CONNECTED], ids=["504", "reset", "429", "refused"])
def test_a_write_that_may_have_happened_ends_with_its_outcome_unknown(call: Call, last: Answer | NoAnswer) -> None:
    session, transport, _ = session_of(no(504), last, last, last)
    with pytest.raises(OutcomeUnknown):
        session.send(call)
    assert len(transport.requests) == 4


@pytest.mark.parametrize("call", [POST, PATCH, DELETE], ids=lambda call: call.method)
@pytest.mark.parametrize("fault", [no(429), NOT_CONNECTED], ids=["429", "refused"])
def test_a_write_that_surely_did_not_happen_is_repeated_and_then_only_retryable(
    call: Call, fault: Answer | NoAnswer
) -> None:
    session, transport, _ = session_of(*[fault] * 4)
    with pytest.raises(Retryable) as error:
        session.send(call)
    assert type(error.value) is Retryable
    assert len(transport.requests) == 4


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504, 520])
def test_a_post_is_never_repeated_after_it_may_have_been_carried_out(status: int) -> None:
    session, transport, _ = session_of(no(status, message="timeout", Retry_After="1"))
    with pytest.raises(OutcomeUnknown):
        session.send(POST)
    assert len(transport.requests) == 1


def test_a_post_whose_connection_breaks_is_not_repeated() -> None:
    session, transport, _ = session_of(RESET)
    with pytest.raises(OutcomeUnknown):
        session.send(POST)
    assert len(transport.requests) == 1


@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 409, 422])
def test_a_plain_no_is_final(status: int) -> None:
    session, transport, time = session_of(no(status, "NotFound"))
    with pytest.raises(TrueUpError):
        session.send(READ)
    assert (len(transport.requests), time.pauses) == (1, [])


def test_retry_after_is_obeyed_in_seconds_and_as_a_date() -> None:
    date = {"Date": "Sat, 21 Nov 2026 02:00:00 GMT", "Retry_After": "Sat, 21 Nov 2026 02:00:09 GMT"}
    session, _, time = session_of(no(429, Retry_After="7"), no(503, **date))
    assert session.send(READ).ok
    assert time.pauses == [7, 9]


@pytest.mark.parametrize(("within", "named"), [(10.0, "11"), (10.0, "10"), (600.0, "61")])
def test_a_wait_beyond_the_deadline_or_a_minute_is_handed_back_at_once(within: float, named: str) -> None:
    session, transport, time = session_of(no(429, Retry_After=named))
    with session.deadline(within), pytest.raises(Retryable) as error:
        session.send(READ)
    assert error.value.retry_after == float(named)
    assert (len(transport.requests), time.pauses) == (1, [])


def test_an_attempt_gets_no_more_time_than_is_left() -> None:
    session, transport, _ = session_of(no(503))
    with session.deadline(5):
        session.send(READ)
    session.send(READ)
    assert [request.timeout for request in transport.requests] == [5, 4, 30]


def test_nothing_is_sent_after_the_deadline_and_that_is_certain() -> None:
    session, transport, time = session_of()
    with session.deadline(5):
        time.now += 5
        with pytest.raises(Retryable, match="time for it was up") as error:
            session.send(POST)
    assert type(error.value) is Retryable
    assert transport.requests == []


def test_an_inner_deadline_cannot_outlast_an_outer_one() -> None:
    session, transport, _ = session_of()
    with session.deadline(5):
        with session.deadline(20):
            session.send(READ)
        with session.deadline(2):
            session.send(READ)
        session.send(READ)
    assert [request.timeout for request in transport.requests] == [5, 2, 5]


def test_no_more_calls_than_allowed_are_in_flight_and_none_is_lost() -> None:
    class Gate:
        """Counts who is inside; lets them go only when as many as allowed have come."""

        def __init__(self) -> None:
            self.lock = threading.Lock()
            self.barrier = threading.Barrier(2, timeout=10)
            self.inside = self.most = self.served = 0

        def send(
            self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None, timeout: float
        ) -> Answer:
            with self.lock:
                self.inside += 1
                self.most = max(self.most, self.inside)
            self.barrier.wait()
            with self.lock:
                self.inside -= 1
                self.served += 1
            return answer([])

    gate = Gate()
    session = Session(settings(calls_in_flight=2), transport=gate)
    threads = [threading.Thread(target=session.send, args=(READ,), daemon=True) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert (gate.served, gate.most) == (6, 2)


def test_waiting_for_a_free_slot_ends_with_the_deadline_and_nothing_was_sent() -> None:
    told: list[Retryable] = []

    def busy(request: Request) -> Answer:
        """While this call is in flight, another one wants to be."""
        with session.deadline(0.02), pytest.raises(Retryable, match="time for it was up") as error:
            session.send(POST)
        told.append(error.value)
        return answer([])

    session, transport, _ = session_of(handler=busy, calls_in_flight=1)
    session.send(READ)
    assert [type(error) for error in told] == [Retryable]
    assert len(transport.requests) == 1


def test_the_slot_of_a_failed_call_is_free_again() -> None:
    session, _, _ = session_of(*[RESET] * 4, calls_in_flight=1)
    with session.deadline(20):
        with pytest.raises(Retryable):
            session.send(READ)
        assert session.send(READ).ok


def test_the_request_id_is_that_of_this_threads_last_call() -> None:
    session, _, _ = session_of(answer([], X_CW_Request_Id="mine"), no(400, X_CW_Request_Id="refused"), *[RESET] * 4)
    assert session.last_request_id is None
    session.send(READ)
    seen: list[str | None] = []
    other = threading.Thread(target=lambda: seen.append(session.last_request_id))
    other.start()
    other.join(timeout=10)
    assert (session.last_request_id, seen) == ("mine", [None])
    with pytest.raises(Refused):
        session.send(READ)
    assert session.last_request_id == "refused"
    with pytest.raises(Retryable):
        session.send(READ)
    assert session.last_request_id is None


def test_settings_need_a_base_url_or_a_site() -> None:
    with pytest.raises(Misconfigured, match="base URL, or the site"):
        settings(base_url=None, site=None)


def test_the_private_key_is_in_no_repr_log_or_error(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    told = [repr(settings()), str(settings())]
    for fault in (RESET, no(401), no(400), no(500), answer("<html>", 403)):
        session, _, _ = session_of(*[fault] * 4)
        for call in (READ, POST, PATCH, DELETE):
            try:
                session.send(call)
            except TrueUpError as error:
                told += [str(error), repr(error), error.remedy]
    text = "\n".join([*told, *(record.getMessage() for record in caplog.records)])
    assert len(told) > 20
    assert caplog.records
    for secret in (PRIVATE_KEY, "Basic ", "Vera Holm"):
        assert secret not in text


def test_each_attempt_is_one_debug_line_without_its_query(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "shared.manage")
    session, _, _ = session_of(RESET)
    session.send(READ.with_params(conditions='serialNumber = "TU1"'))
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.DEBUG]
    assert lines == [
        "GET /finance/agreements/{agreement}/additions: the connection broke before the answer was complete "
        "(request None, attempt 1)",
        "GET /finance/agreements/{agreement}/additions: 200 (request request-1, attempt 2)",
    ]


def test_settings_are_values_that_show_no_private_key() -> None:
    assert isinstance(settings(), ManageSettings)
    assert settings() == settings()
    assert "private_key" not in repr(settings())


@pytest.mark.parametrize("call", [POST, PATCH, DELETE], ids=lambda call: call.method)
def test_nothing_is_written_where_it_may_not_be_while_reading_goes_on(call: Call) -> None:
    def refused() -> None:
        raise OtherManage("the store belongs to another one")

    transport = FakeTransport(lambda request: answer([]), [])
    session = Session(settings(), transport=transport, may_write=refused)

    with pytest.raises(OtherManage):
        session.send(call)

    assert transport.requests == []
    assert session.send(READ).ok
