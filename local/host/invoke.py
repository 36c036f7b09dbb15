"""One invocation: decode the trigger's data, run the handler, write the output bindings."""

from __future__ import annotations

import asyncio
import functools
import json
import logging
import os
import threading
import time
import uuid
from collections.abc import Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import azure.functions as func
from azure.functions.meta import Datum, get_binding_registry

from local.host.functions import Binding, Function, storage_setting
from local.host.storage import QueueStore
from shared.errors import Refused

log = logging.getLogger("host.invoke")

CONVERTERS: Any = get_binding_registry()  # type: ignore[no-untyped-call]


class Output(func.Out[Any]):
    """What a parameter of type `func.Out` receives."""

    def __init__(self) -> None:
        self._value: Any = None

    def set(self, val: Any) -> None:
        self._value = val

    def get(self) -> Any:
        return self._value


def _no_trace() -> SimpleNamespace:
    return SimpleNamespace(trace_parent="", trace_state="", attributes={})


def _no_retry() -> SimpleNamespace:
    return SimpleNamespace(retry_count=0, max_retry_count=0, exception=None)


@dataclass(frozen=True, slots=True)
class Context:
    """What a parameter named `context` receives: the attributes of `func.Context`."""

    function_name: str
    invocation_id: str
    function_directory: str = field(default_factory=os.getcwd)
    thread_local_storage: threading.local = field(default_factory=threading.local)
    trace_context: SimpleNamespace = field(default_factory=_no_trace)
    retry_context: SimpleNamespace = field(default_factory=_no_retry)


def worker_threads(environment: Mapping[str, str]) -> ThreadPoolExecutor:
    """The one pool that runs every sync handler, as large as the platform's worker makes it."""
    setting = environment.get("PYTHON_THREADPOOL_THREAD_COUNT")
    size = int(setting) if setting else min(32, (os.cpu_count() or 1) + 4)
    return ThreadPoolExecutor(size, thread_name_prefix="handler")


class Invoker:
    """Runs handlers: sync ones in the pool, async ones on the loop. `timeout` is in seconds, None = unbounded."""

    def __init__(self, pool: Executor, store: QueueStore, timeout: float | None) -> None:
        self._pool = pool
        self._store = store
        self._timeout = timeout

    async def invoke(
        self, function: Function, datum: Datum, metadata: Mapping[str, Datum] | None = None
    ) -> Datum | None:
        """The encoded return value, or None. Raises what the handler raised; outputs are written after success only."""
        invocation = str(uuid.uuid4())
        outputs = {str(binding["name"]): Output() for binding in function.outputs}
        arguments: dict[str, Any] = dict(outputs)
        arguments[function.trigger["name"]] = CONVERTERS.get(function.kind).decode(
            datum, trigger_metadata=metadata or {}
        )
        if function.wants_context:
            arguments["context"] = Context(function.name, invocation)
        started = time.perf_counter()
        outcome = "failed"
        try:
            result = await asyncio.wait_for(self._run(function, arguments), self._timeout)
            answer = await self._write(function, result, outputs)
            outcome = "succeeded"
        finally:
            log.info(
                "%s %s after %.0f ms (%s)", function.name, outcome, (time.perf_counter() - started) * 1e3, invocation
            )
        return answer

    async def _run(self, function: Function, arguments: dict[str, Any]) -> Any:
        if function.is_async:
            return await function.handler(**arguments)
        call = functools.partial(function.handler, **arguments)
        return await asyncio.get_running_loop().run_in_executor(self._pool, call)

    async def _write(self, function: Function, result: Any, outputs: Mapping[str, Output]) -> Datum | None:
        if result is not None and function.returns is None:
            raise Refused(f"{function.name} returned a value without a $return binding", system="functions host")
        for binding in function.outputs:
            await self._send(binding, outputs[binding["name"]].get())
        if function.returns is None or result is None:
            return None
        if function.returns["type"] == "queue":
            await self._send(function.returns, result)
            return None
        answer: Datum = CONVERTERS.get("http").encode(result, expected_type=None)
        return answer

    async def _send(self, binding: Binding, value: Any) -> None:
        if value is None:
            return
        encoded = CONVERTERS.get("queue").encode(value, expected_type=None)
        for body in _bodies(encoded):
            await self._store.send(storage_setting(binding), binding["queueName"], body)


def _bodies(encoded: Datum) -> list[bytes]:
    """The messages in one output value: a list of them becomes several messages."""
    if encoded.type == "bytes":
        return [encoded.value]
    if encoded.type == "string":
        return [encoded.value.encode()]
    messages = json.loads(encoded.value)
    several = messages if isinstance(messages, list) else [messages]
    return [(message["body"] if isinstance(message, dict) else message).encode() for message in several]
