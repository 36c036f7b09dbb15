"""The sandbox's callbacks, checked by the signature's description alone."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from local.sandbox.running import SandboxThread
from local.sandbox.server import Options


class Receiver(BaseHTTPRequestHandler):
    """Keeps what it is sent."""

    got: list[tuple[str, str, bytes]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.got.append((self.path, self.headers["x-content-signature"], body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[tuple[str, list[tuple[str, str, bytes]]]]:
    own = type("Own", (Receiver,), {"got": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), own) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/cb?recordId=", own.got
        server.shutdown()
        thread.join(10)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxThread]:
    with SandboxThread(Options(companies=3, seed=2)) as running:
        yield running


def is_genuine(sandbox: SandboxThread, signature: str, body: bytes) -> bool:
    key_url = json.loads(body)["Metadata"]["key_url"]
    key = requests.get(key_url, verify=str(sandbox.ca_file), timeout=10).json()["signing_key"]
    digest = hmac.new(hashlib.sha256(key.encode()).digest(), body, hashlib.sha256).digest()
    return hmac.compare_digest(base64.b64encode(digest).decode(), signature)


def send(sandbox: SandboxThread, **sending: object) -> requests.Response:
    return requests.post(f"{sandbox.url}/_sandbox/callbacks", json=sending, timeout=20)


def test_a_callback_is_signed_over_its_raw_body_and_carries_the_record_as_text(sandbox, receiver):
    url, got = receiver
    agreement = next(iter(sandbox.msp.records.collections["agreements"]))
    answer = send(sandbox, type="agreement", id=agreement, url=url)

    assert answer.json() == {"sent": [{"url": f"{url}{agreement}", "status": 204}]}
    ((path, signature, body),) = got
    assert path == f"/cb?recordId={agreement}"
    assert is_genuine(sandbox, signature, body)
    assert json.loads(json.loads(body)["Entity"])["id"] == agreement


def test_forged_deleted_and_repeated_callbacks(sandbox, receiver):
    url, got = receiver
    send(sandbox, type="company", id=250, action="deleted", forged=True, times=2, url=url)

    assert len(got) == 2
    assert {body for _, _, body in got} == {got[0][2]}, "twice is the same message"
    assert not is_genuine(sandbox, got[0][1], got[0][2])
    assert json.loads(got[0][2])["Entity"] is None


def test_who_registered_is_told_and_nobody_beyond_this_machine_is(sandbox, receiver):
    url, got = receiver
    settings = sandbox.settings()
    user = f"{settings['MANAGE_COMPANY']}+{settings['MANAGE_PUBLIC_KEY']}"
    requests.post(
        settings["MANAGE_BASE_URL"] + "/system/callbacks",
        json={"url": url, "objectId": 1, "type": "agreement", "level": "owner"},
        auth=(user, settings["MANAGE_PRIVATE_KEY"]),
        headers={"clientId": settings["MANAGE_CLIENT_ID"]},
        timeout=10,
    ).raise_for_status()
    send(sandbox, type="agreement", id=7)

    assert [path for path, _, _ in got] == ["/cb?recordId=7"]
    assert send(sandbox, type="agreement", id=7, url="http://192.0.2.1/cb?recordId=").status_code == 400
