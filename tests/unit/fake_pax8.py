"""Pax8 behind the wire of a source: the sandbox's own answers, with what a test wants to go wrong."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import date
from urllib.parse import parse_qsl, urlsplit

from local.sandbox.pax8.api import Ask, Pax8
from local.sandbox.pax8.world import PRODUCTS, Company, Pax8World
from shared.http.wire import Answer, NoAnswer
from shared.sources.pax8 import Pax8Settings, Pax8Source

LARKMAIL, VAULTLINE, COPPERKEY = PRODUCTS
ADDRESS = "https://pax8.example/v1"
SECRET = "hush-hush"

#: Given the method and path of a call, an answer instead of Pax8's own; None lets the call through.
Interference = Callable[[str, str], Answer | None]


class FakeWire:
    """Carries calls to a Pax8 in memory, counts them by path, and remembers the bearer tokens it saw."""

    def __init__(self, pax8: Pax8, interfere: Interference = lambda method, path: None) -> None:
        self.pax8 = pax8
        self.interfere = interfere
        self.fault: str | None = None
        self.down = False
        self.calls: Counter[str] = Counter()
        self.sent: list[tuple[str, Mapping[str, str], bytes | None]] = []

    def send(self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None, timeout: float) -> Answer:
        assert timeout > 0
        parts = urlsplit(url)
        path = parts.path.removeprefix("/v1")
        self.calls[path] += 1
        self.sent.append((url, dict(headers), body))
        if self.down:
            raise NoAnswer("no connection could be made", sent=False)
        instead = self.interfere(method, path)
        if instead is not None:
            return instead
        query = dict(parse_qsl(parts.query))
        asked = json.loads(body) if body else None
        status, answer = self.pax8.answer(
            Ask(method, path, query, headers.get("Authorization", ""), asked, None if path == "/token" else self.fault)
        )
        return Answer(status, {"x-request-id": f"r{self.calls.total()}"}, json.dumps(answer))

    def calls_to(self, part: str) -> int:
        return sum(count for path, count in self.calls.items() if part in path)


def world() -> Pax8World:
    return Pax8World("pax8-client", SECRET)


def alder(world: Pax8World) -> Company:
    """One customer with two products."""
    company = world.add_company("Alder Dental", external_id="250", website="https://www.alder.example/")
    world.buy(company, LARKMAIL, 10, date(2026, 1, 5))
    world.buy(company, COPPERKEY, 4, date(2026, 3, 1))
    return company


def source(wire: FakeWire, waited: list[float] | None = None, **settings: object) -> Pax8Source:
    made = Pax8Settings("pax8-client", SECRET, url=ADDRESS, token_url=f"{ADDRESS}/token", **settings)  # type: ignore[arg-type]
    return Pax8Source(made, transport=wire, sleep=(waited if waited is not None else []).append, clock=lambda: 0.0)
