"""The storage queue between the timers and the workers."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Protocol

from pydantic import TypeAdapter, ValidationError

from shared.billing.rules import Mode
from shared.errors import Refused

if TYPE_CHECKING:
    from azure.storage.queue import QueueServiceClient

    from shared.state.tables import StorageConnection

#: One message = look at one company of one run.
SYNC_QUEUE = "sync"
POISON_QUEUE = "sync-poison"


@dataclass(frozen=True, slots=True)
class SyncMessage:
    """Look at this company. Only the message whose `claim` stands in the run's row works on it.

    `mode` is the most that the run may do (None: what each company's own mode says) and `rules` the version that it
    pinned. `tries` counts how often the company was put back because the outcome of a write was not known yet.
    """

    run: str
    company: int
    claim: str
    mode: Mode | None
    rules: int
    tries: int = 0

    def text(self) -> str:
        return json.dumps(asdict(self))

    def for_row(self, company: int, claim: str) -> SyncMessage:
        """The message of another row of the same run."""
        return replace(self, company=company, claim=claim, tries=0)

    def tried_again(self) -> SyncMessage:
        return replace(self, tries=self.tries + 1)

    @classmethod
    def read(cls, text: str) -> SyncMessage:
        """The message in a text. Raises `Refused` for anything that is not one."""
        try:
            return TypeAdapter(cls).validate_json(text)
        except ValidationError as error:
            where = ", ".join(str(part["loc"][0]) if part["loc"] else "the whole" for part in error.errors())
            raise Refused(f"not a sync message: {where} cannot be read", system="queue") from error


class Queue(Protocol):
    """Where messages go."""

    def send(self, message: SyncMessage, *, delay: int = 0) -> None:
        """Puts a message on the queue, visible after `delay` seconds."""

    def send_poison(self, text: str) -> None:
        """Parks a message that can never be worked on."""


class StorageQueue:
    """Azure Storage queues, in the encoding that the platform's trigger expects (base64)."""

    def __init__(self, connection: StorageConnection) -> None:
        self._connection = connection
        self._service: QueueServiceClient | None = None
        self._made: set[str] = set()

    def send(self, message: SyncMessage, *, delay: int = 0) -> None:
        self._put(SYNC_QUEUE, message.text(), delay)

    def send_poison(self, text: str) -> None:
        self._put(POISON_QUEUE, text, 0)

    def _put(self, name: str, text: str, delay: int) -> None:
        from azure.core.exceptions import ResourceExistsError

        queue = self._client().get_queue_client(name)
        if name not in self._made:
            with suppress(ResourceExistsError):
                queue.create_queue()
            self._made.add(name)
        queue.send_message(base64.b64encode(text.encode()).decode(), visibility_timeout=delay)

    def _client(self) -> QueueServiceClient:
        if self._service is None:
            self._service = _service(self._connection)
        return self._service


def _service(connection: StorageConnection) -> QueueServiceClient:
    from azure.storage.queue import QueueServiceClient

    if connection.connection_string is not None:
        return QueueServiceClient.from_connection_string(connection.connection_string)
    from azure.identity import ManagedIdentityCredential

    return QueueServiceClient(connection.queue_url or "", ManagedIdentityCredential(client_id=connection.client_id))
