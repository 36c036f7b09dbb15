"""The functions host: what a queue pump does with a message, against a queue that we own."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import azure.functions as func
import pytest
from azure.core.exceptions import ResourceNotFoundError, ServiceRequestError

from local.host.functions import Function
from local.host.invoke import Invoker
from local.host.queues import QueuePump
from local.host.settings import QueueOptions
from local.host.storage import QueueStore


@dataclass
class Message:
    id: int
    content: str
    dequeue_count: int = 0
    pop_receipt: str = ""
    visible_at: float = 0
    inserted_on: None = None
    expires_on: None = None
    next_visible_on: None = None


@dataclass
class MemoryQueue:
    """A storage queue in memory. Hidden messages come back when a test moves its clock."""

    exists: bool = True
    clock: float = 0
    messages: list[Message] = field(default_factory=list)
    renewals: int = 0
    broken_reads: int = 0
    reads: int = 0

    async def create_queue(self) -> None:
        self.exists = True

    async def send_message(self, content: str) -> None:
        self._must_exist()
        self.messages.append(Message(len(self.messages) + 1, content))

    async def receive_messages(
        self, *, messages_per_page: int, max_messages: int, visibility_timeout: int
    ) -> AsyncIterator[Message]:
        self.reads += 1
        if self.broken_reads:
            self.broken_reads -= 1
            raise ServiceRequestError("no connection")
        self._must_exist()
        for message in [item for item in self.messages if item.visible_at <= self.clock][:max_messages]:
            message.dequeue_count += 1
            self._hide(message, visibility_timeout)
            yield Message(**vars(message))

    async def update_message(self, id: int, pop_receipt: str, *, visibility_timeout: int) -> Message:
        self.renewals += 1
        message = self._held(id, pop_receipt)
        self._hide(message, visibility_timeout)
        return Message(**vars(message))

    async def delete_message(self, id: int, pop_receipt: str) -> None:
        self.messages.remove(self._held(id, pop_receipt))

    async def close(self) -> None: ...

    def _must_exist(self) -> None:
        if not self.exists:
            raise ResourceNotFoundError("QueueNotFound")

    def _held(self, id: int, pop_receipt: str) -> Message:
        for message in self.messages:
            if (message.id, message.pop_receipt) == (id, pop_receipt):
                return message
        raise ResourceNotFoundError("the receipt is not valid any more")

    def _hide(self, message: Message, seconds: int) -> None:
        message.visible_at = self.clock + seconds
        message.pop_receipt = f"{message.pop_receipt}+"


class MemoryStore(QueueStore):
    """The host's store over queues in memory."""

    def __init__(self) -> None:
        super().__init__({}, "base64")
        self.queues: dict[str, MemoryQueue] = {}

    def client(self, connection: str, queue: str) -> Any:
        return self.queues.setdefault(queue, MemoryQueue(exists=False))


class Pump:
    """A pump over the queue `jobs` (or another), run until something has happened."""

    def __init__(self, handler: Callable[[func.QueueMessage], Any], queue: str = "jobs", **options: Any) -> None:
        self.store = MemoryStore()
        self.queue = self.store.queues[queue] = MemoryQueue()
        self._trigger = {"type": "queueTrigger", "name": "msg", "queueName": queue}
        self._handler = handler
        self._options = QueueOptions.model_validate({name.lower(): value for name, value in options.items()})

    def add(self, *bodies: str, deliveries: int = 0) -> None:
        for body in bodies:
            content = base64.b64encode(body.encode()).decode()
            self.queue.messages.append(Message(len(self.queue.messages) + 1, content, deliveries))

    def run_until(self, happened: Callable[[], bool], *, redelivery: int = 600) -> None:
        async def run() -> None:
            stop = asyncio.Event()
            with ThreadPoolExecutor(4) as pool:
                invoker = Invoker(pool, self.store, timeout=None)
                function = Function("jobs", self._handler, self._trigger)
                pump = QueuePump(
                    function, store=self.store, invoker=invoker, options=self._options, redelivery=redelivery, stop=stop
                )
                running = asyncio.create_task(pump.run())
                async with asyncio.timeout(20):
                    while not happened():
                        await asyncio.sleep(0.005)
                stop.set()
                await running

        asyncio.run(run())

    @property
    def poisoned(self) -> list[str]:
        queue = self.store.queues.get("jobs-poison", MemoryQueue())
        return [base64.b64decode(message.content).decode() for message in queue.messages]


class Handler:
    """Counts its calls; fails while `failures` lasts."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.seen: list[str] = []

    def __call__(self, msg: func.QueueMessage) -> None:
        self.seen.append(msg.get_body().decode())
        if len(self.seen) <= self.failures:
            raise RuntimeError("as asked")


def test_a_message_that_was_handled_is_gone() -> None:
    handler = Handler()
    pump = Pump(handler)
    pump.add("one", "Zürich")
    pump.run_until(lambda: not pump.queue.messages)
    assert sorted(handler.seen) == ["Zürich", "one"]


def test_a_failed_message_stays_hidden_for_the_visibility_timeout() -> None:
    handler = Handler(failures=1)
    pump = Pump(handler, visibilityTimeout="00:00:30")
    pump.add("one")
    pump.run_until(lambda: pump.queue.renewals == 1)
    assert [(message.visible_at, message.dequeue_count) for message in pump.queue.messages] == [(30, 1)]
    pump.queue.clock = 30
    pump.run_until(lambda: not pump.queue.messages)
    assert handler.seen == ["one", "one"]


def test_the_last_failure_moves_a_message_to_the_poison_queue_which_is_made() -> None:
    handler = Handler(failures=99)
    pump = Pump(handler, maxDequeueCount=3)
    pump.add("one")
    pump.run_until(lambda: pump.poisoned == ["one"] and not pump.queue.messages)
    assert len(handler.seen) == 3


def test_a_message_that_killed_the_process_every_time_is_parked_unseen() -> None:
    handler = Handler()
    pump = Pump(handler, maxDequeueCount=3)
    pump.add("killer", deliveries=3)
    pump.run_until(lambda: pump.poisoned == ["killer"] and not pump.queue.messages)
    assert handler.seen == []


@pytest.mark.parametrize("content", ["no base64!", base64.b64encode(b"\xff\xfe").decode()])
def test_a_message_that_is_no_encoded_text_is_parked_unseen(content: str) -> None:
    handler = Handler()
    pump = Pump(handler)
    pump.queue.messages.append(Message(1, content))
    pump.run_until(lambda: not pump.queue.messages)
    assert [message.content for message in pump.store.queues["jobs-poison"].messages] == [content]
    assert handler.seen == []


def test_a_poison_queue_has_no_poison_queue_of_its_own() -> None:
    handler = Handler(failures=99)
    pump = Pump(handler, queue="jobs-poison", maxDequeueCount=1)
    pump.add("one")
    pump.run_until(lambda: bool(handler.seen))
    assert list(pump.store.queues) == ["jobs-poison"]
    assert [message.visible_at for message in pump.queue.messages] == [600]


def test_no_more_than_a_batch_is_in_flight_with_a_threshold_of_zero() -> None:
    in_flight: list[int] = []
    now = 0

    async def handler(msg: func.QueueMessage) -> None:
        nonlocal now
        now += 1
        in_flight.append(now)
        await asyncio.sleep(0)
        now -= 1

    pump = Pump(handler, batchSize=2, newBatchThreshold=0)
    pump.add(*map(str, range(10)))
    pump.run_until(lambda: not pump.queue.messages)
    assert len(in_flight) == 10
    assert max(in_flight) == 2


def test_stopping_waits_for_the_message_in_hand_and_fetches_no_more() -> None:
    started: list[str] = []
    finished: list[str] = []

    async def handler(msg: func.QueueMessage) -> None:
        started.append(msg.get_body().decode())
        await asyncio.sleep(0.05)
        finished.append(msg.get_body().decode())

    pump = Pump(handler, batchSize=1, newBatchThreshold=0)
    pump.add("one", "two")
    pump.run_until(lambda: bool(started))
    assert (started, finished, len(pump.queue.messages)) == (["one"], ["one"], 1)


def test_a_renewed_message_is_deleted_with_its_newest_receipt() -> None:
    pump: Pump

    async def handler(msg: func.QueueMessage) -> None:
        while pump.queue.renewals < 1:
            await asyncio.sleep(0.01)

    pump = Pump(handler)
    pump.add("one")
    pump.run_until(lambda: not pump.queue.messages, redelivery=1)
    assert pump.queue.renewals >= 1


def test_a_queue_that_is_not_there_yet_is_an_empty_one_and_is_not_made() -> None:
    handler = Handler()
    pump = Pump(handler)
    pump.queue.exists = False
    pump.run_until(lambda: pump.queue.reads >= 2)
    assert not pump.queue.exists
    pump.queue.exists = True
    pump.add("one")
    pump.run_until(lambda: not pump.queue.messages)
    assert handler.seen == ["one"]


def test_a_queue_that_cannot_be_read_is_tried_again() -> None:
    handler = Handler()
    pump = Pump(handler)
    pump.add("one")
    pump.queue.broken_reads = 2
    pump.run_until(lambda: not pump.queue.messages)
    assert handler.seen == ["one"]
