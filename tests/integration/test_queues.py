"""The queue on the emulator, as far as the watch asks it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.queue import QueueClient

from local.azurite import Azurite
from shared.queues import SYNC_QUEUE, StorageQueue, SyncMessage
from shared.state.tables import StorageConnection

MESSAGE = SyncMessage("2026-11-21-nightly", 250, "claim", None, 1)


@pytest.fixture
def stored(azurite: Azurite) -> Iterator[QueueClient]:
    """The sync queue, which nobody has made yet."""
    with QueueClient.from_connection_string(azurite.connection_string, SYNC_QUEUE) as queue:
        with pytest.raises(ResourceNotFoundError):
            queue.get_queue_properties()
        yield queue
        queue.delete_queue()


def test_it_says_since_when_the_next_message_waits_that_somebody_could_take(
    azurite: Azurite, stored: QueueClient
) -> None:
    queue = StorageQueue(StorageConnection(azurite.connection_string))
    assert queue.waiting_since() is None

    queue.send(MESSAGE, delay=600)
    assert queue.waiting_since() is None

    before = datetime.now(UTC).replace(microsecond=0)
    queue.send(MESSAGE)
    since = queue.waiting_since()
    assert since is not None
    assert before <= since <= datetime.now(UTC) + timedelta(seconds=1)
    assert queue.waiting_since() == since

    assert stored.receive_message(visibility_timeout=600) is not None
    assert queue.waiting_since() is None
