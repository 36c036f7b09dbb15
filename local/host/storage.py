"""The storage queues behind the queue bindings."""

from __future__ import annotations

import base64
import binascii
import contextlib
from collections.abc import Mapping
from typing import Any

from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.storage.queue.aio import QueueClient

from shared.errors import Misconfigured

#: The pumps poll again anyway; the SDK's own minute of retries would outlast a drain. Times in seconds.
SHORT_RETRIES: dict[str, Any] = {"retry_total": 2, "initial_backoff": 1, "increment_base": 1, "random_jitter_range": 0}


class QueueStore:
    """One client per queue; message bodies are bytes here and text on the wire.

    `environment` holds the connection strings, `encoding` is host.json's `messageEncoding`: base64 or none.
    """

    def __init__(self, environment: Mapping[str, str], encoding: str) -> None:
        self._environment = environment
        self._encoding = encoding
        self._clients: dict[tuple[str, str], QueueClient] = {}

    def client(self, connection: str, queue: str) -> QueueClient:
        """`connection` names the setting that holds the connection string."""
        key = (connection, queue)
        if key not in self._clients:
            try:
                client = QueueClient.from_connection_string(self._environment[connection], queue, **SHORT_RETRIES)
            except ValueError as error:
                raise Misconfigured([f"{connection} is not a storage connection string"]) from error
            self._clients[key] = client
        return self._clients[key]

    async def send(self, connection: str, queue: str, body: bytes) -> None:
        """Append a message; the queue is made when it does not exist."""
        await self.send_content(connection, queue, self.encode(body))

    async def send_content(self, connection: str, queue: str, content: str) -> None:
        """Append a message as it stands on the wire."""
        client = self.client(connection, queue)
        try:
            await client.send_message(content)
        except ResourceNotFoundError:
            await _create(client)
            await client.send_message(content)

    def encode(self, body: bytes) -> str:
        return base64.b64encode(body).decode() if self._encoding == "base64" else body.decode()

    def decode(self, content: str) -> str:
        """The text of a message. Raises `ValueError` when it is not what the host's encoding says."""
        if self._encoding != "base64":
            return content
        try:
            return base64.b64decode(content, validate=True).decode()
        except binascii.Error as error:
            raise ValueError(f"not base64: {error}") from error

    async def close(self) -> None:
        for client in self._clients.values():
            await client.close()


async def _create(client: QueueClient) -> None:
    with contextlib.suppress(ResourceExistsError):  # another host may be faster
        await client.create_queue()
