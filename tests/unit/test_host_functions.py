"""The functions host: indexing an app, invoking a handler, giving up on a slow answer."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import azure.functions as func
import pytest
from aiohttp.test_utils import TestClient, TestServer
from azure.functions.meta import Datum

from local.host.admin import Admin
from local.host.functions import Function, index, with_settings
from local.host.http import HttpFront
from local.host.invoke import Invoker, worker_threads
from local.host.routes import RouteTable
from local.host.storage import QueueStore
from shared.errors import Misconfigured, Refused

APP = "import azure.functions as func\napp = func.FunctionApp()\n"
TIMER = '@app.timer_trigger(arg_name="timer", schedule="0 0 2 * * *")\n'

Index = Callable[[str], list[Function]]


@pytest.fixture
def indexed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Index:
    """Index an app of this text; what it does to the interpreter is undone afterwards."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.delitem(sys.modules, "function_app", raising=False)

    def index_app(text: str) -> list[Function]:
        (tmp_path / "function_app.py").write_text(text)
        return index(tmp_path)

    return index_app


def problems(indexed: Index, text: str) -> list[str]:
    with pytest.raises(Misconfigured) as caught:
        indexed(text)
    return caught.value.problems


def test_functions_are_found_with_their_bindings_in_the_order_of_their_names(indexed: Index) -> None:
    functions = indexed(
        APP
        + TIMER
        + "async def Tick(timer: func.TimerRequest): ...\n"
        + '@app.route("x", methods=["GET"], auth_level="anonymous")\n'
        + '@app.queue_output(arg_name="out", queue_name="q", connection="")\n'
        + "def ask(req: func.HttpRequest, out: func.Out[str], context: func.Context) -> str: ...\n"
    )
    ask, tick = functions
    assert (ask.name, ask.kind, ask.is_async, ask.wants_context) == ("ask", "httpTrigger", False, True)
    assert (tick.name, tick.kind, tick.is_async, tick.wants_context) == ("Tick", "timerTrigger", True, False)
    assert [binding["type"] for binding in ask.bindings] == ["httpTrigger", "queue", "http"]
    assert (ask.trigger["methods"], ask.trigger["authLevel"]) == (["GET"], "ANONYMOUS")


def test_an_app_without_function_app_py_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"no function_app\.py"):
        index(tmp_path)


def test_two_names_for_the_app_are_refused_as_the_platform_refuses_them(indexed: Index) -> None:
    assert "found: app, again" in problems(indexed, APP + "again = app\n")[0]


def test_no_app_at_all_is_refused(indexed: Index) -> None:
    assert "found: none" in problems(indexed, "x = 1\n")[0]


def test_everything_that_is_wrong_is_told_at_once(indexed: Index) -> None:
    found = problems(
        indexed,
        APP
        + '@app.function_name("9lives")\n'
        + TIMER
        + "def cat(timer: func.TimerRequest): ...\n"
        + TIMER
        + "def extra(timer: func.TimerRequest, other: int = 1): ...\n"
        + '@app.event_hub_message_trigger(arg_name="event", event_hub_name="h", connection="c")\n'
        + "def hub(event: func.EventHubEvent): ...\n"
        + '@app.retry(strategy="fixed_delay", max_retry_count="2", delay_interval="00:00:01")\n'
        + TIMER
        + "def again(timer: func.TimerRequest): ...\n",
    )
    assert sorted(found) == [
        "again: @retry is not supported here",
        "function 9lives: the platform refuses this name",
        "function extra: its parameters ['other', 'timer'] are not its bindings ['timer']",
        "function hub: trigger eventHubTrigger is not supported here",
    ]


def test_settings_expressions_of_bindings_are_replaced_and_unset_ones_named() -> None:
    trigger = {"type": "queueTrigger", "name": "msg", "queueName": "%QUEUE%", "connection": "%WHERE%"}
    function = Function("work", lambda msg: None, trigger)
    environment = {"QUEUE": "jobs", "WHERE": "Storage", "Storage": "UseDevelopmentStorage=true"}
    [resolved] = with_settings([function], environment)
    assert (resolved.trigger["queueName"], resolved.trigger["connection"]) == ("jobs", "Storage")
    with pytest.raises(Misconfigured) as caught:
        with_settings([function], {"WHERE": "Storage"})
    assert caught.value.problems == [
        "function work: setting QUEUE is not set (used in '%QUEUE%')",
        "function work: set Storage to a connection string",
    ]


class SentStore(QueueStore):
    """Keeps what output bindings send."""

    def __init__(self) -> None:
        super().__init__({}, "none")
        self.sent: list[tuple[str, bytes]] = []

    async def send(self, connection: str, queue: str, body: bytes) -> None:
        self.sent.append((queue, body))


def invoked(handler: Callable[..., Any], store: SentStore | None = None, *, returns: bool = False) -> Datum | None:
    out = {"type": "queue", "name": "out", "queueName": "q"}
    answer = {"type": "queue", "name": "$return", "queueName": "returned"}
    trigger = {"type": "queueTrigger", "name": "msg", "queueName": "jobs"}
    function = Function("work", handler, trigger, outputs=(out,), returns=answer if returns else None)
    with ThreadPoolExecutor(1) as pool:
        invoker = Invoker(pool, store or SentStore(), timeout=5)
        return asyncio.run(invoker.invoke(function, Datum("body", "string"), {"Id": Datum("7", "string")}))


@pytest.mark.parametrize(
    ("value", "bodies"),
    [
        (None, []),
        ("text", [b"text"]),
        (b"\x00", [b"\x00"]),
        (["one", "two"], [b"one", b"two"]),
        (func.QueueMessage(body=b"message"), [b"message"]),
    ],
)
def test_an_output_is_sent_whatever_its_shape(value: object, bodies: list[bytes]) -> None:
    store = SentStore()
    invoked(lambda msg, out: out.set(value), store)
    assert store.sent == [("q", body) for body in bodies]


def test_an_output_is_not_sent_when_the_handler_fails() -> None:
    store = SentStore()

    def handler(msg: func.QueueMessage, out: func.Out[str]) -> None:
        out.set("never")
        raise RuntimeError("as asked")

    with pytest.raises(RuntimeError, match="as asked"):
        invoked(handler, store)
    assert store.sent == []


def test_a_returned_value_goes_to_its_binding() -> None:
    store = SentStore()
    invoked(lambda msg, out: "back", store, returns=True)
    assert store.sent == [("returned", b"back")]


def test_a_returned_value_without_a_binding_is_refused_as_on_the_platform() -> None:
    with pytest.raises(Refused, match=r"\$return"):
        invoked(lambda msg, out: "back")


def test_the_pool_of_handlers_is_as_large_as_the_setting_says() -> None:
    together = threading.Barrier(3)
    with worker_threads({"PYTHON_THREADPOOL_THREAD_COUNT": "3"}) as pool:
        waits = [pool.submit(together.wait, 10) for _ in range(3)]
        assert sorted(wait.result() for wait in waits) == [0, 1, 2]
    alone = threading.Barrier(2)
    with worker_threads({"PYTHON_THREADPOOL_THREAD_COUNT": "1"}) as pool:
        waits = [pool.submit(alone.wait, 0.2) for _ in range(2)]
        assert all(isinstance(wait.exception(), threading.BrokenBarrierError) for wait in waits)


def test_a_caller_gets_a_timeout_while_the_function_runs_on() -> None:
    finished = threading.Event()

    async def scenario() -> int:
        release = asyncio.Event()

        async def slow(req: func.HttpRequest) -> str:
            await release.wait()
            finished.set()
            return "too late"

        trigger = {"type": "httpTrigger", "name": "req", "route": "slow", "authLevel": "ANONYMOUS"}
        function = Function("slow", slow, trigger, returns={"type": "http", "name": "$return"})
        with ThreadPoolExecutor(1) as pool:
            invoker = Invoker(pool, SentStore(), timeout=None)
            admin = Admin([function], invoker)
            table = RouteTable([function], "")
            front = HttpFront(table, invoker=invoker, admin=admin, keys=None, longest=0.05)
            async with TestClient(TestServer(front.application())) as client:
                status = (await client.get("/slow")).status
                release.set()
                async with asyncio.timeout(5):
                    while not finished.is_set():
                        await asyncio.sleep(0)
                return status

    assert asyncio.run(scenario()) == 504
