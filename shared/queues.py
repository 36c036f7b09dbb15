"""The storage queue between the timers and the workers."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import TypeAdapter, ValidationError

from shared.billing.rules import Mode
from shared.errors import NotPermitted, Refused, Retryable, TrueUpError

if TYPE_CHECKING:
    from azure.core.exceptions import AzureError
    from azure.storage.queue import QueueServiceClient

    from shared.state.tables import StorageConnection

#: One message = look at one company of one run.
SYNC_QUEUE = "sync"
POISON_QUEUE = "sync-poison"
#: Or: go on with what a schedule reads between the nights. Or: look at the companies that are due.
DUE_MESSAGE = "due"

#: Seconds between attempts grow from 1. The client's own start at 15: an HTTP caller would not wait for the last one.
_RETRIES: dict[str, Any] = {"retry_total": 3, "initial_backoff": 1, "increment_base": 2}


@dataclass(frozen=True, slots=True)
class SyncMessage:
    """Look at this company. Only the message whose `claim` stands in the run's row works on it.

    `mode` is the most that the run may do (None: what each company's own mode says) and `rules` the version that it
    pinned. `tries` counts how often the company was put back because the outcome of a write was not known yet,
    `unanswered` how often because the store did not answer, or held rows of a newer TrueUp.
    """

    run: str
    company: int
    claim: str
    mode: Mode | None
    rules: int
    tries: int = 0
    unanswered: int = 0

    def text(self) -> str:
        return json.dumps(asdict(self))

    def for_row(self, company: int, claim: str) -> SyncMessage:
        """The message of another row of the same run."""
        return replace(self, company=company, claim=claim, tries=0, unanswered=0)

    def tried_again(self) -> SyncMessage:
        return replace(self, tries=self.tries + 1)

    def not_answered(self) -> SyncMessage:
        return replace(self, unanswered=self.unanswered + 1)

    @classmethod
    def read(cls, text: str) -> SyncMessage:
        """The message in a text. Raises `Refused` for anything that is not one."""
        try:
            return _MESSAGE.validate_json(text)
        except ValidationError as error:
            where = ", ".join(str(part["loc"][0]) if part["loc"] else "the whole" for part in error.errors())
            raise Refused(f"not a sync message: {where} cannot be read", system="queue") from error


@dataclass(frozen=True, slots=True)
class ReadMessage:
    """Go on with what a schedule reads between the nights, as of `at`.

    `at` is of the business clock, with the offset of the MSP's own zone: its day is the one that is counted on. `begun`
    says which start of the schedule it is of. `left` are the sources still to be read; of the first of them `read`
    customers are, up to `after`. `told` says in words what came of those before.
    """

    schedule: str
    begun: datetime
    at: datetime
    left: tuple[str, ...]
    after: str = ""
    read: int = 0
    told: tuple[str, ...] = ()

    def text(self) -> str:
        return _READ_MESSAGE.dump_json(self).decode()

    def up_to(self, customer: str, read: int) -> ReadMessage:
        """What is left once so many more customers of the first source are read."""
        return replace(self, after=customer, read=self.read + read)

    def after_source(self, told: str) -> ReadMessage:
        """What is left once the first source is read, or cannot be."""
        return replace(self, left=self.left[1:], after="", read=0, told=(*self.told, told))


_MESSAGE = TypeAdapter(SyncMessage)
_READ_MESSAGE = TypeAdapter(ReadMessage)


def message_in(text: str) -> SyncMessage | ReadMessage:
    """What a text of the queue asks for. Raises `Refused` for anything that is neither."""
    with suppress(ValidationError):
        return _READ_MESSAGE.validate_json(text)
    return SyncMessage.read(text)


class Queue(Protocol):
    """Where messages go."""

    def send(self, message: SyncMessage, *, delay: int = 0) -> None:
        """Puts a message on the queue, visible after `delay` seconds."""

    def send_due(self, *, delay: int = 0) -> None:
        """Has the companies that are due looked at, after `delay` seconds."""

    def send_reading(self, message: ReadMessage) -> None:
        """Has a reading between the nights gone on with."""

    def send_poison(self, text: str, *, delay: int = 0) -> None:
        """Parks a message that can never be worked on; told after `delay` seconds."""

    def check(self) -> None:
        """Raises as sending does where the queue cannot be asked. Puts nothing; a missing queue is in order."""

    def waiting_since(self) -> datetime | None:
        """When the message was put on the queue that would be taken next (UTC); None where none can be taken now."""


class StorageQueue:
    """Azure Storage queues, as plain text: the trigger hands every message to us, and one that nobody can read is told.

    With base64 the platform would park a message that is none before any function of ours has seen it.
    Raises `Retryable` when a message could not be put on its queue, `NotPermitted` when we may not put it there.
    """

    def __init__(self, connection: StorageConnection) -> None:
        self._connection = connection
        self._service: QueueServiceClient | None = None
        self._made: set[str] = set()

    def send(self, message: SyncMessage, *, delay: int = 0) -> None:
        self._put(SYNC_QUEUE, message.text(), delay)

    def send_due(self, *, delay: int = 0) -> None:
        self._put(SYNC_QUEUE, DUE_MESSAGE, delay)

    def send_reading(self, message: ReadMessage) -> None:
        self._put(SYNC_QUEUE, message.text(), 0)

    def send_poison(self, text: str, *, delay: int = 0) -> None:
        self._put(POISON_QUEUE, text, delay)

    def check(self) -> None:
        from azure.core.exceptions import AzureError, ResourceNotFoundError

        try:
            with suppress(ResourceNotFoundError):
                self._client().get_queue_client(SYNC_QUEUE).get_queue_properties()
        except AzureError as error:
            raise _our_error(SYNC_QUEUE, error) from error

    def waiting_since(self) -> datetime | None:
        from azure.core.exceptions import AzureError, ResourceNotFoundError

        try:
            seen = self._client().get_queue_client(SYNC_QUEUE).peek_messages(max_messages=1)
        except ResourceNotFoundError:
            return None
        except AzureError as error:
            raise _our_error(SYNC_QUEUE, error) from error
        return seen[0].inserted_on if seen else None

    def _put(self, name: str, text: str, delay: int) -> None:
        from azure.core.exceptions import AzureError, ResourceExistsError

        queue = self._client().get_queue_client(name)
        try:
            if name not in self._made:
                with suppress(ResourceExistsError):
                    queue.create_queue()
                self._made.add(name)
            queue.send_message(text, visibility_timeout=delay)
        except AzureError as error:
            self._made.discard(name)  # somebody may have deleted it: the next message makes it again
            raise _our_error(name, error) from error

    def _client(self) -> QueueServiceClient:
        if self._service is None:
            self._service = _service(self._connection)
        return self._service


def _service(connection: StorageConnection) -> QueueServiceClient:
    from azure.storage.queue import QueueServiceClient

    from shared.state.azure_transport import AccountTransport

    options = {"transport": AccountTransport(), **_RETRIES}
    if connection.connection_string is not None:
        return QueueServiceClient.from_connection_string(connection.connection_string, **options)
    return QueueServiceClient(connection.queue_url or "", connection.credential(), **options)


def _our_error(name: str, error: AzureError) -> TrueUpError:
    from azure.core.exceptions import ClientAuthenticationError, HttpResponseError

    status = error.status_code if isinstance(error, HttpResponseError) else None
    if status in (401, 403) or isinstance(error, ClientAuthenticationError):
        return NotPermitted(
            f"queue {name}: the storage account did not let us in",
            system="storage",
            status=status,
            remedy="Correct the connection string, or give the identity the role Storage Queue Data Contributor.",
        )
    what = f"answered {status}" if status else f"could not be reached ({type(error).__name__})"
    return Retryable(
        f"queue {name}: the storage account {what}",
        system="storage",
        status=status,
        remedy="Nothing to do if it passes: what was to be done is found again; otherwise check the account's name in "
        "the settings and whether its network rules let us reach it.",
    )
