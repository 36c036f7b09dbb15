"""The real wire, against small servers on this machine."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import trustme

from shared.errors import Misconfigured, Retryable
from shared.http.wire import Answer, NoAnswer, RequestsTransport
from shared.manage.callback_keys import SigningKeys
from shared.manage.client import ManageClient
from tests.unit.fakes_manage import settings

Behaviour = Callable[[socket.socket], None]


@contextmanager
def server(behave: Behaviour, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Lets one behaviour loose on every connection, one after the other; gives the port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.settimeout(10)
            try:
                with tls.wrap_socket(connection, server_side=True) if tls else connection as wrapped:
                    behave(wrapped)
            except OSError:
                continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(timeout=15)


def request_of(connection: socket.socket) -> bytes:
    """One whole request: what is left unread would reset the connection when it is closed."""
    request = connection.recv(65536)
    while b"\r\n\r\n" not in request:
        request += connection.recv(65536)
    head, _, body = request.partition(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def says(text: str, received: list[bytes] | None = None) -> Behaviour:
    def behave(connection: socket.socket) -> None:
        request = request_of(connection)
        if received is not None:
            received.append(request)
        connection.sendall(text.encode())

    return behave


def resets(connection: socket.socket) -> None:
    request_of(connection)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def stays_silent(connection: socket.socket) -> None:
    request_of(connection)
    connection.recv(1)


def trickles(connection: socket.socket) -> None:
    """A chunked answer without an end, whose every piece comes well within the time-out."""
    request_of(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        connection.sendall(b"1\r\n \r\n")


def send(port: int, transport: RequestsTransport | None = None, scheme: str = "http", timeout: float = 10) -> Answer:
    return (transport or RequestsTransport("A vendor")).send(
        "POST", f"{scheme}://127.0.0.1:{port}/x?a=%22b%22", headers={"Accept": "text/x"}, body=b"{}", timeout=timeout
    )


def http(body: str, status: str = "200 OK", length: int | None = None, extra: str = "", keep: bool = False) -> str:
    size = len(body.encode()) if length is None else length
    connection = "keep-alive" if keep else "close"
    return f"HTTP/1.1 {status}\r\nContent-Length: {size}\r\nConnection: {connection}\r\n{extra}\r\n{body}"


def test_request_and_answer_go_over_the_wire_unchanged(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    received: list[bytes] = []
    with server(says(http('{"name":"Zwölf"}', "201 Created", extra="X-CW-Request-Id: r7\r\n"), received)) as port:
        answer = RequestsTransport("A vendor").send(
            "PATCH",
            f"http://127.0.0.1:{port}/x?conditions=a%20%3D%20%22b%22",
            headers={"Authorization": "Basic ours"},
            body="ä".encode(),
            timeout=10,
        )
    assert (answer.status, answer.text, answer.request_id) == (201, '{"name":"Zwölf"}', "r7")
    request = received[0].decode()
    assert request.startswith("PATCH /x?conditions=a%20%3D%20%22b%22 HTTP/1.1\r\n")
    assert "Authorization: Basic ours\r\n" in request
    assert request.endswith("ä")


def test_any_status_is_an_answer_and_a_redirect_is_not_followed() -> None:
    received: list[bytes] = []
    with server(says(http("moved", "302 Found", extra="Location: /y\r\n"), received)) as port:
        assert send(port).status == 302
    assert len(received) == 1


def test_a_refused_connection_was_surely_not_sent() -> None:
    with server(says("")) as port:
        pass
    with pytest.raises(NoAnswer, match="no connection could be made") as error:
        send(port)
    assert not error.value.sent


def test_a_connection_that_is_never_taken_was_surely_not_sent() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, ExitStack() as others:
        for _ in range(4):  # they fill the queue of connections that nobody accepts
            waiting = others.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        with pytest.raises(NoAnswer, match="no connection within the time-out") as error:
            send(listener.getsockname()[1], timeout=0.1)
    assert not error.value.sent


@pytest.mark.parametrize(
    "behave",
    [
        resets,
        says(""),
        says(http('[{"id":1}', length=500)),
        says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n["),
    ],
    ids=["reset", "closed", "cut-off", "cut-off-chunk"],
)
def test_a_broken_connection_may_have_been_sent(behave: Behaviour) -> None:
    with server(behave) as port, pytest.raises(NoAnswer, match="connection broke") as error:
        send(port)
    assert error.value.sent


def test_silence_ends_with_the_time_out_and_may_have_been_sent() -> None:
    with server(stays_silent) as port, pytest.raises(NoAnswer, match="within the time-out") as error:
        send(port, timeout=0.1)
    assert error.value.sent


def test_an_answer_that_trickles_without_an_end_is_given_up_at_the_time_out() -> None:
    with server(trickles) as port, pytest.raises(NoAnswer, match="within the time-out") as error:
        send(port, timeout=0.2)
    assert error.value.sent


def test_one_thread_keeps_its_connection_and_another_has_its_own() -> None:
    transport = RequestsTransport("A vendor")
    connections: list[int] = []

    def serves_two(connection: socket.socket) -> None:
        connections.append(connection.getpeername()[1])
        for last in (False, True):
            request_of(connection)
            connection.sendall(http("{}", keep=not last).encode())

    with server(serves_two) as port:
        for _ in range(2):
            assert send(port, transport).ok
        other = threading.Thread(target=lambda: [send(port, transport) for _ in range(2)])
        other.start()
        other.join(timeout=10)
    assert len(set(connections)) == 2


def test_what_no_request_can_carry_is_a_matter_of_the_settings() -> None:
    with pytest.raises(Misconfigured, match="A vendor: its address"):
        RequestsTransport("A vendor").send("GET", "https://", headers={}, body=None, timeout=1)
    with pytest.raises(Misconfigured, match="A vendor: its address"):
        RequestsTransport("A vendor").send(
            "GET", "http://127.0.0.1:9/", headers={"clientId": "a\nb"}, body=None, timeout=1
        )


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


def test_a_certificate_is_trusted_only_when_its_authority_is_named(
    authority: trustme.CA, tls: ssl.SSLContext, tmp_path: Path
) -> None:
    ca_file = str(tmp_path / "ca.pem")
    authority.cert_pem.write_to_path(ca_file)
    with server(says(http("[]")), tls) as port:
        base = f"https://127.0.0.1:{port}/v4_6_release/apis/3.0"
        assert ManageClient(settings(base_url=base, ca_file=ca_file)).companies() == []
        with pytest.raises(Misconfigured, match="certificate is not trusted"):
            ManageClient(settings(base_url=base)).companies()


def test_a_signing_key_in_an_answer_that_is_too_large_is_not_read(
    authority: trustme.CA, tls: ssl.SSLContext, tmp_path: Path
) -> None:
    ca_file = str(tmp_path / "ca.pem")
    authority.cert_pem.write_to_path(ca_file)

    def key_in(answer: dict[str, str]) -> bytes:
        with server(says(http(json.dumps(answer))), tls) as port:
            known = settings(base_url=f"https://127.0.0.1:{port}/v4_6_release/apis/3.0", ca_file=ca_file)
            place = f"https://127.0.0.1:{port}/v2026_1//system/callbackkey/index.rails?companyName=birchline&id=9b1c"
            return SigningKeys(known).of(place)

    assert len(key_in({"signing_key": "a-signing-key"})) == 32
    with pytest.raises(Retryable, match="no signing key"):
        key_in({"signing_key": "a-signing-key", "more": "x" * 200_000})


def test_an_answer_that_is_too_large_is_given_up_on() -> None:
    transport = RequestsTransport("A vendor", largest=100_000)
    with server(says(http("x" * 100_000))) as port:
        assert len(send(port, transport).text) == 100_000
    with server(says(http("x" * 300_000))) as port, pytest.raises(NoAnswer):
        send(port, transport)
