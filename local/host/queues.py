"""Queue triggers: one pump per function, with the platform's rules for retries and poison messages."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime
from typing import Self

from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.functions.meta import Datum
from azure.storage.queue import QueueMessage
from azure.storage.queue.aio import QueueClient

from local.host.functions import Function, storage_setting
from local.host.invoke import Invoker
from local.host.settings import QueueOptions
from local.host.storage import QueueStore

log = logging.getLogger("host.queues")

#: Polling interval in seconds after a message was found; it doubles while the queue stays empty.
SHORTEST_POLL = 0.1

POISON_SUFFIX = "-poison"


class HeldMessage:
    """A fetched message, kept invisible to others inside the `with` block; `receipt` is the valid one after it.

    When this process dies the message comes back after at most `seconds`.
    """

    def __init__(self, client: QueueClient, message: QueueMessage, seconds: int) -> None:
        self._client = client
        self._message = message
        self._seconds = seconds
        self._done = asyncio.Event()
        self.receipt = message.pop_receipt

    async def __aenter__(self) -> Self:
        self._keeper = asyncio.create_task(self._keep())
        return self

    async def __aexit__(self, *_: object) -> None:
        # The keeper ends by itself, never in mid-renewal: a lost answer would cost us the valid receipt.
        self._done.set()
        await self._keeper

    async def _keep(self) -> None:
        while not await _happens(self._done, within=self._seconds / 2):
            try:
                renewed = await self._client.update_message(
                    self._message.id, self.receipt, visibility_timeout=self._seconds
                )
            except AzureError as error:
                log.warning("message %s could not be kept invisible: %s", self._message.id, _first_line(error))
                if isinstance(error, ResourceNotFoundError):
                    return  # it belongs to somebody else by now
            else:
                self.receipt = renewed.pop_receipt


class QueuePump:
    """Feeds one function from its queue until `stop` is set.

    `redelivery` is the time in seconds after which a message is delivered again when this process dies over it (the
    platform's is 600). A queue that does not exist is an empty queue: the platform does not make it either.
    """

    def __init__(
        self,
        function: Function,
        *,
        store: QueueStore,
        invoker: Invoker,
        options: QueueOptions,
        redelivery: int,
        stop: asyncio.Event,
    ) -> None:
        self._function = function
        self._store = store
        self._invoker = invoker
        self._options = options
        self._redelivery = redelivery
        self._stop = stop
        self._connection = storage_setting(function.trigger)
        self._queue = str(function.trigger["queueName"])
        self._client = store.client(self._connection, self._queue)
        self._in_flight: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Returns after `stop`, once every message in flight has its outcome."""
        interval = SHORTEST_POLL
        while not self._stop.is_set():
            messages = await self._fetch()
            for message in messages:
                task = asyncio.create_task(self._work(message))
                self._in_flight.add(task)
                task.add_done_callback(self._in_flight.discard)
            if messages:
                interval = SHORTEST_POLL
                await self._room()
            else:
                await self._pause(interval)
                interval = min(interval * 2, self._options.max_polling_interval)
        if self._in_flight:
            await asyncio.wait(self._in_flight)

    async def _fetch(self) -> list[QueueMessage]:
        size = self._options.batch_size
        pages = self._client.receive_messages(
            messages_per_page=size, max_messages=size, visibility_timeout=self._redelivery
        )
        try:
            return [message async for message in pages]
        except ResourceNotFoundError:
            return []
        except AzureError as error:
            log.warning("queue %s cannot be read: %s", self._queue, _first_line(error))
            return []

    async def _room(self) -> None:
        """Wait until few enough messages are in flight to fetch again."""
        stopped = asyncio.create_task(self._stop.wait())
        while len(self._in_flight) > self._options.refill_at and not stopped.done():
            await asyncio.wait({*self._in_flight, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()

    async def _pause(self, seconds: float) -> None:
        """Wait so long, or until a message in flight is done: it may have put the next one on the queue."""
        stopped = asyncio.create_task(self._stop.wait())
        await asyncio.wait({*self._in_flight, stopped}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()

    async def _work(self, message: QueueMessage) -> None:
        """Give one message its outcome. What fails here is logged: the message comes back by itself."""
        try:
            if _deliveries(message) > self._options.max_dequeue_count:
                await self._park(message, message.pop_receipt, "its deliveries killed the process")
                return
            try:
                text = self._store.decode(message.content)
            except ValueError:
                await self._park(message, message.pop_receipt, "it cannot be decoded")
                return
            async with HeldMessage(self._client, message, self._redelivery) as held:
                succeeded = await self._handled(message, text)
            await self._settle(message, held.receipt, succeeded)
        except AzureError as error:
            log.warning("message %s of %s could not be settled: %s", message.id, self._queue, _first_line(error))

    async def _handled(self, message: QueueMessage, text: str) -> bool:
        try:
            await self._invoker.invoke(self._function, Datum(text, "string"), metadata(message))
        except Exception:
            log.exception(
                "%s failed on delivery %s of message %s", self._function.name, message.dequeue_count, message.id
            )
            return False
        return True

    async def _settle(self, message: QueueMessage, receipt: str | None, succeeded: bool) -> None:
        if succeeded:
            await self._client.delete_message(message.id, receipt)
        elif _deliveries(message) >= self._options.max_dequeue_count:
            await self._park(message, receipt, "it failed every time")
        else:
            delay = int(self._options.visibility_timeout)
            await self._client.update_message(message.id, receipt, visibility_timeout=delay)

    async def _park(self, message: QueueMessage, receipt: str | None, why: str) -> None:
        """Move a message to the poison queue. A poison queue has none of its own: there the message stays hidden."""
        if self._queue.endswith(POISON_SUFFIX):
            log.error("message %s of %s stays where it is: %s", message.id, self._queue, why)
            return
        poison = self._queue + POISON_SUFFIX
        await self._store.send_content(self._connection, poison, message.content)
        await self._client.delete_message(message.id, receipt)
        log.error("message %s moved to %s: %s", message.id, poison, why)


def metadata(message: QueueMessage) -> dict[str, Datum]:
    """What a handler can read from its message beside the body."""
    values: dict[str, str | int | datetime | None] = {
        "Id": message.id,
        "DequeueCount": message.dequeue_count,
        "PopReceipt": message.pop_receipt,
        "InsertionTime": message.inserted_on,
        "ExpirationTime": message.expires_on,
        "NextVisibleTime": message.next_visible_on,
    }
    return {name: Datum(_text(value), "string") for name, value in values.items() if value is not None}


def _deliveries(message: QueueMessage) -> int:
    """How often it was delivered, this time included. The service always tells; the SDK's type allows None."""
    return message.dequeue_count or 1


def _text(value: str | int | datetime) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _first_line(error: AzureError) -> str:
    return str(error).splitlines()[0]


async def _happens(event: asyncio.Event, within: float) -> bool:
    """Whether the event is set before `within` seconds have passed."""
    try:
        await asyncio.wait_for(event.wait(), within)
    except TimeoutError:
        return False
    return True
