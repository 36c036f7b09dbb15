"""Requests that anybody may send: a sender of too many is turned away, others are not."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Callable, Iterator

import azure.functions as func
import pytest

from functions import api, callbacks, console, counts, gate, records
from functions.gate import Gate, address, limited


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def request_from(sender: str) -> func.HttpRequest:
    headers = {"X-Forwarded-For": sender} if sender else {}
    return func.HttpRequest("GET", "/api/health", headers=headers, route_params={}, params={}, body=b"")


def test_a_sender_of_too_many_requests_waits_as_long_as_it_is_told_and_others_do_not_notice():
    clock = Clock()
    kept = Gate(120, clock)
    ask = limited(kept)(lambda request: func.HttpResponse("done"))

    first = [ask(request_from("203.0.113.7:4711")).status_code for _ in range(121)]
    refused = ask(request_from("203.0.113.7:4712"))

    assert first == [200] * 120 + [429]
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
    assert json.loads(refused.get_body()) == {"error": "too many requests", "remedy": "Wait 1 s before the next one."}
    assert ask(request_from("203.0.113.8:4711")).status_code == 200

    clock.seconds += 1
    assert [ask(request_from("203.0.113.7")).status_code for _ in range(3)] == [200, 200, 429]
    clock.seconds += 3600
    assert [ask(request_from("203.0.113.7")).status_code for _ in range(121)] == [200] * 120 + [429]


def test_a_flood_from_many_addresses_takes_no_more_memory_than_is_set_aside():
    kept = Gate(1, Clock())

    assert [kept.wait(request_from(f"2001:db8::{number:x}")) for number in range(6000)] == [0] * 6000
    assert kept.wait(request_from("2001:db8::176f")) == 60  # the last one
    assert kept.wait(request_from("2001:db8::1")) == 0  # long forgotten


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("", ""),
        ("203.0.113.7", "203.0.113.7"),
        ("203.0.113.7:4711", "203.0.113.7"),
        ("198.51.100.1, 203.0.113.7:4711", "203.0.113.7"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]:4711", "[2001:db8::1]"),
        ("anything,", ""),
    ],
)
def test_the_address_is_the_one_that_the_front_end_saw_and_not_what_the_sender_says(header, found):
    assert address(request_from(header)) == found


def anonymous() -> Iterator[tuple[str, Callable[..., object]]]:
    """Every function that the platform lets anybody call."""
    app = func.FunctionApp()
    for module in (api, callbacks, console, counts, records):
        app.register_functions(module.blueprint)
    for item in app.get_functions():
        if any(json.loads(raw).get("authLevel") == "ANONYMOUS" for raw in item.get_raw_bindings()):
            yield item.get_function_name(), item.get_user_function()


def test_every_function_that_anybody_may_call_has_a_gate_before_it(monkeypatch):
    monkeypatch.setattr(gate.Gate, "wait", lambda self, request: 7)
    refused = {}
    for name, handler in anonymous():
        given = [request_from("203.0.113.7"), *([None] if "context" in inspect.signature(handler).parameters else [])]
        answered = handler(*given)
        response = asyncio.run(answered) if inspect.iscoroutine(answered) else answered
        refused[name] = (response.status_code, response.headers["Retry-After"])

    assert refused == dict.fromkeys(["health", "manage_callback", "console", "push_counts", "push_file"], (429, "7"))
