"""Callbacks over HTTP: a signed one has its company looked at, nothing else has any effect. And parked messages."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import uuid4

import pytest
import requests

from shared.queues import SyncMessage
from shared.state.callbacks import Heard
from shared.sync import due
from tests.integration.house import KEY, NIGHT, TWO, House, Json, a_house
from tests.integration.waiting import eventually

PATH = "/api/callbacks/manage"
ADDRESS = f"https://trueup.test{PATH}"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A house whose Manage is reached by TLS, as its signing keys are; due companies wait for 4 seconds."""
    with a_house(tmp_path, companies=12, TRUEUP_LEASE_SECONDS="4", TRUEUP_CALLBACK_URL=ADDRESS) as made:
        by_tls = {"MANAGE_BASE_URL": f"{made.sandbox.tls_url}/v4_6_release/apis/3.0"}
        made.settings |= by_tls | {"MANAGE_CA_FILE": str(made.sandbox.ca_file)}
        made.import_rules("auto")
        made.host()
        yield made


def callback(house: House, record: int, **sending: object) -> list[int | None]:
    """Has Manage send a callback to the newest host; the statuses it got."""
    url = f"{house.url(PATH)}?recordId="
    sent = house.control("POST", "callbacks", {"type": "agreement", "id": record, "url": url, **sending})["sent"]
    return [each["status"] for each in sent]


def agreement_of(house: House, company: int) -> int:
    agreements = house.sandbox.msp.records.of_parent("agreements", company)
    return next(agreement["id"] for agreement in agreements)


def callback_runs(house: House) -> list[str]:
    return [header.id for header in house.ports.runs.headers(50) if header.kind == due.KIND]


def rows(house: House, run: str) -> list[int]:
    return [row.company for row in house.ports.runs.rows(run)]


def test_many_callbacks_of_two_companies_are_few_syncs_that_bill_what_changed(house: House) -> None:
    house.start_night()
    house.ended(NIGHT)
    first, second = house.readable()[:2]
    for company in (first, second):
        house.seats(company, house.skus(company)[0], 77)
    for _ in range(10):
        assert callback(house, agreement_of(house, first), times=2) == [204, 204]
    assert callback(house, second, type="company") == [204]
    eventually(lambda: house.ports.due.all() == [] and house.ports.runs.open_headers() == [], within=60)

    looked_at = [company for run in callback_runs(house) for company in rows(house, run)]
    assert set(looked_at) == {first, second}
    assert len(looked_at) < 11
    assert 77 in [line["quantity"] for line in house.additions()]
    assert house.ports.callbacks.counts() == {Heard.DUE: 11}
    assert house.get("/api/status").json()["callbacks"] == {"due": 0, "heard": {"due": 11}}


def test_what_we_wrote_ourselves_leads_to_nothing_and_what_concerns_nobody_neither(house: House) -> None:
    house.start_night()
    house.ended(NIGHT)
    company = house.readable()[0]
    stores = house.ports
    assert stores.callbacks.registration().member
    stores.companies.take_lease(company, "a worker that writes", 120, stores.clock.now())
    agreement = agreement_of(house, company)
    assert callback(house, agreement, member=stores.callbacks.registration().member) == [204]
    assert callback(house, 9_999_999, action="deleted") == [204]
    assert callback(house, 88, type="productcatalog") == [204]
    assert stores.callbacks.counts() == {Heard.ECHO: 1, Heard.IGNORED: 2}
    assert stores.due.all() == []

    assert callback(house, agreement, member="jdoe") == [204]
    assert [each.company for each in stores.due.all()] == [company]


def test_a_thousand_bad_callbacks_have_no_effect_and_no_other_address_is_called(house: House) -> None:
    company = house.readable()[0]
    chance = random.Random(11)
    genuine = sent_by_manage(house, agreement_of(house, company))
    with listening() as (elsewhere, heard), requests.Session() as session:
        for number in range(1_000):
            body, signature = spoiled(chance, *genuine, elsewhere)
            # One address alone would be turned away unread.
            headers = {"x-content-signature": signature, "x-forwarded-for": f"203.0.113.{number % 4}"}
            answer = session.post(house.url(PATH), data=body, headers=headers, timeout=30)
            assert (answer.status_code // 100, answer.content) == (4, b""), body[:200]
        assert callback(house, agreement_of(house, company), forged=True) == [400]
        assert heard == []
    assert house.ports.callbacks.counts() == {}
    assert house.ports.due.all() == []
    assert house.waiting("sync") == 0
    assert [word for word in ("Entity", "key_url", "signing_key", elsewhere) if word in house.logs()] == []


def sent_by_manage(house: House, agreement: int) -> tuple[bytes, str]:
    """A genuine callback as it reaches a receiver: body and signature."""
    with listening() as (url, heard):
        callback(house, agreement, url=f"{url}/?recordId=")
        ((body, signature),) = heard
    return body, signature


@contextmanager
def listening() -> Iterator[tuple[str, list[tuple[bytes, str]]]]:
    """A server that keeps what it is sent, body and signature, and hands out a key to whoever asks."""
    heard: list[tuple[bytes, str]] = []

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            self._answer(body, self.headers["x-content-signature"])

        def do_GET(self) -> None:
            self._answer(b"", self.path)

        def _answer(self, body: bytes, signature: str) -> None:
            heard.append((body, signature))
            content = json.dumps({"signing_key": "a key of theirs"}).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Listener) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", heard
        server.shutdown()
        thread.join(10)


def spoiled(chance: random.Random, body: bytes, signature: str, elsewhere: str) -> tuple[bytes, str]:
    """A genuine callback with something wrong: never one that Manage has signed."""
    fresh: Json = json.loads(body) | {"MessageId": uuid4().hex}
    match chance.randrange(6):
        case 0:  # another message under a signature that was seen before
            return json.dumps(fresh).encode(), signature
        case 1:  # signed with a key that they gave out themselves
            theirs = elsewhere.replace("http:", chance.choice(["http:", "https:"]))
            key_url = fresh["Metadata"]["key_url"].replace("https://localhost", theirs)
            return signed(fresh | {"Metadata": {"key_url": key_url}}, "a key of theirs")
        case 2:  # an address of our Manage, but of another company
            key_url = fresh["Metadata"]["key_url"].replace("companyName=", "companyName=not-")
            return signed(fresh | {"Metadata": {"key_url": key_url}}, "a key of theirs")
        case 3:  # too large
            return signed(fresh | {"Entity": "x" * 300_000}, "a key of theirs")
        case 4:  # no callback at all, or part of one
            return signed({name: fresh[name] for name in chance.sample(sorted(fresh), k=3)}, "a key of theirs")
        case _:  # garbled
            place = chance.randrange(len(body))
            return body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :], signature


def signed(message: Json, key: str) -> tuple[bytes, str]:
    body = json.dumps(message).encode()
    digest = hmac.new(hashlib.sha256(key.encode()).digest(), body, hashlib.sha256).digest()
    return body, base64.b64encode(digest).decode()


def test_night_demand_and_callback_at_once_on_two_hosts_write_each_line_once(house: House) -> None:
    house.host()
    company = house.readable()[0]
    house.fire("tick")
    house.clock(TWO)
    house.ports.due.add(company, house.ports.clock.now())
    answers: list[int] = []

    def sync() -> None:
        answers.append(house.post("/api/sync", {"companies": [company]}).status_code)

    works = [lambda: house.fire("tick"), lambda: house.fire("watchdog"), sync, sync]
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    house.ended(NIGHT)
    (run,) = callback_runs(house)
    house.ended(run)

    assert set(answers) <= {200, 409}
    assert len(house.stamps()) == len(set(house.stamps()))
    before = house.lines()
    house.forget_calls()
    assert house.sync(company)["outcome"] in ("unchanged", "planned")
    assert (house.writes(), house.lines()) == (0, before)


def test_the_night_registers_with_manage_and_the_api_ends_it(house: House) -> None:
    assert callback_entries(house) == []
    house.start_night()
    house.ended(NIGHT)
    assert callback_entries(house) == [("agreement", f"{ADDRESS}?recordId="), ("company", f"{ADDRESS}?recordId=")]
    house.clock(TWO + timedelta(days=1))
    house.fire("tick")
    house.ended("2026-11-22-nightly")
    assert len(callback_entries(house)) == 2

    keyless = requests.delete(house.url(PATH), timeout=30)
    answer = requests.delete(house.url(PATH), headers={"x-functions-key": KEY}, timeout=30)
    assert (keyless.status_code, answer.json()) == (401, {"removed": 2})
    assert callback_entries(house) == []


def callback_entries(house: House) -> list[tuple[str, str]]:
    return sorted((entry["type"], entry["url"]) for entry in house.sandbox.msp.records.all("callbacks"))


def test_without_an_address_the_route_is_not_there(house: House) -> None:
    body, signature = sent_by_manage(house, agreement_of(house, house.readable()[0]))
    house.host(TRUEUP_CALLBACK_URL="")
    answer = requests.post(house.url(PATH), data=body, headers={"x-content-signature": signature}, timeout=30)

    assert answer.status_code == 404
    assert house.ports.callbacks.counts() == {}


def test_parked_messages_are_seen_tried_again_and_dismissed(house: House) -> None:
    company = house.readable()[0]
    house.send("look at a company")
    house.ports.queue.send_poison(SyncMessage("2026-11-20-nightly", company, "a claim", None, 1).text())
    eventually(lambda: house.get("/api/status").json()["poison"]["count"] == 2)
    told = {each["text"]: each["id"] for each in house.get("/api/poison").json()["messages"]}
    junk, message = told.pop("look at a company"), next(iter(told.values()))
    assert house.post(f"/api/poison/{junk}/retry", None).status_code == 400
    answer = house.post(f"/api/poison/{message}/retry", None)
    assert answer.status_code == 202
    house.ended(answer.json()["run"])
    assert rows(house, answer.json()["run"]) == [company]
    key = {"x-functions-key": KEY}
    assert requests.delete(house.url(f"/api/poison/{junk}"), timeout=30).status_code == 401
    assert requests.delete(house.url(f"/api/poison/{junk}"), headers=key, timeout=30).status_code == 200
    assert requests.delete(house.url(f"/api/poison/{junk}"), headers=key, timeout=30).status_code == 404

    status = house.get("/api/status").json()
    assert status["poison"] == {"count": 0, "oldest": None}
    assert "poison" not in status["findings"]
