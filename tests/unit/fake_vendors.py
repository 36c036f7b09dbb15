"""Huntress and Cove behind the wire of a source: scripted answers, and what was asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from shared.http.wire import Answer, NoAnswer
from shared.sources.cove import CoveSettings, CoveSource
from shared.sources.huntress import HuntressSettings, HuntressSource


@dataclass(frozen=True)
class Call:
    """One request as it left: path and query of its address, headers, and the JSON of its body."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any


class FakeWire:
    """Answers every call with `answer` and remembers the calls; what is no `Answer` is sent as JSON with 200."""

    def __init__(self, answer: Callable[[Call], object]) -> None:
        self.answer = answer
        self.calls: list[Call] = []

    def send(self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None, timeout: float) -> Answer:
        assert timeout > 0
        parts = urlsplit(url)
        sent = json.loads(body) if body is not None else None
        call = Call(method, parts.path, dict(parse_qsl(parts.query)), dict(headers), sent)
        self.calls.append(call)
        answered = self.answer(call)
        return answered if isinstance(answered, Answer) else Answer(200, {}, json.dumps(answered))


def down(_: Call) -> object:
    raise NoAnswer("no connection could be made", sent=False)


class Hours:
    """A clock that only moves when somebody sleeps; remembers for how long."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


# Huntress

SECRET = "hush-hush"


def huntress_row(number: int = 4101, **counts: object) -> dict[str, object]:
    """An organization as the list and the detail call tell it; `counts` are its fields as they stand."""
    told = counts or {"agents_count": 12, "billable_identity_count": 9, "sat_learner_count": 8, "logs_sources_count": 0}
    return {"id": number, "account_id": 1, "name": f"Organization {number}", "key": f"org-{number}", **told}


def huntress(*rows: dict[str, object]) -> Callable[[Call], object]:
    """An account with these organizations on one page."""

    def answer(call: Call) -> object:
        tail = call.path.rpartition("/")[2]
        if tail == "account":
            return {"account": {"id": 1, "name": "Northbeam", "status": "enabled"}}
        if tail == "organizations":
            return {"organizations": list(rows), "pagination": {"next_page_token": None}}
        found = next((row for row in rows if str(row["id"]) == tail), None)
        return {"organization": found} if found is not None else Answer(404, {}, "{}")

    return answer


def huntress_source(answer: Callable[[Call], object], hours: Hours | None = None) -> tuple[HuntressSource, FakeWire]:
    wire, hours = FakeWire(answer), hours or Hours()
    settings = HuntressSettings("public", SECRET, "https://huntress.example/v1")
    return HuntressSource(settings, transport=wire, sleep=hours.sleep, clock=hours.clock), wire


# Cove

ROOT = 101


def partner(number: int, parent: int = ROOT, level: str = "EndCustomer", state: str = "InProduction") -> dict[str, Any]:
    return {"Id": number, "Name": f"Customer {number}", "Level": level, "ParentId": parent, "State": state}


def device(number: int, owner: int, **columns: object) -> dict[str, Any]:
    """A device with these columns, values as text."""
    settings = [{code: str(value)} for code, value in columns.items()]
    return {"AccountId": number, "PartnerId": owner, "Flags": [], "Settings": settings}


def server(number: int, owner: int, **columns: object) -> dict[str, Any]:
    """A physical server with every column that is counted; `columns` override."""
    usual = {"I59": 1, "I32": 2, "I81": "Physical", "I10": "All-In", "I14": 1000, "I80": 0, "D09F03": 800}
    return device(number, owner, **usual | columns)


class FakeCove:
    """A tree and devices behind JSON-RPC; every answer carries a fresh visa, and only the last one is taken."""

    def __init__(self, partners: list[dict[str, Any]], devices: list[dict[str, Any]]) -> None:
        self.partners = partners
        self.devices = devices
        self.most_rows = 1000
        self.password = SECRET
        self.visa = 0
        self.methods: list[str] = []

    def __call__(self, call: Call) -> object:
        body = call.body
        self.methods.append(body["method"])
        if body["method"] == "Login":
            if body["params"]["password"] != self.password:
                return self.error(2100)
            return self.answered({"result": {"PartnerId": ROOT, "Name": "api"}})
        if body.get("visa") != f"visa-{self.visa}":
            return self.error(1701)
        if body["method"] == "EnumeratePartners":
            return self.answered({"result": self.partners})
        query = body["params"]["query"]
        start, count = query["StartRecordNumber"], min(query["RecordsCount"], self.most_rows)
        return self.answered({"result": self._below(query["PartnerId"])[start : start + count]})

    def answered(self, result: object) -> object:
        self.visa += 1
        return {"jsonrpc": "2.0", "id": "1", "visa": f"visa-{self.visa}", "result": result}

    @staticmethod
    def error(code: int) -> object:
        return {"jsonrpc": "2.0", "id": "1", "error": {"code": code, "message": f"{SECRET} is wrong"}}

    def _below(self, root: int) -> list[dict[str, Any]]:
        places = {root, *(item["Id"] for item in self.partners if item["ParentId"] == root)}
        return [item for item in self.devices if root == ROOT or item["PartnerId"] in places]


def cove_source(answer: Callable[[Call], object], hours: Hours | None = None) -> tuple[CoveSource, FakeWire]:
    wire, hours = FakeWire(answer), hours or Hours()
    settings = CoveSettings("Northbeam (backup@northbeam.example)", "api", SECRET, "https://cove.example/jsonapi")
    return CoveSource(settings, transport=wire, sleep=hours.sleep, clock=hours.clock), wire
